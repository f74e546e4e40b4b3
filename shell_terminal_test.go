package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen is a program at a terminal.
type screen struct {
	t    *testing.T
	tty  *os.File
	said transcript
	seen int // how much of what it said was looked at
	end  chan error
}

// openScreen starts wiresql at a terminal of its own, which is killed at the
// test's end.
func openScreen(t *testing.T, home string, args ...string) *screen {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	// Its pager marks what goes through it.
	cmd.Env = append(os.Environ(), runAsProgram+"=1", "TERM=xterm", "HOME="+home, "XDG_STATE_HOME=", "PAGER=sed s/^/paged:/")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{t: t, tty: tty, end: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&s.said, tty) // until it is gone
	}()
	go func() {
		err := cmd.Wait()
		<-read
		s.end <- err
		close(s.end)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-s.end
		tty.Close()
		if t.Failed() {
			t.Logf("the screen said:\n%q", s.said.String())
		}
	})
	return s
}

func (s *screen) types(text string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, text); err != nil {
		s.t.Fatal(err)
	}
}

// shows waits for a text after those that were waited for before, and returns
// what came with it.
func (s *screen) shows(text string) string {
	s.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if i := strings.Index(s.said.String()[s.seen:], text); i >= 0 {
			from := s.seen
			s.seen += i + len(text)
			return s.said.String()[from:s.seen]
		}
	}
	s.t.Fatalf("it does not show %q after %q", text, s.said.String()[s.seen:])
	return ""
}

// ask types a statement and returns what is shown until the next prompt.
func (s *screen) ask(line string) string {
	s.t.Helper()
	s.types(line + "\r")
	s.shows("\n") // its own
	return s.shows("wiresql> ")
}

// A person at wiresql's own shell, over an archive and over a server.
func TestShellAtTerminal(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	captured := 0 // tcpdump's count of what \pcap shall write
	captures, err := filepath.Glob(filepath.Join(demoCaptures, "*.pcap*"))
	if err != nil {
		t.Fatal(err)
	}
	const filter = "udp port 53"
	for _, path := range captures {
		captured += countPackets(t, path, filter)
	}
	address, password := serverOver(t, dir)
	for name, args := range map[string][]string{
		"archive": {"--data", dir},
		"server":  {"--server", address, "--password-file", password},
	} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			s := openScreen(t, home, append([]string{"shell"}, args...)...)
			s.shows("wiresql> ")

			// Names are completed, with those of the relation that is named.
			s.types("SELECT greate\t")
			s.shows("greatest(")
			s.types("1, 2) AS n FROM connec\t")
			s.shows("connections ")
			s.types("WHERE conn_sta\t")
			s.shows("conn_state")
			s.types(" = 'rsto\t")
			s.shows("RSTO")
			s.types("\x03")
			s.shows("^C")
			s.shows("wiresql> ")

			// A statement of several lines.
			s.types("SELECT 'of two\r")
			s.shows("'> ")
			if said := s.ask("lines' AS said;"); !strings.Contains(said, "| of two |") || !strings.Contains(said, "| lines  |") || !strings.Contains(said, " s\r\n") {
				t.Errorf("two lines: %q", said)
			}
			s.ask(`SET @kept = 'the session goes on';`)

			// Ctrl-C ends a statement, and no more than that.
			s.types("SELECT COUNT(*) FROM connections a, connections b, connections c, connections d, connections e WHERE a.bytes + b.bytes + c.bytes + d.bytes + e.bytes = 1;\r")
			s.shows(" connections") // in the line itself
			s.shows(" s  ")
			s.shows("\x1b[K") // what it does
			s.types("\x03")
			s.shows("error: stopped after ")
			s.shows("wiresql> ")
			if said := s.ask(`SELECT @kept, 1/0;`); !strings.Contains(said, "the session goes on") || !strings.Contains(said, "warning: Division by 0") {
				t.Errorf("after Ctrl-C: %q", said)
			}
			if said := s.ask(`SELECT nosuch;`); !strings.Contains(said, "Unknown column 'nosuch'") {
				t.Errorf("an error: %q", said)
			}

			// What is wider than the screen stands below each other, what is
			// longer goes through the pager.
			if said := s.ask(`SELECT * FROM connections LIMIT 1;`); !strings.Contains(said, "paged:*************************** 1. row *") {
				t.Errorf("a wide row: %q", said)
			}
			if said := s.ask(`SELECT conn_id FROM connections LIMIT 100;`); !strings.Contains(said, "paged:| conn_id ") || !strings.Contains(said, "paged:100 rows") {
				t.Errorf("a long answer: %q", said)
			}
			if said := s.ask(`SELECT 1 AS one\G`); !strings.Contains(said, "\none: 1\r") {
				t.Errorf(`\G: %q`, said)
			}

			for line, want := range map[string]string{
				`\d`:                            "paged:connections  ",
				`\d hosts`:                      "SELECT ip, mac, ts, ts_end, source FROM hosts",
				`\d nosuch`:                     "error: there is no relation nosuch",
				`\h beaconing`:                  "paged:",
				`\hunt who_resolved name a.b.c`: "empty: nobody asked a resolver",
				`\hunt beaconing calls=30`:      "status.example.test",
				`\nosuch`:                       `error: \nosuch is no command`,
				`\?`:                            `\pcap FILE`,
				`\format xml`:                   "error: format \"xml\" is none of",
			} {
				if said := s.ask(line); !strings.Contains(said, want) {
					t.Errorf("%s: no %q in %q", line, want, said)
				}
			}
			s.ask(`\format csv`)
			if said := s.ask(`SELECT 'a,b' AS x, NULL AS y;`); !strings.Contains(said, "x,y\r\n\"a,b\",\r\n") {
				t.Errorf("CSV: %q", said)
			}

			// The packets of the last statement.
			s.ask("SELECT conn_id FROM connections WHERE protocol = 'udp' AND server_port = 53 LIMIT 3000;")
			path := filepath.Join(home, "dns.pcapng")
			if said := s.ask(`\pcap ` + path); !strings.Contains(said, fmt.Sprintf("%d packets", captured)) {
				t.Errorf(`\pcap: %q, want %d packets`, said, captured)
			}
			if n := countPackets(t, path, ""); n != captured {
				t.Errorf("tcpdump counts %d packets in the file, %d in the captures", n, captured)
			}
			if said := s.ask(`\pcap ` + path); !strings.Contains(said, "is there already") {
				t.Errorf("the file again: %q", said)
			}

			// Ctrl-D leaves; another shell has the history, a statement of two
			// lines in one.
			s.types("\x04")
			if err := <-s.end; err != nil {
				t.Errorf("Ctrl-D: %v", err)
			}
			if kept := fileText(t, filepath.Join(home, ".local/state/wiresql/history")); !strings.Contains(kept, "\nSELECT 'of two\\nlines' AS said;\n") && !strings.HasPrefix(kept, "SELECT 'of two\\nlines' AS said;\n") {
				t.Errorf("history: %q", kept)
			}
			again := openScreen(t, home, append([]string{"shell"}, args...)...)
			again.shows("wiresql> ")
			again.types("\x1b[A\x1b[A")
			again.shows("SELECT conn_id FROM connections WHERE protocol")
			again.types("\x03")
			again.shows("wiresql> ")
			again.types("quit\r")
			if err := <-again.end; err != nil {
				t.Errorf("quit: %v", err)
			}
		})
	}
}

// countPackets is how many packets of a capture file match, after tcpdump.
func countPackets(t *testing.T, path, filter string) int {
	t.Helper()
	script := `tcpdump -r "$1" $2`
	if strings.HasSuffix(path, ".gz") {
		script = `gunzip -c "$1" | tcpdump -r - $2`
	}
	out, err := exec.Command("sh", "-c", script, "sh", path, filter).Output()
	if err != nil {
		t.Fatalf("tcpdump %s: %v", path, err)
	}
	return strings.Count(string(out), "\n")
}

// serverOver serves an archive, and returns where, and the file of its password.
func serverOver(t *testing.T, dir string) (address, password string) {
	t.Helper()
	password = filepath.Join(t.TempDir(), "password")
	for _, line := range strings.Split(fileText(t, wireOptions(t, engineOver(t, dir))), "\n") {
		switch name, value, _ := strings.Cut(line, "="); name {
		case "port":
			address = "127.0.0.1:" + value
		case "password":
			if err := os.WriteFile(password, []byte(value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return address, password
}
