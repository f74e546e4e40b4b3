package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// onTwoDisks imports a capture in parts that lie on two disks, a and b.
func onTwoDisks(t *testing.T) (data, a, b string) {
	t.Helper()
	dir := t.TempDir()
	data, a, b = filepath.Join(dir, "data"), filepath.Join(dir, "a"), filepath.Join(dir, "b")
	frames := framesOf(t, morningCapture)
	const parts = 4
	for part := range parts {
		path := filepath.Join(dir, fmt.Sprintf("%d.pcap", part))
		writeFrames(t, path, frames, 0, func(i int) bool { return i*parts/len(frames) == part })
		if code, _, complaint := runProgram(t, nil, "import", "--data", data, "--root", a, "--root", b, path); code != 0 {
			t.Fatalf("import: exit %d: %s", code, complaint)
		}
	}
	for _, root := range []string{"1", "2"} {
		if n := numbersOf(t, data, "SELECT segments FROM ops.roots WHERE root = "+root)[0]; n == 0 {
			t.Fatalf("root %s has nothing", root)
		}
	}
	return data, a, b
}

// whole asserts that an export of all packets has each of the capture.
func whole(t *testing.T, data string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "all.pcapng")
	if code, _, complaint := runProgram(t, nil, "export", "--data", data, "--pcap", path, "SELECT conn_id FROM connections UNION SELECT conn_id FROM flows"); code != 0 {
		t.Fatalf("export: exit %d: %s", code, complaint)
	}
	want, got := tcpdumpFrames(t, morningCapture, "ip or ip6"), tcpdumpFrames(t, path, "ip or ip6")
	if len(got) != len(want) {
		t.Fatalf("%d packets are exported, tcpdump has %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(want[i], got[i]) {
			t.Fatalf("packet %d is another", i+1)
		}
	}
}

// A running server says what is missing while a disk is not mounted, and nothing once it
// is back.
func TestRootComesBack(t *testing.T) {
	data, a, _ := onTwoDisks(t)
	d := start(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
	port := d.says(`serving .* -P (\d+) `)
	password, err := os.ReadFile(filepath.Join(data, "serve", "password"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(statement string) string {
		t.Helper()
		cmd := exec.Command("mariadb", "--no-defaults", "--ssl", "--skip-ssl-verify-server-cert", "-h", "127.0.0.1", "-P", port,
			"-u", "wiresql", "--batch", "--skip-column-names", "--show-warnings", "wiresql", "-e", statement)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+strings.TrimSpace(string(password)))
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", statement, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	const statuses = "SELECT GROUP_CONCAT(DISTINCT packet_status ORDER BY packet_status) FROM connections"
	const packets = "SELECT COUNT(*) FROM packets WHERE ABS(length) > 0"
	all := ask(packets)
	if got := ask(statuses); got != "available" || all != fmt.Sprint(packetsOf(t, morningCapture)) {
		t.Fatalf("with all disks %q, %q packets", got, all)
	}
	for range 2 {
		if err := errors.Join(os.Rename(a, a+".away"), os.Mkdir(a, 0o750)); err != nil {
			t.Fatal(err)
		}
		await(t, 5*time.Second, "missing packets", func() bool { return strings.Contains(ask(statuses), "missing") })
		if got := ask(packets); !strings.Contains(got, "the disk of root 1 is") || strings.HasPrefix(got, all+"\n") {
			t.Errorf("without a disk: %s", got)
		}
		if err := errors.Join(os.Remove(a), os.Rename(a+".away", a)); err != nil {
			t.Fatal(err)
		}
		await(t, 5*time.Second, "the disk's packets", func() bool { return ask(statuses) == "available" })
		if got := ask(packets); got != all {
			t.Errorf("with the disk back: %s", got)
		}
	}
	// Retired under the server.
	if code, out, complaint := runProgram(t, nil, "root", "retire", a, "--data", data); code != 0 || !strings.Contains(out, "is no root any more") {
		t.Fatalf("exit %d: %s%s", code, out, complaint)
	}
	if err := os.RemoveAll(a); err != nil {
		t.Fatal(err)
	}
	if got := ask(packets) + " " + ask(statuses); got != all+" available" {
		t.Errorf("after it was retired: %s", got)
	}
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("serve: exit %d", code)
	}
}

// Exports have the packets of all disks, pins keep them on all, and go with them when
// one is retired.
func TestExportAndPinOnTwoDisks(t *testing.T) {
	data, a, b := onTwoDisks(t)
	whole(t, data)
	e := engineOver(t, data)
	s := e.NewSession()
	if got := askEngine(s, "CALL pin('case', 'c.protocol = ''tcp''', '2026-06-12', '2026-06-13')"); got.err != "" {
		t.Fatal(got)
	}
	evict := func() {
		t.Helper()
		cmd := start(t, "compact", "--data", data, "--root", a, "--root", b, "--packets-bytes", "1", "--once")
		<-cmd.end
		if got := askEngine(s, "SELECT COUNT(*) FROM ops.evictions WHERE family = 'packets' AND segment IN (SELECT segment FROM ops.pins)"); len(got.rows) != 1 || got.rows[0] != "0" {
			t.Errorf("pinned packets were evicted: %v", got)
		}
	}
	onRoots := "SELECT COUNT(DISTINCT SUBSTRING_INDEX(s.path, '/', 2)) FROM ops.pins p JOIN ops.segments s USING (segment) WHERE s.path LIKE 'roots/%'"
	if got := askEngine(s, onRoots); len(got.rows) != 1 || got.rows[0] != "2" {
		t.Errorf("pins are on %v roots", got)
	}
	evict()
	if code, _, complaint := runProgram(t, nil, "root", "retire", a, "--data", data); code != 0 {
		t.Fatalf("exit %d: %s", code, complaint)
	}
	evict()
	whole(t, data)
	if code, out, complaint := runProgram(t, nil, "verify", "--data", data); code != 0 {
		t.Errorf("verify: exit %d: %s%s", code, out, complaint)
	}
	if got := askEngine(s, "CALL unpin('case')"); got.err != "" {
		t.Fatal(got)
	}
	evict()
	if got := askEngine(s, "SELECT COUNT(*) > 0 FROM ops.evictions WHERE family = 'packets'"); len(got.rows) != 1 || got.rows[0] != "1" {
		t.Errorf("what is not pinned stays: %v", got)
	}
	for _, args := range [][]string{{"retire"}, {"shrink", a}, {"retire", data}} {
		if code, _, complaint := runProgram(t, nil, append([]string{"root", "--data", data}, args...)...); code == 0 || complaint == "" {
			t.Errorf("%v: exit %d, %q", args, code, complaint)
		}
	}
}
