package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// changes are when clocks are changed in 2026, in seconds since 1970: in New
// York, Berlin and on Lord Howe, forward or back by an hour, there by half of
// one.
var changes = []int64{1772953200, 1774746000, 1775314800, 1791041400, 1792890000, 1793512800}

// clocksArchive has connections around these times.
var clocksArchive = sync.OnceValues(func() (string, error) {
	dir, err := lastingDir()
	if err != nil {
		return "", err
	}
	var at []uint32
	for _, change := range changes {
		for _, minutes := range []int64{-660, -90, -60, -40, -30, -20, 0, 10, 30, 45, 60, 80, 870} {
			at = append(at, uint32(change+minutes*60))
		}
		at = append(at, uint32(change-1))
	}
	slices.Sort(at)
	var records [][]byte
	for i, seconds := range at {
		frame := udpFrame()
		binary.BigEndian.PutUint16(frame[34:], uint16(20000+i))
		records = append(records, pcapRecord(seconds, uint32(len(frame)), uint32(len(frame)), frame))
	}
	file := filepath.Join(dir, "clocks.pcap")
	if err := os.WriteFile(file, pcapBytes(records...), 0o600); err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "archive")
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		return "", err
	}
	defer a.Close()
	if _, err := capture.Import(context.Background(), a, capture.ImportConfig{Paths: []string{file}}); err != nil {
		return "", err
	}
	_, err = compact.Run(context.Background(), a, compact.Config{})
	return dir, err
})

func clocksEngine(t testing.TB) *engine.Engine {
	t.Helper()
	dir, err := clocksArchive()
	if err != nil {
		t.Fatal(err)
	}
	return engineOver(t, dir)
}

// zonesTold are those in which statements are asked.
var zonesTold = []string{"+00:00", "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "+05:30", "-11:00"}

// timesTold are asked in every zone. {0} to {5} are what its clocks show at the
// changes: a time that comes twice, one that is left out, or neither.
var timesTold = []string{
	"SELECT conn_id, ts, ts_end FROM connections ORDER BY ts, conn_id",
	"SELECT @@time_zone, @@system_time_zone",
	"SELECT ts, COUNT(*) FROM connections GROUP BY ts ORDER BY ts",
	"SELECT DISTINCT ts FROM connections ORDER BY ts DESC",
	"SELECT DATE(ts) d, COUNT(*) FROM connections GROUP BY d ORDER BY d",
	"SELECT DATE_FORMAT(ts, '%Y-%m-%d %H:00') h, COUNT(*) n, MIN(ts), MAX(ts) FROM connections GROUP BY h ORDER BY h",
	"SELECT HOUR(ts), MINUTE(ts), DAYOFWEEK(ts), WEEK(ts, 3), DAYNAME(ts), TIME(ts), EXTRACT(DAY_MINUTE FROM ts) FROM connections ORDER BY conn_id",
	"SELECT UNIX_TIMESTAMP(ts) FROM connections ORDER BY conn_id",
	"SELECT UNIX_TIMESTAMP(ts) DIV 3600 * 3600 AS t, COUNT(*) FROM connections GROUP BY t ORDER BY t",
	"SELECT FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 1800 * 1800) AS t, COUNT(*) FROM connections GROUP BY t ORDER BY t, 2",
	"SELECT FROM_UNIXTIME(UNIX_TIMESTAMP(ts)) = ts, FROM_UNIXTIME(1792888200), FROM_UNIXTIME(1792888200.5, '%H:%i') FROM connections ORDER BY conn_id",
	"SELECT ts + INTERVAL 1 DAY, ts - INTERVAL 90 MINUTE, DATE_ADD(ts, INTERVAL 1 MONTH) FROM connections ORDER BY conn_id",
	"SELECT TIMESTAMPDIFF(MINUTE, '{0}', ts), TIMESTAMPDIFF(DAY, ts, '{4}'), DATEDIFF(ts, '{2}') FROM connections ORDER BY conn_id",
	"SELECT CAST(ts AS CHAR), CAST(ts AS DATE), CAST(ts AS DATETIME), CONCAT(ts, ''), ts + 0, CAST(ts AS UNSIGNED) FROM connections ORDER BY conn_id",
	"SELECT CONVERT_TZ(ts, @@time_zone, 'Asia/Kolkata'), CONVERT_TZ(ts, 'UTC', 'America/New_York') FROM connections ORDER BY conn_id",
	"SELECT COALESCE(ts, '2026-01-01'), IF(ts > '{3}', ts, NULL), CASE WHEN ts < '{1}' THEN ts ELSE ts_end END, NULLIF(ts, '{4}') FROM connections ORDER BY conn_id",
	"SELECT LAG(ts) OVER w, LEAD(ts, 2) OVER w, FIRST_VALUE(ts) OVER w, RANK() OVER (PARTITION BY DATE(ts) ORDER BY ts) FROM connections WINDOW w AS (ORDER BY ts) ORDER BY conn_id",
	"SELECT COUNT(*), COUNT(DISTINCT ts), COUNT(DISTINCT DATE_FORMAT(ts, '%d %H:%i')), MIN(ts), MAX(ts), MAX(ts) - INTERVAL 1 DAY FROM connections",
	"SELECT GROUP_CONCAT(ts ORDER BY ts) FROM connections WHERE ts < '{1}'",
	"SELECT a.conn_id, b.conn_id FROM connections a JOIN connections b ON a.ts = b.ts ORDER BY 1, 2",
	"SELECT a.conn_id, COUNT(*) FROM connections a JOIN connections b ON b.ts BETWEEN a.ts - INTERVAL 1 HOUR AND a.ts GROUP BY a.conn_id ORDER BY 1",
	"SELECT a.conn_id, COUNT(*) FROM connections a JOIN connections b ON DATE_FORMAT(a.ts, '%Y-%m-%d %H:%i') = DATE_FORMAT(b.ts, '%Y-%m-%d %H:%i') GROUP BY a.conn_id ORDER BY 1",
	"SELECT conn_id FROM connections WHERE ts = (SELECT MIN(ts) FROM connections WHERE ts > '{2}')",
	"SELECT conn_id FROM connections WHERE ts IN (SELECT ts FROM connections WHERE ts < '{2}') ORDER BY conn_id",
	"SELECT conn_id FROM connections WHERE ts > ALL (SELECT ts FROM connections WHERE ts < '{3}') ORDER BY conn_id",
	"SELECT ts, n FROM (SELECT ts, COUNT(*) n FROM connections GROUP BY ts) q WHERE ts >= '{1}' AND HOUR(ts) < 12 ORDER BY ts",
	"SELECT ts FROM connections WHERE ts < '{1}' UNION SELECT ts FROM connections WHERE ts < '{2}' ORDER BY 1",
	"SELECT ts FROM connections WHERE ts < '{1}' UNION ALL SELECT '2026-01-01' UNION ALL SELECT NULL ORDER BY 1",
	"WITH RECURSIVE h AS (SELECT MIN(ts) t FROM connections UNION ALL SELECT t + INTERVAL 3 HOUR FROM h WHERE t < (SELECT MIN(ts) + INTERVAL 1 DAY FROM connections)) SELECT t, (SELECT COUNT(*) FROM connections WHERE ts >= t AND ts < t + INTERVAL 3 HOUR) n FROM h ORDER BY t",
	"SELECT DATE(ts) d, COUNT(*), MAX(ts) FROM connections GROUP BY d WITH ROLLUP",
	"SELECT TIME_FORMAT(ts, '%H:%i'), ts LIKE '2026-10-25%', LEFT(ts, 16), ts IS NULL FROM connections ORDER BY conn_id",
	"SELECT conn_id FROM connections WHERE DATE(ts) = DATE('{4}') ORDER BY conn_id",
	"SELECT conn_id FROM connections WHERE ts >= DATE '2026-10-25' AND ts < DATE '2026-10-25' + INTERVAL 1 DAY ORDER BY conn_id",
	"SELECT conn_id FROM connections WHERE ts BETWEEN '{4}' AND '{5}' OR ts NOT BETWEEN '{0}' AND '{5}' ORDER BY conn_id",
	"SELECT conn_id FROM connections WHERE NOT (ts > '{4}' AND ts <= '{5}') ORDER BY conn_id",
	"SELECT conn_id, TIMESTAMP '{4}' <= ts, ts <=> '{2}', '{3}' > ts FROM connections ORDER BY conn_id",
	"SELECT UNIX_TIMESTAMP(CAST('{0}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND), CONVERT_TZ(CAST('{0}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND, @@time_zone, 'Asia/Kolkata'), UNIX_TIMESTAMP(CAST('{1}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND), CONVERT_TZ(CAST('{1}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND, @@time_zone, 'Asia/Kolkata'), UNIX_TIMESTAMP(CAST('{2}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND), CONVERT_TZ(CAST('{2}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND, @@time_zone, 'Asia/Kolkata'), UNIX_TIMESTAMP(CAST('{3}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND), CONVERT_TZ(CAST('{3}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND, @@time_zone, 'Asia/Kolkata'), UNIX_TIMESTAMP(CAST('{4}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND), CONVERT_TZ(CAST('{4}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND, @@time_zone, 'Asia/Kolkata'), UNIX_TIMESTAMP(CAST('{5}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND), CONVERT_TZ(CAST('{5}' AS DATETIME(6)) + INTERVAL 250000 MICROSECOND, @@time_zone, 'Asia/Kolkata')",
	"SELECT UNIX_TIMESTAMP('{0}'), UNIX_TIMESTAMP('{1}'), UNIX_TIMESTAMP('{2}'), UNIX_TIMESTAMP('{3}'), UNIX_TIMESTAMP('{4}'), UNIX_TIMESTAMP('{5}')",
	"SELECT UTC_TIMESTAMP() <= UTC_TIMESTAMP(), TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()), CURDATE() = DATE(NOW()), UNIX_TIMESTAMP() - UNIX_TIMESTAMP(NOW())",
}

// Files are left out by what a literal of the session's zone means in UTC, and
// parameters are literals.
func TestZonesPrune(t *testing.T) {
	db := wireDB(t, demoEngine(t))
	plan := func(zone, condition string) string {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), "SET time_zone = '"+zone+"'"); err != nil {
			t.Fatal(err)
		}
		a := ask(conn, "EXPLAIN SELECT COUNT(*) FROM packets WHERE "+condition)
		if a.err != nil {
			t.Fatal(a.err)
		}
		return strings.Join(a.lines(true), "\n")
	}
	for _, c := range []struct{ zone, local, utc string }{
		{"Europe/Berlin", "ts >= '2026-06-12 12:20' AND ts < '2026-06-12 12:25'", "ts >= '2026-06-12 10:20' AND ts < '2026-06-12 10:25'"},
		{"+05:30", "ts BETWEEN '2026-06-12 15:50' AND '2026-06-12 15:55'", "ts BETWEEN '2026-06-12 10:20' AND '2026-06-12 10:25'"},
		{"America/New_York", "overlaps(ts, ts, '2026-06-12 06:20', '2026-06-12 06:25')", "ts < '2026-06-12 10:25' AND ts >= '2026-06-12 10:20'"},
		{"Europe/Berlin", "ts > '2026-10-25 02:30'", "ts >= '2026-10-25 00:30:00.000001' AND ts < '2026-10-25 01:00' OR ts >= '2026-10-25 01:30:00.000001'"},
		{"Europe/Berlin", "ts < '2026-03-29 02:30'", "ts < '2026-03-29 01:00'"},
	} {
		if want, got := plan("+00:00", c.utc), plan(c.zone, c.local); got != want {
			t.Errorf("%s: %s:\n%s\nwant that of %s:\n%s", c.zone, c.local, got, c.utc, want)
		}
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "SET time_zone = 'Europe/Berlin'"); err != nil {
		t.Fatal(err)
	}
	want := said(ask(conn, "SELECT COUNT(*) FROM connections WHERE ts >= '2026-06-12 12:20'"))
	for _, parameter := range []any{"2026-06-12 12:20:00", time.Date(2026, 6, 12, 12, 20, 0, 0, time.UTC)} {
		var got string
		if err := conn.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM connections WHERE ts >= ?", parameter).Scan(&got); err != nil || got != want || got == "0" {
			t.Errorf("parameter %v: %s, %v, want %s", parameter, got, err, want)
		}
	}
}

// TestZones asks the same of wiresql and of a MariaDB whose columns are
// TIMESTAMP(6), in sessions of many zones.
func TestZones(t *testing.T) {
	o := newOracle(t, "clocks")
	for _, zone := range zonesTold {
		t.Run(zone, func(t *testing.T) {
			location := time.UTC
			if strings.Contains(zone, "/") {
				var err error
				if location, err = time.LoadLocation(zone); err != nil {
					t.Fatal(err)
				}
			}
			o.set(t, "SET time_zone = '"+zone+"'", "SET time_zone = '"+zone+"'")
			statements := slices.Clone(timesTold)
			for i, change := range changes {
				shown := time.Unix(change, 0).In(location).Format(time.DateTime)
				for j := range statements {
					statements[j] = strings.ReplaceAll(statements[j], fmt.Sprintf("{%d}", i), shown)
				}
				at, err := time.Parse(time.DateTime, shown)
				if err != nil {
					t.Fatal(err)
				}
				for minutes := -75; minutes <= 75; minutes += 15 {
					l := "'" + at.Add(time.Duration(minutes)*time.Minute).Format(time.DateTime) + "'"
					statements = append(statements, strings.ReplaceAll("SELECT conn_id, ts = {L}, ts <> {L}, ts < {L}, ts <= {L}, ts > {L}, {L} <= ts, ts <=> {L}, ts IN ({L}, '2026-03-29'), ts BETWEEN {L} AND {L}, "+
						"UNIX_TIMESTAMP({L}), CONVERT_TZ({L}, @@time_zone, 'UTC') FROM connections ORDER BY conn_id", "{L}", l))
					statements = append(statements, strings.ReplaceAll("SELECT conn_id FROM connections WHERE ts >= {L} AND ts < {L} + INTERVAL 90 MINUTE AND NOT ts = {L} OR ts IN ({L}, '2026-10-25 02:00:00') ORDER BY conn_id", "{L}", l))
				}
			}
			for _, statement := range statements {
				want, got := ask(o.maria, statement), ask(o.wire, statement)
				if want.err != nil {
					t.Errorf("MariaDB: %s: %v", statement, want.err)
				}
				if diff := differs(want, got, true); diff != "" {
					t.Errorf("%s\n%s", statement, diff)
				}
			}
			t.Logf("%d statements", len(statements))
		})
	}
}
