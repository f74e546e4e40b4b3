package pushdown

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/tables"
)

// Names: which column a name means, by MySQL's rules for each clause.

// scope is what the names of one query block may mean. What it does not know
// is looked for in the scope around it.
type scope struct {
	outer *scope
	cols  []visible
	// items are the select list as far as it is bound: aliases.
	items []item
	// clause is named in errors, and decides whether aliases count.
	clause string
	// aggregates and windows collect what the block computes; aggregates may
	// stand where mayAggregate holds, window functions where mayWindow holds.
	aggregates   []Named
	windows      []Named
	mayAggregate bool
	// aggregated tells that an aggregate stands somewhere, also one that is
	// the same for any rows.
	aggregated bool
	mayWindow  bool
	// named are the windows of the WINDOW clause, by their names in lower case.
	named map[string]*sqlparser.WindowSpecification
	keys  []groupKey
	// rollup tells of WITH ROLLUP, grouping that GROUPING stands somewhere.
	rollup, grouping bool
}

// visible is a column of a FROM clause.
type visible struct {
	schema, table, name string
	col                 Column
	// merged tells that USING shows it as the column of the other side.
	merged bool
	pos    int // in its table
}

// item is an entry of a select list.
type item struct {
	name  string
	alias bool // given by AS
	expr  Expr
}

// groupKey is an expression the rows are grouped by.
type groupKey struct {
	text string
}

// clauses, as MySQL's errors name them.
const (
	inFields = "field list"
	inWhere  = "where clause"
	inOn     = "on clause"
	inGroup  = "group statement"
	inHaving = "having clause"
	inOrder  = "order clause"
)

// within binds with a scope as the innermost one.
func within[T any](c *compiler, s *scope, f func() (T, error)) (T, error) {
	before := c.scope
	c.scope = s
	defer func() { c.scope = before }()
	return f()
}

// column resolves a name.
func (c *compiler) column(n *sqlparser.ColName) (Expr, error) {
	for s := c.scope; s != nil; s = s.outer {
		e, err := s.find(n, s == c.scope)
		if err != nil {
			return nil, err
		}
		if e != nil {
			c.touch(s)
			return e, nil
		}
	}
	return nil, c.unknownColumn(n)
}

// touch notes that the expression being bound refers to a scope.
func (c *compiler) touch(s *scope) {
	if c.touched != nil && !slices.Contains(*c.touched, s) {
		*c.touched = append(*c.touched, s)
	}
}

// find looks a name up in one scope; nil when the scope does not know it.
func (s *scope) find(n *sqlparser.ColName, innermost bool) (Expr, error) {
	from, err := s.fromColumn(n)
	if err != nil {
		return nil, err
	}
	if !n.Qualifier.IsEmpty() {
		return from, nil
	}
	switch s.clause {
	case inHaving:
		// A grouped column, else an alias, else any column.
		if from != nil && (s.isKey(from) || !s.mayAggregate) { // also inside an aggregate
			return from, nil
		}
		if e, err := s.aliased(n.Name.String()); e != nil || err != nil {
			return e, err
		}
		return from, nil
	case inGroup, inOrder:
		if from != nil {
			return from, nil
		}
		return s.aliased(n.Name.String())
	}
	return from, nil
}

func (s *scope) isKey(e Expr) bool {
	text := fingerprint(e)
	return slices.ContainsFunc(s.keys, func(k groupKey) bool { return k.text == text })
}

// aliased finds an entry of the select list by its name.
func (s *scope) aliased(name string) (Expr, error) {
	var found Expr
	for _, it := range s.items {
		if !strings.EqualFold(it.name, name) {
			continue
		}
		if found != nil && fingerprint(found) != fingerprint(it.expr) {
			return nil, mistake(1052, "Column '%s' in %s is ambiguous", name, s.clause)
		}
		found = it.expr
	}
	return found, nil
}

// fromColumn finds a column of the FROM clause.
func (s *scope) fromColumn(n *sqlparser.ColName) (Expr, error) {
	var found *visible
	for i := range s.cols {
		v := &s.cols[i]
		if !n.Name.EqualString(v.name) || !v.of(n.Qualifier) || v.merged && n.Qualifier.IsEmpty() {
			continue
		}
		if found != nil && found.col.ID != v.col.ID {
			return nil, mistake(1052, "Column '%s' in %s is ambiguous", columnText(n), s.clause)
		}
		found = v
	}
	if found == nil {
		return nil, nil
	}
	return &Col{found.col}, nil
}

// of tells whether a column is of the table a name is qualified with.
func (v *visible) of(t sqlparser.TableName) bool {
	return (t.Name.IsEmpty() || strings.EqualFold(t.Name.String(), v.table)) &&
		(t.Qualifier.IsEmpty() || strings.EqualFold(t.Qualifier.String(), v.schema))
}

func columnText(n *sqlparser.ColName) string {
	text := n.Name.String()
	if !n.Qualifier.Name.IsEmpty() {
		text = n.Qualifier.Name.String() + "." + text
	}
	if !n.Qualifier.Qualifier.IsEmpty() {
		text = n.Qualifier.Qualifier.String() + "." + text
	}
	return text
}

// unknownColumn is error 1054, with the nearest name there is.
func (c *compiler) unknownColumn(n *sqlparser.ColName) error {
	var names []string
	table := false
	for s := c.scope; s != nil; s = s.outer {
		for i := range s.cols {
			v := &s.cols[i]
			if v.of(n.Qualifier) {
				table = true
				if !slices.Contains(names, v.name) {
					names = append(names, v.name)
				}
			}
		}
		for _, it := range s.items {
			if it.alias && n.Qualifier.IsEmpty() {
				names = append(names, it.name)
			}
		}
	}
	clause := inFields
	if c.scope != nil {
		clause = c.scope.clause
	}
	hint := ""
	switch near := tables.Nearest(n.Name.Lowered(), names); {
	case near != "":
		hint = ": did you mean " + near + "?"
	case !table && !n.Qualifier.IsEmpty():
		hint = ": no table here is named " + n.Qualifier.Name.String()
	}
	return mistake(1054, "Unknown column '%s' in '%s'%s", columnText(n), clause, hint)
}

// star lists the columns of * or of t.*.
func (c *compiler) star(s *scope, t sqlparser.TableName) ([]visible, error) {
	var out []visible
	for _, v := range s.cols {
		if v.of(t) && (!v.merged || !t.IsEmpty()) {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		if t.IsEmpty() {
			return nil, mistake(1096, "No tables used")
		}
		return nil, mistake(1051, "Unknown table '%s'", t.Name.String())
	}
	if !t.IsEmpty() {
		slices.SortStableFunc(out, func(a, b visible) int { return a.pos - b.pos })
	}
	return out, nil
}

// fingerprint is the same for expressions that are computed alike.
func fingerprint(e Expr) string {
	r := &renderer{bind: symbolic{}}
	return strings.Join(r.lanes(e, e.Kind()), "\x00")
}
