package sqlserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	vtlog "github.com/dolthub/vitess/go/vt/log"
	"github.com/sirupsen/logrus"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// Config is what can be set about serving.
type Config struct {
	Listen           string        `key:"listen" doc:"address and port to serve MySQL on"`
	HTTP             string        `key:"http" doc:"address and port to serve the page for browsers on; none by default"`          // by the program
	MetricsListen    string        `key:"metrics-listen" doc:"address to serve Prometheus metrics of serving on; none by default"` // by the program
	TLSCert          string        `key:"tls-cert" doc:"PEM file of a certificate; without one it is generated"`
	TLSKey           string        `key:"tls-key" doc:"PEM file of its key"`
	MaxConnections   int           `key:"max-connections" doc:"clients at a time; the next gets error 1040"`
	MaxRequestBytes  int           `key:"max-request-bytes" doc:"a longer request gets error 1153"`
	MaxExecutionTime time.Duration `key:"max-execution-time" doc:"ends a statement with error 3024; 0 for no limit"`

	// Dir is where accounts, the generated password and certificate lie:
	// serve/ in the archive. Nothing else is written.
	Dir string
}

// DefaultConfig returns the defaults: reachable from this machine only, and
// room for Grafana, which alone opens up to 100 connections.
func DefaultConfig() Config {
	return Config{
		Listen:           "127.0.0.1:3306",
		MaxConnections:   250,
		MaxRequestBytes:  1 << 20,
		MaxExecutionTime: 10 * time.Minute,
	}
}

// Backend is the engine as the server needs it.
type Backend interface {
	// SQL returns the engine that parses, plans and executes statements.
	SQL() *sqle.Engine
	// Session makes a connection's session of what the wire knows of it.
	Session(*sql.BaseSession) sql.Session
	// Answer runs a query; handled is false for a statement about the server,
	// which the engine of SQL executes. Without a schema there are no rows.
	Answer(ctx *sql.Context, text string, params engine.Parameters) (schema sql.Schema, rows sql.RowIter, handled bool, err error)
	// Prepare gives the columns of a query that has parameters.
	Prepare(ctx *sql.Context, text string) (schema sql.Schema, handled bool, err error)
	// TimeHint is what a statement's own hint lets it take; 0 for none.
	TimeHint(ctx *sql.Context, text string) time.Duration
	// Log keeps a statement that is over.
	Log(ctx *sql.Context, l engine.Logged)
	// Limit says what the statements of an account may take.
	Limit(account string, l engine.Limits)
}

// serverVersion is what clients compare features with: we answer as MySQL
// 8.0 does.
const serverVersion = "8.0.33-wiresql"

// Server serves an engine. New is inert, Start listens, Close stops.
type Server struct {
	cfg      Config
	backend  Backend
	engine   *sqle.Engine
	log      *slog.Logger
	accounts *accounts
	password string
	listener *listener
	handler  *handler
	tls      *tls.Config
	store    *cursorStore
	end      context.CancelCauseFunc // of all statements
	mu       sync.Mutex
	last     uint32 // number of a connection
	closed   bool
	serving  sync.WaitGroup
}

// New prepares a server. log may be nil.
func New(cfg Config, backend Backend, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return &Server{cfg: cfg, backend: backend, engine: backend.SQL(), log: log}
}

// Start reads or makes the accounts and the certificate, listens and serves in
// the background.
func (s *Server) Start() error {
	quietLibraries(s.log)
	if err := disk.MakeDir(disk.Real{}, s.cfg.Dir, 0o755); err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	certificate, err := s.certificate()
	if err != nil {
		return err
	}
	if s.accounts, s.password, err = openAccounts(s.cfg.Dir); err != nil {
		return err
	}
	s.accounts.grant(s.engine.Analyzer.Catalog.MySQLDb)
	for _, acc := range s.accounts.list {
		s.backend.Limit(acc.Name, acc.Limits)
	}
	if err := sql.SystemVariables.AssignValues(map[string]interface{}{
		"version":            serverVersion,
		"version_comment":    "wiresql",
		"max_connections":    int64(s.cfg.MaxConnections),
		"max_allowed_packet": int64(s.cfg.MaxRequestBytes),
	}); err != nil {
		return fmt.Errorf("serve: %w", err)
	}

	raw, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	host, _ := os.Hostname()
	port := 0
	if a, ok := raw.Addr().(*net.TCPAddr); ok {
		port = a.Port
	}
	if err := sql.SystemVariables.AssignValues(map[string]interface{}{"port": int64(port), "hostname": host}); err != nil {
		raw.Close()
		return fmt.Errorf("serve: %w", err)
	}
	s.listener = newListener(raw, s.cfg.MaxConnections, s.log)
	sessions := server.NewSessionManager(sql.NewContext, s.session, sql.NoopTracer,
		s.engine.Analyzer.Catalog.Database, s.engine.MemoryManager, s.engine.ProcessList, raw.Addr().String())
	ending, end := context.WithCancelCause(context.Background())
	s.end = end
	s.handler = &handler{engine: s.engine, backend: s.backend, sessions: sessions, limit: s.cfg.MaxExecutionTime, maxRequest: s.cfg.MaxRequestBytes,
		ending: ending, accounts: s.accounts, log: s.log, started: time.Now()}
	s.tls = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s.store = &cursorStore{dir: s.cfg.Dir}
	s.serving.Go(s.accept)
	s.log.Info("serving mysql", "address", s.Addr().String())
	return nil
}

// accept serves clients until the listener is closed.
func (s *Server) accept() {
	for {
		raw, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.begin(raw.(*conn))
	}
}

// begin serves a connection, unless the server was closed.
func (s *Server) begin(raw *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		raw.Close()
		return false
	}
	s.last++
	id := s.last
	s.serving.Go(func() { s.serve(raw, id) })
	return true
}

// Addr is the address the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// TLS is how the server speaks to clients: its certificate.
func (s *Server) TLS() *tls.Config { return s.tls.Clone() }

// Password returns the password that was generated for the account wiresql
// at this start, and the file that holds it; it is empty when there were
// accounts already.
func (s *Server) Password() (password, file string) {
	return s.password, filepath.Join(s.cfg.Dir, passwordFile)
}

// Close stops listening, ends all queries and closes all connections.
func (s *Server) Close() error {
	if s.listener == nil {
		return nil
	}
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.listener.Close()
	s.end(errShutdown)
	s.listener.closeAll()
	s.serving.Wait()
	s.handler.running.Wait()
	return nil
}

// session makes the session of a connection that has logged in.
func (s *Server) session(_ context.Context, c *mysql.Conn, addr string) (sql.Session, error) {
	user, _ := c.UserData.(sql.MysqlConnectionUser)
	client := sql.Client{User: user.User, Address: user.Host, Capabilities: c.Capabilities}
	base := sql.NewBaseSessionWithClientServer(addr, client, c.ConnectionID)
	if state, ok := tlsState(c); ok {
		// Clients show their users whether, and how, a connection is encrypted.
		for name, value := range map[string]string{
			"Ssl_cipher":  tls.CipherSuiteName(state.CipherSuite),
			"Ssl_version": strings.Replace(tls.VersionName(state.Version), "TLS ", "TLSv", 1),
		} {
			if err := base.SetStatusVariable(nil, name, value); err != nil {
				return nil, err
			}
		}
	}
	sql.StatusVariables.IncrementGlobal("Connections", 1)
	return s.backend.Session(base), nil
}

// tlsState is how a connection is encrypted.
func tlsState(c *mysql.Conn) (tls.ConnectionState, bool) {
	for under := c.Conn; under != nil; {
		if t, ok := under.(*tls.Conn); ok {
			return t.ConnectionState(), true
		}
		wrapped, ok := under.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		under = wrapped.NetConn()
	}
	return tls.ConnectionState{}, false
}

// certificate loads the configured certificate, or the generated one, or makes
// it.
func (s *Server) certificate() (tls.Certificate, error) {
	cert, key := s.cfg.TLSCert, s.cfg.TLSKey
	if (cert == "") != (key == "") {
		return tls.Certificate{}, errors.New("serve: tls_cert and tls_key go together")
	}
	if cert == "" {
		dir := filepath.Join(s.cfg.Dir, "tls")
		cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		if _, err := os.Stat(cert); errors.Is(err, fs.ErrNotExist) {
			if err := generateCertificate(cert, key); err != nil {
				return tls.Certificate{}, fmt.Errorf("serve: generate certificate: %w", err)
			}
			s.log.Info("certificate generated", "file", cert)
		}
	}
	c, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return c, fmt.Errorf("serve: certificate %s: %w", cert, err)
	}
	return c, nil
}

// generateCertificate writes a self-signed certificate for this machine's
// names, which clients may be given as the authority to trust.
func generateCertificate(certFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	names := []string{"localhost"}
	if name, err := os.Hostname(); err == nil && name != "localhost" {
		names = append(names, name)
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: names[len(names)-1], Organization: []string{"wiresql generated"}},
		DNSNames:     names,
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		// A clock that is a little behind must still accept it.
		NotBefore:             time.Now().Add(-24 * time.Hour),
		NotAfter:              time.Now().AddDate(10, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := disk.MakeDir(disk.Real{}, filepath.Dir(certFile), 0o755); err != nil {
		return err
	}
	// The key first: a certificate without its key would be taken as made.
	if err := disk.Replace(disk.Real{}, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return err
	}
	return disk.Replace(disk.Real{}, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

var quiet sync.Once

// quietLibraries sends what the libraries below log, a line for each
// connection and a stack for each failed statement, to our log at its lowest
// level. Both keep their logger in globals.
func quietLibraries(log *slog.Logger) {
	quiet.Do(func() {
		line := func(v ...interface{}) { log.Debug("mysql wire", "message", fmt.Sprint(v...)) }
		linef := func(format string, v ...interface{}) { log.Debug("mysql wire", "message", fmt.Sprintf(format, v...)) }
		vtlog.Info, vtlog.Warning, vtlog.Error = line, line, line
		vtlog.Infof, vtlog.Warningf, vtlog.Errorf = linef, linef, linef
		logrus.SetOutput(io.Discard)
		logrus.SetLevel(logrus.PanicLevel)
	})
}
