package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// runAsProgram in the environment makes the test binary be wiresql (TestMain;
// in an init function, no thread of DuckDB's could call Go), so that tests can
// start it as a process, kill it, and count its children.
const runAsProgram = "TEST_RUN_AS_WIRESQL"

// daemon is a running wiresql.
type daemon struct {
	t   *testing.T
	cmd *exec.Cmd
	out *transcript
	end chan struct{}
}

// start runs wiresql as a process of its own; it is killed at the test's end.
func start(t *testing.T, args ...string) *daemon {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), runAsProgram+"=1")
	return launch(t, cmd)
}

// launch runs a program; it is killed at the test's end.
func launch(t *testing.T, cmd *exec.Cmd) *daemon {
	t.Helper()
	d := &daemon{t: t, cmd: cmd, out: &transcript{}, end: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = d.out, d.out
	d.cmd.WaitDelay = 20 * time.Second // its children have its output too
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		// Its exit code is in ProcessState.
		_ = d.cmd.Wait()
		close(d.end)
	}()
	t.Cleanup(func() {
		// Its only error is that the process has ended.
		_ = d.cmd.Process.Kill()
		<-d.end
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(cmd.Args, " "), d.out)
		}
	})
	return d
}

// says waits for a line and returns what the pattern's group matched in it.
func (d *daemon) says(pattern string) string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(d.out.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-d.end:
			if re.MatchString(d.out.String()) {
				continue
			}
			d.t.Fatalf("it ended (%v) without saying %q:\n%s", d.cmd.ProcessState, pattern, d.out)
		default:
		}
	}
	d.t.Fatalf("in 20 s it did not say %q:\n%s", pattern, d.out)
	return ""
}

// stop sends a signal and waits for the end.
func (d *daemon) stop(s os.Signal) (code int) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
	select {
	case <-d.end:
	case <-time.After(40 * time.Second):
		d.t.Fatalf("it did not end in 40 s after %v:\n%s", s, d.out)
	}
	return d.cmd.ProcessState.ExitCode()
}

// record starts wiresql record and returns the address it receives on.
func record(t *testing.T, dir, address string, more ...string) (*daemon, string) {
	t.Helper()
	d := start(t, append([]string{"record", "--data", dir, "--netflow", address, "--sflow="}, more...)...)
	return d, d.says(`recording udp (\S+) into`)
}

// send sends datagrams to an address.
func send(t *testing.T, address string, datagrams ...[]byte) {
	t.Helper()
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range datagrams {
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
	}
}

// numbered is a v5 datagram with n flows, numbered from first on by their
// source address.
func numbered(first, n int) []byte {
	b := make([]byte, 24+48*n)
	binary.BigEndian.PutUint16(b, 5)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	binary.BigEndian.PutUint32(b[4:], 3_600_000)
	binary.BigEndian.PutUint32(b[8:], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint32(b[16:], uint32(first))
	for i := range n {
		r := b[24+48*i:]
		binary.BigEndian.PutUint32(r, 10<<24+uint32(first+i))
		copy(r[4:], []byte{192, 0, 2, 1})
		binary.BigEndian.PutUint32(r[16:], 3)
		binary.BigEndian.PutUint32(r[20:], 300)
		binary.BigEndian.PutUint32(r[24:], 3_599_000)
		binary.BigEndian.PutUint32(r[28:], 3_599_900)
		binary.BigEndian.PutUint16(r[32:], 40000)
		binary.BigEndian.PutUint16(r[34:], 53)
		r[38] = 17
	}
	return b
}

// storedRows reads all rows of a family, as a new reader of the archive finds it.
func storedRows[T any](t *testing.T, dir string, family archive.Family) []T {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	catalog, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var all []T
	for _, f := range catalog.Files(family) {
		r, err := rows.Open[T](f.File)
		if err != nil {
			t.Fatal(err)
		}
		buffer := make([]T, 1000)
		for {
			n, err := r.Read(buffer)
			all = append(all, buffer[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	return all
}

// account adds up the rows of all sockets.
func account(t *testing.T, dir string) (sum tables.Socket) {
	t.Helper()
	for _, r := range storedRows[tables.Socket](t, dir, archive.Sockets) {
		sum.Received += r.Received
		sum.Decoded += r.Decoded
		sum.Undecodable += r.Undecodable
		sum.Waited += r.Waited
		sum.Refused += r.Refused
		sum.QueueDrops += r.QueueDrops
		sum.KernelDrops += r.KernelDrops
	}
	return sum
}

// TestRecordKeepsTemplates: data that comes after a restart is decoded with
// the template that came before it.
func TestRecordKeepsTemplates(t *testing.T) {
	template := ipfixMessage(0, 2, []uint16{256, 3, 8, 4, 12, 4, 2, 8})
	data := ipfixMessage(0, 256, nil)
	data = append(data, 10, 0, 0, 1, 10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5)
	binary.BigEndian.PutUint16(data[2:], uint16(len(data)))
	binary.BigEndian.PutUint16(data[18:], uint16(len(data)-16))
	dir := t.TempDir()
	for _, how := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		d, address := record(t, dir, "127.0.0.1:0")
		send(t, address, template)
		if how == syscall.SIGKILL {
			state := filepath.Join(dir, "state", "collector.json")
			was := time.Now()
			await(t, 5*time.Second, "the template to be kept", func() bool {
				st, err := os.Stat(state)
				return err == nil && (st.ModTime().After(was.Add(-2*time.Second)) || time.Since(was) > 2*time.Second)
			})
		}
		d.stop(how)
		d, address = record(t, dir, "127.0.0.1:0")
		before := len(storedRows[tables.Export](t, dir, archive.Exports))
		send(t, address, data)
		if code := d.stop(syscall.SIGTERM); code != 0 {
			t.Fatalf("exit code %d: %s", code, d.out)
		}
		rows := storedRows[tables.Export](t, dir, archive.Exports)
		if len(rows) != before+1 || rows[before].Packets != 5 {
			t.Errorf("after %v: %d rows, %d before; the data waits for its template", how, len(rows), before)
		}
	}
	ids := map[tables.ID]bool{}
	for _, r := range storedRows[tables.Export](t, dir, archive.Exports) {
		if ids[r.FlowID] {
			t.Errorf("two runs gave the same flow_id %v", r.FlowID)
		}
		ids[r.FlowID] = true
	}
}

// ipfixMessage is a message with one set of 16-bit words.
func ipfixMessage(sequence uint32, set uint16, words []uint16) []byte {
	b := make([]byte, 20+2*len(words))
	binary.BigEndian.PutUint16(b, 10)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint32(b[4:], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint32(b[8:], sequence)
	binary.BigEndian.PutUint32(b[12:], 77)
	binary.BigEndian.PutUint16(b[16:], set)
	binary.BigEndian.PutUint16(b[18:], uint16(len(b)-16))
	for i, w := range words {
		binary.BigEndian.PutUint16(b[20+2*i:], w)
	}
	return b
}

// TestRecordRefusesToStart with one line and the code that says so.
func TestRecordRefusesToStart(t *testing.T) {
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--netflow", taken.LocalAddr().String()}, "address already in use"},
		{[]string{"--netflow", "127.0.0.1:0", "--exporters", "router1"}, `"router1" is neither an address nor a prefix`},
		{[]string{"--netflow", "nonsense"}, "missing port"},
		{[]string{"extra"}, `unexpected argument "extra"`},
		{[]string{"--netflow", "127.0.0.1:0", "--metrics-listen", "203.0.113.1:1"}, "metrics: "},
	} {
		var out, said bytes.Buffer
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		code := run(ctx, append([]string{"record", "--data", t.TempDir(), "--sflow="}, c.args...), nil, &out, &said)
		cancel()
		errText := said.String()
		if code != exitConfiguration || strings.Count(errText, "\n") != 1 || !strings.Contains(errText, c.want) {
			t.Errorf("%v: exit %d, %q", c.args, code, errText)
		}
	}
}

// TestRecordWarnsOfOpenPorts: without a list of exporters, a port others can
// reach takes flows from anybody.
func TestRecordWarnsOfOpenPorts(t *testing.T) {
	const word = "takes flows from anybody"
	d, _ := record(t, t.TempDir(), "0.0.0.0:0")
	d.says(word)
	for _, args := range [][]string{{"0.0.0.0:0", "--exporters", "192.0.2.1"}, {"127.0.0.1:0"}} {
		d, _ := record(t, t.TempDir(), args[0], args[1:]...)
		if code := d.stop(syscall.SIGTERM); code != 0 || strings.Contains(d.out.String(), word) {
			t.Errorf("%v: exit code %d: %s", args, code, d.out)
		}
	}
}

// TestRecordMetrics: what Prometheus reads is what the tables say.
func TestRecordMetrics(t *testing.T) {
	dir := t.TempDir()
	d, address := record(t, dir, "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--exporters", "127.0.0.1,name=edge 1")
	url := d.says(`metrics at (\S+)`)
	send(t, address, numbered(0, 30), numbered(30, 20), []byte("rubbish"))
	var text string
	await(t, 10*time.Second, "the metrics", func() bool {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v", url, resp.Status, err)
		}
		text = string(b)
		return strings.Contains(text, `wiresql_socket_received_total{socket="udp `+address+`"} 3`) && strings.Contains(text, "exporter_records_total")
	})
	for _, want := range []string{
		`wiresql_socket_decoded_total{socket="udp ` + address + `"} 2`,
		`wiresql_socket_undecodable_total{socket="udp ` + address + `"} 1`,
		`wiresql_socket_kernel_drops_total{socket="udp ` + address + `"} 0`,
		`wiresql_exporter_records_total{domain="0",exporter="127.0.0.1",observer="edge 1",source_type="netflow5"} 50`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, d.out)
	}
	if a := account(t, dir); a.Received != 3 || a.Decoded != 2 || a.Undecodable != 1 {
		t.Errorf("account %+v", a)
	}
}
