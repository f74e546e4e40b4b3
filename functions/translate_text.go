package functions

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/vt/sqlparser"
)

// textTranslations are those of the string functions.
var textTranslations = map[string]translator{
	"lower": duckLetters("lower(%1)"),
	// DuckDB has a capital ß, MySQL does not.
	"upper":           duckLetters("CASE WHEN contains(%1, 'ß') THEN array_to_string(list_transform(string_split(%1, 'ß'), lambda p: upper(p)), 'ß') ELSE upper(%1) END"),
	"length":          duckLength(""),
	"bit_length":      duckLength(" * 8"),
	"char_length":     duckChars,
	"concat":          duckConcat,
	"concat_ws":       duckConcatWS,
	"substring":       duckSubstring,
	"left":            duckEnd,
	"right":           duckEnd,
	"replace":         duckReplace,
	"trim":            duckTrim,
	"ltrim":           ofText("ltrim(%1, ' ')"),
	"rtrim":           ofText("rtrim(%1, ' ')"),
	"reverse":         duckReverse,
	"instr":           duckLocate(1, 0),
	"locate":          duckLocate(0, 1),
	"lpad":            duckPad,
	"rpad":            duckPad,
	"repeat":          duckRepeat,
	"space":           duckSpace,
	"hex":             duckHex,
	"md5":             duckHash("md5"),
	"sha1":            duckHash("sha1"),
	"sha2":            duckSHA2,
	"ascii":           duckASCII,
	"ord":             duckOrd,
	"substring_index": duckSubstringIndex,
	"find_in_set":     duckFindInSet,
	"field":           duckField,
	"elt":             duckElt,
	"strcmp":          duckStrcmp,
	"regexp":          duckRegexp,
	"regexp_like":     duckRegexp,
}

// duckLetters is a pattern over one text, not bytes: MySQL leaves those alone.
func duckLetters(pattern string) translator {
	return func(d *translation) (string, bool) {
		if d.isBytes(0) {
			return d.args[0].SQL, true
		}
		text, ok := d.text(0)
		return fill(pattern, []string{text}), ok
	}
}

func duckLength(times string) translator {
	return func(d *translation) (string, bool) {
		if d.isBytes(0) {
			return "(octet_length(" + d.args[0].SQL + ")" + times + ")", true
		}
		text, ok := d.text(0)
		return "(strlen(" + text + ")" + times + ")", ok
	}
}

func duckChars(d *translation) (string, bool) {
	if d.isBytes(0) {
		return "octet_length(" + d.args[0].SQL + ")", true
	}
	text, ok := d.text(0)
	return "length(" + text + ")", ok
}

func duckConcat(d *translation) (string, bool) {
	read := d.text
	if d.result.Kind == Bytes {
		read = d.bytes
	}
	args, ok := d.each(read)
	if !ok || !d.fits(int64(d.result.chars())) {
		return "", false
	}
	return "((" + strings.Join(args, ") || (") + "))", true
}

func duckConcatWS(d *translation) (string, bool) {
	args, ok := d.each(d.text)
	if !ok || d.result.Kind == Bytes || !d.fits(int64(d.result.chars())) {
		return "", false
	}
	return "concat_ws(" + strings.Join(args, ", ") + ")", true
}

// bounded is an operand as a number of characters that DuckDB's functions
// take: below zero is zero.
func (d *translation) bounded(i int) (string, bool) {
	if n, ok := d.literalInt(i); ok {
		return itoa(min(max(n, 0), math.MaxInt32)), true
	}
	n, ok := d.integer(i)
	return fmt.Sprintf("CASE WHEN %[1]s < 0 THEN 0 WHEN %[1]s > 2147483647 THEN 2147483647 ELSE %[1]s END", n), ok
}

// duckSubstring minds that position 0, and one before the start, give the
// empty text, where DuckDB counts on.
func duckSubstring(d *translation) (string, bool) {
	if d.isBytes(0) {
		return "", false
	}
	x, ok := d.text(0)
	if !ok {
		return "", false
	}
	length, missing := "", ""
	if len(d.args) == 3 {
		if length, ok = d.bounded(2); !ok {
			return "", false
		}
		if _, literal := d.literalInt(2); !literal {
			missing = " OR " + d.args[2].SQL + " IS NULL"
		}
		length = ", " + length
	}
	p, literal := d.literalInt(1)
	switch {
	case literal && p > 0:
		return fmt.Sprintf("substring(%s, %d%s)", x, min(p, math.MaxInt32), length), true
	case literal && p == 0 && missing == "":
		return "left(" + x + ", 0)", true
	case literal && p < 0 && missing == "":
		p = max(p, -math.MaxInt32)
		return fmt.Sprintf("CASE WHEN length(%[1]s) < %[2]d THEN '' ELSE substring(%[1]s, %[3]d%[4]s) END", x, -p, p, length), true
	}
	at, ok := d.integer(1)
	if !ok {
		return "", false
	}
	return fmt.Sprintf("CASE WHEN %[1]s IS NULL OR %[2]s IS NULL%[4]s THEN NULL WHEN %[2]s = 0 OR %[2]s < -length(%[1]s) OR %[2]s > length(%[1]s) "+
		"THEN left(%[1]s, 0) ELSE substring(%[1]s, %[2]s%[3]s) END", x, at, length, missing), true
}

// duckEnd is LEFT and RIGHT.
func duckEnd(d *translation) (string, bool) {
	if d.isBytes(0) {
		return "", false
	}
	x, okX := d.text(0)
	n, okN := d.bounded(1)
	return d.name + "(" + x + ", " + n + ")", okX && okN
}

// duckReplace minds by how much a text may grow: by what stands for each part.
func duckReplace(d *translation) (string, bool) {
	from, literal := d.literalText(1)
	if d.result.Kind == Bytes {
		return "", false
	}
	if !literal {
		from = " " // at least
	}
	to, literal := d.literalText(2)
	grown := int64(len(to))
	if chars := d.args[2].Type.chars(); !literal {
		grown = int64(chars) * 4
	}
	if from != "" && (!literal || grown > int64(len(from))) && !d.fits(int64(d.args[0].Type.chars())*grown) {
		return "", false
	}
	return ofText("replace(%1, %2, %3)")(d)
}

// duckTrim takes away spaces, or one character: of several DuckDB would take
// any.
func duckTrim(d *translation) (string, bool) {
	n, ok := d.node.(*sqlparser.TrimFuncExpr)
	if !ok || d.result.Kind == Bytes {
		return "", false
	}
	name := "trim"
	switch n.Type {
	case sqlparser.LeadingTrimType:
		name = "ltrim"
	case sqlparser.TrailingTrimType:
		name = "rtrim"
	}
	x, ok := d.text(len(d.args) - 1)
	part := " "
	if len(d.args) == 2 {
		var literal bool
		if part, literal = d.literalText(0); !literal || utf8.RuneCountInString(part) != 1 {
			return "", false
		}
	}
	return name + "(" + x + ", " + Quote(part) + ")", ok
}

// duckReverse reverses characters one by one: DuckDB's own keeps accents with
// their letters. Each is looked for from the start, so the text must be short.
func duckReverse(d *translation) (string, bool) {
	if n := d.args[0].Type.chars(); d.isBytes(0) || n == 0 || n > 4096 {
		return "", false
	}
	x, ok := d.text(0)
	return fmt.Sprintf("CASE WHEN strlen(%[1]s) = length(%[1]s) THEN reverse(%[1]s) "+
		"ELSE array_to_string(list_transform(range(length(%[1]s), 0, -1), lambda i: array_extract(%[1]s, i)), '') END", x), ok
}

// duckLocate finds a part in a text by code points.
func duckLocate(part, text int) translator {
	return func(d *translation) (string, bool) {
		if d.isBytes(0) || d.isBytes(1) || !d.binary(part, text) {
			return "", false
		}
		p, okP := d.text(part)
		x, okX := d.text(text)
		if !okP || !okX {
			return "", false
		}
		if len(d.args) == 2 {
			return "instr(" + x + ", " + p + ")", true
		}
		from, ok := d.literalInt(2)
		needle, fixed := d.literalText(part)
		if !ok || from > math.MaxInt32 || !fixed || needle == "" {
			return "", false
		}
		if from < 1 {
			return "(length(" + x + ") * 0)", true
		}
		found := fmt.Sprintf("instr(substring(%s, %d), %s)", x, from, p)
		return fmt.Sprintf("CASE WHEN %[1]s > 0 THEN %[1]s + %[2]d ELSE %[1]s END", found, from-1), true
	}
}

// maxMade is how long a text DuckDB may make of others, in characters. It makes
// 2,048 at once, does not count them as memory and can't be interrupted in
// between; longer ones are made by callbacks, which count.
const maxMade = 1 << 16

// fits tells whether a text of so many characters, 0 for any number, is never
// longer than that and max_allowed_packet.
func (d *translation) fits(chars int64) bool {
	return chars > 0 && chars <= min(maxMade, int64(d.s.TextLimit()/4))
}

func duckPad(d *translation) (string, bool) {
	n, ok := d.literalInt(1)
	pad, literal := d.literalText(2)
	x, isText := d.text(0)
	if !ok || !literal || !isText || pad == "" || d.isBytes(0) || n != 0 && !d.fits(n) {
		return "", false
	}
	return fmt.Sprintf("%s(%s, %d, %s)", d.name, x, n, Quote(pad)), true
}

func duckRepeat(d *translation) (string, bool) {
	n, ok := d.literalInt(1)
	x, isText := d.text(0)
	length := int64(d.args[0].Type.chars())
	if !ok || !isText || d.isBytes(0) || n > 0 && (length == 0 || !d.fits(length) || !d.fits(n) || !d.fits(length*n)) {
		return "", false
	}
	return fmt.Sprintf("repeat(%s, %d)", x, max(n, 0)), true
}

func duckSpace(d *translation) (string, bool) {
	n, ok := d.literalInt(0)
	if !ok || n > 0 && !d.fits(n) {
		return "", false
	}
	return fmt.Sprintf("repeat(' ', %d)", max(n, 0)), true
}

func duckHex(d *translation) (string, bool) {
	switch a := d.args[0]; a.Kind {
	case Bool, Integer:
		x, ok := d.integer(0)
		return "hex(" + x + ")", ok
	case Unsigned, Bytes:
		return "hex(" + a.SQL + ")", true
	case Decimal, Double:
		return "", false
	}
	x, ok := d.text(0)
	return "hex(" + x + ")", ok
}

func duckHash(name string) translator {
	return func(d *translation) (string, bool) {
		x, ok := d.bytes(0)
		return name + "(" + x + ")", ok
	}
}

func duckSHA2(d *translation) (string, bool) {
	x, ok := d.bytes(0)
	n, literal := d.literalInt(1)
	return "sha256(" + x + ")", ok && literal && (n == 0 || n == 256)
}

// duckASCII reads the first byte off the hex of the first character.
func duckASCII(d *translation) (string, bool) {
	if d.isBytes(0) {
		x := d.args[0].SQL
		return fmt.Sprintf("CASE WHEN octet_length(%[1]s) = 0 THEN 0 ELSE CAST('0x' || left(hex(%[1]s), 2) AS BIGINT) END", x), true
	}
	x, ok := d.text(0)
	return fmt.Sprintf("CASE WHEN %[1]s = '' THEN 0 ELSE CAST('0x' || left(hex(left(%[1]s, 1)), 2) AS BIGINT) END", x), ok
}

func duckOrd(d *translation) (string, bool) {
	if d.isBytes(0) {
		return duckASCII(d)
	}
	x, ok := d.text(0)
	return fmt.Sprintf("CASE WHEN %[1]s = '' THEN 0 ELSE CAST('0x' || hex(left(%[1]s, 1)) AS BIGINT) END", x), ok
}

// duckSubstringIndex cuts at the n-th delimiter, counted from the end when
// negative.
func duckSubstringIndex(d *translation) (string, bool) {
	if d.result.Kind == Bytes {
		return "", false
	}
	delimiter, okD := d.literalText(1)
	n, okN := d.literalInt(2)
	x, okX := d.text(0)
	if !okD || !okN || !okX {
		return "", false
	}
	switch {
	case delimiter == "" || n == 0:
		return "left(" + x + ", 0)", true
	case n == 1:
		return fmt.Sprintf("split_part(%s, %s, 1)", x, Quote(delimiter)), true
	case n > 0:
		return fmt.Sprintf("array_to_string(string_split(%s, %[2]s)[:%[3]d], %[2]s)", x, Quote(delimiter), min(n, math.MaxInt32)), true
	}
	return fmt.Sprintf("array_to_string(string_split(%s, %[2]s)[%[3]d:], %[2]s)", x, Quote(delimiter), max(n, -math.MaxInt32)), true
}

func duckFindInSet(d *translation) (string, bool) {
	if d.isBytes(0) || d.isBytes(1) || !d.binary(0, 1) {
		return "", false
	}
	return ofText("CAST(CASE WHEN %1 IS NULL OR %2 IS NULL THEN NULL WHEN %2 = '' THEN 0 " +
		"ELSE coalesce(list_position(string_split(%2, ','), %1), 0) END AS BIGINT)")(d)
}

// duckField compares texts of a binary collation, or integers.
func duckField(d *translation) (string, bool) {
	var args []string
	ok := true
	switch d.args[0].Kind {
	case Text:
		of := make([]int, len(d.args))
		for i, a := range d.args {
			of[i] = i
			ok = ok && (a.Kind == Text || a.Kind == Null)
		}
		if ok = ok && d.binary(of...); ok {
			args, ok = d.each(d.text)
		}
	case Integer:
		args, ok = d.each(d.integer)
	default:
		ok = false
	}
	if !ok {
		return "", false
	}
	var b strings.Builder
	b.WriteString("CASE")
	for i, a := range args[1:] {
		b.WriteString(" WHEN " + args[0] + " = " + a + " THEN " + strconv.Itoa(i+1))
	}
	return "CAST(" + b.String() + " ELSE 0 END AS BIGINT)", true
}

func duckElt(d *translation) (string, bool) {
	n, ok := d.integer(0)
	if !ok || d.result.Kind == Bytes {
		return "", false
	}
	var b strings.Builder
	b.WriteString("CASE " + n)
	for i := range d.args[1:] {
		text, ok := d.text(i + 1)
		if !ok {
			return "", false
		}
		b.WriteString(" WHEN " + strconv.Itoa(i+1) + " THEN " + text)
	}
	return b.String() + " END", true
}

func duckStrcmp(d *translation) (string, bool) {
	if d.isBytes(0) || d.isBytes(1) || !d.binary(0, 1) {
		return "", false
	}
	return ofText("CAST(CASE WHEN %1 < %2 THEN -1 WHEN %1 > %2 THEN 1 WHEN %1 = %2 THEN 0 END AS BIGINT)")(d)
}
