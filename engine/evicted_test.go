package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// hours is an archive of three hours from 2026-06-12 10:00 on, each a batch of
// its own with ten conversations of a packet.
func hours(t *testing.T, r *archive.Retention) *archive.Archive {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true, Retention: r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	const begin = 1_781_258_400_000_000
	for hour := range 3 {
		commit(t, a, "import", func(tx *archive.Tx) error {
			w, err := tx.Packets("dmz", "", tables.LinkEthernet, false)
			if err != nil {
				return err
			}
			var flows []tables.Flow
			var conns []tables.Connection
			for i := range 10 {
				at := tables.Time(begin + int64(hour)*3600e6 + int64(i)*60e6)
				data := make([]byte, 60)
				copy(data[12:], []byte{8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, byte(i), 10, 0, 1, byte(hour), 0, 9, 0, 53, 0, 20})
				segment, offset, err := w.Append(&pcap.Record{TS: int64(at) * 1000, Length: len(data), Link: tables.LinkEthernet, Data: data})
				if err != nil {
					return err
				}
				id := tables.ID(100*(hour+1) + i)
				src, dst := tables.Addr{Lo: 0xffff<<32 | 10<<24 | uint64(i)}, tables.Addr{Lo: 0xffff<<32 | 10<<24 | 256 | uint64(hour)}
				segments := []int32{int32(segment)}
				flows = append(flows, tables.Flow{TS: at, TSEnd: at, SourceType: tables.SourcePackets, Sensor: "dmz", FlowID: id, ConnID: id, CID: uint64(id),
					Src: src, Dst: dst, SrcPort: 9, DstPort: 53, Protocol: 17, Packets: 1, Bytes: 40, Segments: segments,
					Postings: rows.AppendPostings(nil, []tables.ID{tables.PacketID(segment, offset)})})
				conns = append(conns, tables.Connection{TS: at, TSEnd: at, Sensor: "dmz", SeenBy: "dmz", Client: src, Server: dst, ClientPort: 9, ServerPort: 53, Protocol: 17,
					ClientBytes: some(int64(40)), ClientPackets: some(int64(1)), ConnID: id, CID: uint64(id), Segments: segments, Pieces: 1})
			}
			if _, err := archive.WriteRows(tx, "t", flows); err != nil {
				return err
			}
			if _, err := archive.WriteRows(tx, "t", conns); err != nil {
				return err
			}
			at := tables.Time(begin + int64(hour)*3600e6)
			_, err = archive.WriteRows(tx, "e", []tables.Coverage{{Sensor: "dmz", TS: at, TSEnd: at + 3600e6 - 1, Packets: 10}})
			return err
		})
	}
	return a
}

// Forms in which packets, and rows, of an hour are asked for.
var (
	packetForms = []string{
		"SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' ORDER BY p.ts",
		"SELECT p.ts, f.bytes FROM flows f JOIN packets p USING (flow_id) WHERE f.ts BETWEEN '%[1]s' AND '%[3]s' ORDER BY p.ts",
		"SELECT c.ts, p.length FROM connections c LEFT JOIN packets p ON p.conn_id = c.conn_id WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' ORDER BY c.ts",
		"SELECT p.ts FROM connections c, packets p WHERE c.conn_id = p.conn_id AND c.ts >= '%[1]s' AND c.ts < '%[2]s' ORDER BY p.ts",
		"SELECT ts, info FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' ORDER BY ts",
		"SELECT COUNT(*), SUM(length) FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s'",
		"SELECT src_ip, COUNT(*) FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' GROUP BY src_ip ORDER BY src_ip",
		"SELECT c.ts FROM connections c WHERE c.ts >= '%[1]s' AND c.ts < '%[2]s' AND EXISTS (SELECT 1 FROM packets p WHERE p.conn_id = c.conn_id AND p.length > 10) ORDER BY 1",
		"SELECT conn_id FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s' AND conn_id NOT IN (SELECT conn_id FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s')",
		"SELECT ts FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s' UNION ALL SELECT ts FROM connections WHERE ts >= '%[1]s' AND ts < '%[2]s' ORDER BY ts",
		"WITH p AS (SELECT * FROM packets WHERE ts >= '%[1]s' AND ts < '%[2]s') SELECT MAX(length) FROM p",
	}
	rowForms = []string{
		"SELECT COUNT(*), SUM(bytes) FROM %[4]s WHERE ts >= '%[1]s' AND ts < '%[2]s'",
		"SELECT ts, bytes FROM %[4]s WHERE ts BETWEEN '%[1]s' AND '%[3]s' ORDER BY ts",
		"SELECT ts FROM %[4]s x WHERE ts >= '%[1]s' AND ts < '%[2]s' AND EXISTS (SELECT 1 FROM hosts h WHERE h.name = 'x') ORDER BY ts",
		"SELECT ts FROM %[4]s WHERE ts >= '%[1]s' AND ts < '%[2]s' UNION SELECT ts FROM %[4]s WHERE ts >= '%[1]s' AND ts < '%[2]s' ORDER BY ts",
		"SELECT DATE_FORMAT(ts, '%%H'), COUNT(*) FROM %[4]s WHERE ts >= '%[1]s' AND ts < '%[2]s' GROUP BY 1 ORDER BY 1",
	}
)

// ofHour is a statement about an hour of the archive; relation is of rowForms.
func ofHour(form string, hour int, relation string) string {
	at := func(h int, rest string) string { return fmt.Sprintf("2026-06-12 %d:%s", 10+h, rest) }
	text := fmt.Sprintf(form, at(hour, "00:00"), at(hour+1, "00:00"), at(hour, "59:59"), relation)
	text, _, _ = strings.Cut(text, "%!(EXTRA")
	return text
}

// said asks plainly, prepared, and with gaps as errors, and returns what is said
// beside the rows.
func said(t *testing.T, e *Engine, text string) string {
	t.Helper()
	_, plain := answer(t, e, text)
	s := e.NewSession()
	ask := func(text string) string {
		r, err := s.Query(t.Context(), text)
		if err != nil {
			return err.Error()
		}
		if _, err := r.All(); err != nil {
			return err.Error()
		}
		return strings.Join(r.Warnings(), "\n")
	}
	if got := ask("PREPARE one FROM '" + strings.ReplaceAll(text, "'", "''") + "'"); got != "" {
		t.Errorf("%s\nprepared: %s", text, got)
	}
	if got := ask("EXECUTE one"); got != plain {
		t.Errorf("%s\nprepared %q, plain %q", text, got, plain)
	}
	ask("SET wiresql_gaps = 'error'")
	if got := ask(text); (got == "") != (plain == "") || got != "" && !strings.HasSuffix(got, "(wiresql_gaps is 'error')") {
		t.Errorf("%s\nas an error %q, as a warning %q", text, got, plain)
	}
	return plain
}

// What was evicted is said beside every answer that lacks it, in whatever form it
// is asked for, and beside no other.
func TestEvictedIsTold(t *testing.T) {
	r := &archive.Retention{}
	a := hours(t, r)
	e, err := New(DefaultConfig(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	check := func(state string, hour int, form, relation, want string) {
		t.Helper()
		text := ofHour(form, hour, relation)
		if got := said(t, e, text); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %s\nsays %q, want %q", state, text, got, want)
		}
	}
	status := func(want string) {
		t.Helper()
		for _, relation := range []string{"connections", "flows", "host_flows"} {
			got, _ := answer(t, e, "SELECT HOUR(ts), packet_status FROM "+relation+" GROUP BY 1, 2 ORDER BY 1")
			if got != want {
				t.Errorf("%s: %s, want %s", relation, got, want)
			}
		}
	}
	evict := func(change archive.Retention) {
		t.Helper()
		*r = change
		if s, err := a.Evict(); err != nil || s.Files != 1 {
			t.Fatalf("%+v %v", s, err)
		}
		a.Refresh()
	}
	for hour := range 3 {
		for _, form := range packetForms {
			check("whole", hour, form, "", "")
		}
		for _, form := range rowForms {
			check("whole", hour, form, "connections", "")
			check("whole", hour, form, "flows", "")
		}
	}
	status("[[10 available] [11 available] [12 available]]")

	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	evict(archive.Retention{PacketsBytes: 2*c.Segments()[0].Bytes + 100})
	status("[[10 evicted] [11 available] [12 available]]")
	for _, relation := range []string{"connections", "flows", "flows_wide", "host_flows", "timeline"} {
		if got, _ := answer(t, e, "SELECT DISTINCT HOUR(x.ts), x.evicted_at = s.evicted_at, x.evicted_at IS NULL FROM "+relation+" x, ops.evictions s ORDER BY 1"); got !=
			"[[10 1 0] [11 <nil> 1] [12 <nil> 1]]" {
			t.Errorf("%s: evicted at %s", relation, got)
		}
	}
	for hour, want := range []string{"10 packets of 2026-06-12 10:00:00 to 2026-06-12 10:09:00 were evicted at 20", "", ""} {
		for _, form := range packetForms {
			check("packets are gone", hour, form, "", want)
		}
		for _, form := range rowForms {
			check("packets are gone", hour, form, "connections", "")
			check("packets are gone", hour, form, "flows", "")
		}
	}
	if got, _ := answer(t, e, "SELECT segment, state, evicted_at IS NULL, NOW() - INTERVAL 1 MINUTE < evicted_at FROM ops.segments ORDER BY 1"); got !=
		"[[1 evicted 0 1] [2 available 1 <nil>] [3 available 1 <nil>]]" {
		t.Error(got)
	}
	if got, _ := answer(t, e, "SELECT family, segment, row_count, packets, reason FROM ops.evictions"); got != "[[packets 1 0 10 bytes]]" {
		t.Error(got)
	}

	evict(archive.Retention{FlowsBytes: 2*c.Files(archive.Flows)[0].Bytes + 100})
	for hour, want := range []string{"10 rows of flows of 2026-06-12 10:00:00 to 2026-06-12 10:09:00 were evicted, the last of them at 20", "", ""} {
		for _, form := range packetForms {
			check("rows are gone", hour, form, "", want)
		}
		for _, form := range rowForms {
			check("rows are gone", hour, form, "connections", "")
			check("rows are gone", hour, form, "flows", want)
		}
	}
	if got, _ := answer(t, e, "SELECT * FROM ops.damage"); got != "[]" {
		t.Error(got)
	}
}

// Packets are counted by the rows that name them: where some of those were evicted,
// too, there are more.
func TestEvictedPacketsThatNobodyNames(t *testing.T) {
	r := &archive.Retention{}
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true, Retention: r})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	commit(t, a, "import", func(tx *archive.Tx) error {
		w, err := tx.Packets("dmz", "", tables.LinkEthernet, false)
		if err != nil {
			return err
		}
		for file := range 2 {
			var flows []tables.Flow
			for i := range 5 {
				at := tables.Time(1_781_258_400_000_000 + int64(file*5+i)*60e6)
				segment, offset, err := w.Append(&pcap.Record{TS: int64(at) * 1000, Length: 60, Link: tables.LinkEthernet, Data: make([]byte, 60)})
				if err != nil {
					return err
				}
				flows = append(flows, tables.Flow{TS: at, TSEnd: at, SourceType: tables.SourcePackets, Sensor: "dmz", FlowID: tables.ID(file*5 + i + 1), ConnID: tables.ID(file*5 + i + 1),
					Protocol: 17, Packets: 1, Bytes: 40, Segments: []int32{int32(segment)}, Postings: rows.AppendPostings(nil, []tables.ID{tables.PacketID(segment, offset)})})
			}
			if _, err := archive.WriteRows(tx, "t", flows); err != nil {
				return err
			}
		}
		return nil
	})
	e, err := New(DefaultConfig(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, step := range []struct {
		evict archive.Retention
		said  string
	}{
		{archive.Retention{PacketsBytes: 1}, "10 packets of 2026-06-12 10:00:00 to 2026-06-12 10:09:00 were evicted at "},
		{archive.Retention{FlowsBytes: 1}, "at least 5 packets of 2026-06-12 10:00:00 to 2026-06-12 10:09:00 were evicted at "},
	} {
		*r = step.evict
		if step.evict.FlowsBytes > 0 {
			c, err := a.Catalog()
			if err != nil {
				t.Fatal(err)
			}
			r.FlowsBytes = c.Files(archive.Flows)[1].Bytes + 10
		}
		if s, err := a.Evict(); err != nil || s.Files != 1 {
			t.Fatalf("%+v %v", s, err)
		}
		a.Refresh()
		for _, text := range []string{"SELECT ts, length FROM packets WHERE length > 1", "SELECT COUNT(*) FROM packets WHERE ts > '2026-06-12'",
			"SELECT p.ts FROM flows f JOIN packets p USING (flow_id)"} {
			if got := said(t, e, text); !strings.HasPrefix(got, step.said) && !strings.Contains(got, "\n"+step.said) {
				t.Errorf("%s\nsays %s, want %s", text, got, step.said)
			}
		}
	}
}

// Statements that run while files are evicted end as if nothing had happened.
func TestEvictionUnderStatements(t *testing.T) {
	r := &archive.Retention{}
	a := hours(t, r)
	reader, err := archive.Open(a.Dir(), archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	e, err := New(DefaultConfig(), reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	begun := map[string]*Rows{}
	for _, text := range []string{"SELECT ts, info FROM packets ORDER BY ts", "SELECT ts, info, frame FROM packet_bytes", "SELECT ts, bytes FROM flows",
		"SELECT p.info FROM connections c JOIN packets p USING (conn_id)"} {
		if begun[text], err = e.Query(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	*r = archive.Retention{PacketsBytes: 1, FlowsBytes: 1, ConnectionsBytes: 1}
	if s, err := a.Evict(); err != nil || s.Files != 9 {
		t.Fatalf("%+v %v", s, err)
	}
	for text, rows := range begun {
		list, err := rows.All()
		if err != nil || len(list) != 30 || len(rows.Warnings()) > 0 {
			t.Errorf("%s: %d rows, %v, %v", text, len(list), err, rows.Warnings())
		}
	}
	if _, said := answer(t, e, "SELECT COUNT(*) FROM packets"); !strings.Contains(said, "30 rows of flows") {
		t.Errorf("afterwards: %s", said)
	}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Evict(); err != nil { // removes what they kept
		t.Fatal(err)
	}
	for _, s := range c.Segments() {
		if _, err := a.Fetch(t.Context(), c, []archive.Ref{{ID: tables.PacketID(s.Number(), 24)}}, nil); err != nil {
			t.Error(err)
		}
	}
}
