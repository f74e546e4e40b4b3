package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/testdata/network"
)

// inNetwork tells that the test runs in a network of its own.
func inNetwork(t *testing.T) bool {
	t.Helper()
	return network.Inside(t, "tcpreplay")
}

var sh = network.Sh

const officeMorning = "testdata/captures/office-morning.pcap"

// packetsOf counts the packets of a capture.
func packetsOf(t *testing.T, path string) (n int) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	for r.Next(&rec) == nil {
		n++
	}
	return n
}

// rights are what a process may, as the kernel says.
func rights(t *testing.T, pid int) (uid int, capabilities uint64) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Uid:"):
			uid, _ = strconv.Atoi(fields[1])
		case strings.HasPrefix(line, "CapPrm:"), strings.HasPrefix(line, "CapEff:"):
			n, err := strconv.ParseUint(fields[1], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			capabilities |= n
		}
	}
	return uid, capabilities
}

const onlyRaw = 1 << 13 // CAP_NET_RAW

// status asks wiresql status.
func status(t *testing.T, dir string) (s archiveStatus) {
	t.Helper()
	var out, said bytes.Buffer
	if code := run(t.Context(), []string{"status", "--data", dir, "--json"}, nil, &out, &said); code != 0 {
		t.Fatalf("code %d: %s", code, said.String())
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// nobodys is a directory that the account nobody can reach.
func nobodys(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "archive")
}

// TestRecordInterface: packets of an interface are recorded, by a process that
// has given up what root may, and that says how it is; also when the interface
// goes.
func TestRecordInterface(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	dir := nobodys(t)
	d := start(t, "record", "--data", dir, "--netflow=", "--sflow=", "--capture", "left sensor=tap filter=ip", "--user", "nobody", "--metrics-listen", "127.0.0.1:0")
	metrics := d.says(`metrics at (\S+)`)
	d.says(`recording packets of (left)`)
	if uid, may := rights(t, d.cmd.Process.Pid); uid != 65534 || may != onlyRaw {
		t.Errorf("user %d with capabilities %x", uid, may)
	}
	sh(t, "tcpreplay -q -p 2000 -i right "+officeMorning)
	lines, err := exec.Command("tcpdump", "-n", "-r", officeMorning, "ip").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := bytes.Count(lines, []byte("\n"))
	await(t, 90*time.Second, "the packets to be durable", func() bool {
		s := status(t, dir).Recorder
		return s != nil && len(s.Interfaces) == 1 && s.Interfaces[0].Packets == int64(want)
	})
	s := status(t, dir).Recorder.Interfaces[0]
	if s.Name != "left" || s.Sensor != "tap" || s.State != "up" || s.Received != uint64(want) || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	response, err := http.Get(metrics)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		fmt.Sprintf(`wiresql_capture_received_total{interface="left",sensor="tap",worker="1"} %d`, want),
		`wiresql_capture_dropped_total{interface="left",sensor="tap",worker="1"} 0`,
		`wiresql_capture_unread_total{interface="left",sensor="tap",worker="1"} 0`,
		`wiresql_capture_given_up_total{interface="left",sensor="tap",worker="1"} 0`,
		`wiresql_capture_up{interface="left",sensor="tap",worker="1"} 1`,
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("no metric %s", line)
		}
	}
	sh(t, "ip link del left")
	d.says(`packets are not recorded: the (interface) is gone`)
	await(t, 10*time.Second, "the interface to be gone", func() bool { return status(t, dir).Recorder.Interfaces[0].State == "gone" })
	sh(t, "sleep 3; ip link add left type veth peer name right; ip link set right up; ip link set left up")
	d.says(`packets are (recorded) again`)
	time.Sleep(2 * time.Second) // what is recorded again is committed
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("code %d", code)
	}
	if s := status(t, dir); s.Recorder != nil || s.Packets.Segments == 0 || s.Packets.Oldest == 0 || s.Rows.OldestFlow == 0 {
		t.Errorf("afterwards: %+v", s)
	}
	var out, said bytes.Buffer
	run(t.Context(), []string{"query", "--data", dir, "--format", "csv", "SELECT COUNT(*), MIN(sensor) FROM packets"}, nil, &out, &said)
	if !strings.Contains(out.String(), fmt.Sprintf("%d,tap", want)) {
		t.Errorf("%s%s, of %d packets", out.String(), said.String(), want)
	}
	out.Reset()
	run(t.Context(), []string{"query", "--data", dir, "--format", "csv", `SELECT COUNT(*), TIMESTAMPDIFF(SECOND, MIN(ts_end), MAX(ts)) BETWEEN 2 AND 20,
		SUM(packets) FROM ops.coverage WHERE sensor = 'tap' AND interface = 'left'`}, nil, &out, &said)
	if !strings.Contains(out.String(), fmt.Sprintf("2,1,%d", want)) {
		t.Errorf("coverage, with a gap of the seconds it was gone: %s%s", out.String(), said.String())
	}
}

// TestRecordWorkers: what two workers of an interface said is durable is there when
// they are killed, and each packet is recorded once.
func TestRecordWorkers(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "archive")
	each, turns := packetsOf(t, officeMorning), 3
	for turn := range turns {
		d := start(t, "record", "--data", dir, "--netflow=", "--sflow=", "--capture", "left workers=2 sensor=tap")
		d.says(`recording packets of (left)`)
		sh(t, "tcpreplay -q -p 5000 -i right "+officeMorning)
		await(t, 2*time.Minute, "the packets to be durable", func() bool {
			s := status(t, dir).Recorder
			if s == nil || s.Process != d.cmd.Process.Pid || len(s.Interfaces) != 2 {
				return false
			}
			one, two := s.Interfaces[0], s.Interfaces[1]
			return one.Worker == 1 && two.Worker == 2 && one.Packets > 0 && two.Packets > 0 && one.Packets+two.Packets == int64(each)
		})
		if turn == turns-1 {
			if code := d.stop(os.Interrupt); code != 0 {
				t.Errorf("code %d", code)
			}
			break
		}
		d.stop(os.Kill)
	}
	all := turns * each
	for statement, want := range map[string]string{
		"SELECT COUNT(*), COUNT(DISTINCT packet_id) FROM packets":                                                                           fmt.Sprintf("%d,%d", all, all),
		"SELECT SUM(packets), SUM(drops), COUNT(DISTINCT interface) FROM ops.coverage WHERE sensor = 'tap'":                                 fmt.Sprintf("%d,0,1", all),
		"SELECT COUNT(*) FROM (SELECT ts < LAG(ts) OVER () AS back FROM (SELECT ts FROM packets ORDER BY ts LIMIT 9999999) p) q WHERE back": "0",
	} {
		var out, said bytes.Buffer
		run(t.Context(), []string{"query", "--data", dir, "--format", "csv", statement}, nil, &out, &said)
		if lines := strings.Fields(out.String()); len(lines) == 0 || lines[len(lines)-1] != want {
			t.Errorf("%s: %s%s, want %s", statement, out.String(), said.String(), want)
		}
	}
}

// TestRecordNoInterface: what can't be captured is said before anything else
// happens.
func TestRecordNoInterface(t *testing.T) {
	for _, c := range []struct{ capture, want string }{
		{"no-such-if", "no such interface: no-such-if; there are "},
		{"lo filter=port http and", `filter "port http and": it ends too early`},
		{"lo workers=100", "workers 100 is not between 1 and 64"},
		{"lo snaplen=1", "snaplen 1 is not between 64 and 262144"},
	} {
		var out, said bytes.Buffer
		dir := filepath.Join(t.TempDir(), "archive")
		code := run(t.Context(), []string{"record", "--data", dir, "--netflow=", "--sflow=", "--capture", c.capture}, nil, &out, &said)
		if code != exitConfiguration || !strings.Contains(said.String(), c.want) {
			t.Errorf("%s: code %d, %s", c.capture, code, said.String())
		}
	}
}

// TestUpInterface: a packet is found by SQL two seconds after it was on the wire,
// by a server that may capture nothing.
func TestUpInterface(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	d, _, ask := up(t, filepath.Join(t.TempDir(), "archive"), "--capture", "left")
	d.says(`recording packets of (left)`)
	sent := time.Now()
	sh(t, "tcpreplay -q -t -i right "+officeMorning)
	want := strconv.Itoa(packetsOf(t, officeMorning))
	var got string
	for time.Since(sent) < 20*time.Second {
		var err error
		if got, err = ask("SELECT COUNT(*) FROM packets WHERE ts > NOW() - INTERVAL 1 MINUTE"); err == nil && got == want {
			break
		}
	}
	t.Logf("found after %v", time.Since(sent))
	if got != want {
		t.Fatalf("%s packets are found, of %s", got, want)
	}
	if took := time.Since(sent); took > 10*time.Second { // two, on a machine that has nothing else to do
		t.Errorf("found after %v", took)
	}
	rows, err := ask(`SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id)
		WHERE c.client_host = 'gavin.reid-machine' AND c.ts > NOW() - INTERVAL 1 MINUTE`)
	if err != nil || rows == "" {
		t.Errorf("no packets of the host: %v", err)
	}
}

// TestUpRights: of what root may, only the process that captures keeps anything.
func TestUpRights(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	dir := nobodys(t)
	binary := filepath.Join(filepath.Dir(dir), "wiresql") // where the account can look
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(self, binary); err != nil {
		sh(t, "cp "+self+" "+binary)
	}
	cmd := exec.Command(binary, "up", "--data", dir, "--netflow=", "--sflow=", "--listen", "127.0.0.1:0", "--capture", "left", "--user", "nobody")
	spill := filepath.Join(filepath.Dir(dir), "tmp")
	sh(t, "install -d -o nobody "+spill)
	cmd.Env = append(os.Environ(), runAsProgram+"=1", "TMPDIR="+spill)
	d := launch(t, cmd)
	d.says(`recording packets of (left)`)
	d.says(`serving .* -P (\d+) `)
	parts := children(t, d.cmd.Process.Pid)
	for name, want := range map[string]uint64{"record": onlyRaw, "serve": 0, "compact": 0} {
		if uid, may := rights(t, parts[name]); uid != 65534 || may != want {
			t.Errorf("%s is run by user %d with capabilities %x", name, uid, may)
		}
	}
	if uid, may := rights(t, d.cmd.Process.Pid); uid != 65534 || may != onlyRaw {
		t.Errorf("up is run by user %d with capabilities %x", uid, may)
	}
	if err := d.cmd.Process.Kill(); err != nil { // they end with it all the same
		t.Fatal(err)
	}
	for name, pid := range parts {
		await(t, 30*time.Second, name+" to end", func() bool { return !alive(pid) })
	}
}
