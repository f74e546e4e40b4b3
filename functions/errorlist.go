package functions

import (
	"fmt"
	"strings"
)

// Mistake is what a number means that a client meets.
type Mistake struct {
	Number int
	Name   string // MySQL's, without ER_
	State  string // SQLSTATE
	Kind   string // "error", "warning" or "both"
	Means  string
	Do     string // what helps
}

const (
	anError   = "error"
	aWarning  = "warning"
	eitherWay = "both"
)

// Mistakes are all numbers a client meets, in their order. What a statement
// fails with is made by Errorf, which takes the state from here.
var Mistakes = []Mistake{
	{1031, "ILLEGAL_HA", "HY000", anError, "a table is asked for what tables of an archive do not have, such as HANDLER", "use SELECT"},
	{1040, "CON_COUNT_ERROR", "08004", anError, "as many clients are connected as may be (`server.max-connections`)", "close connections, pool them, or raise it"},
	{1041, "OUT_OF_RESOURCES", "HY000", anError, "the statement needs more memory than there is (`engine.memory-limit`), or held the most when the server had none left", "ask for a shorter time or fewer columns; give `engine.spill-directory` a large disk"},
	{1043, "HANDSHAKE_ERROR", "08S01", anError, "what came first is no login of MySQL's protocol", "connect with a MySQL client, protocol 4.1 or later"},
	{1044, "DBACCESS_DENIED_ERROR", "42000", anError, "the account may not see that database", "`SHOW DATABASES` lists what there is"},
	{1045, "ACCESS_DENIED_ERROR", "28000", anError, "wrong user or password, or so many wrong ones that one has to wait", "the password is in the archive's `serve` folder; see serving.md"},
	{1046, "NO_DB_ERROR", "3D000", anError, "a table is named without its database, and none is chosen", "`USE wiresql`, or connect with it"},
	{1047, "UNKNOWN_COM_ERROR", "08S01", anError, "the client sent a command this server does not have", "it is none that reads; use another client or option"},
	{1049, "BAD_DB_ERROR", "42000", anError, "there is no such database", "`SHOW DATABASES`"},
	{1051, "BAD_TABLE_ERROR", "42S02", anError, "`t.*` names a table that is not in FROM", "use its alias"},
	{1052, "NON_UNIQ_ERROR", "23000", anError, "several tables have a column of this name", "write `table.column`"},
	{1053, "SERVER_SHUTDOWN", "08S01", anError, "the server ends", "connect again later"},
	{1054, "BAD_FIELD_ERROR", "42S22", anError, "there is no such column; the message names the nearest", "`DESCRIBE` the table, or tables.md"},
	{1055, "WRONG_FIELD_WITH_GROUP", "42000", anError, "a column is neither grouped by nor in an aggregate", "group by it, or `ANY_VALUE(column)`"},
	{1056, "WRONG_GROUP_FIELD", "42000", anError, "an aggregate or window function is grouped by", "group in an outer query"},
	{1060, "DUP_FIELDNAME", "42S21", anError, "a subquery has two columns of one name", "give one an alias"},
	{1064, "PARSE_ERROR", "42000", anError, "the statement can't be read, or an argument can't be meant; the message says how to write it", "follow the message"},
	{1065, "EMPTY_QUERY", "42000", anError, "the statement has no words", "send one"},
	{1066, "NONUNIQ_TABLE", "42000", anError, "two tables of FROM have one name", "give one an alias"},
	{1067, "INVALID_DEFAULT", "42000", anError, "the DEFAULT of JSON_VALUE is no value of the type it returns", "write one that is"},
	{1094, "NO_SUCH_THREAD", "HY000", anError, "KILL or EXPLAIN names a connection that is not there", "`SHOW PROCESSLIST`"},
	{1096, "NO_TABLES_USED", "HY000", anError, "`*` without a table", "write FROM"},
	{1105, "UNKNOWN_ERROR", "HY000", eitherWay, "as an error: reading failed, or a bug, as the message says. As a warning: what the answer lacks, such as a range that was not recorded", "check the disk and the log of `wiresql serve`; for a warning see sql.md"},
	{1111, "INVALID_GROUP_FUNC_USE", "HY000", anError, "an aggregate stands where none can: in WHERE, ON, or in another one", "use HAVING or a subquery"},
	{1114, "RECORD_FILE_FULL", "HY000", anError, "open cursors keep as much on disk as they may", "fetch and close them"},
	{1115, "UNKNOWN_CHARACTER_SET", "42000", anError, "there is no such character set", "`SHOW CHARACTER SET`"},
	{1116, "TOO_MANY_TABLES", "HY000", anError, "more than 61 tables in a join", "join fewer"},
	{1117, "TOO_MANY_FIELDS", "HY000", anError, "more columns than a result can have", "ask for fewer"},
	{1136, "WRONG_VALUE_COUNT_ON_ROW", "21S01", anError, "rows of VALUES differ in their number of columns", "make them alike"},
	{1140, "MIX_OF_GROUP_FUNC_AND_FIELDS", "42000", anError, "a column beside an aggregate, without GROUP BY", "group by it, or `ANY_VALUE(column)`"},
	{1142, "TABLEACCESS_DENIED_ERROR", "42000", anError, "the account may not do that with the table", "only the account that serves may read `mysql.user`, and nobody writes"},
	{1146, "NO_SUCH_TABLE", "42S02", anError, "there is no such table; the message names the nearest", "`SHOW TABLES`, or tables.md"},
	{1153, "NET_PACKET_TOO_LARGE", "08S01", anError, "the request is longer than `server.max-request-bytes`", "shorten it, or raise the limit"},
	{1156, "NET_PACKETS_OUT_OF_ORDER", "08S01", anError, "packets of the protocol are not numbered in order", "a bug of the client or of a proxy between"},
	{1172, "TOO_MANY_ROWS", "42000", anError, "SELECT … INTO @variable of more than one row", "LIMIT 1"},
	{1193, "UNKNOWN_SYSTEM_VARIABLE", "HY000", anError, "there is no such variable", "settings.md lists them"},
	{1210, "WRONG_ARGUMENTS", "HY000", anError, "an argument has a value that the function or statement does not take", "see functions.md"},
	{1221, "WRONG_USAGE", "HY000", anError, "two words that exclude each other", "drop one"},
	{1222, "WRONG_NUMBER_OF_COLUMNS_IN_SELECT", "21000", anError, "the parts of a UNION differ in their number of columns", "make them alike"},
	{1226, "USER_LIMIT_REACHED", "42000", anError, "the statement exceeds what the account may take: rows, bytes, statements at a time; the message says which", "ask for less, or raise `engine.max-rows`, `engine.max-bytes` or the account's own limit"},
	{1227, "SPECIFIC_ACCESS_DENIED_ERROR", "42000", anError, "a right is needed that nobody has, such as SHUTDOWN", "stop the process instead"},
	{1229, "GLOBAL_VARIABLE", "HY000", anError, "a variable is the server's alone", "settings.md has those of sessions"},
	{1231, "WRONG_VALUE_FOR_VAR", "42000", anError, "a variable does not take this value", "settings.md says which it takes"},
	{1232, "WRONG_TYPE_FOR_VAR", "42000", anError, "a variable takes values of another type", "settings.md"},
	{1235, "NOT_SUPPORTED_YET", "42000", anError, "SQL that MySQL has and this server does not; the message says which part", "sql.md lists it, mostly with another way"},
	{1238, "INCORRECT_GLOBAL_LOCAL_VAR", "HY000", anError, "a variable can't be set in a session", "it is the server's: config.md"},
	{1241, "OPERAND_COLUMNS", "21000", anError, "a row stands where one value is wanted, or rows of different length are compared", "select one column"},
	{1242, "SUBQUERY_NO_1_ROW", "21000", anError, "a subquery that stands for a value gives several rows", "LIMIT 1, an aggregate, or IN"},
	{1243, "UNKNOWN_STMT_HANDLER", "HY000", anError, "no statement is prepared under this name or number", "prepare it in this connection"},
	{1248, "DERIVED_MUST_HAVE_ALIAS", "42000", anError, "a subquery in FROM has no name", "write `(SELECT …) AS q`"},
	{1253, "COLLATION_CHARSET_MISMATCH", "42000", anError, "the collation is not one of the text's character set", "`SHOW COLLATION`"},
	{1260, "CUT_VALUE_GROUP_CONCAT", "HY000", aWarning, "GROUP_CONCAT is longer than `group_concat_max_len` and was cut", "`SET group_concat_max_len`"},
	{1264, "WARN_DATA_OUT_OF_RANGE", "22003", anError, "a number of a recursive query does not fit the column its first part made", "CAST it in the first part"},
	{1267, "CANT_AGGREGATE_2COLLATIONS", "HY000", anError, "two texts are compared whose collations can't be mixed", "write COLLATE behind one"},
	{1273, "UNKNOWN_COLLATION", "HY000", anError, "there is no such collation", "`SHOW COLLATION`"},
	{1286, "UNKNOWN_STORAGE_ENGINE", "42000", anError, "SHOW ENGINE or SET names one that is not there", "`SHOW ENGINES`"},
	{1290, "OPTION_PREVENTS_STATEMENT", "HY000", anError, "the statement would write, read files of the server, or change what is everybody's", "this server answers questions only"},
	{1292, "TRUNCATED_WRONG_VALUE", "22007", eitherWay, "a text is read as a number or time that it is not, or only in its beginning", "correct the text, or CAST"},
	{1295, "UNSUPPORTED_PS", "HY000", anError, "the statement can't be prepared", "send it as text"},
	{1298, "UNKNOWN_TIME_ZONE", "HY000", anError, "there is no such time zone", "an offset such as `+02:00`, or a name such as `Europe/Berlin`"},
	{1300, "INVALID_CHARACTER_STRING", "HY000", anError, "bytes that are no text of their character set", "set the client's character set; compare bytes as `x'…'`"},
	{1301, "WARN_ALLOWED_PACKET_OVERFLOWED", "HY000", aWarning, "a function's text is longer than `max_allowed_packet`: the value is NULL", "make it shorter"},
	{1305, "SP_DOES_NOT_EXIST", "42000", anError, "there is no such function (the message names the nearest), procedure or savepoint", "functions.md lists them"},
	{1317, "QUERY_INTERRUPTED", "70100", anError, "the statement was ended by KILL, or its client is gone", "ask again"},
	{1318, "SP_WRONG_NO_OF_ARGS", "42000", anError, "CALL with too few or too many arguments", "`CALL pin(case, condition, from, to)`, `CALL unpin(case)`"},
	{1327, "SP_UNDECLARED_VAR", "42000", anError, "SELECT … INTO names a variable without @", "write `@name`"},
	{1329, "SP_FETCH_NO_DATA", "02000", aWarning, "SELECT … INTO @variable of no row: the variables stay", ""},
	{1347, "WRONG_OBJECT", "HY000", anError, "SHOW CREATE VIEW of a table", "`SHOW CREATE TABLE`"},
	{1353, "VIEW_WRONG_LIST", "HY000", anError, "the list of columns behind a subquery's name is not as long as its SELECT", "make them alike"},
	{1360, "TRG_DOES_NOT_EXIST", "HY000", anError, "there are no triggers", ""},
	{1365, "DIVISION_BY_ZERO", "22012", aWarning, "a division by zero gave NULL", "`NULLIF(divisor, 0)`"},
	{1366, "TRUNCATED_WRONG_VALUE_FOR_FIELD", "HY000", anError, "a function gave bytes where text is wanted", "CAST its argument to text, or its result AS BINARY"},
	{1367, "ILLEGAL_VALUE_FOR_TYPE", "22007", anError, "a number that is past DOUBLE", "write one up to 1.7976931348623157e308"},
	{1370, "PROCACCESS_DENIED_ERROR", "42000", anError, "CALL by an account that may not pin", "`\"pin\": true` of the account in `serve/accounts`"},
	{1390, "PS_MANY_PARAM", "HY000", anError, "more than 65,535 question marks", "send fewer at a time"},
	{1406, "DATA_TOO_LONG", "22001", anError, "a text does not fit the type named for it, or the column a recursive query's first part made", "name a longer type"},
	{1411, "WRONG_VALUE_FOR_TYPE", "HY000", aWarning, "STR_TO_DATE: the text is not of that format, the value is NULL", "correct the format"},
	{1421, "STMT_HAS_NO_OPEN_CURSOR", "HY000", anError, "rows are fetched of a statement that has no cursor", "execute it with one first"},
	{1425, "TOO_BIG_SCALE", "42000", anError, "a DECIMAL with more than 30 digits behind the point", "30 at most"},
	{1426, "TOO_BIG_PRECISION", "42000", anError, "a DECIMAL of more than 65 digits, or a time with more than 6 behind the second", "65, and 6, at most"},
	{1427, "M_BIGGER_THAN_D", "42000", anError, "a DECIMAL with more digits behind the point than in all", "write DECIMAL(all, behind)"},
	{1441, "DATETIME_FUNCTION_OVERFLOW", "22008", aWarning, "a time before year 0 or after 9999: the value is NULL", "add less"},
	{1461, "MAX_PREPARED_STMT_COUNT_REACHED", "42000", anError, "the connection keeps as many prepared statements as it may", "close those that are not used"},
	{1473, "TOO_HIGH_LEVEL_OF_NESTING_FOR_SELECT", "42000", anError, "subqueries or expressions nest too deep", "write it flatter: WITH, IN (…)"},
	{1525, "WRONG_VALUE", "HY000", anError, "a literal that must be a time or date is none", "write it as `'2026-06-12 10:15:00'`"},
	{1539, "EVENT_DOES_NOT_EXIST", "HY000", anError, "there are no events", ""},
	{1582, "WRONG_PARAMCOUNT_TO_NATIVE_FCT", "42000", anError, "a function is given too few or too many arguments", "functions.md"},
	{1645, "RESIGNAL_WITHOUT_ACTIVE_HANDLER", "0K000", anError, "RESIGNAL: there are no handlers", ""},
	{1649, "UNKNOWN_LOCALE", "HY000", anError, "there is no such language", "`SET lc_time_names = 'en_US'`"},
	{1690, "DATA_OUT_OF_RANGE", "22003", anError, "a number is computed that its type does not hold", "CAST an operand to DECIMAL or DOUBLE"},
	{1747, "PARTITION_CLAUSE_ON_NONPARTITIONED", "HY000", anError, "PARTITION behind a table that has none", "say when in WHERE"},
	{1791, "UNKNOWN_EXPLAIN_FORMAT", "HY000", anError, "EXPLAIN knows no such format", "TRADITIONAL, TREE or JSON"},
	{1792, "CANT_EXECUTE_IN_READ_ONLY_TRANSACTION", "25006", anError, "the transaction only reads", "this server answers questions only"},
	{1835, "MALFORMED_PACKET", "HY000", anError, "a message of the protocol does not hold what it has to", "a bug of the client"},
	{1887, "GET_STACKED_DA_WITHOUT_ACTIVE_HANDLER", "0Z002", anError, "GET STACKED DIAGNOSTICS: there are no handlers", "`SHOW WARNINGS`"},
	{1889, "EXPLAIN_NOT_SUPPORTED", "HY000", anError, "EXPLAIN FOR CONNECTION of one that runs no query", "`SHOW PROCESSLIST` shows who does"},
	{3020, "INVALID_ARGUMENT_FOR_LOGARITHM", "2201E", aWarning, "the logarithm of zero, of less, or to the base 1: the value is NULL", "leave such rows out"},
	{3024, "QUERY_TIMEOUT", "HY000", anError, "the statement took longer than `server.max-execution-time` or `max_execution_time`", "EXPLAIN says what it reads; ask for a shorter time"},
	{3064, "INCORRECT_TYPE", "HY000", anError, "an argument must be text", "CAST it AS CHAR"},
	{3065, "FIELD_IN_ORDER_NOT_SELECT", "HY000", anError, "SELECT DISTINCT ordered by what it does not select", "select it too"},
	{3141, "INVALID_JSON_TEXT_IN_PARAM", "22032", anError, "a text is no JSON; the message says where", "correct it, or test with JSON_VALID"},
	{3143, "INVALID_JSON_PATH", "42000", anError, "a JSON path can't be read", "write it as `$.name[0]`"},
	{3146, "INVALID_TYPE_FOR_JSON", "22032", anError, "an argument is neither JSON nor a text", "CAST it AS JSON"},
	{3149, "INVALID_JSON_PATH_WILDCARD", "42000", anError, "a path with `*` or a range where it must name one place", "name it"},
	{3154, "JSON_BAD_ONE_OR_ALL_ARG", "42000", anError, "the second argument is neither 'one' nor 'all'", "one of the two"},
	{3155, "NUMERIC_JSON_VALUE_OUT_OF_RANGE", "22003", anError, "a number of a document does not fit the type asked for", "ask for a wider one"},
	{3156, "INVALID_JSON_VALUE_FOR_CAST", "22018", anError, "a value of a document is none of the type asked for", "ask for another"},
	{3158, "JSON_DOCUMENT_NULL_KEY", "22032", anError, "a member of an object is named NULL", "COALESCE(name, '')"},
	{3159, "SECURE_TRANSPORT_REQUIRED", "HY000", anError, "the connection is not encrypted", "connect with TLS; the message says how, by client"},
	{3165, "INVALID_JSON_PATH_ARRAY_CELL", "42000", anError, "the path does not end in a place of an array", "end it in `[n]`"},
	{3530, "ROLE_NOT_GRANTED", "HY000", anError, "SET ROLE: there are no roles", ""},
	{3573, "CTE_RECURSIVE_REQUIRES_UNION", "HY000", anError, "a recursive query has no UNION", "a first part, UNION ALL, and one that names the query"},
	{3574, "CTE_RECURSIVE_REQUIRES_NONRECURSIVE_FIRST", "HY000", anError, "a recursive query has no part to begin with", "put it first"},
	{3575, "CTE_RECURSIVE_FORBIDS_AGGREGATION", "HY000", anError, "the recursive part groups or has a window", "do it outside"},
	{3577, "CTE_RECURSIVE_REQUIRES_SINGLE_REFERENCE", "HY000", anError, "the recursive part names the query twice, or in a subquery", "join it once"},
	{3579, "WINDOW_NO_SUCH_WINDOW", "HY000", anError, "OVER names a window that is not there", "define it in WINDOW"},
	{3580, "WINDOW_CIRCULARITY_IN_WINDOW_GRAPH", "HY000", anError, "windows are defined by each other", "define one by itself"},
	{3581, "WINDOW_NO_CHILD_PARTITIONING", "HY000", anError, "a window that names another has a PARTITION of its own", "drop one"},
	{3582, "WINDOW_NO_INHERIT_FRAME", "HY000", anError, "a window names another that has a frame", "put the frame into the outer one"},
	{3583, "WINDOW_NO_REDEFINE_ORDER_BY", "HY000", anError, "a window and the one it names both have an ORDER", "drop one"},
	{3584, "WINDOW_FRAME_START_ILLEGAL", "HY000", anError, "a frame starts at UNBOUNDED FOLLOWING", "it can only end there"},
	{3585, "WINDOW_FRAME_END_ILLEGAL", "HY000", anError, "a frame ends at UNBOUNDED PRECEDING", "it can only start there"},
	{3586, "WINDOW_FRAME_ILLEGAL", "HY000", anError, "the offset of a frame is no constant, or less than nothing", "write a number of 0 or more"},
	{3587, "WINDOW_RANGE_FRAME_ORDER_TYPE", "HY000", anError, "RANGE with an offset wants one ORDER BY of a number or time", "order by one, or use ROWS"},
	{3588, "WINDOW_RANGE_FRAME_TEMPORAL_TYPE", "HY000", anError, "RANGE over numbers with an INTERVAL", "write a number"},
	{3589, "WINDOW_RANGE_FRAME_NUMERIC_TYPE", "HY000", anError, "RANGE over times with a number", "write an INTERVAL"},
	{3591, "WINDOW_DUPLICATE_NAME", "HY000", anError, "two windows of one name", "rename one"},
	{3593, "WINDOW_INVALID_WINDOW_FUNC_USE", "HY000", anError, "a window function stands where none can: in WHERE, GROUP BY, HAVING", "use a subquery"},
	{3602, "FIELD_IN_GROUPING_NOT_GROUP_BY", "HY000", anError, "GROUPING of what is not grouped by", "name an expression of GROUP BY"},
	{3636, "CTE_MAX_RECURSION_DEPTH", "HY000", anError, "a recursive query takes more rounds than `cte_max_recursion_depth`", "let it end, or `SET cte_max_recursion_depth`"},
	{3685, "REGEXP_ILLEGAL_ARGUMENT", "HY000", anError, "a regular expression can't be used", "sql.md says what they are"},
	{3686, "REGEXP_INDEX_OUTOFBOUNDS_ERROR", "HY000", anError, "a position outside the text", "1 to its length"},
	{3688, "REGEXP_RULE_SYNTAX", "HY000", anError, "a regular expression can't be read", "sql.md"},
	{3689, "REGEXP_BAD_ESCAPE_SEQUENCE", "HY000", anError, "a backslash before what has no meaning", "double it"},
	{3690, "REGEXP_UNIMPLEMENTED", "HY000", anError, "what RE2 does not have: looking around, back references", "write it without"},
	{3691, "REGEXP_MISMATCHED_PAREN", "HY000", anError, "a parenthesis is not closed, or not open", `write \\( for one that is meant`},
	{3692, "REGEXP_BAD_INTERVAL", "HY000", anError, "a `{n,m}` that can't be read or is too large", "1,000 at most"},
	{3696, "REGEXP_MISSING_CLOSE_BRACKET", "HY000", anError, "a bracket is not closed", `write \\[ for one that is meant`},
	{3697, "REGEXP_INVALID_RANGE", "HY000", anError, "a range or class in brackets that there is not", "put `-` last"},
	{3700, "REGEXP_PATTERN_TOO_BIG", "HY000", anError, "the pattern takes too much to compile", "shorten it"},
	{3887, "REGEXP_INVALID_CAPTURE_GROUP_NAME", "HY000", anError, "a replacement names a group that can't be", "`$1`"},
	{3900, "REGEXP_INVALID_FLAG", "HY000", anError, "a match type that there is not", "c, i, m, n, u"},
	{3942, "TABLE_VALUE_CONSTRUCTOR_MUST_HAVE_COLUMNS", "HY000", anError, "`VALUES ROW()` has no columns", "give it one"},
	{3954, "MISPLACED_INTO", "HY000", anError, "INTO within a subquery or a part of a UNION", "write it at the end"},
	{3966, "MISSING_JSON_VALUE", "22035", anError, "JSON_VALUE … ERROR ON EMPTY: nothing is there", "DEFAULT … ON EMPTY"},
	{3967, "MULTIPLE_JSON_VALUES", "22034", anError, "JSON_VALUE … ERROR ON ERROR: the path finds several values", "make it name one"},
	{4031, "CLIENT_INTERACTION_TIMEOUT", "HY000", anError, "the connection was idle for longer than `wait_timeout`", "connect again, or `SET wait_timeout`"},
}

// ErrorPage is the documentation of the numbers clients meet.
func ErrorPage() string {
	var b strings.Builder
	b.WriteString("# Errors and warnings\n\n" +
		"Every number a client meets, with MySQL's name and SQLSTATE, written from the list in functions/errorlist.go (`make docs`\n" +
		"writes it again). Clients decide by number; the message says the rest. `SHOW WARNINGS` lists a statement's warnings.\n\n" +
		"| number | name | state | kind | what it means | what to do |\n|---|---|---|---|---|---|\n")
	for _, m := range Mistakes {
		fmt.Fprintf(&b, "| %d | `ER_%s` | `%s` | %s | %s | %s |\n", m.Number, m.Name, m.State,
			strings.Replace(m.Kind, eitherWay, "error, warning", 1), m.Means, m.Do)
	}
	return b.String()
}
