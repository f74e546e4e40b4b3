package functions

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// InDuckDB translates a call to DuckDB's SQL where that gives the same result
// to the bit, for operands of these types; ok is false where it does not.
// result is the type Prepare gave. A decimal operand must have no more digits
// than its type shows.
func InDuckDB(node sqlparser.Expr, args []Operand, result Type, s *Session) (text Operand, ok bool) {
	if s == nil {
		s = &Session{}
	}
	name := nameOf(node)
	if f := Lookup(name); f != nil {
		return f.inDuckDB(args, result)
	}
	translate := translations()[name]
	if b := table()[name]; translate == nil || b == nil || b.encodes(node, args) {
		return Operand{}, false
	}
	d := &translation{name: name, node: node, args: args, result: result, s: s}
	sql, ok := translate(d)
	return Operand{Kind: result.Kind, Type: result, SQL: sql}, ok
}

// translation is a call whose operands are DuckDB's text.
type translation struct {
	name   string
	node   sqlparser.Expr
	args   []Operand
	result Type
	s      *Session
}

// translator writes a call in DuckDB's SQL; ok is false where DuckDB has
// nothing that is equal for these operands.
type translator func(d *translation) (sql string, ok bool)

// translations has a translator by the table's name.
func translations() map[string]translator { return allTranslations }

var allTranslations = func() map[string]translator {
	all := map[string]translator{}
	for _, m := range []map[string]translator{textTranslations, numberTranslations, dateTranslations} {
		maps.Copy(all, m)
	}
	return all
}()

// inDuckDB is the translation of a function of ours. Text that is a literal
// stands for the time it shows.
func (f *Function) inDuckDB(args []Operand, result Type) (Operand, bool) {
	if f.Text == nil || !f.takes(len(args)) || len(args) > len(f.Args) {
		return Operand{}, false
	}
	given := make([]Operand, len(args))
	for i, a := range args {
		if given[i] = a; f.arg(i).Type == timeType && a.Kind != Time && a.Kind != Null {
			d := &translation{args: args}
			text, ok := d.time(i)
			if !ok {
				return Operand{}, false
			}
			given[i].Kind, given[i].SQL = Time, text
		}
	}
	out, err := f.Text(given)
	if err != nil {
		return Operand{}, false
	}
	out.Type = result
	return out, true
}

// each reads all arguments in one way.
func (d *translation) each(read func(i int) (string, bool)) ([]string, bool) {
	out := make([]string, len(d.args))
	for i := range d.args {
		var ok bool
		if out[i], ok = read(i); !ok {
			return nil, false
		}
	}
	return out, true
}

// fill puts arguments read in one way into a pattern: %1 is the first.
func fill(pattern string, args []string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		if pattern[i] == '%' && i+1 < len(pattern) && pattern[i+1] >= '1' && pattern[i+1] <= '9' {
			b.WriteString(args[pattern[i+1]-'1'])
			i++
			continue
		}
		b.WriteByte(pattern[i])
	}
	return b.String()
}

// ofText, ofDouble and ofTime are patterns over arguments read as that.
var (
	ofText   = reading((*translation).text)
	ofDouble = reading((*translation).double)
	ofTime   = reading((*translation).time)
)

func reading(read func(*translation, int) (string, bool)) func(pattern string) translator {
	return func(pattern string) translator {
		return func(d *translation) (string, bool) {
			args, ok := d.each(func(i int) (string, bool) { return read(d, i) })
			if !ok {
				return "", false
			}
			return fill(pattern, args), true
		}
	}
}

// isBytes tells whether an operand is bytes.
func (d *translation) isBytes(i int) bool { return d.args[i].Kind == Bytes }

// text reads an operand as MySQL shows it; bytes are none.
func (d *translation) text(i int) (string, bool) {
	a := d.args[i]
	switch a.Kind {
	case Null:
		return "CAST(NULL AS VARCHAR)", true
	case Text, Community, JSON:
		return a.SQL, true
	case Integer, Unsigned:
		return "CAST(" + a.SQL + " AS VARCHAR)", true
	case Bool:
		return "CAST(CAST(" + a.SQL + " AS TINYINT) AS VARCHAR)", true
	case Decimal:
		if a.Type.Precision > 38 || a.Type.Precision == 0 {
			return "", false
		}
		return fmt.Sprintf("CAST(CAST(%s AS DECIMAL(%d,%d)) AS VARCHAR)", a.SQL, min(38, max(a.Type.Precision, a.Type.Scale+1)), a.Type.Scale), true
	case Date:
		return "CAST(" + a.SQL + " AS VARCHAR)", true
	case Time:
		switch a.Type.Scale {
		case 0:
			return "CAST(" + a.SQL + " AS VARCHAR)", true
		case 3:
			return "strftime(" + a.SQL + ", '%Y-%m-%d %H:%M:%S.%g')", true
		case 6: // DuckDB shows no zeros at the end
			return fmt.Sprintf("CASE WHEN epoch_us(%[1]s) %% 1000000 = 0 THEN CAST(%[1]s AS VARCHAR) || '.000000' "+
				"ELSE rpad(CAST(%[1]s AS VARCHAR), 26, '0') END", a.SQL), true
		}
	case Clock:
		parts := fmt.Sprintf("abs(%[1]s) // 3600000000, abs(%[1]s) // 60000000 %% 60, abs(%[1]s) // 1000000 %% 60", a.SQL)
		switch a.Type.Scale {
		case 0:
			return fmt.Sprintf("(CASE WHEN %s < 0 THEN '-' ELSE '' END || printf('%%02d:%%02d:%%02d', %s))", a.SQL, parts), true
		case 6:
			return fmt.Sprintf("(CASE WHEN %[1]s < 0 THEN '-' ELSE '' END || printf('%%02d:%%02d:%%02d.%%06d', %[2]s, abs(%[1]s) %% 1000000))", a.SQL, parts), true
		}
	case Address:
		return "wiresql_ip_text(" + a.Hi + ", " + a.Lo + ")", true
	case ID:
		return "wiresql_id_text(" + a.SQL + ")", true
	case MAC:
		return "wiresql_mac_text(" + a.SQL + ")", true
	}
	return "", false
}

// bytes reads an operand as the bytes of its text.
func (d *translation) bytes(i int) (string, bool) {
	if d.isBytes(i) {
		return d.args[i].SQL, true
	}
	text, ok := d.text(i)
	return "encode(" + text + ")", ok
}

// binary tells whether texts are compared byte by byte, as DuckDB does:
// columns are of the collation Bin, and literals go along.
func (d *translation) binary(of ...int) bool {
	some := false
	for _, i := range of {
		a := d.args[i]
		stored := a.Kind != Text || a.Type.Collation == 0 || a.Type.Collation == Bin
		if some = some || stored; !stored && (!a.IsLiteral || a.Type.Coercibility < 4) {
			return false
		}
	}
	return some
}

// integer reads a whole number as BIGINT. A number that may be greater is
// none.
func (d *translation) integer(i int) (string, bool) {
	a := d.args[i]
	switch a.Kind {
	case Null:
		return "CAST(NULL AS BIGINT)", true
	case Bool:
		return "CAST(" + a.SQL + " AS BIGINT)", true
	case Integer:
		if a.IsLiteral || a.Type.Bits != 0 && a.Type.Bits != 64 {
			return "CAST(" + a.SQL + " AS BIGINT)", true
		}
		return a.SQL, true
	case Unsigned:
		if a.Type.Bits != 0 && a.Type.Bits < 64 {
			return "CAST(" + a.SQL + " AS BIGINT)", true
		}
	}
	return "", false
}

// double reads a number as DOUBLE.
func (d *translation) double(i int) (string, bool) {
	a := d.args[i]
	switch a.Kind {
	case Double:
		return a.SQL, true
	case Null, Bool, Integer, Unsigned:
		return "CAST(" + a.SQL + " AS DOUBLE)", true
	case Decimal:
		// DuckDB divides the digits, which rounds once; beyond 2^53 twice.
		if !a.Carries && a.Type.Precision <= 15 && a.Type.Precision > 0 && a.Type.Scale <= 22 {
			return "CAST(" + a.SQL + " AS DOUBLE)", true
		}
	}
	return "", false
}

// time reads a point of time as TIMESTAMP.
func (d *translation) time(i int) (string, bool) {
	a := d.args[i]
	switch a.Kind {
	case Null:
		return "CAST(NULL AS TIMESTAMP)", true
	case Time:
		return a.SQL, true
	case Date:
		return "CAST(" + a.SQL + " AS TIMESTAMP)", true
	case Text:
		if text, ok := a.Literal.(string); ok && a.IsLiteral {
			if m, rest, ok := parseMoment(text); ok && !rest && m.valid(false) && m.year > 0 {
				return "TIMESTAMP '" + string(m.text(Type{Kind: Time, Scale: 6})) + "'", true
			}
		}
	}
	return "", false
}

// date reads a point of time as DATE.
func (d *translation) date(i int) (string, bool) {
	if d.args[i].Kind == Date {
		return d.args[i].SQL, true
	}
	text, ok := d.time(i)
	return "CAST(" + text + " AS DATE)", ok
}

// literalInt is an operand where it is a literal whole number.
func (d *translation) literalInt(i int) (int64, bool) {
	if i >= len(d.args) || !d.args[i].IsLiteral {
		return 0, false
	}
	switch n := d.args[i].Literal.(type) {
	case int64:
		return n, true
	case bool:
		if n {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// literalText is an operand where it is a literal text.
func (d *translation) literalText(i int) (string, bool) {
	if i >= len(d.args) || !d.args[i].IsLiteral {
		return "", false
	}
	text, ok := d.args[i].Literal.(string)
	return text, ok && d.args[i].Kind == Text
}

// fails is an expression that raises error 1690 for a call.
func (d *translation) fails(typ string) string {
	return "CAST(error(" + Quote(typ+" value is out of range in '"+d.name+"'") + ") AS DOUBLE)"
}

// power is 10^n as a number without sign or point.
func power(n int) string { return "1" + strings.Repeat("0", n) }

// fraction is 10^-n as a decimal of DuckDB.
func fraction(n int) string {
	if n == 0 {
		return "1"
	}
	return fmt.Sprintf("CAST(0.%s1 AS DECIMAL(%d,%d))", strings.Repeat("0", n-1), n+1, n)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// numberTranslations are those of the mathematical functions.
var numberTranslations = map[string]translator{
	"abs":      duckAbs,
	"ceil":     duckWhole,
	"floor":    duckWhole,
	"round":    duckRound,
	"truncate": duckTruncate,
	"mod":      duckMod,
	"%":        duckMod,
	"sign":     duckSign,
	"sqrt":     ofDouble("CASE WHEN %1 >= 0 THEN sqrt(%1) END"),
	"ln":       ofDouble("CASE WHEN %1 > 0 THEN ln(%1) END"),
	"log10":    ofDouble("CASE WHEN %1 > 0 THEN log10(%1) END"),
	"log2":     ofDouble("CASE WHEN %1 > 0 THEN ln(%1) / CAST(0.693147180559945309417232121458 AS DOUBLE) END"),
	"log":      duckLog,
	"pow":      duckFinite("pow(%1, %2)"),
	"exp":      duckFinite("exp(%1)"),
	"cot":      duckFinite("(1 / tan(%1))"),
	"sin":      ofDouble("sin(%1)"),
	"cos":      ofDouble("cos(%1)"),
	"tan":      ofDouble("tan(%1)"),
	"acos":     ofDouble("CASE WHEN abs(%1) <= 1 THEN acos(%1) END"),
	"asin":     ofDouble("CASE WHEN abs(%1) <= 1 THEN asin(%1) END"),
	"atan":     duckAtan,
	"atan2":    duckAtan,
	"radians":  ofDouble("(%1 * (CAST(3.141592653589793 AS DOUBLE) / 180))"),
	"bit_count": func(d *translation) (string, bool) {
		s, ok := d.integer(0)
		return "CAST(bit_count(" + s + ") AS BIGINT)", ok
	},
	"pi":  func(*translation) (string, bool) { return "CAST(3.141592653589793 AS DOUBLE)", true },
	"bin": func(d *translation) (string, bool) { s, ok := d.integer(0); return "bin(" + s + ")", ok },
	"inet_ntoa": func(d *translation) (string, bool) {
		n, ok := d.integer(0)
		return fill("CASE WHEN %1 BETWEEN 0 AND 4294967295 THEN CAST(%1 >> 24 AS VARCHAR) || '.' || CAST((%1 >> 16) & 255 AS VARCHAR) || '.' || "+
			"CAST((%1 >> 8) & 255 AS VARCHAR) || '.' || CAST(%1 & 255 AS VARCHAR) END", []string{n}), ok
	},
	"inet_aton": duckInetAton,
}

// duckNumber reads a number in its own type: BIGINT where it is an integer.
func (d *translation) number(i int) (string, bool) {
	switch a := d.args[i]; a.Kind {
	case Bool, Integer:
		return d.integer(i)
	case Unsigned, Double:
		return a.SQL, true
	case Decimal:
		return a.SQL, a.Type.Precision > 0 && a.Type.Precision <= 38
	}
	return "", false
}

func duckAbs(d *translation) (string, bool) {
	x, ok := d.number(0)
	return "abs(" + x + ")", ok
}

// duckWhole is CEIL and FLOOR.
func duckWhole(d *translation) (string, bool) {
	x, ok := d.number(0)
	switch d.args[0].Kind {
	case Decimal:
		if d.result.Kind == Integer {
			return "CAST(" + d.name + "(" + x + ") AS BIGINT)", ok
		}
		return fmt.Sprintf("CAST(%s(%s) AS DECIMAL(%d,0))", d.name, x, d.result.Precision), ok && d.result.Precision <= 38
	case Double:
		return d.name + "(" + x + ")", ok
	}
	return x, ok
}

// digits is the literal number of digits of ROUND and TRUNCATE.
func (d *translation) digits() (int, bool) {
	if len(d.args) == 1 {
		return 0, true
	}
	n, ok := d.literalInt(1)
	return int(min(max(n, -30), 30)), ok
}

// duckRound rounds decimals half away from zero, doubles half to even: MySQL
// scales the double, rounds that to even and scales back.
func duckRound(d *translation) (string, bool) {
	x, ok := d.number(0)
	n, literal := d.digits()
	if !ok || !literal {
		return "", false
	}
	switch d.args[0].Kind {
	case Double:
		return scaleDouble(x, n, "round_even(%s, 0)"), true
	case Decimal:
		if d.result.Precision > 38 {
			return "", false
		}
		if n < 0 {
			half := "5" + strings.Repeat("0", -n-1)
			return roundWhole("CAST(trunc("+x+") AS HUGEINT)", -n, half, fmt.Sprintf("DECIMAL(%d,0)", d.result.Precision)), -n <= 36
		}
		return fmt.Sprintf("CAST(%s AS DECIMAL(%d,%d))", x, d.result.Precision, d.result.Scale), true
	}
	if n >= 0 {
		return x, true
	}
	if d.args[0].Kind == Unsigned {
		return "", false
	}
	return roundWhole("CAST("+x+" AS HUGEINT)", -n, "5"+strings.Repeat("0", -n-1), "BIGINT"), true
}

// roundWhole rounds a HUGEINT to 10^n, half away from zero.
func roundWhole(x string, n int, half, typ string) string {
	return fmt.Sprintf("CAST((%[1]s + CASE WHEN %[1]s < 0 THEN -%[2]s ELSE %[2]s END) // %[3]s * %[3]s AS %[4]s)", x, half, power(n), typ)
}

// scaleDouble applies an operation to a double times 10^n.
func scaleDouble(x string, n int, operation string) string {
	p := "CAST(" + power(int(math.Abs(float64(n)))) + " AS DOUBLE)"
	switch {
	case n > 0:
		return fmt.Sprintf("CASE WHEN isfinite(%[1]s * %[2]s) THEN %[3]s / %[2]s ELSE %[1]s END", x, p, fmt.Sprintf(operation, x+" * "+p))
	case n < 0:
		return "(" + fmt.Sprintf(operation, x+" / "+p) + " * " + p + ")"
	}
	return fmt.Sprintf(operation, x)
}

func duckTruncate(d *translation) (string, bool) {
	x, ok := d.number(0)
	n, literal := d.digits()
	if !ok || !literal {
		return "", false
	}
	switch d.args[0].Kind {
	case Double:
		return scaleDouble(x, n, "trunc(%s)"), true
	case Decimal:
		if d.result.Precision > 38 || d.args[0].Carries {
			return "", false
		}
		typ := fmt.Sprintf("DECIMAL(%d,%d)", d.result.Precision, d.result.Scale)
		switch {
		case n >= d.args[0].Type.Scale:
			return "CAST(" + x + " AS " + typ + ")", true
		case n >= 0:
			return fmt.Sprintf("CAST(%[1]s - %[1]s %% %[2]s AS %[3]s)", x, fraction(n), typ), d.args[0].Type.Precision+n < 38
		}
		return "", false
	}
	switch {
	case n >= 0:
		return x, true
	case n < -18:
		return "(" + x + " * 0)", true
	}
	return fmt.Sprintf("(%[1]s - %[1]s %% %[2]s)", x, power(-n)), true
}

func duckMod(d *translation) (string, bool) {
	a, okA := d.number(0)
	b, okB := d.number(1)
	if !okA || !okB {
		return "", false
	}
	switch ka, kb := d.args[0].Kind, d.args[1].Kind; {
	case d.result.Kind == Integer && ka != Unsigned && kb != Unsigned:
		// The least BIGINT by -1 overflows in DuckDB only.
		if n, ok := d.literalInt(1); ok && n > 0 {
			return "(" + a + " % " + b + ")", true
		}
		return fmt.Sprintf("CASE WHEN %[2]s = -1 THEN %[1]s * 0 ELSE %[1]s %% nullif(%[2]s, 0) END", a, b), true
	case ka == Unsigned && kb == Unsigned:
		return fmt.Sprintf("(%s %% nullif(%s, 0))", a, b), true
	case ka == Decimal && (kb == Decimal || kb == Integer), ka == Integer && kb == Decimal:
		if d.result.Precision > 38 || d.result.Precision == 0 {
			return "", false
		}
		if d.args[0].Type.digits()+d.args[1].Type.digits() > 30 {
			return "", false
		}
		wide := fmt.Sprintf("DECIMAL(%d,%d)", min(38, d.result.Precision+1), d.result.Scale)
		return fmt.Sprintf("CAST(CAST(%[1]s AS %[3]s) %% nullif(CAST(%[2]s AS %[3]s), 0) AS DECIMAL(%[4]d,%[5]d))", a, b, wide,
			d.result.Precision, d.result.Scale), true
	}
	return "", false
}

func duckSign(d *translation) (string, bool) {
	x, ok := d.number(0)
	return "CAST(sign(" + x + ") AS BIGINT)", ok
}

func duckLog(d *translation) (string, bool) {
	args, ok := d.each(d.double)
	if !ok {
		return "", false
	}
	if len(args) == 1 {
		return fill("CASE WHEN %1 > 0 THEN ln(%1) END", args), true
	}
	return fill("CASE WHEN %1 > 0 AND %1 <> 1 AND %2 > 0 THEN ln(%2) / ln(%1) END", args), true
}

func duckAtan(d *translation) (string, bool) {
	if len(d.args) == 1 {
		return ofDouble("atan(%1)")(d)
	}
	return ofDouble("atan2(%1, %2)")(d)
}

// duckFinite raises error 1690 where the result is infinite.
func duckFinite(pattern string) translator {
	return func(d *translation) (string, bool) {
		args, ok := d.each(d.double)
		if !ok {
			return "", false
		}
		text := fill(pattern, args)
		return "CASE WHEN isfinite(" + text + ") THEN " + text + " WHEN " + text + " IS NOT NULL THEN " + d.fails("DOUBLE") + " END", true
	}
}

// duckInetAton reads the halves of an address, or text of one to four numbers
// (manual 12.23, INET_ATON): the last of fewer stands for the rest.
func duckInetAton(d *translation) (string, bool) {
	if a := d.args[0]; a.Kind == Address {
		return fmt.Sprintf("CASE WHEN %s = 0 AND %s >> 32 = 65535 THEN %s & 4294967295 END", a.Hi, a.Lo, a.Lo), true
	}
	x, ok := d.text(0)
	if !ok {
		return "", false
	}
	const octet = `(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])`
	const list = `list_transform(string_split(%1, '.'), lambda p: CASE WHEN p = '' THEN 0 ELSE CAST(p AS UBIGINT) END)`
	return fill(`CASE WHEN regexp_full_match(%1, '`+octet+`(\.`+octet+`){3}') THEN `+
		`CAST(split_part(%1, '.', 1) AS UBIGINT) * 16777216 + CAST(split_part(%1, '.', 2) AS UBIGINT) * 65536 + `+
		`CAST(split_part(%1, '.', 3) AS UBIGINT) * 256 + CAST(split_part(%1, '.', 4) AS UBIGINT) `+
		`WHEN regexp_full_match(%1, '((0*`+octet+`)?\.)*0*`+octet+`') AND NOT ends_with(%1, '.') AND %1 <> '' THEN `+
		`CASE len(`+list+`) WHEN 1 THEN `+list+`[1] WHEN 2 THEN `+list+`[1] * 16777216 + `+list+`[2] `+
		`WHEN 3 THEN `+list+`[1] * 16777216 + `+list+`[2] * 65536 + `+list+`[3] `+
		`ELSE list_reduce(`+list+`[-8:], lambda a, b: a * 256 + b) END END`, []string{x}), true
}
