//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// nfcapd starts the peer; it writes what comes to the port into dir.
func nfcapd(t *testing.T, dir string, port int) *daemon {
	t.Helper()
	d := launch(t, exec.Command("nfcapd", "-w", dir, "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "3600", "-B", "4194304"))
	d.says("Startup nfcapd")
	return d
}

// ends stops a program as a service manager would.
func (d *daemon) ends(t *testing.T) {
	t.Helper()
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Fatalf("%s: exit code %d: %s", d.cmd.Path, code, d.out)
	}
}

// freeUDP is a port nobody has.
func freeUDP(t *testing.T) int {
	t.Helper()
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.LocalAddr().(*net.UDPAddr).Port
}

// sqlOf asks the archive in dir with the program's query command.
func sqlOf(t *testing.T, dir, statement string) [][]string {
	t.Helper()
	rows, err := tryToAsk(t, dir, statement)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// tryToAsk is for archives in which there may be nothing yet.
func tryToAsk(t *testing.T, dir, statement string) ([][]string, error) {
	t.Helper()
	code, out, complaint := runProgram(t, nil, "query", "--data", dir, "--format", "csv", statement)
	if code != 0 {
		return nil, fmt.Errorf("%s: exit %d: %s", statement, code, complaint)
	}
	rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%s: %q", statement, out))
	}
	return rows[1:], nil
}

// numbersOf is sqlOf for one row of numbers.
func numbersOf(t *testing.T, dir, statement string) []int64 {
	t.Helper()
	rows := sqlOf(t, dir, statement)
	if len(rows) != 1 {
		t.Fatalf("%s: %d rows", statement, len(rows))
	}
	var values []int64
	for _, text := range rows[0] {
		values = append(values, number(t, text))
	}
	return values
}

// sumOf are counts and sums of flows.
type sumOf struct{ flows, packets, bytes int64 }

// nfdumpSums is what nfdump says of all that an nfcapd wrote.
type nfdumpSums struct{ all, tcp, udp sumOf }

var nfdumpLine = regexp.MustCompile(`(?m)^(Flows|Packets|Bytes)(_tcp|_udp)?: (\d+)`)

func nfdumpOf(t *testing.T, dir string) (s nfdumpSums) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "nfcapd.*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nfcapd wrote nothing (%v)", err)
	}
	for _, file := range files {
		out, err := exec.Command("nfdump", "-I", "-r", file).CombinedOutput()
		if err != nil {
			t.Fatalf("nfdump -I: %v: %s", err, out)
		}
		for _, m := range nfdumpLine.FindAllStringSubmatch(string(out), -1) {
			n, err := strconv.ParseInt(m[3], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			of := map[string]*sumOf{"": &s.all, "_tcp": &s.tcp, "_udp": &s.udp}[m[2]]
			switch m[1] {
			case "Flows":
				of.flows += n
			case "Packets":
				of.packets += n
			default:
				of.bytes += n
			}
		}
	}
	return s
}

// softflowd has the real exporter meter a capture and returns what it sent.
func softflowd(t *testing.T, path string, args ...string) [][]byte {
	t.Helper()
	l, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	// With a control socket it waits for ever.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "softflowd", append([]string{"-r", path, "-n", l.LocalAddr().String(), "-d", "-c", "none"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("softflowd: %v: %s", err, out)
	}
	var all [][]byte
	buf := make([]byte, 65536)
	for {
		// All of it is in the socket's buffer by now.
		if err := l.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, bytes.Clone(buf[:n]))
	}
	if len(all) == 0 {
		t.Fatal("softflowd sent nothing")
	}
	return all
}

// generated are datagrams of flows made up by the exporter of the benchmarks.
func generated(protocol datagrams.Protocol, flows int, now time.Time) (all [][]byte, made datagrams.Counts) {
	at := now.UnixMicro()
	e := datagrams.Exporter{Protocol: protocol, Domain: 7, Boot: at - 3_600_000_000, Sampling: 0}
	six := 20
	switch protocol {
	case datagrams.NetFlow5:
		six = 0
	case datagrams.NetFlow9, datagrams.IPFIX:
		all = append(all, e.Templates(nil, at))
	}
	source := datagrams.NewSource(3, six)
	batch := make([]datagrams.Flow, protocol.Batch())
	for made := 0; made < flows; made += len(batch) {
		for i := range batch {
			source.Next(&batch[i], at)
		}
		all = append(all, e.Datagram(nil, batch, at))
	}
	return all, e.Made
}

// replay sends datagrams from one address to another, slowly enough for any
// receive buffer.
func replay(t *testing.T, from, to string, all [][]byte) {
	t.Helper()
	s, err := datagrams.Dial(netip.MustParseAddrPort(from+":0"), netip.MustParseAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := datagrams.Paced(len(all), 3000, func(from, to int) error { return s.Send(all[from:to]...) }); err != nil {
		t.Fatal(err)
	}
}

// drained waits until no datagram lies in the sockets of a port of this
// machine: whoever has them has read all that was sent.
func drained(t *testing.T, port int) {
	t.Helper()
	await(t, 20*time.Second, "an empty socket", func() bool {
		sockets := fileText(t, "/proc/net/udp")
		for _, line := range strings.Split(sockets, "\n")[1:] {
			// sl local_address rem_address st tx_queue:rx_queue …, in hex
			if f := strings.Fields(line); len(f) > 4 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && !strings.HasSuffix(f[4], ":00000000") {
				return false
			}
		}
		return true
	})
}

// realisticCapture is the capture of others beside the repository, or else one
// of ours.
func realisticCapture(t *testing.T) string {
	path := filepath.Join(sharedCaptures, realistic)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	t.Log("../shared/captures is absent: a smaller capture takes its place")
	return filepath.Join("testdata", "captures", "office-morning.pcap")
}

// What softflowd exports of a capture, and what our own exporter makes up, has
// the same number of flows, packets and bytes in wiresql as in nfcapd, by
// protocol too, when both get the same datagrams.
func TestExportersAgainstNfcapd(t *testing.T) {
	path := realisticCapture(t)
	now := time.Now()
	cases := []struct {
		name, source string
		datagrams    [][]byte
		made         datagrams.Counts
	}{
		{name: "softflowd v5", source: "netflow5", datagrams: softflowd(t, path, "-v", "5")},
		{name: "softflowd v9", source: "netflow9", datagrams: softflowd(t, path, "-v", "9")},
		{name: "softflowd IPFIX", source: "ipfix", datagrams: softflowd(t, path, "-v", "10")},
		{name: "softflowd IPFIX biflows", source: "ipfix", datagrams: softflowd(t, path, "-v", "10", "-b")},
		{name: "v5", source: "netflow5"},
		{name: "v9", source: "netflow9"},
		{name: "IPFIX", source: "ipfix"},
	}
	for i, p := range []datagrams.Protocol{datagrams.NetFlow5, datagrams.NetFlow9, datagrams.IPFIX} {
		cases[4+i].datagrams, cases[4+i].made = generated(p, 6000, now)
	}
	dir := t.TempDir()
	recorder, address := record(t, dir, "127.0.0.1:0")
	peers := make([]nfdumpSums, len(cases))
	var sent int64
	for i, c := range cases {
		from := fmt.Sprintf("127.0.0.%d", 11+i)
		replay(t, from, address, c.datagrams)
		sent += int64(len(c.datagrams))
		out, port := t.TempDir(), freeUDP(t)
		peer := nfcapd(t, out, port)
		replay(t, from, fmt.Sprintf("127.0.0.1:%d", port), c.datagrams)
		drained(t, port)
		peer.ends(t)
		peers[i] = nfdumpOf(t, out)
	}
	recorder.ends(t)

	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got nfdumpSums
			for _, r := range sqlOf(t, dir, fmt.Sprintf(`SELECT protocol, source_type, COUNT(*), SUM(total_packets), SUM(total_bytes), SUM(packets), SUM(bytes)
				FROM flows WHERE observer = '127.0.0.%d' GROUP BY protocol, source_type`, 11+i)) {
				if r[1] != c.source {
					t.Errorf("source_type %s, want %s", r[1], c.source)
				}
				s := sumOf{number(t, r[2]), number(t, r[3]), number(t, r[4])}
				got.all = sumOf{got.all.flows + s.flows, got.all.packets + s.packets, got.all.bytes + s.bytes}
				// By protocol nfdump adds up one direction of a biflow.
				s.packets, s.bytes = number(t, r[5]), number(t, r[6])
				switch r[0] {
				case "tcp":
					got.tcp = s
				case "udp":
					got.udp = s
				}
			}
			if got != peers[i] {
				t.Errorf("flows, packets and bytes of all, TCP and UDP:\n got %v\nnfcapd %v", got, peers[i])
			}
			if c.made.Flows > 0 {
				if want := (sumOf{c.made.Flows, int64(c.made.Packets), int64(c.made.Bytes)}); got.all != want {
					t.Errorf("got %v, the exporter made %v", got.all, want)
				}
			}
		})
	}
	account := numbersOf(t, dir, "SELECT SUM(sent), SUM(received), SUM(decoded) FROM ops.sockets")
	if account[0] != sent || account[1] != sent || account[2] != sent {
		t.Errorf("sent, received and decoded are %v of %d", account, sent)
	}
	for _, r := range sqlOf(t, dir, "SELECT observer, gaps, missing, undecodable, expired FROM ops.exporters") {
		if strings.Join(r[1:], ",") != "0,0,0,0" {
			t.Errorf("%s: gaps, missing, undecodable and expired are %v", r[0], r[1:])
		}
	}
}
