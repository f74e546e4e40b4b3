package functions

import (
	"errors"
	"fmt"
	"strings"

	"vitess.io/vitess/go/mysql/sqlerror"
)

// SQLError is an error as MySQL numbers it.
type SQLError struct {
	Number  int
	State   string
	Message string
}

func (e *SQLError) Error() string { return e.Message }

func sqlErrorf(number int, state, format string, args ...any) *SQLError {
	return &SQLError{number, state, fmt.Sprintf(format, args...)}
}

// errNoJSON is that of evalengine, which does not say what it read.
var errNoJSON = &SQLError{3141, "22032", "Invalid JSON text."}

// mysqlError gives an error of evalengine its MySQL number.
func mysqlError(err error) error {
	var own *SQLError
	var argument *Error
	if err == nil || errors.As(err, &own) || errors.As(err, &argument) {
		return err
	}
	if e, ok := sqlerror.NewSQLErrorFromError(err).(*sqlerror.SQLError); ok && e.Num != sqlerror.ERUnknownError {
		message := err.Error()
		number, state := int(e.Num), e.State
		if strings.Contains(message, "Illegal mix of collations") {
			number, state = 1267, "HY000"
		}
		return &SQLError{number, state, message}
	}
	switch message := err.Error(); {
	case strings.Contains(message, "Invalid data type for JSON data"):
		return &SQLError{3146, "22032", message}
	case strings.HasPrefix(message, "cannot parse JSON") || strings.HasPrefix(message, "unexpected tail"):
		return errNoJSON
	}
	return &SQLError{1105, "HY000", err.Error()}
}

// outOfRange is error 1690.
func outOfRange(kind, text string) error {
	return sqlErrorf(1690, "22003", "%s value is out of range in '%s'", kind, text)
}
