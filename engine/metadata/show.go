package metadata

import (
	"fmt"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// SHOW, with the columns of MySQL's manual, 15.7.7. Each becomes
//
//	SELECT … FROM (SELECT columns of a relation AS names of SHOW) WHERE … ORDER BY …
//
// so that LIKE and WHERE mean what they mean in MySQL: WHERE sees the names that
// are shown.

// listing is such a SELECT.
type listing struct {
	shown string // columns, AS their names
	from  string // and WHERE
	like  string // the column LIKE is about
	order string // by names of inner; empty for the order of rows
	// hidden are columns that are there for the order.
	hidden string
}

// list takes LIKE or WHERE, if one follows, and writes the SELECT.
func (r *reader) list(l listing) (Statement, error) {
	where := ""
	switch {
	case r.take("LIKE"):
		t := r.next()
		if t.kind != textToken {
			r.at--
			return Statement{}, r.syntax()
		}
		where = " WHERE " + name(l.like) + " LIKE " + r.text[t.start:t.end]
	case r.take("WHERE"):
		condition := r.text[r.peek(0).start:]
		if n := len(r.tokens); n > 0 {
			condition = r.text[r.peek(0).start:r.tokens[n-1].end]
		}
		if r.ended() || !balanced(tokens(condition)) {
			return Statement{}, r.syntax()
		}
		where = " WHERE (" + condition + "\n)"
		r.at = len(r.tokens)
	}
	return asked(r, l.text(where))
}

func (l listing) text(where string) string {
	inner, names := l.shown, "*"
	if l.hidden != "" {
		inner += ", " + l.hidden
		names = strings.Join(shownNames(l.shown), ", ")
	}
	out := "SELECT " + names + " FROM (SELECT " + inner + " FROM " + l.from + ") AS shown" + where
	if l.order != "" {
		out += " ORDER BY " + l.order
	}
	return out
}

// shownNames are the names of a list of columns, quoted.
func shownNames(shown string) (out []string) {
	for _, c := range splitColumns(shown) {
		c = strings.TrimSpace(c)
		if i := strings.LastIndex(c, " AS "); i >= 0 {
			c = c[i+4:]
		}
		out = append(out, c)
	}
	return out
}

// balanced tells whether no parenthesis closes what is not open.
func balanced(list []token) bool {
	depth := 0
	for _, t := range list {
		if t.kind != signToken {
			continue
		}
		switch t.text {
		case "(":
			depth++
		case ")":
			if depth--; depth < 0 {
				return false
			}
		case ";":
			return false
		}
	}
	return depth == 0
}

// nothing is a listing of columns without rows; a type follows each name where it
// is no text.
func (r *reader) nothing(names ...string) (Statement, error) {
	cols := make([]string, len(names))
	for i, n := range names {
		n, typ, _ := strings.Cut(n, ":")
		value := "''"
		if typ == "n" {
			value = "0"
		}
		cols[i] = value + " AS " + name(n)
	}
	first, _, _ := strings.Cut(names[0], ":")
	return r.list(listing{shown: strings.Join(cols, ", "), from: "mysql.help_topic WHERE 0", like: first})
}

// show reads what follows SHOW.
func show(r *reader, s Server) (Statement, error) {
	for _, k := range kinds {
		if at := r.at; k.begins(r) {
			return k.answer(r, s)
		} else {
			r.at = at
		}
	}
	return Statement{}, r.syntax()
}

// showKind is one of the statements; words are as in take, optional ones in
// brackets before them.
type showKind struct {
	options string
	words   []string
	answer  func(r *reader, s Server) (Statement, error)
}

func (k showKind) begins(r *reader) bool {
	for again := k.options != ""; again; {
		again = r.take(strings.Split(k.options, "|")...)
	}
	return r.take(k.words...)
}

// plain is a kind that lists a relation.
func plain(l listing) func(*reader, Server) (Statement, error) {
	return func(r *reader, _ Server) (Statement, error) { return r.list(l) }
}

// empty is a kind that lists nothing.
func empty(names ...string) func(*reader, Server) (Statement, error) {
	return func(r *reader, _ Server) (Statement, error) { return r.nothing(names...) }
}

var kinds []showKind

func init() {
	routine := func(typ string) func(*reader, Server) (Statement, error) {
		return plain(listing{shown: "ROUTINE_SCHEMA AS Db, ROUTINE_NAME AS Name, ROUTINE_TYPE AS Type, DEFINER AS Definer, LAST_ALTERED AS Modified, " +
			"CREATED AS Created, SECURITY_TYPE AS Security_type, ROUTINE_COMMENT AS Comment, CHARACTER_SET_CLIENT AS character_set_client, " +
			"COLLATION_CONNECTION AS collation_connection, DATABASE_COLLATION AS `Database Collation`",
			from: "information_schema.ROUTINES WHERE ROUTINE_TYPE = '" + typ + "'", like: "Name", order: "Db, Name"})
	}
	variables := func(of string) func(*reader, Server) (Statement, error) {
		return func(r *reader, _ Server) (Statement, error) {
			scope := "session"
			if strings.EqualFold(r.peek(-2).text, "GLOBAL") {
				scope = "global"
			}
			return r.list(listing{shown: "VARIABLE_NAME AS Variable_name, VARIABLE_VALUE AS Value",
				from: "performance_schema." + scope + "_" + of, like: "Variable_name", order: "Variable_name"})
		}
	}
	binaryLog := empty("File", "Position:n", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set")
	logEvents := empty("Log_name", "Pos:n", "Event_type", "Server_id:n", "End_log_pos:n", "Info")
	kinds = []showKind{
		{"", []string{"DATABASES", "SCHEMAS"}, showDatabases},
		{"EXTENDED|FULL", []string{"TABLES"}, showTables},
		{"EXTENDED|FULL", []string{"COLUMNS", "FIELDS"}, columnsFrom},
		{"EXTENDED", []string{"INDEX", "INDEXES", "KEYS"}, showIndex},
		{"", []string{"TABLE STATUS"}, tableStatus},
		{"", []string{"OPEN TABLES"}, inSchema(func(string) listing {
			return listing{shown: "'' AS `Database`, '' AS `Table`, 0 AS In_use, 0 AS Name_locked", from: "mysql.help_topic WHERE 0", like: "Table"}
		})},
		{"FULL", []string{"TRIGGERS"}, inSchema(func(schema string) listing {
			return listing{shown: "TRIGGER_NAME AS `Trigger`, EVENT_MANIPULATION AS Event, EVENT_OBJECT_TABLE AS `Table`, ACTION_STATEMENT AS Statement, " +
				"ACTION_TIMING AS Timing, CREATED AS Created, SQL_MODE AS sql_mode, DEFINER AS Definer, CHARACTER_SET_CLIENT AS character_set_client, " +
				"COLLATION_CONNECTION AS collation_connection, DATABASE_COLLATION AS `Database Collation`",
				from: "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = " + quoted(schema), like: "Table"}
		})},
		{"", []string{"EVENTS"}, inSchema(func(schema string) listing {
			return listing{shown: "EVENT_SCHEMA AS Db, EVENT_NAME AS Name, DEFINER AS Definer, TIME_ZONE AS `Time zone`, EVENT_TYPE AS Type, " +
				"EXECUTE_AT AS `Execute at`, INTERVAL_VALUE AS `Interval value`, INTERVAL_FIELD AS `Interval field`, STARTS AS Starts, ENDS AS Ends, " +
				"STATUS AS Status, ORIGINATOR AS Originator, CHARACTER_SET_CLIENT AS character_set_client, " +
				"COLLATION_CONNECTION AS collation_connection, DATABASE_COLLATION AS `Database Collation`",
				from: "information_schema.EVENTS WHERE EVENT_SCHEMA = " + quoted(schema), like: "Name"}
		})},
		{"", []string{"FUNCTION STATUS"}, routine("FUNCTION")},
		{"", []string{"PROCEDURE STATUS"}, routine("PROCEDURE")},
		{"", []string{"FUNCTION CODE", "PROCEDURE CODE"}, missing("FUNCTION", 1305)},
		{"", []string{"CHARACTER SET", "CHARSET"}, plain(listing{shown: "CHARACTER_SET_NAME AS Charset, DESCRIPTION AS Description, " +
			"DEFAULT_COLLATE_NAME AS `Default collation`, MAXLEN AS Maxlen", from: "information_schema.CHARACTER_SETS", like: "Charset", order: "Charset"})},
		{"", []string{"COLLATION"}, plain(listing{shown: "COLLATION_NAME AS Collation, CHARACTER_SET_NAME AS Charset, ID AS Id, IS_DEFAULT AS `Default`, " +
			"IS_COMPILED AS Compiled, SORTLEN AS Sortlen, PAD_ATTRIBUTE AS Pad_attribute", from: "information_schema.COLLATIONS", like: "Collation", order: "Collation"})},
		{"STORAGE", []string{"ENGINES"}, plain(listing{shown: "ENGINE AS Engine, SUPPORT AS Support, COMMENT AS Comment, TRANSACTIONS AS Transactions, " +
			"XA AS XA, SAVEPOINTS AS Savepoints", from: "information_schema.ENGINES", like: "Engine"})},
		{"", []string{"ENGINE"}, engineStatus},
		{"", []string{"PLUGINS"}, plain(listing{shown: "PLUGIN_NAME AS Name, PLUGIN_STATUS AS Status, PLUGIN_TYPE AS Type, PLUGIN_LIBRARY AS Library, " +
			"PLUGIN_LICENSE AS License", from: "information_schema.PLUGINS", like: "Name"})},
		{"", []string{"PRIVILEGES"}, privileges},
		{"GLOBAL|SESSION|LOCAL", []string{"VARIABLES"}, variables("variables")},
		{"GLOBAL|SESSION|LOCAL", []string{"STATUS"}, variables("status")},
		{"FULL", []string{"PROCESSLIST"}, processList},
		{"", []string{"PROFILES"}, empty("Query_ID:n", "Duration:n", "Query")},
		{"", []string{"PROFILE"}, profile},
		{"", []string{"WARNINGS"}, warnings("")},
		{"", []string{"ERRORS"}, warnings(" WHERE Level = 'Error'")},
		{"", []string{"COUNT ( * ) WARNINGS"}, count("warning_count", "")},
		{"", []string{"COUNT ( * ) ERRORS"}, count("error_count", " WHERE Level = 'Error'")},
		{"", []string{"GRANTS"}, grants},
		{"", []string{"CREATE"}, create},
		{"", []string{"BINARY LOGS", "MASTER LOGS"}, empty("Log_name", "File_size:n", "Encrypted")},
		{"", []string{"BINARY LOG STATUS", "MASTER STATUS"}, binaryLog},
		{"", []string{"BINLOG EVENTS", "RELAYLOG EVENTS"}, func(r *reader, s Server) (Statement, error) {
			r.at = len(r.tokens) // of which log, from where
			return logEvents(r, s)
		}},
		{"", []string{"REPLICAS"}, empty("Server_Id:n", "Host", "Port:n", "Source_Id:n", "Replica_UUID")},
		{"", []string{"SLAVE HOSTS"}, empty("Server_id:n", "Host", "Port:n", "Master_id:n", "Slave_UUID")},
		{"", []string{"REPLICA STATUS", "SLAVE STATUS"}, replicaStatus},
	}
}

func showDatabases(r *reader, _ Server) (Statement, error) {
	title := "Database"
	if r.is("LIKE") && r.peek(1).kind == textToken {
		title += " (" + r.peek(1).text + ")"
	}
	return r.list(listing{shown: "SCHEMA_NAME AS " + name(title), from: "information_schema.SCHEMATA", like: title, order: name(title)})
}

// from takes FROM or IN and a schema.
func (r *reader) from(s Server) (string, error) {
	schema := ""
	if r.take("FROM", "IN") {
		var ok bool
		if schema, ok = r.identifier(); !ok {
			return "", r.syntax()
		}
	}
	return schemaOr(s, schema)
}

// inSchema is a kind that lists what is in one schema.
func inSchema(l func(schema string) listing) func(*reader, Server) (Statement, error) {
	return func(r *reader, s Server) (Statement, error) {
		schema, err := r.from(s)
		if err != nil {
			return Statement{}, err
		}
		return r.list(l(schema))
	}
}

func showTables(r *reader, s Server) (Statement, error) {
	full := strings.EqualFold(r.peek(-2).text, "FULL")
	schema, err := r.from(s)
	if err != nil {
		return Statement{}, err
	}
	title := "Tables_in_" + schema
	if r.is("LIKE") && r.peek(1).kind == textToken {
		title += " (" + r.peek(1).text + ")"
	}
	shown := "TABLE_NAME AS " + name(title)
	if full {
		shown += ", TABLE_TYPE AS Table_type"
	}
	return r.list(listing{shown: shown, from: "information_schema.TABLES WHERE TABLE_SCHEMA = " + quoted(schema), like: title, order: name(title)})
}

// readable finds a table that a session may read.
func readable(s Server, schema, table string) (*tables.Relation, error) {
	if schema == "" {
		if schema = s.Database(); schema == "" {
			return nil, mistake(1046, "No database selected")
		}
	}
	schema = strings.ToLower(schema)
	if !May(s, schema, strings.ToLower(table)) {
		user, host := s.User()
		return nil, mistake(1142, "SELECT command denied to user '%s'@'%s' for table '%s'", user, host, table)
	}
	if rel := find(s, schema, strings.ToLower(table)); rel != nil {
		return rel, nil
	}
	if _, err := schemaOr(s, schema); err != nil {
		return nil, err
	}
	return nil, mistake(1146, "Table '%s.%s' doesn't exist%s", schema, table, tables.DidYouMean(schema, table))
}

// tableFrom takes FROM or IN, a table, and perhaps its schema behind it.
func (r *reader) tableFrom() (schema, table string, err error) {
	if !r.take("FROM", "IN") {
		return "", "", r.syntax()
	}
	schema, table, ok := r.table()
	if ok && r.take("FROM", "IN") {
		schema, ok = r.identifier()
	}
	if !ok {
		return "", "", r.syntax()
	}
	return schema, table, nil
}

func columnsFrom(r *reader, s Server) (Statement, error) {
	full := strings.EqualFold(r.peek(-2).text, "FULL")
	schema, table, err := r.tableFrom()
	if err != nil {
		return Statement{}, err
	}
	return showColumns(r, s, schema, table, full, "")
}

func showColumns(r *reader, s Server, schema, table string, full bool, where string) (Statement, error) {
	rel, err := readable(s, schema, table)
	if err != nil {
		return Statement{}, err
	}
	l := listing{shown: "COLUMN_NAME AS Field, COLUMN_TYPE AS Type, IS_NULLABLE AS `Null`, COLUMN_KEY AS `Key`, COLUMN_DEFAULT AS `Default`, EXTRA AS Extra",
		from: fmt.Sprintf("information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", quoted(rel.Schema), quoted(rel.Name)),
		like: "Field", order: "`#`", hidden: "ORDINAL_POSITION AS `#`"}
	if full {
		l.shown = "COLUMN_NAME AS Field, COLUMN_TYPE AS Type, COLLATION_NAME AS Collation, IS_NULLABLE AS `Null`, COLUMN_KEY AS `Key`, " +
			"COLUMN_DEFAULT AS `Default`, EXTRA AS Extra, PRIVILEGES AS Privileges, COLUMN_COMMENT AS Comment"
	}
	if where != "" {
		return asked(r, l.text(where))
	}
	return r.list(l)
}

func showIndex(r *reader, s Server) (Statement, error) {
	schema, table, err := r.tableFrom()
	if err != nil {
		return Statement{}, err
	}
	rel, err := readable(s, schema, table)
	if err != nil {
		return Statement{}, err
	}
	return r.list(listing{shown: "TABLE_NAME AS `Table`, NON_UNIQUE AS Non_unique, INDEX_NAME AS Key_name, SEQ_IN_INDEX AS Seq_in_index, " +
		"COLUMN_NAME AS Column_name, COLLATION AS Collation, CARDINALITY AS Cardinality, SUB_PART AS Sub_part, PACKED AS Packed, NULLABLE AS `Null`, " +
		"INDEX_TYPE AS Index_type, COMMENT AS Comment, INDEX_COMMENT AS Index_comment, IS_VISIBLE AS Visible, EXPRESSION AS Expression",
		from: fmt.Sprintf("information_schema.STATISTICS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s", quoted(rel.Schema), quoted(rel.Name))})
}

func tableStatus(r *reader, s Server) (Statement, error) {
	schema, err := r.from(s)
	if err != nil {
		return Statement{}, err
	}
	return r.list(listing{shown: "TABLE_NAME AS Name, ENGINE AS Engine, VERSION AS Version, ROW_FORMAT AS Row_format, TABLE_ROWS AS `Rows`, " +
		"AVG_ROW_LENGTH AS Avg_row_length, DATA_LENGTH AS Data_length, MAX_DATA_LENGTH AS Max_data_length, INDEX_LENGTH AS Index_length, " +
		"DATA_FREE AS Data_free, AUTO_INCREMENT AS Auto_increment, CREATE_TIME AS Create_time, UPDATE_TIME AS Update_time, CHECK_TIME AS Check_time, " +
		"TABLE_COLLATION AS Collation, CHECKSUM AS Checksum, CREATE_OPTIONS AS Create_options, TABLE_COMMENT AS Comment",
		from: "information_schema.TABLES WHERE TABLE_SCHEMA = " + quoted(schema), like: "Name", order: "Name"})
}

func processList(r *reader, _ Server) (Statement, error) {
	info := "LEFT(INFO, 100)"
	if strings.EqualFold(r.peek(-2).text, "FULL") {
		info = "INFO"
	}
	return r.list(listing{shown: "ID AS Id, USER AS User, HOST AS Host, DB AS db, COMMAND AS Command, TIME AS Time, STATE AS State, " + info + " AS Info",
		from: "information_schema.PROCESSLIST", like: "User", order: "Id"})
}

// engineStatus is SHOW ENGINE … STATUS, LOGS or MUTEX.
func engineStatus(r *reader, _ Server) (Statement, error) {
	engine, ok := r.identifier()
	if !ok || !r.take("STATUS", "LOGS", "MUTEX") {
		return Statement{}, r.syntax()
	}
	if !strings.EqualFold(engine, "innodb") && !strings.EqualFold(engine, Engine) && !strings.EqualFold(engine, "performance_schema") {
		return Statement{}, mistake(1286, "Unknown storage engine '%s'", engine)
	}
	return r.nothing("Type", "Name", "Status")
}

// privileges are the rights there are here.
func privileges(r *reader, _ Server) (Statement, error) {
	return asked(r, "SELECT 'Process' AS Privilege, 'Server Admin' AS Context, 'To view the plain text of currently executing queries' AS Comment "+
		"UNION ALL SELECT 'Select', 'Tables', 'To retrieve rows from table' UNION ALL SELECT 'Usage', 'Server Admin', 'No privileges - allow connect only'")
}

// profile is SHOW PROFILE, which has columns for each of the costs it names.
func profile(r *reader, _ Server) (Statement, error) {
	names := []string{"Status", "Duration:n"}
	for more := true; more; more = r.take(",") {
		all := r.take("ALL")
		found := all
		for _, c := range costs {
			if all || r.take(c.words) {
				names, found = append(names, strings.Fields(c.columns)...), true
				if !all {
					break
				}
			}
		}
		if !found {
			break
		}
	}
	if r.take("FOR QUERY") {
		r.next()
	}
	if r.take("LIMIT") {
		r.at = len(r.tokens)
	}
	return r.nothing(names...)
}

// costs are what SHOW PROFILE may be asked for (manual 15.7.7.30), in the order
// that ALL shows them.
var costs = []struct{ words, columns string }{
	{"CPU", "CPU_user:n CPU_system:n"},
	{"CONTEXT SWITCHES", "Context_voluntary:n Context_involuntary:n"},
	{"BLOCK IO", "Block_ops_in:n Block_ops_out:n"},
	{"IPC", "Messages_sent:n Messages_received:n"},
	{"PAGE FAULTS", "Page_faults_major:n Page_faults_minor:n"},
	{"SWAPS", "Swaps:n"},
	{"SOURCE", "Source_function Source_file Source_line:n"},
	{"MEMORY", ""},
}

// warnings are those of the statement before.
func warnings(where string) func(*reader, Server) (Statement, error) {
	return func(r *reader, _ Server) (Statement, error) {
		limit := ""
		if r.take("LIMIT") {
			for _, sign := range []string{" LIMIT ", ", "} {
				t := r.next()
				if t.kind != numberToken {
					r.at--
					return Statement{}, r.syntax()
				}
				if limit += sign + t.text; !r.take(",") {
					break
				}
			}
		}
		st, err := asked(r, "SELECT Level, Code, Message FROM "+"`show`.warnings"+where+limit)
		st.Warnings = true
		return st, err
	}
}

func count(variable, where string) func(*reader, Server) (Statement, error) {
	return func(r *reader, _ Server) (Statement, error) {
		st, err := asked(r, "SELECT COUNT(*) AS `@@session."+variable+"` FROM "+"`show`.warnings"+where)
		st.Warnings = true
		return st, err
	}
}

// oneself takes the account that asks; what is of others is shown to administrators.
func (r *reader) oneself(s Server) error {
	if r.take("CURRENT_USER ( )", "CURRENT_USER", "USER ( )") {
		return nil
	}
	t, of := r.next(), "%"
	if t.kind == endToken {
		return r.syntax()
	}
	if r.take("@") {
		of = r.next().text
	}
	if user, host := s.User(); t.text != user || of != "%" && of != host {
		return mistake(1142, "SELECT command denied to user '%s'@'%s' for table 'user'", user, host)
	}
	return nil
}

// grants are one's own.
func grants(r *reader, s Server) (Statement, error) {
	user, _ := s.User()
	title := user + "@%"
	if r.take("FOR") {
		if err := r.oneself(s); err != nil {
			return Statement{}, err
		}
		if r.take("USING") {
			return Statement{}, mistake(3530, "`%s`@`%%` is not granted to `%s`@`%%`", r.next().text, user)
		}
	}
	return asked(r, "SELECT Grants AS "+name("Grants for "+title)+" FROM "+"`show`.grants")
}

func replicaStatus(r *reader, _ Server) (Statement, error) {
	old := strings.EqualFold(r.peek(-2).text, "SLAVE")
	if r.take("FOR CHANNEL") {
		r.next()
	}
	names := strings.Fields(replicaColumns)
	if old {
		// MySQL 8.0 has both; their columns differ in these words (15.7.7.35).
		for i, n := range names {
			names[i] = strings.NewReplacer("Replicate", "Replicate", "Get_Source_public_key", "Get_master_public_key", "Source_public_key_path",
				"Master_public_key_path", "Source", "Master", "Replica", "Slave").Replace(n)
		}
	}
	return r.nothing(names...)
}

const replicaColumns = `Replica_IO_State Source_Host Source_User Source_Port:n Connect_Retry:n Source_Log_File Read_Source_Log_Pos:n
	Relay_Log_File Relay_Log_Pos:n Relay_Source_Log_File Replica_IO_Running Replica_SQL_Running Replicate_Do_DB Replicate_Ignore_DB
	Replicate_Do_Table Replicate_Ignore_Table Replicate_Wild_Do_Table Replicate_Wild_Ignore_Table Last_Errno:n Last_Error Skip_Counter:n
	Exec_Source_Log_Pos:n Relay_Log_Space:n Until_Condition Until_Log_File Until_Log_Pos:n Source_SSL_Allowed Source_SSL_CA_File
	Source_SSL_CA_Path Source_SSL_Cert Source_SSL_Cipher Source_SSL_Key Seconds_Behind_Source:n Source_SSL_Verify_Server_Cert
	Last_IO_Errno:n Last_IO_Error Last_SQL_Errno:n Last_SQL_Error Replicate_Ignore_Server_Ids Source_Server_Id:n Source_UUID
	Source_Info_File SQL_Delay:n SQL_Remaining_Delay:n Replica_SQL_Running_State Source_Retry_Count:n Source_Bind
	Last_IO_Error_Timestamp Last_SQL_Error_Timestamp Source_SSL_Crl Source_SSL_Crlpath Retrieved_Gtid_Set Executed_Gtid_Set
	Auto_Position Replicate_Rewrite_DB Channel_Name Source_TLS_Version Source_public_key_path Get_Source_public_key Network_Namespace`

// missing is a kind that names what does not exist.
func missing(what string, number int) func(*reader, Server) (Statement, error) {
	return func(r *reader, s Server) (Statement, error) {
		_, table, ok := r.table()
		if !ok {
			return Statement{}, r.syntax()
		}
		return Statement{}, mistake(number, "%s %s does not exist", what, table)
	}
}

// create is SHOW CREATE of all that can be created.
func create(r *reader, s Server) (Statement, error) {
	what := r.next()
	switch strings.ToUpper(what.text) {
	case "DATABASE", "SCHEMA":
		r.take("IF NOT EXISTS")
		schema, ok := r.identifier()
		if !ok {
			return Statement{}, r.syntax()
		}
		schema, err := schemaOr(s, schema)
		if err != nil {
			return Statement{}, err
		}
		text := fmt.Sprintf("CREATE DATABASE %s /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE %s */ /*!80016 DEFAULT ENCRYPTION='N' */", name(schema), byBytes)
		return asked(r, "SELECT "+quoted(schema)+" AS `Database`, "+quoted(text)+" AS `Create Database`")
	case "TABLE", "VIEW":
		schema, table, ok := r.table()
		if !ok {
			return Statement{}, r.syntax()
		}
		rel, err := readable(s, schema, table)
		if err != nil {
			return Statement{}, err
		}
		if !strings.EqualFold(what.text, "VIEW") {
			return asked(r, "SELECT "+quoted(rel.Name)+" AS `Table`, "+quoted(createTable(rel))+" AS `Create Table`")
		}
		if tableType(rel) == "BASE TABLE" {
			return Statement{}, mistake(1347, "'%s.%s' is not VIEW", rel.Schema, rel.Name)
		}
		user, host := s.User()
		return Statement{}, mistake(1142, "SHOW VIEW command denied to user '%s'@'%s' for table '%s'", user, host, rel.Name)
	case "FUNCTION", "PROCEDURE":
		return missing(strings.ToUpper(what.text), 1305)(r, s)
	case "TRIGGER":
		return Statement{}, mistake(1360, "Trigger does not exist")
	case "EVENT":
		_, event, _ := r.table()
		return Statement{}, mistake(1539, "Unknown event '%s'", event)
	case "USER":
		if err := r.oneself(s); err != nil {
			return Statement{}, err
		}
		user, _ := s.User()
		return asked(r, "SELECT "+quoted(createUser(user))+" AS "+name("CREATE USER for "+user+"@%"))
	}
	r.at--
	return Statement{}, r.syntax()
}
