package sqlserver

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/vitess/go/mysql"
	errkind "gopkg.in/src-d/go-errors.v1"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/functions"
)

// Why a statement was ended from outside; the causes of its context.
var (
	errClientGone = errors.New("the client has closed the connection")
	errShutdown   = errors.New("the server ends")
)

// numbers gives errors of go-mysql-server, which sends 1105 for most, the
// number MySQL gives them. Clients decide by number: Grafana shows
// the text of 1064, 1054 and 1146 only, JDBC drivers reconnect on some.
var numbers = []struct {
	kind *errkind.Kind
	num  int
}{
	{sql.ErrSyntaxError, 1064},
	{sql.ErrInvalidSyntax, 1064},
	{sql.ErrUnsupportedSyntax, 1064},
	{sql.ErrUnsupportedFeature, 1064},
	{sql.ErrTableNotFound, 1146},
	{sql.ErrDatabaseNotFound, 1049},
	{sql.ErrNoDatabaseSelected, 1046},
	{sql.ErrColumnNotFound, 1054},
	{sql.ErrTableColumnNotFound, 1054},
	{sql.ErrUnknownColumn, 1054},
	{sql.ErrMisusedAlias, 1054},
	{sql.ErrAmbiguousColumnName, 1052},
	{sql.ErrAmbiguousColumnOrAliasName, 1052},
	{sql.ErrAmbiguousColumnInOrderBy, 1052},
	{sql.ErrFunctionNotFound, 1305},
	{sql.ErrTableFunctionNotFound, 1305},
	{sql.ErrInvalidArgumentNumber, 1582},
	{sql.ErrColumnNumberDoesNotMatch, 1222},
	{planbuilder.ErrUnionSchemasDifferentLength, 1222},
	{sql.ErrInvalidOperandColumns, 1241},
	{sql.ErrExpectedSingleRow, 1242},
	{sql.ErrNonAggregatedColumnWithoutGroupBy, 1140},
	{sql.ErrUnknownSystemVariable, 1193},
	{sql.ErrSystemVariableReadOnly, 1238},
	{sql.ErrSystemVariableGlobalOnly, 1229},
	{sql.ErrInvalidSystemVariableValue, 1231},
	{sql.ErrUnknownPreparedStatement, 1243},
	{sql.ErrDatabaseAccessDeniedForUser, 1044},
	{sql.ErrTableAccessDeniedForUser, 1142},
	{sql.ErrPrivilegeCheckFailed, 1142},
	{plan.ErrNotView, 1347},
	{sql.ErrReadOnly, 1290},
	{sql.ErrReadOnlyTransaction, 1792},
}

// wordings are texts of go-mysql-server and how MySQL says it.
var wordings = []struct {
	from *regexp.Regexp
	to   string
}{
	{regexp.MustCompile(`^syntax error at position \d+(?: near '(.*)')?$`),
		"You have an error in your SQL syntax; check the manual for the right syntax to use near '$1'"},
	{regexp.MustCompile(`^table not found: (.*)$`), "Table '$1' doesn't exist"},
	{regexp.MustCompile(`^database not found: (.*)$`), "Unknown database '$1'"},
	{regexp.MustCompile(`^column "(.*)" could not be found in any table in scope$`), "Unknown column '$1'"},
	{regexp.MustCompile(`^table ".*" does not have column "(.*)"$`), "Unknown column '$1'"},
	{regexp.MustCompile(`^ambiguous column name "(.*)", .*$`), "Column '$1' is ambiguous"},
	{regexp.MustCompile(`^function: '(.*)' not found$`), "FUNCTION $1 does not exist"},
	{regexp.MustCompile(`^'%!'\(string=(.*)\) is not VIEW$`), "'$1' is not VIEW"},
}

func worded(text string) string {
	for _, w := range wordings {
		if w.from.MatchString(text) {
			return w.from.ReplaceAllString(text, w.to)
		}
	}
	return text
}

// ended tells whether a statement that failed was ended from outside, which is
// the better error then. It must be asked before the statement's iterator is
// closed: closing cancels the context too.
func ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, engine.ErrTimeLimit):
		return engine.ErrTimeLimit
	case errors.Is(cause, errShutdown):
		return newError(1053, "Server shutdown in progress")
	}
	return newError(1317, "Query execution was interrupted")
}

// sqlError turns an error into what the client gets.
func sqlError(err error) *functions.SQLError {
	if err == nil {
		return nil
	}
	var own *functions.SQLError
	if errors.As(err, &own) {
		return own
	}
	var known *mysql.SQLError
	if errors.As(err, &known) {
		return functions.Numbered(known.Num, known.Message)
	}
	for _, n := range numbers {
		if n.kind.Is(err) {
			return newError(n.num, worded(err.Error()))
		}
	}
	// Guidance carries the number that Grafana shows.
	var misuse *functions.Error
	if errors.As(err, &misuse) {
		return newError(1064, err.Error())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return newError(1317, "Query execution was interrupted")
	}
	cast := sql.CastSQLError(err)
	return functions.Numbered(cast.Num, cast.Message)
}

// newError is an error whose text is ready.
func newError(number int, text string) *functions.SQLError {
	return functions.Errorf(number, "%s", text)
}

// panicError is a bug met while answering a statement: the connection lives on.
func panicError(v any) error { return fmt.Errorf("internal error: %v", v) }
