package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// The first and the last ts are those of all rows, while only what can hold them is
// read: files that overlap, one of a long connection, rows that came just now, and
// conversations that later ones replaced.
func TestEnds(t *testing.T) {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	begin := tables.Time(time.Now().Add(-9 * time.Hour).UnixMicro())
	id := tables.ID(0)
	reported := func(settle bool, seconds ...int) {
		t.Helper()
		var list []tables.Export
		for _, second := range seconds {
			id++
			ts := begin + tables.Time(second)*1e6
			list = append(list, tables.Export{TS: ts, TSEnd: ts + tables.Time(second%7)*1000e6, SourceType: "ipfix", Observer: "core", Src: tables.Addr{Lo: 0xffff0a000000 + uint64(second%50)},
				Dst: tables.Addr{Lo: 0xffff0b000001}, SrcPort: 1024, DstPort: 443, Protocol: 6, Bytes: 100, Packets: 1, FlowID: id, CID: uint64(second % 50)})
		}
		commit(t, a, "collector", func(tx *archive.Tx) error {
			_, err := archive.WriteRows(tx, "e", list)
			return err
		})
		if settle {
			if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var times []int
	for second := 1000; second < 26000; second += 97 {
		if times = append(times, second); len(times) == 30 {
			reported(true, times...)
			times = nil
		}
	}
	e := openEngine(t, a)
	check := func(when string) {
		t.Helper()
		for _, rel := range []string{"connections", "flows"} {
			all := strings.Fields(strings.Trim(ask(t, e, "SELECT UNIX_TIMESTAMP(ts) FROM "+rel+" ORDER BY ts"), "[]"))
			for i := range all {
				all[i] = strings.Trim(all[i], "[]")
			}
			n := len(all)
			for _, at := range []int{0, 1, n / 3, n / 2, n - 2, n - 1} {
				for _, c := range []struct {
					where string
					first int
					last  int
				}{
					{"", 0, n - 1},
					{" WHERE ts >= FROM_UNIXTIME(" + all[at] + ")", at, n - 1},
					{" WHERE ts <= FROM_UNIXTIME(" + all[at] + ")", 0, at},
					{" WHERE ts BETWEEN FROM_UNIXTIME(" + all[n/4] + ") AND FROM_UNIXTIME(" + all[n*3/4] + ")", n / 4, n * 3 / 4},
				} {
					got := ask(t, e, "SELECT UNIX_TIMESTAMP(MIN(ts)), UNIX_TIMESTAMP(MAX(ts)) FROM "+rel+c.where)
					if want := fmt.Sprintf("[[%s %s]]", all[c.first], all[c.last]); got != want {
						t.Errorf("%s, %s%s: %s, want %s", when, rel, c.where, got, want)
					}
				}
			}
			if got := ask(t, e, "SELECT MIN(ts), MAX(ts) FROM "+rel+" WHERE ts > '2100-01-01'"); got != "[[<nil> <nil>]]" {
				t.Errorf("%s, %s: of no rows %s", when, rel, got)
			}
		}
	}
	check("in files")
	reported(false, 900, 10001, 27001)
	e.recent.cost = 0 // it lags by nothing
	check("with young rows")
	reported(true, 800, 15000, 27003)
	e.recent.cost = 0
	check("with late rows")
	// What lies between is not read.
	explained := ask(t, e, "EXPLAIN SELECT MIN(ts), MAX(ts) FROM connections")
	var read, there int
	if _, err := fmt.Sscanf(explained, "[[reads %d of %d files", &read, &there); err != nil || read == 0 || read > there/2 {
		t.Errorf("it reads %d of %d files, %v:\n%s", read, there, err, explained)
	}
}
