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

	"github.com/wiresql/wiresql/functions"
)

// Why a statement was ended from outside; the causes of its context.
var (
	errClientGone = errors.New("the client has closed the connection")
	errShutdown   = errors.New("the server ends")
	errTimeLimit  = errors.New("maximum statement execution time exceeded")
)

// numbers gives errors of go-mysql-server, which sends 1105 for most, the
// number and state MySQL gives them. Clients decide by number: Grafana shows
// the text of 1064, 1054 and 1146 only, JDBC drivers reconnect on some.
var numbers = []struct {
	kind  *errkind.Kind
	num   int
	state string
}{
	{sql.ErrSyntaxError, mysql.ERParseError, "42000"},
	{sql.ErrInvalidSyntax, mysql.ERParseError, "42000"},
	{sql.ErrUnsupportedSyntax, mysql.ERParseError, "42000"},
	{sql.ErrUnsupportedFeature, mysql.ERParseError, "42000"},
	{sql.ErrTableNotFound, mysql.ERNoSuchTable, "42S02"},
	{sql.ErrDatabaseNotFound, mysql.ERBadDb, "42000"},
	{sql.ErrNoDatabaseSelected, mysql.ERNoDb, "3D000"},
	{sql.ErrColumnNotFound, mysql.ERBadFieldError, "42S22"},
	{sql.ErrTableColumnNotFound, mysql.ERBadFieldError, "42S22"},
	{sql.ErrUnknownColumn, mysql.ERBadFieldError, "42S22"},
	{sql.ErrMisusedAlias, mysql.ERBadFieldError, "42S22"},
	{sql.ErrAmbiguousColumnName, mysql.ERNonUniq, "23000"},
	{sql.ErrAmbiguousColumnOrAliasName, mysql.ERNonUniq, "23000"},
	{sql.ErrAmbiguousColumnInOrderBy, mysql.ERNonUniq, "23000"},
	{sql.ErrFunctionNotFound, mysql.ERSPDoesNotExist, "42000"},
	{sql.ErrTableFunctionNotFound, mysql.ERSPDoesNotExist, "42000"},
	{sql.ErrInvalidArgumentNumber, 1582, "42000"},
	{sql.ErrColumnNumberDoesNotMatch, 1222, "21000"},
	{planbuilder.ErrUnionSchemasDifferentLength, 1222, "21000"},
	{sql.ErrInvalidOperandColumns, mysql.EROperandColumns, "21000"},
	{sql.ErrExpectedSingleRow, mysql.ERSubqueryNo1Row, "21000"},
	{sql.ErrNonAggregatedColumnWithoutGroupBy, 1140, "42000"},
	{sql.ErrUnknownSystemVariable, mysql.ERUnknownSystemVariable, "HY000"},
	{sql.ErrSystemVariableReadOnly, 1238, "HY000"},
	{sql.ErrInvalidSystemVariableValue, 1231, "42000"},
	{sql.ErrUnknownPreparedStatement, 1243, "HY000"},
	{sql.ErrDatabaseAccessDeniedForUser, mysql.ERDBAccessDenied, "42000"},
	{sql.ErrTableAccessDeniedForUser, 1142, "42000"},
	{sql.ErrPrivilegeCheckFailed, 1142, "42000"},
	{plan.ErrNotView, 1347, "HY000"},
	{sql.ErrReadOnly, mysql.EROptionPreventsStatement, "HY000"},
	{sql.ErrReadOnlyTransaction, 1792, "25006"},
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
	case errors.Is(cause, errTimeLimit):
		return newError(mysql.ERQueryTimeout, "HY000", "Query execution was interrupted, "+errTimeLimit.Error())
	case errors.Is(cause, errShutdown):
		return newError(mysql.ERServerShutdown, "08S01", "Server shutdown in progress")
	}
	return newError(mysql.ERQueryInterrupted, mysql.SSQueryInterrupted, "Query execution was interrupted")
}

// sqlError turns an error into what the client gets.
func sqlError(err error) *mysql.SQLError {
	if err == nil {
		return nil
	}
	var known *mysql.SQLError
	if errors.As(err, &known) {
		return known
	}
	var own *functions.SQLError
	if errors.As(err, &own) {
		return newError(own.Number, own.State, own.Message)
	}
	for _, n := range numbers {
		if n.kind.Is(err) {
			return newError(n.num, n.state, worded(err.Error()))
		}
	}
	// Guidance carries the number that Grafana shows.
	var misuse *functions.Error
	if errors.As(err, &misuse) {
		return newError(mysql.ERParseError, "42000", err.Error())
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return newError(mysql.ERQueryInterrupted, mysql.SSQueryInterrupted, "Query execution was interrupted")
	}
	return sql.CastSQLError(err)
}

func newError(num int, state, text string) *mysql.SQLError {
	return mysql.NewSQLError(num, state, "%s", text)
}

// panicError is a bug met while answering a statement: the connection lives on.
func panicError(v any) error { return fmt.Errorf("internal error: %v", v) }
