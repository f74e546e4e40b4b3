package engine

import (
	"context"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// guard stands before the parser, which recurses without a bound and is
// quadratic in places: 12 MB of NOT end the process, 40 KB of +1 take seconds
// that nothing can interrupt. It counts tokens before anything is parsed.
type guard struct{ sql.Parser }

const (
	maxStatement = 256 << 10 // bytes
	maxDepth     = 200       // parentheses
	maxOperators = 1000      // in a row, without a comma between
	maxItems     = 10_000    // commas in one statement
)

// userError is an error that dashboards show to their users: they hide all
// but a few numbers, and 1064 is the one that means "write it differently".
func userError(format string, args ...any) error {
	return functions.Errorf(1064, format, args...)
}

// checkText refuses text that would cost the parser too much.
func checkText(text string) error {
	if len(text) > maxStatement {
		return userError("statement of %d bytes: at most %d are accepted", len(text), maxStatement)
	}
	depth, operators, items := 0, 0, 0
	words := sqlparser.NewStringTokenizer(text)
	for {
		typ, word := words.Scan()
		switch {
		case typ == 0 || typ == sqlparser.LEX_ERROR:
			return nil // the parser says it better
		case typ == '(':
			depth++
			if depth > maxDepth {
				return userError("parentheses nest deeper than %d", maxDepth)
			}
		case typ == ')':
			depth--
		case typ == ',':
			items++
			operators = 0
			if items > maxItems {
				return userError("more than %d commas: put long lists into a table or narrow the question", maxItems)
			}
		case len(word) == 0 || operatorWords[typ]:
			operators++
			if operators > maxOperators {
				return userError("more than %d operators in one expression", maxOperators)
			}
		}
	}
}

// operatorWords are the operators spelled as words.
var operatorWords = map[int]bool{
	sqlparser.AND: true, sqlparser.OR: true, sqlparser.NOT: true, sqlparser.XOR: true, sqlparser.LIKE: true,
	sqlparser.BETWEEN: true, sqlparser.IN: true, sqlparser.IS: true, sqlparser.DIV: true, sqlparser.MOD: true,
	sqlparser.REGEXP: true, sqlparser.CASE: true, sqlparser.WHEN: true, sqlparser.SELECT: true, sqlparser.UNION: true,
	sqlparser.JOIN: true, sqlparser.BINARY: true, sqlparser.INTERVAL: true,
}

// ParseSimple implements sql.Parser.
func (g guard) ParseSimple(query string) (sqlparser.Statement, error) {
	if err := checkText(query); err != nil {
		return nil, err
	}
	stmt, err := g.Parser.ParseSimple(query)
	return stmt, err
}

// Parse implements sql.Parser.
func (g guard) Parse(ctx *sql.Context, query string, multi bool) (sqlparser.Statement, string, string, error) {
	if err := checkText(query); err != nil {
		return nil, "", "", err
	}
	stmt, parsed, rest, err := g.Parser.Parse(ctx, query, multi)
	return stmt, parsed, rest, err
}

// ParseWithOptions implements sql.Parser.
func (g guard) ParseWithOptions(ctx context.Context, query string, delimiter rune, multi bool, options sqlparser.ParserOptions) (sqlparser.Statement, string, string, error) {
	if err := checkText(query); err != nil {
		return nil, "", "", err
	}
	stmt, parsed, rest, err := g.Parser.ParseWithOptions(ctx, query, delimiter, multi, options)
	return stmt, parsed, rest, err
}

// ParseOneWithOptions implements sql.Parser.
func (g guard) ParseOneWithOptions(ctx context.Context, query string, options sqlparser.ParserOptions) (sqlparser.Statement, int, error) {
	if err := checkText(query); err != nil {
		return nil, 0, err
	}
	stmt, end, err := g.Parser.ParseOneWithOptions(ctx, query, options)
	return stmt, end, err
}
