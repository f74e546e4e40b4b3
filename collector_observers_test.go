//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// transfer is a download over TCP, of which three observers tell.
type transfer struct {
	client, server netip.AddrPort
	packets        []transferPacket
}

type transferPacket struct {
	at         int64 // microseconds since 1970
	fromServer bool
	flags      byte
	payload    int
}

// newTransfer has 2,000 segments of data in 20 seconds from begin on.
func newTransfer(clientPort uint16, begin time.Time) transfer {
	x := transfer{
		client: netip.AddrPortFrom(netip.MustParseAddr("10.20.0.5"), clientPort),
		server: netip.MustParseAddrPort("198.51.100.80:443"),
	}
	at := begin.UnixMicro() / 1000 * 1000
	add := func(fromServer bool, flags byte, payload int) {
		x.packets = append(x.packets, transferPacket{at, fromServer, flags, payload})
		at += 5000
	}
	const fin, syn, psh, ack = 1, 2, 8, 16
	add(false, syn, 0)
	add(true, syn|ack, 0)
	add(false, ack, 0)
	add(false, psh|ack, 400)
	for range 2000 {
		add(true, ack, 1400)
		add(false, ack, 0)
	}
	add(true, fin|ack, 0)
	add(false, fin|ack, 0)
	add(true, ack, 0)
	return x
}

// volume is what the client and the server sent: packets and layer-3 bytes.
func (x transfer) volume() (client, server [2]int64) {
	for _, p := range x.packets {
		into := &client
		if p.fromServer {
			into = &server
		}
		into[0]++
		into[1] += int64(40 + p.payload)
	}
	return client, server
}

// write writes the packets as a capture.
func (x transfer) write(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := datagrams.NewPcap(f)
	if err != nil {
		t.Fatal(err)
	}
	var sequence [2]uint32
	for _, p := range x.packets {
		from, to, mine, other := x.client, x.server, &sequence[0], &sequence[1]
		if p.fromServer {
			from, to, mine, other = to, from, other, mine
		}
		if err := w.TCP(p.at, from, to, *mine, *other, p.flags, p.payload); err != nil {
			t.Fatal(err)
		}
		*mine += uint32(p.payload)
		if p.flags&3 != 0 {
			*mine++
		}
	}
}

// flows are what an exporter makes of it that looks at one packet in every.
func (x transfer) flows(every int) []datagrams.Flow {
	var flows [2]datagrams.Flow
	for i, p := range x.packets {
		if i%every != 0 {
			continue
		}
		from, to, f := x.client, x.server, &flows[0]
		if p.fromServer {
			from, to, f = to, from, &flows[1]
		}
		if f.Packets == 0 {
			*f = datagrams.Flow{Src: from.Addr(), Dst: to.Addr(), SrcPort: from.Port(), DstPort: to.Port(),
				Protocol: 6, Start: p.at, NextHop: netip.MustParseAddr("192.0.2.1")}
		}
		f.End = p.at
		f.Packets++
		f.Bytes += uint64(40 + p.payload)
		f.TCPFlags |= p.flags
	}
	return flows[:]
}

// observersOf are the exporters' datagrams: core counts everything, edge one
// packet in seven.
func observersOf(x transfer, now time.Time) (core, edge [][]byte) {
	at := now.UnixMicro()
	c := datagrams.Exporter{Protocol: datagrams.NetFlow5, Domain: 1, Boot: at - 3_600_000_000}
	e := datagrams.Exporter{Protocol: datagrams.IPFIX, Domain: 1, Boot: at - 3_600_000_000, Sampling: 7}
	return [][]byte{c.Datagram(nil, x.flows(1), at)}, [][]byte{e.Templates(nil, at), e.Datagram(nil, x.flows(7), at)}
}

const transferExporters = "127.0.0.21,name=core,site=office,127.0.0.22,name=edge,site=office"

// checkTransfer asks what became of the transfer in connections. Rows know
// their connection once they are settled.
func checkTransfer(t *testing.T, dir string, x transfer, seenBy string, settled bool) {
	t.Helper()
	rows := sqlOf(t, dir, fmt.Sprintf(`SELECT client_ip, server_ip, server_port, client_packets, client_bytes, server_packets, server_bytes, COALESCE(sampling_rate, 1), seen_by, conn_id
		FROM connections WHERE client_port = %d OR server_port = %[1]d`, x.client.Port()))
	if len(rows) != 1 {
		t.Fatalf("%d connections, want one: %v", len(rows), rows)
	}
	client, server := x.volume()
	want := fmt.Sprintf("10.20.0.5 198.51.100.80 443 %d %d %d %d 1 %s", client[0], client[1], server[0], server[1], seenBy)
	if got := strings.Join(rows[0][:9], " "); got != want {
		t.Errorf("connection\n got %s\nwant %s", got, want)
	}
	// All observers' rows say that they belong to it.
	id := rows[0][9]
	for _, r := range sqlOf(t, dir, fmt.Sprintf("SELECT observer, conn_id FROM flows WHERE src_port = %d OR dst_port = %[1]d", x.client.Port())) {
		if r[1] != id && (r[1] != "" || settled) {
			t.Errorf("a row of %s has conn_id %s, the connection %s", r[0], r[1], id)
		}
	}
}

// Three observers of one transfer - a sensor that captured it, a router that
// counted all of it and one that looked at some packets - give one connection
// with the true volume: while it is fresh, and when it is settled.
func TestThreeObserversOneConnection(t *testing.T) {
	t.Run("fresh", func(t *testing.T) {
		now := time.Now()
		x := newTransfer(41001, now.Add(-40*time.Second))
		dir := t.TempDir()
		recorder, address := record(t, dir, "127.0.0.1:0", "--exporters", transferExporters)
		core, edge := observersOf(x, now)
		replay(t, "127.0.0.22", address, edge)
		await(t, 10*time.Second, "the sampled connection", func() bool {
			rows, err := tryToAsk(t, dir, "SELECT seen_by, sampling_rate FROM connections WHERE client_port = 41001")
			return err == nil && len(rows) == 1 && rows[0][0] == "edge" && rows[0][1] == "7"
		})
		replay(t, "127.0.0.21", address, core)
		await(t, 10*time.Second, "the router's rows", func() bool {
			return numbersOf(t, dir, "SELECT COUNT(*) FROM flows WHERE observer = 'core'")[0] == 2
		})
		checkTransfer(t, dir, x, "core,edge", false)
		importTransfer(t, dir, x)
		checkTransfer(t, dir, x, "core,edge,tap", false)
		recorder.ends(t)
		checkTransfer(t, dir, x, "core,edge,tap", false)
	})
	t.Run("settled", func(t *testing.T) {
		// An hour ago, all of it imported.
		then := time.Now().Add(-time.Hour)
		for _, order := range []string{"sensor first", "exporters first"} {
			x := newTransfer(41002, then)
			core, edge := observersOf(x, then.Add(30*time.Second))
			dir := t.TempDir()
			if order == "sensor first" {
				importTransfer(t, dir, x)
			}
			importExports(t, dir, "127.0.0.21", core, then)
			importExports(t, dir, "127.0.0.22", edge, then)
			if order != "sensor first" {
				importTransfer(t, dir, x)
			}
			t.Log(order)
			checkTransfer(t, dir, x, "core,edge,tap", true)
		}
	})
}

func importTransfer(t *testing.T, dir string, x transfer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "transfer.pcap")
	x.write(t, path)
	if code, _, complaint := runProgram(t, nil, "import", "--data", dir, "--sensor", "tap", "--site", "office", path); code != 0 {
		t.Fatalf("import: exit %d: %s", code, complaint)
	}
}

// importExports imports a capture of export datagrams.
func importExports(t *testing.T, dir, from string, all [][]byte, at time.Time) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "export.pcap")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := datagrams.NewPcap(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		if err := w.UDP(at.Add(30*time.Second).UnixMicro(), netip.MustParseAddrPort(from+":2000"), netip.MustParseAddrPort("127.0.0.1:2055"), d); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, complaint := runProgram(t, []string{"WIRESQL_COLLECTOR_EXPORTERS=" + transferExporters}, "import", "--data", dir, "--exports", path); code != 0 {
		t.Fatalf("import --exports: exit %d: %s", code, complaint)
	}
}

// An exporter's record of 30 minutes that arrives now is found by the minute
// it began, and no file that was there is written anew.
func TestLateRecord(t *testing.T) {
	now := time.Now()
	dir := t.TempDir()
	// What was there before: settled flows of that time.
	x := newTransfer(41003, now.Add(-31*time.Minute))
	core, _ := observersOf(x, now.Add(-30*time.Minute))
	importExports(t, dir, "127.0.0.21", core, now.Add(-31*time.Minute))
	before := rowFiles(t, dir)

	at := now.UnixMicro()
	e := datagrams.Exporter{Protocol: datagrams.NetFlow5, Domain: 1, Boot: at - 86_400_000_000}
	long := datagrams.Flow{Src: netip.MustParseAddr("10.20.0.9"), Dst: netip.MustParseAddr("198.51.100.81"), SrcPort: 41999, DstPort: 22, Protocol: 6,
		Start: at/1000*1000 - 30*60_000_000, End: at / 1000 * 1000, Packets: 1000, Bytes: 100_000, NextHop: netip.MustParseAddr("192.0.2.1")}
	short := long
	short.Start, short.SrcPort = short.End-1_000_000, 41998
	recorder, address := record(t, dir, "127.0.0.1:0")
	replay(t, "127.0.0.21", address, [][]byte{e.Datagram(nil, []datagrams.Flow{long, short}, at)})
	await(t, 10*time.Second, "the record", func() bool {
		return numbersOf(t, dir, "SELECT COUNT(*) FROM flows WHERE src_port IN (41998, 41999)")[0] == 2
	})
	recorder.ends(t)

	minute := time.UnixMicro(long.Start).Add(time.Minute).UTC()
	window := func(from time.Time) string {
		const layout = "2006-01-02 15:04:05"
		return fmt.Sprintf("overlaps(ts, ts_end, '%s', '%s')", from.Format(layout), from.Add(time.Minute).Format(layout))
	}
	rows := sqlOf(t, dir, "SELECT src_port, bytes FROM flows WHERE src_ip = '10.20.0.9' AND "+window(minute))
	if len(rows) != 1 || rows[0][0] != "41999" || rows[0][1] != "100000" {
		t.Errorf("in the minute after its begin: %v", rows)
	}
	rows = sqlOf(t, dir, "SELECT src_port FROM flows WHERE src_ip = '10.20.0.9' AND "+window(minute.Add(-5*time.Minute)))
	if len(rows) != 0 {
		t.Errorf("before its begin: %v", rows)
	}

	after := rowFiles(t, dir)
	for path, was := range before {
		if is, ok := after[path]; !ok || is != was {
			t.Errorf("%s was written anew", path)
		}
	}
	late := 0
	for path := range after {
		if _, ok := before[path]; !ok && strings.Contains(path, "-late-") {
			late++
		}
	}
	if late == 0 {
		t.Errorf("no file of late rows among %d", len(after))
	}
}

// rowFiles are the Parquet files of an archive with their inodes and times of
// change.
func rowFiles(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, ".parquet") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			files[path] = fmt.Sprintf("%d bytes of %v", info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no rows in %s", dir)
	}
	return files
}
