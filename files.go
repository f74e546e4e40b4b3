package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	var files []archive.File
	for _, name := range families {
		if tables.FamilyNamed(name) == nil {
			return fmt.Errorf("no family %q; wiresql help files lists them", name)
		}
		files = append(files, cat.Files(archive.Family(name))...)
	}
	asSQL, _ := p.flags.GetBool("sql")
	switch {
	case !asSQL:
		older := 0
		for _, f := range files {
			fmt.Fprintln(p.stdout, f.Path)
			if f.Older {
				older++
			}
		}
		if older > 0 {
			fmt.Fprintf(p.stderr, "wiresql files: %d of %d files were written before files had checksums: damage in them may not show\n", older, len(files))
		}
	case len(files) == 0:
		return fmt.Errorf("there are no files of %s yet", strings.Join(families, " and "))
	default:
		fmt.Fprintln(p.stdout, tableOf(cat, files))
	}
	return nil
}

// tableOf is what DuckDB reads of files: their rows, as far as they count, and as
// it was decided since.
func tableOf(cat *archive.Catalog, files []archive.File) string {
	var plain, decided []string
	for _, f := range files {
		d, ok := cat.Decisions(f)
		switch {
		case !ok:
			plain = append(plain, f.Path)
		case d.Family == archive.Replaced:
			decided = append(decided, "SELECT f.* FROM "+readParquet(f.Path)+" f ANTI JOIN "+readParquet(d.Path)+
				" d ON d.conn_id = f.conn_id AND d.site IS NOT DISTINCT FROM f.site")
		default:
			with := "SELECT f.* REPLACE ("
			beside := ""
			for _, c := range []string{"conn_id", "segments", "cut_packets"} {
				if slices.Contains(f.Columns, c) {
					with += fmt.Sprintf("CASE WHEN d.flow_id IS NULL THEN f.%[1]s ELSE d.%[1]s END AS %[1]s, ", c)
				} else {
					beside += ", d." + c
				}
			}
			decided = append(decided, strings.TrimSuffix(with, ", ")+")"+beside+" FROM "+readParquet(f.Path)+" f LEFT JOIN "+
				readParquet(d.Path)+" d ON d.flow_id = f.flow_id AND d.ts = f.ts")
		}
	}
	if len(decided) == 0 {
		return readParquet(plain...)
	}
	if len(plain) > 0 {
		decided = append(decided, "SELECT * FROM "+readParquet(plain...))
	}
	return "(" + strings.Join(decided, " UNION ALL BY NAME ") + ")"
}

// readParquet reads files. They lack columns; folders named a=b must not become
// any.
func readParquet(paths ...string) string {
	list := make([]string, len(paths))
	for i, path := range paths {
		list[i] = "'" + strings.ReplaceAll(path, "'", "''") + "'"
	}
	return "read_parquet([" + strings.Join(list, ", ") + "], union_by_name = true, hive_partitioning = false)"
}
