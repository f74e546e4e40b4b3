package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/tables"
)

// converse runs a program of testdata/clients and gives the lines it prints.
func converse(t *testing.T, s *target, command ...string) []string {
	t.Helper()
	withTLS := "0"
	if s.tls {
		withTLS = "1"
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], append(command[1:], s.host, s.port, s.user, s.password, withTLS)...).CombinedOutput()
	lines := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if err != nil {
		t.Errorf("%s against %s: %v\n%s", command, s.name, err, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
	return lines
}

// conversationServers are a wiresql and a MariaDB in which a client's session
// looks the same, but for the tables' rows.
func conversationServers(t *testing.T) (wire, maria *target) {
	t.Helper()
	wire, maria = typeServers(t)
	db := openConfig(t, &mysql.Config{User: maria.user, Passwd: maria.password, Net: "tcp", Addr: net.JoinHostPort(maria.host, maria.port), AllowNativePasswords: true})
	var columns []string
	for _, c := range tables.Connections.Columns {
		columns = append(columns, "`"+c.Name+"` INT")
	}
	for _, q := range []string{"CREATE DATABASE ops", "CREATE TABLE wiresql.connections (" + strings.Join(columns, ", ") + ")"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return wire, maria
}

// conversationPrograms are the programs that hold a conversation, each with
// Debian's package and a command that tells whether it is there.
func conversationPrograms(t *testing.T) map[string][]string {
	t.Helper()
	programs := map[string][]string{}
	for driver, need := range map[string]string{
		"mysqlclient": "MySQLdb", "pymysql": "pymysql", "pyodbc": "pyodbc", "odbc catalogue": "pyodbc",
		"sqlalchemy+pymysql": "sqlalchemy, pymysql", "sqlalchemy+mysqldb": "sqlalchemy, MySQLdb",
	} {
		if exec.Command("/usr/bin/python3", "-c", "import "+need).Run() != nil {
			t.Logf("%s is left out: Python has not all of %s (make deps installs them)", driver, need)
			continue
		}
		programs[driver] = []string{"/usr/bin/python3", "testdata/clients/python/session.py", driver}
	}
	flags, err := exec.Command("mariadb_config", "--cflags", "--libs").Output()
	if err != nil {
		t.Log("the C API is left out: no libmariadb-dev (make deps installs it)")
		return programs
	}
	program := filepath.Join(t.TempDir(), "client")
	if out, err := exec.Command("gcc", append([]string{"-o", program, "testdata/clients/libmariadb/client.c"}, strings.Fields(string(flags))...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	programs["C API"] = []string{program}
	return programs
}

// driverSessions are those that are had with what TestTypesOnTheWire asks, too.
func driverSessions(t *testing.T) map[string][]string {
	clients := typeClients(t)
	return map[string][]string{
		"mysql2":      {"node", filepath.Join(filepath.Dir(clients["mysql2"][1]), "session.js")},
		"Connector/J": append(clients["Connector/J"][:3:3], "testdata/clients/connectorj/Session.java"),
	}
}

// ownLines is what a client says about the tables.
var ownLines = map[string]func() []string{
	"C API": func() []string {
		return []string{"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE wiresql.connections: error 1290 HY000"}
	},
	"mysql2":             ownWidth,
	"Connector/J":        ownMetadata,
	"Go":                 ownWidth,
	"mysqlclient":        ownWidth,
	"pymysql":            ownWidth,
	"pyodbc":             ownWidth,
	"odbc catalogue":     ownCatalogue,
	"sqlalchemy+pymysql": ownReflection,
	"sqlalchemy+mysqldb": ownReflection,
}

func ownWidth() []string {
	return []string{fmt.Sprintf("columns: %d", len(tables.Connections.Columns))}
}

func ownMetadata() []string {
	var relations, names []string
	for _, r := range tables.Relations {
		if r.Schema == tables.Main {
			relations = append(relations, r.Name)
		}
	}
	for _, c := range tables.Connections.Columns {
		names = append(names, c.Name)
	}
	slices.Sort(relations)
	return []string{"tables: " + strings.Join(relations, " "), "columns: " + strings.Join(names, " "), "keys: "}
}

func ownReflection() (out []string) {
	for _, schema := range []string{tables.Main, tables.Ops} {
		of := map[string]int{}
		for _, r := range tables.Relations {
			if r.Schema == schema {
				of[r.Name] = len(r.Columns)
			}
		}
		names := slices.Sorted(maps.Keys(of))
		out = append(out, "tables of "+schema+": "+strings.Join(names, " "))
		for _, name := range names {
			out = append(out, fmt.Sprintf("columns of %s: %d", name, of[name]))
		}
	}
	return append(out, "core: (True, True)", "orm: (5, True)", "orm key: True")
}

func ownCatalogue() []string {
	n, width := 0, 0
	for _, r := range tables.Relations {
		if r.Schema == tables.Main {
			n, width = n+1, width+len(r.Columns)
		}
	}
	var names []string
	for _, c := range tables.Connections.Columns {
		names = append(names, c.Name)
	}
	return []string{fmt.Sprintf("tables: %d", n), "connections: " + strings.Join(names, " "), fmt.Sprintf("columns of all: %d", width),
		"keys: 0", "statistics: 0", "types: True", "procedures: 0", "foreign keys: 0"}
}

// TestConversations has whole sessions with wiresql and with MariaDB, through
// clients that people use: the same is said by both, but for what is about the
// tables.
func TestConversations(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dozen clients")
	}
	wire, maria := conversationServers(t)
	programs := conversationPrograms(t)
	maps.Copy(programs, driverSessions(t))
	programs["Go"] = nil
	for name, command := range programs {
		t.Run(name, func(t *testing.T) {
			own := func(line string) bool { return strings.HasPrefix(line, "own ") }
			talk := func(s *target) []string { return converse(t, s, command...) }
			if command == nil {
				talk = func(s *target) []string { return goSession(t, s) }
			}
			g, w := talk(wire), talk(maria)
			var about []string
			for _, line := range g {
				if own(line) {
					about = append(about, strings.TrimPrefix(line, "own "))
				}
			}
			if want := ownLines[name](); !slices.Equal(about, want) {
				t.Errorf("about the tables: %q\nwant %q", about, want)
			}
			g, w = slices.DeleteFunc(g, own), slices.DeleteFunc(w, own)
			for i := range max(len(g), len(w)) {
				got, want := "nothing", "nothing"
				if i < len(g) {
					got = g[i]
				}
				if i < len(w) {
					want = w[i]
				}
				if got != want {
					t.Errorf("step %d: %.200s\nMariaDB: %.200s", i, got, want)
				}
			}
		})
	}
}
