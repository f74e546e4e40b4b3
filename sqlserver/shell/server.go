package shell

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/tables"
)

// ServerConfig says how to reach a server.
type ServerConfig struct {
	Address, User, Password string
	// CA is a file of certificates the server's is checked with; empty: those of the
	// system, and none where the server is this machine.
	CA string
	// Unchecked takes any certificate.
	Unchecked bool
}

// server is a session at a server, and connections beside it that stop its
// statement and ask what that does.
type server struct {
	db   *sql.DB
	conn *sql.Conn
	id   atomic.Int64 // of the session's connection
}

const (
	// killTime is how long KILL may take until the connection is closed instead.
	killTime = 5 * time.Second
	// maxExportIDs bounds the rows whose packets a server is asked for: their
	// ids are written into a statement.
	maxExportIDs = 15_000
)

// Connect begins a session at a server.
func Connect(ctx context.Context, c ServerConfig) (Source, error) {
	if _, _, err := net.SplitHostPort(c.Address); err != nil {
		c.Address = net.JoinHostPort(strings.Trim(c.Address, "[]"), "3306")
	}
	host, _, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, err
	}
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd, config.DBName = "tcp", c.Address, c.User, c.Password, tables.Main
	config.Logger = &mysql.NopLogger{}
	config.Timeout = 15 * time.Second
	config.TLS = &tls.Config{ServerName: host, InsecureSkipVerify: c.Unchecked || c.CA == "" && isLoopback(host)}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, err
		}
		config.TLS.RootCAs = x509.NewCertPool()
		if !config.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate", c.CA)
		}
	}
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	s := &server{db: sql.OpenDB(connector)}
	if err := s.connect(ctx); err != nil {
		s.db.Close()
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			err = fmt.Errorf("%w: give the server's own certificate (serve/tls/cert.pem in its archive) with --tls-ca", err)
		}
		return nil, err
	}
	return s, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *server) connect(ctx context.Context) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	var id int64
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		conn.Close()
		return err
	}
	s.conn = conn
	s.id.Store(id)
	return nil
}

// Close implements Source.
func (s *server) Close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

// State implements Source.
func (s *server) State(ctx context.Context) string {
	var state sql.NullString
	if err := s.db.QueryRowContext(ctx, "SELECT state FROM information_schema.processlist WHERE id = ?", s.id.Load()).Scan(&state); err != nil {
		return "executing"
	}
	return state.String
}

// Query implements Source. A statement is stopped by KILL, so that the session
// stays; its connection is closed only if that does not help.
func (s *server) Query(ctx context.Context, statement string) (Answer, error) {
	hard, cut := context.WithCancel(context.WithoutCancel(ctx))
	a := &serverAnswer{server: s, cut: cut, over: make(chan struct{})}
	id := s.id.Load()
	a.stop = context.AfterFunc(ctx, func() {
		defer close(a.over)
		a.kill(id)
	})
	rows, err := s.conn.QueryContext(hard, statement)
	if (errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone)) && ctx.Err() == nil {
		if err = s.connect(ctx); err == nil {
			err = errors.New("the connection was lost and there is a new one: what SET changed is gone; ask again")
		}
	}
	if err == nil {
		a.rows = rows
		err = a.describe()
	}
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

type serverAnswer struct {
	server *server
	rows   *sql.Rows
	names  []string
	kinds  []string
	cells  []any
	ended  bool
	closed bool

	stop func() bool
	over chan struct{} // closed when what stop stops was done
	cut  context.CancelFunc
}

// kill stops the statement.
func (a *serverAnswer) kill(id int64) {
	ctx, cancel := context.WithTimeout(context.Background(), killTime)
	defer cancel()
	if _, err := a.server.db.ExecContext(ctx, fmt.Sprintf("KILL QUERY %d", id)); err != nil {
		a.cut()
		return
	}
	time.AfterFunc(killTime, a.cut)
}

func (a *serverAnswer) describe() error {
	types, err := a.rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, t := range types {
		a.names = append(a.names, t.Name())
		a.kinds = append(a.kinds, strings.TrimPrefix(t.DatabaseTypeName(), "UNSIGNED "))
		a.cells = append(a.cells, new(sql.RawBytes))
	}
	return nil
}

// Columns implements output.Rows.
func (a *serverAnswer) Columns() []string { return a.names }

var (
	numberTypes = strings.Fields("TINYINT SMALLINT MEDIUMINT INT BIGINT DECIMAL FLOAT DOUBLE YEAR")
	byteTypes   = strings.Fields("TINYBLOB BLOB MEDIUMBLOB LONGBLOB BINARY VARBINARY BIT GEOMETRY")
)

// Next implements output.Rows.
func (a *serverAnswer) Next() ([]any, error) {
	if !a.rows.Next() {
		if err := a.rows.Err(); err != nil {
			return nil, err
		}
		a.ended = true
		return nil, io.EOF
	}
	if err := a.rows.Scan(a.cells...); err != nil {
		return nil, err
	}
	row := make([]any, len(a.cells))
	for i := range a.cells {
		switch cell := *a.cells[i].(*sql.RawBytes); {
		case cell == nil:
		case slices.Contains(numberTypes, a.kinds[i]):
			row[i] = output.Number(cell)
		case slices.Contains(byteTypes, a.kinds[i]):
			row[i] = slices.Clone([]byte(cell))
		default:
			row[i] = string(cell)
		}
	}
	return row, nil
}

// Warnings implements Answer.
func (a *serverAnswer) Warnings() (out []string) {
	a.Close()
	rows, err := a.server.conn.QueryContext(context.Background(), "SHOW WARNINGS")
	if err != nil {
		return nil
	}
	defer rows.Close()
	for rows.Next() {
		var level, code, message string
		if rows.Scan(&level, &code, &message) == nil && level != "Error" {
			out = append(out, message)
		}
	}
	return out
}

// Close implements Answer.
func (a *serverAnswer) Close() error {
	if a.closed {
		return nil
	}
	a.closed = true
	defer a.cut()
	if !a.stop() {
		<-a.over // lest it stops the next
	} else if a.rows != nil && !a.ended {
		a.kill(a.server.id.Load()) // or else all rows would be read
	}
	if a.rows == nil {
		return nil
	}
	return a.rows.Close()
}

// exportColumns choose packets, the most exact first, as wiresql export has it.
var exportColumns = []string{"packet_id", "flow_id", "conn_id"}

// Export implements Source.
func (s *server) Export(ctx context.Context, statement, path string) (done Exported, err error) {
	if _, err := os.Lstat(path); err == nil {
		return done, fmt.Errorf("%s is there already: evidence is not overwritten", path)
	}
	column, ids, err := s.chosen(ctx, statement, &done)
	if err != nil {
		return done, err
	}
	if len(ids) == 0 {
		return done, errors.New("no packet to export: the statement's rows have none")
	}
	answer, err := s.Query(ctx, "SELECT pcap(packet_id), COUNT(DISTINCT packet_id) FROM "+tables.Main+".packets WHERE "+column+" IN ('"+strings.Join(ids, "','")+"')")
	if err != nil {
		return done, err
	}
	defer answer.Close()
	row, err := answer.Next()
	if err != nil {
		return done, err
	}
	data, _ := row[0].([]byte)
	packets := row[1]
	if _, err := answer.Next(); err != nil && !errors.Is(err, io.EOF) {
		return done, err
	}
	done.Missing = append(done.Missing, answer.Warnings()...)
	if data == nil {
		return done, fmt.Errorf("no packet to export: %s", cmp.Or(strings.Join(done.Missing, "; "), "the statement's rows have none"))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return done, err
	}
	_, err = f.Write(data)
	done.Said = fmt.Sprintf("%s: %v packets\nSHA-256 %x", path, packets, sha256.Sum256(data))
	return done, errors.Join(err, f.Close())
}

// chosen are the different values of the column of a statement that chooses
// packets.
func (s *server) chosen(ctx context.Context, statement string, done *Exported) (column string, ids []string, err error) {
	answer, err := s.Query(ctx, statement)
	if err != nil {
		return "", nil, err
	}
	defer answer.Close()
	at := -1
	for _, column = range exportColumns {
		if at = slices.IndexFunc(answer.Columns(), func(name string) bool { return strings.EqualFold(name, column) }); at >= 0 {
			break
		}
	}
	if at < 0 {
		return "", nil, errors.New("packets are those of rows that have a packet_id, a flow_id or a conn_id")
	}
	seen := map[string]bool{}
	for {
		row, err := answer.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", nil, err
		}
		id, isText := row[at].(string)
		if !isText || seen[id] {
			continue
		}
		if strings.ContainsAny(id, `'\`) {
			return "", nil, fmt.Errorf("column %s has %q, which is no id", column, id)
		}
		seen[id] = true
		if ids = append(ids, id); len(ids) > maxExportIDs {
			return "", nil, fmt.Errorf("the statement names more than %d packets or flows: ask for fewer, or use wiresql export where the archive is", maxExportIDs)
		}
	}
	done.Missing = answer.Warnings()
	return column, ids, nil
}
