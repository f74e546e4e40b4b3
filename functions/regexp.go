package functions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// patterns are the functions of regular expressions (manual 12.8.2). MySQL's
// are ICU's, which backtrack: a pattern can take longer than the world lasts.
// Ours are RE2, whose time is bounded by pattern and text; what RE2 lacks,
// which is looking around, back references and possessive repetition, is
// refused. Over bytes they match bytes.
var patterns = []builtin{
	{name: "regexp", args: "text, pattern", typed: truth, eval: evalRegexpLike, doc: "Whether the pattern matches: text [NOT] REGEXP pattern, RLIKE."},
	{name: "regexp_like", args: "text, pattern[, flags]", typed: truth, eval: evalRegexpLike, doc: "Whether the pattern matches; flags are c, i, m, n and u."},
	{name: "regexp_instr", args: "text, pattern[, position[, occurrence[, option[, flags]]]]", typed: maybeInteger, eval: evalRegexpInstr, doc: "The position of a match, or behind it with option 1; 0 for none."},
	{name: "regexp_replace", args: "text, pattern, replacement[, position[, occurrence[, flags]]]", typed: regexpText, eval: evalRegexpReplace, doc: "The text with matches replaced; $1 is the first group."},
	{name: "regexp_substr", args: "text, pattern[, position[, occurrence[, flags]]]", typed: regexpText, eval: evalRegexpSubstr, doc: "The text of a match; NULL for none."},
}

func regexpText(c *call) (Type, error) {
	t, err := c.text(0, c.args[:2])
	if c.name == "regexp_substr" {
		t.Length = c.args[0].chars()
	}
	t.Nullable = true
	return t, err
}

// search is a call's subject, pattern and options, by their argument.
type search struct {
	c *call
	// position, occurrence, option, flags are arguments, -1 where not given.
	replacement, position, occurrence, option, flags int
	blind                                            bool // for case
	binary                                           bool
	fixed                                            *compiledPattern
}

// compiledPattern is a pattern that can match.
type compiledPattern struct {
	*regexp.Regexp
	// behind, when not nil, is for a pattern that looks at what is before a
	// match: behind the first character, as its first group.
	behind *regexp.Regexp
	size   int // of the program: each character takes up to as many steps
}

// compilePattern reads a pattern of RE2.
func compilePattern(text string) (*compiledPattern, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, regexpError(err)
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, regexpError(err)
	}
	out := &compiledPattern{size: len(program.Inst)}
	if out.size > maxProgram {
		return nil, errTooComplex
	}
	back := looksBack(tree)
	if out.Regexp, err = regexp.Compile(text); err == nil && back {
		out.behind, err = regexp.Compile(`\A(?s:.)(?s:.*?)(` + text + `)`)
	}
	if err != nil {
		return nil, regexpError(err)
	}
	return out, nil
}

var errTooComplex = Errorf(3700, "The regular expression pattern exceeds limits on size or complexity.")

// interruptible is a long text that ends where its statement does.
type interruptible struct {
	text []byte
	size int
	*steps
}

// ReadRune implements io.RuneReader.
func (r *interruptible) ReadRune() (rune, int, error) {
	if len(r.text) == 0 || r.over(r.size) {
		return 0, 0, io.EOF
	}
	c, n := utf8.DecodeRune(r.text)
	r.text = r.text[n:]
	return c, n, nil
}

// long tells whether to match a text takes so long that it must end with its
// statement.
func (p *compiledPattern) long(text []byte) bool { return len(text)*p.size > 1<<20 }

// match tells whether a text matches.
func (p *compiledPattern) match(s *Session, text []byte) (bool, error) {
	if !p.long(text) {
		return p.Match(text), nil
	}
	r := &interruptible{text, p.size, &steps{s: s}}
	found := p.MatchReader(r)
	return found, r.err
}

// find gives the first match from a position on, nil when there is none.
func (p *compiledPattern) find(k *steps, text []byte, from int) (m []int, err error) {
	re := p.Regexp
	if from > 0 && p.behind != nil {
		re = p.behind
		_, n := utf8.DecodeLastRune(text[:from])
		from -= n
	}
	if p.long(text[from:]) {
		m = re.FindReaderSubmatchIndex(&interruptible{text[from:], p.size, k})
	} else if m = re.FindSubmatchIndex(text[from:]); m != nil {
		k.over(m[1])
	}
	if k.err != nil || m == nil {
		return nil, k.err
	}
	if re != p.Regexp {
		m = m[2:]
	}
	for i := range m {
		if m[i] >= 0 {
			m[i] += from
		}
	}
	return m, nil
}

// newSearch finds the arguments, which stand in the order of the node's fields,
// and compiles a literal pattern.
func newSearch(c *call) (*search, error) {
	s := &search{c: c, replacement: -1, position: -1, occurrence: -1, option: -1, flags: -1}
	next := 2
	given := func(e sqlparser.Expr, arg *int) {
		if e != nil {
			*arg = next
			next++
		}
	}
	switch n := c.node.(type) {
	case *sqlparser.RegexpLikeExpr:
		given(n.MatchType, &s.flags)
	case *sqlparser.RegexpInstrExpr:
		given(n.Position, &s.position)
		given(n.Occurrence, &s.occurrence)
		given(n.ReturnOption, &s.option)
		given(n.MatchType, &s.flags)
	case *sqlparser.RegexpReplaceExpr:
		given(n.Repl, &s.replacement)
		given(n.Occurrence, &s.occurrence)
		given(n.Position, &s.position)
		given(n.MatchType, &s.flags)
	case *sqlparser.RegexpSubstrExpr:
		given(n.Occurrence, &s.occurrence)
		given(n.Position, &s.position)
		given(n.MatchType, &s.flags)
	}
	id, _, err := c.mixed(c.args[:2])
	if err != nil {
		return nil, err
	}
	s.binary = c.args[0].Type.Kind == Bytes || c.args[1].Type.Kind == Bytes
	if l := colldata.Lookup(id); l != nil && !s.binary {
		s.blind = strings.Contains(l.Name(), "_ci")
	}
	flags := ""
	if s.flags >= 0 {
		if !c.args[s.flags].Literal {
			return s, nil
		}
		flags = c.args[s.flags].Value.ToString()
	}
	if p := c.args[1]; p.Literal && !p.Value.IsNull() {
		s.fixed, err = s.compile(p.Value.ToString(), flags)
	}
	return s, err
}

// compiled keeps patterns that stand in rows.
var compiled = struct {
	sync.Mutex
	patterns map[string]*compiledPattern
	size     int // of all their programs
}{patterns: map[string]*compiledPattern{}}

// The bounds of what patterns cost: how long one is, how large its program, and
// how many are kept, of which size together.
const (
	maxPattern      = 4096
	maxProgram      = 10_000
	maxCompiled     = 512
	maxCompiledSize = 500_000
)

// pattern is that of a row.
func (s *search) pattern(row []sqltypes.Value) (*compiledPattern, error) {
	if s.fixed != nil {
		return s.fixed, nil
	}
	flags := ""
	if s.flags >= 0 {
		flags = row[s.flags].ToString()
	}
	key := fmt.Sprint(s.blind, s.binary, flags, "\x00", row[1].ToString())
	compiled.Lock()
	re := compiled.patterns[key]
	compiled.Unlock()
	if re != nil {
		return re, nil
	}
	re, err := s.compile(row[1].ToString(), flags)
	if err != nil {
		return nil, err
	}
	compiled.Lock()
	defer compiled.Unlock()
	if len(compiled.patterns) >= maxCompiled || compiled.size+re.size > maxCompiledSize {
		clear(compiled.patterns)
		compiled.size = 0
	}
	if compiled.patterns[key] == nil { // nor by another
		compiled.patterns[key] = re
		compiled.size += re.size
	}
	return re, nil
}

func (s *search) compile(pattern, flags string) (*compiledPattern, error) {
	if len(pattern) > maxPattern {
		return nil, errTooComplex
	}
	like := s.c.name == "regexp" || s.c.name == "regexp_like"
	text, err := re2(pattern, flags, s.blind, s.binary, like)
	if err != nil {
		return nil, err
	}
	return compilePattern(text)
}

// looksBack tells whether a match depends on what is before it.
func looksBack(tree *syntax.Regexp) bool {
	switch tree.Op {
	case syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary:
		return true
	}
	return slices.ContainsFunc(tree.Sub, looksBack)
}

// regexpError gives an error of a pattern MySQL's number.
func regexpError(err error) error {
	var bad *syntax.Error
	if !errors.As(err, &bad) {
		return Errorf(3685, "Illegal argument to a regular expression: %v", err)
	}
	number := 3688
	switch bad.Code {
	case syntax.ErrMissingParen, syntax.ErrUnexpectedParen:
		number = 3691
	case syntax.ErrMissingBracket:
		number = 3696
	case syntax.ErrInvalidRepeatSize, syntax.ErrInvalidRepeatOp:
		number = 3692
	case syntax.ErrInvalidCharRange, syntax.ErrInvalidCharClass:
		number = 3697
	case syntax.ErrInvalidEscape, syntax.ErrTrailingBackslash:
		number = 3689
	case syntax.ErrInvalidPerlOp:
		number = 3690
	case syntax.ErrLarge, syntax.ErrNestingDepth:
		number = 3700
	}
	return Errorf(number, "Regular expressions are RE2, without looking around and back references: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
}

// latin1 makes a character of every byte, so that a pattern of characters
// matches bytes.
func latin1(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// fromLatin1 is the way back.
func fromLatin1(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for _, r := range string(s) {
		out = append(out, byte(r))
	}
	return out
}

// subject is the text of a row as the pattern sees it.
func (s *search) subject(v sqltypes.Value) []byte {
	if s.binary {
		return []byte(latin1(v.Raw()))
	}
	return v.Raw()
}

// made is a part of a subject, or what was made of it, as the result.
func (s *search) made(b []byte) sqltypes.Value {
	if s.binary {
		return sqltypes.MakeTrusted(sqltypes.VarBinary, fromLatin1(b))
	}
	return textValue(bytes.Clone(b))
}

func evalRegexpLike(c *call) (evaluator, error) {
	s, err := newSearch(c)
	if err != nil {
		return nil, err
	}
	negate := false
	if n, ok := c.node.(*sqlparser.ComparisonExpr); ok {
		negate = n.Operator == sqlparser.NotRegexpOp
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		re, err := s.pattern(row)
		if err != nil {
			return sqltypes.NULL, err
		}
		found, err := re.match(c.s, s.subject(row[0]))
		return boolValue(found != negate), err
	}), nil
}

// matches are the first ones from a position on, at most so many if not 0, as ICU
// finds them: the next may be empty where the last one ended.
func (s *search) matches(re *compiledPattern, text []byte, from, most int) (out [][]int, err error) {
	k := &steps{s: s.c.s}
	for from <= len(text) && (most == 0 || len(out) < most) {
		m, err := re.find(k, text, from)
		if err != nil {
			return nil, err
		}
		if m == nil {
			break
		}
		out = append(out, m)
		if from = m[1]; m[0] == m[1] { // the next one is behind a character
			_, n := utf8.DecodeRune(text[from:])
			from += max(n, 1)
		}
	}
	return out, nil
}

// start reads where to begin: a byte of the subject.
func (s *search) start(row []sqltypes.Value, text []byte, position func(sqltypes.Value) int64) (int, error) {
	if s.position < 0 {
		return 0, nil
	}
	p := position(row[s.position])
	if p < 1 || p > int64(utf8.RuneCount(text))+1 {
		return 0, Errorf(3686, "Index out of bounds in regular expression search.")
	}
	at := 0
	for ; p > 1; p-- {
		_, n := utf8.DecodeRune(text[at:])
		at += n
	}
	return at, nil
}

// argument reads a whole number that may not be given.
func (s *search) argument(i int, missing int64) func(row []sqltypes.Value) int64 {
	if i < 0 {
		return func([]sqltypes.Value) int64 { return missing }
	}
	read := s.c.integer(i)
	return func(row []sqltypes.Value) int64 { return read(row[i]) }
}

// find gives the wanted match of a row, or nil.
func (s *search) find() func(row []sqltypes.Value) (text []byte, match []int, err error) {
	occurrence := s.argument(s.occurrence, 1)
	position := func(sqltypes.Value) int64 { return 1 }
	if s.position >= 0 {
		position = s.c.integer(s.position)
	}
	return func(row []sqltypes.Value) ([]byte, []int, error) {
		re, err := s.pattern(row)
		if err != nil {
			return nil, nil, err
		}
		text := s.subject(row[0])
		from, err := s.start(row, text, position)
		if err != nil {
			return nil, nil, err
		}
		n := max(occurrence(row), 1)
		all, err := s.matches(re, text, from, int(min(n, math.MaxInt32)))
		if err != nil || n > int64(len(all)) {
			return text, nil, err
		}
		return text, all[n-1], nil
	}
}

func evalRegexpInstr(c *call) (evaluator, error) {
	s, err := newSearch(c)
	if err != nil {
		return nil, err
	}
	find, option := s.find(), s.argument(s.option, 0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text, m, err := find(row)
		if err != nil || m == nil {
			return zero, err
		}
		at := m[0]
		switch option(row) {
		case 0:
		case 1:
			at = m[1]
		default:
			return sqltypes.NULL, Errorf(1210, "Incorrect arguments to regexp_instr: return_option must be 1 or 0.")
		}
		return intValue(int64(utf8.RuneCount(text[:at]) + 1)), nil
	}), nil
}

func evalRegexpSubstr(c *call) (evaluator, error) {
	s, err := newSearch(c)
	if err != nil {
		return nil, err
	}
	find := s.find()
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text, m, err := find(row)
		if err != nil || m == nil {
			return sqltypes.NULL, err
		}
		return s.made(text[m[0]:m[1]]), nil
	}), nil
}

// evalRegexpReplace replaces every match, or the n-th.
func evalRegexpReplace(c *call) (evaluator, error) {
	s, err := newSearch(c)
	if err != nil {
		return nil, err
	}
	occurrence := s.argument(s.occurrence, 0)
	position := func(sqltypes.Value) int64 { return 1 }
	if s.position >= 0 {
		position = c.integer(s.position)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		re, err := s.pattern(row)
		if err != nil {
			return sqltypes.NULL, err
		}
		text := s.subject(row[0])
		from, err := s.start(row, text, position)
		if err != nil {
			return sqltypes.NULL, err
		}
		replacement := s.subject(row[s.replacement])
		nth := occurrence(row)
		var out []byte
		last := 0
		all, err := s.matches(re, text, from, 0)
		if err != nil {
			return sqltypes.NULL, err
		}
		for i, m := range all {
			if nth > 0 && int64(i+1) != nth {
				continue
			}
			out = append(out, text[last:m[0]]...)
			if out, err = expand(out, replacement, text, m, re.Regexp); err != nil {
				return sqltypes.NULL, err
			}
			if last = m[1]; len(out) > c.s.TextLimit() {
				return c.tooLong()
			}
		}
		return s.made(append(out, text[last:]...)), nil
	}), nil
}

// expand puts groups into a replacement: $1, ${name}; a backslash takes the
// next character as it is.
func expand(out, replacement, text []byte, m []int, re *regexp.Regexp) ([]byte, error) {
	group := func(n int) error {
		if 2*n+1 >= len(m) {
			return Errorf(3686, "Index out of bounds in regular expression search.")
		}
		if m[2*n] >= 0 {
			out = append(out, text[m[2*n]:m[2*n+1]]...)
		}
		return nil
	}
	for i := 0; i < len(replacement); i++ {
		switch b := replacement[i]; {
		case b == '\\' && i+1 < len(replacement):
			i++
			out = append(out, replacement[i])
		case b == '$' && i+1 < len(replacement) && isDigit(replacement[i+1]):
			// As many digits as there are groups.
			n := 0
			for i+1 < len(replacement) && isDigit(replacement[i+1]) {
				more := n*10 + int(replacement[i+1]-'0')
				if n > 0 && 2*more+1 >= len(m) {
					break
				}
				n = more
				i++
			}
			if err := group(n); err != nil {
				return nil, err
			}
		case b == '$' && i+1 < len(replacement) && replacement[i+1] == '{':
			end := bytes.IndexByte(replacement[i:], '}')
			if end < 0 {
				return nil, Errorf(3887, "A capture group has an invalid name.")
			}
			n := re.SubexpIndex(string(replacement[i+2 : i+end]))
			if n < 0 {
				return nil, Errorf(3887, "A capture group has an invalid name.")
			}
			if err := group(n); err != nil {
				return nil, err
			}
			i += end
		case b == '$':
			return nil, Errorf(3887, "A capture group has an invalid name.")
		default:
			out = append(out, b)
		}
	}
	return out, nil
}

// duckRegexp is REGEXP of text and a literal pattern, which DuckDB matches
// with RE2 too.
func duckRegexp(d *translation) (string, bool) {
	if d.isBytes(0) || d.isBytes(1) {
		return "", false
	}
	x, okX := d.text(0)
	pattern, okP := d.literalText(1)
	flags, okF := "", len(d.args) == 2
	if !okF {
		flags, okF = d.literalText(2)
	}
	if !okX || !okP || !okF {
		return "", false
	}
	c := &call{name: d.name, s: d.s}
	for _, a := range d.args[:2] {
		c.args = append(c.args, Argument{Type: a.Type})
	}
	id, _, err := c.mixed(c.args)
	if err != nil {
		return "", false
	}
	blind := false
	if l := colldata.Lookup(id); l != nil {
		blind = strings.Contains(l.Name(), "_ci")
	}
	text, err := re2(pattern, flags, blind, false, true)
	if err != nil || len(pattern) > maxPattern {
		return "", false
	}
	// DuckDB asks whether the statement has ended once for a chunk of rows.
	re, err := compilePattern(text)
	if length := d.args[0].Type.Length; err != nil || length == 0 && re.size > 20 || length*re.size > 100_000 {
		return "", false
	}
	found := "regexp_matches(" + x + ", " + Quote(text) + ")"
	if n, ok := d.node.(*sqlparser.ComparisonExpr); ok && n.Operator == sqlparser.NotRegexpOp {
		return "(NOT " + found + ")", true
	}
	return found, true
}
