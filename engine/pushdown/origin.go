package pushdown

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// origins tells which column of a relation each of the planner's ids comes
// from. Only that says what text beside it means: for the planner a host name
// and any other text are the same VARCHAR.
type origins map[sql.ColumnId]*tables.Column

// originsOf looks through a whole statement. Common table expressions are
// copies with the same ids, and the same origins.
func originsOf(n sql.Node) origins {
	o := origins{}
	o.node(n)
	o.node(n) // subqueries were met before what they refer to outside
	return o
}

// node records the ids a node gives and returns its outputs by position.
func (o origins) node(n sql.Node) []*tables.Column {
	if ex, ok := n.(sql.Expressioner); ok {
		defer func() {
			for _, e := range ex.Expressions() {
				o.subqueries(e)
			}
		}()
	}
	switch n := n.(type) {
	case *plan.ResolvedTable:
		out := make([]*tables.Column, len(n.Schema()))
		db := n.Database()
		if db == nil {
			return out
		}
		rel := tables.Lookup(db.Name(), n.Name())
		if rel == nil {
			return out
		}
		i := 0
		n.Columns().ForEach(func(id sql.ColumnId) {
			if i < len(rel.Columns) && i < len(out) {
				out[i] = &rel.Columns[i]
				o[id] = out[i]
			}
			i++
		})
		return out
	case *plan.SubqueryAlias:
		out := o.node(n.Child)
		i := 0
		n.Columns().ForEach(func(id sql.ColumnId) {
			if i < len(out) && out[i] != nil {
				o[id] = out[i]
			}
			i++
		})
		return out
	case *plan.Project:
		o.node(n.Child)
		return o.list(n.Projections)
	case *plan.GroupBy:
		o.node(n.Child)
		o.list(n.GroupByExprs)
		return o.list(n.SelectedExprs)
	case *plan.Window:
		o.node(n.Child)
		return o.list(n.SelectExprs)
	case *plan.JoinNode:
		l := o.node(n.Left())
		return append(l[:len(l):len(l)], o.node(n.Right())...)
	case *plan.SetOp:
		l := o.node(n.Left())
		o.node(n.Right())
		return l
	}
	var out []*tables.Column
	for i, ch := range n.Children() {
		if cols := o.node(ch); i == 0 {
			out = cols
		}
	}
	return out
}

func (o origins) list(exprs []sql.Expression) []*tables.Column {
	out := make([]*tables.Column, len(exprs))
	for i, e := range exprs {
		out[i] = o.expr(e)
		if ide, ok := e.(sql.IdExpression); ok && ide.Id() != 0 && out[i] != nil {
			o[ide.Id()] = out[i]
		}
	}
	return out
}

func (o origins) subqueries(e sql.Expression) {
	sql.Inspect(e, func(e sql.Expression) bool {
		if sq, ok := e.(*plan.Subquery); ok {
			o.node(sq.Query)
		}
		return true
	})
}

// expr finds the column an expression's values come from, unchanged.
func (o origins) expr(e sql.Expression) *tables.Column {
	switch e := e.(type) {
	case *expression.GetField:
		return o[e.Id()]
	case *expression.Alias:
		return o.expr(e.Child)
	case *plan.Subquery:
		if out := o.node(e.Query); len(out) == 1 {
			return out[0]
		}
		return nil
	case *expression.Case:
		var arms []sql.Expression
		for _, b := range e.Branches {
			arms = append(arms, b.Value)
		}
		return o.common(append(arms, e.Else))
	case *functions.Call:
		if k, ok := functions.KindOf(e.Type()); ok {
			return &tables.Column{Name: e.String(), Kind: k}
		}
		return nil
	case sql.FunctionExpression:
		switch name := e.FunctionName(); name {
		case "Max", "Min", "AnyValue", "First", "Last":
			return o.expr(e.Children()[0])
		case "coalesce", "ifnull", "nullif", "greatest", "least":
			return o.common(e.Children())
		case "if":
			return o.common(e.Children()[1:])
		}
	}
	return nil
}

// common is the origin of values that all come from columns of one kind.
func (o origins) common(exprs []sql.Expression) *tables.Column {
	var out *tables.Column
	for _, e := range exprs {
		if e == nil {
			continue
		}
		if _, ok := e.(*expression.Literal); ok {
			continue
		}
		c := o.expr(e)
		if c == nil || out != nil && out.Kind != c.Kind {
			return nil
		}
		out = c
	}
	return out
}

// meaning is what values an expression has: those of its origin, or what its
// type says. Nil when neither says anything.
func (o origins) meaning(e sql.Expression) *tables.Column {
	if c := o.expr(e); c != nil {
		return c
	}
	t := e.Type()
	c := &tables.Column{Name: e.String()}
	switch k, own := functions.KindOf(t); {
	case own:
		c.Kind = k
	case types.IsDatetimeType(t), types.IsDateType(t), types.IsTimestampType(t):
		c.Kind = tables.Timestamp
	case types.IsNumber(t):
		c.Kind = tables.BigInt
	case types.IsTextOnly(t):
		c.Kind = tables.Text
	default:
		return nil
	}
	return c
}
