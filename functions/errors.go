package functions

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"vitess.io/vitess/go/mysql/sqlerror"
)

// SQLError is an error as MySQL numbers it.
type SQLError struct {
	Number  int
	Message string
}

func (e *SQLError) Error() string { return e.Message }

// State is the SQLSTATE that goes with the number.
func (e *SQLError) State() string {
	if m := mistakeOf(e.Number); m != nil {
		return m.State
	}
	return "HY000"
}

// Errorf makes an error of a number of Mistakes.
func Errorf(number int, format string, args ...any) *SQLError {
	return &SQLError{number, fmt.Sprintf(format, args...)}
}

// Numbered is an error as it is sent: a number nobody can look up in Mistakes,
// which libraries might give, becomes 1105.
func Numbered(number int, message string) *SQLError {
	if mistakeOf(number) == nil {
		number = 1105
	}
	return &SQLError{number, message}
}

// mistakeOf finds a number in the list; nil when it is not there.
func mistakeOf(number int) *Mistake {
	i, found := slices.BinarySearchFunc(Mistakes, number, func(m Mistake, n int) int { return m.Number - n })
	if !found {
		return nil
	}
	return &Mistakes[i]
}

// errNoJSON is that of evalengine, which does not say what it read.
var errNoJSON = Errorf(3141, "Invalid JSON text.")

// mysqlError gives an error of evalengine its MySQL number.
func mysqlError(err error) error {
	var own *SQLError
	var argument *Error
	if e := (ended{}); errors.As(err, &e) {
		return e.error
	}
	if err == nil || errors.As(err, &own) || errors.As(err, &argument) {
		return err
	}
	message := err.Error()
	if e, ok := sqlerror.NewSQLErrorFromError(err).(*sqlerror.SQLError); ok && e.Num != sqlerror.ERUnknownError {
		if strings.Contains(message, "Illegal mix of collations") {
			return Errorf(1267, "%s", message)
		}
		return Numbered(int(e.Num), message)
	}
	switch {
	case strings.Contains(message, "Invalid data type for JSON data"):
		return Errorf(3146, "%s", message)
	case strings.HasPrefix(message, "cannot parse JSON") || strings.HasPrefix(message, "unexpected tail"):
		return errNoJSON
	}
	return Errorf(1105, "%s", message)
}

// outOfRange is error 1690.
func outOfRange(kind, text string) error {
	return Errorf(1690, "%s value is out of range in '%s'", kind, text)
}
