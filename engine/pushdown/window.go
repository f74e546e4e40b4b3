package pushdown

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/plan"

	"github.com/dolthub/go-mysql-server/sql/types"
)

// Window functions, and GROUP_CONCAT: aggregates with an order of their own.

// window computes window functions over what its child gives.
func (c *compiler) window(n *plan.Window) (*block, error) {
	child, err := c.node(n.Child)
	if err != nil {
		return nil, err
	}
	w := &Window{Child: child.rel}
	b := &block{rel: w, cols: map[sql.ColumnId]Column{}, keys: child.keys}
	for id, col := range child.cols {
		b.cols[id] = col
	}
	schema := n.Schema()
	for i, se := range n.SelectExprs {
		var id sql.ColumnId
		if e, ok := se.(sql.IdExpression); ok {
			id = e.Id()
		}
		col, known := child.cols[id]
		if !known || id == 0 {
			e, err := within(c, child, func() (Expr, error) {
				if f, ok := se.(sql.WindowAdaptableExpression); ok {
					return c.over(f)
				}
				return c.expr(se)
			})
			if err != nil {
				return nil, err
			}
			col = Column{ID: c.identity(id), Name: schema[i].Name, Kind: e.Kind(), Type: declared(e, schema[i].Type)}
			w.Exprs = append(w.Exprs, Named{col, e})
			if id != 0 {
				b.cols[id] = col
			}
		}
		b.out = append(b.out, output{col, id})
	}
	return b, nil
}

// ranks are the functions of the window alone.
var ranks = map[string]Kind{"row_number": Integer, "rank": Integer, "dense_rank": Integer, "percent_rank": Double}

// over builds one window function.
func (c *compiler) over(f sql.WindowAdaptableExpression) (Expr, error) {
	def := f.Window()
	if def == nil {
		return nil, refuse(f, "it has no window")
	}
	o := &Over{}
	var err error
	if o.Partition, err = c.exprs(def.PartitionBy); err != nil {
		return nil, err
	}
	for _, sf := range def.OrderBy {
		key, err := c.expr(sf.Column)
		if err != nil {
			return nil, err
		}
		o.Order = append(o.Order, SortKey{key, sf.Order == sql.Descending})
	}
	switch fr := def.Frame.(type) {
	case nil, *plan.RangeUnboundedPrecedingToCurrentRowFrame: // the default
	case *plan.RowsUnboundedPrecedingToUnboundedFollowingFrame:
		o.Frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"
	case *plan.RowsUnboundedPrecedingToCurrentRowFrame:
		o.Frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
	case *plan.RowsNPrecedingToCurrentRowFrame:
		lit, ok := fr.StartNPreceding().(*expression.Literal)
		if !ok || !types.IsInteger(lit.Type()) {
			return nil, refuse(f, "the frame has no literal bound")
		}
		o.Frame = fmt.Sprintf("ROWS BETWEEN %s PRECEDING AND CURRENT ROW", lit)
	default:
		return nil, refuse(f, "the frame %s is not translated", def.Frame)
	}
	// Without its window a function's children are its arguments.
	bare := f.WithWindow(nil)
	name := strings.ToLower(bare.(sql.FunctionExpression).FunctionName())
	if k, ok := ranks[name]; ok {
		o.Call = call(name, k)
		return o, nil
	}
	switch name {
	case "lag", "lead", "first_value", "last_value":
		return c.shifted(o, name, bare)
	}
	agg, ok := bare.(sql.Aggregation)
	if !ok {
		return nil, refuse(f, "%s is not translated", name)
	}
	x, err := c.aggregate(agg)
	if err != nil {
		return nil, err
	}
	if a, ok := x.(*Aggregate); !ok || a.Distinct || a.Kind() == Address || a.Kind() == Community {
		return nil, refuse(f, "%s over a window is not translated", name)
	}
	o.Call = x
	return o, nil
}

// shifted builds the functions that take a value from another row.
func (c *compiler) shifted(o *Over, name string, bare sql.Expression) (Expr, error) {
	children := bare.Children()
	args, err := c.exprs(children)
	if err != nil {
		return nil, err
	}
	if len(args) > 1 {
		return nil, refuse(bare, "a default of %s is not translated", name)
	}
	k := args[0].Kind()
	if k == Address || k == Community || k == Null {
		return nil, refuse(bare, "%s of %s is not translated", name, k)
	}
	if name == "lag" || name == "lead" {
		// The offset shows in the text only: lag(x, 1).
		text := strings.TrimPrefix(bare.String(), name+"("+children[0].String()+", ")
		n, err := strconv.ParseInt(strings.TrimSuffix(text, ")"), 10, 64)
		if err != nil {
			return nil, refuse(bare, "an offset that is no literal")
		}
		args = append(args, &Literal{Integer, n})
	}
	o.Call = call(name, k, args...)
	return o, nil
}

// overText renders a window function.
func (r *renderer) overText(o *Over) string {
	var parts []string
	if len(o.Partition) > 0 {
		var by []string
		for _, p := range o.Partition {
			lanes := r.lanes(p, p.Kind())
			if p.Kind() == Community {
				lanes = lanes[:1]
			}
			if p.Kind() != Address {
				lanes = lanes[:1]
			}
			by = append(by, lanes...)
		}
		parts = append(parts, "PARTITION BY "+strings.Join(by, ", "))
	}
	if len(o.Order) > 0 {
		var by []string
		for _, k := range o.Order {
			by = append(by, r.orderBy(k)...)
		}
		parts = append(parts, "ORDER BY "+strings.Join(by, ", "))
	}
	if o.Frame != "" {
		parts = append(parts, o.Frame)
	}
	window := " OVER (" + strings.Join(parts, " ") + ")"
	if a, ok := o.Call.(*Aggregate); ok {
		r.over = window
		defer func() { r.over = "" }()
		return r.aggregateText(a)
	}
	x := o.Call.(*Call)
	args := make([]string, len(x.Args))
	for i, a := range x.Args {
		args[i] = r.value(a)
	}
	return x.Op + "(" + strings.Join(args, ", ") + ")" + window
}

// groupConcat builds GROUP_CONCAT with at most one sort key: the planner hides
// distinct, direction and separator in the text.
func (c *compiler) groupConcat(e *aggregation.GroupConcat) (Expr, error) {
	text := e.String()
	rest, separator, ok := strings.Cut(text, " separator '")
	if !ok || strings.Contains(separator, " separator '") || len(separator) < 2 {
		return nil, refuse(e, "its separator is ambiguous")
	}
	separator = strings.TrimSuffix(separator, "')")
	children := e.Children()
	_, order, sorted := strings.Cut(rest, " order by ")
	var keys []SortKey
	if sorted {
		key, err := c.expr(children[0])
		if err != nil {
			return nil, err
		}
		by := children[0].String()
		if order != by+" ASC" && order != by+" DESC" {
			return nil, refuse(e, "more than one sort key")
		}
		keys = append(keys, SortKey{key, order == by+" DESC"})
		children = children[1:]
	}
	args, err := c.exprs(children)
	if err != nil {
		return nil, err
	}
	for i := range args {
		if args[i], err = asText(args[i]); err != nil {
			return nil, err
		}
	}
	v := args[0]
	if len(args) > 1 {
		v = call("concat", Text, args...)
	}
	limit, err := c.ctx.GetSessionVariable(c.ctx, "group_concat_max_len")
	if err != nil {
		return nil, refuse(e, "%v", err)
	}
	n, _, err := types.Int64.Convert(c.ctx, limit)
	if err != nil {
		return nil, refuse(e, "%v", err)
	}
	a := &Aggregate{Name: "group_concat", Distinct: strings.HasPrefix(text, "group_concat(distinct"),
		Args: []Expr{v, &Literal{Text, separator}, &Literal{Integer, n}}, K: Text, Order: keys}
	if a.Distinct && len(keys) > 0 && (keys[0].Expr.Kind() != Text || sql.DebugString(e.Children()[0]) != sql.DebugString(children[0])) {
		return nil, refuse(e, "DISTINCT ordered by something else than its text")
	}
	return a, nil
}

// groupConcatText renders GROUP_CONCAT, cut at group_concat_max_len characters.
func (r *renderer) groupConcatText(a *Aggregate) string {
	v := r.value(a.Args[0])
	order := ""
	if len(a.Order) > 0 {
		order = " ORDER BY " + strings.Join(r.orderBy(a.Order[0]), ", ")
	}
	n, _ := intLiteral(a.Args[2])
	return fmt.Sprintf("left(string_agg(%s%s, %s%s), %d)", distinct(a), v, r.value(a.Args[1]), order, n)
}
