package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A dashboard of a month is answered from what compaction added up: beside it the same
// questions to the flows themselves. A thousand flows a second are 2.6 billion a month;
// fewer are made, which is in favour of the flows, for they grow and the others do not.

const dashboardDays = 30

// panels of the dashboard: {from} is traffic_1m or flows.
var panels = []string{
	"SELECT UNIX_TIMESTAMP(ts) DIV 3600 * 3600 AS time, SUM({bytes}) FROM {from} WHERE {range} GROUP BY 1 ORDER BY 1",
	"SELECT UNIX_TIMESTAMP(ts) DIV 3600 * 3600 AS time, direction, SUM({bytes}) * 8 / 3600 FROM {from} WHERE {range} GROUP BY 1, 2 ORDER BY 1",
	"SELECT UNIX_TIMESTAMP(ts) DIV 7200 * 7200 AS time, service, SUM({bytes}) FROM {from} WHERE {range} GROUP BY 1, 2 ORDER BY 1",
	"SELECT UNIX_TIMESTAMP(ts) DIV 3600 * 3600 AS time, protocol, SUM({packets}) FROM {from} WHERE {range} GROUP BY 1, 2 ORDER BY 1",
	"SELECT UNIX_TIMESTAMP(ts) DIV 3600 * 3600 AS time, {connections} FROM {from} WHERE {range} GROUP BY 1 ORDER BY 1",
	"SELECT UNIX_TIMESTAMP(ts) DIV 3600 * 3600 AS time, observer, SUM({bytes}) FROM {from} WHERE {range} GROUP BY 1, 2 ORDER BY 1",
	"SELECT DATE(ts) AS day, SUM({bytes}), {connections} FROM {from} WHERE {range} GROUP BY day ORDER BY day",
	"SELECT HOUR(ts) AS hour, SUM({bytes}) FROM {from} WHERE {range} GROUP BY hour ORDER BY hour",
	"SELECT service, SUM({bytes}) AS b FROM {from} WHERE {range} GROUP BY service ORDER BY b DESC LIMIT 10",
	"SELECT protocol, SUM({packets}), SUM({bytes}) FROM {from} WHERE {range} GROUP BY protocol ORDER BY 2 DESC",
	"SELECT SUM({bytes}), SUM({packets}), {connections} FROM {from} WHERE {range}",
	"SELECT UNIX_TIMESTAMP(ts) DIV 21600 * 21600 AS time, SUM(IF(service = 'https', {bytes}, 0)), SUM(IF(service = 'domain', {bytes}, 0)) FROM {from} WHERE {range} GROUP BY 1 ORDER BY 1",
}

func (s *sqls) dashboard() error {
	dir := filepath.Join(s.dir, "dashboard.archive")
	defer os.RemoveAll(dir)
	t := newTraffic(s.flows)
	t.days = dashboardDays
	start := time.Now()
	if err := t.write(dir, true); err != nil {
		return err
	}
	if out, err := exec.Command(s.wiresql, "compact", "--data", dir, "--once").CombinedOutput(); err != nil {
		return fmt.Errorf("compact: %w: %s", err, out)
	}
	log.Printf("%d flows of %d days made and added up in %v", t.rows, t.days, time.Since(start).Round(time.Second))
	// As a dashboard asks: until now, which is no whole hour.
	within := "ts BETWEEN '2026-06-01 00:17:42' AND '2026-07-01 00:17:42'"
	text := func(panel string, names ...string) string {
		return strings.NewReplacer(append(names, "{range}", within)...).Replace(panel)
	}
	return s.withProcess(dir, func(db *sql.DB, pid int) error {
		var added, raw spent
		for _, p := range panels {
			quick := text(p, "{from}", "traffic_1m", "{bytes}", "bytes", "{packets}", "packets", "{connections}", "SUM(connections)")
			slow := text(p, "{from}", "flows", "{bytes}", "total_bytes", "{packets}", "total_packets", "{connections}", "COUNT(*)")
			if how, _, err := rowsText(db, "EXPLAIN "+quick); err != nil || !strings.Contains(how, "answered") {
				return errors.Join(err, fmt.Errorf("%s is not answered from hours", quick))
			}
			m, err := s.beside(wire(db, quick, s.serverCPU), wire(db, slow, s.serverCPU))
			if err != nil {
				return err
			}
			a, b := m[0].spent(), m[1].spent()
			added.wall, added.cpu = added.wall+a.wall, added.cpu+a.cpu
			raw.wall, raw.cpu = raw.wall+b.wall, raw.cpu+b.cpu
			log.Printf("%v against %v: %s", a.wall, b.wall, p)
		}
		s.add(fmt.Sprintf("12 panels of 30 days, %d M flows, by the hour against flows", s.flows/1_000_000), added.String(), "flows "+raw.String(), ratio(raw.wall, added.wall), "≥ 20x")
		return nil
	})
}
