package main

import (
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// observersArchive is the archive of the demo as if exporters had been there
// too: core saw what gavin's machine did, edge a hundredth of what left the
// site, legacy and branch what no sensor saw. The last rows are not settled.
var observersArchive = sync.OnceValues(func() (string, error) {
	from, err := demoArchive()
	if err != nil {
		return "", err
	}
	dir, err := lastingDir()
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return "", err
	}
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		return "", err
	}
	defer a.Close()
	o, err := observe(a)
	if err != nil {
		return "", err
	}
	return dir, o.write(a)
})

func observersEngine(t testing.TB) *engine.Engine {
	t.Helper()
	dir, err := observersArchive()
	if err != nil {
		t.Fatal(err)
	}
	return engineOver(t, dir)
}

// archives are what pages may name.
var archives = map[string]func(testing.TB) *engine.Engine{"": demoEngine, "observers": observersEngine, "clocks": clocksEngine}

// observed are the rows of the exporters.
type observed struct {
	settled, fresh []tables.Export
	exporters      []tables.Exporter
	sockets        []tables.Socket
	serial         tables.ID
}

// Addresses of the exporters and of who talks to whom beside the demo.
var (
	core, _   = tables.ParseAddr("192.0.2.1")
	edge, _   = tables.ParseAddr("192.0.2.2")
	legacy, _ = tables.ParseAddr("192.0.2.3")
	branch, _ = tables.ParseAddr("2001:db8::4")
	gavin, _  = tables.ParseAddr("10.20.0.23")
	hidden, _ = tables.ParseAddr("10.20.9.9")
	vault, _  = tables.ParseAddr("198.51.100.77")
)

// Times of the exporters' accounts: 2026-06-12 10:14:00 and 14:00:00.
const (
	morning   = tables.Time(1781259240_000_000)
	afternoon = tables.Time(1781272800_000_000)
	second    = tables.Time(1_000_000)
)

// observe makes the rows from the conversations of the archive.
func observe(a *archive.Archive) (*observed, error) {
	o := &observed{}
	c, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	for _, f := range c.Files(archive.Connections) {
		r, err := rows.Open[tables.Connection](f.File)
		if err != nil {
			return nil, err
		}
		rows := make([]tables.Connection, r.Rows())
		n, err := r.Read(rows)
		r.Close()
		if err != nil {
			return nil, err
		}
		for i := range rows[:n] {
			o.see(&rows[i])
		}
	}
	o.unseen()
	o.accounts()
	return o, nil
}

// see adds what core and edge report of a conversation.
func (o *observed) see(c *tables.Connection) {
	row := tables.Export{TS: c.TS / 1000 * 1000, TSEnd: c.TSEnd/1000*1000 + 999, Resolution: 1000, Src: c.Client, Dst: c.Server,
		SrcPort: c.ClientPort, DstPort: c.ServerPort, Protocol: c.Protocol, ICMPType: c.ICMPType, ICMPCode: c.ICMPCode,
		Bytes: c.ClientBytes.V, Packets: c.ClientPackets.V, CID: c.CID, EndReason: "idle", TimeQuality: "ok",
		TimeReceived: tables.Some(c.TSEnd + second), ConnID: tables.Some(c.ConnID), Segments: c.Segments, CutPackets: c.CutPackets}
	if c.Client == gavin && c.Protocol == int32(tables.ProtocolTCP) {
		out := row
		out.SourceType, out.Exporter, out.Observer, out.Domain = "ipfix", core, "core", tables.Some[int64](7)
		out.InIf, out.OutIf, out.InIfName = tables.Some[int64](3), tables.Some[int64](4), "ge-0/0/3"
		out.NextHop, out.SrcMask, out.Direction = tables.Some(edge), tables.Some[int32](16), "ingress"
		out.TCPFlags = tables.Some[int32](0x1b)
		out.Extra = `{"ipTTL":64,"29305/9999":"x"}`
		o.add(out)
		back := out
		back.Src, back.Dst, back.SrcPort, back.DstPort = out.Dst, out.Src, out.DstPort, out.SrcPort
		back.Bytes, back.Packets = c.ServerBytes.V, c.ServerPackets.V
		back.InIf, back.OutIf = out.OutIf, out.InIf
		o.add(back)
	}
	if c.ServerPort == 80 || c.ServerPort == 443 {
		row.SourceType, row.Exporter, row.Observer, row.Domain = "netflow9", edge, "edge", tables.Some[int64](0)
		row.Sampling = tables.Some[int64](100)
		row.Bytes, row.Packets = 60, 1
		row.SrcNAT, row.SrcNATPort = tables.Some(edge), tables.Some[int32](40000)
		row.SrcAS, row.DstAS = tables.Some[int64](64512), tables.Some[int64](4200000000)
		o.add(row)
	}
}

// unseen adds what no sensor saw.
func (o *observed) unseen() {
	ssh := tables.Export{TS: morning + 60*second, TSEnd: morning + 61*second - 1, Resolution: 1_000_000, SourceType: "netflow5",
		Exporter: legacy, Observer: "legacy", Domain: tables.Some[int64](257), Src: hidden, Dst: vault, SrcPort: 50022, DstPort: 22,
		Protocol: int32(tables.ProtocolTCP), Bytes: 1000, Packets: 10, TCPFlags: tables.Some[int32](0x1a), TimeQuality: "ok"}
	ssh.CID = tables.CID(ssh.Src, ssh.Dst, 50022, 22, tables.ProtocolTCP)
	for i := range 5 {
		row := ssh
		row.TS += tables.Time(i) * 60 * second
		row.TSEnd += tables.Time(i)*60*second + 9*second
		row.ConnID = tables.Some(tables.ID(0x1234567890abcdef))
		o.add(row)
	}
	web := ssh
	web.SourceType, web.Exporter, web.Observer, web.Domain, web.Site = "sflow5", branch, "branch", tables.Some[int64](1), "berlin"
	web.DstPort, web.SrcPort, web.Sampling, web.Resolution = 50080, 8080, tables.Some[int64](1000), 1
	web.TSEnd, web.TimeQuality, web.Action, web.RejectReason = web.TS, "no_start", "deny", "ACL deny"
	web.CID = tables.CID(web.Src, web.Dst, 8080, 50080, tables.ProtocolTCP)
	web.ConnID = tables.Some(tables.ID(0x00ab))
	o.add(web)

	ping := tables.Export{TS: afternoon + 600*second, TSEnd: afternoon + 601*second - 1, Resolution: 1000, SourceType: "ipfix", Exporter: core,
		Observer: "core", Domain: tables.Some[int64](7), Src: hidden, Dst: vault, Protocol: int32(tables.ProtocolICMP),
		ICMPType: tables.Some[int32](8), ICMPCode: tables.Some[int32](0), Bytes: 84, Packets: 1, TimeQuality: "ok",
		ReverseBytes: tables.Some[int64](84), ReversePackets: tables.Some[int64](1)}
	ping.CID = tables.CID(ping.Src, ping.Dst, 8, 0, tables.ProtocolICMP)
	for range 2 {
		o.serial++
		ping.FlowID = o.serial
		o.fresh = append(o.fresh, ping)
	}
}

func (o *observed) add(row tables.Export) {
	o.serial++
	row.FlowID = o.serial
	o.settled = append(o.settled, row)
}

// accounts adds what the collector says of itself.
func (o *observed) accounts() {
	of := func(ts tables.Time, addr tables.Addr, name, source string, domain int64) tables.Exporter {
		return tables.Exporter{TS: ts, TSEnd: ts + 60*second - 1, Exporter: addr, Observer: name, SourceType: source,
			Domain: tables.Some(domain), Datagrams: 10, Bytes: 14000, Records: 200, KnownTemplates: 2}
	}
	e := of(morning, core, "core", "ipfix", 7)
	e.Templates, e.SequenceUnit, e.ClockOffsetUs = 2, "records", tables.Some[int64](1500)
	o.exporters = append(o.exporters, e)
	e.TS, e.TSEnd = e.TS+60*second, e.TSEnd+60*second
	e.Templates, e.Gaps, e.Missing = 0, 1, 40
	o.exporters = append(o.exporters, e)
	e = of(morning, edge, "edge", "netflow9", 0)
	e.SequenceUnit, e.Sampling, e.Waiting, e.Waited, e.Expired = "packets", tables.Some[int64](100), 3, 8, 5
	o.exporters = append(o.exporters, e)
	e = of(morning+60*second, legacy, "legacy", "netflow5", 257)
	e.SequenceUnit, e.Undecodable, e.UndecodedBytes, e.LastError = "flows", 1, 24, "header counts 30 records, the datagram holds 0"
	o.exporters = append(o.exporters, e)
	e = of(afternoon, branch, "branch", "sflow5", 1)
	e.SequenceUnit, e.Site = "datagrams", "berlin"
	o.exporters = append(o.exporters, e)

	s := tables.Socket{TS: morning, TSEnd: morning + second, Socket: "udp 127.0.0.1:2055", Received: 60, Bytes: 80000, Decoded: 50,
		Undecodable: 1, Waited: 2, Refused: 3, QueueDrops: 4, BufferBytes: 425984}
	o.sockets = append(o.sockets, s)
	s.TS, s.TSEnd = s.TSEnd, s.TSEnd+59*second-1
	s.KernelDrops = 17
	o.sockets = append(o.sockets, s)
	s.TS, s.TSEnd, s.KernelDrops = afternoon, afternoon+60*second-1, 0
	o.sockets = append(o.sockets, s)
}

// write puts the rows where the collector and compaction leave them.
func (o *observed) write(a *archive.Archive) error {
	for level, rows := range map[string][]tables.Export{"t": o.settled, "m": o.fresh} {
		tx, err := a.Begin("collector")
		if err != nil {
			return err
		}
		if _, err = archive.WriteRows(tx, level, rows); err == nil && level == "m" {
			if _, err = archive.WriteRows(tx, "m", o.exporters); err == nil {
				_, err = archive.WriteRows(tx, "m", o.sockets)
			}
		}
		if err != nil {
			tx.Abort()
			return err
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// What Prometheus can count, SHOW STATUS says under the same name.
func TestStatusHasTheMetrics(t *testing.T) {
	s := observersEngine(t).NewSession()
	names := map[string]bool{}
	for _, row := range askEngine(s, "SHOW GLOBAL STATUS LIKE 'wiresql_%'").rows {
		name, _, _ := strings.Cut(row, "\t")
		names[name] = true
	}
	for _, q := range collector.NewTotals(nil).Quantities() {
		if !q.Gauge && !names[q.Name] {
			t.Errorf("no status variable %s", q.Name)
		}
	}
}

// What is said beside an answer is the same with plain plans.
func TestCaveatsWithPushdownOff(t *testing.T) {
	e := observersEngine(t)
	for statement, want := range map[string]int{
		"SELECT SUM(bytes) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:16')":                                2,
		"SELECT COUNT(*) FROM connections WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:16')":                            1,
		"SELECT SUM(bytes) FROM flows WHERE source_type = 'packets' AND overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:16')":    0,
		"SELECT SUM(bytes * sampling_rate) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:20', '2026-06-12 10:30')":                1, // the collector did not listen
		"SELECT SUM(payload_length) FROM packets WHERE ts >= '2026-06-12 10:15' AND ts < '2026-06-12 10:16' AND src_ip = '10.20.0.23'":   0,
		"SELECT observer, SUM(total_packets) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:20', '2026-06-12 10:30') GROUP BY 1":   2,
		"SELECT observer, COUNT(total_packets) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:20', '2026-06-12 10:30') GROUP BY 1": 1,
	} {
		var said [2][]string
		for i, pushdown := range []string{"on", "off"} {
			s := e.NewSession()
			askEngine(s, "SET wiresql_pushdown = '"+pushdown+"'")
			got := askEngine(s, statement)
			if got.err != "" || len(got.warnings) != want {
				t.Errorf("pushdown %s: %s: %d warnings, %d wanted: %q %s", pushdown, statement, len(got.warnings), want, got.warnings, got.err)
			}
			said[i] = sorted(got.warnings)
		}
		if strings.Join(said[0], "\n") != strings.Join(said[1], "\n") {
			t.Errorf("%s: warnings %q, with pushdown off %q", statement, said[0], said[1])
		}
	}
	s := e.NewSession()
	askEngine(s, "SET wiresql_gaps = 'error'")
	if got := askEngine(s, "SELECT COUNT(*) FROM connections WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:16')"); !strings.Contains(got.err, "exporter core lost 40 records") {
		t.Errorf("wiresql_gaps = 'error': %q, %q", got.err, got.rows)
	}
	if got := askEngine(s, "SELECT SUM(bytes) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:20', '2026-06-12 10:30')"); !strings.HasPrefix(got.err, "the collector did not listen") || strings.Contains(got.err, "sampled") {
		t.Errorf("sampled rows are no gap: %q %s", got.warnings, got.err)
	}
}
