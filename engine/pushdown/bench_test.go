package pushdown

import "testing"

// fiveJoins is what a BI tool sends: a star of derived tables, an alias for
// every column, everything in quotes, conditions that say the same twice.
const fiveJoins = "SELECT `t0`.`day` AS `day`, `t0`.`service` AS `service`, `h`.`name` AS `client`, `p`.`protocol` AS `protocol`, " +
	"SUM(`t0`.`bytes`) AS `sum_bytes`, AVG(`t0`.`duration`) AS `avg_duration`, COUNT(DISTINCT `t0`.`server_ip`) AS `servers`, " +
	"SUM(CASE WHEN `t0`.`conn_state` IN ('S0', 'REJ') THEN 1 ELSE 0 END) AS `failed`, MAX(`d`.`query`) AS `query`, " +
	"ROUND(100 * SUM(`f`.`bytes`) / NULLIF(SUM(`t0`.`bytes`), 0), 2) AS `share`, MIN(`i`.`file`) AS `file` " +
	"FROM (SELECT DATE(`connections`.`ts`) AS `day`, HOUR(`connections`.`ts`) AS `hour`, COALESCE(`connections`.`service`, 'unknown') AS `service`, " +
	"`connections`.`client_ip`, `connections`.`server_ip`, `connections`.`server_port`, `connections`.`bytes`, `connections`.`duration`, " +
	"`connections`.`conn_state`, `connections`.`conn_id`, `connections`.`protocol`, `connections`.`ts`, `connections`.`sensor` FROM `wiresql`.`connections` " +
	"WHERE `connections`.`ts` >= '2026-06-12 00:00:00' AND `connections`.`ts` < '2026-06-13 00:00:00' AND `connections`.`bytes` > 0) `t0` " +
	"LEFT JOIN `wiresql`.`flows` `f` ON `f`.`conn_id` = `t0`.`conn_id` " +
	"LEFT JOIN `wiresql`.`hosts` `h` ON `h`.`ip` = `t0`.`client_ip` AND `t0`.`ts` >= `h`.`ts` AND `t0`.`ts` < `h`.`ts_end` " +
	"LEFT JOIN `wiresql`.`dns` `d` ON `d`.`client_ip` = `t0`.`client_ip` AND `d`.`query` LIKE CONCAT('%', `h`.`name`, '%') " +
	"INNER JOIN (SELECT DISTINCT `protocol`, `service` FROM `wiresql`.`connections`) `p` ON `p`.`protocol` = `t0`.`protocol` AND `p`.`service` <=> `t0`.`service` " +
	"LEFT JOIN `ops`.`imports` `i` ON `i`.`sensor` = `t0`.`sensor` " +
	"WHERE (`t0`.`service` IN ('https', 'http', 'ssh', 'domain') OR `t0`.`server_port` BETWEEN 8000 AND 8999) AND UPPER(`t0`.`service`) <> 'X' " +
	"AND DATE_FORMAT(`t0`.`ts`, '%Y-%m') = '2026-06' AND WEEK(`t0`.`ts`, 3) BETWEEN 1 AND 53 AND `t0`.`hour` >= 0 " +
	"GROUP BY `t0`.`day`, `t0`.`service`, `h`.`name`, `p`.`protocol` HAVING SUM(`t0`.`bytes`) > 1000 AND COUNT(*) > 0 " +
	"ORDER BY `sum_bytes` DESC, `day`, `service` LIMIT 500"

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse(fiveJoins); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile is all that stands between a statement and DuckDB: parsed,
// compiled and written.
func BenchmarkCompile(b *testing.B) {
	env := testEnv()
	env.AllPackets = true
	for b.Loop() {
		st, err := Parse(fiveJoins)
		if err != nil {
			b.Fatal(err)
		}
		env.Session = newTestSession()
		p, err := Compile(b.Context(), st, env)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Text(symbolic{}); err != nil {
			b.Fatal(err)
		}
	}
}
