package pushdown

import (
	"fmt"
	"regexp/syntax"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/functions"
)

// The functions of MySQL that are translated, each with what it wants, what it
// gives and its DuckDB text.

// builtin is a function of MySQL. %1, %2 … in its text are the arguments.
type builtin struct {
	// args has a letter per argument: t text, n number, i integer, d time
	// or date, b bytes or text, * text repeated, x anything made of one kind
	// repeated. A question mark makes what follows optional.
	args string
	kind Kind
	text string
	// check may look at arguments and change them.
	check func(args []Expr) ([]Expr, error)
}

var builtins = map[string]builtin{
	"lower":            {args: "t", kind: Text, text: "lower(%1)"},
	"upper":            {args: "t", kind: Text, text: "upper(%1)"},
	"length":           {args: "b", kind: Integer},
	"character_length": {args: "t", kind: Integer, text: "length(%1)"},
	"concat":           {args: "*", kind: Text},
	"concat_ws":        {args: "*", kind: Text},
	"substring":        {args: "ti?i", kind: Text, check: positive(1, 2)},
	"left":             {args: "ti", kind: Text, text: "left(%1, %2)", check: positive(-1, 1)},
	"right":            {args: "ti", kind: Text, text: "right(%1, %2)", check: positive(-1, 1)},
	"replace":          {args: "ttt", kind: Text, text: "replace(%1, %2, %3)"},
	"ltrim":            {args: "t", kind: Text, text: "ltrim(%1, ' ')"},
	"rtrim":            {args: "t", kind: Text, text: "rtrim(%1, ' ')"},
	"reverse":          {args: "t", kind: Text, text: "reverse(%1)"},
	"instr":            {args: "tt", kind: Integer, text: "instr(%1, %2)"},
	"hex":              {args: "b", kind: Text, text: "hex(%1)"},
	"substring_index":  {args: "tti", kind: Text, check: substringIndex},
	"regexp_like":      {args: "tt", kind: Bool, text: "regexp_matches(%1, %2)", check: pattern},
	"md5":              {args: "b", kind: Text, text: "md5(%1)"},
	"sha1":             {args: "b", kind: Text, text: "sha1(%1)"},

	"abs":   {args: "n"},
	"ceil":  {args: "n"},
	"floor": {args: "n"},
	"round": {args: "n?i", check: roundDigits},
	"sign":  {args: "n", kind: Integer, text: "CAST(sign(%1) AS BIGINT)"},
	"sqrt":  {args: "n", kind: Double, text: "CASE WHEN %1 >= 0 THEN sqrt(CAST(%1 AS DOUBLE)) END"},
	"ln":    {args: "n", kind: Double, text: "CASE WHEN %1 > 0 THEN ln(CAST(%1 AS DOUBLE)) END"},
	"log2":  {args: "n", kind: Double, text: "CASE WHEN %1 > 0 THEN log2(CAST(%1 AS DOUBLE)) END"},
	"log10": {args: "n", kind: Double, text: "CASE WHEN %1 > 0 THEN log10(CAST(%1 AS DOUBLE)) END"},
	"power": {args: "nn", kind: Double, text: "pow(CAST(%1 AS DOUBLE), CAST(%2 AS DOUBLE))"},
	"mod":   {args: "nn"},

	"if":       {args: "?"},
	"ifnull":   {args: "x"},
	"coalesce": {args: "x"},
	"nullif":   {args: "?"},
	"greatest": {args: "x"},
	"least":    {args: "x"},
	"isnull":   {args: "?"},

	"unix_timestamp": {args: "d", kind: Decimal},
	"from_unixtime":  {args: "n", kind: Time, check: integers},
	"date":           {args: "d", kind: Date, text: "CAST(%1 AS DATE)"},
	"datetime":       {args: "d", kind: Time, text: "CAST(%1 AS TIMESTAMP)"},
	"date_format":    {args: "dt", kind: Text, check: dateFormat},
	"year":           {args: "d", kind: Integer, text: "year(%1)"},
	"quarter":        {args: "d", kind: Integer, text: "quarter(%1)"},
	"month":          {args: "d", kind: Integer, text: "month(%1)"},
	"day":            {args: "d", kind: Integer, text: "day(%1)"},
	"hour":           {args: "d", kind: Integer, text: "hour(CAST(%1 AS TIMESTAMP))"},
	"minute":         {args: "d", kind: Integer, text: "minute(CAST(%1 AS TIMESTAMP))"},
	"second":         {args: "d", kind: Integer, text: "second(CAST(%1 AS TIMESTAMP))"},
	"microsecond":    {args: "d", kind: Integer, text: "(microsecond(CAST(%1 AS TIMESTAMP)) % 1000000)"},
	"dayofweek":      {args: "d", kind: Integer, text: "(dayofweek(%1) + 1)"},
	"weekday":        {args: "d", kind: Integer, text: "(isodow(%1) - 1)"},
	"dayofyear":      {args: "d", kind: Integer, text: "dayofyear(%1)"},
	"dayname":        {args: "d", kind: Text, text: "dayname(%1)"},
	"monthname":      {args: "d", kind: Text, text: "monthname(%1)"},
	"last_day":       {args: "d", kind: Date, text: "last_day(CAST(%1 AS DATE))"},
	"datediff":       {args: "dd", kind: Integer, text: "date_diff('day', CAST(%2 AS DATE), CAST(%1 AS DATE))"},
	"timestampdiff":  {args: "?", kind: Integer},
}

func errNoTime(k Kind) error { return fmt.Errorf("%s is no time", k) }

// function builds a call: of ours by its own translation, of MySQL's by the
// list above.
func (c *compiler) function(e sql.FunctionExpression) (Expr, error) {
	name := strings.ToLower(e.FunctionName())
	if own, ok := e.(*functions.Call); ok {
		return c.ownFunction(own)
	}
	children := e.Children()
	switch name {
	case "date_add", "date_sub":
		if iv, ok := children[1].(*expression.Interval); ok && len(children) == 2 {
			return c.shift(children[0], iv, name == "date_sub")
		}
	case "mod":
		return c.arithmetic("%", children[0], children[1])
	case "extract":
		if unit, ok := children[0].(*expression.Literal); ok {
			name = strings.ToLower(fmt.Sprint(unit.Value()))
			children = children[1:]
			if !set("year quarter month day hour minute second microsecond")[name] {
				return nil, refuse(e, "EXTRACT of %s is not translated", name)
			}
		}
	case "trim":
		// TRIM(BOTH …) of one character is the only form alike.
		if e.String() != "trim(both ' ' from "+children[0].String()+")" {
			return nil, refuse(e, "this form of TRIM is not translated")
		}
		x, err := c.expr(children[0])
		if err != nil {
			return nil, err
		}
		if x, err = asText(x); err != nil {
			return nil, err
		}
		return call("ltrim", Text, call("rtrim", Text, x)), nil
	}
	b, ok := builtins[name]
	if !ok {
		return nil, refuse(e, "the function %s is not translated", name)
	}
	args, err := c.exprs(children)
	if err != nil {
		return nil, err
	}
	switch name {
	case "if", "nullif":
		return conditional(name, args)
	case "isnull":
		return call("is null", Bool, args...), nil
	case "timestampdiff":
		return timestampDiff(e, args)
	}
	kind := b.kind
	if args, err = b.arguments(args); err != nil {
		return nil, err
	}
	switch {
	case b.args == "x":
		if args, kind, err = unifyAll(args); err != nil {
			return nil, err
		}
		if (name == "greatest" || name == "least") && (kind == Address || kind == Community) {
			return nil, refuse(e, "%s has no %s", kind, name)
		}
		if name == "ifnull" {
			name = "coalesce"
		}
	case kind == Null: // the kind of the argument
		kind = args[0].Kind()
		if kind == Decimal && (name == "ceil" || name == "floor") {
			kind = Integer
		}
		if kind == Null {
			return args[0], nil
		}
	}
	return call(name, kind, args...), nil
}

// arguments brings arguments to what the function wants.
func (b builtin) arguments(args []Expr) ([]Expr, error) {
	if b.args == "x" {
		return args, nil
	}
	out := make([]Expr, len(args))
	spec := strings.ReplaceAll(b.args, "?", "")
	required, _, _ := strings.Cut(b.args, "?")
	if b.args != "*" && (len(args) < len(required) || len(args) > len(spec)) {
		return nil, fmt.Errorf("it has %d arguments", len(args))
	}
	for i, a := range args {
		want := byte('t')
		if b.args != "*" {
			want = spec[i]
		}
		var err error
		switch want {
		case 't':
			out[i], err = asText(a)
		case 'b':
			if out[i] = a; a.Kind() != Bytes {
				out[i], err = asText(a)
			}
		case 'n':
			out[i], err = number(a)
		case 'i':
			if out[i], err = number(a); err == nil && out[i].Kind() != Integer && out[i].Kind() != Null {
				err = fmt.Errorf("%s where an integer belongs", a.Kind())
			}
		case 'd':
			out[i], err = timeArg(a)
		}
		if err != nil {
			return nil, err
		}
	}
	if b.check != nil {
		return b.check(out)
	}
	return out, nil
}

// positive wants arguments, counted from 0, to be literals above zero: there
// the two engines count characters differently. First is the least index that
// must be 1 or more, lengths may be 0.
func positive(start, length int) func([]Expr) ([]Expr, error) {
	return func(args []Expr) ([]Expr, error) {
		for i, a := range args {
			n, ok := intLiteral(a)
			if i == start && (!ok || n < 1) || i == length && (!ok || n < 0) || i == 2 && start == 1 && (!ok || n < 0) {
				return nil, fmt.Errorf("a position that is not a literal above zero")
			}
		}
		return args, nil
	}
}

func substringIndex(args []Expr) ([]Expr, error) {
	delim, ok := textLiteral(args[1])
	n, isInt := intLiteral(args[2])
	if !ok || !isInt || delim == "" || n == 0 {
		return nil, fmt.Errorf("a delimiter or count that is no literal")
	}
	return args, nil
}

// pattern lets through what RE2 and MySQL's ICU read alike.
func pattern(args []Expr) ([]Expr, error) {
	p, ok := textLiteral(args[1])
	if !ok {
		return nil, fmt.Errorf("a pattern that is no literal")
	}
	if _, err := syntax.Parse(p, syntax.Perl); err != nil {
		return nil, fmt.Errorf("patterns are RE2, without lookaround and back references: %v", err)
	}
	return args, nil
}

// roundDigits wants the digits as a literal: they are part of the type.
func roundDigits(args []Expr) ([]Expr, error) {
	if len(args) == 2 {
		if _, ok := intLiteral(args[1]); !ok {
			return nil, fmt.Errorf("a number of digits that is no literal")
		}
	}
	return args, nil
}

func integers(args []Expr) ([]Expr, error) {
	if k := args[0].Kind(); k != Integer {
		return nil, fmt.Errorf("%s where an integer belongs", k)
	}
	return args, nil
}

// formats are the letters of DATE_FORMAT in strftime's spelling.
var formats = map[byte]string{
	'Y': "%Y", 'y': "%y", 'm': "%m", 'd': "%d", 'H': "%H", 'i': "%M", 's': "%S", 'S': "%S", 'f': "%f",
	'M': "%B", 'b': "%b", 'W': "%A", 'a': "%a", 'j': "%j", 'p': "%p", 'h': "%I", 'I': "%I",
	'T': "%H:%M:%S", 'r': "%I:%M:%S %p", 'e': "%-d", 'c': "%-m", 'k': "%-H", 'l': "%-I", '%': "%%",
}

// dateFormat rewrites the format.
func dateFormat(args []Expr) ([]Expr, error) {
	f, ok := textLiteral(args[1])
	if !ok {
		return nil, fmt.Errorf("a format that is no literal")
	}
	var b strings.Builder
	for i := 0; i < len(f); i++ {
		if f[i] != '%' || i+1 == len(f) {
			if b.WriteByte(f[i]); f[i] == '%' {
				b.WriteByte('%')
			}
			continue
		}
		i++
		spec, ok := formats[f[i]]
		if !ok {
			return nil, fmt.Errorf("the format %%%c is not translated", f[i])
		}
		b.WriteString(spec)
	}
	return []Expr{args[0], &Literal{Text, b.String()}}, nil
}

// conditional makes CASE of IF and NULLIF.
func conditional(name string, args []Expr) (Expr, error) {
	if name == "nullif" {
		eq, err := comparison("=", args[0], args[1])
		if err != nil {
			return nil, err
		}
		return &Case{Whens: []When{{eq, &Literal{K: Null}}}, Else: args[0], K: args[0].Kind()}, nil
	}
	cond, err := truth(args[0])
	if err != nil {
		return nil, err
	}
	values, kind, err := unifyAll(args[1:])
	if err != nil {
		return nil, err
	}
	return &Case{Whens: []When{{cond, values[0]}}, Else: values[1], K: kind}, nil
}

func timestampDiff(e sql.Expression, args []Expr) (Expr, error) {
	unit, ok := textLiteral(args[0])
	unit = strings.ToUpper(strings.TrimPrefix(strings.ToUpper(unit), "SQL_TSI_"))
	if !ok || !units[unit] {
		return nil, refuse(e, "the unit %s is not translated", unit)
	}
	from, err := timeArg(args[1])
	if err != nil {
		return nil, err
	}
	to, err := timeArg(args[2])
	if err != nil {
		return nil, err
	}
	return call("timestampdiff", Integer, toTime(from), toTime(to), &Literal{Text, unit}), nil
}

// ownFunction builds a call of a function of ours. Whether it has a
// translation for these arguments shows when it is rendered, so it is rendered
// here once.
func (c *compiler) ownFunction(e *functions.Call) (Expr, error) {
	if e.Function.Text == nil {
		return nil, refuse(e, "it runs in go-mysql-server only")
	}
	args, err := c.exprs(e.Args)
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		if t := e.Function.Args[i].Type; t != nil && types.IsDatetimeType(t) && a.Kind() == Text {
			if args[i], err = timeArg(a); err != nil {
				return nil, err
			}
		}
	}
	x := call(e.Function.Name, Null, args...)
	op, err := ownText(x)
	if err != nil {
		return nil, refuse(e, "%v", err)
	}
	x.K = op.Kind
	return x, nil
}

// aggregates are those whose name needs no argument list of its own.
var aggregates = map[string]string{
	"count": "count", "sum": "sum", "avg": "avg", "min": "min", "max": "max", "anyvalue": "any_value", "any_value": "any_value",
	"stddevpop": "stddev_pop", "stddevsamp": "stddev_samp", "varpop": "var_pop", "varsamp": "var_samp",
	"stddev_pop": "stddev_pop", "stddev_samp": "stddev_samp", "var_pop": "var_pop", "var_samp": "var_samp",
	"bitor": "bit_or", "bitxor": "bit_xor", "bit_or": "bit_or", "bit_xor": "bit_xor",
}

// aggregate builds an aggregate function.
func (c *compiler) aggregate(e sql.Aggregation) (Expr, error) {
	if g, ok := e.(*aggregation.GroupConcat); ok {
		return c.groupConcat(g)
	}
	fe, ok := e.(sql.FunctionExpression)
	if !ok {
		return nil, refuse(e, "%T is not translated", e)
	}
	children := e.Children()
	a := &Aggregate{Name: aggregates[strings.ToLower(fe.FunctionName())]}
	if _, ok := e.(*aggregation.CountDistinct); ok {
		a.Name, a.Distinct = "count", true
	}
	if a.Name == "" {
		return nil, refuse(e, "the aggregate %s is not translated", fe.FunctionName())
	}
	for i, ch := range children {
		if d, ok := ch.(*expression.DistinctExpression); ok {
			a.Distinct = true
			children = append([]sql.Expression(nil), children...)
			children[i] = d.Child
		}
	}
	args, err := c.exprs(children)
	if err != nil {
		return nil, err
	}
	if a.Name == "count" && len(args) == 1 && !a.Distinct {
		if lit, ok := args[0].(*Literal); ok && lit.K != Null {
			args = nil // every row
		}
	}
	if a.Args = args; a.Name == "count" {
		a.K = Integer
		return a, nil
	}
	if len(args) != 1 {
		return nil, refuse(e, "it has %d arguments", len(args))
	}
	switch a.Name {
	case "min", "max", "any_value":
		if a.K = args[0].Kind(); a.K == Bool {
			args[0], a.K = toNumber(args[0], Integer), Integer
		}
		if a.K == Community && a.Name != "any_value" {
			t, err := asText(args[0])
			if err != nil {
				return nil, err
			}
			args[0], a.K = t, Text
		}
		return a, nil
	}
	if args[0], err = number(args[0]); err != nil {
		return nil, refuse(e, "%v", err)
	}
	switch k := args[0].Kind(); {
	case k == Null:
		return &Literal{K: Null}, nil
	case a.Name == "bit_or" || a.Name == "bit_xor":
		if a.K = Integer; k != Integer {
			return nil, refuse(e, "%s has no bits", k)
		}
	case a.Name == "sum" || a.Name == "avg":
		if a.K = Decimal; k == Double {
			a.K = Double
		}
		if scaleOf(a) > maxScale {
			return nil, refuse(e, "the result has %d digits behind the point", scaleOf(a))
		}
	default:
		a.K = Double
	}
	return a, nil
}
