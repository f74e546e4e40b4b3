package pushdown

import (
	"strconv"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Conditions on values that are in a list: FIND_IN_SET of a constant is what a
// parameter of a hunt is compared with, and as IN it reaches the row files.

// listed is FIND_IN_SET(x, 'a,b') as a condition: x IN ('a', 'b'), as that function
// compares texts: other than IN it reads no value in another spelling.
func (c *compiler) listed(e Expr) (Expr, bool) {
	f, ok := e.(*Func)
	if !ok || len(f.Args) != 2 || isLiteral(f.Args[0]) || volatile(f.Args[0]) {
		return nil, false
	}
	node, ok := f.Node.(*sqlparser.FuncExpr)
	if !ok || !node.Name.EqualString("find_in_set") {
		return nil, false
	}
	x, texts := f.Args[0], TypeOf(f.Args[1])
	list, ok := textLiteral(f.Args[1])
	if ok && list == "" && !TypeOf(x).Nullable { // nothing is in it, nor is ''
		return lit(Bool, false), true
	}
	if !ok || list == "" || strings.Count(list, ",") >= maxEqualities || functions.Pads(texts.Collation) {
		return nil, false
	}
	var any []Expr
	for _, s := range strings.Split(list, ",") {
		switch x.Kind() {
		case Address:
			if texts.Coercibility == 0 {
				return nil, false // COLLATE says how it is meant
			}
			if a, err := tables.ParseAddr(s); err == nil && a.String() == s {
				any = append(any, call("=", Bool, x, lit(Address, a)))
			}
		case Integer: // as the text of a number, which has one spelling
			if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
				any = append(any, call("=", Bool, x, lit(Integer, n)))
			}
		case Text:
			if functions.Pads(TypeOf(x).Collation) || TypeOf(x).Kind != Text {
				return nil, false
			}
			a, b, ok, err := c.collated(x, &Literal{T: texts, Value: s}, false)
			if err != nil || !ok {
				return nil, false
			}
			any = append(any, call("=", Bool, a, b))
		default:
			return nil, false
		}
	}
	if len(any) == 0 {
		return nil, false
	}
	args := []Expr{any[0].(*Call).Args[0]}
	for _, e := range any {
		x := e.(*Call)
		if !isLiteral(x.Args[1]) || fingerprint(x.Args[0]) != fingerprint(args[0]) {
			return nil, false
		}
		args = append(args, x.Args[1])
	}
	if len(args) == 2 {
		return any[0], true
	}
	return call("in", Bool, args...), true
}
