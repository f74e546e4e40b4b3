package engine

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// Functions of go-mysql-server that must not run here. Its REGEXP is ICU
// compiled to code that the Go scheduler can't stop: one pattern such as
// '^(a+)+$' froze a whole process, garbage collector and timers included. Ours
// is Go's RE2, linear in the text, as in DuckDB.

// maxPattern bounds what a pattern may cost to compile.
const maxPattern = 4096

// Function implements sql.FunctionProvider: it comes before the built-ins.
func (p *provider) Function(_ *sql.Context, name string) (sql.Function, bool) {
	switch name = strings.ToLower(name); name {
	case "regexp_like":
		return sql.FunctionN{Name: name, Fn: newRegexpLike}, true
	case "sleep":
		return sql.FunctionN{Name: name, Fn: newSleep}, true
	case "load_file", "benchmark", "get_lock", "release_lock", "release_all_locks", "is_free_lock", "is_used_lock",
		"regexp_instr", "regexp_replace", "regexp_substr":
		return sql.FunctionN{Name: name, Fn: func(...sql.Expression) (sql.Expression, error) {
			return nil, userError("function %s is not available here", strings.ToUpper(name))
		}}, true
	}
	return nil, false
}

// regexpLike is text REGEXP pattern.
type regexpLike struct {
	args  []sql.Expression // text, pattern, flags
	cache *sync.Map        // pattern with flags → *regexp.Regexp
}

var _ sql.FunctionExpression = (*regexpLike)(nil)

func newRegexpLike(args ...sql.Expression) (sql.Expression, error) {
	if len(args) < 2 || len(args) > 3 {
		return nil, sql.ErrInvalidArgumentNumber.New("REGEXP_LIKE", "2 or 3", len(args))
	}
	return &regexpLike{args, &sync.Map{}}, nil
}

// replaceRegexp swaps the stock REGEXP for ours in a plan that
// go-mysql-server will execute.
func replaceRegexp(n sql.Node) (sql.Node, transform.TreeIdentity, error) {
	return transform.NodeExprsWithOpaque(n, replaceRegexpIn)
}

func replaceRegexpIn(e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
	switch e := e.(type) {
	case *function.RegexpLike:
		ours, err := newRegexpLike(e.Children()...)
		return ours, transform.NewTree, err
	case *plan.Subquery:
		q, same, err := replaceRegexp(e.Query)
		if err != nil || same {
			return e, transform.SameTree, err
		}
		return e.WithQuery(q), transform.NewTree, nil
	case *function.RegexpInstr, *function.RegexpReplace, *function.RegexpSubstr:
		return e, transform.SameTree, userError("function %s is not available here", e)
	}
	return e, transform.SameTree, nil
}

// Eval implements sql.Expression.
func (r *regexpLike) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	var text [3]string
	for i, a := range r.args {
		v, err := a.Eval(ctx, row)
		if err != nil || v == nil {
			return nil, err
		}
		s, _, err := types.LongText.Convert(ctx, v)
		if err != nil {
			return nil, err
		}
		if s, err = sql.UnwrapAny(ctx, s); err != nil {
			return nil, err
		}
		text[i], _ = s.(string)
	}
	re, err := r.compile(text[1], text[2])
	if err != nil {
		return nil, err
	}
	return re.MatchString(text[0]), nil
}

func (r *regexpLike) compile(pattern, flags string) (*regexp.Regexp, error) {
	key := flags + "\x00" + pattern
	if re, ok := r.cache.Load(key); ok {
		return re.(*regexp.Regexp), nil
	}
	if len(pattern) > maxPattern {
		return nil, userError("regular expression of %d bytes: at most %d are accepted", len(pattern), maxPattern)
	}
	mode := ""
	for _, f := range flags {
		switch f {
		case 'i':
			mode += "i"
		case 'm':
			mode += "m"
		case 'n':
			mode += "s"
		case 'c', 'u':
		default:
			return nil, userError("regular expression flag %q: use i, c, m or n", f)
		}
	}
	full := pattern
	if mode != "" {
		full = "(?" + mode + ")" + pattern
	}
	re, err := regexp.Compile(full)
	if err != nil {
		return nil, userError("regular expression %q: %v", pattern, err)
	}
	r.cache.Store(key, re)
	return re, nil
}

// Type implements sql.Expression.
func (r *regexpLike) Type() sql.Type { return types.Boolean }

// IsNullable implements sql.Expression.
func (r *regexpLike) IsNullable() bool { return true }

// Resolved implements sql.Expression.
func (r *regexpLike) Resolved() bool {
	for _, a := range r.args {
		if !a.Resolved() {
			return false
		}
	}
	return true
}

// Children implements sql.Expression.
func (r *regexpLike) Children() []sql.Expression { return r.args }

// WithChildren implements sql.Expression.
func (r *regexpLike) WithChildren(children ...sql.Expression) (sql.Expression, error) {
	if len(children) != len(r.args) {
		return nil, sql.ErrInvalidChildrenNumber.New(r, len(children), len(r.args))
	}
	return &regexpLike{children, r.cache}, nil
}

// FunctionName implements sql.FunctionExpression.
func (r *regexpLike) FunctionName() string { return "regexp_like" }

// Description implements sql.FunctionExpression.
func (r *regexpLike) Description() string { return "whether a text matches a regular expression (RE2)" }

func (r *regexpLike) String() string { return fmt.Sprintf("%s regexp %s", r.args[0], r.args[1]) }
