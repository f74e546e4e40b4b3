package pushdown

import (
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/wiresql/wiresql/tables"
)

// What MySQL's ONLY_FULL_GROUP_BY refuses. go-mysql-server checks it after the
// analysis that a pushed-down statement skips, and not in every case.

// Check refuses statements whose answer would depend on the order of rows: a
// column that has several values in a group (1055, 1140), an aggregate in WHERE
// (1111), ORDER BY of what DISTINCT dropped (3065).
func Check(ctx *sql.Context, n sql.Node) error {
	return (&checker{}).whole(n)
}

type checker struct{}

// whole checks a statement or subquery.
func (c *checker) whole(n sql.Node) error {
	g, err := c.node(n)
	if err == nil && g != nil {
		err = g.passed
	}
	return err
}

// grouping is what may be referred to above a GROUP BY.
type grouping struct {
	keys map[string]bool // expressions, as sql.DebugString
	ids  map[sql.ColumnId]bool
	bare map[sql.ColumnId]bool // columns of the rows below
	none bool                  // no GROUP BY clause: all rows are one group
	// passed is the error of a column that a select list passes on. It is one
	// only if the list is the last: lists below that pass on everything.
	passed error
}

// node checks a tree and returns the grouping that rules above it, or nil.
func (c *checker) node(n sql.Node) (*grouping, error) {
	var g *grouping
	var groupings []*grouping
	for i, ch := range n.Children() {
		cg, err := c.node(ch)
		if err != nil {
			return nil, err
		}
		if cg != nil {
			groupings = append(groupings, cg)
		}
		if i == 0 {
			g = cg
		}
	}
	switch n.(type) {
	case *plan.Project, *plan.Having, *plan.Sort, *plan.Distinct, *plan.Filter, *plan.Limit, *plan.Offset:
	default:
		for _, ch := range groupings {
			if ch.passed != nil {
				return nil, ch.passed
			}
		}
	}
	if ex, ok := n.(sql.Expressioner); ok {
		for _, e := range ex.Expressions() {
			if err := c.subqueries(e); err != nil {
				return nil, err
			}
		}
	}
	switch n := n.(type) {
	case *plan.GroupBy:
		return c.group(n)
	case *plan.Project:
		if g == nil {
			return nil, nil
		}
		g.passed = nil
		for i, e := range n.Projections {
			if err := g.check(e, i+1, "SELECT list"); err != nil {
				if _, column := e.(*expression.GetField); !column {
					return nil, err
				}
				if g.passed == nil {
					g.passed = err
				}
			}
			if a, ok := e.(*expression.Alias); ok && a.Id() != 0 {
				g.ids[a.Id()] = true
			}
		}
		return g, nil
	case *plan.Having:
		return g, g.check(n.Cond, 1, "HAVING clause")
	case *plan.Sort:
		for i, f := range n.SortFields {
			if err := g.check(f.Column, i+1, "ORDER BY clause"); err != nil {
				return nil, err
			}
		}
		return g, nil
	case *plan.Distinct:
		return g, distinctOrder(n)
	case *plan.Filter, *plan.Limit, *plan.Offset:
		return g, nil
	}
	return nil, nil
}

func (c *checker) subqueries(e sql.Expression) error {
	var err error
	sql.Inspect(e, func(e sql.Expression) bool {
		if sq, ok := e.(*plan.Subquery); ok && err == nil {
			err = c.whole(sq.Query)
		}
		return err == nil
	})
	return err
}

func (c *checker) group(n *plan.GroupBy) (*grouping, error) {
	g := &grouping{keys: map[string]bool{}, ids: map[sql.ColumnId]bool{}, bare: map[sql.ColumnId]bool{}, none: len(n.GroupByExprs) == 0}
	aggregates := map[sql.ColumnId]bool{}
	for _, e := range n.SelectedExprs {
		if a, ok := e.(sql.Aggregation); ok {
			g.ids[a.Id()] = true
			aggregates[a.Id()] = true
			continue
		}
	}
	g.below(n.Child)
	for _, e := range n.GroupByExprs {
		switch x := e.(type) {
		case *expression.Alias:
			if x.Id() != 0 {
				g.ids[x.Id()] = true
			}
			e = x.Child
		}
		if gf, ok := e.(*expression.GetField); ok {
			g.ids[gf.Id()] = true
		}
		g.keys[sql.DebugString(e)] = true
	}
	if !g.none {
		g.determined(n.Child)
	}
	// An aggregate that WHERE or ON refers to is made above them.
	misplaced := false
	transform.Inspect(n.Child, func(n sql.Node) bool {
		if ex, ok := n.(sql.Expressioner); ok {
			for _, e := range ex.Expressions() {
				sql.Inspect(e, func(e sql.Expression) bool {
					if gf, ok := e.(*expression.GetField); ok && aggregates[gf.Id()] {
						misplaced = true
					}
					return true
				})
			}
		}
		return true
	})
	if misplaced {
		return nil, mysql.NewSQLError(mysql.ERInvalidGroupFuncUse, "HY000", "Invalid use of group function")
	}
	return g, nil
}

// below notes the columns of the rows that are grouped.
func (g *grouping) below(n sql.Node) {
	switch n := n.(type) {
	case *plan.ResolvedTable:
		n.Columns().ForEach(func(id sql.ColumnId) { g.bare[id] = true })
	case *plan.SubqueryAlias:
		n.Columns().ForEach(func(id sql.ColumnId) { g.bare[id] = true })
	default:
		for _, ch := range n.Children() {
			g.below(ch)
		}
	}
}

// determined adds the columns that follow from the keys: those equal to a key
// or a constant by WHERE or an inner join, and all of a row whose own id is
// known.
func (g *grouping) determined(n sql.Node) {
	type row struct {
		id   sql.ColumnId
		cols []sql.ColumnId
	}
	var rows []row
	var equal [][2]sql.ColumnId // 0 for a constant
	var conds func(e sql.Expression)
	conds = func(e sql.Expression) {
		switch e := e.(type) {
		case *expression.And:
			conds(e.LeftChild)
			conds(e.RightChild)
		case *expression.Equals:
			l, lok := e.Left().(*expression.GetField)
			r, rok := e.Right().(*expression.GetField)
			_, lc := e.Left().(*expression.Literal)
			_, rc := e.Right().(*expression.Literal)
			switch {
			case lok && rok:
				equal = append(equal, [2]sql.ColumnId{l.Id(), r.Id()}, [2]sql.ColumnId{r.Id(), l.Id()})
			case lok && rc:
				equal = append(equal, [2]sql.ColumnId{0, l.Id()})
			case rok && lc:
				equal = append(equal, [2]sql.ColumnId{0, r.Id()})
			}
		}
	}
	var visit func(n sql.Node)
	visit = func(n sql.Node) {
		switch n := n.(type) {
		case *plan.Filter:
			conds(n.Expression)
			visit(n.Child)
		case *plan.Project:
			visit(n.Child)
		case *plan.TableAlias:
			visit(n.Child)
		case *plan.JoinNode:
			if n.Filter != nil && n.Op.IsInner() {
				conds(n.Filter)
			}
			visit(n.Left())
			if !n.Op.IsLeftOuter() {
				visit(n.Right())
			}
		case *plan.ResolvedTable:
			key := rowKey(n)
			var r row
			i := 0
			n.Columns().ForEach(func(id sql.ColumnId) {
				if i == key {
					r.id = id
				}
				r.cols = append(r.cols, id)
				i++
			})
			if key >= 0 && r.id != 0 {
				rows = append(rows, r)
			}
		}
	}
	visit(n)
	for changed := true; changed; {
		changed = false
		for _, e := range equal {
			if (e[0] == 0 || g.ids[e[0]]) && !g.ids[e[1]] {
				g.ids[e[1]] = true
				changed = true
			}
		}
		for _, r := range rows {
			if !g.ids[r.id] {
				continue
			}
			for _, id := range r.cols {
				if !g.ids[id] {
					g.ids[id] = true
					changed = true
				}
			}
		}
	}
}

// rowKey is the position of the column that no two rows of a relation share,
// or -1.
func rowKey(n *plan.ResolvedTable) int {
	db := n.Database()
	if db == nil {
		return -1
	}
	rel := tables.Lookup(db.Name(), n.Name())
	if rel == nil {
		return -1
	}
	name := map[*tables.Relation]string{
		tables.Connections: "conn_id", tables.Flows: "flow_id", tables.FlowsWide: "flow_id",
		tables.Packets: "packet_id", tables.PacketsWide: "packet_id", tables.PacketBytes: "packet_id",
		tables.OpsSegments: "segment",
	}[rel]
	for i, c := range rel.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// check refuses references to columns that have no single value in a group.
func (g *grouping) check(e sql.Expression, number int, where string) error {
	if g == nil {
		return nil
	}
	var bad *expression.GetField
	var look func(e sql.Expression)
	look = func(e sql.Expression) {
		if bad != nil || len(g.keys) > 0 && g.keys[sql.DebugString(e)] {
			return
		}
		switch e := e.(type) {
		case *expression.Alias:
			if e.Id() != 0 && g.ids[e.Id()] {
				return
			}
		case *expression.GetField:
			if g.bare[e.Id()] && !g.ids[e.Id()] {
				bad = e
			}
			return
		case *plan.Subquery:
			transform.Inspect(e.Query, func(n sql.Node) bool {
				if ex, ok := n.(sql.Expressioner); ok {
					for _, x := range ex.Expressions() {
						look(x)
					}
				}
				return bad == nil
			})
			return
		case sql.FunctionExpression:
			if strings.EqualFold(e.FunctionName(), "anyvalue") {
				return
			}
		}
		for _, ch := range e.Children() {
			look(ch)
		}
	}
	look(e)
	if bad == nil {
		return nil
	}
	if g.none {
		return mysql.NewSQLError(mysql.ERMixOfGroupFuncAndFields, mysql.SSClientError,
			"In aggregated query without GROUP BY, expression #%d of %s contains nonaggregated column '%s'; "+
				"this is incompatible with sql_mode=only_full_group_by", number, where, bad)
	}
	return mysql.NewSQLError(mysql.ERWrongFieldWithGroup, mysql.SSClientError,
		"Expression #%d of %s is not in GROUP BY clause and contains nonaggregated column '%s' "+
			"which is not functionally dependent on columns in GROUP BY clause; "+
			"this is incompatible with sql_mode=only_full_group_by", number, where, bad)
}

// distinctOrder refuses ORDER BY of a column that DISTINCT has dropped.
func distinctOrder(n *plan.Distinct) error {
	p, ok := n.Child.(*plan.Project)
	if !ok {
		return nil
	}
	s, ok := p.Child.(*plan.Sort)
	if !ok {
		return nil
	}
	shown := map[string]bool{}
	for _, e := range p.Projections {
		if a, ok := e.(*expression.Alias); ok {
			shown[strings.ToLower(a.Name())] = true
			e = a.Child
		}
		shown[strings.ToLower(e.String())] = true
	}
	for i, f := range s.SortFields {
		hidden := false
		sql.Inspect(f.Column, func(e sql.Expression) bool {
			if e == nil || shown[strings.ToLower(e.String())] {
				return false
			}
			if _, ok := e.(*expression.GetField); ok {
				hidden = true
			}
			return true
		})
		if hidden {
			return mysql.NewSQLError(3065, "HY000", "Expression #%d of ORDER BY clause is not in SELECT list, "+
				"references column '%s' which is not in SELECT list; this is incompatible with DISTINCT", i+1, f.Column)
		}
	}
	return nil
}
