package pushdown

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Expressions as DuckDB text. Every text is safe inside any other: it is a
// name, a literal, a call, or it has parentheses.

// value renders an expression that takes one column of text.
func (r *renderer) value(e Expr) string { return r.lanes(e, e.Kind())[0] }

// render writes an expression that was not written yet.
func (r *renderer) render(e Expr, k Kind) []string {
	two := k == Address || k == Community
	switch e := e.(type) {
	case *Col:
		return columnLanes(e.Column)
	case *Literal:
		return r.literalLanes(e, k)
	case *Case:
		if two {
			return []string{r.caseText(e, 0), r.caseText(e, 1)}
		}
		return []string{r.caseText(e, 0)}
	case *Cast:
		if e.T.Kind >= Address && isNull(e) {
			out := []string{"CAST(NULL AS " + duckType(e.T) + ")", "CAST(NULL AS UBIGINT)"}
			if k == Community {
				out[1] = "CAST(NULL AS VARCHAR)"
			}
			return out[:len(columnLanes(Column{Type: e.T}))]
		}
		return []string{r.castText(e)}
	case *Aggregate:
		if two {
			return r.pairAggregate(e)
		}
		return []string{r.aggregateText(e)}
	case *Over:
		return r.overLanes(e)
	case *Func:
		return r.function(e)
	case *Subquery:
		return r.subquery(e)
	case *Call:
		if two {
			return r.pairCall(e)
		}
		return []string{r.callText(e)}
	}
	r.fail("%T is not rendered", e)
	return []string{"NULL", "NULL"}
}

// columnLanes are the names of a column in the text.
func columnLanes(c Column) []string {
	name := "c" + strconv.Itoa(int(c.ID))
	if c.ID >= firstNamed {
		name = fieldName(c.ID)
	}
	switch c.Kind {
	case Address:
		return []string{name + "h", name + "l"}
	case Community:
		return []string{name, name + "t"}
	}
	return []string{name}
}

func unsignedText(v uint64) string { return strconv.FormatUint(v, 10) + "::UBIGINT" }

// literalLanes writes a constant; k is the kind a NULL stands for.
func (r *renderer) literalLanes(l *Literal, k Kind) []string {
	switch l.T.Kind {
	case Null:
		return []string{"NULL", "NULL"}
	case Address:
		a := l.Value.(tables.Addr)
		return []string{unsignedText(a.Hi), unsignedText(a.Lo)}
	case Community:
		cid, _ := tables.ParseCommunityID(l.Value.(string))
		return []string{unsignedText(cid), functions.Quote(l.Value.(string))}
	}
	if _, ok := l.Value.(keyList); ok {
		return []string{r.bind.Keys()}
	}
	return []string{literalText(l)}
}

func literalText(l *Literal) string {
	switch v := l.Value.(type) {
	case uint64:
		return unsignedText(v)
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if v < 0 {
			return "(" + strconv.FormatInt(v, 10) + ")"
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return "CAST(" + functions.Quote(strconv.FormatFloat(v, 'g', -1, 64)) + " AS DOUBLE)"
	case time.Time:
		if l.T.Kind == Date {
			return "DATE '" + v.Format("2006-01-02") + "'"
		}
		return quoteTime(tables.Time(v.UnixMicro()))
	case []byte:
		return fmt.Sprintf("unhex('%x')", v)
	case tables.ID:
		return unsignedText(uint64(v))
	case string:
		if l.T.Kind == Decimal {
			// All its digits, of which a quotient has more than it shows.
			whole, fraction, _ := strings.Cut(v, ".")
			digits := max(len(fraction), l.T.Scale) // a zero has fewer than it shows
			if len(whole)+digits > 38 {
				return "CAST(" + functions.Quote(v) + " AS DOUBLE)"
			}
			return fmt.Sprintf("CAST(%s AS DECIMAL(38,%d))", functions.Quote(v), digits)
		}
		return literalString(v)
	}
	return "NULL"
}

// literalString writes a text; one with a NUL in parts, since DuckDB's parser
// ends there.
func literalString(s string) string {
	if !strings.Contains(s, "\x00") {
		return functions.Quote(s)
	}
	parts := strings.Split(s, "\x00")
	for i := range parts {
		parts[i] = functions.Quote(parts[i])
	}
	return "(" + strings.Join(parts, " || chr(0) || ") + ")"
}

func (r *renderer) caseText(e *Case, lane int) string {
	var arms []Expr
	for _, w := range e.Whens {
		arms = append(arms, w.Then)
	}
	if e.Else != nil {
		arms = append(arms, e.Else)
	}
	texts := r.arms(arms, e.T.Kind, lane)
	var b strings.Builder
	b.WriteString("CASE")
	for i, w := range e.Whens {
		b.WriteString(" WHEN " + r.value(w.If) + " THEN " + texts[i])
	}
	if e.Else != nil {
		b.WriteString(" ELSE " + texts[len(e.Whens)])
	}
	return "(" + b.String() + " END)"
}

// arm renders one of several values that have to be of one DuckDB type.
func (r *renderer) arm(e Expr, k Kind, lane int) string {
	text := r.lanes(e, k)[lane]
	if k == Bool && e.Kind() == Null {
		return "CAST(NULL AS BOOLEAN)"
	}
	return text
}

func (r *renderer) castText(e *Cast) string {
	arg := r.lanes(e.Arg, e.Arg.Kind())
	from := e.Arg.Kind()
	if e.T.Kind == Text {
		arg[0] = r.shown(e.Arg, arg[0])
	}
	switch e.T.Kind {
	case Integer:
		if from == Decimal {
			// Halves away from zero, as MySQL rounds decimals.
			return "CAST(round(" + arg[0] + ") AS BIGINT)"
		}
		return "CAST(" + arg[0] + " AS BIGINT)"
	case Text:
		switch from {
		case Address:
			return "wiresql_ip_text(" + arg[0] + ", " + arg[1] + ")"
		case ID:
			return "wiresql_id_text(" + arg[0] + ")"
		case Community:
			return arg[1]
		case MAC:
			return "wiresql_mac_text(" + arg[0] + ")"
		case Time:
			return timeText(arg[0], TypeOf(e.Arg).Scale)
		case Date:
			return "strftime(" + arg[0] + ", '%Y-%m-%d')"
		}
		return "CAST(" + arg[0] + " AS VARCHAR)"
	case Bytes:
		// encode keeps UTF-8 as it is, where a cast from VARCHAR would read
		// backslashes as escapes.
		return "encode(" + arg[0] + ")"
	case Null, Address, ID, Community, MAC, JSON:
		r.fail("a conversion to %s", e.T.Kind)
		return "NULL"
	}
	return "CAST(" + arg[0] + " AS " + duckType(e.T) + ")"
}

// timeText writes a DATETIME with so many digits of its seconds.
func timeText(text string, digits int) string {
	if digits == 0 {
		return "strftime(" + text + ", '%Y-%m-%d %H:%M:%S')"
	}
	s := "strftime(" + text + ", '%Y-%m-%d %H:%M:%S.%f')"
	if digits < 6 {
		s = fmt.Sprintf("left(%s, %d)", s, 20+digits)
	}
	return s
}

// callbacks are the functions by which DuckDB calls the function table, by the
// kind of the result; a decimal comes as text.
var callbacks = map[Kind]string{Bool: "mysql_bool", Integer: "mysql_bigint", Unsigned: "mysql_ubigint", Decimal: "mysql_text", Double: "mysql_double",
	Text: "mysql_text", JSON: "mysql_text", Bytes: "mysql_blob", Time: "mysql_timestamp", Date: "mysql_date", Clock: "mysql_bigint", Null: "mysql_text"}

// operandOf describes a rendered operand to the function table.
func operandOf(e Expr, lanes []string) functions.Operand {
	o := functions.Operand{Kind: e.Kind(), Type: TypeOf(e), Carries: inexact(e)}
	if l, ok := e.(*Literal); ok {
		o.Literal, o.IsLiteral = l.Value, true
	}
	switch e.Kind() {
	case Address:
		o.Hi, o.Lo = lanes[0], lanes[1]
	case Community:
		o.SQL = lanes[1]
	default:
		o.SQL = lanes[0]
	}
	return o
}

// function renders a call of the function table.
func (r *renderer) function(e *Func) []string {
	if e.Native {
		args := make([]functions.Operand, len(e.Args))
		for i, a := range e.Args {
			lanes := r.lanes(a, a.Kind())
			if !functions.Exact(e.Node) {
				lanes[0] = r.shown(a, lanes[0])
			}
			if c, ok := a.(*Call); ok && c.Op == "unix_timestamp" {
				switch rounding(e.Node) {
				case "floor":
					return []string{"(" + r.micros(c.Args[0]) + " // 1000000)"} // never negative
				case "ceil", "ceiling", "round":
					lanes[0] = r.unixTimestamp(c)
				}
			}
			args[i] = operandOf(a, lanes)
		}
		op, ok := functions.InDuckDB(e.Node, args, e.T, e.Session)
		if !ok {
			r.fail("%s is not rendered", e.Shape)
			return []string{"NULL", "NULL"}
		}
		if e.T.Kind == Address {
			return []string{op.Hi, op.Lo}
		}
		return []string{op.SQL}
	}
	name, ok := callbacks[e.T.Kind]
	if !ok {
		r.fail("%s gives %s", e.Shape, e.T.Kind)
		return []string{"NULL", "NULL"}
	}
	args := []string{functions.Quote(r.bind.Function(e))}
	for _, a := range e.Args {
		if isLiteral(a) {
			continue // known to the function
		}
		if a.Kind() >= Address {
			a = asShown(a)
		}
		text := r.value(a)
		if !functions.Exact(e.Node) {
			text = r.shown(a, text)
		}
		args = append(args, text)
	}
	if functions.Volatile(e.Node) {
		args = append(args, "random()") // which nobody reads: it makes DuckDB ask for every row
	}
	text := name + "(" + strings.Join(args, ", ") + ")"
	if e.T.Kind == Decimal {
		text = "CAST(" + text + " AS " + duckType(e.T) + ")"
	}
	return []string{text}
}

// infix are the comparisons that DuckDB spells its own way.
var infix = map[string]string{"<=>": "IS NOT DISTINCT FROM", "and": "AND", "or": "OR"}

func (r *renderer) callText(e *Call) string {
	text := r.operator(e)
	if len(text) > maxText {
		r.fail("the text of an expression is longer than %d bytes", maxText)
		return "NULL"
	}
	return text
}

// operator renders a call by its operator's or function's name.
func (r *renderer) operator(e *Call) string {
	switch e.Op {
	case "=", "<>", "<", "<=", ">", ">=", "<=>":
		return r.comparison(e)
	case "and", "or":
		parts := make([]string, len(e.Args))
		for i, a := range e.Args {
			parts[i] = r.value(a)
		}
		return "(" + strings.Join(parts, " "+infix[e.Op]+" ") + ")"
	case "xor":
		return "(" + r.boolean(e.Args[0]) + " <> " + r.boolean(e.Args[1]) + ")"
	case "not":
		if in, ok := e.Args[0].(*Call); ok && in.Op == "is null" {
			return "(" + r.value(in.Args[0]) + " IS NOT NULL)"
		}
		return "(NOT " + r.boolean(e.Args[0]) + ")"
	case "is null":
		return "(" + r.value(e.Args[0]) + " IS NULL)"
	case "is true":
		return "(" + r.boolean(e.Args[0]) + " IS TRUE)"
	case "is false":
		return "(" + r.boolean(e.Args[0]) + " IS FALSE)"
	case "in":
		return r.inText(e)
	case "between":
		v, lo, hi := r.lanes(e.Args[0], Address), r.lanes(e.Args[1], Address), r.lanes(e.Args[2], Address)
		return "(" + v[0] + " = " + lo[0] + " AND " + v[1] + " BETWEEN " + lo[1] + " AND " + hi[1] + ")"
	case "like":
		pattern := r.value(e.Args[1])
		if e.Args[1].Kind() == Null {
			pattern = "CAST(NULL AS VARCHAR)"
		}
		known, constant := textLiteral(e.Args[1])
		escape, _ := textLiteral(e.Args[2])
		if e.Args[1].Kind() != Null && !(constant && quickLike(known, escape)) {
			return r.function(likeCalled(e))[0]
		}
		// With an escape DuckDB matches letter by letter, also where none is.
		if escape == "" || constant && !strings.Contains(known, escape) {
			return "(" + r.value(e.Args[0]) + " LIKE " + pattern + ")"
		}
		return "(" + r.value(e.Args[0]) + " LIKE " + pattern + " ESCAPE " + r.value(e.Args[2]) + ")"
	case "like_bytes":
		return "wiresql_like_bytes(" + strings.Join(r.arms(e.Args, Bytes, 0), ", ") + ")"
	case "abs":
		if inexact(e) {
			return scaled(r.digits(e))
		}
		return "abs(" + r.value(e.Args[0]) + ")"
	case "+", "-", "*", "/", "div", "%", "neg":
		return r.arithmetic(e)
	case "&", "|", "^", "~", "<<", ">>":
		return r.bits(e)
	case "date_add":
		return r.dateAdd(e)
	case "unix_timestamp":
		return "CAST(" + r.unixTimestamp(e) + " AS DECIMAL(38,6))"
	case "unix_seconds":
		return "(" + r.micros(e.Args[0]) + " // 1000000)"
	case "local":
		name, _ := textLiteral(e.Args[1])
		return functions.FindZone(name).LocalText(r.value(e.Args[0]))
	case "retime", "collate":
		return r.value(e.Args[0])
	case "lower", "upper":
		return e.Op + "(" + r.value(e.Args[0]) + ")"
	case "bare":
		return "lower(strip_accents(" + r.value(e.Args[0]) + "))"
	case "padded":
		return "(rtrim(" + r.value(e.Args[0]) + ", ' ') || ' ')"
	case "weight":
		return "wiresql_weight(" + r.value(e.Args[0]) + ", " + r.bigint(e.Args[1]) + ")"
	case "rand":
		return "random()"
	case "uuid":
		return "CAST(uuid() AS VARCHAR)"
	case "next_round":
		n, _ := intLiteral(e.Args[1])
		return fmt.Sprintf("(CASE WHEN %[1]s >= %[2]d THEN error('Recursive query aborted after %[3]d iterations. "+
			"Try increasing @@cte_max_recursion_depth to a larger value.') ELSE %[1]s + 1 END)", r.value(e.Args[0]), n, n+1)
	case "cut":
		return r.value(e.Args[0]) + "[:" + r.value(e.Args[1]) + "]"
	case "fit":
		text, most, message := r.value(e.Args[0]), r.value(e.Args[1]), functions.Quote(e.Args[2].(*Literal).Value.(string))
		test := "length(" + text + ") > " + most
		switch e.T.Kind {
		case Bytes:
			test = "octet_length(" + text + ") > " + most
		case Decimal:
			n, _ := intLiteral(e.Args[1])
			test = "abs(" + text + ") >= " + power10(int(n))
		}
		return "(CASE WHEN " + test + " THEN error(" + message + ") ELSE " + text + " END)"
	case "coalesce":
		return "coalesce(" + strings.Join(r.arms(e.Args, e.T.Kind, 0), ", ") + ")"
	case "greatest", "least":
		args := r.arms(e.Args, e.T.Kind, 0)
		// DuckDB skips NULLs here.
		return "(CASE WHEN " + strings.Join(args, " IS NULL OR ") + " IS NULL THEN NULL ELSE " +
			e.Op + "(" + strings.Join(args, ", ") + ") END)"
	case "concat":
		args := r.arms(e.Args, Text, 0)
		for i := range args {
			if e.Args[i].Kind() == Null {
				args[i] = "CAST(NULL AS VARCHAR)"
			}
		}
		return "(" + strings.Join(args, " || ") + ")"
	}
	if op := r.own(e); op.SQL != "" {
		return op.SQL
	}
	r.fail("%s is not rendered", e.Op)
	return "NULL"
}

// rounding is the name of a function that takes one argument.
func rounding(e sqlparser.Expr) string {
	if f, ok := e.(*sqlparser.FuncExpr); ok && len(f.Exprs) == 1 {
		return f.Name.Lowered()
	}
	return ""
}

// unixTimestamp renders UNIX_TIMESTAMP in 64 bits, which round 50 times as fast
// as 128. Arithmetic would overflow them: DuckDB keeps the width of its operands.
func (r *renderer) unixTimestamp(e *Call) string {
	return "(CAST(" + r.micros(e.Args[0]) + " AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)))"
}

func (r *renderer) arms(args []Expr, k Kind, lane int) []string {
	out := make([]string, len(args))
	if k == Decimal && slices.ContainsFunc(args, inexact) {
		// DuckDB cuts the digits of one where another needs room.
		fracs := make([]int, len(args))
		for i, a := range args {
			if a.Kind() == Null {
				out[i] = "CAST(NULL AS HUGEINT)"
				continue
			}
			out[i], fracs[i] = r.digits(a)
		}
		most := slices.Max(fracs)
		for i := range out {
			out[i] = scaled(times(out[i], most-fracs[i]), most)
		}
		return out
	}
	for i, a := range args {
		out[i] = r.arm(a, k, lane)
	}
	return out
}

func (r *renderer) boolean(e Expr) string {
	if e.Kind() == Null {
		return "CAST(NULL AS BOOLEAN)"
	}
	return r.value(e)
}

// pairCall renders a call that gives an address or a community id.
func (r *renderer) pairCall(e *Call) []string {
	if e.Op == "coalesce" {
		return []string{"coalesce(" + strings.Join(r.arms(e.Args, e.T.Kind, 0), ", ") + ")",
			"coalesce(" + strings.Join(r.arms(e.Args, e.T.Kind, 1), ", ") + ")"}
	}
	if e.Op == "greatest" || e.Op == "least" {
		hi, lo := r.arms(e.Args, e.T.Kind, 0), r.arms(e.Args, e.T.Kind, 1)
		pairs := make([]string, len(hi))
		for i := range hi {
			pairs[i] = "{'a': " + hi[i] + ", 'b': " + lo[i] + "}"
		}
		text := "(CASE WHEN " + strings.Join(hi, " IS NULL OR ") + " IS NULL THEN NULL ELSE " + e.Op + "(" + strings.Join(pairs, ", ") + ") END)"
		return []string{text + ".a", text + ".b"}
	}
	op := r.own(e)
	return []string{op.Hi, op.Lo}
}

func (r *renderer) comparison(e *Call) string {
	k := max(e.Args[0].Kind(), e.Args[1].Kind())
	a, b := r.lanes(e.Args[0], k), r.lanes(e.Args[1], k)
	op := e.Op
	if o, ok := infix[op]; ok {
		op = o
	}
	if k == Community {
		lit := isLiteral(e.Args[0]) || isLiteral(e.Args[1])
		switch {
		case e.Op != "=" && e.Op != "<>" && e.Op != "<=>":
			return "(" + a[1] + " " + op + " " + b[1] + ")"
		case !lit || e.Args[0].Kind() == Null || e.Args[1].Kind() == Null:
			// 64 bits of the hash; the text takes a hash of its own per row.
			return "(" + a[0] + " " + op + " " + b[0] + ")"
		}
	} else if k != Address {
		return "(" + a[0] + " " + op + " " + b[0] + ")"
	}
	switch e.Op {
	case "=", "<=>":
		return "(" + a[0] + " " + op + " " + b[0] + " AND " + a[1] + " " + op + " " + b[1] + ")"
	case "<>":
		return "(" + a[0] + " <> " + b[0] + " OR " + a[1] + " <> " + b[1] + ")"
	}
	return "(" + a[0] + " " + op[:1] + " " + b[0] + " OR " + a[0] + " = " + b[0] + " AND " + a[1] + " " + op + " " + b[1] + ")"
}

// inText renders a list of constants. Addresses are grouped by their high
// half: all of IPv4 has one.
func (r *renderer) inText(e *Call) string {
	k := e.Args[0].Kind()
	v := r.lanes(e.Args[0], k)
	if k != Address && k != Community {
		list := make([]string, len(e.Args)-1)
		for i, a := range e.Args[1:] {
			list[i] = r.value(a)
		}
		return "(" + v[0] + " IN (" + strings.Join(list, ", ") + "))"
	}
	var order []string
	low := map[string][]string{}
	var or []string
	for _, a := range e.Args[1:] {
		if a.Kind() == Null {
			or = append(or, "CAST(NULL AS BOOLEAN)")
			continue
		}
		l := r.lanes(a, k)
		if low[l[0]] == nil {
			order = append(order, l[0])
		}
		low[l[0]] = append(low[l[0]], l[1])
	}
	for i := len(order) - 1; i >= 0; i-- {
		hi := order[i]
		or = append([]string{"(" + v[0] + " = " + hi + " AND " + v[1] + " IN (" + strings.Join(low[hi], ", ") + "))"}, or...)
	}
	return "(" + strings.Join(or, " OR ") + ")"
}

// subquery renders a scalar subquery, EXISTS or IN.
func (r *renderer) subquery(e *Subquery) []string {
	not := ""
	if e.Not {
		not = "NOT "
	}
	switch e.Op {
	case "exists":
		return []string{"(" + not + "EXISTS (" + r.rel(e.Rel).text(1) + "))"}
	case "in":
		if len(e.Args) > 1 || e.Rel.Columns()[0].Kind == Address {
			return []string{r.value(rowIn(e))}
		}
		column := e.Rel.Columns()[0]
		kind := e.Args[0].Kind()
		if kind == Null {
			kind = column.Kind
		}
		s := r.rel(e.Rel).wrap(r)
		s.cols = columnLanes(column)[:1] // of a community id the number says it
		return []string{"(" + r.lanes(e.Args[0], kind)[0] + " " + not + "IN (" + s.text(1) + "))"}
	}
	if e.Op == "any" || e.Op == "all" {
		column := e.Rel.Columns()[0]
		rel, left := r.rel(e.Rel).wrap(r), ordering(column.Kind, r.lanes(e.Args[0], column.Kind))
		rel.cols = ordering(column.Kind, columnLanes(column))
		v := left[0]
		if len(rel.cols) > 1 {
			v = "{'a': " + left[0] + ", 'b': " + left[1] + "}"
			rel.cols = []string{"{'a': " + rel.cols[0] + ", 'b': " + rel.cols[1] + "}"}
		}
		return []string{"(" + v + " " + e.Compare + " " + strings.ToUpper(e.Op) + " (" + rel.text(1) + "))"}
	}
	c := e.Rel.Columns()[0]
	lanes := columnLanes(c)
	if len(lanes) == 1 {
		return []string{"(" + r.rel(e.Rel).text(1) + ")"}
	}
	s := r.rel(e.Rel).wrap(r)
	s.cols = []string{"{'a': " + lanes[0] + ", 'b': " + lanes[1] + "}"}
	text := "(" + s.text(1) + ")"
	return []string{text + ".a", text + ".b"}
}

// own renders a call of one of our functions.
func (r *renderer) own(e *Call) functions.Operand {
	f := functions.Lookup(e.Op)
	if f == nil || f.Text == nil {
		r.fail("%s is not rendered", e.Op)
		return functions.Operand{SQL: "NULL", Hi: "NULL", Lo: "NULL"}
	}
	args := make([]functions.Operand, len(e.Args))
	for i, a := range e.Args {
		args[i] = operandOf(a, r.lanes(a, a.Kind()))
	}
	op, err := f.Text(args)
	if err != nil {
		r.fail("%v", err)
	}
	return op
}
