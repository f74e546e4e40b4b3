package pushdown

import (
	"testing"
)

// denied is a session that may not read one table.
type denied struct {
	*testSession
	table string
}

func (d denied) May(_, table string) error {
	if table == d.table {
		return mistake(1142, "SELECT command denied for table '%s'", table)
	}
	return nil
}

// Who reads a relation that is defined by others needs the right to those, and
// to itself.
func TestDefinedRelationsAskForRights(t *testing.T) {
	for table, want := range map[string]bool{"timeline": true, "http": true, "hosts": true, "packets": false} {
		st, err := Parse("SELECT ts FROM timeline")
		if err != nil {
			t.Fatal(err)
		}
		env := testEnv()
		env.Session = denied{newTestSession(), table}
		if _, err := Compile(t.Context(), st, env); (err != nil) != want {
			t.Errorf("without the right to %s: error %v", table, err)
		}
	}
}

// What a definition gives for a column is of the column's kind.
func TestDefinitionsFitTheirRelations(t *testing.T) {
	for rel, def := range defined {
		c := &compiler{ctx: t.Context(), env: testEnv(), dialect: DuckDB, session: newTestSession(), fn: newTestSession().Functions(), parsed: def, next: 1, sizes: map[Expr]int{}}
		b, err := c.view(rel, def)
		if err != nil {
			t.Fatal(rel.Name, err)
		}
		p := b.rel.(*Project)
		if n := len(p.Child.Columns()); n != len(rel.Columns) {
			t.Fatalf("%s has %d columns, its definition %d", rel.Name, len(rel.Columns), n)
		}
		for _, col := range p.Exprs {
			have := TypeOf(col.Expr)
			if have.Kind != col.Kind || have.Bits != col.Bits {
				t.Errorf("%s.%s is %v, its definition gives %v", rel.Name, col.Name, col.Type, have)
			}
		}
	}
}
