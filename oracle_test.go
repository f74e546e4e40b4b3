package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/testdata/mariadb"
)

// An oracle is a MariaDB that holds the rows of an archive, and a wiresql over
// the same archive: the two are asked the same and must say the same. What
// wiresql thinks an answer is never becomes an expectation.
type oracle struct {
	db    *sql.DB
	maria *sql.Conn
	// reversed is the same rows put in the other way round: an answer that
	// is another there depends on the order of rows and proves nothing.
	reversed *sql.Conn
	wire     *sql.Conn
	session  *engine.Session

	engine *engine.Engine
	served *sql.DB
}

// mysqlCollation stands in for MySQL's default, utf8mb4_0900_ai_ci: case and
// accents don't count, spaces at the end do. Columns that are documented to
// compare without regard to case do so by it, other text by its bytes.
const (
	mysqlCollation = "utf8mb4_uca1400_nopad_ai_ci"
	textCollation  = "utf8mb4_nopad_bin"
)

// statementLimit is what a statement may take on either side.
const statementLimit = 10 * time.Second

// newOracle fills a MariaDB from one of archives.
func newOracle(t *testing.T, archive string) *oracle {
	t.Helper()
	e := archives[archive](t)
	db := mariadb.Start(t, "--group-concat-max-len=1024", "--max-statement-time=10", "--skip-log-bin")
	if _, err := db.Exec("CREATE DATABASE wiresql; CREATE DATABASE reversed; CREATE DATABASE ops; CREATE DATABASE hunt"); err != nil {
		t.Fatal(err)
	}
	o := &oracle{db: db, engine: e, served: wireDB(t, e)}
	// What a page sets stays in its sessions.
	o.db.SetMaxIdleConns(-1)
	o.served.SetMaxIdleConns(-1)
	o.begin(t)
	for _, r := range tables.Relations {
		o.load(t, e, r)
	}
	return o
}

// begin makes new sessions: nothing is set in them.
func (o *oracle) begin(t *testing.T) {
	t.Helper()
	o.maria, o.reversed, o.session = connection(t, o.db, "wiresql"), connection(t, o.db, "reversed"), o.engine.NewSession()
	var err error
	if o.wire, err = o.served.Conn(context.Background()); err != nil {
		t.Fatal(err)
	}
	wire := o.wire
	t.Cleanup(func() { wire.Close() })
}

// set runs a SET on all sides; maria is what MariaDB is told.
func (o *oracle) set(t *testing.T, statement, maria string) {
	t.Helper()
	_, errMaria := o.maria.ExecContext(t.Context(), maria)
	_, errReversed := o.reversed.ExecContext(t.Context(), maria)
	_, errWire := o.wire.ExecContext(t.Context(), statement)
	if err := errors.Join(errMaria, errReversed, errWire, askEngineCells(o.session, statement).err); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// connection is one of MariaDB's, set up as MySQL 8 sets up its own.
func connection(t *testing.T, db *sql.DB, schema string) *sql.Conn {
	t.Helper()
	c, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// MySQL rounds fractions of seconds, MariaDB cuts them if not told so.
	if _, err := c.ExecContext(t.Context(), "USE "+schema+"; SET NAMES utf8mb4 COLLATE "+mysqlCollation+
		"; SET sql_mode = CONCAT(@@sql_mode, ',TIME_ROUND_FRACTIONAL')"); err != nil {
		t.Fatal(err)
	}
	return c
}

// load copies a relation.
func (o *oracle) load(t *testing.T, e *engine.Engine, r *tables.Relation) {
	t.Helper()
	var defined, named []string
	for _, c := range r.Columns {
		named = append(named, "`"+c.Name+"`")
	}
	got := askEngineCells(e.NewSession(), fmt.Sprintf("SELECT %s FROM %s.%s", strings.Join(named, ", "), r.Schema, r.Name))
	if got.err != nil {
		t.Fatalf("%s: %v", r.Name, got.err)
	}
	for i, c := range r.Columns {
		typ := mariaType(c)
		// TIMESTAMP ends in 2038, before what is open ends.
		if slices.ContainsFunc(got.rows, func(row []sql.NullString) bool { return strings.HasPrefix(row[i].String, "9999-") }) {
			typ = strings.Replace(typ, "TIMESTAMP", "DATETIME", 1)
		}
		defined = append(defined, "`"+c.Name+"` "+typ)
	}
	for _, key := range []string{"conn_id", "flow_id", "packet_id"} {
		if r.Column(key) != nil {
			defined = append(defined, "KEY ("+key+")")
		}
	}
	// The order of rows decides the last digits of sums of doubles.
	slices.SortFunc(got.rows, func(a, b []sql.NullString) int {
		return slices.CompareFunc(a, b, func(x, y sql.NullString) int { return strings.Compare(x.String, y.String) })
	})
	schemas := []string{r.Schema}
	if r.Schema == tables.Main {
		schemas = append(schemas, "reversed")
	}
	for i, schema := range schemas {
		o.exec(t, fmt.Sprintf("CREATE TABLE %s.%s (%s)", schema, r.Name, strings.Join(defined, ", ")))
		rows := slices.Clone(got.rows)
		if i == 1 {
			slices.Reverse(rows)
		}
		for part := range slices.Chunk(rows, 400) {
			var b strings.Builder
			for j, row := range part {
				if j > 0 {
					b.WriteString(", ")
				}
				cells := make([]string, len(row))
				for k, cell := range row {
					cells[k] = literal(cell, r.Columns[k].Kind)
				}
				b.WriteString("(" + strings.Join(cells, ", ") + ")")
			}
			o.exec(t, fmt.Sprintf("INSERT INTO %s.%s VALUES %s", schema, r.Name, b.String()))
		}
	}
}

func (o *oracle) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := o.maria.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%.300s: %v", statement, err)
	}
}

// literal writes a value into SQL; hex so that no byte of it means anything.
func literal(c sql.NullString, kind tables.Kind) string {
	if !c.Valid {
		return "NULL"
	}
	switch kind {
	case tables.Double, tables.Int, tables.BigInt, tables.Bool:
		return c.String
	}
	return fmt.Sprintf("X'%x'", c.String)
}

// mariaType is a column's definition.
func mariaType(c tables.Column) string {
	size := c.Size
	text := func(usual int, collation string) string {
		if size == 0 {
			size = usual
		}
		if size > 8192 { // a row has at most 65,535 bytes, this column aside
			return "TEXT COLLATE " + collation
		}
		return fmt.Sprintf("VARCHAR(%d) COLLATE %s", size, collation)
	}
	typ := ""
	switch c.Kind {
	case tables.Timestamp:
		typ = "TIMESTAMP(6)"
	case tables.Double:
		typ = "DOUBLE"
	case tables.Int:
		typ = "INT"
	case tables.BigInt:
		typ = "BIGINT"
	case tables.Bool:
		typ = "TINYINT(1)"
	case tables.Text:
		typ = text(255, textCollation)
		if c.NoCase {
			typ = text(255, mysqlCollation)
		}
	case tables.HostName:
		typ = text(255, mysqlCollation)
	case tables.Address:
		typ = text(45, textCollation)
	case tables.Identifier:
		typ = text(13, textCollation)
	case tables.CommunityID:
		typ = text(30, textCollation)
	case tables.MAC:
		typ = text(17, textCollation)
	case tables.Bytes:
		typ = "LONGBLOB"
	}
	if c.NotNull {
		typ += " NOT NULL"
	} else {
		typ += " NULL"
	}
	return typ
}

// wireDB serves an engine and connects Go's driver to it.
func wireDB(t testing.TB, e *engine.Engine) *sql.DB {
	t.Helper()
	cfg := sqlserver.DefaultConfig()
	cfg.Dir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	server := sqlserver.New(cfg, e, nil)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	password, _ := server.Password()
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = "wiresql", password, "tcp", server.Addr().String(), "wiresql"
	c.TLSConfig, c.Logger = "skip-verify", quietDriver{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { db.Close() })
	return db
}

// quietDriver drops what the driver says of connections that break: the test
// says it with the statement.
type quietDriver struct{}

func (quietDriver) Print(...any) {}

// answer is what a server says to a statement.
type answer struct {
	names []string
	types []string // as declared, such as DECIMAL(12,4); empty in-process
	rows  [][]sql.NullString
	err   error
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// ask sends a statement.
func ask(q querier, statement string) (out answer) {
	ctx, cancel := context.WithTimeout(context.Background(), statementLimit)
	defer cancel()
	rows, err := q.QueryContext(ctx, statement)
	if err != nil {
		return answer{err: err}
	}
	defer rows.Close()
	columns, err := rows.ColumnTypes()
	if err != nil {
		return answer{err: err}
	}
	cells := make([]any, len(columns))
	into := make([]any, len(columns))
	for i, c := range columns {
		out.names = append(out.names, c.Name())
		out.types = append(out.types, declared(c))
		into[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return answer{err: err}
		}
		row := make([]sql.NullString, len(cells))
		for i, v := range cells {
			row[i] = cellText(v)
		}
		out.rows = append(out.rows, row)
	}
	if err := rows.Err(); err != nil {
		return answer{err: err}
	}
	return out
}

// declared is a column's type as the driver tells it.
func declared(c *sql.ColumnType) string {
	typ := c.DatabaseTypeName()
	if precision, scale, ok := c.DecimalSize(); ok && typ != "DOUBLE" && typ != "FLOAT" {
		if typ != "DECIMAL" { // of times only the fraction is told
			return fmt.Sprintf("%s(%d)", typ, scale)
		}
		typ = fmt.Sprintf("%s(%d,%d)", typ, precision, scale)
	}
	return typ
}

// cellText is a value as text; doubles as MySQL prints them.
func cellText(v any) sql.NullString {
	switch v := v.(type) {
	case nil:
		return sql.NullString{}
	case []byte:
		return sql.NullString{String: string(v), Valid: true}
	case float64:
		form := byte('f')
		if a := math.Abs(v); a != 0 && (a < 1e-15 || a >= 1e15) {
			form = 'e'
		}
		return sql.NullString{String: strconv.FormatFloat(v, form, -1, 64), Valid: true}
	}
	return sql.NullString{String: fmt.Sprint(v), Valid: true}
}

// askEngineCells asks without a wire. A panic is an answer too: the server
// would have caught it.
func askEngineCells(s *engine.Session, statement string) (out answer) {
	defer func() {
		if p := recover(); p != nil {
			out = answer{err: fmt.Errorf("panic: %v", p)}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), statementLimit)
	defer cancel()
	rows, err := s.Query(ctx, statement)
	if err != nil {
		return answer{err: err}
	}
	defer func() {
		if err := rows.Close(); err != nil && out.err == nil {
			out = answer{err: err}
		}
	}()
	for _, c := range rows.Schema {
		out.names = append(out.names, c.Name)
	}
	for {
		row, err := rows.Text()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			return answer{err: err}
		}
		cells := make([]sql.NullString, len(row))
		for i, v := range row {
			cells[i] = sql.NullString{String: string(v), Valid: v != nil}
		}
		out.rows = append(out.rows, cells)
	}
}

// number is an error's, 0 when it is none of MySQL's.
func (a answer) number() int {
	var e *mysql.MySQLError
	if errors.As(a.err, &e) {
		return int(e.Number)
	}
	return 0
}

// lines is an answer as pages hold it.
func (a answer) lines(ordered bool) []string {
	if a.err != nil {
		if n := a.number(); n != 0 {
			return []string{fmt.Sprintf("error %d", n)}
		}
		return []string{"error: " + a.err.Error()}
	}
	var out []string
	for _, row := range a.rows {
		cells := make([]string, len(row))
		for i, c := range row {
			cells[i] = "NULL"
			if c.Valid {
				cells[i] = printableCell([]byte(c.String))
			}
		}
		out = append(out, strings.Join(cells, "\t"))
	}
	if !ordered {
		slices.Sort(out)
	}
	return out
}

// differs says in what got is another answer than want, MariaDB's; "" if in
// nothing. Doubles may differ by 1e-12 of their value, everything else is
// compared by its text.
func differs(want, got answer, ordered bool) string {
	if want.err != nil || got.err != nil {
		switch {
		case want.err != nil && got.err == nil:
			return fmt.Sprintf("no error, want %v", want.err)
		case want.err == nil:
			return fmt.Sprintf("error: %v", got.err)
		case want.number() != got.number() && got.number() != 0:
			return fmt.Sprintf("error %d, want %d", got.number(), want.number())
		}
		return ""
	}
	if len(want.names) != len(got.names) {
		return fmt.Sprintf("%d columns, want %d", len(got.names), len(want.names))
	}
	if len(want.rows) != len(got.rows) {
		return fmt.Sprintf("%d rows, want %d\n got %s\nwant %s", len(got.rows), len(want.rows), excerpt(got.lines(ordered)), excerpt(want.lines(ordered)))
	}
	double := make([]bool, len(want.names))
	for i, typ := range want.types {
		double[i] = typ == "DOUBLE" || typ == "FLOAT"
	}
	w, g := want.rows, got.rows
	if !ordered {
		w, g = sortedRows(w, double), sortedRows(g, double)
	}
	for i := range w {
		for j := range w[i] {
			if !sameCell(w[i][j], g[i][j], double[j]) {
				return fmt.Sprintf("row %d, %s\n got %s\nwant %s", i+1, want.names[j], rowText(g[i]), rowText(w[i]))
			}
		}
	}
	for i := range want.names {
		if want.names[i] != mariaName(got.names[i]) {
			return fmt.Sprintf("column %d is named %q, want %q", i+1, got.names[i], want.names[i])
		}
	}
	return ""
}

// mariaName is a column's name as MariaDB can send it: it has no characters
// beyond the basic plane there.
func mariaName(name string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xffff {
			return '?'
		}
		return r
	}, name)
}

func rowText(row []sql.NullString) string {
	return answer{rows: [][]sql.NullString{row}}.lines(true)[0]
}

// sortedRows orders rows by what both sides print alike: doubles, whose last
// digits may differ, come last.
func sortedRows(rows [][]sql.NullString, double []bool) [][]sql.NullString {
	out := slices.Clone(rows)
	slices.SortFunc(out, func(a, b []sql.NullString) int {
		for _, last := range []bool{false, true} {
			for i := range min(len(a), len(b)) {
				if double[i] != last || a[i] == b[i] {
					continue
				}
				if a[i].Valid != b[i].Valid {
					return map[bool]int{false: -1, true: 1}[a[i].Valid]
				}
				if x, y, ok := numbers(a[i], b[i]); last && ok && x != y {
					return map[bool]int{true: -1, false: 1}[x < y]
				}
				return strings.Compare(a[i].String, b[i].String)
			}
		}
		return 0
	})
	return out
}

func numbers(a, b sql.NullString) (x, y float64, ok bool) {
	x, err1 := strconv.ParseFloat(a.String, 64)
	y, err2 := strconv.ParseFloat(b.String, 64)
	return x, y, err1 == nil && err2 == nil
}

// signedZero is a DECIMAL of MariaDB's that MySQL has without the sign.
var signedZero = regexp.MustCompile(`^-0(\.0+)?$`)

func sameCell(want, got sql.NullString, double bool) bool {
	if want == got || signedZero.MatchString(want.String) && strings.TrimPrefix(want.String, "-") == got.String {
		return true
	}
	if !double || !want.Valid || !got.Valid {
		return false
	}
	x, y, ok := numbers(want, got)
	return ok && math.Abs(x-y) <= 1e-12*max(math.Abs(x), math.Abs(y))
}

// The archives' rows come back from MariaDB as they went in: what is loaded
// is what is asked about.
func TestOracleHoldsTheRows(t *testing.T) {
	o := newOracle(t, "observers")
	for _, r := range tables.Relations {
		if r == tables.OpsQueryLog || r == tables.OpsDamage || r == tables.OpsRoots || r.Schema == tables.Hunt && r != tables.Hunts {
			continue // one grows by being asked for, the others are empty, or have what is free on the disk
		}
		statement := fmt.Sprintf("SELECT * FROM %s.%s", r.Schema, r.Name)
		want, got := ask(o.maria, statement), ask(o.wire, statement)
		if want.err != nil || len(want.rows) == 0 && !slices.Contains([]string{"sockets", "capture_loss", "evictions", "pins", "rpc", "mail", "oddities"}, r.Name) {
			t.Errorf("%s: %d rows, %v", r.Name, len(want.rows), want.err)
		}
		if diff := differs(want, got, false); diff != "" {
			t.Errorf("%s: %s", statement, diff)
		}
	}
}
