package pushdown

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// The text of a statement, read for what the parser does not keep or know: the
// text of each field, which is its column's name, and INTERSECT and EXCEPT.
//
// Each SELECT gets a comment with its number, which the parser keeps; INTERSECT
// and EXCEPT are written as UNION ALL, and noted of the SELECT behind them.

var parser = func() *sqlparser.Parser {
	p, err := sqlparser.New(sqlparser.Options{MySQLServerVersion: functions.Version})
	if err != nil {
		panic(err)
	}
	return p
}()

// Split cuts a text into its statements, at semicolons outside of quotes and
// comments. What can't be cut is one.
func Split(text string) (statements []string) {
	pieces, err := parser.SplitStatementToPieces(text)
	if err != nil {
		return []string{text}
	}
	for _, one := range pieces {
		if one = strings.TrimSpace(one); one != "" {
			statements = append(statements, one)
		}
	}
	return statements
}

// Statement is a parsed statement.
type Statement struct {
	// AST is the statement with its SELECTs numbered by comments.
	AST sqlparser.Statement
	// Into names the variables, in lower case, that the columns of the only row
	// are given to; nil when rows are answered.
	Into []string
	// titles are the texts of the fields of each SELECT.
	titles [][]string
	// before is the operator before a SELECT that begins the right side of it.
	before map[int]setOperator
	// usage is why words do not go together that the parser lets through.
	usage error
}

// Parse reads one statement. The error is MySQL's 1064.
func Parse(text string) (*Statement, error) {
	if err := validText(text); err != nil {
		return nil, err
	}
	text = withoutEnd(text)
	s := &Statement{before: map[int]setOperator{}}
	marked := s.mark(text)
	ast, err := parser.Parse(marked)
	if plain := fromODBC(text); err != nil && plain != text {
		other, err := Parse(plain)
		if err == nil && slices.EqualFunc(other.titles, s.titles, func(a, b []string) bool { return len(a) == len(b) }) {
			other.titles = s.titles // fields are named as they were typed
		}
		return other, err
	}
	if err != nil {
		// Positions are told of the text as it was typed.
		if _, plain := parser.Parse(text); plain != nil && !strings.Contains(marked, " UNION ALL ") {
			err = plain
		}
		return nil, syntaxError("%s", parseMessage(err, text))
	}
	s.AST = ast
	if err := s.takeInto(); err != nil {
		return nil, err
	}
	return s, s.usage
}

// takeInto takes INTO @a, @b off a query.
func (s *Statement) takeInto() error {
	var into **sqlparser.SelectInto
	switch q := s.AST.(type) {
	case *sqlparser.Select:
		into = &q.Into
	case *sqlparser.Union:
		into = &q.Into
		if last, ok := q.Right.(*sqlparser.Select); ok && q.Into == nil {
			into = &last.Into
		}
	}
	if into == nil || *into == nil || (*into).Type != sqlparser.IntoVariables {
		return nil
	}
	for _, v := range (*into).VarList {
		if v.Scope != sqlparser.VariableScope {
			return mistake(1327, "Undeclared variable: %s", v.Name.String())
		}
		s.Into = append(s.Into, UserVariable(v))
	}
	*into = nil
	return nil
}

// validText refuses names that are no UTF-8. '…' and comments may hold any byte:
// many clients write binary parameters as '…', which is then bytes.
func validText(text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	for _, t := range tokens(text) {
		if t.typ == sqlparser.STRING {
			continue
		}
		if err := functions.ValidText(text[t.start:t.end], "utf8mb4"); err != nil {
			return err
		}
	}
	return nil
}

// withoutEnd takes away the semicolon and the comments behind a statement.
func withoutEnd(text string) string {
	if strings.Contains(text, "/*!") {
		return text // whose inside is no comment
	}
	tokens := parser.NewStringTokenizer(text)
	end, ended := 0, false
	for {
		switch token, _ := tokens.Scan(); {
		case token == 0 && ended || token == 0 && end > 0:
			return text[:min(end, len(text))]
		case token == 0 || token == sqlparser.LEX_ERROR || ended && token != sqlparser.COMMENT && token != ';':
			return text
		case token == ';':
			ended = true
		case token != sqlparser.COMMENT:
			end = tokens.Pos
		}
	}
}

var atPosition = regexp.MustCompile(`^syntax error at position (\d+)(?: near '(.*)')?`)

// parseMessage is MySQL's text of a syntax error.
func parseMessage(err error, text string) string {
	m := atPosition.FindStringSubmatch(err.Error())
	if m == nil {
		return "You have an error in your SQL syntax: " + err.Error()
	}
	at, _ := strconv.Atoi(m[1])
	near := text[min(max(0, at-1-len(m[2])), len(text)):]
	if len(near) > 80 {
		near = near[:80]
	}
	line := 1 + strings.Count(text[:min(max(0, at-1), len(text))], "\n")
	return fmt.Sprintf("You have an error in your SQL syntax; check the manual for the right syntax to use near '%s' at line %d", near, line)
}

// CountParameters counts the ? of a statement.
func CountParameters(text string) int {
	n := 0
	tk := parser.NewStringTokenizer(text)
	for {
		typ, word := tk.Scan()
		switch {
		case typ == 0 || typ == sqlparser.LEX_ERROR:
			return n
		case typ == sqlparser.VALUE_ARG && word == ":v"+strconv.Itoa(n+1):
			n++
		}
	}
}

// token is a word of the text.
type token struct {
	typ        int
	word       string
	start, end int
}

// tokens are the words of a text, without its comments.
func tokens(text string) []token {
	var out []token
	tk := parser.NewStringTokenizer(text)
	tk.SkipSpecialComments = true
	end := 0
	for {
		typ, word := tk.Scan()
		if typ == 0 || typ == sqlparser.LEX_ERROR {
			return out
		}
		start := end
		for start < tk.Pos && start < len(text) && strings.ContainsRune(" \t\r\n\f\v", rune(text[start])) {
			start++
		}
		end = min(tk.Pos, len(text))
		if typ != sqlparser.COMMENT {
			out = append(out, token{typ, word, start, end})
		}
	}
}

// mark numbers the SELECTs of a text and rewrites what the parser lacks.
func (s *Statement) mark(text string) string {
	list := tokens(text)
	type open struct {
		number int // of the SELECT whose fields are being read; -1 for none
		from   int // start of the field
		level  int
	}
	var b strings.Builder
	var stack []open
	at, level, windowLevel := 0, 0, -1
	var pending *setOperator
	// A field's name is its text from its first word to its last: comments
	// around it are none of it.
	last := 0
	closeField := func() {
		f := &stack[len(stack)-1]
		from := f.from
		for _, mark := range []string{quotedName, plainText} {
			if strings.HasSuffix(text[:from], mark) {
				from -= len(mark)
			}
		}
		s.titles[f.number] = append(s.titles[f.number], AsTyped(text[from:max(last, from)]))
	}
	reading := func() bool { return len(stack) > 0 && stack[len(stack)-1].level == level }
	end := func() {
		if reading() {
			closeField()
			stack = stack[:len(stack)-1]
		}
	}
	for i, t := range list {
		if i > 0 {
			last = list[i-1].end
		}
		next := func(k int) token {
			if i+k < len(list) {
				return list[i+k]
			}
			return token{}
		}
		switch {
		case t.typ == sqlparser.TIMESTAMP && next(1).typ == '=' && list[0].typ == sqlparser.SET:
			b.WriteString(text[at:t.start] + "`timestamp`") // which the parser takes for a type
			at = t.end
		case t.typ == sqlparser.WINDOW:
			end()
			windowLevel = level
		case t.typ == ',' && windowLevel == level && next(1).typ != sqlparser.WINDOW:
			// The parser wants the word before each name.
			b.WriteString(text[at:t.end] + " WINDOW")
			at = t.end
		case t.typ == '(':
			level++
		case t.typ == ')':
			end()
			if windowLevel == level {
				windowLevel = -1
			}
			level--
		case t.typ == ',':
			if reading() {
				closeField()
				stack[len(stack)-1].from = next(1).start
			}
		case t.typ == sqlparser.SELECT:
			number := len(s.titles)
			s.titles = append(s.titles, nil)
			b.WriteString(text[at:t.end] + " /*#" + strconv.Itoa(number) + "*/ ")
			at = t.end
			k, distinct := 1, map[bool]bool{}
			for ; selectOptions[next(k).typ]; k++ {
				if typ := next(k).typ; typ == sqlparser.ALL || typ == sqlparser.DISTINCT || typ == sqlparser.DISTINCTROW {
					distinct[typ != sqlparser.ALL] = true
				}
			}
			if len(distinct) > 1 {
				s.usage = mistake(1221, "Incorrect usage of ALL and DISTINCT")
			}
			from := max(t.end, next(k).start)
			stack = append(stack, open{number, from, level})
			if pending != nil {
				s.before[number] = *pending
				pending = nil
			}
		case t.typ == sqlparser.UNION, isSetWord(t, next(1), next(2)):
			end()
			op := setOperator{word: strings.ToUpper(text[t.start:t.end]), level: level}
			if n := next(1); n.typ == sqlparser.ALL {
				op.all = true
			}
			pending = &op
			if t.typ != sqlparser.UNION {
				b.WriteString(text[at:t.start] + " UNION ALL ")
				at = t.end
				if n := next(1); n.typ == sqlparser.ALL || n.typ == sqlparser.DISTINCT {
					at = n.end
				}
			}
		case t.typ == sqlparser.FROM, t.typ == sqlparser.WHERE, t.typ == sqlparser.GROUP, t.typ == sqlparser.HAVING, t.typ == sqlparser.ORDER,
			t.typ == sqlparser.LIMIT, t.typ == sqlparser.INTO, t.typ == sqlparser.FOR, t.typ == ';', t.typ == sqlparser.LOCK:
			end()
			if windowLevel == level {
				windowLevel = -1
			}
		}
	}
	if len(list) > 0 {
		last = list[len(list)-1].end
	}
	for len(stack) > 0 {
		closeField()
		stack = stack[:len(stack)-1]
	}
	b.WriteString(text[at:])
	return b.String()
}

// selectOptions are the words between SELECT and its first field.
var selectOptions = map[int]bool{sqlparser.ALL: true, sqlparser.DISTINCT: true, sqlparser.DISTINCTROW: true, sqlparser.STRAIGHT_JOIN: true,
	sqlparser.SQL_NO_CACHE: true, sqlparser.SQL_CACHE: true, sqlparser.SQL_CALC_FOUND_ROWS: true, sqlparser.HIGH_PRIORITY: true,
	sqlparser.SQL_SMALL_RESULT: true, sqlparser.SQL_BIG_RESULT: true, sqlparser.SQL_BUFFER_RESULT: true}

// odbc is how ODBC writes DATE '…', TIME '…' and TIMESTAMP '…'.
var odbc = regexp.MustCompile(`(?i)^\{\s*(d|t|ts)\s*('[^']*')\s*\}`)

// escape begins what ODBC and JDBC write of functions and outer joins, such as
// {fn UCASE(…)}: MySQL reads what is inside (manual 11.5).
var escape = regexp.MustCompile(`(?i)^\{\s*(fn|oj|escape)\s`)

// fromODBC writes such words plainly.
func fromODBC(text string) string {
	if !strings.Contains(text, "{") {
		return text
	}
	var b strings.Builder
	open := 0
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := i + 1
			for end < len(text) && text[end] != c {
				if text[end] == '\\' && c != '`' {
					end++
				}
				end++
			}
			end = min(end+1, len(text))
			b.WriteString(text[i:end])
			i = end
		case c == '{':
			if m := odbc.FindStringSubmatch(rest); m != nil {
				b.WriteString(map[string]string{"d": "DATE", "t": "TIME", "ts": "TIMESTAMP"}[strings.ToLower(m[1])] + " " + m[2])
				i += len(m[0])
			} else if m := escape.FindString(rest); m != "" {
				open++
				i += len(m)
			} else {
				return text
			}
		case c == '}' && open > 0:
			open--
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// isSetWord tells INTERSECT and EXCEPT from names: a query follows.
func isSetWord(t, next, after token) bool {
	if !strings.EqualFold(t.word, "intersect") && !strings.EqualFold(t.word, "except") || t.end-t.start != len(t.word) {
		return false
	}
	if next.typ == sqlparser.ALL || next.typ == sqlparser.DISTINCT {
		next = after
	}
	return next.typ == sqlparser.SELECT || next.typ == '(' || next.typ == sqlparser.VALUES || next.typ == sqlparser.WITH
}

var numberComment = regexp.MustCompile(`/\*#(\d+)\*/`)

// numberOf is the number of a SELECT, -1 when it has none.
func numberOf(sel *sqlparser.Select) int {
	if sel.Comments == nil {
		return -1
	}
	for _, comment := range sel.Comments.GetComments() {
		if m := numberComment.FindStringSubmatch(comment); m != nil {
			n, _ := strconv.Atoi(m[1])
			return n
		}
	}
	return -1
}

// titlesOf are the texts of a SELECT's fields.
func (c *compiler) titlesOf(sel *sqlparser.Select) []string {
	n := numberOf(sel)
	if n < 0 || n >= len(c.parsed.titles) || len(c.parsed.titles[n]) != len(sel.SelectExprs.Exprs) {
		return nil
	}
	return c.parsed.titles[n]
}

// plainTitle is the name of a field that is a column or a constant: parentheses
// and a plus before it are not part of it.
func plainTitle(e sqlparser.Expr, typed string) (string, bool) {
	switch e := e.(type) {
	case *sqlparser.ColName:
		return e.Name.String(), true
	case *sqlparser.Literal:
		switch e.Type {
		case sqlparser.StrVal:
			return e.Val, true
		case sqlparser.IntVal, sqlparser.DecimalVal, sqlparser.FloatVal:
			if bare := strings.Trim(typed, "+() \t\r\n"); !strings.HasPrefix(bare, "-") {
				return bare, bare != ""
			}
		}
	case *sqlparser.NullVal:
		return "NULL", true
	case *sqlparser.IntroducerExpr:
		return plainTitle(e.Expr, typed)
	case *sqlparser.UnaryExpr:
		switch e.Operator {
		case sqlparser.UPlusOp:
			if name, ok := plainTitle(e.Expr, typed); ok {
				return name, true
			}
			return sqlparser.String(e.Expr), true
		case sqlparser.NStringOp:
			return plainTitle(e.Expr, typed)
		}
	}
	return "", false
}

// maxName is how many bytes a name of a field has at most (MySQL manual 11.2).
const maxName = 256

// columnName is a name as MySQL keeps it: without spaces in front, and cut to
// what there is room for.
func columnName(name string) string {
	name = strings.TrimLeft(name, " \t\r\n\v\f\x00")
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "")
	}
	return name
}

// operatorOf is the operator of a combination as it was typed.
func (c *compiler) operatorOf(u *sqlparser.Union) setOperator {
	st := u.Right
	for {
		switch n := st.(type) {
		case *sqlparser.Union:
			st = n.Left
			continue
		case *sqlparser.Select:
			if op, ok := c.parsed.before[numberOf(n)]; ok {
				return op
			}
		}
		return setOperator{word: "UNION", all: !u.Distinct}
	}
}
