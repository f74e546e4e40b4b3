package pushdown

import (
	"strings"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// maxScale bounds the digits behind the point of a decimal while it is
// computed: DuckDB has 38 digits in all, and 18 of them before the point hold
// every sum of bytes.
const maxScale = 20

// columnType is the type of a relation's column.
func columnType(c *tables.Column) Type {
	t := Type{Nullable: !c.NotNull}
	switch c.Kind {
	case tables.Timestamp:
		t.Kind, t.Scale = Time, 6
	case tables.Double:
		t.Kind = Double
	case tables.Int:
		t.Kind, t.Bits = Integer, 32
	case tables.BigInt:
		t.Kind, t.Bits = Integer, 64
	case tables.Bool:
		t.Kind, t.Bits = Bool, 8
	case tables.Address:
		t.Kind, t.Length = Address, 45
	case tables.Identifier:
		t.Kind, t.Length = ID, tables.IDLength
	case tables.CommunityID:
		t.Kind, t.Length = Community, 30
	case tables.MAC:
		t.Kind, t.Length = MAC, 17
	case tables.Bytes:
		t.Kind = Bytes
	default:
		t.Kind, t.Length, t.Collation, t.Coercibility = Text, c.Size, functions.Bin, 2
		if t.Length == 0 {
			t.Length = 255
		}
		if noCase(c) {
			t.Collation = functions.NoCase
		}
	}
	if t.Kind >= Address {
		t.Collation, t.Coercibility = functions.Bin, 2
	}
	return t
}

// TypeOf is MySQL's type of an expression.
func TypeOf(e Expr) Type {
	switch e := e.(type) {
	case nil:
		return Type{Nullable: true}
	case *Col:
		return e.Column.Type
	case *Literal:
		return completed(e.T, e)
	case *Func:
		return e.T
	case *Call:
		return completed(e.T, e)
	case *Case:
		return completed(e.T, e)
	case *Cast:
		return completed(e.T, e)
	case *Aggregate:
		return completed(e.T, e)
	case *Over:
		t := TypeOf(e.Call)
		t.Nullable = true
		return t
	case *Subquery:
		t := e.T
		if e.Op == "scalar" {
			t = e.Rel.Columns()[0].Type
		}
		t.Nullable = e.Op != "exists"
		return t
	}
	return Type{Kind: e.Kind()}
}

// completed adds what follows from how the value is computed.
func completed(t Type, e Expr) Type {
	if t.Kind == Decimal && t.Precision == 0 {
		t.Scale = scaleOf(e)
		t.Precision = max(38, t.Scale+1)
	}
	return t
}

// scaleOf is the number of digits behind the point of a decimal expression, by
// MySQL's rules; 0 for other kinds.
func scaleOf(e Expr) int {
	if e == nil || e.Kind() != Decimal {
		return 0
	}
	widest := func(args []Expr) int {
		s := 0
		for _, a := range args {
			s = max(s, scaleOf(a))
		}
		return s
	}
	switch e := e.(type) {
	case *Literal:
		if e.T.Precision > 0 {
			return e.T.Scale
		}
		if _, frac, ok := strings.Cut(e.Value.(string), "."); ok {
			return len(frac)
		}
		return 0
	case *Col:
		return e.Column.Scale
	case *Cast:
		return e.T.Scale
	case *Func:
		return e.T.Scale
	case *Over:
		return scaleOf(e.Call)
	case *Aggregate:
		if e.Name == "avg" {
			return e.T.Scale
		}
		return widest(e.Args)
	case *Subquery:
		return e.Rel.Columns()[0].Scale
	case *Case:
		s := scaleOf(e.Else)
		for _, w := range e.Whens {
			s = max(s, scaleOf(w.Then))
		}
		return s
	case *Call:
		if e.T.Precision > 0 {
			return e.T.Scale
		}
		switch e.Op {
		case "*":
			return min(scaleOf(e.Args[0])+scaleOf(e.Args[1]), 30)
		case "unix_timestamp":
			return 6
		case "round":
			if len(e.Args) == 2 {
				if n, ok := intLiteral(e.Args[1]); ok {
					return int(max(0, min(n, int64(scaleOf(e.Args[0])))))
				}
			}
			return 0
		}
		return widest(e.Args)
	}
	return 0
}

// divScale is div_precision_increment.
func (c *compiler) divScale() int {
	switch n := c.fn.DivPrecision; {
	case n == 0:
		return 4
	default:
		return max(n, 0)
	}
}

func intLiteral(e Expr) (int64, bool) {
	l, ok := e.(*Literal)
	if !ok || l.T.Kind != Integer {
		return 0, false
	}
	return l.Value.(int64), true
}

func textLiteral(e Expr) (string, bool) {
	l, ok := e.(*Literal)
	if !ok || l.T.Kind != Text {
		return "", false
	}
	return l.Value.(string), true
}

func isLiteral(e Expr) bool {
	_, ok := e.(*Literal)
	return ok
}

// noCase tells whether a column compares without regard to case.
func noCase(c *tables.Column) bool { return c.Kind == tables.HostName || c.NoCase }
