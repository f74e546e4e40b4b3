package pushdown

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"vitess.io/vitess/go/sqltypes"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Session is what a statement may ask of the session it runs in. Values are
// nil, bool, int64, uint64, float64, string, []byte, time.Time or one of the
// types below.
type Session interface {
	// Database is the schema chosen by USE; empty for none.
	Database() string
	// Functions is what evaluation depends on.
	Functions() *functions.Session
	// Variable reads a system variable; scope is "", "session" or "global".
	Variable(scope, name string) (any, error)
	// UserVariable reads @name; NULL (nil) when it was never set.
	UserVariable(name string) (any, error)
	// SetUserVariable assigns to @name.
	SetUserVariable(name string, v sqltypes.Value) error
	// Parameter reads a value bound to a prepared statement (v1, v2, …); ok is
	// false while the statement is only prepared.
	Parameter(name string) (value any, ok bool)
	// Info answers the functions about the session: user, database, version,
	// connection_id, found_rows, row_count, last_insert_id.
	Info(name string) (any, bool)
	// May asks for the right to read a relation. The error is MySQL's 1142.
	May(schema, table string) error
	// Capture is a capture file of packets, which are sorted.
	Capture(packets []tables.ID) ([]byte, error)
	// Follow is what the ends of packets, which are sorted, said, as text.
	Follow(packets []tables.ID) ([]byte, error)
	// Content is what a file held, of the packets, which are sorted, of the conversation
	// that carried it.
	Content(file string, packets []tables.ID) ([]byte, error)
	// Foreign describes a table that is none of ours, such as one of
	// information_schema; nil when there is none of that name.
	Foreign(schema, table string) (*tables.Relation, error)
	// Schemas lists the schemas there are.
	Schemas() []string
}

// Values of prepared statements that Go has no type for.
type (
	// DateValue is a DATE.
	DateValue time.Time
	// ClockValue is a TIME, in µs.
	ClockValue int64
	// DecimalValue is a DECIMAL as its text.
	DecimalValue string
)

// sqlMode tells whether the session's sql_mode has a word.
func (c *compiler) sqlMode(word string) bool {
	for _, w := range strings.Split(c.fn.SQLMode, ",") {
		if strings.EqualFold(strings.TrimSpace(w), word) {
			return true
		}
	}
	return false
}

// number reads a numeric session variable.
func (c *compiler) variableNumber(name string, otherwise int64) int64 {
	v, err := c.session.Variable("", name)
	if err != nil {
		return otherwise
	}
	switch n := v.(type) {
	case int64:
		return n
	case uint64:
		return int64(min(n, 1<<62))
	}
	return otherwise
}

// mistake is an error with MySQL's number and state.
func mistake(number int, format string, args ...any) error {
	return functions.Errorf(number, format, args...)
}

// syntaxError says how to write it instead: dashboards show the text of 1064
// to their users, and hide that of most others.
func syntaxError(format string, args ...any) error { return mistake(1064, format, args...) }

// syntaxNear is what MySQL's grammar does not have where it stands.
func syntaxNear(what sqlparser.SQLNode) error {
	return syntaxError("You have an error in your SQL syntax; check the manual for the right syntax to use near '%s'", written(what))
}

// refuse says which part of a statement is outside what this package does, and
// why. It is MySQL's "This version of MySQL doesn't yet support".
func refuse(what sqlparser.SQLNode, format string, args ...any) error {
	text := ""
	if what != nil {
		text = written(what) + ": "
	}
	return mistake(1235, "%s%s", text, fmt.Sprintf(format, args...))
}

// marks are what titles are found again by.
var marks = regexp.MustCompile(`/\*#\d+\*/ `)

// written is the start of an expression's text, for errors.
func written(node sqlparser.SQLNode) string {
	s := AsTyped(marks.ReplaceAllString(sqlparser.String(node), ""))
	for i, r := range s {
		if r == '\n' || i >= 120 {
			return s[:i]
		}
	}
	return s
}
