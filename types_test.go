package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/sqlserver"
	"github.com/wiresql/wiresql/testdata/mariadb"
)

// kindColumn is a column that expressions are asked of: how wiresql has it, and what
// it is in MariaDB.
type kindColumn struct{ name, wire, maria string }

var kindColumns = []kindColumn{
	{"at", "f.ts", "DATETIME(6)"},
	{"dbl", "f.duration", "DOUBLE"},
	{"num", "f.src_port", "INT"},
	{"big", "f.bytes", "BIGINT"},
	{"flag", "f.last_piece", "TINYINT(1)"},
	{"word", "f.sensor", "VARCHAR(64) COLLATE " + textCollation},
	{"host", "f.src_host", "VARCHAR(255) COLLATE " + mysqlCollation},
	{"addr", "f.src_ip", "VARCHAR(45) COLLATE " + textCollation},
	{"id", "f.conn_id", "VARCHAR(13) COLLATE " + textCollation},
	{"mac", "f.src_mac", "VARCHAR(17) COLLATE " + textCollation},
	{"cid", "f.community_id", "VARCHAR(30) COLLATE " + textCollation},
	{"bin", "UNHEX(HEX(f.sensor))", "VARBINARY(64)"},
	{"day", "DATE(f.ts)", "DATE"},
	{"span", "TIME(f.ts)", "TIME(6)"},
	{"amount", "CAST(f.bytes / 7 AS DECIMAL(14,3))", "DECIMAL(14,3)"},
	{"doc", "JSON_OBJECT('a', f.bytes)", "JSON"},
	{"none", "NULL", ""},
}

const kindRows = "FROM flows_wide f WHERE f.conn_id IN (SELECT conn_id FROM connections WHERE server_port IN (22, 443, 53) ) AND f.src_port > 1000 ORDER BY f.flow_id LIMIT 6"

// askedOf has expressions for each function and operator of the table: {} is the
// column. What is not listed is not asked, which TestEveryFunctionIsAsked
// finds.
var askedOf = map[string][]string{
	"%": {"{} % 3"}, "&": {"{} & 6"}, "*": {"{} * 2", "{} * 1.5", "{} * 1e0"}, "+": {"{} + 1", "{} + 0.25", "{} + 1e0"}, "-": {"{} - 1", "2.50 - {}"},
	"/": {"{} / 3", "{} / 0.3"}, "<": {"{} < {}"}, "<<": {"{} << 1"}, "<=": {"{} <= {}"}, "<=>": {"{} <=> NULL"}, "<>": {"{} <> {}"},
	"=": {"{} = {}"}, ">": {"{} > {}"}, ">=": {"{} >= {}"}, ">>": {"{} >> 1"}, "^": {"{} ^ 1"}, "|": {"{} | 1"}, "~": {"~{}"},
	"unary +": {"+{}"}, "unary -": {"-{}"}, "and": {"{} AND 1"}, "or": {"{} OR 0"}, "xor": {"{} XOR 1"}, "not": {"NOT {}", "!{}"},
	"between": {"{} BETWEEN {} AND {}"}, "in": {"{} IN ({}, NULL)", "{} NOT IN ({})"}, "is": {"{} IS NULL", "{} IS NOT NULL", "{} IS TRUE"},
	"case": {"CASE WHEN {} IS NULL THEN 1 ELSE {} END", "CASE {} WHEN {} THEN 1 ELSE 2.50 END", "CASE WHEN 1 = 1 THEN {} END"},
	"abs":  {"ABS({})"}, "acos": {"ACOS({})"}, "asin": {"ASIN({})"}, "atan": {"ATAN({})", "ATAN({}, 2)"}, "atan2": {"ATAN2({}, 1)"},
	"ceil": {"CEIL({})"}, "cos": {"COS({})"}, "cot": {"COT({} + 1)"}, "degrees": {"DEGREES({})"}, "radians": {"RADIANS({})"}, "exp": {"EXP({} / 1000000000000000)"},
	"floor": {"FLOOR({})"}, "ln": {"LN({})"}, "log": {"LOG({})", "LOG(2, {})"}, "log10": {"LOG10({})"}, "log2": {"LOG2({})"}, "mod": {"MOD({}, 7)"},
	"div": {"{} DIV 7"}, "pi": {"PI()"}, "pow": {"POW({}, 0.5)"}, "round": {"ROUND({})", "ROUND({}, 2)", "ROUND({}, -1)"}, "sign": {"SIGN({})"}, "sin": {"SIN({})"},
	"sqrt": {"SQRT({})"}, "tan": {"TAN({})"}, "truncate": {"TRUNCATE({}, 1)"}, "conv": {"CONV({}, 10, 16)"}, "crc32": {"CRC32({})"}, "format": {"FORMAT({}, 2)"},
	"bin": {"BIN({})"}, "oct": {"OCT({})"}, "hex": {"HEX({})"}, "unhex": {"UNHEX({})"}, "bit_count": {"BIT_COUNT({})"}, "bit_length": {"BIT_LENGTH({})"},
	"ascii": {"ASCII({})"}, "ord": {"ORD({})"}, "char": {"CHAR(65, {} USING utf8mb4)"}, "char_length": {"CHAR_LENGTH({})"}, "length": {"LENGTH({})"},
	"coalesce": {"COALESCE({}, NULL)", "COALESCE(NULL, {})", "COALESCE({}, 'x')"}, "collate": {"{} COLLATE utf8mb4_bin"}, "collation": {"COLLATION({})"},
	"concat": {"CONCAT({}, 'x')", "CONCAT({}, {})"}, "concat_ws": {"CONCAT_WS(',', {}, {})"}, "elt": {"ELT(1, {}, 'x')"}, "export_set": {"EXPORT_SET({}, 'Y', 'N', ',', 4)"},
	"format_bytes": {"FORMAT_BYTES({})"}, "format_pico_time": {"FORMAT_PICO_TIME({})"}, "field": {"FIELD({}, {}, 'x')"}, "find_in_set": {"FIND_IN_SET({}, 'x,y')"}, "from_base64": {"FROM_BASE64({})"}, "to_base64": {"TO_BASE64({})"},
	"insert": {"INSERT({}, 1, 1, 'x')"}, "instr": {"INSTR({}, '1')"}, "interval": {"INTERVAL({}, 1, 10)"}, "left": {"LEFT({}, 3)"}, "right": {"RIGHT({}, 3)"},
	"like": {"{} LIKE '%1%'", "{} NOT LIKE '1%'"}, "locate": {"LOCATE('1', {})"}, "lower": {"LOWER({})"}, "upper": {"UPPER({})"}, "lpad": {"LPAD({}, 30, '*')"},
	"rpad": {"RPAD({}, 30, '*')"}, "ltrim": {"LTRIM({})"}, "rtrim": {"RTRIM({})"}, "trim": {"TRIM({})", "TRIM(BOTH '1' FROM {})"}, "make_set": {"MAKE_SET(3, {}, 'b')"},
	"md5": {"MD5({})"}, "sha1": {"SHA1({})"}, "sha2": {"SHA2({}, 256)"}, "quote": {"QUOTE({})"}, "regexp": {"{} REGEXP '1'"}, "regexp_instr": {"REGEXP_INSTR({}, '1')"},
	"regexp_like": {"REGEXP_LIKE({}, '1')"}, "regexp_replace": {"REGEXP_REPLACE({}, '1', 'x')"}, "regexp_substr": {"REGEXP_SUBSTR({}, '[0-9]')"}, "repeat": {"REPEAT({}, 2)"},
	"replace": {"REPLACE({}, '1', 'x')"}, "reverse": {"REVERSE({})"}, "soundex": {"SOUNDEX({})"}, "space": {"SPACE(3)"}, "strcmp": {"STRCMP({}, 'x')"},
	"substring": {"SUBSTRING({}, 2, 3)", "SUBSTRING({} FROM 2)"}, "substring_index": {"SUBSTRING_INDEX({}, '.', 1)"}, "weight_string": {"HEX(WEIGHT_STRING({}))"},
	"introducer": {"_utf8mb4'x'"}, "convert using": {"CONVERT({} USING utf8mb4)"}, "is_uuid": {"IS_UUID({})"}, "uuid_to_bin": {"UUID_TO_BIN({})"}, "bin_to_uuid": {"BIN_TO_UUID({})"},
	"cast": {"CAST({} AS SIGNED)", "CAST({} AS UNSIGNED)", "CAST({} AS CHAR)", "CAST({} AS CHAR(5))", "CAST({} AS BINARY)", "CAST({} AS DECIMAL(20,2))", "CAST({} AS DOUBLE)",
		"CAST({} AS DATE)", "CAST({} AS DATETIME)", "CAST({} AS DATETIME(3))", "CAST({} AS TIME)", "CAST({} AS TIME(6))", "CAST({} AS JSON)"},
	"greatest": {"GREATEST({}, {})", "GREATEST({}, 2.5)", "GREATEST({}, 'x')"}, "least": {"LEAST({}, {})", "LEAST({}, 2.5)"},
	"if": {"IF(1 = 1, {}, 2.5)", "IF({}, 1, 2.5)"}, "ifnull": {"IFNULL({}, 1)", "IFNULL({}, {})"}, "isnull": {"ISNULL({})"}, "nullif": {"NULLIF({}, 'x')", "NULLIF({}, {})"},
	"addtime": {"ADDTIME({}, '01:00:00')"}, "subtime": {"SUBTIME({}, '01:00:00.5')"}, "convert_tz": {"CONVERT_TZ({}, '+00:00', '+02:00')"}, "current_date": {"CURRENT_DATE = CURRENT_DATE"},
	"current_time": {"CURRENT_TIME = CURRENT_TIME"}, "now": {"NOW(3) = NOW(3)"}, "sysdate": {"SYSDATE() >= NOW()"}, "utc_date": {"UTC_DATE() = UTC_DATE()"}, "utc_time": {"UTC_TIME() = UTC_TIME()"},
	"utc_timestamp": {"UTC_TIMESTAMP() = UTC_TIMESTAMP()"}, "date": {"DATE({})"}, "time": {"TIME({})"}, "timestamp": {"TIMESTAMP({})", "TIMESTAMP({}, '01:00:00')"},
	"date_add": {"{} + INTERVAL 1 DAY", "{} - INTERVAL 1 MONTH", "{} + INTERVAL 1 SECOND", "DATE_ADD({}, INTERVAL 1.5 SECOND)", "{} + INTERVAL 5 MICROSECOND", "{} + INTERVAL '1:30' HOUR_MINUTE",
		"ADDDATE({}, 3)", "TIMESTAMPADD(WEEK, 1, {})"},
	"date_format": {"DATE_FORMAT({}, '%Y-%m-%d %H:%i:%s.%f')"}, "datediff": {"DATEDIFF({}, '2026-01-01')"}, "day": {"DAY({})"}, "dayname": {"DAYNAME({})"}, "dayofweek": {"DAYOFWEEK({})"},
	"dayofyear": {"DAYOFYEAR({})"}, "extract": {"EXTRACT(YEAR FROM {})", "EXTRACT(HOUR_MICROSECOND FROM {})"}, "from_days": {"FROM_DAYS({})"}, "from_unixtime": {"FROM_UNIXTIME({})", "FROM_UNIXTIME({}, '%Y')"},
	"get_format": {"GET_FORMAT(DATE, 'ISO')"}, "hour": {"HOUR({})"}, "last_day": {"LAST_DAY({})"}, "makedate": {"MAKEDATE(2026, {} % 300 + 1)"}, "maketime": {"MAKETIME(1, 2, {} % 60)"},
	"microsecond": {"MICROSECOND({})"}, "minute": {"MINUTE({})"}, "month": {"MONTH({})"}, "monthname": {"MONTHNAME({})"}, "period_add": {"PERIOD_ADD(202601, {} % 12)"}, "period_diff": {"PERIOD_DIFF(202601, 202501 + {} % 1)"},
	"quarter": {"QUARTER({})"}, "sec_to_time": {"SEC_TO_TIME({})"}, "second": {"SECOND({})"}, "str_to_date": {"STR_TO_DATE({}, '%Y-%m-%d %H:%i:%s.%f')", "STR_TO_DATE({}, '%Y')"}, "time_format": {"TIME_FORMAT({}, '%H:%i:%s.%f')"},
	"time_to_sec": {"TIME_TO_SEC({})"}, "timediff": {"TIMEDIFF({}, {})"}, "timestampdiff": {"TIMESTAMPDIFF(MINUTE, {}, '2026-06-30')"}, "to_days": {"TO_DAYS({})"}, "to_seconds": {"TO_SECONDS({})"},
	"unix_timestamp": {"UNIX_TIMESTAMP({})"}, "week": {"WEEK({})", "WEEK({}, 3)"}, "weekday": {"WEEKDAY({})"}, "weekofyear": {"WEEKOFYEAR({})"}, "year": {"YEAR({})"}, "yearweek": {"YEARWEEK({})"},
	"inet_aton": {"INET_ATON({})"}, "inet_ntoa": {"INET_NTOA({})"}, "inet6_aton": {"INET6_ATON({})"}, "inet6_ntoa": {"INET6_NTOA({})"}, "is_ipv4": {"IS_IPV4({})"}, "is_ipv6": {"IS_IPV6({})"},
	"is_ipv4_compat": {"IS_IPV4_COMPAT({})"}, "is_ipv4_mapped": {"IS_IPV4_MAPPED({})"},
	"json_array": {"JSON_ARRAY({}, 1)"}, "json_object": {"JSON_OBJECT('k', {})"}, "json_contains_path": {"JSON_CONTAINS_PATH({}, 'one', '$.a')"}, "json_depth": {"JSON_DEPTH({})"},
	"json_extract": {"JSON_EXTRACT({}, '$.a')"}, "json_keys": {"JSON_KEYS({})"}, "json_length": {"JSON_LENGTH({})"}, "json_remove": {"JSON_REMOVE({}, '$.a')"}, "json_unquote": {"JSON_UNQUOTE({})"},
	"json_array_append": {"JSON_ARRAY_APPEND('[1]', '$', {})"}, "json_contains": {"JSON_CONTAINS('{\"a\": 1}', '1', '$.a')"}, "json_insert": {"JSON_INSERT('{\"a\": 1}', '$.b', {})"},
	"json_merge_patch": {"JSON_MERGE_PATCH('{\"a\": 1}', '{\"b\": 2}')"}, "json_merge_preserve": {"JSON_MERGE_PRESERVE('[1]', '[2]')"}, "json_overlaps": {"JSON_OVERLAPS('[1, 2]', '[2]')"},
	"json_quote": {"JSON_QUOTE(word)"}, "json_replace": {"JSON_REPLACE('{\"a\": 1}', '$.a', {})"}, "json_set": {"JSON_SET('{\"a\": 1}', '$.a', {})"}, "json_type": {"JSON_TYPE(doc)"},
	"json_valid": {"JSON_VALID({})"}, "json_array_insert": {"JSON_ARRAY_INSERT('[1]', '$[0]', {})"}, "json_pretty": {"JSON_PRETTY('1')"},
	"json_search": {"JSON_SEARCH('{\"a\": \"1\"}', 'one', {})"}, "json_value": {"JSON_VALUE('{\"a\": 1}', '$.a')", "JSON_VALUE('[12]', '$[0]' RETURNING SIGNED)"}, "rand": {"RAND(1) < 2", "RAND() >= 0"}, "member of": {"1 MEMBER OF ('[1, 2]')"},
	// Of ours alone.
	"contains": {"CONTAINS({}, '1')"}, "contains_any": {"CONTAINS_ANY({}, '1', '2')"}, "entropy": {"ENTROPY({})"}, "http_header": {"HTTP_HEADER({}, 'host')"}, "registered_domain": {"REGISTERED_DOMAIN({})"}, "hexdump": {"HEXDUMP({})"}, "printable": {"PRINTABLE({})"}, "ip_in": {"IP_IN({}, '10.0.0.0/8')"}, "ip_network": {"IP_NETWORK({}, 24)"}, "is_private": {"IS_PRIVATE({})"},
	"overlaps": {"OVERLAPS({}, {}, '2026-06-12', '2026-06-13')"}, "protocol_name": {"PROTOCOL_NAME({})"}, "service_name": {"SERVICE_NAME({})"}, "tcp_flags_text": {"TCP_FLAGS_TEXT({})"}, "time_bucket": {"TIME_BUCKET('1 hour', {})"},
	// Aggregates and windows have a table of their own.
	"aggregate": {"COUNT({})", "COUNT(DISTINCT {})", "SUM({})", "AVG({})", "MIN({})", "MAX({})", "STDDEV({})", "STDDEV_SAMP({})", "VARIANCE({})", "VAR_SAMP({})", "BIT_AND({})", "BIT_OR({})", "BIT_XOR({})",
		"GROUP_CONCAT({} ORDER BY {})", "SUM({}) / COUNT(*)", "ROUND(AVG({}), 1)", "IF(COUNT(*) > 1, MAX({}), 2.5)", "SUM(DISTINCT {})"},
	"window": {"LAG({}) OVER (ORDER BY id, at)", "FIRST_VALUE({}) OVER (ORDER BY id, at)", "SUM({}) OVER ()", "AVG({}) OVER ()", "MAX({}) OVER ()", "COUNT({}) OVER ()", "STDDEV({}) OVER ()", "RANK() OVER (ORDER BY {})",
		"PERCENT_RANK() OVER (ORDER BY {})", "NTILE(2) OVER (ORDER BY {}, id, at)"},
	"subquery": {"(SELECT {})", "EXISTS (SELECT {})"},
}

// spread compares two answers of one statement. How far numbers of fourteen
// digits, as times are, lie apart is a double whose last digits hang on the order
// in which threads came to the rows.
func spread(text string) func(a, b string) bool {
	return func(a, b string) bool {
		if a == b || !strings.HasPrefix(text, "STDDEV") && !strings.HasPrefix(text, "VAR") {
			return a == b
		}
		x, err := strconv.ParseFloat(a, 64)
		y, also := strconv.ParseFloat(b, 64)
		return errors.Join(err, also) == nil && math.Abs(x-y) <= 1e-6*math.Abs(x)
	}
}

// Every function of the table is asked for its type on the wire.
func TestEveryFunctionIsAsked(t *testing.T) {
	for _, f := range functions.Entries() {
		if askedOf[f.Name] == nil {
			t.Errorf("%s(%s) is not asked over the wire: give it an expression", f.Name, f.Args)
		}
	}
}

// target is a server that is asked.
type target struct {
	name, host, port, user, password string
	tls                              bool
	table                            string // the query of the columns
}

func (s *target) text(expressions []string) string {
	fields := make([]string, len(expressions))
	for i, e := range expressions {
		fields[i] = e + " AS v" + strconv.Itoa(i)
	}
	return "SELECT " + strings.Join(fields, ", ") + " FROM (" + s.table + ") q"
}

// told is what a client says of a statement.
type told struct {
	Binary  bool `json:"binary"`
	Columns []struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Scale    int    `json:"scale"`
		Unsigned bool   `json:"unsigned"`
	} `json:"columns"`
	Rows     [][]*string `json:"rows"`
	Warnings int         `json:"warnings"`
	Error    string      `json:"error"`
}

// serveOnly serves the demo's archive.
func serveOnly(t *testing.T) (*target, *engine.Engine) {
	t.Helper()
	e := demoEngine(t)
	cfg := sqlserver.DefaultConfig()
	cfg.Dir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	server := sqlserver.New(cfg, e, nil)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	password, _ := server.Password()
	_, port, _ := net.SplitHostPort(server.Addr().String())
	return &target{"wiresql", "127.0.0.1", port, "wiresql", password, true, ""}, e
}

func openConfig(t *testing.T, c *mysql.Config) *sql.DB {
	t.Helper()
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// typeServers are a wiresql and a MariaDB that hold the same rows.
func typeServers(t *testing.T) (_, maria *target) {
	t.Helper()
	wire, e := serveOnly(t)
	var fields, defined []string
	for _, c := range kindColumns {
		fields = append(fields, c.wire+" AS `"+c.name+"`")
		if c.maria != "" {
			defined = append(defined, "`"+c.name+"` "+c.maria)
		}
	}
	derived := "SELECT " + strings.Join(fields, ", ") + " " + kindRows
	wire.table = derived

	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(probe.Addr().String())
	probe.Close()
	db := mariadb.Start(t, "--skip-networking=0", "--bind-address=127.0.0.1", "--port="+port, "--max-statement-time=20", "--skip-log-bin",
		"--sql-mode="+mariadb.SQLMode+",TIME_ROUND_FRACTIONAL", "--collation-server="+mysqlCollation, "--init-connect=SET NAMES utf8mb4 COLLATE "+mysqlCollation)
	rows := askEngineCells(e.NewSession(), derived)
	if rows.err != nil || len(rows.rows) < 3 {
		t.Fatalf("%d rows, %v", len(rows.rows), rows.err)
	}
	for _, q := range []string{"CREATE DATABASE wiresql", "CREATE TABLE wiresql.kinds (" + strings.Join(defined, ", ") + ")",
		"CREATE USER 'asker'@'%' IDENTIFIED BY 'asker'", "GRANT ALL ON *.* TO 'asker'@'%'",
		"CREATE USER 'reader'@'%' IDENTIFIED BY 'reader'", "GRANT SELECT ON *.* TO 'reader'@'%'"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	for _, row := range rows.rows {
		var cells []string
		for i, c := range kindColumns {
			switch {
			case c.maria == "":
			case !row[i].Valid:
				cells = append(cells, "NULL")
			default:
				cells = append(cells, fmt.Sprintf("X'%x'", row[i].String))
				if strings.HasPrefix(c.maria, "D") && !strings.HasPrefix(c.maria, "DA") || strings.Contains(c.maria, "INT") {
					cells[len(cells)-1] = row[i].String
				}
			}
		}
		if _, err := db.Exec("INSERT INTO wiresql.kinds VALUES (" + strings.Join(cells, ", ") + ")"); err != nil {
			t.Fatalf("%v: %v", cells, err)
		}
	}
	maria = &target{"MariaDB", "127.0.0.1", port, "asker", "asker", false, "SELECT *, NULL AS none FROM kinds"}
	return wire, maria
}

// goClient asks through Go's driver, as the programs of testdata/clients do.
func goClient(t *testing.T, s *target, statements []string) []told {
	t.Helper()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = s.user, s.password, "tcp", net.JoinHostPort(s.host, s.port), "wiresql"
	c.Logger = quietDriver{}
	if s.tls {
		c.TLSConfig = "skip-verify"
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	db.SetMaxOpenConns(1)
	var out []told
	for _, statement := range statements {
		for _, binary := range []bool{false, true} {
			out = append(out, askTyped(db, statement, binary))
		}
	}
	return out
}

func askTyped(db *sql.DB, statement string, binary bool) (out told) {
	ctx, cancel := context.WithTimeout(context.Background(), statementLimit)
	defer cancel()
	out.Binary = binary
	var rows *sql.Rows
	var err error
	if binary {
		var st *sql.Stmt
		if st, err = db.PrepareContext(ctx, statement); err == nil {
			defer st.Close()
			rows, err = st.QueryContext(ctx)
		}
	} else {
		rows, err = db.QueryContext(ctx, statement)
	}
	fail := func(err error) told { return told{Binary: binary, Error: err.Error()} }
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return fail(err)
	}
	out.Columns = make([]struct {
		Name     string `json:"name"`
		Type     string `json:"type"`
		Scale    int    `json:"scale"`
		Unsigned bool   `json:"unsigned"`
	}, len(columns))
	for i, c := range columns {
		o := &out.Columns[i]
		o.Name, o.Type = c.Name(), c.DatabaseTypeName()
		if _, scale, ok := c.DecimalSize(); ok {
			o.Scale = int(scale)
		}
		o.Type, o.Unsigned = strings.CutPrefix(o.Type, "UNSIGNED ")
	}
	for rows.Next() {
		cells := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return fail(err)
		}
		row := make([]*string, len(cells))
		for i, v := range cells {
			if b, ok := v.([]byte); ok && classOf(out.Columns[i].Type) == "bytes" {
				v = "0x" + hex.EncodeToString(b)
			}
			if text := cellText(v); text.Valid {
				row[i] = &text.String
			}
		}
		out.Rows = append(out.Rows, row)
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return out
}

// outside runs a program of testdata/clients.
func outside(t *testing.T, s *target, statements []string, command ...string) []told {
	t.Helper()
	file := filepath.Join(t.TempDir(), "statements")
	if err := os.WriteFile(file, []byte(strings.Join(statements, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	tls := "0"
	if s.tls {
		tls = "1"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], append(command[1:], s.host, s.port, s.user, s.password, tls, file)...)
	var errText bytes.Buffer
	cmd.Stderr = &errText
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s against %s: %v\n%s", command[0], s.name, err, errText.Bytes())
	}
	var out []told
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var one told
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			t.Fatalf("%s: %v in %.300s", command[0], err, lines.Bytes())
		}
		out = append(out, one)
	}
	return out
}

// typeClasses are the types that drivers name or number, as far as a client
// can tell them apart by what it does with values. Widths of integers and
// lengths of texts are none: MariaDB and MySQL choose them differently.
var typeClasses = map[string]string{
	"TINYINT": "integer", "SMALLINT": "integer", "MEDIUMINT": "integer", "INT": "integer", "INTEGER": "integer", "BIGINT": "integer", "YEAR": "integer",
	"1": "integer", "2": "integer", "3": "integer", "8": "integer", "9": "integer", "13": "integer",
	"DOUBLE": "double", "FLOAT": "double", "4": "double", "5": "double", "DECIMAL": "decimal", "246": "decimal", "0": "decimal",
	"DATETIME": "datetime", "TIMESTAMP": "datetime", "12": "datetime", "7": "datetime", "DATE": "date", "10": "date", "TIME": "time", "11": "time",
	"VARCHAR": "text", "CHAR": "text", "TEXT": "text", "LONGTEXT": "text", "MEDIUMTEXT": "text", "TINYTEXT": "text", "JSON": "text", "245": "text",
	"253": "text", "254": "text", "252": "text", "251": "text", "250": "text", "249": "text",
	"BINARY": "bytes", "VARBINARY": "bytes", "BLOB": "bytes", "LONGBLOB": "bytes", "MEDIUMBLOB": "bytes", "TINYBLOB": "bytes", "NULL": "null", "6": "null",
}

func classOf(typ string) string {
	typ, unsigned := strings.CutSuffix(typ, " UNSIGNED")
	_ = unsigned
	name, isBinary := strings.CutSuffix(typ, "b")
	class := typeClasses[name]
	switch {
	case class == "":
		return typ
	case class == "text" && isBinary && name != "245":
		return "bytes"
	}
	return class
}

// column describes a column as clients see it.
func (o *told) column(i int) string {
	c := o.Columns[i]
	class := classOf(c.Type)
	switch class {
	case "integer":
		if c.Unsigned || strings.HasSuffix(c.Type, " UNSIGNED") {
			return "unsigned integer"
		}
	case "decimal", "datetime", "time":
		// MariaDB says 39 for digits that it does not know: as many as there are.
		return fmt.Sprintf("%s(%d)", class, map[bool]int{true: 6, false: c.Scale}[c.Scale == 39])
	}
	return class
}

var fraction = regexp.MustCompile(`(:\d\d)\.(\d*?)0*$`)

// canonical is a value as every driver can give it: drivers make objects of
// doubles and times, whose text is their own.
func canonical(v *string, class string) string {
	if v == nil {
		return "NULL"
	}
	switch strings.SplitN(class, "(", 2)[0] {
	case "double":
		if f, err := strconv.ParseFloat(*v, 64); err == nil {
			if f == 0 {
				f = 0 // JavaScript prints no minus
			}
			return strconv.FormatFloat(f, 'g', 15, 64)
		}
	case "datetime", "time":
		return strings.TrimSuffix(fraction.ReplaceAllString(*v, "$1.$2"), ".")
	case "decimal":
		return *v
	case "bytes":
		if !strings.HasPrefix(*v, "0x") {
			return "0x" + hex.EncodeToString([]byte(*v))
		}
	}
	return *v
}

// values are the values of a column, in an order of their own.
func (o *told) values(i int) []string {
	class := o.column(i)
	out := make([]string, len(o.Rows))
	for r, row := range o.Rows {
		out[r] = canonical(row[i], class)
	}
	slices.Sort(out)
	return out
}

// question is an expression, and whether it takes all rows together.
type question struct {
	text  string
	apart bool
}

// questions are all of askedOf over all kinds of columns.
func questions() []question {
	var out []question
	for _, name := range slices.Sorted(maps.Keys(askedOf)) {
		for _, template := range askedOf[name] {
			for _, c := range kindColumns {
				out = append(out, question{strings.ReplaceAll(template, "{}", c.name), name == "aggregate"})
				if !strings.Contains(template, "{}") {
					break
				}
			}
		}
	}
	return out
}

// batches puts questions into statements of several columns: asked one by one
// they would take minutes.
func batches(list []question) (out [][]question) {
	for _, apart := range []bool{false, true} {
		var some []question
		for _, q := range list {
			if q.apart == apart {
				some = append(some, q)
			}
		}
		out = append(out, slices.Collect(slices.Chunk(some, 24))...)
	}
	return out
}

// answered is what a client says of one question.
type answered struct {
	column string
	values []string
	err    string
}

// one asks questions through a client that takes statements; those that fail
// together are asked alone.
func one(s *target, list []question, client func([]string) []told) map[question][2]answered {
	out := map[question][2]answered{}
	var alone []question
	groups := batches(list)
	ask := func(groups [][]question, failed func([]question)) {
		var statements []string
		for _, g := range groups {
			texts := make([]string, len(g))
			for i, q := range g {
				texts[i] = q.text
			}
			statements = append(statements, s.text(texts))
		}
		got := client(statements)
		per := len(got) / max(1, len(statements))
		for i, g := range groups {
			mine := got[i*per : (i+1)*per]
			if failed != nil && slices.ContainsFunc(mine, func(o told) bool { return o.Error != "" }) {
				failed(g)
				continue
			}
			for j, q := range g {
				var both [2]answered
				for _, o := range mine {
					a := answered{err: o.Error}
					if o.Error == "" {
						a.column, a.values = o.column(j), o.values(j)
					}
					if both[1] = a; !o.Binary {
						both[0] = a
					}
				}
				out[q] = both
			}
		}
	}
	ask(groups, func(g []question) { alone = append(alone, g...) })
	var single [][]question
	for _, q := range alone {
		single = append(single, []question{q})
	}
	ask(single, nil)
	return out
}

// typeClients are the programs of testdata/clients by driver.
func typeClients(t *testing.T) map[string][]string {
	t.Helper()
	dir, source := t.TempDir(), "testdata/clients/mysql2"
	for _, name := range []string{"client.js", "session.js", "package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(source, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--silent")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	return map[string][]string{
		"PyMySQL":     {"/usr/bin/python3", "testdata/clients/pymysql/client.py"},
		"mysql2":      {"node", filepath.Join(dir, "client.js")},
		"Connector/J": {"java", "-cp", "/usr/share/java/mariadb-java-client.jar", "testdata/clients/connectorj/Client.java"},
	}
}

// sameButFor are differences from MariaDB that are MySQL 8's way, or that
// MariaDB has for itself: expressions, and why.
var sameButFor = []struct{ expressions, why string }{
	{`\bnone\b`, "the type of what is NULL for every row is nobody's concern; its values are"},
	{`^(ROUND|TRUNCATE|CEIL|FLOOR)\((at|day|span)|^ABS\(day|^-day|^ROUND\(big, -1\)`, "numbers in MySQL, times in MariaDB"},
	{`^(GREATEST|LEAST)\(`, "MySQL 8 compares numbers beside text as text (manual 14.4.2)"},
	{`^(STDDEV|VARIANCE|STDDEV_SAMP|VAR_SAMP)\(|^PI\(`, "MariaDB prints four digits more than the argument has; a clock's spread is a double"},
	{`^(RANK|NTILE)\(`, "unsigned in MySQL"},
	{`^TIME_TO_SEC\(`, "whole seconds in MySQL"},
	{`bin (<<|>>)|^~bin|^BIT_COUNT\(bin`, "MySQL 8's operators on bits work on binary strings"},
	{`^UNIX_TIMESTAMP\(`, "0 for what is no time in MySQL, NULL in MariaDB"},
	{`^FROM_DAYS\(|^FROM_UNIXTIME\(|^CONVERT_TZ\((num|big|flag|amount)|^(DAY|MONTH|YEAR|QUARTER|DATE_FORMAT|EXTRACT|TO_DAYS|TO_SECONDS|LAST_DAY)\(.*(dbl|span)`, "no zero dates here; a TIME is one of today"},
	{`^(CAST|BIT_XOR|EXPORT_SET|INET_NTOA)\((at|span)`, "MySQL rounds a time to a whole number, MariaDB cuts it"},
	{`span [+-] INTERVAL|^(ADDDATE|TIMESTAMPADD|DATE_ADD)\(.*span`, "a TIME and a date's interval make a DATETIME in MySQL"},
	{`^(DATE_ADD|ADDTIME|SUBTIME)\((num|big|flag|amount|dbl|none)`, "six digits in text where MySQL has any"},
	{`\bdoc\b`, "MySQL compares JSON itself with 0; MariaDB has text there"},
	{`^COLLATION\(|WEIGHT_STRING`, "the servers name collations differently"},
	{`^REGEXP_(SUBSTR|INSTR)\(`, "NULL in MySQL where nothing matches"},
	{`^SUM\(DISTINCT at`, "MariaDB adds times up as doubles here"},
	{`^JSON_(ARRAY|OBJECT|ARRAY_APPEND|ARRAY_INSERT|INSERT|REPLACE|SET)\(.*bin`, "bytes are base64 in MySQL's documents"},
	{`^JSON_VALID\((dbl|num|big|flag|amount)`, "in MySQL a number is no JSON text"},
	{`^(COS|COT|SIN|TAN|LOG10|EXP)\(`, "the last digits of libraries"},
	{`^TIMESTAMP\(mac|^SEC_TO_TIME\(at|^GROUP_CONCAT\(bin`, "text that only looks like a time; 838:59:59.999999; group_concat's text"},
}

// The errors that refuse on purpose: what nobody can mean, said with a reason.
var refusal = regexp.MustCompile(`Error (1064|1235|1525|3141|3146|3995) |: (1064|1235|1525|3141|3146|3995)\b`)

var errorNumber = regexp.MustCompile(`Error \d+`)

// TestTypesOnTheWire asks every function and operator of every kind of column
// through the drivers people use, in the text and the binary protocol: no
// driver meets a value that its declared type can't hold, all get the same,
// and it is what MariaDB tells them.
func TestTypesOnTheWire(t *testing.T) {
	if testing.Short() {
		t.Skip("asks thousands of questions through four drivers")
	}
	wire, maria := typeServers(t)
	list := questions()
	got := one(wire, list, func(s []string) []told { return goClient(t, wire, s) })
	want := one(maria, list, func(s []string) []told { return goClient(t, maria, s) })
	why := make([]*regexp.Regexp, len(sameButFor))
	for i, e := range sameButFor {
		why[i] = regexp.MustCompile(e.expressions)
	}
	used := make([]int, len(why))
	explained := func(q question) bool {
		for i, r := range why {
			if r.MatchString(q.text) {
				used[i]++
				return true
			}
		}
		return false
	}
	var answerable []question
	refused, compared := 0, 0
	for _, q := range list {
		g, w := got[q], want[q]
		if g[0].err != g[1].err || g[0].column != g[1].column || !slices.Equal(g[0].values, g[1].values) {
			t.Errorf("%s: %v in the text protocol, %v in the binary one", q.text, g[0], g[1])
		}
		if g[0].err != "" {
			if refused++; !refusal.MatchString(g[0].err) && errorNumber.FindString(g[0].err) != errorNumber.FindString(w[0].err) {
				t.Errorf("%s: %s", q.text, g[0].err)
			}
			continue
		}
		answerable = append(answerable, q)
		if w[0].err != "" {
			continue // a function that MariaDB lacks
		}
		compared++
		for p := range g {
			if (g[p].column != w[p].column || !slices.Equal(g[p].values, w[p].values)) && !explained(q) {
				t.Errorf("%s: %s %v, MariaDB says %s %v", q.text, g[p].column, g[p].values, w[p].column, w[p].values)
			}
		}
	}
	for i, n := range used {
		if n == 0 {
			t.Errorf("%s explains nothing", sameButFor[i].expressions)
		}
	}
	for name, command := range typeClients(t) {
		other := one(wire, answerable, func(s []string) []told { return outside(t, wire, s, command...) })
		for _, q := range answerable {
			for p, o := range other[q] {
				if g := got[q][p]; o.err != "" || o.column != g.column || !slices.EqualFunc(o.values, g.values, spread(q.text)) {
					t.Errorf("%s through %s: %s %v %s, Go's driver has %s %v", q.text, name, o.column, o.values, o.err, g.column, g.values)
				}
			}
		}
	}
	t.Logf("%d expressions, %d compared with MariaDB, %d refused", len(list), compared, refused)
}

// TestDoublesAsText compares with MariaDB what a client is told and shown of
// doubles: one that was rounded has its digits, others have those they need.
func TestDoublesAsText(t *testing.T) {
	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Fatal("the mariadb client is not installed: make deps")
	}
	dir, err := os.MkdirTemp("", "doubles") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server, err := mariadb.Run(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	const statement = "SELECT 5e0, ROUND(5e0, 2), ROUND(-0.001e0, 2), TRUNCATE(5.55e0, 1), 1e0 / 3, ROUND(5e0, 2) / 3, ROUND(5e0, 2) * 1.5, ROUND(5e0, 2) + 1e0, PI(), " +
		"-ROUND(1e0, 1), ROUND(1e20, 2), ROUND(5e0, 30), IF(1, ROUND(5e0, 2), 1), GREATEST(ROUND(5e0, 2), 1.125), " +
		"SUM(ROUND(x, 2)), AVG(ROUND(x, 2)), MAX(ROUND(x, 2)), SUM(x) FROM (SELECT 1.5e0 x UNION ALL SELECT 0.1e0) t"
	ask := func(options ...string) (out []string) {
		text, err := exec.Command(client, append(options, "--table", "--column-type-info", "-e", statement)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "Decimals:") || strings.HasPrefix(line, "| ") {
				out = append(out, strings.Join(strings.Fields(line), " "))
			}
		}
		return out
	}
	want := ask("--no-defaults", "--user=root", "--socket="+filepath.Join(dir, "socket"))
	got := ask("--defaults-file=" + wireOptions(t, demoEngine(t)))
	if len(want) != 18+2 || !slices.Equal(got, want) {
		t.Errorf("%s\n got %q\nwant %q", statement, got, want)
	}
}
