package functions

import (
	"time"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Session is what the result of a call depends on besides its arguments.
type Session struct {
	// Now is the time of the statement, in UTC: NOW() gives it throughout.
	Now time.Time
	// Zone is the session's time zone; nil means UTC.
	Zone *Zone
	// SQLMode is the session's sql_mode.
	SQLMode string
	// Collation is that of literals: collation_connection; 0 means Default.
	Collation collations.ID
	// DivPrecision is div_precision_increment; 0 means MySQL's default, 4.
	// (An increment of 0 digits is written as -1.)
	DivPrecision int
	// WeekMode is default_week_format: the mode of a WEEK that has none.
	WeekMode int
	// MaxText is max_allowed_packet: a longer text is NULL with warning 1301;
	// 0 means 64 MiB.
	MaxText int
	// Warn notes a warning of the statement, such as 1292; may be nil. It may
	// be called from several goroutines.
	Warn func(code int, message string)
	// Ended tells why the statement has ended, nil while it runs; may be nil.
	// What can take long over the texts of one row asks it.
	Ended func() error
}

// ended is why a statement has ended, which has its number already.
type ended struct{ error }

// steps are counted by what can take long, and end when the statement does.
type steps struct {
	s   *Session
	n   int
	err error
}

// over counts a step over so many bytes, and tells whether no more are to be
// taken.
func (k *steps) over(bytes int) bool {
	if k.n += 256 + bytes; k.n > 1<<14 && k.err == nil && k.s.Ended != nil {
		k.n = 0
		if err := k.s.Ended(); err != nil {
			k.err = ended{err}
		}
	}
	return k.err != nil
}

func (s *Session) warn(code int, message string) {
	if s.Warn != nil {
		s.Warn(code, message)
	}
}

// TextLimit is the longest text a function may make, in bytes.
func (s *Session) TextLimit() int {
	if s.MaxText <= 0 {
		return 64 << 20
	}
	return s.MaxText
}

func (s *Session) divPrecision() int {
	switch {
	case s.DivPrecision == 0:
		return 4
	case s.DivPrecision < 0:
		return 0
	}
	return min(s.DivPrecision, maxScale)
}

// Argument is an argument of a call as far as it is known when the statement
// is compiled.
type Argument struct {
	Type Type
	// Literal tells that Value is the argument, the same in every row.
	Literal bool
	Value   sqltypes.Value
	// Hex tells that bytes were written as x'…', 0x… or b'…': beside numbers
	// such a literal is a number (manual 9.1.4).
	Hex bool
}

// Prepared is a call whose argument types are known.
type Prepared struct {
	// Type is MySQL's type of the result.
	Type Type
	// Eval computes the result of one row. It may be called from several
	// goroutines at once. A value has the form of its type's text on the
	// wire, but a decimal may have more digits than its type's scale: quotients
	// carry them until Conform makes a column or a text of them. NULL is
	// sqltypes.NULL. The result must not be changed by a later call.
	Eval func(row []sqltypes.Value) (sqltypes.Value, error)
}

// Arguments lists the expressions that are the arguments of a scalar function
// or an operator, in the order of their text. What is no expression of its own
// (the unit of an interval, the side of a TRIM, the type of a CAST) stays part
// of the node; the elements of a tuple are arguments each.
func Arguments(node sqlparser.Expr) []sqlparser.Expr { return listArguments(node) }

// Conform brings a value of an expression to the form its type has in a
// column: decimals are rounded to their scale, half away from zero.
func Conform(v sqltypes.Value, t Type) (sqltypes.Value, error) { return conform(v, t) }

// Prepare types a call and makes its evaluation. args belong to
// Arguments(node), which may stand unresolved in node. The errors are MySQL's:
// 1305 for a function that does not exist, with the nearest name, 1582 for a
// wrong number of arguments.
func Prepare(node sqlparser.Expr, args []Argument, s *Session) (*Prepared, error) {
	if s == nil {
		s = &Session{}
	}
	c := &call{node: node, args: args, s: s}
	var err error
	if c.name, c.builtin, err = find(node, len(args)); err != nil {
		return nil, err
	}
	return c.prepare()
}

// Volatile tells whether a call may give another result each time, so that it
// must be evaluated for every row even where all arguments are literals.
func Volatile(node sqlparser.Expr) bool {
	switch n := node.(type) {
	case *sqlparser.FuncExpr:
		switch n.Name.Lowered() {
		case "rand", "uuid", "uuid_short", "sleep", "random_bytes", "benchmark":
			return true
		}
	case *sqlparser.CurTimeFuncExpr:
		return n.Name.Lowered() == "sysdate"
	}
	return false
}
