package pushdown

import "github.com/wiresql/wiresql/functions"

// Dialect is the SQL of the database that a statement is written for. All that
// differs from one to another stands behind it: names of types, casts, the
// order of NULLs, division, how relations nest, which functions are exact. What
// comes before (binding, the normal form, the packet plan) knows of none.
type Dialect interface {
	// Statement writes a relation in normal form whose top is the list of
	// results: each in the type of its column, under the names columnLanes
	// gives. The error names what the dialect has no text for.
	Statement(top *Project, b Binding) (string, error)
	// Computes tells whether the database itself computes a function exactly as
	// MySQL does, for arguments of these types; if not it is called back.
	Computes(f *Func) bool
	// Spells does the same for a function that wiresql adds.
	Spells(c *Call) bool
}

// DuckDB is the dialect of the embedded database.
var DuckDB Dialect = duckDB{}

type duckDB struct{}

// Statement implements Dialect.
func (duckDB) Statement(top *Project, b Binding) (string, error) {
	r := &renderer{bind: b, top: top}
	text := r.rel(top).text(0)
	return text, r.err
}

// Computes implements Dialect.
func (duckDB) Computes(f *Func) bool {
	operands := make([]functions.Operand, len(f.Args))
	for i, a := range f.Args {
		operands[i] = operandOf(a, []string{"x", "x"})
	}
	_, ok := functions.InDuckDB(f.Node, operands, f.T, f.Session)
	return ok
}

// Spells implements Dialect.
func (duckDB) Spells(c *Call) bool {
	r := &renderer{bind: symbolic{}}
	r.own(c)
	return r.err == nil
}
