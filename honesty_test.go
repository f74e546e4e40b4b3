package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/compact"
)

// What an answer lacks is said beside it, whatever the reason is and however it is
// asked: an archive is made for each reason, which is wanting in the morning and
// whole in the afternoon.

const (
	morningCapture   = "testdata/captures/office-morning.pcap"
	afternoonCapture = "testdata/captures/office-afternoon.pcapng"
)

// lackingSource gives packets of a capture as an interface does: some it has lost.
type lackingSource struct {
	*fileSource
	skip, until int64
	dropped     uint64
	at          func(n int64) // before each packet
	idle        func()        // when there are no more
}

func openLacking(t *testing.T, path string) *lackingSource {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &lackingSource{fileSource: &fileSource{r: r}, until: -1}
	s.fileSource.until.Store(-1)
	return s
}

func (s *lackingSource) Next(rec *pcap.Record) error {
	for s.n < s.skip {
		if err := s.fileSource.Next(rec); err != nil {
			return err
		}
	}
	if s.until >= 0 && s.n >= s.until {
		s.idle()
		return capture.ErrIdle
	}
	if s.at != nil {
		s.at(s.n)
	}
	return s.fileSource.Next(rec)
}

func (s *lackingSource) Loss() (received, dropped uint64) { return uint64(s.n), s.dropped }

// cutCapture is a copy of a capture with so many bytes of each packet.
func cutCapture(t *testing.T, path string, snaplen int) string {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := pcap.AppendHeader(nil, tables.LinkEthernet, false)
	var rec pcap.Record
	for {
		err := r.Next(&rec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rec.Data = rec.Data[:min(len(rec.Data), snaplen)]
		b = pcap.AppendRecord(b, &rec, false)
	}
	return writeFile(t, b)
}

func writeFile(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.pcap")
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	return path
}

// lack is a reason for which packets are wanting. What is said beside answers of
// each kind must contain its text; "" is nothing said.
type lack struct {
	name     string
	make     func(t *testing.T, a *archive.Archive, full *atomic.Bool)
	statuses string // of the morning's connections
	joined   string // to packets by way of flows or conversations
	alone    string // packets
	bytes    string // packets' bytes
	rows     string // flows and connections
	brief    bool   // every other form will do
}

func imported(t *testing.T, a *archive.Archive, path string, inPlace bool) {
	t.Helper()
	if _, err := capture.Import(context.Background(), a, capture.ImportConfig{Paths: []string{path}, Sensor: "dmz", InPlace: inPlace}); err != nil {
		t.Fatal(err)
	}
}

func livePackets(t *testing.T, a *archive.Archive, ctx context.Context, src *lackingSource) {
	t.Helper()
	if err := capture.Live(ctx, a, src, capture.LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
}

// segmentFile is the file of the archive's nth segment.
func segmentFile(t *testing.T, a *archive.Archive, n int) string {
	t.Helper()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	return c.Segments()[n].AbsPath
}

// evictPackets leaves room for so many bytes of packets.
func evictPackets(t *testing.T, dir string, bytes int64) {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{NoSync: true, Retention: &archive.Retention{PacketsBytes: bytes}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if s, err := a.Evict(); err != nil || s.Files == 0 {
		t.Fatalf("%+v %v", s, err)
	}
}

var lacks = []lack{
	{name: "nothing", statuses: "available",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) { imported(t, a, morningCapture, false) }},
	{name: "live", brief: true, statuses: "available",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			livePackets(t, a, context.Background(), openLacking(t, morningCapture))
		}},
	{name: "in place", brief: true, statuses: "available",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) { imported(t, a, morningCapture, true) }},
	{name: "cut", statuses: "truncated available", bytes: "are not whole: so much of them was captured",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, cutCapture(t, morningCapture, 90), false)
		}},
	{name: "dropped by the interface", statuses: "lossy available?",
		joined: "the sensor dmz (eth1) lost 7 packets between 2026-06-12 10:1", alone: "its interface dropped them", bytes: "lost 7 packets", rows: "lost 7 packets",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			src := openLacking(t, morningCapture)
			src.at = func(n int64) {
				if n == 100 {
					src.dropped = 7
				}
			}
			livePackets(t, a, context.Background(), src)
		}},
	{name: "dropped as the capture file says", brief: true, statuses: "lossy",
		joined: "the sensor dmz (capture.pcap) lost 9 packets between 2026-06-12 10:1", alone: "its interface dropped them", bytes: "lost 9 packets", rows: "lost 9 packets",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, withStatistics(t, morningCapture, 0, 9), false)
		}},
	{name: "dropped by an interface without packets", brief: true, statuses: "lossy",
		joined: "lost 9 packets between 2026-06-12 10:1", alone: "its interface dropped them", bytes: "lost 9 packets", rows: "lost 9 packets",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, withStatistics(t, morningCapture, 1, 9), false)
		}},
	{name: "files that follow one another", brief: true, statuses: "available",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) { importedParts(t, a, "10:24:00", "10:24:00") }},
	{name: "a file wanting", statuses: "available", joined: unrecorded, alone: unrecorded, bytes: unrecorded, rows: unrecorded,
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) { importedParts(t, a, "10:18:00", "10:24:00") }},
	{name: "a collector not running", brief: true, statuses: "available", joined: "the collector did not listen between 2026-06-12 10:17:00", rows: "the collector did not listen between",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, morningCapture, false)
			for _, p := range [][2]tables.Time{{morning - 60*second, morning + 3*60*second}, {morning + 8*60*second, morning + 4*3600*second}} {
				r, err := archive.NewRecorder(a, archive.RecorderOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for _, socket := range []string{"udp 127.0.0.1:2055", "udp 127.0.0.1:6343"} {
					for ts := p[0]; ts < p[1]; ts += 60 * second {
						err = errors.Join(err, r.Socket(&tables.Socket{TS: ts, TSEnd: ts + 60*second, Socket: socket}))
					}
				}
				if err = errors.Join(err, r.Close()); err != nil {
					t.Fatal(err)
				}
			}
		}},
	{name: "disk full", statuses: "lossy not_captured available?",
		joined: "could not be written to the disk", alone: "could not be written to the disk", bytes: "could not be written to the disk",
		make: func(t *testing.T, a *archive.Archive, full *atomic.Bool) {
			src := openLacking(t, morningCapture)
			src.at = func(n int64) {
				switch n {
				case 300:
					full.Store(true)
				case 1200:
					full.Store(false)
					time.Sleep(300 * time.Millisecond) // the disk is tried again only then
				}
			}
			livePackets(t, a, context.Background(), src)
		}},
	{name: "not running", statuses: "lossy available",
		joined: "the sensor dmz (eth1) did not record between 2026-06-12 10:", alone: "did not record", bytes: "did not record", rows: "did not record",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			silence := longestSilence(t, morningCapture)
			src := openLacking(t, morningCapture)
			src.until = silence[0] + 1
			ctx, cancel := context.WithCancel(context.Background())
			src.idle = cancel
			livePackets(t, a, ctx, src)
			src = openLacking(t, morningCapture)
			src.skip = silence[2]
			livePackets(t, a, context.Background(), src)
		}},
	{name: "some evicted", statuses: "evicted partial available", joined: "were evicted at", alone: "were evicted at", bytes: "were evicted at",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, morningCapture, false)
			evictPackets(t, a.Dir(), 700<<10)
		}},
	{name: "evicted", brief: true, statuses: "evicted", joined: "were evicted at", alone: "were evicted at", bytes: "were evicted at",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, morningCapture, false)
			evictPackets(t, a.Dir(), 1)
		}},
	{name: "a segment removed", statuses: "missing partial available", joined: "is missing", alone: "is missing", bytes: "is missing",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			imported(t, a, morningCapture, false)
			if err := os.Remove(segmentFile(t, a, 1)); err != nil {
				t.Fatal(err)
			}
		}},
	{name: "a disk not mounted", brief: true, statuses: "missing", joined: "the disk of root 1 is", alone: "the disk of root 1 is", bytes: "the disk of root 1 is",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			root := filepath.Join(t.TempDir(), "disk")
			with, err := archive.Open(a.Dir(), archive.Options{Retention: &archive.Retention{Roots: []string{root}}})
			if err != nil {
				t.Fatal(err)
			}
			imported(t, with, cutCapture(t, morningCapture, 1<<16), false)
			if err := errors.Join(with.Close(), os.Rename(root, root+".away"), os.Mkdir(root, 0o750)); err != nil {
				t.Fatal(err)
			}
		}},
	{name: "moved", brief: true, statuses: "missing", joined: "is missing", alone: "is missing", bytes: "is missing",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			path := cutCapture(t, morningCapture, 1<<16)
			imported(t, a, path, true)
			if err := os.Rename(path, path+".moved"); err != nil {
				t.Fatal(err)
			}
		}},
	{name: "another file", brief: true, statuses: "missing", joined: "is no longer the file that was imported", alone: "is no longer the file that was imported", bytes: "is no longer",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			path := cutCapture(t, morningCapture, 1<<16)
			imported(t, a, path, true)
			b, err := os.ReadFile(cutCapture(t, morningCapture, 64))
			if err == nil {
				err = os.WriteFile(path, b, 0o640)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
	{name: "reported only", statuses: "not_captured", joined: "conversations were captured: exporters alone reported them",
		alone: "was recorded in the range asked for", bytes: "was recorded in the range asked for",
		make: func(t *testing.T, a *archive.Archive, _ *atomic.Bool) {
			r, err := archive.NewRecorder(a, archive.RecorderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var list []tables.Export
			for i := range 20 {
				ts := morning + tables.Time(i)*45*second
				list = append(list, tables.Export{TS: ts, TSEnd: ts + second, SourceType: tables.SourceNetFlow9, Observer: "edge", Exporter: edge, Src: gavin, Dst: vault,
					SrcPort: int32(4000 + i), DstPort: 443, Protocol: 6, Packets: 10, Bytes: 1000, FlowID: tables.ID(1000 + i), CID: uint64(i + 1)})
			}
			if err := errors.Join(r.Exports(list), r.Close()); err != nil {
				t.Fatal(err)
			}
		}},
}

// TestNothingCaptured: also a count that no packet is read for says that there
// are none, and what exporters reported is not called nothing.
func TestNothingCaptured(t *testing.T) {
	dir := t.TempDir()
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	check := func(ofPackets, ofFlows string) {
		t.Helper()
		e := engineOver(t, dir)
		for _, form := range []string{"SELECT ts FROM packets", "SELECT COUNT(*) FROM packets", "SELECT (SELECT COUNT(*) FROM packets WHERE src_port = 80)",
			"SELECT COUNT(*) FROM arp"} {
			if got := saidBeside(t, e, form, true); got != ofPackets {
				t.Errorf("%s says %q, want %q", form, got, ofPackets)
			}
		}
		if got := saidBeside(t, e, "SELECT COUNT(*) FROM flows", true); got != ofFlows {
			t.Errorf("flows: says %q, want %q", got, ofFlows)
		}
	}
	const nothing = "the archive holds no packets and no flows yet"
	check(nothing, nothing)
	lacks[len(lacks)-1].make(t, a, nil) // reported only
	check("the archive holds no packets, only what exporters reported", "")
}

// longestSilence numbers three packets of a conversation over TCP that have most
// time between them: without the one in the middle it goes on.
func longestSilence(t *testing.T, path string) (found [3]int64) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	type seen struct{ n, ts int64 }
	last := map[string][2]seen{}
	var rec pcap.Record
	var h tables.Header
	longest := int64(0)
	for n := int64(0); r.Next(&rec) == nil; n++ {
		if tables.Decode(rec.Link, rec.Data, rec.Length, &h); h.Protocol != tables.ProtocolTCP {
			continue
		}
		id := tables.CommunityIDText(h.Src, h.Dst, h.SrcPort, h.DstPort, h.Protocol)
		before := last[id]
		last[id] = [2]seen{before[1], {n, rec.TS}}
		if silent := rec.TS - before[0].ts; before[0].ts > 0 && silent > longest && silent < int64(200*time.Second) {
			longest, found = silent, [3]int64{before[0].n, before[1].n, n}
		}
	}
	if longest < int64(5*time.Second) {
		t.Fatal("no conversation is silent for long")
	}
	return found
}

const unrecorded = "nothing was recorded between 2026-06-12 10:1"

// importedParts imports what of the morning is before a time, and what is from another
// one on, as two files.
func importedParts(t *testing.T, a *archive.Archive, until, from string) {
	t.Helper()
	parts := [2][]byte{pcap.AppendHeader(nil, tables.LinkEthernet, false), pcap.AppendHeader(nil, tables.LinkEthernet, false)}
	r, err := pcap.Open(morningCapture)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
		switch at := time.Unix(0, rec.TS).UTC().Format(time.TimeOnly); {
		case at < until:
			parts[0] = pcap.AppendRecord(parts[0], &rec, false)
		case at >= from:
			parts[1] = pcap.AppendRecord(parts[1], &rec, false)
		}
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	for _, b := range parts {
		imported(t, a, writeFile(t, b), false)
	}
}

// withStatistics is a capture as pcapng that says how many packets the first of its
// interfaces dropped, which brought all packets, or the second, which brought none.
func withStatistics(t *testing.T, path string, number uint32, dropped uint64) string {
	t.Helper()
	block := func(kind uint32, body []byte) []byte {
		n := uint32(len(body) + 12)
		b := le32(nil, kind, n)
		return le32(append(b, body...), n)
	}
	b := block(0x0a0d0d0a, append(le32(nil, 0x1a2b3c4d, 1), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))
	b = append(b, block(1, le32(nil, 1, 0))...)
	b = append(b, block(1, le32(nil, 1, 0))...)
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	last := uint64(0)
	for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
		last = uint64(rec.TS / 1000)
		body := le32(nil, 0, uint32(last>>32), uint32(last), uint32(len(rec.Data)), uint32(rec.Length))
		body = append(body, rec.Data...)
		b = append(b, block(6, append(body, make([]byte, -len(body)&3)...))...)
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	options := le32(nil, 5|8<<16, uint32(dropped), 0, 0) // isb_ifdrop, opt_endofopt
	b = append(b, block(5, append(le32(nil, number, uint32(last>>32), uint32(last)), options...))...)
	return writeFile(t, b)
}

func le32(b []byte, words ...uint32) []byte {
	for _, w := range words {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return b
}

// Forms of statements by what they read. %[1]s and %[2]s are the times asked about.
var honestForms = map[string][]string{
	"joined": {
		"SELECT p.ts, p.length FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s'",
		"SELECT p.ts, c.client_ip FROM connections c JOIN packets p ON p.conn_id = c.conn_id WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' AND p.length > 60",
		"SELECT c.ts, p.ts FROM connections c, packets p WHERE p.conn_id = c.conn_id AND c.ts BETWEEN '%[1]s' AND '%[2]s'",
		"SELECT c.ts, p.ts FROM connections c LEFT JOIN packets p ON p.conn_id = c.conn_id WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s'",
		"SELECT c.ts, p.ts FROM packets p RIGHT JOIN connections c ON p.conn_id = c.conn_id WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s'",
		"SELECT ts, length FROM packets WHERE conn_id IN (SELECT conn_id FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s')",
		"SELECT c.ts FROM connections c WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' AND EXISTS (SELECT 1 FROM packets p WHERE p.conn_id = c.conn_id AND p.length > 100)",
		"SELECT c.ts FROM connections c WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' AND NOT EXISTS (SELECT 1 FROM packets p WHERE p.conn_id = c.conn_id AND p.length > 100)",
		"SELECT c.conn_id, COUNT(p.packet_id), SUM(p.length) FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' GROUP BY c.conn_id",
		"WITH c AS (SELECT conn_id FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s') SELECT MAX(p.length) FROM c JOIN packets p USING (conn_id)",
		"SELECT p.ts FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' UNION ALL SELECT p.ts FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' ORDER BY 1",
		"SELECT x.ts, COUNT(*) OVER () FROM (SELECT p.ts FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s') x",
	},
	"alone": {
		"SELECT ts, src_ip, length FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s'",
		"SELECT ts, src_ip, length FROM packets_wide WHERE ts >= '%[1]s' AND ts < '%[2]s' AND protocol = 'tcp' ORDER BY ts",
		"SELECT COUNT(*), SUM(length) FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s'",
		"SELECT src_ip, COUNT(*) FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' GROUP BY src_ip",
		"SELECT ts FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' UNION SELECT ts FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' AND length > 100",
		"WITH p AS (SELECT * FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s') SELECT protocol, MAX(length) FROM p GROUP BY protocol",
		"SELECT (SELECT COUNT(*) FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' AND dst_port = 53)",
	},
	"bytes": {
		"SELECT ts, frame FROM packet_bytes WHERE ts >= '%[1]s' AND ts < '%[2]s'",
		"SELECT COUNT(*) FROM packet_bytes WHERE ts >= '%[1]s' AND ts < '%[2]s' AND payload LIKE '%%HTTP%%'",
		"SELECT MAX(LENGTH(payload)) FROM packet_bytes WHERE ts >= '%[1]s' AND ts < '%[2]s'",
	},
	"rows": {
		"SELECT ts, bytes FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s'",
		"SELECT COUNT(*), SUM(total_bytes) FROM flows WHERE ts >= '%[1]s' AND ts < '%[2]s' AND source_type IS NOT NULL",
		"SELECT host, SUM(bytes_out) FROM host_flows WHERE ts >= '%[1]s' AND ts < '%[2]s' GROUP BY host",
		"SELECT packet_status, COUNT(*) FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s' GROUP BY 1",
		"SELECT ts FROM flows WHERE ts >= '%[1]s' AND ts < '%[2]s' AND EXISTS (SELECT 1 FROM hosts h WHERE h.name = 'x')",
		"WITH c AS (SELECT * FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s') SELECT COUNT(*) FROM c UNION ALL SELECT COUNT(*) FROM flows WHERE ts >= '%[1]s' AND ts < '%[2]s'",
	},
}

// saidBeside asks as it stands, and if so wanted prepared and with gaps as errors:
// what is said is the same.
func saidBeside(t *testing.T, e *engine.Engine, text string, otherwise bool) string {
	t.Helper()
	s := e.NewSession()
	plain := askEngine(s, text)
	if plain.err != "" {
		t.Errorf("%s: %s", text, plain.err)
	}
	if !otherwise || plain.err != "" {
		return strings.Join(plain.warnings, "\n")
	}
	if got := askEngine(s, "PREPARE one FROM '"+strings.ReplaceAll(text, "'", "''")+"'"); got.err != "" {
		t.Errorf("%s: %s", text, got.err)
	}
	if got := askEngine(s, "EXECUTE one"); !slices.Equal(got.warnings, plain.warnings) {
		t.Errorf("%s\nprepared %q, plain %q", text, got.warnings, plain.warnings)
	}
	askEngine(s, "SET wiresql_gaps = 'error'")
	got := askEngine(s, text)
	if (got.err == "") != (len(plain.warnings) == 0) || got.err != "" && !strings.Contains(got.err, "wiresql_gaps is 'error'") {
		t.Errorf("%s\nas an error %q, as warnings %q", text, got.err, plain.warnings)
	}
	return strings.Join(plain.warnings, "\n")
}

func TestHonest(t *testing.T) {
	for n, l := range lacks {
		t.Run(strings.ReplaceAll(l.name, " ", "_"), func(t *testing.T) {
			dir, full := t.TempDir(), &atomic.Bool{}
			a, err := archive.Open(dir, archive.Options{SegmentBytes: 200 << 10, Disk: disk.Watch(disk.Real{NoSync: true}, func(o disk.Op) error {
				if full.Load() && (o.Kind == disk.OpCreate || o.Kind == disk.OpWrite) && strings.HasPrefix(o.Path, dir) {
					return disk.Short{Err: syscall.ENOSPC}
				}
				return nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			l.make(t, a, full)
			imported(t, a, afternoonCapture, false)
			if _, err := compact.Run(context.Background(), a, compact.Config{}); err != nil {
				t.Fatal(err)
			}
			e := engineOver(t, dir)
			check := func(form, from, to, want string, otherwise bool) {
				t.Helper()
				text, _, _ := strings.Cut(fmt.Sprintf(form, from, to), "%!(EXTRA")
				if got := saidBeside(t, e, text, otherwise); (got == "") != (want == "") || !strings.Contains(got, want) {
					t.Errorf("%s\nsays %q, want %q", text, got, want)
				}
			}
			for kind, want := range map[string]string{"joined": l.joined, "alone": l.alone, "bytes": l.bytes, "rows": l.rows} {
				for i, form := range honestForms[kind] {
					if l.brief && i%2 == n%2 {
						continue
					}
					check(form, "2026-06-12 10:14:20", "2026-06-12 10:30:00", want, i%3 == n%3)
					if i%3 == (n+1)%3 {
						check(form, "2026-06-12 14:00:20", "2026-06-12 14:10:00", "", false)
					}
				}
			}
			// Nobody recorded from the morning to the afternoon, whatever else is wanting.
			if l.name != "reported only" { // exporters' rows do not say what they cover
				for _, form := range []string{honestForms["joined"][n%12], honestForms["alone"][n%7], honestForms["rows"][n%6]} {
					check(form, "2026-06-12 10:20:00", "2026-06-12 14:10:00", "nothing was recorded ", n%4 == 0)
				}
				check("SELECT ts FROM packets WHERE ts >= '%[1]s'", "2026-06-12 14:00:20", "", "", false)
			}
			// Packets are counted from flow rows, unless some can't be read.
			everything := l.alone
			if l.statuses == "not_captured" || everything == unrecorded { // who names no time asks for what there is
				everything = ""
			}
			check("SELECT COUNT(*), SUM(length) FROM packets", "", "", everything, true)
			s := e.NewSession()
			counted, read := askEngine(s, "SELECT COUNT(*), SUM(length) FROM packets"), askEngine(s, "SELECT COUNT(*), SUM(length) FROM packets WHERE ABS(length) > 0")
			if !slices.Equal(counted.rows, read.rows) {
				t.Errorf("%s packets are counted, %s read", counted.rows, read.rows)
			}
			if l.name == "disk full" { // what was lost is a row, and all of it
				unread := askEngine(s, `SELECT (SELECT SUM(packets) FROM ops.coverage) - (SELECT COUNT(*) FROM packets WHERE ABS(length) > 0)`)
				lost := askEngine(s, "SELECT SUM(lost) FROM ops.capture_loss WHERE reason = 'disk' AND unit = 'packets' AND observer = 'dmz'")
				if !slices.Equal(unread.rows, lost.rows) || lost.rows[0] == "NULL" {
					t.Errorf("%s packets can't be read, %s are told as lost", unread.rows, lost.rows)
				}
			}
			statuses(t, e, l.statuses)
			if strings.HasPrefix(l.name, "dropped") {
				dropsAreOfWhatIsRead(t, e, check)
			}
			if l.name == "some evicted" {
				saidOnTheWire(t, e)
			}
		})
	}
}

// dropsAreOfWhatIsRead: a statement that names no time is told of drops if it can have
// read what they are missing of.
func dropsAreOfWhatIsRead(t *testing.T, e *engine.Engine, check func(form, from, to, want string, otherwise bool)) {
	t.Helper()
	s := e.NewSession()
	id := func(column, hour string) string {
		got := askEngine(s, "SELECT "+column+" FROM flows WHERE HOUR(ts) = "+hour+" AND packet_status <> 'available' = ("+hour+" = 10) ORDER BY total_packets DESC LIMIT 1")
		if len(got.rows) != 1 {
			t.Fatal(got)
		}
		return got.rows[0]
	}
	for _, form := range []string{
		"SELECT COUNT(*) FROM packets WHERE sensor = '%[1]s'",
		"SELECT ts FROM packets WHERE sensor IN ('%[1]s', 'nobody') AND length > 10",
		"SELECT COUNT(*) FROM flows WHERE observer = '%[1]s' OR observer = 'nobody'",
		"SELECT c.ts, p.ts FROM connections c JOIN packets p USING (conn_id) WHERE c.sensor = '%[1]s' AND p.sensor = '%[1]s'",
		"SELECT COUNT(*) FROM tls WHERE sensor = '%[1]s'",
	} {
		check(form, "dmz", "", "packets between 2026-06-12 10:1", false)
		check(form, "office", "", "", false)
	}
	for _, form := range []string{
		"SELECT ts, length FROM packets WHERE conn_id = '%[1]s'",
		"SELECT ts, packet_status FROM connections WHERE conn_id = '%[1]s'",
		"SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.conn_id = '%[1]s'",
		"SELECT COUNT(*) FROM packets WHERE conn_id IN ('%[1]s', '0000000000001')",
	} {
		check(form, id("conn_id", "10"), "", "packets between 2026-06-12 10:1", false)
		check(form, id("conn_id", "14"), "", "", false)
	}
	for _, form := range []string{"SELECT ts FROM packets WHERE flow_id = '%[1]s'", "SELECT ts FROM flows WHERE flow_id = '%[1]s'"} {
		check(form, id("flow_id", "10"), "", "packets between 2026-06-12 10:1", false)
		check(form, id("flow_id", "14"), "", "", false)
	}
}

// statuses holds packet_status to the packets that can be read: it is right of each
// connection, and each of those that are expected is there.
func statuses(t *testing.T, e *engine.Engine, want string) {
	t.Helper()
	s := e.NewSession()
	got := askEngine(s, `SELECT c.packet_status, c.packets, COUNT(p.packet_id), SUM(p.caplen < p.length), c.ts FROM connections c LEFT JOIN packets_wide p USING (conn_id)
		GROUP BY c.conn_id, c.packet_status, c.packets, c.ts`)
	if got.err != "" {
		t.Fatal(got.err)
	}
	found := map[string]bool{}
	for _, row := range got.rows {
		c := strings.Split(row, "\t")
		status, all, read, cut := c[0], c[1], c[2], c[3]
		if strings.HasPrefix(c[4], "2026-06-12 14:") {
			if status != "available" {
				t.Errorf("of the afternoon: %s", row)
			}
			continue
		}
		found[status] = true
		right := false
		switch status {
		case "available":
			right = read == all && cut == "0"
		case "truncated":
			right = read == all && cut != "0"
		case "evicted", "missing", "not_captured":
			right = read == "0"
		case "partial":
			right = read != "0" && read != all
		case "lossy":
			right = read != "0"
		}
		if !right {
			t.Errorf("%s: %s packets, %s read, %s of them cut", status, all, read, cut)
		}
	}
	for _, status := range strings.Fields(want) {
		status, maybe := strings.CutSuffix(status, "?")
		if !found[status] && !maybe {
			t.Errorf("no connection is %s", status)
		}
		delete(found, status)
	}
	if len(found) > 0 {
		t.Errorf("also found: %v, want %s", found, want)
	}
}

// saidOnTheWire asks with parameters, as clients do.
func saidOnTheWire(t *testing.T, e *engine.Engine) {
	t.Helper()
	ctx := context.Background()
	conn, err := wireDB(t, e).Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask := func(text string, parameters ...any) (said []string, err error) {
		rows, err := conn.QueryContext(ctx, text, parameters...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
		if rows, err = conn.QueryContext(ctx, "SHOW WARNINGS"); err != nil {
			return nil, err
		}
		defer rows.Close()
		for rows.Next() {
			var level, text string
			var number int
			if err := rows.Scan(&level, &number, &text); err != nil {
				return nil, err
			}
			said = append(said, text)
		}
		return said, rows.Err()
	}
	for _, text := range []string{"SELECT p.ts, p.length FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= ? AND c.ts < ?",
		"SELECT COUNT(*) FROM packets WHERE ts >= ? AND ts < ?", "SELECT frame FROM packet_bytes WHERE ts >= ? AND ts < ?"} {
		for hour, want := range map[string]string{"10": "were evicted at", "14": ""} {
			said, err := ask(text, "2026-06-12 "+hour+":00:20", "2026-06-12 "+hour+":30:00")
			if all := strings.Join(said, "\n"); err != nil || hour == "14" && strings.Contains(all, "evicted") || !strings.Contains(all, want) {
				t.Errorf("%s, of %s h: %q %v", text, hour, said, err)
			}
		}
		if _, err := conn.ExecContext(ctx, "SET wiresql_gaps = 'error'"); err != nil {
			t.Fatal(err)
		}
		if _, err := ask(text, "2026-06-12 10:14:20", "2026-06-12 10:30:00"); err == nil || !strings.Contains(err.Error(), "wiresql_gaps is 'error'") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := conn.ExecContext(ctx, "SET wiresql_gaps = 'warn'"); err != nil {
			t.Fatal(err)
		}
	}
}
