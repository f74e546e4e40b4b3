package pushdown

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Literals typed beside columns. Each is read once, as what the column holds:
// an address in its canonical spelling, a folded name, a time in UTC. What the
// column can never hold is an error that says how to write what was meant. This
// runs before a statement is compiled and before go-mysql-server executes it,
// so that both answer alike.

// Rewrite checks and converts the literals of a bound statement. The errors
// are MySQL's 1064, which is what dashboards show to their users.
func Rewrite(ctx *sql.Context, n sql.Node) (sql.Node, error) {
	r := &rewriter{ctx, originsOf(n)}
	n, _, err := r.node(n)
	return n, err
}

type rewriter struct {
	ctx     *sql.Context
	origins origins
}

func (r *rewriter) node(n sql.Node) (sql.Node, transform.TreeIdentity, error) {
	return transform.NodeWithOpaque(n, func(n sql.Node) (sql.Node, transform.TreeIdentity, error) {
		ex, ok := n.(sql.Expressioner)
		if !ok {
			return n, transform.SameTree, nil
		}
		exprs, same, err := r.list(ex.Expressions())
		if err != nil || same {
			return n, transform.SameTree, err
		}
		n, err = ex.WithExpressions(exprs...)
		return n, transform.NewTree, err
	})
}

func (r *rewriter) list(exprs []sql.Expression) ([]sql.Expression, transform.TreeIdentity, error) {
	out, same := make([]sql.Expression, len(exprs)), transform.SameTree
	for i, e := range exprs {
		x, s, err := r.tree(e)
		if err != nil {
			return nil, same, err
		}
		out[i] = x
		same = same && s
	}
	return out, same, nil
}

// tree rewrites an expression from below. The planner's own transform loses
// the ids of aliases and of some aggregates.
func (r *rewriter) tree(e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
	children, same, err := r.list(e.Children())
	if err != nil {
		return e, same, err
	}
	if !same {
		old := e
		if e, err = e.WithChildren(children...); err != nil {
			return e, same, err
		}
		if a, ok := old.(*expression.Alias); ok && a.Unreferencable() {
			e = e.(*expression.Alias).AsUnreferencable()
		}
		if id, ok := old.(sql.IdExpression); ok {
			e = e.(sql.IdExpression).WithId(id.Id())
		}
	}
	out, s, err := r.expr(e)
	return out, same && s, err
}

func syntaxError(format string, args ...any) error {
	return mysql.NewSQLError(mysql.ERParseError, mysql.SSClientError, "%s", fmt.Sprintf(format, args...))
}

// expr rewrites one node of an expression; its operands are done.
func (r *rewriter) expr(e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
	same := func(err error) (sql.Expression, transform.TreeIdentity, error) { return e, transform.SameTree, err }
	switch x := e.(type) {
	case *plan.Subquery:
		q, unchanged, err := r.node(x.Query)
		if err != nil || unchanged {
			return same(err)
		}
		return x.WithQuery(q), transform.NewTree, nil
	case *expression.Equals, *expression.NullSafeEquals, *expression.LessThan, *expression.LessThanOrEqual,
		*expression.GreaterThan, *expression.GreaterThanOrEqual:
		ch := e.Children()
		l, rr, err := r.compared(ch[0], ch[1])
		if err != nil {
			return same(err)
		}
		n, err := e.WithChildren(l, rr)
		return n, transform.NewTree, err
	case *expression.Between:
		v, lower, err := r.compared(x.Val, x.Lower)
		if err != nil {
			return same(err)
		}
		v, upper, err := r.compared(v, x.Upper)
		if err != nil {
			return same(err)
		}
		return expression.NewBetween(v, lower, upper), transform.NewTree, nil
	case *expression.InTuple:
		return r.inTuple(x)
	case *plan.InSubquery:
		lit, ok := x.LeftChild.(*expression.Literal)
		sq, isSub := x.RightChild.(*plan.Subquery)
		if !ok || !isSub {
			return same(nil)
		}
		out := r.origins.node(sq.Query)
		if len(out) != 1 || out[0] == nil {
			return same(nil)
		}
		v, err := convertLiteral(lit, out[0])
		if err != nil {
			return same(err)
		}
		return plan.NewInSubquery(v, sq), transform.NewTree, nil
	case *expression.Like:
		return r.like(x)
	case *expression.Case:
		if x.Expr == nil {
			return same(nil)
		}
		n := *x
		n.Branches = append([]expression.CaseBranch(nil), x.Branches...)
		for i := range n.Branches {
			v, cond, err := r.compared(n.Expr, n.Branches[i].Cond)
			if err != nil {
				return same(err)
			}
			n.Expr, n.Branches[i].Cond = v, cond
		}
		return &n, transform.NewTree, nil
	case *functions.Call:
		return r.call(x)
	}
	return same(nil)
}

// compared rewrites the two sides of a comparison.
func (r *rewriter) compared(a, b sql.Expression) (sql.Expression, sql.Expression, error) {
	at, aTuple := a.(expression.Tuple)
	bt, bTuple := b.(expression.Tuple)
	if aTuple && bTuple && len(at) == len(bt) {
		l, rr := make(expression.Tuple, len(at)), make(expression.Tuple, len(at))
		for i := range at {
			var err error
			if l[i], rr[i], err = r.compared(at[i], bt[i]); err != nil {
				return nil, nil, err
			}
		}
		return l, rr, nil
	}
	if aTuple || bTuple {
		return a, b, nil
	}
	a, b = r.variable(a), r.variable(b)
	la, aLit := a.(*expression.Literal)
	lb, bLit := b.(*expression.Literal)
	switch {
	case aLit == bLit:
		return a, b, r.comparable(a, b)
	case bLit:
		c := r.origins.meaning(a)
		if c == nil {
			return a, b, nil
		}
		v, err := convertLiteral(lb, c)
		return a, v, err
	}
	c := r.origins.meaning(b)
	if c == nil {
		return a, b, nil
	}
	v, err := convertLiteral(la, c)
	return v, b, err
}

// variable takes the value of @x for a literal.
func (r *rewriter) variable(e sql.Expression) sql.Expression {
	v, ok := e.(*expression.UserVar)
	if !ok {
		return e
	}
	value, err := v.Eval(r.ctx, nil)
	if err != nil || value == nil {
		return e
	}
	return expression.NewLiteral(value, v.Type())
}

// comparable refuses columns that can't have a value in common.
func (r *rewriter) comparable(a, b sql.Expression) error {
	x, y := r.origins.expr(a), r.origins.expr(b)
	if x == nil || y == nil {
		return nil
	}
	number := func(k tables.Kind) bool {
		return k == tables.Int || k == tables.BigInt || k == tables.Double || k == tables.Bool
	}
	if number(x.Kind) != number(y.Kind) {
		return syntaxError("%s and %s can't be equal: one is a number, the other is not", x.Name, y.Name)
	}
	return nil
}

func (r *rewriter) inTuple(x *expression.InTuple) (sql.Expression, transform.TreeIdentity, error) {
	list, ok := x.Right().(expression.Tuple)
	if !ok {
		return x, transform.SameTree, nil
	}
	left := x.Left()
	out := make(expression.Tuple, len(list))
	for i, v := range list {
		l, n, err := r.compared(left, v)
		if err != nil {
			return x, transform.SameTree, err
		}
		out[i] = n
		if _, literal := left.(*expression.Literal); literal {
			left = l // '10.1.2.3' IN (client_ip, server_ip)
		}
	}
	return expression.NewInTuple(left, out), transform.NewTree, nil
}

func (r *rewriter) like(x *expression.Like) (sql.Expression, transform.TreeIdentity, error) {
	c := r.origins.expr(x.LeftChild)
	lit, ok := x.RightChild.(*expression.Literal)
	if c == nil || !ok {
		return x, transform.SameTree, nil
	}
	pattern, ok := lit.Value().(string)
	if !ok {
		return x, transform.SameTree, nil
	}
	switch {
	case c.Kind == tables.HostName || c.Name == "protocol":
		folded := strings.ToLower(pattern)
		return expression.NewLike(x.LeftChild, expression.NewLiteral(folded, lit.Type()), x.Escape), transform.NewTree, nil
	case c.Kind == tables.Address:
		if _, err := netip.ParsePrefix(pattern); err == nil {
			return x, transform.SameTree, addressError(c, pattern)
		}
	}
	return x, transform.SameTree, nil
}

// call reads times given to functions of ours.
func (r *rewriter) call(x *functions.Call) (sql.Expression, transform.TreeIdentity, error) {
	args := append([]sql.Expression(nil), x.Args...)
	changed := false
	for i, a := range args {
		t := x.Function.Args[i].Type
		lit, ok := a.(*expression.Literal)
		if !ok || t == nil || !types.IsDatetimeType(t) {
			continue
		}
		v, err := convertLiteral(lit, &tables.Column{Name: x.Function.Args[i].Name, Kind: tables.Timestamp})
		if err != nil {
			return x, transform.SameTree, err
		}
		changed = changed || v != sql.Expression(lit)
		args[i] = v
	}
	if !changed {
		return x, transform.SameTree, nil
	}
	n, err := x.WithChildren(args...)
	return n, transform.NewTree, err
}

// convertLiteral reads a literal as a value of the column beside it.
func convertLiteral(lit *expression.Literal, c *tables.Column) (sql.Expression, error) {
	if lit.Value() == nil {
		return lit, nil
	}
	if s, ok := lit.Value().(string); ok {
		if _, done := functions.KindOf(lit.Type()); done || types.IsBinaryType(lit.Type()) {
			return lit, nil
		}
		return convertText(lit, s, c)
	}
	if types.IsNumber(lit.Type()) && lit.Type() != types.Boolean {
		return convertNumber(lit, c)
	}
	return lit, nil
}

func convertText(lit *expression.Literal, s string, c *tables.Column) (sql.Expression, error) {
	switch c.Kind {
	case tables.Address:
		a, err := tables.ParseAddr(s)
		if err != nil {
			return nil, addressError(c, s)
		}
		return expression.NewLiteral(a.String(), functions.AddrType), nil
	case tables.Identifier, tables.CommunityID, tables.MAC:
		canonical, err := functions.Canonical(c.Kind, s)
		if err != nil {
			return nil, syntaxError("%s: %v", c.Name, err)
		}
		return expression.NewLiteral(canonical, functions.TypeOf(tables.Column{Kind: c.Kind})), nil
	case tables.HostName:
		return expression.NewLiteral(tables.FoldName(s), lit.Type()), nil
	case tables.Timestamp:
		t, err := ParseTime(s)
		if err != nil {
			return nil, syntaxError("%s: %v", c.Name, err)
		}
		return expression.NewLiteral(t, types.DatetimeMaxPrecision), nil
	case tables.Int, tables.BigInt, tables.Double, tables.Bool:
		n, err := parseNumber(s)
		if err != nil {
			return nil, numberError(c, s)
		}
		return planLiteral(n)
	case tables.Text:
		if c.Name == "protocol" {
			return expression.NewLiteral(protocolName(s), lit.Type()), nil
		}
	}
	return lit, nil
}

// protocolName is the spelling the column has of a protocol's name or number.
func protocolName(s string) string {
	if n, ok := tables.ProtocolNumber(s); ok {
		return tables.ProtocolName(n)
	}
	return strings.ToLower(s)
}

// planLiteral is a number for the planner.
func planLiteral(l *Literal) (sql.Expression, error) {
	switch v := l.Value.(type) {
	case int64:
		return expression.NewLiteral(v, types.Int64), nil
	case float64:
		return expression.NewLiteral(v, types.Float64), nil
	}
	t, err := types.CreateDecimalType(38, uint8(scaleOf(l)))
	if err != nil {
		return nil, err
	}
	v, _, err := t.Convert(sql.NewEmptyContext(), l.Value)
	return expression.NewLiteral(v, t), err
}

func convertNumber(lit *expression.Literal, c *tables.Column) (sql.Expression, error) {
	n := lit.String()
	switch c.Kind {
	case tables.Address:
		return nil, syntaxError("%s is an address: write it as '10.1.2.3', not as the number %s", c.Name, n)
	case tables.Identifier, tables.CommunityID, tables.MAC, tables.HostName:
		return nil, syntaxError("%s is text, not the number %s", c.Name, n)
	case tables.Timestamp:
		if len(n) == 8 || len(n) == 14 {
			if t, err := ParseTime(n); err == nil {
				return expression.NewLiteral(t, types.DatetimeMaxPrecision), nil
			}
		}
		return nil, syntaxError("%s is a time, not the number %s: use FROM_UNIXTIME(%s) or '2026-06-12 10:15:00'", c.Name, n, n)
	case tables.Text:
		if c.Name == "protocol" {
			if p, err := strconv.ParseUint(n, 10, 8); err == nil {
				return nil, syntaxError("protocol is a name: use protocol = '%s'", tables.ProtocolName(uint8(p)))
			}
		}
		if strings.HasSuffix(c.Name, "tcp_flags") {
			if bits, err := strconv.ParseUint(n, 10, 9); err == nil {
				return nil, syntaxError("%s is text: use %s = '%s'", c.Name, c.Name, tables.TCPFlagsText(uint16(bits)))
			}
		}
		if c.Size > 0 || c.Doc != "" { // a column, not just any text
			return nil, syntaxError("%s is text: write '%s'", c.Name, n)
		}
	}
	return lit, nil
}

// addressError says what a text is that stands where an address belongs.
func addressError(c *tables.Column, s string) error {
	if _, err := netip.ParsePrefix(s); err == nil {
		return syntaxError("%s is an address and '%s' a network: use ip_in(%s, '%s')", c.Name, s, c.Name, s)
	}
	if host, ok := strings.CutSuffix(c.Name, "ip"); ok && strings.ContainsFunc(s, isNameLetter) {
		return syntaxError("%s is an address and '%s' is none: use %shost = '%s'", c.Name, s, host, s)
	}
	return syntaxError("%s is an address and '%s' is none", c.Name, s)
}

func isNameLetter(r rune) bool { return r >= 'g' && r <= 'z' || r >= 'G' && r <= 'Z' }

// numberError says which column holds the text that stands beside a number.
func numberError(c *tables.Column, s string) error {
	switch name := strings.TrimSuffix(c.Name, "_number"); {
	case name != c.Name:
		return syntaxError("%s is a number: use %s = '%s'", c.Name, name, s)
	case c.Name == "port" || strings.HasSuffix(c.Name, "_port"):
		return syntaxError("%s is a number: use service = '%s'", c.Name, s)
	}
	return syntaxError("%s is a number and '%s' is none", c.Name, s)
}
