package functions

import (
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// Function is an SQL function, defined once for both ways of executing it and
// for its documentation.
type Function struct {
	Name string
	Args []Arg
	// Returns is the MySQL type of the result.
	Returns sql.Type
	// Doc says in a few sentences what it computes and what to use it for.
	Doc string
	// Examples run as tests and stand in docs/functions.md.
	Examples []Example

	// Eval computes one value from arguments converted to their types. When an
	// argument is NULL the result is NULL, unless nulls is set.
	Eval func(args []any) (any, error)
	// Text translates a call to DuckDB. The error is the reason why the call
	// can't be pushed down, for EXPLAIN. The translation must give what Eval
	// gives, NULL arguments included.
	Text func(args []Operand) (Operand, error)
	// nulls makes Eval see NULL arguments as nil.
	nulls bool
	// check judges a literal argument when the statement is planned, so that
	// a mistyped network is an error also over no rows. May be nil.
	check func(arg int, value any) error
}

// Arg is an argument of a function.
type Arg struct {
	Name string
	// Type is what a value is converted to for Eval; nil leaves it as it is.
	Type sql.Type
	Doc  string
	// Optional arguments come last.
	Optional bool
}

// Example is a statement with the value it returns, as text; "NULL" for NULL.
type Example struct {
	SQL, Result string
	// Note says what the example shows, where the statement does not.
	Note string
}

// Operand is a value in DuckDB text: an argument of a translation, or its
// result.
type Operand struct {
	Kind Kind
	// Type is the operand's type where a translation of MySQL's functions looks
	// at it: widths, scales, lengths and collations.
	Type Type
	// Carries tells that SQL is a decimal with more digits behind the point
	// than Type shows: a quotient's.
	Carries bool
	// SQL is an expression, safe inside any other expression; empty for
	// addresses.
	SQL string
	// Hi and Lo are the two halves of an address, both NULL for NULL.
	Hi, Lo string
	// Literal is the value of a constant when IsLiteral: nil, bool, int64,
	// float64, string (text and decimals), []byte, time.Time, tables.Addr or
	// tables.ID.
	Literal   any
	IsLiteral bool
}

// UDFSpec is a scalar function in Go that the engine registers with DuckDB
// under Name. Types are DuckDB's names. Fn gets uint64 for UBIGINT, int64 for
// BIGINT, int32 for INTEGER, string for VARCHAR, []byte for BLOB; it is not
// called when an argument is NULL: the result is NULL then.
type UDFSpec struct {
	Name   string
	Args   []string
	Return string
	Fn     func(args []any) (any, error)
}

// Lookup finds a function by name, in any case, or returns nil.
func Lookup(name string) *Function {
	for _, f := range All {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	return nil
}

// GMS returns the functions in the form go-mysql-server registers.
func GMS() []sql.Function {
	out := make([]sql.Function, len(All))
	for i, f := range All {
		out[i] = sql.FunctionN{Name: f.Name, Fn: func(args ...sql.Expression) (sql.Expression, error) {
			return newCall(f, args)
		}}
	}
	return out
}

// required counts the arguments that must be given.
func (f *Function) required() int {
	n := 0
	for _, a := range f.Args {
		if !a.Optional {
			n++
		}
	}
	return n
}

// Signature is the function as documentation writes it.
func (f *Function) Signature() string {
	var b strings.Builder
	b.WriteString(f.Name + "(")
	for i, a := range f.Args {
		switch {
		case a.Optional:
			b.WriteString("[")
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(a.Name + "]")
		case i > 0:
			b.WriteString(", " + a.Name)
		default:
			b.WriteString(a.Name)
		}
	}
	return b.String() + ")"
}

// Call is a call of a Function in a go-mysql-server plan.
type Call struct {
	Function *Function
	Args     []sql.Expression
}

var (
	_ sql.FunctionExpression = (*Call)(nil)
	_ sql.CollationCoercible = (*Call)(nil)
)

// newCall checks the arguments and gives literals the declared types, so that
// both ways of executing the call start from the same values.
func newCall(f *Function, args []sql.Expression) (*Call, error) {
	if n := len(args); n < f.required() || n > len(f.Args) {
		return nil, sql.ErrInvalidArgumentNumber.New(strings.ToUpper(f.Name), f.arity(), n)
	}
	typed := make([]sql.Expression, len(args))
	for i, a := range args {
		typed[i] = a
		lit, ok := a.(*expression.Literal)
		if !ok || lit.Value() == nil {
			continue
		}
		v, err := f.convert(nil, i, lit.Value())
		if err == nil && f.check != nil {
			err = f.check(i, v)
		}
		if err != nil {
			return nil, f.wrap(err)
		}
		switch t := f.Args[i].Type; t {
		case nil:
		case timeType:
			typed[i] = expression.NewLiteral(v, types.DatetimeMaxPrecision)
		default:
			typed[i] = expression.NewLiteral(v, t)
		}
	}
	return &Call{f, typed}, nil
}

func (f *Function) arity() string {
	if r := f.required(); r != len(f.Args) {
		return fmt.Sprintf("%d to %d", r, len(f.Args))
	}
	return fmt.Sprint(len(f.Args))
}

// Error is a call with an argument it can't be evaluated for; it says how the
// function is called and what is wrong.
type Error struct {
	Function *Function
	Err      error
}

func (e *Error) Error() string { return e.Function.Signature() + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

func (f *Function) wrap(err error) error { return &Error{f, err} }

// convert brings a value to the type its argument declares.
func (f *Function) convert(ctx *sql.Context, arg int, v any) (any, error) {
	t := f.Args[arg].Type
	if t == nil || v == nil {
		return v, nil
	}
	if ctx == nil {
		ctx = sql.NewEmptyContext()
	}
	v, err := sql.UnwrapAny(ctx, v)
	if err != nil {
		return nil, err
	}
	v, _, err = t.Convert(ctx, v)
	return v, err
}

// Eval implements sql.Expression.
func (c *Call) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	values := make([]any, len(c.Args))
	for i, a := range c.Args {
		v, err := a.Eval(ctx, row)
		if err != nil {
			return nil, err
		}
		if v == nil && !c.Function.nulls {
			return nil, nil
		}
		if values[i], err = c.Function.convert(ctx, i, v); err != nil {
			return nil, c.Function.wrap(err)
		}
	}
	v, err := c.Function.Eval(values)
	if err != nil {
		return nil, c.Function.wrap(err)
	}
	return v, nil
}

// Type implements sql.Expression.
func (c *Call) Type() sql.Type { return c.Function.Returns }

// IsNullable implements sql.Expression.
func (c *Call) IsNullable() bool { return true }

// Resolved implements sql.Expression.
func (c *Call) Resolved() bool {
	for _, a := range c.Args {
		if !a.Resolved() {
			return false
		}
	}
	return true
}

// Children implements sql.Expression.
func (c *Call) Children() []sql.Expression { return c.Args }

// WithChildren implements sql.Expression.
func (c *Call) WithChildren(children ...sql.Expression) (sql.Expression, error) {
	if len(children) != len(c.Args) {
		return nil, sql.ErrInvalidChildrenNumber.New(c, len(children), len(c.Args))
	}
	return newCall(c.Function, children)
}

// FunctionName implements sql.FunctionExpression.
func (c *Call) FunctionName() string { return c.Function.Name }

// Description implements sql.FunctionExpression.
func (c *Call) Description() string { return c.Function.Doc }

// CollationCoercibility implements sql.CollationCoercible.
func (c *Call) CollationCoercibility(ctx *sql.Context) (sql.CollationID, byte) {
	return c.Function.Returns.CollationCoercibility(ctx)
}

func (c *Call) String() string {
	args := make([]string, len(c.Args))
	for i, a := range c.Args {
		args[i] = a.String()
	}
	return c.Function.Name + "(" + strings.Join(args, ", ") + ")"
}
