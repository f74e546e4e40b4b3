package pushdown

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// The SELECT behind a relation: which stored columns a relation's columns are
// made of. A relation is a projection of one family of row files (tables
// "Row structs"), so all that is needed is an expression per column and, for
// names of hosts, a join with the leases.

// FileRef is a row file to read.
type FileRef struct {
	Path string
	// Rows are so many as the file has; 0 when that is not known.
	Rows int64
	// Columns are the stored columns the file has, as the fields' col tags
	// name them; nil means all. A column that is NULL in every row is not
	// written, and older files lack newer columns.
	Columns []string
	// Except, when not empty, is a DuckDB table of conn_id and site ('' for
	// the default one): connections of the file that are not to be read.
	Except string
	// Settled, when not empty, is a DuckDB table with the settledColumns of
	// rows of exports whose file lacks them, by flow_id.
	Settled string
	// Replaced, Assigned and Joined, when not empty, are row files of what was
	// decided about rows of the file: connections that are not to be read, other
	// settledColumns of rows of exports, other joinedColumns of metered rows.
	Replaced, Assigned, Joined string
	// JoinedTable is a DuckDB table that says the same as Joined.
	JoinedTable string
}

// decided is what other columns rows have than their file says, if any: the
// relation that says so, of flow_id and ts, and the columns.
func (f *FileRef) decided() (from string, columns []string) {
	switch {
	case f.Assigned != "":
		return filesSQL(f.Assigned), settledColumns
	case f.Joined != "":
		return filesSQL(f.Joined), joinedColumns
	case f.JoinedTable != "":
		return quoteIdent(f.JoinedTable), joinedColumns
	}
	return "", nil
}

// settledColumns are what compaction adds to rows of exports, joinedColumns what
// it sets of metered rows that several sensors' are one conversation of.
var (
	settledColumns = []string{"conn_id", "segments", "cut_packets"}
	joinedColumns  = []string{"conn_id", "joined_id", "metered_id"}
)

// Source is what a relation is read from.
type Source struct {
	// Files are the row files of the relation's families (Families), pruned.
	Files map[string][]FileRef
	// Tables are relations of DuckDB with rows of a family that are in none of
	// Files, by family; they have all of its stored columns.
	Tables map[string][]string
	// Missing tells that packets of some segment are gone, Lossy that some
	// sensor lost packets. Which and when answer the functions
	// wiresql_gone(segments), 0 for none of them, 1 for some, 2 for all, 3 for all
	// where none was evicted, and
	// wiresql_lost(sensor, ts, ts_end): packet_status is computed from both. When
	// answers wiresql_evicted_at(segments).
	Missing, Lossy bool
	// Hosts is the DuckDB table of leases: name, ip_hi, ip_lo, mac, ts,
	// ts_end, source, site (NULL for the default site), with the types of
	// tables.Name. Empty: no names are known.
	Hosts string
	// Segments is the DuckDB table behind ops.segments, with that relation's
	// columns. Whether a file is still there is no fact of the archive, so it
	// does not come from row files.
	Segments string
	// Reads, when not nil, is told which stored columns of a family are read.
	Reads func(family string, columns []string)
	// counted: rows of which no column is needed stand for as many as one says.
	counted bool
}

// rows reads the stored columns of a family.
func (s Source) rows(family string, needed []Field) string {
	if s.Reads != nil {
		columns := make([]string, len(needed))
		for i, f := range needed {
			columns[i] = f.Name
		}
		s.Reads(family, columns)
	}
	return rowsSQL(s.Files[family], s.Tables[family], needed, s.counted)
}

// has tells whether there are rows of a family.
func (s Source) has(family string) bool {
	return len(s.Files[family]) > 0 || len(s.Tables[family]) > 0
}

// FlowIndex and OtherIndex are flow rows and rows of packets without a flow as
// index entries of their packets: what a key plan selects from and a roll-up
// counts from. They are not in the catalogue of SQL users.
var (
	FlowIndex = &tables.Relation{Schema: "index", Name: "flows", Columns: []tables.Column{
		{Name: "ts", Kind: tables.Timestamp, NotNull: true},
		{Name: "ts_end", Kind: tables.Timestamp, NotNull: true},
		{Name: "sensor", Kind: tables.Text},
		{Name: "src_ip", Kind: tables.Address, NotNull: true},
		{Name: "src_port", Kind: tables.Int, NotNull: true},
		{Name: "dst_ip", Kind: tables.Address, NotNull: true},
		{Name: "dst_port", Kind: tables.Int, NotNull: true},
		{Name: "protocol", Kind: tables.Text, NotNull: true},
		{Name: "protocol_number", Kind: tables.Int, NotNull: true},
		{Name: "vlan", Kind: tables.Int},
		{Name: "packets", Kind: tables.BigInt, NotNull: true},
		{Name: "reverse_packets", Kind: tables.BigInt},
		{Name: "wire_bytes", Kind: tables.BigInt},
		{Name: "reverse_wire_bytes", Kind: tables.BigInt},
		{Name: "community_id", Kind: tables.CommunityID},
		{Name: "flow_id", Kind: tables.Identifier, NotNull: true},
		{Name: "conn_id", Kind: tables.Identifier, NotNull: true},
		{Name: "flows_folded", Kind: tables.BigInt},
		{Name: "postings", Kind: tables.Bytes},
	}}
	OtherIndex = &tables.Relation{Schema: "index", Name: "other", Columns: []tables.Column{
		{Name: "ts", Kind: tables.Timestamp, NotNull: true},
		{Name: "ts_end", Kind: tables.Timestamp, NotNull: true},
		{Name: "sensor", Kind: tables.Text},
		{Name: "packets", Kind: tables.BigInt, NotNull: true},
		{Name: "wire_bytes", Kind: tables.BigInt, NotNull: true},
		{Name: "postings", Kind: tables.Bytes},
	}}
)

// Families names the families of row files a relation is read from. There are
// none for relations that are not: packets (read from segments), hosts and
// ops.segments (tables in memory).
func Families(rel *tables.Relation) []string {
	var out []string
	for v := views[rel]; v != nil; v = v.also {
		for _, f := range append([]string{v.family}, v.beside...) {
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// IsPackets tells whether a relation's rows are packets, which come from
// segments by way of a key plan and never from row files.
func IsPackets(rel *tables.Relation) bool {
	return rel == tables.Packets || rel == tables.PacketsWide || rel == tables.PacketBytes
}

// Field is a column as DuckDB sees it.
type Field struct{ Name, Type string }

// Fields lists the DuckDB columns that make up a relation's columns: two for
// an Address (x_hi, x_lo), two for a CommunityID (cid and the text), one for
// all others. A name that is no column of the relation is a stored column of
// its family, such as cid or postings.
func Fields(rel *tables.Relation, cols []string) ([]Field, error) {
	var out []Field
	add := func(f Field) {
		if !slices.Contains(out, f) {
			out = append(out, f)
		}
	}
	for _, name := range cols {
		c := rel.Column(name)
		if name == rowsThere {
			add(Field{name, "BIGINT"})
			continue
		}
		if c == nil {
			typ := ""
			if views[rel] != nil {
				for v := views[rel]; v != nil && typ == ""; v = v.also {
					typ = storedTypes(v.row)[name]
				}
			} else if name == "cid" && rel.Column("community_id") != nil {
				typ = "UBIGINT"
			}
			if typ == "" {
				return nil, fmt.Errorf("relation %s has no column %q", rel.Name, name)
			}
			add(Field{name, typ})
			continue
		}
		for _, part := range c.Kind.Columns(name) {
			add(Field{part.Name, part.Type.Duck()})
		}
	}
	return out, nil
}

// storedTypes are the DuckDB types of a row struct's stored columns.
func storedTypes(row reflect.Type) map[string]string {
	m := map[string]string{}
	for _, c := range tables.StoredColumns(row) {
		m[c.Name] = c.Type.Duck()
	}
	return m
}

// RelationSQL is a SELECT that puts out Fields(rel, cols) from src. It needs
// the macros of Setup and the functions wiresql_community_id, wiresql_gone,
// wiresql_evicted_at and wiresql_lost.
func RelationSQL(rel *tables.Relation, cols []string, src Source) (string, error) {
	fields, err := Fields(rel, cols)
	if err != nil {
		return "", err
	}
	switch {
	case rel == tables.Hosts:
		return tableSQL(fields, src.Hosts), nil
	case rel == tables.OpsSegments:
		return tableSQL(fields, src.Segments), nil
	case views[rel] == nil:
		return "", fmt.Errorf("relation %s is not read from row files", rel.Name)
	}
	src.counted = len(cols) == 1 && cols[0] == rowsThere
	var parts []string
	for v := views[rel]; v != nil; v = v.also {
		if src.has(v.family) {
			parts = append(parts, v.text(fields, src))
		}
	}
	if parts == nil {
		return views[rel].text(fields, Source{}), nil
	}
	return strings.Join(parts, "\nUNION ALL\n"), nil
}

// ReadsHosts tells whether columns of a relation are made of the leases.
func ReadsHosts(rel *tables.Relation, cols []string) bool {
	for v := views[rel]; v != nil; v = v.also {
		if slices.ContainsFunc(cols, func(c string) bool { return v.hosts[c] != "" }) {
			return true
		}
	}
	return rel == tables.Hosts
}

func tableSQL(fields []Field, table string) string {
	if table == "" {
		return "SELECT " + nulls(fields) + " WHERE false"
	}
	return "SELECT " + fieldNames(fields) + " FROM " + quoteIdent(table)
}

func fieldNames(fields []Field) string {
	if len(fields) == 0 {
		return "1 AS one"
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = quoteIdent(f.Name)
	}
	return strings.Join(names, ", ")
}

// text writes the SELECT of one view.
func (v *view) text(fields []Field, src Source) string {
	if v.make != nil {
		return v.make(fields, src)
	}
	types := storedTypes(v.row)
	var needed []Field
	// stored replaces {x} by r.x and notes that x is read.
	stored := func(template string) string {
		return expand(template, func(name string) string {
			f := Field{name, types[name]}
			if !slices.Contains(needed, f) {
				needed = append(needed, f)
			}
			return "r." + quoteIdent(name)
		})
	}
	var out, joins []string
	for _, f := range fields {
		expr, ok := v.exprs[f.Name]
		switch {
		case f.Name == rowsThere:
			expr = "r.one"
		case f.Name == packetStatus && !ok:
			expr = src.packetStatus(types["sensor"] != "")
		case f.Name == evictedAt && types[f.Name] == "":
			if expr = "NULL::" + f.Type; src.Missing {
				expr = "wiresql_evicted_at({segments})"
			}
		case f.Name == "service" && v.ports:
			joins = append(joins, stored(portServices("d", "dst")), stored(portServices("s", "src")))
			expr = exprService
		case v.hosts[f.Name] != "":
			if src.Hosts == "" {
				expr = "NULL::VARCHAR"
				break
			}
			alias := fmt.Sprintf("h%d", len(joins))
			addr := v.hosts[f.Name]
			joins = append(joins, stored(fmt.Sprintf("\n  LEFT JOIN %[1]s %[2]s ON %[2]s.ip_hi = {%[3]s_hi} AND %[2]s.ip_lo = {%[3]s_lo}"+
				" AND coalesce(%[2]s.site, '') = coalesce({site}, '') AND {ts} >= %[2]s.ts AND {ts} < %[2]s.ts_end",
				quoteIdent(src.Hosts), alias, addr)))
			expr = alias + ".name"
		case !ok && types[f.Name] == "": // the relation's other views have it
			expr = "NULL::" + f.Type
		case !ok:
			expr = "{" + f.Name + "}"
		}
		expr = stored(expr)
		if expr != "r."+quoteIdent(f.Name) {
			expr += " AS " + quoteIdent(f.Name)
		}
		out = append(out, expr)
	}
	if len(out) == 0 { // COUNT(*)
		out = []string{"1 AS one"}
	}
	where := ""
	if v.where != "" {
		where = "\n  WHERE " + stored(v.where)
	}
	group := ""
	if v.group != nil {
		var by []string
		for _, key := range v.group {
			by = append(by, stored(key))
		}
		group = "\n  GROUP BY " + strings.Join(by, ", ")
		if v.having != "" {
			group += "\n  HAVING " + stored(v.having)
		}
	}
	return "SELECT " + strings.Join(out, ", ") + "\n  FROM " + src.rows(v.family, needed) + " r" +
		strings.Join(joins, "") + where + group
}

// rowsSQL reads the stored columns from files: one list for files that have
// the same of the needed columns, the others appended with typed NULLs, then
// the rows of a table. Rows of which nothing is needed are a column one: 1, or
// together, of a row in place of all of a file, how many they are. DuckDB's union_by_name does the same at 1.5 times the
// cost.
func rowsSQL(files []FileRef, tables []string, needed []Field, together bool) string {
	type group struct {
		FileRef
		missing map[string]bool
		paths   []string
	}
	var order []string
	groups := map[string]*group{}
	counted := int64(0) // rows nothing is asked of but that they are there
	for _, f := range files {
		if len(needed) == 0 && f.Rows > 0 && f.Except+f.Replaced == "" {
			counted += f.Rows
			continue
		}
		g := &group{missing: map[string]bool{}, FileRef: FileRef{Except: f.Except, Replaced: f.Replaced}}
		key := f.Except + ";" + f.Replaced + ";"
		decisions, decided := f.decided()
		for _, n := range needed {
			switch {
			case f.Settled != "" && slices.Contains(settledColumns, n.Name):
				g.Settled = f.Settled
			case f.Columns != nil && !slices.Contains(f.Columns, n.Name):
				g.missing[n.Name] = true
				key += n.Name + ","
			}
			if slices.Contains(decided, n.Name) {
				g.Assigned, g.Joined, g.JoinedTable = f.Assigned, f.Joined, f.JoinedTable
			}
		}
		if from, _ := g.decided(); from == "" {
			decisions = ""
		}
		key += ";" + g.Settled + ";" + decisions
		if groups[key] == nil {
			groups[key] = g
			order = append(order, key)
		}
		groups[key].paths = append(groups[key].paths, f.Path)
	}
	if len(files) == 0 && len(tables) == 0 {
		return "(SELECT " + nulls(needed) + " WHERE false)"
	}
	var parts []string
	if counted > 0 {
		part := fmt.Sprintf("SELECT %d AS one", counted)
		if !together {
			part = fmt.Sprintf("SELECT 1 AS one FROM range(%d)", counted)
		}
		parts = append(parts, part)
	}
	for _, key := range order {
		g := groups[key]
		list := filesSQL(g.paths...)
		if len(order) == 1 && counted == 0 && !together && len(g.missing) == 0 && len(tables) == 0 && g.Except+g.Settled+g.Replaced+g.Assigned+g.Joined+g.JoinedTable == "" {
			return list
		}
		cols := make([]string, len(needed))
		decisions, decided := g.decided()
		for i, n := range needed {
			name := quoteIdent(n.Name)
			cols[i] = "p." + name
			switch {
			case g.Settled != "" && slices.Contains(settledColumns, n.Name):
				cols[i] = "s." + name
			case g.missing[n.Name]:
				cols[i] = "NULL::" + n.Type + " AS " + name
			}
			if slices.Contains(decided, n.Name) {
				cols[i] = "CASE WHEN a.flow_id IS NULL THEN " + strings.TrimSuffix(cols[i], " AS "+name) + " ELSE a." + name + " END AS " + name
			}
		}
		if len(cols) == 0 {
			cols = []string{"1 AS one"}
		}
		part := "SELECT " + strings.Join(cols, ", ") + " FROM " + list + " p"
		if g.Settled != "" {
			part += " LEFT JOIN " + quoteIdent(g.Settled) + " s ON s.flow_id = p.flow_id"
		}
		if decisions != "" {
			part += " LEFT JOIN " + decisions + " a ON a.flow_id = p.flow_id AND a.ts = p.ts"
		}
		var not []string
		if g.Except != "" {
			not = append(not, quoteIdent(g.Except))
		}
		if g.Replaced != "" {
			not = append(not, filesSQL(g.Replaced))
		}
		for i, from := range not {
			not[i] = "NOT EXISTS (SELECT 1 FROM " + from + " x WHERE x.conn_id = p.conn_id AND coalesce(x.site, '') = coalesce(p.site, ''))"
		}
		if len(not) > 0 {
			part += " WHERE " + strings.Join(not, " AND ")
		}
		parts = append(parts, part)
	}
	for _, t := range tables {
		parts = append(parts, "SELECT "+fieldNames(needed)+" FROM "+t)
	}
	return "(" + strings.Join(parts, " UNION ALL ") + ")"
}

// filesSQL reads row files. Folders named a=b must not become columns.
func filesSQL(paths ...string) string {
	list := make([]string, len(paths))
	for i, path := range paths {
		list[i] = functions.Quote(path)
	}
	return "read_parquet([" + strings.Join(list, ", ") + "], hive_partitioning = false)"
}

func nulls(fields []Field) string {
	if len(fields) == 0 {
		return "1 AS one"
	}
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = "NULL::" + f.Type + " AS " + quoteIdent(f.Name)
	}
	return strings.Join(out, ", ")
}

// packetStatus is the first that holds, from gone to whole; the tests for what
// is gone or lossy are left out while nothing is. They are functions, since what
// is gone can be much. What a sensor lost is told by its own rows only.
func (s Source) packetStatus(ofSensor bool) string {
	var b strings.Builder
	when := func(test, status string) { b.WriteString(" WHEN " + test + " THEN " + functions.Quote(status)) }
	b.WriteString("CASE")
	when("{segments} IS NULL", tables.NotCaptured)
	if s.Missing {
		when("wiresql_gone({segments}) = 3", tables.Missing)
		when("wiresql_gone({segments}) = 2", tables.Evicted)
		when("wiresql_gone({segments}) = 1", tables.Partial)
	}
	if s.Lossy && ofSensor {
		when("wiresql_lost(coalesce({sensor}, ''), {ts}, {ts_end})", tables.Lossy)
	}
	when("{cut_packets} > 0", tables.Truncated)
	b.WriteString(" ELSE " + functions.Quote(tables.Available) + " END")
	return b.String()
}

// expand replaces every {name}.
func expand(template string, f func(name string) string) string {
	var b strings.Builder
	for {
		open := strings.IndexByte(template, '{')
		if open < 0 {
			return b.String() + template
		}
		end := open + strings.IndexByte(template[open:], '}')
		b.WriteString(template[:open] + f(template[open+1:end]))
		template = template[end+1:]
	}
}

func quoteIdent(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// quoteTime writes a TIMESTAMP; a year that has no four digits has no literal.
func quoteTime(t tables.Time) string {
	when := time.UnixMicro(int64(t)).UTC()
	if y := when.Year(); y < 1 || y > 9999 {
		return fmt.Sprintf("make_timestamp(%d)", int64(t))
	}
	return "TIMESTAMP '" + when.Format("2006-01-02 15:04:05.000000") + "'"
}

// Setup is the SQL that RelationSQL's texts rely on: macros, so that the query
// EXPLAIN shows stays readable. A protocol's or a flag set's name is looked up
// in a constant list made by package tables: 15 ns a row, and no second list
// of names.
func Setup() []string {
	protocols := make([]string, 256)
	for n := range protocols {
		protocols[n] = functions.Quote(tables.ProtocolName(uint8(n)))
	}
	flags := make([]string, 512)
	for bits := range flags {
		flags[bits] = functions.Quote(tables.TCPFlagsText(uint16(bits)))
	}
	return []string{
		"CREATE OR REPLACE MACRO wiresql_protocol(n) AS ([" + strings.Join(protocols, ", ") + "])[n + 1]",
		"CREATE OR REPLACE MACRO wiresql_tcp_flags(n) AS ([" + strings.Join(flags, ", ") + "])[(n & 511) + 1]",
		// Sums of counters end at the largest number: TRY, which is NULL where
		// the addition overflows, costs a third of adding in 128 bits.
		fmt.Sprintf("CREATE OR REPLACE MACRO wiresql_total(a, b) AS (coalesce(TRY(coalesce(a, 0) + coalesce(b, 0)), %d))", int64(tables.MaxCount)),
		fmt.Sprintf("CREATE OR REPLACE MACRO wiresql_count(n) AS (least(n, %d)::BIGINT)", int64(tables.MaxCount)),
		"CREATE OR REPLACE MACRO wiresql_inside(hi, lo) AS (" + liesIn(tables.Inside) + ")",
		"CREATE OR REPLACE MACRO wiresql_many(hi, lo) AS (" + liesIn(tables.ManyReceivers) + ")",
		"CREATE OR REPLACE MACRO wiresql_direction(client_hi, client_lo, server_hi, server_lo) AS (CASE" +
			" WHEN wiresql_inside(server_hi, server_lo) THEN CASE WHEN wiresql_inside(client_hi, client_lo)" +
			" THEN " + functions.Quote(tables.Internal) + " ELSE " + functions.Quote(tables.Inbound) + " END" +
			" WHEN wiresql_many(server_hi, server_lo) THEN " + functions.Quote(tables.ToMany) +
			" WHEN wiresql_inside(client_hi, client_lo) THEN " + functions.Quote(tables.Outbound) + " ELSE " + functions.Quote(tables.External) + " END)",
		servicesTable(),
	}
}

// servicesTable lists the services of ports, for rows that do not store theirs.
func servicesTable() string {
	var rows []string
	tables.Services(func(port uint16, proto uint8, name string) {
		rows = append(rows, fmt.Sprintf("(%d, %d, %s)", proto, port, functions.Quote(name)))
	})
	slices.Sort(rows)
	return "CREATE OR REPLACE TABLE wiresql_services AS SELECT * FROM (VALUES " + strings.Join(rows, ", ") + ") s(protocol, port, name)"
}

// liesIn tests whether an address lies in one of some networks. Those with an
// upper half of zeros, IPv4 among them, are told by the lower half alone.
func liesIn(networks []netip.Prefix) string {
	var low, high []string
	for _, p := range networks {
		first, last := tables.PrefixRange(p)
		if last.Hi == 0 {
			low = append(low, fmt.Sprintf("lo BETWEEN %d::UBIGINT AND %d::UBIGINT", first.Lo, last.Lo))
		} else { // no network of ours is longer than 64 bits here
			high = append(high, fmt.Sprintf("hi BETWEEN %d::UBIGINT AND %d::UBIGINT", first.Hi, last.Hi))
		}
	}
	return "CASE WHEN hi = 0 THEN " + strings.Join(low, " OR ") + " ELSE " + strings.Join(high, " OR ") + " END"
}
