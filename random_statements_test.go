package main

import "fmt"

// statement makes one of the shapes.
func (g *grammar) statement() *statement {
	shapes := []struct {
		name   string
		weight int
		make   func() (root *node, ordered bool)
	}{
		{"constants", 15, g.constants},
		{"filter", 16, g.filter},
		{"aggregate", 10, g.aggregate},
		{"group", 14, g.group},
		{"join", 10, g.join},
		{"window", 14, g.window},
		{"window over groups", 4, g.windowOverGroups},
		{"set operation", 6, g.setOperation},
		{"subquery", 9, g.subquery},
		{"with", 5, g.with},
		{"recursive", 2, g.recursive},
		{"derived", 4, g.derived},
		{"distinct", 4, g.distinct},
	}
	total := 0
	for _, s := range shapes {
		total += s.weight
	}
	at := g.IntN(total)
	for _, s := range shapes {
		if at -= s.weight; at < 0 {
			root, ordered := s.make()
			return &statement{root: root, shape: s.name, ordered: ordered}
		}
	}
	panic("no shape")
}

// constants computes without rows.
func (g *grammar) constants() (*node, bool) {
	var items []*node
	for range 3 + g.IntN(3) {
		items = append(items, g.any(3))
	}
	return g.make(ofNothing, "SELECT %s", g.named(items...)), true
}

var smallRelations = []string{"connections", "connections", "flows", "dns", "hosts", "host_flows"}

// where narrows what a statement reads.
func (g *grammar) where(depth int) *node {
	if g.chance(30) {
		return optional("")
	}
	return optional(" WHERE %s", g.truth(depth))
}

// few bounds rows of connections, with a condition that stays cheap.
const few = "server_port IN (22, 443, 8080)"

func (g *grammar) filter() (*node, bool) {
	relation := pick(g, smallRelations)
	g.see(relation, "")
	var items []*node
	for range 1 + g.IntN(3) {
		items = append(items, g.any(3))
	}
	n := len(items)
	columns := g.named(items...)
	if g.chance(40) {
		limit := optional(fmt.Sprintf(" LIMIT %d", 1+g.IntN(20)))
		if g.chance(30) {
			limit = optional(fmt.Sprintf(" LIMIT %d OFFSET %d", 1+g.IntN(20), g.IntN(10)))
		}
		for _, item := range columns.parts {
			item.optional = false // positions count them
		}
		return g.make(ofNothing, "SELECT %s FROM "+relation+"%s ORDER BY "+positions(n)+"%s", columns, g.where(3), limit), true
	}
	if g.chance(30) {
		// An expression over an alias, and then all columns.
		for _, item := range columns.parts {
			item.optional = false
		}
		return g.make(ofNothing, "SELECT %s FROM "+relation+"%s ORDER BY LENGTH("+fmt.Sprintf("x%d", g.alias)+") DESC, "+positions(n), columns, g.where(3)), true
	}
	return g.make(ofNothing, "SELECT %s FROM "+relation+"%s", columns, g.where(3)), false
}

// summary is an aggregate.
func (g *grammar) summary(d int) *node {
	distinct := ""
	if g.chance(20) {
		distinct = "DISTINCT "
	}
	switch g.IntN(14) {
	case 0, 1:
		return g.make(ofNothing, "COUNT(*)")
	case 2:
		return g.make(ofNothing, "COUNT("+distinct+"%s)", g.any(d))
	case 3, 4:
		return g.make(ofNothing, "SUM("+distinct+"%s)", g.numeric(d))
	case 5, 6:
		return g.make(ofNothing, "AVG("+distinct+"%s)", g.numeric(d))
	case 7, 8:
		return g.make(ofNothing, pick(g, []string{"MIN", "MAX"})+"(%s)", g.any(d))
	case 9:
		return &node{format: "GROUP_CONCAT(" + distinct + "%s ORDER BY %s" + pick(g, []string{"", " DESC"}) + pick(g, []string{"", " SEPARATOR ';'"}) + ")", parts: []*node{g.of(pick(g, []kind{ofNumber, ofText}), d)}}
	case 10:
		name := pick(g, []string{"STDDEV", "STD", "STDDEV_SAMP", "VARIANCE", "VAR_POP", "VAR_SAMP"})
		return &node{format: name + "(%s)", maria: name + "(%s * 1e0)", parts: []*node{g.leaf(ofNumber)}}
	case 11:
		return g.make(ofNothing, pick(g, []string{"BIT_AND", "BIT_OR", "BIT_XOR"})+"(%s)", g.of(ofNumber, d))
	case 12:
		return g.make(ofNothing, "SUM(%s)", g.truth(d))
	}
	return g.make(ofNothing, pick(g, []string{"MAX", "MIN", "SUM"})+"(CASE WHEN %s THEN %s END)", g.truth(d), g.numeric(d))
}

// summaries are aggregates, some with an expression around them.
func (g *grammar) summaries(n, d int) []*node {
	var out []*node
	for range n {
		s := g.summary(d)
		switch g.IntN(8) {
		case 0:
			s = g.make(ofNothing, "COALESCE(%s, 0)", g.make(ofNothing, "SUM(%s)", g.of(pick(g, []kind{ofNumber, ofExact}), d)))
		case 1:
			s = g.make(ofNothing, "ROUND(100 * SUM(%s) / COUNT(*), 2)", g.truth(d))
		case 2:
			s = g.make(ofNothing, "SUM(%s) / NULLIF(SUM(%s), 0)", g.leaf(ofNumber), g.leaf(ofNumber))
		}
		out = append(out, s)
	}
	return out
}

func (g *grammar) aggregate() (*node, bool) {
	relation := pick(g, smallRelations)
	g.see(relation, "")
	return g.make(ofNothing, "SELECT %s FROM "+relation+"%s", g.named(g.summaries(2+g.IntN(3), 2)...), g.where(2)), true
}

func (g *grammar) group() (*node, bool) {
	relation := pick(g, smallRelations)
	g.see(relation, "")
	key := g.of(pick(g, []kind{ofNumber, ofText, ofText, ofText, ofDay, ofTruth, ofMoment}), g.IntN(3))
	if g.chance(50) {
		key = g.leaf(ofText)
	}
	by := "x1"
	if g.chance(40) {
		by = "1"
	}
	columns := list(", ", g.make(ofNothing, "%s AS x1", key))
	g.alias = 1
	columns.parts = append(columns.parts, g.named(g.summaries(1+g.IntN(3), 2)...).parts...)
	if g.chance(15) {
		return g.make(ofNothing, "SELECT %s FROM "+relation+"%s GROUP BY "+by+" WITH ROLLUP", columns, g.where(2)), false
	}
	having := optional("")
	if g.chance(35) {
		having = optional(" HAVING %s", g.make(ofNothing, pick(g, []string{"COUNT(*) > 2 OR MAX(%s) IS NULL", "SUM(%s) > 1000", "MAX(%s) >= 80", "COUNT(DISTINCT %s) > 1", "AVG(%s) < 500.5"}), g.leaf(ofNumber)))
	}
	if g.chance(40) {
		n := len(columns.parts)
		for _, item := range columns.parts {
			item.optional = false
		}
		return g.make(ofNothing, "SELECT %s FROM "+relation+"%s GROUP BY "+by+"%s ORDER BY "+positions(n)+fmt.Sprintf(" LIMIT %d", 1+g.IntN(10)), columns, g.where(2), having), true
	}
	return g.make(ofNothing, "SELECT %s FROM "+relation+"%s GROUP BY "+by+"%s", columns, g.where(2), having), false
}

func (g *grammar) join() (*node, bool) {
	left, right := "connections", pick(g, []string{"flows", "dns", "hosts", "connections"})
	kind := pick(g, []string{"JOIN", "INNER JOIN", "LEFT JOIN", "RIGHT JOIN", "LEFT OUTER JOIN"})
	g.see(left, "a")
	g.see(right, "b")
	var on *node
	switch {
	case right == "hosts":
		on = g.make(ofNothing, " ON "+pick(g, []string{"a.client_ip = b.ip", "a.client_host = b.name", "a.server_name = b.name", "a.client_ip = b.ip AND a.ts >= b.ts AND a.ts < b.ts_end"})+"%s", optional(" AND %s", g.truth(1)))
	case g.chance(40):
		on = g.make(ofNothing, " USING (conn_id)")
	default:
		on = g.make(ofNothing, " ON a.conn_id = b.conn_id%s", optional(" AND %s", g.truth(2)))
	}
	if g.chance(10) {
		kind, on = "CROSS JOIN", g.make(ofNothing, "")
		right = "hosts"
		g.scope = nil
		g.see(left, "a")
		g.see(right, "b")
	}
	from := "%s FROM " + left + " a " + kind + " " + right + " b%s%s"
	if g.chance(50) {
		return g.make(ofNothing, "SELECT "+from, g.named(g.summaries(2, 2)...), on, g.where(2)), true
	}
	key := g.make(ofNothing, "%s AS x1", g.leaf(ofText))
	g.alias = 1
	items := append([]*node{key}, g.named(g.summaries(2, 1)...).parts...)
	return g.make(ofNothing, "SELECT "+from+" GROUP BY x1", list(", ", items...), on, g.where(2)), false
}

// micros stands in for times in RANGE frames, which MariaDB has for numbers.
const micros = "TIMESTAMPDIFF(MICROSECOND, '2026-01-01', ts)"

// frame is a window's order and frame, for both.
func (g *grammar) frame() (ours, maria string) {
	desc := pick(g, []string{"", "", " DESC"})
	// No frame ends before it begins: MariaDB finds rows in some of those.
	frames := func(values []string) string {
		near, far := pick(g, values[:2]), pick(g, values[1:])
		return pick(g, []string{" UNBOUNDED PRECEDING", " CURRENT ROW", " " + far + " PRECEDING",
			" BETWEEN " + far + " PRECEDING AND CURRENT ROW", " BETWEEN " + far + " PRECEDING AND " + near + " PRECEDING", " BETWEEN UNBOUNDED PRECEDING AND " + near + " PRECEDING",
			" BETWEEN " + near + " PRECEDING AND " + far + " FOLLOWING", " BETWEEN CURRENT ROW AND " + far + " FOLLOWING", " BETWEEN " + near + " FOLLOWING AND " + far + " FOLLOWING",
			" BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " BETWEEN " + near + " FOLLOWING AND UNBOUNDED FOLLOWING", " BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING"})
	}
	switch g.IntN(5) {
	case 0:
		return "ORDER BY ts" + desc + ", conn_id", ""
	case 1:
		order := pick(g, []string{"bytes", "ts", "server_port", "duration", "service"}) + desc + ", conn_id"
		return "ORDER BY " + order + " ROWS" + frames([]string{"1", "2", "5"}), ""
	case 2:
		return "ORDER BY " + pick(g, []string{"bytes", "server_port", "packets", "bytes DIV 100"}) + desc + " RANGE" + frames([]string{"1", "10", "100", "1000"}), ""
	case 3:
		units := []struct{ ours, maria string }{{"INTERVAL 30 SECOND", "30000000"}, {"INTERVAL 1 MINUTE", "60000000"}, {"INTERVAL 250000 MICROSECOND", "250000"},
			{"INTERVAL '1:30' MINUTE_SECOND", "90000000"}, {"INTERVAL 1 HOUR", "3600000000"}}
		u := pick(g, units)
		forms := []string{" RANGE %s PRECEDING", " RANGE BETWEEN %s PRECEDING AND CURRENT ROW", " RANGE BETWEEN CURRENT ROW AND %s FOLLOWING",
			" RANGE BETWEEN %s PRECEDING AND %s FOLLOWING", " RANGE BETWEEN UNBOUNDED PRECEDING AND %s PRECEDING"}
		f := &node{format: pick(g, forms)}
		f.parts = []*node{{format: u.ours, maria: u.maria}}
		return "ORDER BY ts" + desc + f.text(false), "ORDER BY " + micros + desc + f.text(true)
	}
	return "ORDER BY " + pick(g, []string{"server_port", "protocol", "bytes"}) + desc, ""
}

func (g *grammar) window() (*node, bool) {
	g.see("connections", "")
	partition := pick(g, []string{"", "", "PARTITION BY protocol ", "PARTITION BY client_ip ", "PARTITION BY server_port DIV 100 ", "PARTITION BY server_name IS NULL, protocol "})
	filter := optional(" WHERE %s", g.truth(1))
	if g.chance(60) {
		filter = g.make(ofNothing, " WHERE "+pick(g, []string{few, "protocol = 'tcp' AND bytes > 5000", "protocol LIKE 'icmp%'", "packets > 20"}))
	}
	named := g.chance(20)
	order, orderMaria := g.frame()
	if orderMaria == "" {
		orderMaria = order
	}
	over := func(ours, maria string) (string, string) {
		if named {
			return " OVER w", " OVER w"
		}
		return " OVER (" + ours + ")", " OVER (" + maria + ")"
	}
	ours, maria := over(partition+order, partition+orderMaria)
	total := "ORDER BY ts, conn_id"
	var items []*node
	for range 1 + g.IntN(3) {
		items = append(items, g.windowFunction(ours, maria, partition, total))
	}
	end := ""
	endMaria := ""
	if named {
		end, endMaria = " WINDOW w AS ("+partition+order+")", " WINDOW w AS ("+partition+orderMaria+")"
	}
	return &node{format: "SELECT conn_id, %s FROM connections%s" + end, maria: "SELECT conn_id, %s FROM connections%s" + endMaria,
		parts: []*node{g.named(items...), filter}}, false
}

// windowFunction is one over a frame, or over a total order where it has none.
func (g *grammar) windowFunction(ours, maria, partition, total string) *node {
	both := func(format string, parts ...*node) *node {
		return &node{format: format + ours, maria: format + maria, parts: parts}
	}
	ranked := " OVER (" + partition + pick(g, []string{"ORDER BY bytes", "ORDER BY server_port DESC", "ORDER BY protocol, packets"}) + ")"
	numbered := " OVER (" + partition + total + ")"
	n := fmt.Sprint(1 + g.IntN(3))
	switch g.IntN(14) {
	case 0:
		return g.make(ofNothing, "ROW_NUMBER()"+numbered)
	case 1:
		return g.make(ofNothing, pick(g, []string{"RANK()", "DENSE_RANK()"})+ranked)
	case 2:
		return g.make(ofNothing, "NTILE("+n+")"+numbered)
	case 3:
		return &node{format: "CUME_DIST()" + ranked, maria: "COUNT(*)" + ranked + " / 1e0 / COUNT(*) OVER (" + partition + ")"}
	case 4:
		return &node{format: "PERCENT_RANK()" + ranked, maria: "COALESCE((RANK()" + ranked + " - 1e0) / NULLIF(COUNT(*) OVER (" + partition + ") - 1, 0), 0e0)"}
	case 5:
		return g.make(ofNothing, pick(g, []string{"LAG", "LEAD"})+"(%s, "+n+")"+numbered, g.any(1))
	case 6:
		name, column := pick(g, []string{"LAG", "LEAD"}), pick(g, []string{"bytes", "packets", "server_port"})
		return &node{format: name + "(" + column + ", " + n + ", -7)" + numbered, maria: "COALESCE(" + name + "(" + column + ", " + n + ")" + numbered + ", -7)"}
	case 7:
		rows := pick(g, []string{"", " ROWS 2 PRECEDING", " ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING", " ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING"})
		return g.make(ofNothing, pick(g, []string{"FIRST_VALUE", "LAST_VALUE"})+"("+pick(g, []string{"bytes", "service", "ts", "conn_id"})+") OVER ("+partition+total+rows+")")
	case 8:
		return g.make(ofNothing, "NTH_VALUE(%s, "+n+")"+numbered, g.any(1))
	case 9:
		return both("COUNT(%s)", g.any(1))
	case 10:
		return both(pick(g, []string{"MIN(%s)", "MAX(%s)"}), g.of(pick(g, []kind{ofNumber, ofExact, ofMoment}), 1))
	case 11:
		return both("AVG(%s)", g.of(pick(g, []kind{ofNumber, ofExact}), 1))
	case 12:
		return both("SUM(%s)", g.of(pick(g, []kind{ofNumber, ofExact}), 1))
	}
	return both("COUNT(*)")
}

func (g *grammar) windowOverGroups() (*node, bool) {
	g.see("connections", "")
	key := g.leaf(ofText)
	g.alias = 1
	forms := []string{"SUM(SUM(%s)) OVER ()", "100 * SUM(%s) / SUM(SUM(%s)) OVER ()", "RANK() OVER (ORDER BY SUM(%s) DESC)", "DENSE_RANK() OVER (ORDER BY COUNT(*), MAX(%s))",
		"AVG(COUNT(%s)) OVER ()", "SUM(COUNT(*)) OVER (ORDER BY MAX(%s))", "MAX(SUM(%s)) OVER ()", "COUNT(*) - AVG(COUNT(*)) OVER () + 0 * SUM(%s)"}
	items := []*node{g.make(ofNothing, "%s AS x1", key)}
	for range 1 + g.IntN(2) {
		items = append(items, g.named(g.make(ofNothing, pick(g, forms), g.leaf(ofNumber))).parts...)
	}
	items = append(items, g.named(g.summary(1)).parts...)
	return g.make(ofNothing, "SELECT %s FROM connections%s GROUP BY x1%s", list(", ", items...), g.where(1), optional(" HAVING COUNT(*) > 1")), false
}

func (g *grammar) setOperation() (*node, bool) {
	op := pick(g, []string{" UNION ", " UNION ALL ", " INTERSECT ", " EXCEPT ", " INTERSECT ALL ", " EXCEPT ALL ", " UNION DISTINCT "})
	kinds := []kind{pick(g, []kind{ofNumber, ofText, ofDay, ofMoment}), pick(g, []kind{ofNumber, ofExact, ofText})}
	side := func(depth int) *node {
		relation := pick(g, []string{"connections", "flows", "dns"})
		g.scope = nil
		g.see(relation, "")
		a, b := g.of(kinds[0], depth), g.of(kinds[1], depth)
		return g.make(ofNothing, "SELECT %s AS a, %s AS b FROM "+relation+"%s", a, b, g.where(1))
	}
	parts := []*node{side(1), side(1)}
	format := "%s" + op + "%s"
	if g.chance(25) {
		parts = append(parts, side(0))
		format += pick(g, []string{" UNION ", " INTERSECT ", " EXCEPT "}) + "%s"
	}
	if g.chance(40) {
		return g.make(ofNothing, format+fmt.Sprintf(" ORDER BY 1, 2 LIMIT %d", 3+g.IntN(10)), parts...), true
	}
	return g.make(ofNothing, format, parts...), false
}

func (g *grammar) subquery() (*node, bool) {
	inner := pick(g, []string{"flows", "dns", "connections"})
	correlated := g.chance(50)
	g.see("connections", "a")
	outer := g.scope
	var condition *node
	g.within(nil, func() {
		g.see(inner, "b")
		narrow := g.where(1)
		link := ""
		if correlated {
			link = pick(g, []string{"b.conn_id = a.conn_id", "b.protocol = a.protocol", "b.ts > a.ts"})
			narrow = &node{format: " WHERE " + link + "%s", parts: []*node{optional(" AND %s", g.truth(1))}}
		}
		from := " FROM " + inner + " b%s"
		n, s := g.of(ofNumber, 1), g.leaf(ofText)
		g.within(outer, func() {
			x, y := g.of(ofNumber, 1), g.leaf(ofText)
			switch g.IntN(8) {
			case 0:
				condition = g.make(ofTruth, "%s "+pick(g, []string{"IN", "NOT IN"})+" (SELECT %s"+from+")", x, n, narrow)
			case 1:
				condition = g.make(ofTruth, "%s "+pick(g, []string{"IN", "NOT IN"})+" (SELECT %s"+from+")", y, s, narrow)
			case 2:
				condition = g.make(ofTruth, pick(g, []string{"EXISTS", "NOT EXISTS"})+" (SELECT 1"+from+")", narrow)
			case 3:
				condition = g.make(ofTruth, "%s "+pick(g, []string{"=", "<>", "<", ">=", ">"})+" "+pick(g, []string{"ANY", "ALL", "SOME"})+" (SELECT %s"+from+")", x, n, narrow)
			case 4:
				condition = g.make(ofTruth, "%s > (SELECT "+pick(g, []string{"AVG", "MAX", "MIN", "SUM", "COUNT"})+"(%s)"+from+")", x, n, narrow)
			case 5:
				condition = g.make(ofTruth, "(%s, %s) IN (SELECT %s, %s"+from+")", x, y, n, s, narrow)
			case 6:
				condition = g.make(ofTruth, "(SELECT COUNT(*)"+from+") > 1", narrow)
			default:
				condition = g.make(ofTruth, "%s "+pick(g, comparisons)+" (SELECT MAX(%s)"+from+")", y, s, narrow)
			}
		})
	})
	if g.chance(25) {
		return g.make(ofNothing, "SELECT a.conn_id, (%s) AS x FROM connections a WHERE a."+few, condition), false
	}
	return g.make(ofNothing, "SELECT %s FROM connections a WHERE %s%s", g.named(g.summaries(1, 1)...), condition, optional(" AND %s", g.truth(1))), true
}

// inner makes a derived table's statement and the scope of its columns.
func (g *grammar) inner() (*node, map[kind][]string) {
	relation := pick(g, smallRelations)
	g.scope = nil
	g.see(relation, "")
	if g.chance(50) {
		n := g.make(ofNothing, "SELECT %s AS k, COUNT(*) AS n, SUM(%s) AS s, AVG(%s) AS d FROM "+relation+"%s GROUP BY k", g.leaf(ofText), g.leaf(ofNumber), g.leaf(ofNumber), g.where(1))
		return n, map[kind][]string{ofText: {"k"}, ofNumber: {"n"}, ofExact: {"s", "d"}}
	}
	n := g.make(ofNothing, "SELECT %s AS k, %s AS n, %s AS d, %s AS t FROM "+relation+"%s", g.of(ofText, 1), g.of(ofNumber, 1), g.of(ofExact, 1), g.of(ofMoment, 1), g.where(1))
	return n, map[kind][]string{ofText: {"k"}, ofNumber: {"n"}, ofExact: {"d"}, ofMoment: {"t"}}
}

func (g *grammar) derived() (*node, bool) {
	inner, scope := g.inner()
	g.scope = scope
	if g.chance(50) {
		return g.make(ofNothing, "SELECT %s FROM (%s) x%s", g.named(g.summaries(2, 1)...), inner, g.where(1)), true
	}
	return g.make(ofNothing, "SELECT %s FROM (%s) x%s", g.named(g.any(2), g.any(2)), inner, g.where(2)), false
}

func (g *grammar) with() (*node, bool) {
	inner, scope := g.inner()
	g.scope = scope
	if g.chance(40) {
		return g.make(ofNothing, "WITH x AS (%s) SELECT COUNT(*), MAX(a.n) FROM x a JOIN x b ON a.k = b.k%s", inner, optional(" AND a.n <= b.n")), true
	}
	return g.make(ofNothing, "WITH x AS (%s), y AS (SELECT * FROM x%s) SELECT %s FROM y%s", inner, g.where(1), g.named(g.summaries(2, 1)...), g.where(1)), true
}

func (g *grammar) recursive() (*node, bool) {
	g.scope = map[kind][]string{ofNumber: {"i"}}
	step := pick(g, []string{"i + 1", "i + 3", "i * 2 + 1"})
	limit := 5 + g.IntN(40)
	return g.make(ofNothing, fmt.Sprintf("WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT %s FROM r WHERE i < %d) SELECT i, ", step, limit)+"%s FROM r ORDER BY i", g.named(g.any(2))), true
}

func (g *grammar) distinct() (*node, bool) {
	relation := pick(g, smallRelations)
	g.see(relation, "")
	kinds := []kind{ofNumber, ofText, ofTruth, ofDay, ofExact}
	items := g.named(g.of(pick(g, kinds), 2), g.leaf(pick(g, []kind{ofText, ofNumber})))
	for _, item := range items.parts {
		item.optional = false
	}
	if g.chance(50) {
		return g.make(ofNothing, "SELECT DISTINCT %s FROM "+relation+"%s ORDER BY 1, 2"+fmt.Sprintf(" LIMIT %d", 2+g.IntN(10)), items, g.where(1)), true
	}
	return g.make(ofNothing, "SELECT DISTINCT %s FROM "+relation+"%s", items, g.where(1)), false
}
