// Package mariadb starts a real MariaDB for tests: the oracle that says what
// a statement's answer is, so that no expected value comes from wiresql itself.
// Benchmarks run it too.
package mariadb

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// SQLMode is MySQL 8's default, which MariaDB's own is not.
const SQLMode = "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"

// Start runs a server of its own for the test, on a socket in a directory that
// both go with the test. The schema "test" is chosen, text is utf8mb4 and
// binary, the time zone is UTC with the machine's named zones loaded. flags
// are further arguments of mariadbd. Without the program (Debian's package
// mariadb-server) the test is skipped.
func Start(t testing.TB, flags ...string) *sql.DB {
	t.Helper()
	if find("mariadbd") == "" || find("mariadb-install-db") == "" {
		t.Skip("mariadbd is not installed (Debian: apt-get install mariadb-server): nothing to compare with")
	}
	// A socket's path has at most 107 bytes: the test's own directory can be
	// too deep.
	dir, err := os.MkdirTemp("", "mariadb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s, err := Run(dir, append([]string{"--skip-networking"}, flags...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s.DB
}

// Server is a running server.
type Server struct {
	// DB is connected to the schema "test" as root.
	DB *sql.DB
	// PID is the server's process.
	PID int

	cmd   *exec.Cmd
	ended chan error
}

// Stop ends the server.
func (s *Server) Stop() {
	if s.DB != nil {
		s.DB.Close()
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		s.cmd.Process.Kill()
		<-s.ended
	}
}

// Run starts a server whose files are below dir, with the tables that are there.
func Run(dir string, flags ...string) (*Server, error) {
	server, install := find("mariadbd"), find("mariadb-install-db")
	if server == "" || install == "" {
		return nil, errors.New("mariadbd is not installed (Debian: apt-get install mariadb-server)")
	}
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	account := "--user=" + os.Getenv("USER")
	if os.Geteuid() == 0 {
		account = "--user=root"
	}
	if _, err := os.Stat(data); err != nil {
		out, err := exec.Command(install, "--no-defaults", "--datadir="+data, account, "--skip-test-db",
			"--auth-root-authentication-method=normal", "--skip-name-resolve", "--tmpdir="+dir).CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", install, err, out)
		}
	}

	var log bytes.Buffer
	cmd := exec.Command(server, append([]string{"--no-defaults", "--datadir=" + data, "--socket=" + socket, account,
		"--tmpdir=" + dir, "--pid-file=" + filepath.Join(dir, "pid"), "--sql-mode=" + SQLMode, "--default-time-zone=+00:00",
		"--character-set-server=utf8mb4", "--collation-server=utf8mb4_bin", "--max-allowed-packet=64M",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"}, flags...)...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Server{PID: cmd.Process.Pid, cmd: cmd, ended: make(chan error, 1)}
	go func() { s.ended <- cmd.Wait() }()
	db, err := s.connect(socket, &log)
	if err != nil {
		s.Stop()
		return nil, err
	}
	s.DB = db
	return s, nil
}

// connect waits until the server answers and makes the schema.
func (s *Server) connect(socket string, log *bytes.Buffer) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.User, config.Net, config.Addr = "root", "unix", socket
	config.Collation = "utf8mb4_bin"
	config.MultiStatements = true
	config.Logger = quiet{}
	open := func(schema string) (*sql.DB, error) {
		c := config.Clone()
		c.DBName = schema
		connector, err := mysql.NewConnector(c)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	}
	admin, err := open("")
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err = admin.Ping(); err == nil {
			break
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return nil, fmt.Errorf("mariadbd ended: %w\n%s", err, log.Bytes())
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("mariadbd does not answer: %w", err)
		}
	}
	if _, err := admin.Exec("CREATE DATABASE IF NOT EXISTS test"); err != nil {
		return nil, err
	}
	if err := loadZones(admin); err != nil {
		return nil, err
	}
	return open("test")
}

// zones are those of /usr/share/zoneinfo that tests may name: all of them take
// half a minute.
var zones = []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}

func loadZones(db *sql.DB) error {
	tool := find("mariadb-tzinfo-to-sql")
	if tool == "" {
		return nil
	}
	if _, err := db.Exec("USE mysql"); err != nil {
		return err
	}
	var known int
	if err := db.QueryRow("SELECT COUNT(*) FROM mysql.time_zone_name").Scan(&known); err != nil || known > 0 {
		return err // a data folder that has served before
	}
	for _, z := range zones {
		file := filepath.Join("/usr/share/zoneinfo", z)
		if _, err := os.Stat(file); err != nil {
			continue
		}
		text, err := exec.Command(tool, file, z).Output()
		if err != nil {
			return fmt.Errorf("%s %s: %w", tool, z, err)
		}
		if _, err := db.Exec("USE mysql; " + string(text)); err != nil {
			return fmt.Errorf("zone %s: %w", z, err)
		}
	}
	return nil
}

func find(program string) string {
	for _, p := range []string{program, "/usr/sbin/" + program, "/usr/local/bin/" + program} {
		if path, err := exec.LookPath(p); err == nil {
			return path
		}
	}
	return ""
}

// quiet drops what the driver says while the server is not yet up.
type quiet struct{}

func (quiet) Print(...any) {}
