package pushdown

import (
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// sysFunction is what a function is of so many arguments.
type sysFunction struct {
	args int
	def  *Statement
}

// sysFunctions are the functions of schema sys (manual 30.4.5) that a monitor asks,
// by what they are of their arguments :v1, :v2. Those that tell of what is
// measured here tell that nothing is.
var sysFunctions = map[string]sysFunction{
	"extract_schema_from_file_name": {1, viewOf(`SELECT LEFT(SUBSTRING_INDEX(SUBSTRING_INDEX(REPLACE(:v1, '\\', '/'), '/', -2), '/', 1), 64)`)},
	"extract_table_from_file_name":  {1, viewOf(`SELECT LEFT(SUBSTRING_INDEX(REPLACE(SUBSTRING_INDEX(REPLACE(:v1, '\\', '/'), '/', -1), '@0024', '$'), '.', 1), 64)`)},
	"format_bytes":                  {1, viewOf("SELECT FORMAT_BYTES(:v1)")},
	"format_path":                   {1, viewOf("SELECT CONCAT(:v1, '')")},
	"format_statement": {1, viewOf("SELECT IF(CHAR_LENGTH(:v1) > 64, CONCAT(LEFT(REPLACE(:v1, '\n', ' '), 30), ' ... ', RIGHT(REPLACE(:v1, '\n', ' '), 30))," +
		" REPLACE(:v1, '\n', ' '))")},
	"format_time": {1, viewOf("SELECT CASE WHEN :v1 >= 604800000000000000 THEN CONCAT(FORMAT(:v1 / 604800000000000000, 2), ' w')" +
		" WHEN :v1 >= 86400000000000000 THEN CONCAT(FORMAT(:v1 / 86400000000000000, 2), ' d')" +
		" WHEN :v1 >= 3600000000000000 THEN CONCAT(FORMAT(:v1 / 3600000000000000, 2), ' h')" +
		" WHEN :v1 >= 60000000000000 THEN CONCAT(FORMAT(:v1 / 60000000000000, 2), ' m')" +
		" WHEN :v1 >= 1000000000000 THEN CONCAT(FORMAT(:v1 / 1000000000000, 2), ' s')" +
		" WHEN :v1 >= 1000000000 THEN CONCAT(FORMAT(:v1 / 1000000000, 2), ' ms')" +
		" WHEN :v1 >= 1000000 THEN CONCAT(FORMAT(:v1 / 1000000, 2), ' us')" +
		" WHEN :v1 >= 1000 THEN CONCAT(FORMAT(:v1 / 1000, 2), ' ns') ELSE CONCAT(:v1, ' ps') END")},
	"list_add": {2, viewOf("SELECT IF(:v1 IS NULL OR CHAR_LENGTH(:v1) = 0, :v2, CONCAT(:v1, ',', :v2))")},
	"list_drop": {2, viewOf("SELECT TRIM(BOTH ',' FROM REPLACE(REPLACE(CONCAT(',', :v1), CONCAT(',', :v2), '')," +
		" CONCAT(', ', :v2), ''))")},
	"ps_is_account_enabled":            {2, viewOf("SELECT 'NO'")},
	"ps_is_consumer_enabled":           {1, viewOf("SELECT 'NO'")},
	"ps_is_instrument_default_enabled": {1, viewOf("SELECT 'NO'")},
	"ps_is_instrument_default_timed":   {1, viewOf("SELECT 'NO'")},
	"ps_is_thread_instrumented":        {1, viewOf("SELECT COALESCE((SELECT MIN(INSTRUMENTED) FROM performance_schema.threads WHERE PROCESSLIST_ID = :v1), 'UNKNOWN')")},
	"ps_thread_account":                {1, viewOf("SELECT (SELECT MIN(CONCAT(PROCESSLIST_USER, '@', PROCESSLIST_HOST)) FROM performance_schema.threads WHERE THREAD_ID = :v1)")},
	"ps_thread_id":                     {1, threadOf("COALESCE(:v1, CONNECTION_ID())")},
	"ps_thread_trx_info":               {1, viewOf("SELECT CAST(NULL AS CHAR)")},
	"quote_identifier":                 {1, viewOf("SELECT CONCAT('`', REPLACE(:v1, '`', '``'), '`')")},
	"sys_get_config":                   {2, viewOf("SELECT COALESCE((SELECT MIN(value) FROM sys.sys_config WHERE variable = :v1), :v2)")},
	"version_major":                    {0, viewOf("SELECT CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '-', 1), '.', 1) AS UNSIGNED)")},
	"version_minor":                    {0, viewOf("SELECT CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '-', 1), '.', 2), '.', -1) AS UNSIGNED)")},
	"version_patch":                    {0, viewOf("SELECT CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '-', 1), '.', -1) AS UNSIGNED)")},
}

// threadOf is the thread of a connection.
func threadOf(connection string) *Statement {
	return viewOf("SELECT (SELECT MIN(THREAD_ID) FROM performance_schema.threads WHERE PROCESSLIST_ID = " + connection + ")")
}

// psThreadID is MySQL's own PS_THREAD_ID, to which NULL is no connection.
var psThreadID = sysFunction{1, threadOf(":v1")}

// sysSchema is the schema of those functions.
const sysSchema = "sys"

// ofSchema binds a call of a function that a schema has; sys is the only one that
// has any.
func (c *compiler) ofSchema(schema string, e *sqlparser.FuncExpr) (x Expr, ok bool, err error) {
	f, ok := sysFunctions[e.Name.Lowered()]
	if !ok || !strings.EqualFold(schema, sysSchema) {
		return nil, false, nil
	}
	if len(e.Exprs) != f.args {
		return nil, true, mistake(1318, "Incorrect number of arguments for FUNCTION sys.%s; expected %d, got %d", e.Name.Lowered(), f.args, len(e.Exprs))
	}
	x, err = c.ofArguments(f, e)
	return x, true, err
}

// ofArguments binds what a function is of its arguments.
func (c *compiler) ofArguments(f sysFunction, e *sqlparser.FuncExpr) (x Expr, err error) {
	args, err := c.exprs(e.Exprs)
	if err != nil {
		return nil, err
	}
	err = c.inside(f.def, args, func() (err error) {
		x, err = c.expr(f.def.AST.(*sqlparser.Select).SelectExprs.Exprs[0].(*sqlparser.AliasedExpr).Expr)
		return err
	})
	return x, err
}
