package pushdown

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/functions"
)

// Long operands are named. DuckDB's spelling of a function often has an operand
// in it several times: of a function of a function of … the text would grow by
// a power. From a length on the operands are computed once, as the fields of
// what the text is a lambda of.

// longText is from what length on operands are named. A statement written by
// hand stays below it: the lambda costs 50 ns a row.
const longText = 8 << 10

// firstNamed is the id of the first operand that is named: such a column is a
// field of q, the variable of the lambda.
const firstNamed ColumnID = 1 << 30

// brief gives the text of an expression a shorter form, if its operands stand
// in it more than once.
func (r *renderer) brief(e Expr, k Kind, lanes []string) []string {
	length := 0
	for _, l := range lanes {
		length += len(l)
	}
	if length <= longText {
		return lanes
	}
	switch e.(type) {
	case *Call, *Func, *Case, *Cast:
	default:
		return lanes
	}
	var fields []string
	names := map[Expr]Expr{}
	operands := 0
	for _, o := range e.operands() {
		if _, ok := names[o]; ok || isLiteral(o) {
			continue
		}
		col := Column{Type: TypeOf(o)}
		if c, ok := o.(*Col); ok {
			col = c.Column
		} else if inexact(o) {
			_, col.Digits = r.digits(o)
		}
		col.ID = firstNamed + ColumnID(len(names))
		names[o] = &Col{col}
		for i, text := range r.lanes(o, o.Kind()) {
			if i < len(columnLanes(col)) {
				fields = append(fields, functions.Quote(strings.TrimPrefix(columnLanes(col)[i], "q."))+": "+text)
				operands += len(text)
			}
		}
	}
	if len(fields) == 0 || length < operands+operands/4+longText/4 {
		return lanes // long, but not by repetition
	}
	out := r.render(mapOperands(e, func(o Expr) Expr {
		if n, ok := names[o]; ok {
			return n
		}
		return o
	}), k)
	for i := range out {
		out[i] = "list_transform([{" + strings.Join(fields, ", ") + "}], lambda q: " + out[i] + ")[1]"
	}
	return out
}

// fieldName is how a named operand is written.
func fieldName(id ColumnID) string { return "q.c" + strconv.Itoa(int(id-firstNamed)) }

// rendered is what an expression was written as: operands that are shared are
// written once, as often as they may stand in the text.
type rendered struct {
	expr Expr
	kind Kind
	over string
}

// lanes renders an expression as the columns that represent its kind: two for
// addresses (high and low half) and community ids (cid and text), else one.
func (r *renderer) lanes(e Expr, k Kind) []string {
	// A stack that overflows takes the server with it: nothing recovers that.
	if r.depth++; r.depth > maxDepth {
		r.fail("an expression is too deep")
	}
	defer func() { r.depth-- }()
	if r.err != nil {
		return []string{"NULL", "NULL"}
	}
	key := rendered{e, k, r.over}
	if known, ok := r.known[key]; ok {
		return slices.Clone(known)
	}
	out := r.brief(e, k, r.render(e, k))
	if c, ok := e.(*Call); ok && (c.Op == "and" || c.Op == "or") {
		return out // long, and in no text twice
	}
	if r.known == nil {
		r.known = map[rendered][]string{}
	}
	r.known[key] = slices.Clone(out)
	for _, text := range out {
		r.kept += len(text)
	}
	if r.kept > maxKept {
		r.fail("the expressions of a statement become longer than %d bytes", maxKept)
	}
	return out
}

// maxKept bounds the bytes of all that was written.
const maxKept = 64 << 20
