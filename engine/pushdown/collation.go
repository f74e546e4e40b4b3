package pushdown

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Collations: which one a comparison has, and what a text is compared by.

// oneCollation gives texts that are compared together the collation that wins
// among all of them.
func (c *compiler) oneCollation(args []Expr) {
	var winner Type
	for _, a := range args {
		t := TypeOf(a)
		if t.Kind != Text {
			return
		}
		if winner.Kind != Text || t.Coercibility < winner.Coercibility || t.Coercibility == winner.Coercibility && bytewise(t) {
			winner = t
		}
	}
	for i, a := range args {
		t := TypeOf(a)
		if orBin(t) == orBin(winner) {
			continue
		}
		t.Collation, t.Coercibility = orBin(winner), winner.Coercibility
		switch l, constant := a.(*Literal); {
		case !constant:
			args[i] = typed("collate", t, a)
		case t.Collation == functions.Bin: // two constants are compared as a column beside them is
			args[i] = &Literal{T: t, Value: l.Value}
		}
	}
}

// collated prepares two texts for a comparison under the collation that MySQL
// chooses. pattern tells that the second is a pattern, of no column's spelling.
func (c *compiler) collated(a, b Expr, pattern bool) (Expr, Expr, bool, error) {
	ta, tb := TypeOf(a), TypeOf(b)
	winner := ta
	if tb.Coercibility < ta.Coercibility || tb.Coercibility == ta.Coercibility && bytewise(tb) {
		winner = tb
	}
	if ta.Coercibility == 0 && tb.Coercibility == 0 && ta.Collation != 0 && tb.Collation != 0 && orBin(ta) != orBin(tb) {
		return nil, nil, false, mistake(1267, "Illegal mix of collations for operation '='")
	}
	coll := orBin(winner)
	if coll == functions.Bin || coll == functions.PaddedBin && pattern {
		return a, b, true, nil
	}
	if !pattern && coll == functions.NoCase && oneSpelling(a, b) {
		return a, b, true, nil
	}
	fa, fb := foldOf(a), foldOf(b)
	// Letters past ASCII are equal to several (ß to ss), which is for the
	// weights to say.
	if coll == functions.Default && (winner.Coercibility == 0 || !pattern && (pastASCII(a) || pastASCII(b))) {
		return c.folded(a, coll, "weight"), c.folded(b, coll, "weight"), true, nil
	}
	how := fa
	if isLiteral(a) {
		how = fb
	}
	if how == "" || !isLiteral(a) && !isLiteral(b) && fa != fb {
		how = "lower"
	}
	return c.folded(a, coll, how), c.folded(b, coll, how), true, nil
}

// pastASCII tells whether a literal has letters that are not ASCII.
func pastASCII(e Expr) bool {
	s, ok := textLiteral(e)
	return ok && strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// oneSpelling tells whether two texts are of columns that store one spelling of
// each value: the same column, or one and a constant that was read as its
// value.
func oneSpelling(a, b Expr) bool {
	ma, mb := meaning(a), meaning(b)
	if l, ok := b.(*Literal); ok && l.T.Collation != functions.NoCase {
		return false // it is no value of the column
	}
	spelled := func(m *tables.Column) bool {
		return m != nil && m.Kind == tables.Text && (m.Values != nil || m.Fold != "")
	}
	switch {
	case isLiteral(b):
		return spelled(ma)
	case isLiteral(a):
		return spelled(mb)
	}
	return spelled(ma) && spelled(mb) && ma.Name == mb.Name
}

// bytewise tells whether a text's bytes are compared, with or without spaces at
// its end.
func bytewise(t Type) bool { return t.Collation == 0 || functions.ComparesBytes(t.Collation) }

// orBin is the collation of a text; all that compare bytes are one, but the one
// to which spaces at the end are nothing.
func orBin(t Type) collationID {
	if bytewise(t) && t.Collation != functions.PaddedBin {
		return functions.Bin
	}
	return t.Collation
}

// padded makes constants that are compared what a collation that pads takes
// them for.
func padded(a, b Expr) (Expr, Expr) {
	x, xok := textLiteral(a)
	y, yok := textLiteral(b)
	if !xok || !yok {
		return a, b
	}
	ta, tb := TypeOf(a), TypeOf(b)
	winner := ta
	if tb.Coercibility < ta.Coercibility || tb.Coercibility == ta.Coercibility && bytewise(tb) {
		winner = tb
	}
	return &Literal{T: ta, Value: functions.Padded(x, winner.Collation)}, &Literal{T: tb, Value: functions.Padded(y, winner.Collation)}
}

// foldOf says which case an expression's text is known to be in.
func foldOf(e Expr) string {
	m := meaning(e)
	switch {
	case m == nil:
		if isLower(e) && !isLiteral(e) {
			return "lower"
		}
		return ""
	case m.Kind == tables.HostName:
		return "lower"
	}
	return m.Fold
}

// isLower tells whether a value's text is known to have no upper case.
func isLower(e Expr) bool {
	switch e.Kind() {
	case Integer, Unsigned, Decimal, Bool, Date, Time, Clock, Null, Address, MAC:
		return true // a date's and a time's text have none
	case Text:
	default:
		return false
	}
	if m := meaning(e); m != nil {
		return foldOf(e) == "lower"
	}
	all := func(args []Expr) bool { return !slices.ContainsFunc(args, func(a Expr) bool { return !isLower(a) }) }
	switch e := e.(type) {
	case *Literal:
		s, ok := textLiteral(e)
		return ok && s == strings.ToLower(s)
	case *Cast:
		return isLower(e.Arg)
	case *Call:
		switch e.Op {
		case "lower":
			return true
		case "concat", "coalesce":
			return all(e.Args)
		}
	case *Case:
		return (e.Else == nil || isLower(e.Else)) && !slices.ContainsFunc(e.Whens, func(w When) bool { return !isLower(w.Then) })
	case *Func:
		switch n := e.Node.(type) {
		case *sqlparser.SubstrExpr:
			return isLower(e.Args[0])
		case *sqlparser.FuncExpr:
			switch n.Name.Lowered() {
			case "lower", "lcase":
				return true
			case "concat", "concat_ws":
				return all(e.Args)
			case "left", "right":
				return isLower(e.Args[0])
			}
		}
	}
	return false
}

// key is what a value is grouped, ordered and told apart by: itself but for
// text whose collation is blind to case.
func (c *compiler) key(e Expr) Expr {
	if e.Kind() != Text {
		return e
	}
	t := TypeOf(e)
	coll := orBin(t)
	if coll == functions.Bin || isLiteral(e) || patterned(e) || ordered(choices(e), coll) {
		return e
	}
	if fold := foldOf(e); fold != "" && coll == functions.NoCase {
		return e
	}
	if m := meaning(e); m != nil && m.NoCase {
		return e // one spelling of each value is stored
	}
	if t.Coercibility == 0 && coll == functions.Default {
		return c.folded(e, coll, "weight")
	}
	return c.folded(e, coll, "lower")
}

// patterned tells of a text that it is made of no text of rows, and of one
// pattern: its letters are in the same places in the same case, so that bytes
// tell what a collation tells.
func patterned(e Expr) bool {
	switch e := e.(type) {
	case *Cast:
		return e.Arg.Kind() != Text && e.Arg.Kind() != Bytes && e.Arg.Kind() != JSON
	case *Call:
		return e.Op == "concat" && onePattern(e.Args)
	case *Func:
		n, ok := e.Node.(*sqlparser.FuncExpr)
		if !ok {
			return false
		}
		switch n.Name.Lowered() {
		case "concat", "concat_ws", "date_format", "time_format", "from_unixtime", "lpad", "rpad":
			return onePattern(e.Args)
		case "hex", "bin", "oct", "conv", "md5", "sha1", "sha", "sha2", "inet_ntoa", "inet6_ntoa", "dayname", "monthname", "format":
			return true
		}
	}
	return false
}

func onePattern(args []Expr) bool {
	return !slices.ContainsFunc(args, func(a Expr) bool {
		return !isLiteral(a) && (a.Kind() == Text || a.Kind() == Bytes || a.Kind() == JSON) && !patterned(a)
	})
}

// choices are the texts that a CASE of constants can be; nil for others.
func choices(e Expr) []string {
	n, ok := e.(*Case)
	if !ok {
		return nil
	}
	var out []string
	for _, w := range append(n.Whens[:len(n.Whens):len(n.Whens)], When{Then: n.Else}) {
		if w.Then == nil || w.Then.Kind() == Null {
			continue
		}
		if s, ok := textLiteral(w.Then); ok {
			out = append(out, s)
			continue
		}
		more := choices(w.Then)
		if more == nil {
			return nil
		}
		out = append(out, more...)
	}
	return out
}

// ordered tells of texts that a collation tells them apart and orders them as
// their bytes do.
func ordered(texts []string, coll collationID) bool {
	texts = slices.Clone(texts)
	slices.Sort(texts)
	texts = slices.Compact(texts)
	for i := range texts {
		if i > 0 && bytes.Compare(functions.Weight(texts[i-1], coll), functions.Weight(texts[i], coll)) >= 0 {
			return false
		}
	}
	return len(texts) > 0
}

// collate binds COLLATE.
func (c *compiler) collate(e *sqlparser.CollateExpr) (Expr, error) {
	x, err := c.expr(e.Expr)
	if err != nil {
		return nil, err
	}
	id, ok := functions.CollationNamed(e.Collation)
	if !ok {
		return nil, mistake(1273, "Unknown collation: '%s'", e.Collation)
	}
	set := "binary"
	if x.Kind() != Bytes {
		if x, err = c.text(x); err != nil {
			return nil, err
		}
		set = functions.CharsetOf(orBin(TypeOf(x)))
	}
	if col, ok := x.(*Col); ok && col.Column.Schema == "information_schema" && functions.CharsetOf(id) == "utf8mb3" {
		// Its texts are utf8mb3 in MySQL.
		_, rest, _ := strings.Cut(e.Collation, "_")
		if wide, ok := functions.CollationNamed("utf8mb4_" + rest); ok {
			id = wide
		}
	}
	if functions.CharsetOf(id) != set {
		return nil, mistake(1253, "COLLATION '%s' is not valid for CHARACTER SET '%s'", e.Collation, set)
	}
	t := TypeOf(x)
	t.Collation, t.Coercibility = id, 0
	if l, ok := x.(*Literal); ok {
		return &Literal{T: t, Value: l.Value}, nil
	}
	return typed("collate", t, x), nil
}
