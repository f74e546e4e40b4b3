package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// Rows that come late change conversations that are stored: each is there once,
// and rows are of it, while what was decided lies beside the files, and when it is
// folded into them.
func TestDecidedRows(t *testing.T) {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	begin := tables.Time(time.Now().Add(-3 * time.Hour).UnixMicro())
	serial := tables.ID(0)
	// reported adds a row of 100 bytes of some conversations, at a second.
	reported := func(second, first, last int) {
		t.Helper()
		var list []tables.Export
		for n := first; n <= last; n++ {
			serial++
			ts := begin + tables.Time(second)*1e6
			list = append(list, tables.Export{TS: ts, TSEnd: ts + 999_999, SourceType: "ipfix", Observer: "core", Src: tables.Addr{Lo: 0xffff0a000000 + uint64(n)},
				Dst: tables.Addr{Lo: 0xffff0b000001}, SrcPort: 1024, DstPort: 443, Protocol: 6, Bytes: 100, Packets: 1, FlowID: serial, CID: uint64(n)})
		}
		commit(t, a, "collector", func(tx *archive.Tx) error {
			_, err := archive.WriteRows(tx, "e", list)
			return err
		})
		if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	decisions := func() (n int64) {
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range []archive.Family{archive.Exports, archive.Connections} {
			for _, f := range c.Files(family) {
				if d, ok := c.Decisions(f); ok {
					n += d.Rows
				}
			}
		}
		return n
	}
	reported(0, 1, 40)   // forty conversations,
	reported(500, 1, 40) // and after a silence forty more.
	if n := decisions(); n != 0 {
		t.Fatalf("%d decisions", n)
	}
	reported(250, 1, 10)                                // Ten of each are one, after all.
	commit(t, a, "import", func(tx *archive.Tx) error { // Of one that was one and one that was two there are packets.
		var list []tables.Flow
		for _, n := range []int{5, 20} {
			list = append(list, tables.Flow{TS: begin, TSEnd: begin + 501e6, SourceType: "packets", Sensor: "dmz", Src: tables.Addr{Lo: 0xffff0a000000 + uint64(n)},
				Dst: tables.Addr{Lo: 0xffff0b000001}, SrcPort: 1024, DstPort: 443, Protocol: 6, Bytes: 700, Packets: 7, Piece: tables.Some[int32](1), LastPiece: tables.Some(true),
				FlowID: tables.ID(1000 + n), ConnID: tables.ID(1000 + n), CID: uint64(n), Segments: []int32{7}, CutPackets: tables.Some[int64](1)})
		}
		_, err := archive.WriteRows(tx, "e", list)
		return err
	})
	if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	if decisions() == 0 {
		t.Fatal("nothing was decided")
	}
	e := openEngine(t, a)
	check := func(when string) {
		t.Helper()
		for _, pushdown := range []string{"on", "off"} {
			s := e.NewSession()
			for _, c := range [][2]string{
				{"SET wiresql_pushdown = '" + pushdown + "'", "[]"},
				{"SELECT COUNT(*), COUNT(DISTINCT conn_id), SUM(bytes) FROM connections WHERE server_port = 443", "[[69 69 9900]]"},
				{"SELECT COUNT(*), COUNT(conn_id), COUNT(DISTINCT conn_id) FROM flows WHERE dst_port = 443", "[[92 92 69]]"},
				{"SELECT COUNT(*), COUNT(DISTINCT c.conn_id) FROM flows f JOIN connections c USING (conn_id) WHERE f.dst_port = 443", "[[92 69]]"},
				{"SELECT COUNT(*) FROM flows WHERE source_type <> 'packets' AND packet_status <> 'not_captured'", "[[5]]"},
				{"SELECT COUNT(*), SUM(bytes) FROM flows WHERE conn_id = '" + tables.ID(1005).String() + "'", "[[4 1000]]"},
				{"SELECT COUNT(*), SUM(bytes) FROM connections WHERE conn_id = '" + tables.ID(1020).String() + "'", "[[1 700]]"},
				{"SELECT COUNT(*), SUM(bytes) FROM connections WHERE client_ip = '10.0.0.7'", "[[1 300]]"},
				{"SELECT COUNT(*), SUM(bytes) FROM connections WHERE client_ip = '10.0.0.30'", "[[2 200]]"},
				{"SELECT COUNT(*) FROM flows WHERE conn_id = (SELECT conn_id FROM connections WHERE client_ip = '10.0.0.7')", "[[3]]"},
			} {
				rows, err := s.Query(t.Context(), c[0])
				if err != nil {
					t.Fatal(c[0], err)
				}
				all, err := rows.All()
				if err != nil {
					t.Fatal(c[0], err)
				}
				if got := fmt.Sprint(all); got != c[1] {
					t.Errorf("%s, pushdown %s: %s: %s, want %s", when, pushdown, c[0], got, c[1])
				}
			}
		}
	}
	check("beside the files")
	// Others follow, until the files are merged.
	for i := range 20 {
		reported(4000+1000*i, 100, 100)
	}
	if _, err := compact.Round(t.Context(), a, compact.Config{MergeAt: 2}); err != nil {
		t.Fatal(err)
	}
	if n := decisions(); n != 0 {
		t.Errorf("%d decisions after the merge", n)
	}
	rows, err := e.Query(t.Context(), "SELECT COUNT(*), SUM(bytes) FROM connections WHERE client_ip = '10.0.0.100'")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := rows.All(); err != nil || fmt.Sprint(all) != "[[20 2000]]" {
		t.Errorf("%v %v", all, err)
	}
}
