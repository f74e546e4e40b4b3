package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// TestTypesOfColumns: the type a column has in go-mysql-server is the one its
// kind names, and DuckDB's is known.
func TestTypesOfColumns(t *testing.T) {
	for _, r := range tables.Relations {
		for _, c := range r.Columns {
			want := c.Kind.Type().MySQL
			if size := max(c.Size, c.Kind.Type().Size); size > 0 {
				want += fmt.Sprintf("(%d)", size)
			}
			got, _, _ := strings.Cut(strings.ToUpper(functions.TypeOf(c).String()), " ")
			if got != want {
				t.Errorf("%s.%s is %s, want %s", r.Name, c.Name, got, want)
			}
			for _, f := range feedColumns(c.Name, c.Kind) {
				if f.typ == 0 {
					t.Errorf("%s.%s has no type in DuckDB", r.Name, f.name)
				}
			}
		}
	}
}
