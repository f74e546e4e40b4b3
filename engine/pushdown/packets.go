package pushdown

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// The key plan of a scan of packets: a statement over flow rows that finds, by
// their postings, every packet that can matter. A packet inherits most of what
// people ask for from its flow row: addresses and ports, this way round or the
// other, the protocol, the ids; and its time lies within the row's. So a
// condition on the packet becomes one on the row; what the row does not know
// (lengths, flags, VLANs, payload) is left to the statement itself.

// PacketPlan says how the packets of {{packets ID}} are found.
type PacketPlan struct {
	ID       int
	Relation *tables.Relation
	// Columns are those the statement refers to.
	Columns []string
	// Keys puts out a row per flow row, or row of packets without a flow,
	// with postings that may matter: flow_id and conn_id (NULL without a
	// flow), src_ip_hi, src_ip_lo, src_port and dst_port of the flow, bytes
	// (on the wire, of all its packets) and postings. The same row may come
	// more than once.
	Keys Query
	// Source, when not nil, is an alternative to run first: it puts out the
	// values of one column of flow rows, each once, and how many rows have it.
	// When they are few, write them as a list of numbers for {{keys}} in ByKey
	// and run that instead of Keys; when there is none there are no packets.
	Source *Query
	ByKey  Query
	// Stored, when not nil, says the same as Source of the rows in files.
	Stored *Stored
	// KeyColumn is the stored column the values are of, for blooms. KeyValues
	// are the values where the statement names them itself; then there is no
	// Source.
	KeyColumn string
	KeyValues []uint64
	// ByRow tells that the values, with From and To, say all that is known of
	// the flow rows, or enough: they may be looked up one by one, without a
	// statement.
	ByRow bool
	// IDs, when not nil, are the only packets that matter: the statement names
	// them, by packet_id or by segment and offset.
	IDs []tables.ID
	// From and To bound the packets' time as in Bounds.
	From, To tables.Time
	// Narrow tells whether anything limits the flow rows. Advice says what
	// would, when not.
	Narrow bool
	Advice string
}

const packetAdvice = "add a range of ts, an address or a port, or join from connections by conn_id"

// Columns of packets that every packet of a flow row shares with the row, and
// those of them that change places with the direction.
var (
	shared = map[string]string{"sensor": "sensor", "src_ip": "src_ip", "src_port": "src_port",
		"dst_ip": "dst_ip", "dst_port": "dst_port", "protocol": "protocol", "protocol_number": "protocol_number",
		"flow_id": "flow_id", "conn_id": "conn_id", "community_id": "community_id"}
	opposite = map[string]string{"src_ip": "dst_ip", "dst_ip": "src_ip", "src_port": "dst_port", "dst_port": "src_port"}
)

// varied are those of them in which the packets of a fold differ.
var varied = set("src_ip src_port community_id")

// noFlow are the columns that are NULL in packets without a flow.
var noFlow = set(`src_ip src_port dst_ip dst_port protocol protocol_number tcp_flags tcp_flags_number tcp_seq tcp_ack
	tcp_window payload_length ttl tos ip_id fragment flow_id conn_id community_id payload`)

// packetPlans makes the key plans of all scans of packets in a relation in
// normal form.
func (c *compiler) packetPlans(rel Rel) ([]*PacketPlan, error) {
	var plans []*PacketPlan
	var err error
	packetScans(rel, demand{}, func(s *Scan, d demand) {
		if err == nil {
			var p *PacketPlan
			p, err = c.packetPlan(s, d)
			plans = append(plans, p)
		}
	})
	slices.SortFunc(plans, func(a, b *PacketPlan) int { return a.ID - b.ID })
	return plans, err
}

func (c *compiler) packetPlan(s *Scan, d demand) (*PacketPlan, error) {
	p := &PacketPlan{ID: s.ID, Relation: s.Relation, From: MinTime, To: MaxTime}
	source, packet := map[ColumnID]Column{}, map[ColumnID]Column{}
	for _, rel := range d.sources {
		for _, col := range rel.Columns() {
			source[col.ID] = col
		}
	}
	null := map[ColumnID]bool{}
	for _, col := range s.Columns() {
		packet[col.ID] = col
		null[col.ID] = noFlow[col.Name]
	}
	for id, is := range null {
		if !is {
			delete(null, id)
		}
	}
	conds := settleConditions(d.conds, source, packet)
	for _, e := range conds {
		s.narrowBy(p, e)
	}
	p.IDs = s.named(conds)
	k := &keyPlan{c: c, packets: s, sources: d.sources, conds: conds, plan: p}
	arms := k.of(FlowIndex)
	p.Narrow = k.narrow
	if !slices.ContainsFunc(conds, func(e Expr) bool { return rejectsNull(e, null) }) {
		arms = append(arms, k.of(OtherIndex)...)
	}
	for _, a := range arms {
		q, err := a.query(c)
		if err != nil {
			return nil, err
		}
		p.Keys.dialect, p.Keys.parts = q.dialect, append(p.Keys.parts, q.parts...)
		p.Keys.Scans = append(p.Keys.Scans, q.Scans...)
	}
	if len(arms) == 1 {
		if err := k.byKey(arms[0]); err != nil {
			return nil, err
		}
	}
	if !p.Narrow {
		p.Advice = packetAdvice
	}
	return p, nil
}

// named are the packets that conditions name, nil when they name none.
func (s *Scan) named(conds []Expr) []tables.ID {
	var segment, offset []int64
	for _, e := range conds {
		x, ok := e.(*Call)
		if !ok || x.Op != "=" && x.Op != "in" || len(x.Args) > maxEqualities {
			continue
		}
		col, ok := x.Args[0].(*Col)
		if !ok {
			continue
		}
		var ids []tables.ID
		var numbers []int64
		for _, a := range x.Args[1:] {
			if l, ok := a.(*Literal); ok {
				switch v := l.Value.(type) {
				case tables.ID:
					ids = append(ids, v)
				case int64:
					numbers = append(numbers, v)
				}
			}
		}
		all := len(ids) == len(x.Args)-1 || len(numbers) == len(x.Args)-1
		switch name := col.name(s); {
		case !all:
		case name == "packet_id" && ids != nil:
			return ids
		case name == "segment" && len(numbers) == 1:
			segment = numbers
		case name == "offset":
			offset = numbers
		}
	}
	var out []tables.ID
	for _, at := range offset {
		if segment != nil && segment[0] >= 0 && segment[0] <= maxSegment && at >= 0 && at <= maxOffset {
			out = append(out, tables.PacketID(uint32(segment[0]), at))
		}
	}
	return out
}

// A packet's id is a segment's number and an offset in it.
const (
	maxSegment = 1<<28 - 1
	maxOffset  = 1<<36 - 1
)

// narrowBy bounds the packets' own time.
func (s *Scan) narrowBy(p *PacketPlan, e Expr) {
	b := Bounds{From: p.From, To: p.To}
	s.narrow(&b, e)
	p.From, p.To = b.From, b.To
}

// Stored asks for the values of a stored column in those rows of a family
// whose stored columns, all numbers, each have one of some values.
type Stored struct {
	Family, Column string
	Where          []Values
}

// Values are values of a stored column, as 64 bits.
type Values struct {
	Column string
	Any    []uint64
}

// keyPlan is a key plan in the making.
type keyPlan struct {
	c       *compiler
	packets *Scan
	sources []Rel
	conds   []Expr
	plan    *PacketPlan
	narrow  bool
}

// finder is one SELECT of a key plan: rows of an index that meet the conditions
// on them, and have a partner in each of the relations.
type finder struct {
	index    *Scan
	where    []Expr
	partners []partner
}

type partner struct {
	rel Rel
	on  []Expr
}

// maxArms bounds the SELECTs that an OR between columns is split into, so that
// each is a join by equality.
const maxArms = 8

// of makes the arms over an index.
func (k *keyPlan) of(index *tables.Relation) []*finder {
	f := k.c.scan(index)
	ways := []*mapping{newMapping(k.packets, f, false), newMapping(k.packets, f, true)}
	owner := map[ColumnID]int{}
	for i, rel := range k.sources {
		for _, col := range rel.Columns() {
			owner[col.ID] = i
		}
	}
	group := make([]int, len(k.sources)) // of sources that conditions tie together
	for i := range group {
		group[i] = i
	}
	var among []Expr                // conditions among sources
	var where, joins []Expr         // the same both ways
	var whereWay, joinWay [2][]Expr // where the direction matters
	for _, e := range k.conds {
		refs := map[ColumnID]bool{}
		references(e, refs)
		inside := map[ColumnID]bool{} // of subqueries
		walk(e, func(e Expr) {
			if s, ok := e.(*Subquery); ok {
				for id := range produced(s.Rel) {
					inside[id] = true
				}
			}
		})
		var touched []int
		foreign, own := false, false
		for id := range refs {
			i, ok := owner[id]
			switch {
			case ok:
				touched = append(touched, i)
			case k.packets.owns(id):
				own = true
			case !inside[id]:
				foreign = true
			}
		}
		if foreign || len(touched) > 0 && hasSubquery(e) {
			continue // a join has no subqueries in its condition
		}
		tie := func() {
			for _, t := range touched {
				from, to := group[t], group[touched[0]]
				for i := range group {
					if group[i] == from {
						group[i] = to
					}
				}
			}
		}
		if !own && len(touched) > 0 {
			among = append(among, e)
			tie()
			continue
		}
		there, ok := ways[0].implied(e)
		if !ok {
			continue
		}
		back, _ := ways[1].implied(e)
		twoWays := index == FlowIndex && ways[0].directional(e)
		switch {
		case len(touched) == 0 && twoWays:
			whereWay[0], whereWay[1] = append(whereWay[0], conjuncts(there)...), append(whereWay[1], conjuncts(back)...)
		case len(touched) == 0:
			where = append(where, conjuncts(there)...)
		case twoWays:
			joinWay[0], joinWay[1] = append(joinWay[0], conjuncts(there)...), append(joinWay[1], conjuncts(back)...)
			tie()
		default:
			joins = append(joins, conjuncts(there)...)
			tie()
		}
	}
	build := func(where, joins []Expr) *finder {
		a := &finder{index: f, where: where}
		for g := range group {
			var on []Expr
			for _, e := range joins {
				if slices.ContainsFunc(touches(e, owner), func(i int) bool { return group[i] == g }) {
					on = append(on, e)
				}
			}
			if len(on) > 0 {
				a.partners = append(a.partners, partner{k.partnerOf(g, group, among, owner), on})
			}
		}
		return a
	}
	var arms []*finder
	if len(joinWay[0]) == 0 {
		if len(whereWay[0]) > 0 {
			where = append(where, orOf(distinctTexts([]Expr{andOf(whereWay[0]), andOf(whereWay[1])})))
		}
		arms = append(arms, build(where, joins))
	} else {
		seen := map[string]bool{}
		for way := range ways {
			for _, branch := range branches(slices.Concat(joins, joinWay[way])) {
				w := slices.Concat(where, whereWay[way])
				var on []Expr
				for _, e := range branch {
					if len(touches(e, owner)) == 0 {
						w = append(w, e)
					} else {
						on = append(on, e)
					}
				}
				if key := conditionsText(slices.Concat(w, on)); !seen[key] {
					seen[key] = true
					arms = append(arms, build(w, on))
				}
			}
		}
	}
	if index == FlowIndex && k.c.env.Folds && slices.ContainsFunc(k.conds, k.varies) {
		// What tells the packets of a fold apart does not find its row.
		folds := &keyPlan{c: k.c, packets: k.packets, sources: k.sources, plan: k.plan, conds: slices.DeleteFunc(slices.Clone(k.conds), k.varies)}
		for _, a := range folds.of(index) {
			a.where = append(slices.Clip(a.where), not(call("is null", Bool, a.index.column("flows_folded"))))
			arms = append(arms, a)
		}
	}
	for _, a := range arms {
		k.narrow = k.narrow || index == FlowIndex && (len(a.where) > 0 || len(a.partners) > 0)
	}
	return arms
}

// varies tells whether a condition says of packets what those of a fold differ in.
func (k *keyPlan) varies(e Expr) bool {
	refs := map[ColumnID]bool{}
	references(e, refs)
	return slices.ContainsFunc(k.packets.Out, func(col Column) bool { return refs[col.ID] && varied[col.Name] })
}

// partnerOf joins the sources of a group.
func (k *keyPlan) partnerOf(g int, group []int, among []Expr, owner map[ColumnID]int) Rel {
	var todo []int
	for i := range group {
		if group[i] == g {
			todo = append(todo, i)
		}
	}
	in := map[int]bool{}
	rest := among
	within := func(e Expr) bool {
		return !slices.ContainsFunc(touches(e, owner), func(i int) bool { return !in[i] })
	}
	rel := k.sources[todo[0]]
	in[todo[0]] = true
	todo = todo[1:]
	take := func() []Expr {
		var now, later []Expr
		for _, e := range rest {
			if within(e) {
				now = append(now, e)
			} else {
				later = append(later, e)
			}
		}
		rest = later
		return now
	}
	rel = filter(rel, take())
	for len(todo) > 0 {
		// One that is tied to those before comes first.
		next := max(0, slices.IndexFunc(todo, func(i int) bool {
			in[i] = true
			defer delete(in, i)
			return slices.ContainsFunc(rest, within)
		}))
		i := todo[next]
		todo = slices.Delete(slices.Clone(todo), next, next+1)
		in[i] = true
		j := &Join{Kind: Inner, L: rel, R: k.sources[i], On: take()}
		if len(j.On) == 0 {
			j.Kind = Cross
		}
		rel = j
	}
	return rel
}

// touches lists the sources whose columns an expression has.
func touches(e Expr, owner map[ColumnID]int) []int {
	refs := map[ColumnID]bool{}
	references(e, refs)
	var out []int
	for id := range refs {
		if i, ok := owner[id]; ok && !slices.Contains(out, i) {
			out = append(out, i)
		}
	}
	slices.Sort(out)
	return out
}

// branches splits conditions without an equality to join by into alternatives
// that have one.
func branches(conds []Expr) [][]Expr {
	out := [][]Expr{nil}
	for _, e := range conds {
		alternatives := [][]Expr{{e}}
		if x, ok := e.(*Call); ok && !slices.ContainsFunc(conds, isEquality) {
			switch {
			case x.Op == "or":
				alternatives = nil
				for _, a := range x.Args {
					alternatives = append(alternatives, conjuncts(a))
				}
			case x.Op == "in":
				alternatives = nil
				for _, a := range x.Args[1:] {
					alternatives = append(alternatives, []Expr{call("=", Bool, x.Args[0], a)})
				}
			}
		}
		if len(out)*len(alternatives) > maxArms {
			alternatives = [][]Expr{{e}}
		}
		var longer [][]Expr
		for _, o := range out {
			for _, a := range alternatives {
				longer = append(longer, slices.Concat(o, a))
			}
		}
		out = longer
	}
	return out
}

// isEquality tells whether a condition compares values of two relations, or
// may do so.
func isEquality(e Expr) bool {
	x, ok := e.(*Call)
	if !ok || x.Op != "=" {
		return false
	}
	return !isLiteral(x.Args[0]) && !isLiteral(x.Args[1])
}

// conditionsText is the same for the same set of conditions.
func conditionsText(conds []Expr) string {
	r := &renderer{bind: symbolic{}}
	var out []string
	for _, e := range conds {
		if x, ok := e.(*Call); ok && x.Op == "=" {
			ends := []string{strings.Join(r.lanes(x.Args[0], x.Args[1].Kind()), " "), strings.Join(r.lanes(x.Args[1], x.Args[0].Kind()), " ")}
			slices.Sort(ends)
			out = append(out, strings.Join(ends, " = "))
			continue
		}
		if x, ok := e.(*Call); ok && x.Op == "or" {
			var any []string
			for _, a := range x.Args {
				any = append(any, conditionsText(conjuncts(a)))
			}
			slices.Sort(any)
			out = append(out, "("+strings.Join(any, " OR ")+")")
			continue
		}
		out = append(out, r.boolean(e))
	}
	slices.Sort(out)
	return strings.Join(out, " AND ")
}

// distinctTexts drops expressions that read the same.
func distinctTexts(list []Expr) []Expr {
	var out []Expr
	seen := map[string]bool{}
	for _, e := range list {
		if t := conditionsText(conjuncts(e)); !seen[t] {
			seen[t] = true
			out = append(out, e)
		}
	}
	return out
}

// rel is the arm as a relation with scans of its own.
func (a *finder) rel(c *compiler) Rel {
	r := filter(a.index, a.where)
	for _, p := range a.partners {
		r = &Join{Kind: Semi, L: r, R: p.rel, On: p.on}
	}
	return (&cloner{c, map[*Scan]*Scan{}}).rel(r)
}

// query is the arm as a SELECT of what a key plan puts out.
func (a *finder) query(c *compiler) (Query, error) {
	f := a.index
	if f.Relation == OtherIndex {
		out := []Named{
			{Column{ID: c.identity(), Name: "bytes", Type: bigint}, f.column("wire_bytes")},
			{*named(f, "postings"), f.column("postings")},
		}
		q, err := c.written(a.rel(c), out)
		q.parts[0].head, q.parts[0].tail = "SELECT NULL::UBIGINT AS flow_id, NULL::UBIGINT AS conn_id, NULL::UBIGINT AS src_ip_hi, NULL::UBIGINT AS src_ip_lo, "+
			"NULL::INTEGER AS src_port, NULL::INTEGER AS dst_port, "+columnLanes(out[0].Column)[0]+" AS bytes, "+
			columnLanes(out[1].Column)[0]+" AS postings\nFROM (", ") AS k"
		return q, err
	}
	zero := lit(Integer, int64(0))
	both := call("+", Integer, call("coalesce", Integer, f.column("wire_bytes"), zero), call("coalesce", Integer, f.column("reverse_wire_bytes"), zero))
	out := []Named{
		{*named(f, "flow_id"), f.column("flow_id")},
		{*named(f, "conn_id"), f.column("conn_id")},
		{*named(f, "src_ip"), f.column("src_ip")},
		{*named(f, "src_port"), f.column("src_port")},
		{*named(f, "dst_port"), f.column("dst_port")},
		{Column{ID: c.identity(), Name: "bytes", Type: bigint}, both},
		{*named(f, "postings"), f.column("postings")},
	}
	q, err := c.written(a.rel(c), out)
	var list []string
	for _, n := range out {
		for i, lane := range columnLanes(n.Column) {
			name := n.Name
			if n.Kind == Address {
				name += [...]string{"_hi", "_lo"}[i]
			}
			list = append(list, lane+" AS "+name)
		}
	}
	q.parts[0].head, q.parts[0].tail = "SELECT "+strings.Join(list, ", ")+"\nFROM (", ") AS k"
	return q, err
}

func named(s *Scan, column string) *Column { return &s.column(column).Column }

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }

// keyList stands for the values of {{keys}}.
type keyList struct{}

// byKey offers the way by values when flow rows are joined with one relation
// by one id: few values are looked up in the row files' blooms and statistics,
// where a join reads all of the column.
func (k *keyPlan) byKey(a *finder) error {
	if len(a.partners) == 0 {
		k.byLiteral(a)
		return nil
	}
	if len(a.partners) > 1 {
		return nil
	}
	var column, value *Col
	for _, e := range a.partners[0].on {
		x, ok := e.(*Call)
		if !ok || x.Op != "=" {
			continue
		}
		for i := range 2 {
			l, lok := x.Args[i].(*Col)
			r, rok := x.Args[1-i].(*Col)
			if lok && rok && a.index.owns(l.ID) && (l.Column.Kind == ID || l.Column.Kind == Community) {
				column, value = l, r
			}
		}
	}
	if column == nil {
		return nil
	}
	k.plan.KeyColumn = column.name(a.index)
	// A community id comes again in time, and what else is said counts.
	k.plan.ByRow = a.timeOnly(a.where) && (column.Column.Kind == ID || len(a.partners[0].on) == 1)
	if column.Column.Kind == Community {
		k.plan.KeyColumn = "cid"
		column = k.c.hidden(a.index, "cid", ID)
	}
	direct := &finder{index: a.index, partners: a.partners}
	direct.where = append(slices.Clip(a.where), call("in", Bool, column, lit(ID, keyList{})))
	if len(a.partners[0].on) == 1 {
		direct.partners = nil
	}
	var err error
	if k.plan.ByKey, err = direct.query(k.c); err != nil {
		return err
	}
	rel := (&cloner{k.c, map[*Scan]*Scan{}}).rel(a.partners[0].rel)
	src, err := k.c.written(rel, []Named{{value.Column, value}})
	src.parts[0].head = fmt.Sprintf("SELECT %s AS key, count(*) AS rows\nFROM (", columnLanes(value.Column)[0])
	src.parts[0].tail = ") AS k\nGROUP BY key"
	k.plan.Source = &src
	k.plan.Stored = storedQuery(a.partners[0].rel, value)
	return err
}

// storedQuery is a source as a question to row files: connections with equal
// columns, most of all those of a five-tuple. nil when it says anything else.
func storedQuery(rel Rel, value *Col) *Stored {
	f, ok := rel.(*Filter)
	if !ok {
		return nil
	}
	s, ok := f.Child.(*Scan)
	if !ok || s.Relation != tables.Connections {
		return nil
	}
	q := &Stored{Family: "connections", Column: s.storedName(value, "")}
	if value.Column.Kind != ID || q.Column == "" {
		return nil
	}
	filtered := false // by a column with bloom filters
	for _, e := range f.Conjuncts {
		x, ok := e.(*Call)
		if !ok || x.Op != "=" && x.Op != "in" || len(x.Args) > maxEqualities {
			return nil
		}
		col, ok := x.Args[0].(*Col)
		if !ok {
			return nil
		}
		var v Values
		var high *Values // of an address
		for _, a := range x.Args[1:] {
			lit, ok := a.(*Literal)
			if !ok {
				return nil
			}
			switch n := lit.Value.(type) {
			case tables.Addr:
				if high != nil {
					return nil
				}
				high = &Values{s.storedName(col, "_hi"), []uint64{n.Hi}}
				v.Column, v.Any = s.storedName(col, "_lo"), append(v.Any, n.Lo)
				filtered = true
			case tables.ID:
				v.Column, v.Any = s.storedName(col, ""), append(v.Any, uint64(n))
				filtered = true
			case int64:
				if col.Column.Kind != Integer {
					return nil
				}
				v.Column, v.Any = s.storedName(col, ""), append(v.Any, uint64(n))
			default:
				return nil
			}
		}
		if v.Column == "" || high != nil && high.Column == "" {
			return nil
		}
		if q.Where = append(q.Where, v); high != nil {
			q.Where = append(q.Where, *high)
		}
	}
	if !filtered {
		return nil
	}
	return q
}

// byLiteral offers the same for the values of one id that stand in the
// statement.
func (k *keyPlan) byLiteral(a *finder) {
	for i, e := range a.where {
		b := unbounded()
		a.index.narrow(&b, e)
		if x, ok := e.(*Call); !ok || x.Op != "=" && x.Op != "in" || len(b.Equal) != 1 {
			continue
		}
		column := b.Equal[0][0].Column
		if column != "flow_id" && column != "conn_id" || !a.timeOnly(slices.Delete(slices.Clone(a.where), i, i+1)) {
			continue
		}
		for _, v := range b.Equal[0] {
			k.plan.KeyValues = append(k.plan.KeyValues, v.Value)
		}
		k.plan.KeyColumn, k.plan.ByRow = column, true
		return
	}
}

// timeOnly tells whether conditions on index rows are about their time.
func (a *finder) timeOnly(conds []Expr) bool {
	refs := map[ColumnID]bool{}
	for _, e := range conds {
		references(e, refs)
		if hasSubquery(e) {
			return false
		}
	}
	delete(refs, a.index.column("ts").ID)
	delete(refs, a.index.column("ts_end").ID)
	return len(refs) == 0
}

// owns tells whether a column is one of the scan's.
func (s *Scan) owns(id ColumnID) bool {
	return slices.ContainsFunc(s.Columns(), func(c Column) bool { return c.ID == id })
}
