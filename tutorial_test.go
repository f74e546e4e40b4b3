package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tutorialBlock is a statement or a command of docs/tutorial.md, and what it prints.
var tutorialBlock = regexp.MustCompile("(?s)```(sql|sh)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?")

// TestTutorial: every command and statement of docs/tutorial.md, one after the other as somebody
// types them, prints what the page shows.
func TestTutorial(t *testing.T) {
	const page = "docs/tutorial.md"
	text := fileText(t, page)
	dir := t.TempDir()
	run := tutorialShell(t, dir)
	printed := tutorialBlock.ReplaceAllStringFunc(text, func(block string) string {
		m := tutorialBlock.FindStringSubmatch(block)
		kind, asked, shown := m[1], m[2], m[3]
		script := asked
		if kind == "sql" {
			if err := os.WriteFile(filepath.Join(dir, "question.sql"), []byte(asked), 0o600); err != nil {
				t.Fatal(err)
			}
			script = "wiresql query --data demo --file question.sql --format table"
		}
		out := run(script)
		if !strings.Contains(block, "```text") {
			return block
		}
		if out != shown && !*rewrite {
			t.Errorf("%s: %s prints\n%s\nthe page shows\n%s", page, asked, out, shown)
		}
		return "```" + kind + "\n" + asked + "```\n\n```text\n" + out + "```\n"
	})
	if n := strings.Count(printed, "```text\n"); n < 15 {
		t.Errorf("%d answers", n)
	}
	if *rewrite {
		if err := os.WriteFile(page, []byte(printed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The README shows what the demo says of its reading.
	_, reads, _ := strings.Cut(fileText(t, "README.md"), "```text\nreads ")
	reads, _, _ = strings.Cut(reads, "```")
	demo := size.ReplaceAllString(fileText(t, filepath.Join(dir, "demo.txt")), "… KB")
	for line := range strings.Lines(size.ReplaceAllString(reads, "… KB")) {
		if line = strings.TrimSpace(line); !strings.Contains(demo, line) {
			t.Errorf("README.md shows %q, which the demo does not say", line)
		}
	}

	// What testdata/story/record.sh did, told by what it says, not by what was answered.
	for statement, want := range map[string]string{
		"SELECT client_host, uri, status FROM http WHERE server_ip = '203.0.113.150' ORDER BY ts":                                                            "nora-laptop,/t/8841?for=nora.quinn,302\nnora-laptop,/files/Parcel_8841.zip,200\nnora-laptop,/load.bin,200\n",
		"SELECT client_host, COUNT(*) FROM tls WHERE server_name = 'cdn-sync.example' GROUP BY 1 ORDER BY 2":                                                 "files.branch.test,25\nnora-laptop,55\n",
		"SELECT client_host, server_name, DATE_FORMAT(MIN(ts), '%H') FROM tls WHERE self_signed AND server_ip LIKE '203.0.113.1__' GROUP BY 1, 2 ORDER BY 1": "files.branch.test,cdn-sync.example,11\nnora-laptop,cdn-sync.example,11\n",
		"SELECT outcome, COUNT(*) FROM logins WHERE username = 'svc-backup' AND client_host = 'nora-laptop' GROUP BY 1 ORDER BY MIN(ts)":                     "failure,6\nsuccess,4\n",
		"SELECT DISTINCT service FROM logins WHERE ticket_etype = 'rc4-hmac' AND client_host = 'nora-laptop' ORDER BY 1":                                     "backup/files.branch.test\nhttp/intranet.branch.test\nmssql/db.branch.test\n",
		"SELECT name, action, bytes_read FROM files WHERE username = 'svc-backup' AND share = 'projects' AND action = 'read' ORDER BY ts":                    "turbine-drawings.zip,read,90000\noffer-2026.xlsx,read,40000\nsalaries.csv,read,9600\n",
		`SELECT name, action, username FROM files WHERE share = 'c$' AND action IN ('write', 'delete') ORDER BY ts`:                                          "programs\\updater,write,svc-backup\nprograms\\updater,delete,svc-backup\n",
		"SELECT operation, client_host, server_host FROM rpc WHERE interface = 'svcctl' AND operation LIKE 'Start%'":                                         "StartServiceW,nora-laptop,files.branch.test\n",
		"SELECT client_bytes BETWEEN 90000 AND 100000, client_host FROM connections WHERE server_name = 'bigfiles.example' ORDER BY ts":                      "1,nora-laptop\n0,nora-laptop\n",
		"SELECT COUNT(*) FROM connections WHERE client_host = 'theo-desk' AND server_ip IN ('203.0.113.150', '203.0.113.166', '198.51.100.177')":             "0\n",
		// Samba refuses: error 5.
		"SELECT HEX(RIGHT(p.payload, 4)) FROM rpc r JOIN packet_bytes p USING (conn_id) WHERE r.operation = 'StartServiceW' AND p.src_ip = r.server_ip AND p.ts > r.ts AND LOCATE(X'05000203', p.payload) > 0 ORDER BY p.ts LIMIT 1": "05000000\n",
		"SELECT COUNT(*) > 10 FROM connections WHERE client_host = 'theo-desk' AND server_name = 'daily-news.example'":                                                                                                               "1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, "question.sql"), []byte(statement), 0o600); err != nil {
			t.Fatal(err)
		}
		_, got, _ := strings.Cut(run("wiresql query --data demo --format csv --file question.sql"), "\n")
		if got != want {
			t.Errorf("%s: %q, want %q", statement, got, want)
		}
	}
}

// tutorialShell runs scripts in a directory, where wiresql is this program.
func tutorialShell(t *testing.T, dir string) func(script string) string {
	t.Helper()
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not installed")
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "wiresql"), []byte(fmt.Sprintf("#!/bin/sh\n%s=1 exec %s \"$@\"\n", runAsProgram, binary)), 0o700); err != nil {
		t.Fatal(err)
	}
	return func(script string) string {
		cmd := exec.Command("sh", "-c", "exec 2>&1\n"+script)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v: %s", script, err, out)
		}
		return string(out)
	}
}
