package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// damageable is an archive with a file of each kind, of several blocks where
// DuckDB reads it by the column.
func damageable(t *testing.T) *archive.Archive {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	rng := rand.New(rand.NewPCG(1, 2))
	const begin = 1_780_000_000_000_000
	at := func(i int) tables.Time { return tables.Time(begin + int64(i)*1000) }
	addr := func() tables.Addr { return tables.Addr{Lo: 0xffff<<32 | 10<<24 | uint64(rng.IntN(5000))} }
	commit(t, a, "import", func(tx *archive.Tx) error {
		w, err := tx.Packets("dmz", "", tables.LinkEthernet, false)
		if err != nil {
			return err
		}
		var postings [][]byte
		for i := range 3000 {
			data := make([]byte, 60+rng.IntN(800))
			for k := range data {
				data[k] = byte(rng.Uint32())
			}
			copy(data[12:], []byte{8, 0, 0x45, 0})
			segment, offset, err := w.Append(&pcap.Record{TS: int64(at(i)) * 1000, Length: len(data), Data: data})
			if err != nil {
				return err
			}
			postings = append(postings, rows.AppendPostings(nil, []tables.ID{tables.PacketID(segment, offset)}))
		}
		var flows []tables.Flow
		for i := range 12000 {
			f := tables.Flow{TS: at(i), TSEnd: at(i) + 5, SourceType: tables.SourcePackets, Sensor: "dmz", FlowID: tables.ID(rng.Uint64()), ConnID: tables.ID(rng.Uint64()),
				CID: rng.Uint64(), Src: addr(), Dst: addr(), SrcPort: rng.Int32N(60000), DstPort: rng.Int32N(1000), Protocol: 6, Packets: rng.Int64N(100), Bytes: rng.Int64N(1e6)}
			if i < len(postings) {
				f.Postings = postings[i]
			}
			flows = append(flows, f)
		}
		_, err = archive.WriteRows(tx, "t", flows)
		return err
	})
	var conns []tables.Connection
	var dns []tables.DNS
	var answers []tables.DNSAnswer
	var handshakes []tables.TLS
	var requests []tables.HTTP
	var accesses []tables.File
	var calls []tables.RPC
	var mails []tables.Mail
	var exports []tables.Export
	var names []tables.Name
	var other []tables.Other
	for i := range 12000 {
		conns = append(conns, tables.Connection{TS: at(i), TSEnd: at(i) + 7, Client: addr(), Server: addr(), ClientPort: rng.Int32N(60000), ServerPort: 443, Protocol: 6,
			ClientBytes: some(rng.Int64N(1e7)), ServerBytes: some(rng.Int64N(1e7)), ClientPackets: some(rng.Int64N(1e3)), ConnID: tables.ID(rng.Uint64()), SeenBy: "dmz"})
		exports = append(exports, tables.Export{TS: at(i), TSEnd: at(i) + 9, SourceType: tables.SourceNetFlow9, Observer: "edge", Src: addr(), Dst: addr(), Protocol: 17,
			Bytes: rng.Int64N(1e6), Packets: rng.Int64N(1e3), FlowID: tables.ID(1<<40 + i), ConnID: some(tables.ID(rng.Uint64())), CID: rng.Uint64()})
		dns = append(dns, tables.DNS{TS: at(i), Client: addr(), Server: addr(), Query: fmt.Sprintf("h%d.example", rng.IntN(1e6)), QType: "A", TTL: some(rng.Int64N(9999)), FlowID: tables.ID(rng.Uint64())})
		answers = append(answers, tables.DNSAnswer{TS: at(i), Client: addr(), Server: addr(), Query: fmt.Sprintf("h%d.example", rng.IntN(1e6)), Type: "A", Address: some(addr()), TTL: rng.Int64N(9999)})
		requests = append(requests, tables.HTTP{TS: at(i), Client: addr(), Server: addr(), Status: some(200 + rng.Int32N(300)), Host: fmt.Sprintf("h%d.example", rng.IntN(900)), URI: fmt.Sprint("/", rng.IntN(1e6))})
		accesses = append(accesses, tables.File{TS: at(i), TSEnd: at(i) + 5, Client: addr(), Server: addr(), Protocol: "smb2", Action: "read", Name: fmt.Sprint("f", rng.IntN(900)), BytesRead: some(rng.Int64N(9999))})
		mails = append(mails, tables.Mail{TS: at(i), Client: addr(), Server: addr(), MailFrom: fmt.Sprintf("u%d@a.test", rng.IntN(900)), Recipients: some(int32(1 + rng.IntN(9))), Subject: fmt.Sprint("s", i), Outcome: "accepted"})
		calls = append(calls, tables.RPC{TS: at(i), Client: addr(), Server: addr(), Interface: "svcctl", Opnum: rng.Int32N(40), Status: "ok"})
		handshakes = append(handshakes, tables.TLS{TS: at(i), Client: addr(), Server: addr(), ServerPort: rng.Int32N(60000), ServerName: fmt.Sprintf("h%d.example", rng.IntN(1e6)), JA4: fmt.Sprint(rng.IntN(900))})
		if i < 3000 {
			names = append(names, tables.Name{TS: at(i), Name: fmt.Sprintf("host%d", i), Addr: addr(), Source: "dns", ValidUntil: at(i) + 3e9})
			other = append(other, tables.Other{TS: at(i), TSEnd: at(i), Packets: 1, WireBytes: rng.Int64N(1500)})
		}
	}
	batch(t, a, "t", conns)
	batch(t, a, "t", exports)
	batch(t, a, "e", dns)
	batch(t, a, "e", answers)
	batch(t, a, "e", handshakes)
	batch(t, a, "e", requests)
	batch(t, a, "e", accesses)
	batch(t, a, "e", calls)
	batch(t, a, "e", mails)
	batch(t, a, "e", names)
	batch(t, a, "e", other)
	batch(t, a, "e", []tables.Import{{File: "x.pcap", ContentID: "c", State: tables.ImportComplete, Packets: 3000, Bytes: 7}})
	batch(t, a, "e", []tables.Coverage{{Sensor: "dmz", TS: begin, TSEnd: at(12000), Packets: 3000, Bytes: 7, Drops: some[int64](3)}})
	batch(t, a, "h", []tables.Exporter{{TS: begin, TSEnd: at(12000), Observer: "edge", SourceType: tables.SourceNetFlow9, Missing: 12, Records: 5}})
	batch(t, a, "h", []tables.Socket{{TS: begin, TSEnd: at(12000), Socket: "udp:1", Received: 8, KernelDrops: 1}})
	return a
}

// damagedBy are statements that must tell when a family is damaged.
var damagedBy = map[archive.Family][]string{
	archive.Flows: {"SELECT COUNT(*), SUM(bytes), SUM(packets), SUM(src_port), MIN(ts), COUNT(DISTINCT src_ip) FROM flows WHERE source_type = 'packets'",
		"SELECT flow_id, src_ip, dst_port FROM flows_wide WHERE dst_port = 7 AND source_type = 'packets' ORDER BY flow_id",
		"SELECT COUNT(*), SUM(length), MAX(length) FROM packets WHERE src_ip IS NOT NULL"},
	archive.Connections: {"SELECT COUNT(*), SUM(bytes), SUM(packets), MAX(client_port), COUNT(DISTINCT conn_id) FROM connections",
		"SELECT host, SUM(bytes_out), SUM(bytes_in) FROM host_flows WHERE role = 'client' GROUP BY host ORDER BY 2 DESC, 1 LIMIT 20"},
	archive.Exports:    {"SELECT COUNT(*), SUM(bytes), SUM(packets), COUNT(DISTINCT conn_id) FROM flows WHERE observer = 'edge'"},
	archive.DNS:        {"SELECT COUNT(*), SUM(ttl), COUNT(DISTINCT query), MAX(client_ip) FROM dns"},
	archive.DNSAnswers: {"SELECT COUNT(*), SUM(ttl), COUNT(DISTINCT query), MAX(address) FROM dns_answers"},
	archive.HTTP:       {"SELECT COUNT(*), SUM(status), COUNT(DISTINCT uri), MAX(host) FROM http"},
	archive.Mail:       {"SELECT COUNT(*), SUM(recipients), MAX(client_ip), MIN(mail_from) FROM mail"},
	archive.RPC:        {"SELECT COUNT(*), SUM(opnum), MAX(client_ip), MIN(interface) FROM rpc"},
	archive.FileAccess: {"SELECT COUNT(*), SUM(bytes_read), COUNT(DISTINCT name), MAX(client_ip) FROM files WHERE protocol = 'smb2'"},
	archive.TLS:        {"SELECT COUNT(*), SUM(server_port), COUNT(DISTINCT server_name), MAX(ja4) FROM tls"},
	archive.Names: {"SELECT COUNT(*), COUNT(DISTINCT name) FROM hosts", "SELECT COUNT(client_host) FROM connections",
		"SELECT COUNT(*) FROM connections WHERE client_host LIKE 'host1%'"},
	archive.Other:     {"SELECT COUNT(*), SUM(length) FROM packets"},
	archive.Imports:   {"SELECT file, packets, bytes FROM ops.imports"},
	archive.Segments:  {"SELECT segment, path, packets, bytes FROM ops.segments", "SELECT COUNT(*), SUM(length) FROM packets"},
	archive.Coverage:  {"SELECT sensor, packets, drops FROM ops.coverage", "SELECT packet_status, COUNT(*) FROM flows GROUP BY 1 ORDER BY 1"},
	archive.Exporters: {"SELECT observer, records, missing FROM ops.exporters", "SELECT SUM(lost) FROM ops.capture_loss"},
	archive.Sockets:   {"SELECT socket, sent, kernel_drops FROM ops.sockets"},
}

// answer asks, and returns all that is said of damage beside the rows.
func answer(t *testing.T, e *Engine, text string) (got, said string) {
	t.Helper()
	r, err := e.Query(t.Context(), text)
	if err != nil {
		return "", err.Error()
	}
	list, err := r.All()
	if err != nil {
		return "", err.Error()
	}
	return fmt.Sprint(list), strings.Join(r.Warnings(), "\n")
}

// harm damages a file in one of the ways files are damaged.
func harm(rng *rand.Rand, whole []byte) (b []byte, how string) {
	b = append([]byte{}, whole...)
	at := rng.IntN(len(b))
	switch rng.IntN(5) {
	case 0:
		b[at] ^= 1 << rng.IntN(8)
		return b, fmt.Sprintf("a bit at %d flipped", at)
	case 1:
		for range 30 {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		return b, "30 bits flipped"
	case 2:
		clear(b[at:min(at+4096, len(b))])
		return b, fmt.Sprintf("zeros from %d on", at)
	case 3:
		return b[:at], fmt.Sprintf("cut at %d", at)
	}
	return nil, "deleted"
}

// places is how often each kind of file is damaged.
const places = 200

// A damaged row file gives the rows it had, or a warning, or an error, whether
// the server reads it for the first time or has read it before.
func TestDamageIsTold(t *testing.T) {
	a := damageable(t)
	dir := a.Dir()
	running := openEngine(t, a)
	cat, err := a.Catalog()
	if err != nil || len(cat.Damage()) > 0 {
		t.Fatal(err, cat.Damage())
	}
	right := map[string]string{}
	before := map[string]string{}
	for _, list := range damagedBy {
		for _, q := range list {
			right[q], before[q] = answer(t, running, q)
			if right[q] == "" || right[q] == "[]" {
				t.Fatalf("%s: %q, %s", q, right[q], before[q])
			}
		}
	}
	damagedBy := maps.Clone(damagedBy)
	damagedBy["packets"] = []string{"SELECT COUNT(*), SUM(length), MAX(length), MIN(ts) FROM packets WHERE src_ip IS NOT NULL",
		"SELECT SUM(length), SUM(ttl) FROM packets WHERE ts < '2026-05-28 20:26:40.5'"}
	for _, q := range damagedBy["packets"] {
		right[q], before[q] = answer(t, running, q)
	}
	for family, list := range damagedBy {
		files := cat.Files(family)
		if family == "packets" {
			files = []archive.File{{File: rows.File{Path: cat.Segments()[0].AbsPath}}}
		}
		if len(files) != 1 {
			t.Fatalf("%d files of %s", len(files), family)
		}
		path := files[0].Path
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, uint64(len(whole))))
		wrong, told := 0, 0
		for i := range places {
			b, how := harm(rng, whole)
			if string(b) == string(whole) {
				continue
			}
			if b == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, b, 0o640)
			}
			if err != nil {
				t.Fatal(err)
			}
			e := running
			var fresh *archive.Archive
			if i%8 == 0 { // before a start
				if fresh, err = archive.Open(dir, archive.Options{ReadOnly: true}); err != nil {
					t.Fatal(err)
				}
				if e, err = New(DefaultConfig(), fresh, nil); err != nil {
					t.Fatal(err)
				}
			} else {
				a.Refresh()
			}
			for _, q := range list {
				got, said := answer(t, e, q)
				if got != right[q] && said == before[q] {
					t.Errorf("%s, %s, started %v:\n%s\n%.200s\nwas %.200s", family, how, fresh != nil, q, got, right[q])
					wrong++
				}
				if said != before[q] {
					told++
				}
			}
			if fresh != nil {
				e.Close()
				fresh.Close()
			}
			if err := os.WriteFile(path, whole, 0o640); err != nil {
				t.Fatal(err)
			}
			if wrong > 3 {
				break
			}
		}
		// What is whole again counts again.
		a.Refresh()
		for _, q := range list {
			if got, said := answer(t, running, q); got != right[q] || said != before[q] {
				t.Errorf("%s is whole again: %s: %.200s, was %.200s; %s", family, q, got, right[q], said)
			}
		}
		t.Logf("%s, %d bytes: told %d times", family, len(whole), told)
	}
}

// Damage that is met when rows were sent already fails the statement, and says where;
// asked again, it is answered without the file, and told.
func TestDamageAmidRows(t *testing.T) {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	rng := rand.New(rand.NewPCG(7, 8))
	const n = 625_000 // five row groups, of which DuckDB reads two ahead
	conns := make([]tables.Connection, n)
	for i := range conns {
		at := tables.Time(1_780_000_000_000_000 + int64(i)*1000)
		conns[i] = tables.Connection{TS: at, TSEnd: at + 7, ConnID: tables.ID(rng.Uint64()), Protocol: 6}
	}
	batch(t, a, "t", conns)
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	path := cat.Files(archive.Connections)[0].Path
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// conn_id is most of a row group, and not compressed.
	last := make([]byte, 8)
	binary.LittleEndian.PutUint64(last, uint64(conns[n-1000].ConnID))
	at := bytes.Index(b, last)
	if at < len(b)/2 {
		t.Fatal(at, "of", len(b))
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	e := openEngine(t, a)
	a.Refresh()
	r, err := e.Query(t.Context(), "SELECT conn_id FROM connections")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := 0
	for {
		var row [][]byte
		if row, err = r.Text(); err != nil {
			break
		}
		if id := conns[got].ConnID.String(); string(row[0]) != id {
			t.Fatalf("row %d is %s, not %s", got, row[0], id)
		}
		got++
	}
	where := fmt.Sprintf("%s: at byte %d: ", filepath.Base(path), at&^(sums.Block-1))
	if errors.Is(err, io.EOF) || got == 0 || got >= n || !strings.Contains(err.Error(), where) || !strings.Contains(err.Error(), "what was sent is not all") {
		t.Fatalf("%d rows, then %v; not %s", got, err, where)
	}
	if again, said := answer(t, e, "SELECT COUNT(conn_id) FROM connections"); again != "[[0]]" || !strings.Contains(said, "625,000 rows of connections") {
		t.Errorf("asked again: %s, %s", again, said)
	}
}

// What a scrubber found in packets is told beside packet_status, which does not know
// of it, and in ops.damage; who does not ask for it is not told.
func TestScrubbedPackets(t *testing.T) {
	a := damageable(t)
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	path := cat.Segments()[0].AbsPath
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	e := openEngine(t, a)
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.Scrub(ctx, archive.ScrubOptions{Every: time.Hour}) }()
	for s, _ := a.Scrubbed(); s.Ended == 0 && ctx.Err() == nil; s, _ = a.Scrubbed() {
		time.Sleep(time.Millisecond) // its state is a file
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	a.Refresh()
	where := fmt.Sprintf("at byte %d: its checksum is not the one that was written", len(b)/2&^(8<<10-1))
	for q, told := range map[string]bool{
		"SELECT packet_status, COUNT(*) FROM flows WHERE source_type = 'packets' GROUP BY 1":                        true,
		"SELECT packet_status, COUNT(*) FROM flows WHERE source_type = 'packets' AND ts >= '2027-01-01' GROUP BY 1": false,
		"SELECT COUNT(*) FROM flows WHERE source_type = 'packets'":                                                  false,
	} {
		_, said := answer(t, e, q)
		if strings.Contains(said, "can't all be read, whatever their packet_status") != told || strings.Contains(said, where) != told {
			t.Errorf("%s: %q", q, said)
		}
	}
	if got, _ := answer(t, e, "SELECT family, reason FROM ops.damage"); got != "[[packets "+where+"]]" {
		t.Error(got)
	}
}
