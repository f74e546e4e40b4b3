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
	Zone *time.Location
	// SQLMode is the session's sql_mode.
	SQLMode string
	// Collation is that of literals: collation_connection; 0 means Default.
	Collation collations.ID
	// DivPrecision is div_precision_increment; MySQL's default is 4.
	DivPrecision int
	// MaxText is max_allowed_packet: a longer text is NULL with warning 1301;
	// 0 means 64 MiB.
	MaxText int
	// Warn notes a warning of the statement, such as 1292; may be nil. It may
	// be called from several goroutines.
	Warn func(code int, message string)
}

// Argument is an argument of a call as far as it is known when the statement
// is compiled.
type Argument struct {
	Type Type
	// Literal tells that Value is the argument, the same in every row.
	Literal bool
	Value   sqltypes.Value
}

// Prepared is a call whose argument types are known.
type Prepared struct {
	// Type is MySQL's type of the result.
	Type Type
	// Eval computes the result of one row. It may be called from several
	// goroutines at once. A value has the form of its type's text on the
	// wire; NULL is sqltypes.NULL. The result must not be changed by a later
	// call.
	Eval func(row []sqltypes.Value) (sqltypes.Value, error)
}

// Arguments lists the expressions that are the arguments of a scalar function
// or an operator, in the order of their text. What is no expression of its own
// (the unit of an interval, the side of a TRIM, the type of a CAST) stays part
// of the node.
func Arguments(node sqlparser.Expr) []sqlparser.Expr { return nil }

// Prepare types a call and makes its evaluation. args belong to
// Arguments(node), which may stand unresolved in node. The errors are MySQL's:
// 1305 for a function that does not exist, with the nearest name, 1582 for a
// wrong number of arguments.
func Prepare(node sqlparser.Expr, args []Argument, s *Session) (*Prepared, error) { return nil, nil }

// InDuckDB translates a call to DuckDB's SQL where that gives the same result
// to the bit, for operands of these types; ok is false where it does not.
func InDuckDB(node sqlparser.Expr, args []Operand, result Type, s *Session) (text Operand, ok bool) {
	return Operand{}, false
}
