package functions

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// texts are the string functions (manual 12.8), those of patterns apart.
var texts = []builtin{
	{name: "ascii", args: "text", typed: maybeInt, stored: true, doc: "The number of the first byte."},
	{name: "bit_length", args: "text", typed: maybeInteger, stored: true, doc: "The length in bits."},
	{name: "char", args: "n, …", typed: charType, doc: "The bytes with these numbers: CHAR(n, … [USING charset])."},
	{name: "char_length", args: "text", typed: maybeInteger, doc: "The number of characters."},
	{name: "collation", args: "text", typed: plainText(64), eval: evalCollation, doc: "The name of the collation."},
	{name: "concat", args: "a, …", typed: textOf(total), eval: evalConcat, doc: "The arguments joined; NULL where one is."},
	{name: "concat_ws", args: "separator, a, …", typed: textOf(joined), eval: evalConcatWS, doc: "The arguments but NULLs, with a separator between."},
	{name: "elt", args: "n, a, …", typed: eltType, doc: "The n-th of the texts."},
	{name: "export_set", args: "bits, on, off[, separator[, number]]", typed: exportType, eval: evalExportSet, doc: "A text for each bit, from the lowest."},
	{name: "field", args: "a, b, …", typed: intResult.never(), eval: evalField, doc: "The position of a among those that follow; 0 for none."},
	{name: "find_in_set", args: "text, list", typed: maybeInt, eval: evalFindInSet, doc: "The position of a text in a list separated by commas."},
	{name: "from_base64", args: "text", typed: plainBytes(0), doc: "The bytes written in base 64."},
	{name: "hex", args: "a", typed: plainText(0), eval: evalHex, stored: true, doc: "A number, or the bytes of text, in base 16."},
	{name: "insert", args: "text, position, length, new", typed: textOf(insertLength), eval: evalInsert, doc: "The text with a part replaced."},
	{name: "instr", args: "text, part", typed: maybeInteger, eval: evalLocate, doc: "The position of the first occurrence."},
	{name: "left", args: "text, length", typed: textFirst(atMost(1)), doc: "The first characters."},
	{name: "length", args: "text", typed: maybeInteger, stored: true, doc: "The length in bytes."},
	{name: "locate", args: "part, text[, position]", typed: maybeInteger, eval: evalLocate, doc: "The position of the first occurrence, from a position on."},
	{name: "lower", args: "text", typed: textFirst(first), eval: evalLetters, doc: "The text in lower case."},
	{name: "lpad", args: "text, length, pad", typed: padType, eval: evalPad, doc: "The text filled on the left, or cut, to a length."},
	{name: "ltrim", args: "text", typed: textFirst(first), eval: evalTrim, doc: "The text without spaces on the left."},
	{name: "make_set", args: "bits, a, …", typed: textOf(total), eval: evalMakeSet, doc: "The texts whose bits are set, separated by commas."},
	{name: "md5", args: "text", typed: plainText(32), stored: true, doc: "The MD5 in hex."},
	{name: "ord", args: "text", typed: maybeInteger, stored: true, doc: "The number of the first character."},
	{name: "quote", args: "text", typed: textOf(quoteLength), eval: evalQuote, doc: "The text as an SQL literal."},
	{name: "repeat", args: "text, count", typed: repeatType, eval: evalRepeat, doc: "The text so many times."},
	{name: "replace", args: "text, from, to", typed: textOf(unknown), eval: evalReplace, doc: "The text with every occurrence replaced, case counts."},
	{name: "reverse", args: "text", typed: textFirst(first), doc: "The characters in reverse order."},
	{name: "right", args: "text, length", typed: textFirst(atMost(1)), doc: "The last characters."},
	{name: "rpad", args: "text, length, pad", typed: padType, eval: evalPad, doc: "The text filled on the right, or cut, to a length."},
	{name: "rtrim", args: "text", typed: textFirst(first), eval: evalTrim, doc: "The text without spaces on the right."},
	{name: "sha1", args: "text", typed: plainText(40), stored: true, doc: "The SHA-1 in hex."},
	{name: "sha2", args: "text, bits", typed: plainText(128), stored: true, doc: "The SHA-224, 256, 384 or 512 in hex."},
	{name: "soundex", args: "text", typed: textFirst(first), eval: evalSoundex, doc: "How the text sounds."},
	{name: "space", args: "count", typed: plainText(0), eval: evalSpace, doc: "So many spaces."},
	{name: "strcmp", args: "a, b", typed: maybeInt, eval: evalStrcmp, doc: "-1, 0 or 1 as the first is less, equal or greater."},
	{name: "substring", args: "text, position[, length]", typed: textFirst(atMost(2)), eval: evalSubstring, doc: "A part of the text; a negative position counts from the end."},
	{name: "substring_index", args: "text, delimiter, count", typed: textOf(first), eval: evalSubstringIndex, doc: "What is before the n-th delimiter; of a negative number behind it, from the end."},
	{name: "to_base64", args: "text", typed: plainText(0), stored: true, doc: "The bytes in base 64, in lines of 76."},
	{name: "trim", args: "text", typed: trimType, eval: evalTrim, doc: "TRIM([BOTH|LEADING|TRAILING] [part FROM] text): the text without a part at its ends."},
	{name: "unhex", args: "text", typed: plainBytes(0), doc: "The bytes written in base 16."},
	{name: "upper", args: "text", typed: textFirst(first), eval: evalLetters, doc: "The text in upper case."},
	{name: "weight_string", args: "text", typed: plainBytes(0), stored: true, doc: "The bytes by which the text is ordered."},
}

// textFirst is the rule of text that is a part of the first argument.
func textFirst(length func(c *call) int) rule {
	return func(c *call) (Type, error) {
		t, err := c.text(length(c), c.args[:1])
		t.Nullable = c.nullable()
		return t, err
	}
}

func charType(c *call) (Type, error) {
	set := c.node.(*sqlparser.CharExpr).Charset
	if set == "" || set == "binary" {
		return Type{Kind: Bytes, Length: 4 * len(c.args), Nullable: true}, nil
	}
	id := environment().CollationEnv().DefaultCollationForCharset(set)
	if id == collations.Unknown {
		return Type{}, Errorf(1115, "Unknown character set: '%s'", set)
	}
	return Type{Kind: Text, Length: 4 * len(c.args), Collation: id, Coercibility: collations.CoerceImplicit, Nullable: true}, nil
}

// joined is the length of CONCAT_WS.
func joined(c *call) int {
	n := total(c)
	if n > 0 {
		n += c.args[0].chars() * max(0, len(c.args)-3)
	}
	return n
}

func eltType(c *call) (Type, error) {
	n := 0
	for _, a := range c.args[1:] {
		l := a.chars()
		if l == 0 && a.Type.Kind != Null {
			n = 0
			break
		}
		n = max(n, l)
	}
	t, err := c.text(n, c.args[1:])
	t.Nullable = true
	return t, err
}

func exportType(c *call) (Type, error) { return c.text(0, c.args[1:min(len(c.args), 4)]) }

func insertLength(c *call) int {
	a, b := c.args[0].chars(), c.args[3].chars()
	if a == 0 || b == 0 {
		return 0
	}
	return a + b
}

func padType(c *call) (Type, error) {
	n, _ := c.literalInt(1)
	t, err := c.text(int(max(n, 0)), []Argument{c.args[0], c.args[2]})
	t.Nullable = true
	return t, err
}

func repeatType(c *call) (Type, error) {
	n, ok := c.literalInt(1)
	length := 0
	if ok {
		length = c.args[0].chars() * int(min(max(n, 0), 1<<20))
	}
	t, err := c.text(length, c.args[:1])
	t.Nullable = true
	return t, err
}

func trimType(c *call) (Type, error) {
	// The part to trim stands before the text.
	t, err := c.text(c.args[len(c.args)-1].chars(), c.args)
	return t, err
}

func quoteLength(c *call) int {
	if n := c.args[0].chars(); n > 0 {
		return 2*n + 2
	}
	return 0
}

// tooLong is the NULL of a text past max_allowed_packet.
func (c *call) tooLong() (sqltypes.Value, error) {
	c.s.warn(1301, "Result of "+c.name+"() was larger than max_allowed_packet - truncated")
	return sqltypes.NULL, nil
}

// binary tells whether characters are bytes: one of the texts is bytes.
func (c *call) binary() bool { return c.result.Kind == Bytes }

// count is the number of characters.
func (c *call) count(text []byte) int {
	if c.binary() {
		return len(text)
	}
	return utf8.RuneCount(text)
}

// at is the byte behind the first n characters.
func (c *call) at(text []byte, n int) int {
	if c.binary() {
		return min(n, len(text))
	}
	i := 0
	for ; n > 0 && i < len(text); n-- {
		_, size := utf8.DecodeRune(text[i:])
		i += size
	}
	return i
}

func (c *call) made(b []byte) sqltypes.Value {
	if c.binary() {
		return sqltypes.MakeTrusted(sqltypes.VarBinary, b)
	}
	return textValue(b)
}

func evalConcat(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n := 0
		for _, v := range row[:len(c.args)] {
			n += len(v.Raw())
		}
		if n > c.s.TextLimit() {
			return c.tooLong()
		}
		out := make([]byte, 0, n)
		for _, v := range row[:len(c.args)] {
			out = append(out, v.Raw()...)
		}
		return c.made(out), nil
	}), nil
}

func evalConcatWS(c *call) (evaluator, error) {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() {
			return sqltypes.NULL, nil
		}
		var out []byte
		some := false
		for _, v := range row[1:len(c.args)] {
			if v.IsNull() {
				continue
			}
			if len(out)+len(v.Raw())+len(row[0].Raw()) > c.s.TextLimit() {
				return c.tooLong()
			}
			if some {
				out = append(out, row[0].Raw()...)
			}
			out, some = append(out, v.Raw()...), true
		}
		return c.made(out), nil
	}, nil
}

// evalLocate looks for a long part in a long text on its own, where it takes up to
// as many steps as both lengths multiplied, and can be ended; and letters past
// ASCII, which MySQL compares with as many bytes of the text (my_instr_mb): é is
// found in É, e is not.
func evalLocate(c *call) (evaluator, error) {
	const long = 1 << 22
	short, err := c.bySQL()
	if err != nil {
		return nil, err
	}
	id, _, err := c.mixed(c.args)
	if err != nil {
		return nil, err
	}
	part, text := 0, 1
	if c.name == "instr" {
		part, text = 1, 0
	}
	from := func(sqltypes.Value) int64 { return 1 }
	if len(c.args) > 2 {
		from = c.integer(2)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		p, x := row[part].Raw(), row[text].Raw()
		if len(p)*len(x) < long && (len(p) == 0 || ComparesBytes(id) || utf8.RuneCount(p) == len(p) && utf8.RuneCount(x) == len(x)) {
			return short(row)
		}
		n := int64(1)
		if len(c.args) > 2 {
			n = from(row[2])
		}
		if n < 1 {
			return intValue(0), nil
		}
		coll := colldata.Lookup(unicodeCollation(id))
		k := &steps{s: c.s}
		for at := int64(1); len(x) > 0; at++ {
			whole := len(x) == len(p) || len(x) > len(p) && utf8.RuneStart(x[len(p)])
			if at >= n && whole && coll.Collate(x[:len(p)], p, false) == 0 {
				return intValue(at), nil
			}
			_, size, _ := coll.Charset().DecodeRune(x)
			if x = x[size:]; k.over(len(p)) {
				return sqltypes.NULL, k.err
			}
		}
		return intValue(0), nil
	}), nil
}

func evalExportSet(c *call) (evaluator, error) {
	bits := c.bits(0)
	number := func(sqltypes.Value) int64 { return 64 }
	if len(c.args) == 5 {
		number = c.integer(4)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		separator := []byte(",")
		if len(c.args) > 3 {
			separator = row[3].Raw()
		}
		n := int64(64)
		if len(c.args) == 5 {
			if n = number(row[4]); n < 0 || n > 64 {
				n = 64
			}
		}
		set := bits(row[0])
		var out []byte
		for i := range n {
			if i > 0 {
				out = append(out, separator...)
			}
			if set>>i&1 == 1 {
				out = append(out, row[1].Raw()...)
			} else {
				out = append(out, row[2].Raw()...)
			}
			if len(out) > c.s.TextLimit() {
				return c.tooLong()
			}
		}
		return c.made(out), nil
	}), nil
}

// bits reads an argument as 64 bits.
func (c *call) bits(i int) func(v sqltypes.Value) uint64 {
	if c.args[i].Type.Kind == Unsigned {
		return func(v sqltypes.Value) uint64 {
			n, _ := v.ToUint64()
			return n
		}
	}
	read := c.integer(i)
	return func(v sqltypes.Value) uint64 { return uint64(read(v)) }
}

func evalMakeSet(c *call) (evaluator, error) {
	bits := c.bits(0)
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() {
			return sqltypes.NULL, nil
		}
		set := bits(row[0])
		var out []byte
		some := false
		for i, v := range row[1:len(c.args)] {
			if i > 63 || set>>i&1 == 0 || v.IsNull() {
				continue
			}
			if some {
				out = append(out, ',')
			}
			out, some = append(out, v.Raw()...), true
		}
		return c.made(out), nil
	}, nil
}

// evalFindInSet compares by the collation. A text with a comma is in no set.
func evalFindInSet(c *call) (evaluator, error) {
	id, _, err := c.mixed(c.args)
	if err != nil {
		return nil, err
	}
	collation := colldata.Lookup(unicodeCollation(id))
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		list := row[1].Raw()
		if len(list) == 0 {
			return zero, nil
		}
		for i, part := range bytes.Split(list, []byte(",")) {
			if collation.Collate(row[0].Raw(), part, false) == 0 {
				return intValue(int64(i + 1)), nil
			}
		}
		return zero, nil
	}), nil
}

// evalField compares numbers as numbers and texts as texts; where both occur
// all are doubles.
func evalField(c *call) (evaluator, error) {
	numeric, approximate := 0, false
	for _, a := range c.args {
		if a.Type.Kind.Numeric() { // NULL is a text to MySQL
			numeric++
		}
		approximate = approximate || a.Type.Kind == Double
	}
	var equal func(row []sqltypes.Value, i int) bool
	switch {
	case numeric == len(c.args) && !approximate:
		read := make([]func(sqltypes.Value) decimal.Decimal, len(c.args))
		for i := range read {
			read[i] = c.decimal(i)
		}
		equal = func(row []sqltypes.Value, i int) bool { return read[0](row[0]).Equal(read[i](row[i])) }
	case numeric > 0:
		read := make([]func(sqltypes.Value) float64, len(c.args))
		for i := range read {
			read[i] = c.float(i)
		}
		equal = func(row []sqltypes.Value, i int) bool { return read[0](row[0]) == read[i](row[i]) }
	default:
		id, _, err := c.mixed(c.args)
		if err != nil {
			return nil, err
		}
		equal = func(row []sqltypes.Value, i int) bool { return collate(row[0].Raw(), row[i].Raw(), id) == 0 }
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		for i := 1; i < len(c.args) && !row[0].IsNull(); i++ {
			if !row[i].IsNull() && equal(row, i) {
				return intValue(int64(i)), nil
			}
		}
		return zero, nil
	}, nil
}

func evalInsert(c *call) (evaluator, error) {
	position, length := c.integer(1), c.integer(2)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text := row[0].Raw()
		p, n := position(row[1]), length(row[2])
		total := int64(c.count(text))
		if p < 1 || p > total {
			return c.made(bytes.Clone(text)), nil
		}
		if n < 0 || n > total-p+1 {
			n = total - p + 1
		}
		from := c.at(text, int(p-1))
		to := from + c.at(text[from:], int(n))
		if from+len(row[3].Raw())+len(text)-to > c.s.TextLimit() {
			return c.tooLong()
		}
		return c.made(slicesJoin(text[:from], row[3].Raw(), text[to:])), nil
	}), nil
}

func slicesJoin(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func evalPad(c *call) (evaluator, error) {
	length := c.integer(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n := length(row[1])
		text, pad := row[0].Raw(), row[2].Raw()
		have := int64(c.count(text))
		switch {
		case n < 0:
			return sqltypes.NULL, nil
		case n <= have:
			return c.made(bytes.Clone(text[:c.at(text, int(n))])), nil
		case len(pad) == 0:
			return sqltypes.NULL, nil
		}
		width := int64(1)
		if !c.binary() {
			width = 4 // MySQL counts the widest character
		}
		if n > int64(c.s.TextLimit())/width {
			return c.tooLong()
		}
		missing := int(n - have)
		each := c.count(pad)
		fill := bytes.Repeat(pad, missing/each)
		fill = append(fill, pad[:c.at(pad, missing%each)]...)
		if c.name == "lpad" {
			return c.made(slicesJoin(fill, text)), nil
		}
		return c.made(slicesJoin(text, fill)), nil
	}), nil
}

func evalQuote(c *call) (evaluator, error) {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() {
			return textValue([]byte("NULL")), nil
		}
		out := []byte{'\''}
		for _, b := range row[0].Raw() {
			switch b {
			case '\'', '\\':
				out = append(out, '\\', b)
			case 0:
				out = append(out, '\\', '0')
			case 26:
				out = append(out, '\\', 'Z')
			default:
				out = append(out, b)
			}
		}
		return c.made(append(out, '\'')), nil
	}, nil
}

func evalRepeat(c *call) (evaluator, error) {
	count := c.integer(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n, text := count(row[1]), row[0].Raw()
		if n <= 0 || len(text) == 0 {
			return c.made(nil), nil
		}
		if n > int64(c.s.TextLimit()/len(text)) {
			return c.tooLong()
		}
		return c.made(bytes.Repeat(text, int(n))), nil
	}), nil
}

func evalSpace(c *call) (evaluator, error) {
	count := c.integer(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n := max(count(row[0]), 0)
		if n > int64(c.s.TextLimit()) {
			return c.tooLong()
		}
		return textValue(bytes.Repeat([]byte{' '}, int(n))), nil
	}), nil
}

func evalReplace(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text, from, to := row[0].Raw(), row[1].Raw(), row[2].Raw()
		if len(from) == 0 {
			return c.made(bytes.Clone(text)), nil
		}
		if n := bytes.Count(text, from); len(text)+n*(len(to)-len(from)) > c.s.TextLimit() {
			return c.tooLong()
		}
		return c.made(bytes.ReplaceAll(text, from, to)), nil
	}), nil
}

// evalSubstringIndex cuts at the n-th delimiter, case counts. Delimiters are
// found from the left, also where the count is negative; those of bytes from
// the right then.
func evalSubstringIndex(c *call) (evaluator, error) {
	count := c.integer(2)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text, delimiter, n := row[0].Raw(), row[1].Raw(), count(row[2])
		if len(delimiter) == 0 || n == 0 {
			return c.made(nil), nil
		}
		if n < 0 && c.binary() {
			end := len(text)
			for ; n < 0; n++ {
				if end = bytes.LastIndex(text[:end], delimiter); end < 0 {
					return c.made(bytes.Clone(text)), nil
				}
			}
			return c.made(bytes.Clone(text[end+len(delimiter):])), nil
		}
		behind := n < 0
		if behind {
			if n += int64(bytes.Count(text, delimiter)) + 1; n <= 0 {
				return c.made(bytes.Clone(text)), nil
			}
		}
		at := 0
		for ; n > 0; n-- {
			i := bytes.Index(text[at:], delimiter)
			if i < 0 {
				return c.made(bytes.Clone(text)), nil
			}
			at += i + len(delimiter)
		}
		if behind {
			return c.made(bytes.Clone(text[at:])), nil
		}
		return c.made(bytes.Clone(text[:at-len(delimiter)])), nil
	}), nil
}

// evalSoundex is MySQL's: the original algorithm, of any length of at least
// four (manual 12.8).
func evalSoundex(c *call) (evaluator, error) {
	const codes = "01230120022455012623010202"
	capital := func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		return r
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		var out strings.Builder
		last := byte(0)
		n := 0
		for _, r := range row[0].ToString() {
			r = capital(r)
			code := byte('0')
			if r >= 'A' && r <= 'Z' {
				code = codes[r-'A']
			} else if r < 0xC0 {
				continue // no letter
			}
			switch {
			case n == 0:
				out.WriteRune(r)
			case code == '0' || code == last:
				continue
			default:
				out.WriteByte(code)
			}
			n++
			last = code
		}
		if n > 0 && n < 4 {
			out.WriteString("000"[:4-n])
		}
		return c.made([]byte(out.String())), nil
	}), nil
}

// evalLetters is LOWER and UPPER: one letter for one, bytes stay.
func evalLetters(c *call) (evaluator, error) {
	change := unicode.ToLower
	if c.name == "upper" {
		change = unicode.ToUpper
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if c.binary() {
			return c.made(bytes.Clone(row[0].Raw())), nil
		}
		return textValue(bytes.Map(change, row[0].Raw())), nil
	}), nil
}

// evalTrim takes a part, or spaces, off the ends as often as it is there.
func evalTrim(c *call) (evaluator, error) {
	n := c.node.(*sqlparser.TrimFuncExpr)
	left := c.name == "ltrim" || c.name == "trim" && n.Type != sqlparser.TrailingTrimType
	right := c.name == "rtrim" || c.name == "trim" && n.Type != sqlparser.LeadingTrimType
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		part, text := []byte(" "), row[len(c.args)-1].Raw()
		if len(c.args) == 2 {
			part = row[0].Raw()
		}
		for left && len(part) > 0 && bytes.HasPrefix(text, part) {
			text = text[len(part):]
		}
		for right && len(part) > 0 && bytes.HasSuffix(text, part) {
			text = text[:len(text)-len(part)]
		}
		return c.made(bytes.Clone(text)), nil
	}), nil
}

// evalHex is HEX. A number is rounded; one that no BIGINT holds has all bits.
func evalHex(c *call) (evaluator, error) {
	if k := c.args[0].Type.Kind; k != Double && k != Decimal {
		return c.bySQL()
	}
	number := c.float(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		bits := uint64(math.MaxUint64)
		switch f := number(row[0]); {
		case f >= 0 && f < math.MaxUint64:
			bits = uint64(f + 0.5)
		case f < 0 && f > math.MinInt64:
			bits = uint64(int64(f - 0.5))
		}
		return textValue(fmt.Appendf(nil, "%X", bits)), nil
	}), nil
}

// evalSubstring is SUBSTRING. A position of more than 31 bits is behind the text;
// evalengine takes an unsigned one for negative.
func evalSubstring(c *call) (evaluator, error) {
	eval, err := c.bySQL()
	if err != nil || !slices.ContainsFunc(c.args[1:], func(a Argument) bool { return a.Type.Kind == Unsigned }) {
		return eval, err
	}
	position := c.integer(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if n := position(row[1]); n > math.MaxInt32 || n < math.MinInt32 {
			return textValue(nil), nil
		}
		if len(c.args) == 3 && c.args[2].Type.Kind == Unsigned {
			row = slices.Clone(row)
			row[2] = uintValue(uint64(min(c.integer(2)(row[2]), math.MaxInt32)))
		}
		return eval(row)
	}), nil
}
