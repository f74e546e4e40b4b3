package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// divided imports a capture whose packets of TCP are in one file and all others
// in another, so that the order of time goes to and fro between the two.
func divided(t *testing.T, whole string) (archive string) {
	t.Helper()
	dir := t.TempDir()
	tcp, rest := filepath.Join(dir, "tcp.pcap"), filepath.Join(dir, "rest.pcap")
	for path, filter := range map[string]string{tcp: "tcp", rest: "not tcp"} {
		if out, err := exec.Command("tcpdump", "-r", whole, "-w", path, filter).CombinedOutput(); err != nil {
			t.Fatalf("tcpdump: %v: %s", err, out)
		}
	}
	archive = filepath.Join(dir, "archive")
	var complaint bytes.Buffer
	if code := run(t.Context(), []string{"import", "--data", archive, tcp, rest}, nil, io.Discard, &complaint); code != 0 {
		t.Fatalf("import: exit %d: %s", code, complaint.String())
	}
	return archive
}

// comments are those of a capture file, as capinfos and tshark show them.
func comments(t *testing.T, path string) string {
	t.Helper()
	out, err := exec.Command("capinfos", "-M", path).CombinedOutput()
	if err != nil {
		t.Fatalf("capinfos: %v: %s", err, out)
	}
	return string(out)
}

func TestExport(t *testing.T) {
	whole := filepath.Join(demoCaptures, "office-morning.pcap")
	archive := divided(t, whole)
	dir := t.TempDir()
	for name, c := range map[string]struct{ statement, filter string }{
		"all":         {"SELECT packet_id FROM packets", ""},
		"by packet":   {"SELECT p.info, p.packet_id FROM packets p WHERE src_port = 53 OR dst_port = 53", "port 53"},
		"by conn":     {"SELECT conn_id, ts FROM connections WHERE protocol = 'udp' AND server_port = 53", "udp port 53"},
		"by flow":     {"SELECT flow_id FROM flows WHERE protocol = 'tcp'", "tcp"},
		"packet wins": {"SELECT conn_id, packet_id FROM packets WHERE protocol = 'icmp'", "icmp"},
	} {
		path := filepath.Join(dir, name+".pcapng")
		var out, complaint bytes.Buffer
		if code := run(t.Context(), []string{"export", "--data", archive, "--json", "--pcap", path, c.statement}, nil, &out, &complaint); code != 0 {
			t.Fatalf("%s: exit %d: %s", name, code, complaint.String())
		}
		var said exported
		if err := json.Unmarshal(out.Bytes(), &said); err != nil {
			t.Fatal(err)
		}
		want, got := tcpdumpFrames(t, whole, c.filter), tcpdumpFrames(t, path, "")
		if len(got) != len(want) || said.Packets != len(want) || len(want) < 2 {
			t.Errorf("%s: %d packets, said %d, tcpdump has %d", name, len(got), said.Packets, len(want))
			continue
		}
		for i := range want {
			if !bytes.Equal(want[i], got[i]) {
				t.Errorf("%s: packet %d is another", name, i+1)
				break
			}
		}
		if len(said.Missing) > 0 {
			t.Errorf("%s: missing %q, but nothing is", name, said.Missing)
		}
		about := comments(t, path)
		if !strings.Contains(about, c.statement) || !strings.Contains(about, "Strict time order:   True") || !strings.Contains(about, "sensor import") {
			t.Errorf("%s: capinfos says\n%s", name, about)
		}
	}

	path := filepath.Join(dir, "all.pcapng")
	for statement, want := range map[string]string{
		"SELECT packet_id FROM packets": "is there already",
		"SELECT 1":                      "packet_id or a flow_id or a conn_id",
		"SELECT conn_id FROM connections WHERE ts < '1'": "",
		"SELEC 1": "syntax",
	} {
		to := path
		if want != "is there already" {
			to = filepath.Join(dir, "none.pcapng")
		}
		var complaint bytes.Buffer
		if code := run(t.Context(), []string{"export", "--data", archive, "--pcap", to, statement}, nil, io.Discard, &complaint); code != 1 || !strings.Contains(complaint.String(), want) {
			t.Errorf("%s: exit %d: %s", statement, code, complaint.String())
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*part*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.pcapng")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed export left a file: %v", err)
	}
}

func TestPcapAggregate(t *testing.T) {
	dbs := servedAs(t, map[string][]string{"hunter": {"wiresql.*"}, "looker": {"wiresql.packets", "wiresql.connections"}})
	rows, err := dbs["hunter"].Query("SELECT protocol, COUNT(*), pcap(packet_id) FROM packets WHERE protocol IS NOT NULL GROUP BY protocol")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	kinds := 0
	for rows.Next() {
		var protocol string
		var n int
		var file []byte
		if err := rows.Scan(&protocol, &n, &file); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), protocol+".pcapng")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := len(tcpdumpFrames(t, path, "")); got != n || n == 0 {
			t.Errorf("%s: %d packets in the file, %d counted", protocol, got, n)
		}
		kinds++
	}
	if err := rows.Err(); err != nil || kinds < 4 {
		t.Errorf("%d protocols, %v", kinds, err)
	}
	for user, list := range map[string]map[string]uint16{
		"looker": {"SELECT pcap(packet_id) FROM packets": 1142, "SELECT follow(packet_id) FROM packets": 1142, "SELECT stream(conn_id) FROM connections": 1142},
		"hunter": {"SELECT pcap(conn_id) FROM packets": 1210, "SELECT pcap(ts) FROM packets": 1210, "SELECT pcap() FROM packets": 1210},
	} {
		for statement, number := range list {
			var mistake *mysql.MySQLError
			if _, err := dbs[user].Exec(statement); !errors.As(err, &mistake) || mistake.Number != number {
				t.Errorf("%s, %s: %v, want error %d", user, statement, err, number)
			}
		}
	}
}
