package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// TestAbsence asks DuckDB about random rows, and looks through all that is gone
// for each.
func TestAbsence(t *testing.T) {
	d := testDuck(t)
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 20 {
		var missing []uint32
		for range r.IntN(200) {
			missing = append(missing, uint32(r.IntN(300)))
		}
		slices.Sort(missing)
		missing = slices.Compact(missing)
		var gaps []gap
		for range r.IntN(50) {
			from := tables.Time(r.IntN(2000) - 1000)
			gaps = append(gaps, gap{[]string{"", "dmz", "office"}[r.IntN(3)], period{from, from + tables.Time(r.IntN(30))}})
		}
		evicted := map[uint32]tables.Time{}
		for _, s := range missing {
			if r.IntN(2) == 0 {
				evicted[s] = tables.Time(r.IntN(1e6) + 1)
			}
		}
		d.absent.Store(newAbsence(missing, evicted, gaps))
		var values, want []string
		for i := range 500 {
			var segments []string
			gone, when := 0, tables.Time(0) // evictions have a time
			for range r.IntN(4) {
				s := uint32(r.IntN(400))
				segments = append(segments, fmt.Sprint(s))
				if slices.Contains(missing, s) {
					gone++
					when = max(when, evicted[s])
				}
			}
			sensor, from := []string{"", "dmz", "office", "elsewhere"}[r.IntN(4)], tables.Time(r.IntN(2200)-1100)
			to := from + tables.Time(r.IntN(20))
			lost := slices.ContainsFunc(gaps, func(g gap) bool { return g.sensor == sensor && from <= g.to && to >= g.from })
			answer := 0
			switch {
			case gone > 0 && gone == len(segments):
				if answer = 2; when == 0 {
					answer = 3
				}
			case gone > 0:
				answer = 1
			}
			list := "[" + strings.Join(segments, ", ") + "]::INTEGER[]"
			if i%50 == 49 {
				list, answer, when = "NULL::INTEGER[]", -1, 0
			}
			values = append(values, fmt.Sprintf("(%d, %s, %s, make_timestamp(%d), make_timestamp(%d))", i, list, functions.Quote(sensor), from, to))
			want = append(want, fmt.Sprint(answer, lost, when))
		}
		c, err := d.query(t.Context(), "SELECT coalesce(wiresql_gone(s), -1), wiresql_lost(sensor, ts, ts_end), coalesce(epoch_us(wiresql_evicted_at(s)), 0) FROM (VALUES "+strings.Join(values, ", ")+") v(i, s, sensor, ts, ts_end) ORDER BY i")
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		for view, err := c.next(); view != nil || err != nil; view, err = c.next() {
			if err != nil {
				t.Fatal(err)
			}
			for row := range view.n {
				if got := fmt.Sprint(view.vectors[0].int64(row), at[bool](&view.vectors[1], row), view.vectors[2].int64(row)); got != want[i] {
					t.Errorf("round %d: %s is %s, want %s", round, values[i], got, want[i])
				}
				i++
			}
		}
		c.close()
		if i != len(want) {
			t.Fatalf("%d rows", i)
		}
	}
}

// BenchmarkPacketStatus asks for the status of one conversation while much is
// gone, and of all conversations.
func BenchmarkPacketStatus(b *testing.B) {
	for _, n := range []int{0, 100, 100_000} {
		a, _ := recordedArchive(b, time.Now(), 100, 1, 10)
		commitMissing(b, a, n)
		e := openEngine(b, a)
		s := e.NewSession()
		ask(b, e, "SELECT COUNT(*) FROM connections")
		for name, statement := range map[string]string{
			"point": "SELECT client_ip, bytes, packet_status FROM connections WHERE conn_id = '0000000002Z8A'",
			"all":   "SELECT packet_status, COUNT(*) FROM connections GROUP BY packet_status",
		} {
			b.Run(fmt.Sprintf("%s/missing=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					rows, err := s.Query(b.Context(), statement)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := rows.All(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// commitMissing adds conversations, and so many segments and times of loss that
// their packets lie in or not; the segments' files do not exist.
func commitMissing(tb testing.TB, a *archive.Archive, n int) {
	tb.Helper()
	const second = tables.Time(1e6)
	list := make([]tables.Connection, 300_000)
	for i := range list {
		ts := tables.Time(i) * second
		list[i] = tables.Connection{TS: ts, TSEnd: ts + second/2, Sensor: "dmz", Client: tables.Addr{Lo: 0xffff0a000000 + uint64(i)}, Server: tables.Addr{Lo: 0xffff0b000001},
			ClientPort: 1024, ServerPort: 443, Protocol: 6, ClientBytes: tables.Some[int64](100), Pieces: 1, CID: uint64(i), ConnID: tables.ID(i + 1),
			Segments: []int32{int32(i%200_000 + 1), int32(i%200_000 + 2)}}
	}
	segments, lost := make([]tables.Segment, n), make([]tables.Coverage, n)
	for i := range segments {
		segments[i] = tables.Segment{Segment: int32(i + 1), Kind: "pcap", Sensor: "dmz", Path: fmt.Sprintf("packets/dmz/2026/%02d/%02d/%010d.pcap", i%12+1, i%28+1, i+1)}
		lost[i] = tables.Coverage{Sensor: "dmz", TS: tables.Time(i) * 3 * second, TSEnd: tables.Time(i)*3*second + second/4, Drops: tables.Some[int64](1)}
	}
	commit(tb, a, "import", func(tx *archive.Tx) error {
		_, err := archive.WriteRows(tx, "e", list)
		if err == nil && n > 0 {
			if _, err = archive.WriteRows(tx, "e", segments); err == nil {
				_, err = archive.WriteRows(tx, "e", lost)
			}
		}
		return err
	})
}
