package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Minutes answered from hours are those minutes: of random traffic, some of it taken
// back, over random times and in several zones, as with the compiler off.
func TestHoursAreTheirMinutes(t *testing.T) {
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	r := rand.New(rand.NewPCG(9, 6))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	from := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC) // clocks are set ahead in Berlin on the 29th
	var minutes, stand []tables.Traffic
	for range 3 {
		var hours []tables.HourlyTraffic
		before := len(minutes)
		for range 1500 {
			m := tables.Traffic{TS: tables.TimeOf(from.UnixNano()) + tables.Time(r.IntN(72*60))*tables.Minute, Observer: pick("core", "dmz"), Protocol: []int32{6, 17}[r.IntN(2)],
				Service: pick("https", "domain", ""), Direction: pick("inbound", "outbound"), ClientBytes: r.Int64N(1e6), ServerBytes: r.Int64N(1e6),
				ClientPackets: r.Int64N(1e3), ServerPackets: r.Int64N(1e3), Connections: r.Int64N(3)}
			if len(stand) > 1000 && r.IntN(4) == 0 { // another stands for it
				n := r.IntN(len(stand))
				m = stand[n]
				m.Negate()
				stand[n] = stand[len(stand)-1]
				stand = stand[:len(stand)-1]
			} else {
				stand = append(stand, m)
			}
			minutes = append(minutes, m)
		}
		for _, m := range minutes[before:] {
			h := tables.HourlyTraffic(m)
			h.TS = m.TS.Bin(tables.Hour)
			hours = append(hours, h)
		}
		commit(t, a, "compact", func(tx *archive.Tx) error {
			if _, err := archive.WriteRows(tx, "t", minutes[before:]); err != nil {
				return err
			}
			_, err := archive.WriteRows(tx, "t", hours)
			return err
		})
	}
	e := openEngine(t, a)
	on, off := e.NewSession(), e.NewSession()
	ask := func(s *Session, statement string) string {
		rows, err := s.Query(t.Context(), statement)
		if err != nil {
			t.Fatal(statement, err)
		}
		all, err := rows.All()
		if err != nil {
			t.Fatal(statement, err)
		}
		return fmt.Sprint(all)
	}
	ask(off, "SET wiresql_pushdown = 'off'")
	answered := 0
	for i := range 120 {
		if i%10 == 0 {
			zone := "SET time_zone = '" + pick("+00:00", "-04:00", "Europe/Berlin", "Asia/Kolkata") + "'"
			ask(on, zone)
			ask(off, zone)
		}
		key := pick("DATE_FORMAT(ts, '%Y-%m-%d %H:00')", "UNIX_TIMESTAMP(ts) DIV 3600 * 3600", "HOUR(ts)", "CONCAT(DATE(ts), ' ', service)", "FLOOR(UNIX_TIMESTAMP(ts) / 7200)",
			"time_bucket('6 hours', ts)", "direction", "EXTRACT(HOUR FROM ts)", "CAST(ts AS DATE)", "UNIX_TIMESTAMP(ts) DIV 1800", "DATE_FORMAT(ts, '%p %I:%i')", "MINUTE(ts)")
		sum := pick("SUM(bytes)", "SUM(IF(service = 'https', client_bytes, 0))", "SUM(CASE WHEN HOUR(ts) < 12 THEN packets END)", "SUM(server_packets) * 8", "COUNT(DISTINCT observer)", "MAX(DATE(ts))",
			"COUNT(*)", "MAX(bytes)", "SUM(CASE WHEN MINUTE(ts) < 30 THEN bytes END)")
		var where []string
		at := func() string {
			return from.Add(time.Duration(r.IntN(72*60))*time.Minute + time.Duration(r.IntN(3)-1)*time.Microsecond).Format("2006-01-02 15:04:05.000000")
		}
		for range r.IntN(3) {
			where = append(where, "ts "+pick("<", "<=", ">", ">=")+" '"+at()+"'")
		}
		if r.IntN(3) == 0 {
			where = append(where, pick("protocol = 'tcp'", "service <> 'https'", "HOUR(ts) BETWEEN 3 AND 20", "bytes > 1000", "MINUTE(ts) > 5", "NOT (direction = 'inbound' OR DAY(ts) = 29)"))
		}
		statement := "SELECT " + key + " AS k, " + sum + ", SUM(connections) FROM traffic_1m"
		if where != nil {
			statement += " WHERE " + strings.Join(where, " AND ")
		}
		statement += " GROUP BY k ORDER BY k"
		if got, want := ask(on, statement), ask(off, statement); got != want {
			t.Errorf("%s\nfrom hours:   %s\nfrom minutes: %s", statement, got, want)
		}
		if strings.Contains(ask(on, "EXPLAIN "+statement), "answered") {
			answered++
		}
	}
	if answered < 20 || answered > 100 {
		t.Errorf("%d of 120 statements were answered from hours", answered)
	}
}
