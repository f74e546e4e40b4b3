package pushdown

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/tables"
)

// FROM clauses: relations, derived tables, common table expressions, joins.

// maxTables is how many tables a statement may read, common table expressions
// counted each time they are used: MySQL's limit of a join. To it a relation that SQL
// defines is one table; maxRead bounds those together that definitions read.
const maxTables, maxRead = 61, 2 * 61

// source is a bound FROM clause, or a part of one.
type origin struct {
	rel  Rel
	cols []visible
}

// from binds a list of table expressions: a cross join.
func (c *compiler) from(list []sqlparser.TableExpr, outer *scope) (*origin, error) {
	var out *origin
	for _, te := range list {
		o, err := c.tableExpr(te, outer, out)
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = o
			continue
		}
		if err := onlyOnce(out, o); err != nil {
			return nil, err
		}
		out = crossed(out, o, lateral(te))
	}
	if out == nil {
		out = &origin{rel: &Dual{}}
	}
	return out, nil
}

func crossed(l, r *origin, lateral bool) *origin {
	return &origin{&Join{Kind: Cross, L: l.rel, R: r.rel, Lateral: lateral}, slices.Concat(l.cols, r.cols)}
}

// onlyOnce refuses tables of one name side by side.
func onlyOnce(l, r *origin) error {
	for _, a := range r.cols {
		for _, b := range l.cols {
			if strings.EqualFold(a.table, b.table) && strings.EqualFold(a.schema, b.schema) && a.pos == 0 && b.pos == 0 {
				return notUnique(a.table)
			}
		}
	}
	return nil
}

func notUnique(name string) error {
	return mistake(1066, "Not unique table/alias: '%s'", name)
}

func lateral(te sqlparser.TableExpr) bool {
	a, ok := te.(*sqlparser.AliasedTableExpr)
	if !ok {
		return false
	}
	d, ok := a.Expr.(*sqlparser.DerivedTable)
	return ok && d.Lateral
}

// tableExpr binds one table expression. left are the tables before it, which a
// LATERAL one may refer to.
func (c *compiler) tableExpr(te sqlparser.TableExpr, outer *scope, left *origin) (*origin, error) {
	switch te := te.(type) {
	case *sqlparser.AliasedTableExpr:
		return c.aliasedTable(te, outer, left)
	case *sqlparser.ParenTableExpr:
		return c.from(te.Exprs, outer)
	case *sqlparser.JoinTableExpr:
		return c.join(te, outer)
	}
	return nil, refuse(te, "this kind of table is not supported")
}

func (c *compiler) aliasedTable(te *sqlparser.AliasedTableExpr, outer *scope, left *origin) (*origin, error) {
	alias := te.As.String()
	switch t := te.Expr.(type) {
	case sqlparser.TableName:
		if len(te.Partitions) > 0 {
			return nil, mistake(1747, "PARTITION () clause on non partitioned table")
		}
		return c.table(t, alias)
	case *sqlparser.DerivedTable:
		if alias == "" {
			return nil, mistake(1248, "Every derived table must have its own alias")
		}
		around := outer
		if t.Lateral {
			around = &scope{outer: outer, clause: inFields}
			if left != nil {
				around.cols = left.cols
			}
		}
		b, err := within(c, around, func() (*block, error) { return c.statement(t.Select) })
		if err != nil {
			return nil, err
		}
		return c.named(b, alias, te.Columns)
	}
	return nil, refuse(te, "this kind of table is not supported")
}

// named makes a table of a query block.
func (c *compiler) named(b *block, alias string, names sqlparser.Columns) (*origin, error) {
	if len(names) > 0 && len(names) != len(b.out) {
		return nil, mistake(1353, "In definition of view, derived table or common table expression, SELECT list and column names list "+
			"have different column counts: %s has %d columns and %d names for them", alias, len(b.out), len(names))
	}
	b = c.distinctIDs(b)
	o := &origin{rel: b.rel}
	seen := map[string]bool{}
	for i, col := range b.out {
		if len(names) > 0 {
			col.Name = names[i].String()
		}
		if lower := strings.ToLower(col.Name); seen[lower] {
			return nil, mistake(1060, "Duplicate column name '%s'", col.Name)
		} else {
			seen[lower] = true
		}
		o.cols = append(o.cols, visible{table: alias, name: col.Name, col: col, pos: i})
	}
	return o, nil
}

// table binds a name: a common table expression, or a relation.
func (c *compiler) table(t sqlparser.TableName, alias string) (*origin, error) {
	name := t.Name.String()
	if alias == "" {
		alias = name
	}
	if t.Qualifier.IsEmpty() {
		if strings.EqualFold(name, "dual") {
			return &origin{rel: &Dual{}}, nil
		}
		for e := c.ctes; e != nil; e = e.next {
			if strings.EqualFold(e.name, name) {
				return c.common(e, alias)
			}
		}
	}
	if err := c.countTable(); err != nil {
		return nil, err
	}
	schema := t.Qualifier.String()
	if schema == "" {
		schema = c.schema
	}
	if schema == "" {
		if schema = c.session.Database(); schema == "" {
			return nil, mistake(1046, "No database selected")
		}
	}
	schema, lower := strings.ToLower(schema), strings.ToLower(name)
	if err := c.session.May(schema, lower); err != nil {
		return nil, err
	}
	rel := tables.Lookup(schema, lower)
	if rel == nil {
		var err error
		if rel, err = c.session.Foreign(schema, lower); err != nil {
			return nil, err
		}
	}
	if rel == nil {
		return nil, c.unknownTable(schema, name)
	}
	var b *block
	if def := defined[rel]; def != nil {
		var err error
		if b, err = c.view(rel, def); err != nil {
			return nil, err
		}
	} else {
		s := c.scan(rel)
		b = &block{s, s.Out}
	}
	o := &origin{rel: b.rel}
	for i, col := range b.out {
		o.cols = append(o.cols, visible{schema: schema, table: alias, name: rel.Columns[i].Name, col: col, pos: i})
	}
	return o, nil
}

func (c *compiler) countTable() error {
	c.tables++
	if c.read++; c.tables > maxTables || c.read > maxRead {
		return mistake(1116, "Too many tables; MySQL can only use %d tables in a join", maxTables)
	}
	return nil
}

func (c *compiler) unknownTable(schema, name string) error {
	if !slices.Contains(c.session.Schemas(), schema) {
		return mistake(1049, "Unknown database '%s'", schema)
	}
	return mistake(1146, "Table '%s.%s' doesn't exist%s", schema, name, tables.DidYouMean(schema, name))
}

// scan adds a scan of a relation to the plan.
func (c *compiler) scan(rel *tables.Relation) *Scan {
	s := &Scan{ID: len(c.scans), Relation: rel, Needed: make([]bool, len(rel.Columns))}
	c.scans = append(c.scans, s)
	for i := range rel.Columns {
		s.Out = append(s.Out, c.columnOf(rel, i))
	}
	return s
}

// columnOf is a new column for one of a relation's.
func (c *compiler) columnOf(rel *tables.Relation, i int) Column {
	rc := &rel.Columns[i]
	t := columnType(rc)
	t.Instant = t.Kind == Time && !c.utc()
	return Column{ID: c.identity(), Name: rc.Name, Type: t, Schema: rel.Schema, Table: rel.Name, Meaning: rc}
}

// join binds a JOIN with its condition.
func (c *compiler) join(te *sqlparser.JoinTableExpr, outer *scope) (*origin, error) {
	if err := c.deeper(); err != nil {
		return nil, err
	}
	defer c.shallower()
	l, err := c.tableExpr(te.LeftExpr, outer, nil)
	if err != nil {
		return nil, err
	}
	r, err := c.tableExpr(te.RightExpr, outer, l)
	if err != nil {
		return nil, err
	}
	if err := onlyOnce(l, r); err != nil {
		return nil, err
	}
	kind, swapped, natural := Inner, false, false
	switch te.Join {
	case sqlparser.NormalJoinType, sqlparser.StraightJoinType:
	case sqlparser.LeftJoinType:
		kind = Left
	case sqlparser.RightJoinType:
		kind, swapped = Left, true
	case sqlparser.NaturalJoinType:
		natural = true
	case sqlparser.NaturalLeftJoinType:
		kind, natural = Left, true
	case sqlparser.NaturalRightJoinType:
		kind, swapped, natural = Left, true, true
	default:
		return nil, refuse(te, "%s is not supported", te.Join.ToString())
	}
	j := &Join{Kind: kind, L: l.rel, R: r.rel, Lateral: lateral(te.RightExpr)}
	if swapped {
		j.L, j.R = r.rel, l.rel
		if j.Lateral {
			return nil, mistake(1064, "A LATERAL table can't be the left side of a RIGHT JOIN")
		}
	}
	out := &origin{rel: j, cols: slices.Concat(l.cols, r.cols)}
	var using []string
	if natural {
		for _, a := range l.cols {
			if !a.merged && slices.ContainsFunc(r.cols, func(b visible) bool { return !b.merged && strings.EqualFold(a.name, b.name) }) {
				using = append(using, a.name)
			}
		}
	} else if te.Condition != nil {
		for _, n := range te.Condition.Using {
			using = append(using, n.String())
		}
	}
	if len(using) > 0 {
		on, err := c.using(out, l, r, using, swapped)
		if err != nil {
			return nil, err
		}
		j.On = on
	}
	if te.Condition != nil && te.Condition.On != nil {
		s := &scope{outer: outer, cols: out.cols, clause: inOn}
		on, err := within(c, s, func() (Expr, error) { return c.condition(te.Condition.On) })
		if err != nil {
			return nil, err
		}
		j.On = append(j.On, conjuncts(on)...)
	}
	if kind == Inner && len(j.On) == 0 {
		j.Kind = Cross
	}
	return out, nil
}

// using joins by columns of the same names and shows each once, first.
func (c *compiler) using(out, l, r *origin, names []string, swapped bool) ([]Expr, error) {
	var on []Expr
	var first []visible
	shown, hidden := l, r // whose column stands for both
	if swapped {
		shown, hidden = r, l
	}
	gone := map[ColumnID]bool{}
	// They come in the order of the first table.
	slices.SortStableFunc(names, func(a, b string) int {
		place := func(name string) int {
			return slices.IndexFunc(l.cols, func(v visible) bool { return !v.merged && strings.EqualFold(v.name, name) })
		}
		return place(a) - place(b)
	})
	for _, name := range names {
		var pair [2]*visible
		for i, side := range []*origin{shown, hidden} {
			for k := range side.cols {
				v := &side.cols[k]
				if v.merged || !strings.EqualFold(v.name, name) {
					continue
				}
				if pair[i] != nil {
					return nil, mistake(1052, "Column '%s' in from clause is ambiguous", name)
				}
				pair[i] = v
			}
			if pair[i] == nil {
				return nil, mistake(1054, "Unknown column '%s' in 'from clause'", name)
			}
		}
		eq, err := c.comparison("=", &Col{pair[0].col}, &Col{pair[1].col})
		if err != nil {
			return nil, err
		}
		on = append(on, eq)
		first = append(first, *pair[0])
		gone[pair[1].col.ID] = true
	}
	var rest []visible
	for _, v := range slices.Concat(l.cols, r.cols) {
		if gone[v.col.ID] {
			v.merged = true
		} else if slices.ContainsFunc(first, func(f visible) bool { return f.col.ID == v.col.ID && f.table == v.table }) {
			continue
		}
		rest = append(rest, v)
	}
	out.cols = append(first, rest...)
	return on, nil
}

// definition is a common table expression in sight.
type definition struct {
	name    string
	columns sqlparser.Columns
	body    sqlparser.TableStatement
	// next are those defined before it, which its body sees.
	next  *definition
	outer *scope
	// ref, when not nil, is what the name means inside its own recursion.
	ref       *recursion
	recursive bool
}

// with puts the definitions of a WITH clause in sight.
func (c *compiler) with(w *sqlparser.With) error {
	if w == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, cte := range w.CTEs {
		lower := strings.ToLower(cte.ID.String())
		if seen[lower] {
			return notUnique(cte.ID.String())
		}
		seen[lower] = true
		d := &definition{name: cte.ID.String(), columns: cte.Columns, body: cte.Subquery, next: c.ctes, recursive: w.Recursive}
		if c.scope != nil {
			d.outer = c.scope.outer
		}
		c.ctes = d
	}
	return nil
}

// common binds a use of a common table expression.
func (c *compiler) common(d *definition, alias string) (*origin, error) {
	if d.ref != nil {
		return c.reference(d, alias)
	}
	if err := c.countTable(); err != nil {
		return nil, err
	}
	if err := c.deeper(); err != nil {
		return nil, err
	}
	defer c.shallower()
	before := c.ctes
	c.ctes = d.next
	defer func() { c.ctes = before }()
	b, err := within(c, d.outer, func() (*block, error) {
		if d.recursive && mentions(d.body, d.name) {
			return c.recursive(d)
		}
		return c.statement(d.body)
	})
	if err != nil {
		return nil, err
	}
	return c.named(b, alias, d.columns)
}

// mentions tells whether a statement reads a table of that name.
func mentions(n sqlparser.SQLNode, name string) bool {
	found := false
	_ = sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		if t, ok := n.(*sqlparser.AliasedTableExpr); ok {
			if tn, ok := t.Expr.(sqlparser.TableName); ok && tn.Qualifier.IsEmpty() && strings.EqualFold(tn.Name.String(), name) {
				found = true
			}
		}
		return !found, nil
	}, n)
	return found
}
