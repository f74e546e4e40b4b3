package pushdown

import (
	"net/netip"
	"slices"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// Values brought to a type: for CASE and UNION, for CAST, for functions that
// want text.

type collationID = collations.ID

func (c *compiler) connectionCollation() collationID {
	if c.fn.Collation != 0 {
		return c.fn.Collation
	}
	return functions.Default
}

func isNetwork(s string) bool {
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// toNumber makes truth values numbers.
func toNumber(e Expr) Expr {
	if e.Kind() != Bool {
		return e
	}
	if l, ok := e.(*Literal); ok {
		n := int64(0)
		if v, _ := l.Value.(bool); v {
			n = 1
		}
		return lit(Integer, n)
	}
	return &Cast{Arg: e, T: bigint}
}

func toTime(e Expr) Expr {
	if e.Kind() != Date {
		return e
	}
	if l, ok := e.(*Literal); ok {
		return &Literal{T: Type{Kind: Time}, Value: l.Value}
	}
	return &Cast{Arg: e, T: Type{Kind: Time, Nullable: TypeOf(e).Nullable}}
}

// text formats a value as clients see it.
func (c *compiler) text(e Expr) (Expr, error) {
	switch k := e.Kind(); {
	case k == Text || k == Null:
		return e, nil
	case k >= Address:
		return asShown(e), nil
	case isLiteral(e), k == Double, k == Clock, k == Bytes, k == JSON:
		x, err := c.made(&sqlparser.CastExpr{Expr: placeholder(0), Type: &sqlparser.ConvertType{Type: "char"}}, []Expr{e})
		if err != nil {
			return nil, err
		}
		return x, nil
	}
	t := Type{Kind: Text, Collation: c.connectionCollation(), Coercibility: 4, Nullable: TypeOf(e).Nullable}
	return &Cast{Arg: toNumber(e), T: t}, nil
}

// coerce brings a value to a type of another kind or scale.
func (c *compiler) coerce(e Expr, t Type) (Expr, error) {
	k := e.Kind()
	switch {
	case k == Null:
		return e, nil
	case t.Kind == Text:
		return c.text(e)
	case t.Kind == k:
		if k == Decimal && scaleOf(e) != t.Scale {
			if l, ok := e.(*Literal); ok {
				v, err := functions.Conform(sqltypes.MakeTrusted(sqltypes.Decimal, []byte(l.Value.(string))), t)
				return &Literal{T: t, Value: v.ToString()}, err
			}
			return &Cast{Arg: e, T: t}, nil
		}
		if l, ok := e.(*Literal); ok && k.Temporal() {
			return &Literal{T: t, Value: l.Value}, nil
		}
		if k.Temporal() && TypeOf(e).Scale != t.Scale {
			return typed("retime", t, e), nil
		}
		return e, nil
	case k.Numeric() && t.Kind.Numeric():
		e = toNumber(e)
		if t.Kind == Bool || e.Kind() == t.Kind {
			return e, nil
		}
		return &Cast{Arg: e, T: t}, nil
	case t.Kind == Time && k == Date:
		if l, ok := e.(*Literal); ok {
			return &Literal{T: t, Value: l.Value}, nil
		}
		return toTime(e), nil
	case t.Kind == Bytes:
		text, err := c.text(e)
		if err != nil {
			return nil, err
		}
		return toBytes(text), nil
	case t.Kind == Double:
		return c.made(&sqlparser.CastExpr{Expr: placeholder(0), Type: &sqlparser.ConvertType{Type: "double"}}, []Expr{e})
	}
	if x := map[Kind]string{Date: "date", Time: "datetime", Clock: "time", Integer: "signed", Unsigned: "unsigned", JSON: "json"}[t.Kind]; x != "" {
		ct := &sqlparser.ConvertType{Type: x}
		if t.Kind == Time || t.Kind == Clock {
			ct.Length = new(int)
			*ct.Length = t.Scale
		}
		return c.made(&sqlparser.CastExpr{Expr: placeholder(0), Type: ct}, []Expr{e})
	}
	return nil, refuse(nil, "%s can't become %s", k, t.Kind)
}

// merged brings values to the one type that CASE, COALESCE and UNION give them.
func (c *compiler) merged(values []Expr) ([]Expr, Type, error) {
	special := Null
	other := false
	for _, v := range values {
		switch k := v.Kind(); {
		case k == Null:
		case k >= Address && (special == Null || special == k):
			special = k
		case k >= Address:
			other = true
		case !isLiteral(v):
			other = true
		}
	}
	if special != Null && !other {
		// Addresses beside constants that are addresses stay addresses.
		out, same := make([]Expr, len(values)), true
		var t Type
		for i, v := range values {
			if l, ok := v.(*Literal); ok && l.T.Kind == Text {
				p, err := parseLiteral(l.Value.(string), special)
				if err != nil {
					same = false
					break
				}
				v = p
			}
			if v.Kind() != special && v.Kind() != Null {
				same = false
				break
			}
			if v.Kind() == special && !isLiteral(v) {
				t = TypeOf(v)
			}
			out[i] = v
		}
		if same {
			t.Nullable = true
			return out, t, nil
		}
	}
	t, err := c.mergedType(values)
	if err != nil {
		return nil, Type{}, err
	}
	if t.Kind == Decimal && t.Scale > maxScale {
		t.Scale = maxScale
	}
	out := make([]Expr, len(values))
	for i, v := range values {
		if out[i], err = c.coerce(v, t); err != nil {
			return nil, Type{}, err
		}
	}
	return out, t, nil
}

// arms is merged for values of which a row has one: a quotient keeps the digits
// it carries beyond those it shows.
func (c *compiler) arms(values []Expr) ([]Expr, Type, error) {
	out, t, err := c.merged(values)
	for i := range out {
		if cast, ok := out[i].(*Cast); ok && cast.Arg == values[i] && t.Kind == Decimal && inexact(values[i]) && t.Scale > scaleOf(values[i]) {
			out[i] = values[i]
		}
	}
	return out, t, err
}

// mergedType is the type MySQL gives a choice among values.
func (c *compiler) mergedType(values []Expr) (Type, error) {
	// The usual case needs nobody: all alike.
	first := TypeOf(values[0])
	if !slices.ContainsFunc(values, func(v Expr) bool {
		t := TypeOf(v)
		t.Nullable, t.Length = first.Nullable, first.Length
		return t != first || t.Kind == Null
	}) {
		for _, v := range values {
			t := TypeOf(v)
			first.Nullable = first.Nullable || t.Nullable
			if first.Length != 0 && t.Length != 0 {
				first.Length = max(first.Length, t.Length)
			} else {
				first.Length = 0
			}
		}
		return first, nil
	}
	f := &sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI("coalesce")}
	list := make([]functions.Argument, len(values))
	allBool := true
	var winner Type // whose collation the result has
	for i, v := range values {
		f.Exprs = append(f.Exprs, sqlparser.NewColName("a"))
		list[i] = argument(v)
		if k := v.Kind(); k >= Address {
			list[i].Type.Kind = Text
		}
		if list[i].Type.Kind == Text {
			if t := list[i].Type; winner.Kind != Text || t.Coercibility < winner.Coercibility || t.Coercibility == winner.Coercibility && bytewise(t) {
				winner = t
			}
			list[i].Type.Collation, list[i].Type.Coercibility = functions.Bin, 2
		}
		allBool = allBool && (v.Kind() == Bool || v.Kind() == Null)
	}
	p, err := functions.Prepare(f, list, c.fn)
	if err != nil {
		return Type{}, err
	}
	t := p.Type
	t.Nullable = slices.ContainsFunc(values, func(v Expr) bool { return TypeOf(v).Nullable || v.Kind() == Null })
	if allBool {
		t.Kind = Integer
	}
	if t.Kind == Text && winner.Kind == Text {
		t.Collation, t.Coercibility = winner.Collation, winner.Coercibility
	}
	return t, nil
}

// cast binds CAST.
func (c *compiler) cast(e sqlparser.Expr, arg sqlparser.Expr, t *sqlparser.ConvertType) (Expr, error) {
	x, err := c.expr(arg)
	if err != nil {
		return nil, err
	}
	p, folded, err := c.prepared(e, []Expr{x})
	if err != nil {
		return nil, err
	}
	k, to := x.Kind(), p.Type
	switch {
	case (k == Null || folded != nil && folded.Kind() == Null) && to.Kind != JSON: // no value, but a type
		return &Cast{Arg: null(), T: to}, nil
	case folded != nil:
		return folded, nil
	case to.Kind == Text && t.Length == nil && t.Charset.Name == "" && !t.Charset.Binary && k != Bytes:
		y, err := c.text(x)
		if err != nil {
			return nil, err
		}
		if k == Text && bytewise(TypeOf(y)) { // what is made of it is compared as any text of the session's
			return typed("collate", to, y), nil
		}
		return y, nil
	case to.Kind == Integer && (k == Integer || k == Bool):
		return toNumber(x), nil
	case to.Kind == Double && k.Numeric():
		return &Cast{Arg: toNumber(x), T: to}, nil
	case to.Kind == Decimal && (k == Integer || k == Decimal && scaleOf(x) <= to.Scale) && to.Precision <= 38 && to.Scale <= maxScale && to.Precision-to.Scale >= 19:
		return &Cast{Arg: x, T: to}, nil
	case to.Kind == Integer && k == Decimal && scaleOf(x) <= maxScale && TypeOf(x).Precision-scaleOf(x) <= 18:
		return &Cast{Arg: x, T: to}, nil
	case to.Kind == Date && (k == Time || k == Date):
		return &Cast{Arg: x, T: to}, nil
	case to.Kind == Time && k == Date, to.Kind == Time && k == Time && to.Scale >= TypeOf(x).Scale:
		if k == Time {
			return typed("retime", to, x), nil
		}
		return &Cast{Arg: x, T: to}, nil
	case to.Kind == Unsigned && k == Unsigned:
		return x, nil
	}
	return c.called(e, []Expr{x}, p), nil
}
