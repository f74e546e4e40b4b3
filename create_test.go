package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/testdata/mariadb"
)

// mariaCollations are those that MariaDB 10.11 has in place of MySQL's, which it
// does not know.
var mariaCollations = strings.NewReplacer("utf8mb4_0900_bin", textCollation, "utf8mb4_0900_as_ci", "utf8mb4_uca1400_nopad_as_ci")

// displayWidth is what MariaDB writes behind the types of integers, and MySQL
// behind TINYINT(1) alone.
var displayWidth = regexp.MustCompile(`^(int|bigint)\(\d+\)`)

// TestShowCreateTable gives what SHOW CREATE TABLE says to a MariaDB, which must
// make a table of the same columns of it.
func TestShowCreateTable(t *testing.T) {
	maria := connection(t, mariadb.Start(t, "--skip-log-bin"), "test")
	s := demoEngine(t).NewSession()
	for _, rel := range tables.Relations {
		name := rel.Schema + "." + rel.Name
		created := askEngineCells(s, "SHOW CREATE TABLE "+name)
		if created.err != nil || len(created.rows) != 1 || created.rows[0][0].String != rel.Name {
			t.Fatalf("%s: %v", name, created.err)
		}
		if _, err := maria.ExecContext(t.Context(), mariaCollations.Replace(created.rows[0][1].String)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, created.rows[0][1].String)
			continue
		}
		about := func(schema string) string {
			return "SELECT column_name, column_type, collation_name, is_nullable, column_default, column_comment FROM information_schema.columns " +
				"WHERE table_schema = '" + schema + "' AND table_name = '" + rel.Name + "' ORDER BY ordinal_position"
		}
		ours, theirs := askEngineCells(s, about(rel.Schema)), ask(maria, about("test"))
		if ours.err != nil || theirs.err != nil || len(ours.rows) != len(rel.Columns) || len(theirs.rows) != len(rel.Columns) {
			t.Fatalf("%s: %d and %d columns of %d: %v, %v", name, len(ours.rows), len(theirs.rows), len(rel.Columns), ours.err, theirs.err)
		}
		for i, row := range ours.rows {
			for k, cell := range row {
				want := theirs.rows[i][k]
				want.String = displayWidth.ReplaceAllString(want.String, "$1")
				if want.String == "NULL" && k == 4 {
					want.String, want.Valid = "", false // what MariaDB writes for DEFAULT NULL
				}
				cell.String = mariaCollations.Replace(cell.String)
				if cell != want {
					t.Errorf("%s.%s: %q here, %q in MariaDB", name, row[0].String, cell.String, want.String)
				}
			}
		}
		if _, err := maria.ExecContext(t.Context(), "DROP TABLE "+rel.Name); err != nil {
			t.Fatal(err)
		}
	}
}
