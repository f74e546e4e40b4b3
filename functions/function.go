package functions

import (
	"context"
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// Function is an SQL function that MySQL does not have, defined once for its
// evaluation, its translation and its documentation.
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
	// Text translates a call to DuckDB. Where it gives an error Eval is called
	// back instead. The translation must give what Eval gives, NULL arguments
	// included.
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
	// Many tells that the last argument may be given any number of times: the
	// call is true when it is for one of them.
	Many bool
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
	if f.many() {
		b.WriteString(", …")
	}
	return b.String() + ")"
}

// many tells whether the last argument may be given any number of times.
func (f *Function) many() bool { return f.Args[len(f.Args)-1].Many }

// takes tells whether a call may have n arguments.
func (f *Function) takes(n int) bool {
	return n >= f.required() && (n <= len(f.Args) || f.many())
}

// arg is the definition of an argument of a call.
func (f *Function) arg(i int) Arg { return f.Args[min(i, len(f.Args)-1)] }

// Alternatives are the arguments of the calls of which one must be true, for
// a call with many last arguments; nil for any other.
func (f *Function) Alternatives(args int) (each [][]int) {
	if !f.many() || args <= len(f.Args) {
		return nil
	}
	for last := len(f.Args) - 1; last < args; last++ {
		var one []int
		for i := range len(f.Args) - 1 {
			one = append(one, i)
		}
		each = append(each, append(one, last))
	}
	return each
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
func (f *Function) convert(arg int, v any) (any, error) {
	t := f.arg(arg).Type
	if t == nil || v == nil {
		return v, nil
	}
	out, _, err := t.Convert(context.Background(), v)
	if err != nil && types.IsNumber(t) {
		return nil, fmt.Errorf("%.60q is not a number", fmt.Sprint(v))
	}
	return out, err
}
