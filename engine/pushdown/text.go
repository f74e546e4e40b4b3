package pushdown

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Expressions as DuckDB text. Every text is safe inside any other: it is a
// name, a literal, a call, or it has parentheses.

// convert builds a CAST.
func convert(e Expr, t sql.Type) (Expr, error) {
	k := e.Kind()
	if k == Null {
		return e, nil
	}
	to := &Cast{Arg: e, Type: t}
	switch {
	case types.IsSigned(t), t == types.Uint64:
		if to.K = Integer; k == Integer && t != types.Uint64 {
			return e, nil
		}
		if !k.Numeric() {
			return nil, fmt.Errorf("%s as an integer", k)
		}
	case types.IsDecimal(t):
		to.K = Decimal
		d := t.(sql.DecimalType)
		if !k.Numeric() || k == Bool || d.Precision() > 38 || int(d.Scale()) > maxScale {
			return nil, fmt.Errorf("%s as %s", k, t)
		}
	case t == types.Float64:
		if to.K = Double; !k.Numeric() {
			return nil, fmt.Errorf("%s as a double", k)
		}
		to.Arg = toNumber(e, Integer)
	case types.IsDateType(t), types.IsDatetimeType(t):
		x, err := timeArg(e)
		if err != nil {
			return nil, err
		}
		to.Arg, to.K = x, Date
		if types.IsDatetimeType(t) {
			// Without digits CAST(… AS DATETIME) rounds to seconds.
			if to.K = Time; t.(sql.DatetimeType).Precision() != 6 && k != Date {
				return nil, fmt.Errorf("a time rounded to fewer digits")
			}
		}
	case types.IsTextOnly(t):
		return asText(e)
	default:
		return nil, fmt.Errorf("a conversion to %s", t)
	}
	return to, nil
}

// value renders an expression that takes one column of text.
func (r *renderer) value(e Expr) string { return r.lanes(e, e.Kind())[0] }

// lanes renders an expression as the columns that represent its kind: two for
// addresses (high and low half) and community ids (cid and text), else one.
func (r *renderer) lanes(e Expr, k Kind) []string {
	two := k == Address || k == Community
	switch e := e.(type) {
	case *Col:
		return columnLanes(e.Column)
	case *Literal:
		return literalLanes(e, k)
	case *Case:
		if two {
			return []string{r.caseText(e, 0), r.caseText(e, 1)}
		}
		return []string{r.caseText(e, 0)}
	case *Cast:
		return []string{r.castText(e)}
	case *Aggregate:
		if two {
			return r.pairAggregate(e)
		}
		return []string{r.aggregateText(e)}
	case *Over:
		return []string{r.overText(e)}
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
func literalLanes(l *Literal, k Kind) []string {
	switch l.K {
	case Null:
		return []string{"NULL", "NULL"}
	case Address:
		a := l.Value.(tables.Addr)
		return []string{unsignedText(a.Hi), unsignedText(a.Lo)}
	case Community:
		cid, _ := tables.ParseCommunityID(l.Value.(string))
		return []string{unsignedText(cid), quoteText(l.Value.(string))}
	}
	return []string{literalText(l)}
}

func literalText(l *Literal) string {
	switch v := l.Value.(type) {
	case keyList:
		return "{{keys}}"
	case bool:
		return strconv.FormatBool(v)
	case int64:
		if v < 0 {
			return "(" + strconv.FormatInt(v, 10) + ")"
		}
		return strconv.FormatInt(v, 10)
	case float64:
		return "CAST(" + quoteText(strconv.FormatFloat(v, 'g', -1, 64)) + " AS DOUBLE)"
	case time.Time:
		if l.K == Date {
			return "DATE '" + v.Format("2006-01-02") + "'"
		}
		return quoteTime(tables.Time(v.UnixMicro()))
	case []byte:
		return fmt.Sprintf("unhex('%x')", v)
	case tables.ID:
		return unsignedText(uint64(v))
	case string:
		if l.K == Decimal {
			return fmt.Sprintf("CAST(%s AS DECIMAL(38,%d))", quoteText(v), scaleOf(l))
		}
		return quoteText(v)
	}
	return "NULL"
}

func (r *renderer) caseText(e *Case, lane int) string {
	var b strings.Builder
	b.WriteString("CASE")
	for _, w := range e.Whens {
		b.WriteString(" WHEN " + r.value(w.If) + " THEN " + r.arm(w.Then, e.K, lane))
	}
	if e.Else != nil {
		b.WriteString(" ELSE " + r.arm(e.Else, e.K, lane))
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
	if e.K == Text {
		arg[0] = r.shown(e.Arg, arg[0])
	}
	switch e.K {
	case Integer:
		if e.Type == types.Uint64 {
			// Counts are BIGINT everywhere; what is negative is an error, not
			// a number beyond 2^63.
			return "CAST(CAST(" + arg[0] + " AS UBIGINT) AS BIGINT)"
		}
		return "CAST(" + arg[0] + " AS BIGINT)"
	case Decimal:
		d := e.Type.(sql.DecimalType)
		return fmt.Sprintf("CAST(%s AS DECIMAL(%d,%d))", arg[0], d.Precision(), d.Scale())
	case Double:
		return "CAST(" + arg[0] + " AS DOUBLE)"
	case Time:
		return "CAST(" + arg[0] + " AS TIMESTAMP)"
	case Date:
		return "CAST(" + arg[0] + " AS DATE)"
	case Text:
		switch e.Arg.Kind() {
		case Address:
			return "wiresql_ip_text(" + arg[0] + ", " + arg[1] + ")"
		case ID:
			return "wiresql_id_text(" + arg[0] + ")"
		case Community:
			return arg[1]
		case MAC:
			return "wiresql_mac_text(" + arg[0] + ")"
		case Time:
			return "strftime(" + arg[0] + ", '%Y-%m-%d %H:%M:%S.%f')"
		case Date:
			return "strftime(" + arg[0] + ", '%Y-%m-%d')"
		}
		return "CAST(" + arg[0] + " AS VARCHAR)"
	}
	r.fail("a conversion to %s", e.K)
	return "NULL"
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
		return "(" + r.value(e.Args[0]) + " LIKE " + pattern + " ESCAPE " + r.value(e.Args[2]) + ")"
	case "+", "-", "*", "/", "div", "%", "neg":
		return r.arithmetic(e)
	case "&", "|", "<<", ">>":
		return "(" + r.operand(e.Args[0], e.Args[1]) + " " + e.Op + " " + r.operand(e.Args[1], e.Args[0]) + ")"
	case "^":
		return "xor(" + r.bigint(e.Args[0]) + ", " + r.bigint(e.Args[1]) + ")"
	case "date_add":
		return r.dateAdd(e)
	case "timestampdiff":
		return r.timestampDiff(e)
	case "unix_timestamp":
		return "(CAST(" + r.micros(e.Args[0]) + " AS DECIMAL(38,0)) * CAST(0.000001 AS DECIMAL(7,6)))"
	case "from_unixtime":
		return "make_timestamp(" + r.bigint(e.Args[0]) + " * 1000000)"
	case "coalesce":
		return "coalesce(" + strings.Join(r.arms(e.Args, e.K, 0), ", ") + ")"
	case "greatest", "least":
		args := r.arms(e.Args, e.K, 0)
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
	case "concat_ws":
		return "concat_ws(" + strings.Join(r.arms(e.Args, Text, 0), ", ") + ")"
	case "substring":
		return "substring(" + strings.Join(r.arms(e.Args, Text, 0), ", ") + ")"
	case "substring_index":
		return r.substringIndex(e)
	case "length":
		if e.Args[0].Kind() == Bytes {
			return "octet_length(" + r.value(e.Args[0]) + ")"
		}
		return "strlen(" + r.value(e.Args[0]) + ")"
	case "date_format":
		return "strftime(CAST(" + r.value(e.Args[0]) + " AS TIMESTAMP), " + r.value(e.Args[1]) + ")"
	case "abs":
		return "abs(" + r.bigint(e.Args[0]) + ")"
	case "ceil", "floor":
		switch e.Args[0].Kind() {
		case Integer, Bool:
			return r.bigint(e.Args[0])
		case Double:
			return e.Op + "(" + r.value(e.Args[0]) + ")"
		}
		return "CAST(" + e.Op + "(" + r.value(e.Args[0]) + ") AS BIGINT)"
	case "round":
		return r.round(e)
	}
	if b, ok := builtins[e.Op]; ok && b.text != "" {
		text := b.text
		for i, a := range e.Args {
			text = strings.ReplaceAll(text, "%"+strconv.Itoa(i+1), r.value(a))
		}
		if strings.HasPrefix(text, "CASE") {
			text = "(" + text + ")"
		}
		return text
	}
	if op := r.own(e); op.SQL != "" {
		return op.SQL
	}
	r.fail("%s is not rendered", e.Op)
	return "NULL"
}

func (r *renderer) arms(args []Expr, k Kind, lane int) []string {
	out := make([]string, len(args))
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
		return []string{"coalesce(" + strings.Join(r.arms(e.Args, e.K, 0), ", ") + ")",
			"coalesce(" + strings.Join(r.arms(e.Args, e.K, 1), ", ") + ")"}
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

func isLiteral(e Expr) bool {
	_, ok := e.(*Literal)
	return ok
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
		var left []string
		for _, a := range e.Args {
			l := r.lanes(a, a.Kind())
			if a.Kind() == Community {
				l = l[:1]
			}
			left = append(left, l...)
		}
		var cols []string
		s := r.rel(e.Rel).wrap(r)
		for _, c := range e.Rel.Columns() {
			l := columnLanes(c)
			if c.Kind == Community {
				l = l[:1]
			}
			cols = append(cols, l...)
		}
		s.cols = cols
		v := left[0]
		if len(left) > 1 {
			v = "(" + strings.Join(left, ", ") + ")"
		}
		return []string{"(" + v + " " + not + "IN (" + s.text(1) + "))"}
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
		args[i] = functions.Operand{Kind: a.Kind()}
		if l, ok := a.(*Literal); ok {
			args[i].Literal, args[i].IsLiteral = l.Value, true
		}
		lanes := r.lanes(a, a.Kind())
		switch a.Kind() {
		case Address:
			args[i].Hi, args[i].Lo = lanes[0], lanes[1]
		case Community:
			args[i].SQL = lanes[1]
		default:
			args[i].SQL = lanes[0]
		}
	}
	op, err := f.Text(args)
	if err != nil {
		r.fail("%v", err)
	}
	return op
}

// ownText tries a call of one of our functions.
func ownText(e *Call) (functions.Operand, error) {
	r := &renderer{}
	op := r.own(e)
	return op, r.err
}
