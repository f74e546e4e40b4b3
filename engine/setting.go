package engine

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// What SET gives a system variable, judged as MySQL does (manual 15.7.6.1) before
// go-mysql-server sees it: of which kind a value must be, and what becomes of a
// number that is too large or too small.

// given is a value for a variable.
type given struct {
	kind givenKind
	text string
	null bool
}

type givenKind int

const (
	givenText givenKind = iota
	givenWhole
	givenDecimal
	givenFloat
)

// constant reads a value that need not be computed. A name is a text: SET x = ON.
func constant(x sqlparser.Expr) (given, bool) {
	switch x := x.(type) {
	case *sqlparser.NullVal:
		return given{null: true}, true
	case sqlparser.BoolVal:
		if x {
			return given{kind: givenWhole, text: "1"}, true
		}
		return given{kind: givenWhole, text: "0"}, true
	case *sqlparser.ColName:
		return given{text: x.Name.String()}, x.Qualifier.IsEmpty()
	case *sqlparser.UnaryExpr:
		v, ok := constant(x.Expr)
		if x.Operator != sqlparser.UMinusOp || !ok || v.null || v.kind == givenText || strings.HasPrefix(v.text, "-") {
			return given{}, false
		}
		v.text = "-" + v.text
		return v, true
	case *sqlparser.Literal:
		switch x.Type {
		case sqlparser.StrVal:
			return given{text: x.Val}, true
		case sqlparser.IntVal:
			if _, err := strconv.ParseUint(x.Val, 10, 64); err != nil {
				return given{kind: givenDecimal, text: x.Val}, true
			}
			return given{kind: givenWhole, text: x.Val}, true
		case sqlparser.DecimalVal:
			return given{kind: givenDecimal, text: x.Val}, true
		case sqlparser.FloatVal:
			return given{kind: givenFloat, text: x.Val}, true
		}
	}
	return given{}, false
}

// computed is a value of a type.
func computed(ctx *sql.Context, t sql.Type, v any) (given, error) {
	if v == nil {
		return given{null: true}, nil
	}
	cell, err := t.SQL(ctx, nil, v)
	if err != nil {
		return given{}, err
	}
	out := given{text: cell.ToString()}
	switch {
	case types.IsInteger(t):
		out.kind = givenWhole
	case types.IsDecimal(t):
		out.kind = givenDecimal
	case types.IsFloat(t):
		out.kind = givenFloat
	}
	return out, nil
}

// literal is the value as a constant.
func (g given) literal() sqlparser.Expr {
	switch {
	case g.null:
		return &sqlparser.NullVal{}
	case g.kind == givenWhole:
		return sqlparser.NewIntLiteral(g.text)
	case g.kind == givenDecimal:
		return sqlparser.NewDecimalLiteral(g.text)
	case g.kind == givenFloat:
		return sqlparser.NewFloatLiteral(g.text)
	}
	return sqlparser.NewStrLiteral(g.text)
}

// settled is the value that a variable gets when it is given one, with a warning
// if it is another.
func settled(ctx *sql.Context, name string, g given) (out given, warning *sql.Warning, err error) {
	if name == "names" || name == "charset" {
		if g.text == "" || strings.EqualFold(g.text, "default") {
			return g, nil, nil
		}
		g.text, err = charsetOf("character_set_client", g.text)
		return g, nil, err
	}
	known, _, ok := sql.SystemVariables.GetGlobal(name)
	if !ok {
		return g, nil, functions.Errorf(1193, "Unknown system variable '%s'", name)
	}
	if v, ok := known.(*sql.MysqlSystemVariable); ok && !v.Dynamic {
		return g, nil, nil // what can't be set is go-mysql-server's to say
	}
	t, ok := known.GetType().(sql.SystemVariableType)
	if !ok {
		return g, nil, nil
	}
	charset, collation := strings.HasPrefix(name, "character_set_"), strings.HasPrefix(name, "collation_")
	if g.kind == givenWhole && (charset || collation) {
		if n, err := strconv.ParseUint(g.text, 10, 16); err == nil { // the number of a collation
			id := collations.ID(n)
			if g.text = functions.CollationName(id); charset && g.text != "" {
				g.text = functions.CharsetOf(id)
			}
			g.text = cmp.Or(g.text, strconv.FormatUint(n, 10))
		}
		g.kind = givenText
	}
	switch {
	case name == "lc_time_names" && g.kind == givenWhole:
		g = numberedLocale(g)
	case name == "updatable_views_with_limit" && strings.EqualFold(g.text, "yes"):
		g.text = "ON"
	case name == "updatable_views_with_limit" && strings.EqualFold(g.text, "no"):
		g.text = "OFF"
	}
	u := t.UnderlyingType()
	// What is kept in a number or a text may have words.
	_, mode := t.(modeType)
	words := mode || types.IsBoolean(u) || types.IsEnum(u) || types.IsSet(u)
	fits := g.kind == givenText
	switch {
	case words:
		fits = fits || g.kind == givenWhole
	case types.IsInteger(u):
		fits = g.kind == givenWhole && !g.null
	case types.IsFloat(u):
		fits = g.kind != givenText && !g.null
	}
	switch {
	case !fits:
		return g, nil, functions.Errorf(1232, "Incorrect argument type to variable '%s'", name)
	case g.null && (words || name == "optimizer_switch" || charset && name != "character_set_results" || collation || name == "lc_time_names"):
		return g, nil, wrongValue(name, "NULL", "")
	case g.null:
	case charset:
		g.text, err = charsetOf(name, g.text)
		return g, nil, err
	case name == "optimizer_switch":
		now, _ := variable(ctx, name).(string)
		g.text, err = switched(now, g.text)
		return g, nil, err
	case collation:
		if _, ok := functions.CollationNamed(strings.ToLower(g.text)); !ok {
			return g, nil, functions.Errorf(1273, "Unknown collation: '%s'", g.text)
		}
	case words:
		v := any(g.text)
		if n, err := strconv.ParseInt(g.text, 10, 64); err == nil && g.kind == givenWhole {
			v = n
		}
		if _, _, err := t.Convert(ctx, v); sql.ErrInvalidSystemVariableValue.Is(err) || sql.ErrInvalidSetValue.Is(err) {
			if strings.HasSuffix(name, "storage_engine") && !g.null {
				return g, nil, functions.Errorf(1286, "Unknown storage engine '%s'", g.text)
			}
			return g, nil, wrongValue(name, g.text, "")
		}
	case types.IsInteger(u):
		return within64(ctx, name, known.GetDefault(), t, g)
	}
	return g, nil, nil
}

// within64 is the number nearest to g that a variable takes, with a warning if it
// is another.
func within64(ctx *sql.Context, name string, otherwise any, t sql.SystemVariableType, g given) (out given, warning *sql.Warning, err error) {
	if otherwise, _, err = t.Convert(ctx, otherwise); err != nil {
		return g, nil, err
	}
	takes := func(v any) bool { _, _, err := t.Convert(ctx, v); return err == nil }
	out = g
	// A number that is out of range is parsed as the end of it.
	if d, ok := otherwise.(uint64); ok {
		n, _ := strconv.ParseUint(strings.TrimPrefix(g.text, "-"), 10, 64)
		if strings.HasPrefix(g.text, "-") {
			n = 0
		}
		out.text = strconv.FormatUint(nearest(n, d, func(n uint64) bool { return takes(n) }), 10)
	} else {
		d, _ := otherwise.(int64)
		n, _ := strconv.ParseInt(g.text, 10, 64)
		out.text = strconv.FormatInt(nearest(n, d, func(n int64) bool { return takes(n) }), 10)
	}
	if out.text == g.text {
		return out, nil, nil
	}
	if mode, _ := variable(ctx, "sql_mode").(string); strings.Contains(mode, "STRICT_ALL_TABLES") {
		return g, nil, wrongValue(name, g.text, "")
	}
	return out, &sql.Warning{Level: "Warning", Code: 1292, Message: fmt.Sprintf("Truncated incorrect %s value: '%s'", name, g.text)}, nil
}

// nearest is n, or what lies nearest to it on the way to good that is taken.
func nearest[N int64 | uint64](n, good N, takes func(N) bool) N {
	if takes(n) {
		return n
	}
	for bad := n; ; {
		mid := good/2 + bad/2 + (good%2+bad%2)/2
		switch {
		case mid == good || mid == bad:
			return good
		case takes(mid):
			good = mid
		default:
			bad = mid
		}
	}
}

// numberedLocale is the locale of a number in MySQL's list (sql_locale.cc), of which
// the first are English.
func numberedLocale(g given) given {
	g.kind = givenText
	switch g.text {
	case "0":
		g.text = "en_US"
	case "1":
		g.text = "en_GB"
	}
	return g
}

// charsetOf is a character set as it is shown, which a variable may have.
func charsetOf(variable, name string) (string, error) {
	lower := strings.ToLower(name)
	switch lower {
	case "ucs2", "utf16", "utf16le", "utf32":
		if variable == "character_set_client" { // manual 12.4
			return name, wrongValue(variable, name, "")
		}
	case "utf8":
		return "utf8mb3", nil
	}
	if _, err := sql.ParseCharacterSet(lower); err != nil || name == "" {
		return name, functions.Errorf(1115, "Unknown character set: '%s'", name)
	}
	return name, nil
}

// switched are the switches of the optimizer after some were given: name=on,off or
// default, each once (manual 10.9.2). Nothing depends on them.
func switched(now, text string) (string, error) {
	const name = "optimizer_switch"
	at := map[string]string{}
	first := textVariables[name]
	for _, one := range strings.Split(first, ",") {
		flag, value, _ := strings.Cut(one, "=")
		at[flag] = value
	}
	given := map[string]string{}
	for _, one := range strings.Split(text, ",") {
		flag, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(one)), "=")
		switch {
		case text == "":
		case flag == "default" && value == "":
			now = first
		case at[flag] == "" || given[flag] != "" || value != "on" && value != "off" && value != "default":
			return text, wrongValue(name, one, "")
		case value == "default":
			given[flag] = at[flag]
		default:
			given[flag] = value
		}
	}
	out := strings.Split(now, ",")
	for i, one := range out {
		if flag, _, _ := strings.Cut(one, "="); given[flag] != "" {
			out[i] = flag + "=" + given[flag]
		}
	}
	return strings.Join(out, ","), nil
}
