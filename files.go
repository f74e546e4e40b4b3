package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

func filesCommand() *command {
	var names []string
	for _, f := range tables.Families {
		names = append(names, f.Name)
	}
	return &command{
		summary: "list the row files that count now, for other programs: of " + strings.Join(names, ", "),
		args:    "FAMILY…",
		flags: func(f *pflag.FlagSet) {
			f.Bool("sql", false, "print them as a table of DuckDB: read_parquet([…])")
		},
		run: runFiles,
	}
}

// runFiles prints the files of which the rows are those of the families at one
// instant: folders also show those that a merge has replaced.
func runFiles(_ context.Context, p *program, families []string) error {
	if len(families) == 0 {
		return errors.New("name a family of rows; wiresql help files lists them")
	}
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log, ReadOnly: true})
	if err != nil {
		return err
	}
	defer a.Close()
	cat, err := a.Catalog()
	if err != nil {
		return err
	}
	var paths []string
	for _, name := range families {
		if tables.FamilyNamed(name) == nil {
			return fmt.Errorf("no family %q; wiresql help files lists them", name)
		}
		for _, f := range cat.Files(archive.Family(name)) {
			paths = append(paths, f.Path)
		}
	}
	asSQL, _ := p.flags.GetBool("sql")
	switch {
	case !asSQL:
		for _, path := range paths {
			fmt.Fprintln(p.stdout, path)
		}
	case len(paths) == 0:
		return fmt.Errorf("there are no files of %s yet", strings.Join(families, " and "))
	default:
		for i := range paths {
			paths[i] = "'" + strings.ReplaceAll(paths[i], "'", "''") + "'"
		}
		// Files lack columns; folders named a=b must not become any.
		fmt.Fprintf(p.stdout, "read_parquet([%s], union_by_name = true, hive_partitioning = false)\n", strings.Join(paths, ", "))
	}
	return nil
}
