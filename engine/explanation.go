package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// explanation is what EXPLAIN tells of a statement. Each format writes the
// same facts. Bytes are as they rest on disk.
type explanation struct {
	// Summary says what is read: packets, and row files.
	Summary  []string         `json:"summary"`
	Files    *filesRead       `json:"files,omitempty"`
	Packets  []packetsRead    `json:"packets,omitempty"`
	Tables   []tableRead      `json:"tables,omitempty"`
	Missing  []string         `json:"missing,omitempty"`
	Slow     []slowness       `json:"slow,omitempty"`
	Answered string           `json:"answered,omitempty"`
	Notes    []string         `json:"notes,omitempty"`
	Refused  string           `json:"refused,omitempty"`
	Actual   *actual          `json:"actual,omitempty"`
	Tree     []string         `json:"tree,omitempty"`
	SQL      []string         `json:"sql,omitempty"`
	blocks   []pushdown.Block // for the format of rows
	scans    map[int]int      // of the blocks among Tables, by the scan's number
}

// filesRead are the row files of all steps together, each counted once.
type filesRead struct {
	Read    int   `json:"read"`
	All     int   `json:"all"`
	Bytes   int64 `json:"bytes"` // of the columns that are read
	OfBytes int64 `json:"of_bytes"`
}

// packetsRead is a scan of packets.
type packetsRead struct {
	Table    string   `json:"table"`
	FoundBy  string   `json:"found_by,omitempty"` // empty: not looked for, the statement is refused
	FlowRows int      `json:"flow_rows"`
	Packets  int64    `json:"packets"`
	Segments int      `json:"segments"`
	Ranges   int      `json:"ranges"`
	Bytes    int64    `json:"bytes"`
	OfBytes  int64    `json:"of_bytes"`
	Limit    int64    `json:"limit_bytes"`
	Keys     []string `json:"keys,omitempty"`
	scan     int
}

// tableRead is a step that reads row files.
type tableRead struct {
	Table    string `json:"table"`
	Why      string `json:"why,omitempty"`
	InMemory bool   `json:"in_memory,omitempty"`
	Files    int    `json:"files"`
	AllFiles int    `json:"all_files"`
	Older    int    `json:"files_without_checksums,omitempty"` // of those read
	Families string `json:"families,omitempty"`
	Rows     int64  `json:"rows"` // in the files; of a lookup, those found
	Looked   bool   `json:"looked_up,omitempty"`
	Bytes    int64  `json:"bytes"`
	OfBytes  int64  `json:"of_bytes"`
}

// slowness is what takes long, and what would help.
type slowness struct {
	What   string `json:"what"`
	Advice string `json:"advice,omitempty"`
}

// What is worth a word: below, a statement is over before its EXPLAIN is read.
const (
	slowBytes    = 16 << 20
	slowFiles    = 50
	slowCalls    = 100_000
	slowCompared = 10_000_000
)

// describe tells what a run reads, whose packets are found and whose
// statement is prepared.
func (r *run) describe() (*explanation, error) {
	x := &explanation{Answered: r.plan.Answered, Notes: slices.Clone(r.plan.Notes), blocks: r.plan.Blocks, scans: map[int]int{}}
	x.Tree, x.SQL = lines(r.plan.Outline()), lines(r.plan.SQL)
	var reads []*reading
	var sum filesRead
	direct := map[*tables.Relation]int{} // scans that only what found the packets stands for
	for _, one := range r.reads {
		if one.why == "" && r.isDirect() {
			direct[one.relation] = one.scan.ID
		}
	}
	for _, one := range r.reads {
		if one.why == "" && r.isDirect() {
			continue // the packets found are the answer
		}
		reads = append(reads, one)
		t, err := one.describe(r.snap)
		if err != nil {
			return nil, err
		}
		if one.why == "" || one.lookup != nil && one.scan != nil {
			x.scans[one.scan.ID] = len(x.Tables)
			if s := one.slow(t, r.engine); s != nil {
				x.Slow = append(x.Slow, *s)
			}
		}
		if scan, ok := direct[one.relation]; ok {
			x.scans[scan] = len(x.Tables)
		}
		x.Tables = append(x.Tables, t)
		sum.Bytes += t.Bytes
	}
	if sum.Read, sum.All = files(r.snap, reads); sum.All > 0 {
		sum.OfBytes = familyBytes(r.snap, reads)
		x.Files = &sum
	}
	all := r.snap.packetBytes()
	for _, k := range r.packets {
		p := packetsRead{Table: k.plan.Relation.Name, FlowRows: k.rows, Packets: k.fetch.Packets, Segments: k.fetch.Segments,
			Ranges: k.fetch.Ranges, Bytes: k.fetch.Bytes, OfBytes: all, Limit: r.engine.scanLimit(r.ctx), scan: k.plan.ID}
		if k.by != nil {
			p.FoundBy, p.Keys = k.by.String(), lines("of "+k.plan.Relation.Name+": "+k.shown)
		}
		if !k.plan.Narrow && !k.looked && (p.Bytes >= slowBytes || k.by == nil) {
			x.Slow = append(x.Slow, slowness{"every packet is read: nothing says which", advice(k.plan)})
		}
		x.Packets = append(x.Packets, p)
	}
	if r.isDirect() {
		x.Notes = append(x.Notes, "the packets found are the result as they are: the SQL below is not run")
	}
	if r.plan.Ends {
		x.Notes = append(x.Notes, "what is read is the most there can be: reading ends when the LIMIT is full")
	}
	x.Slow = append(x.Slow, r.costs(x)...)
	x.Summary = x.summary()
	return x, nil
}

// describe tells what a step reads.
func (r *reading) describe(snap *snapshot) (tableRead, error) {
	t := tableRead{Table: r.relation.Name, Why: r.why, Looked: r.lookup != nil}
	if s := r.relation.Schema; s != tables.Main && s != pushdown.FlowIndex.Schema {
		t.Table = s + "." + t.Table
	}
	if len(pushdown.Families(r.relation)) == 0 {
		t.InMemory = true
		return t, nil
	}
	var each []string
	for _, f := range r.families {
		t.Files, t.AllFiles = t.Files+len(f.read), t.AllFiles+f.files
		for _, one := range f.read {
			if one.Older {
				t.Older++
			}
		}
		each = append(each, fmt.Sprintf("%s %d of %d", f.family, len(f.read), f.files))
	}
	if len(each) > 1 {
		t.Families = strings.Join(each, ", ")
	}
	var err error
	t.Rows = r.rows()
	if r.lookup != nil {
		t.Rows = r.lookup.Rows
	}
	_, t.OfBytes = r.size(snap)
	t.Bytes, err = r.bytes()
	return t, err
}

// familyBytes is the size of all files of the families that are read.
func familyBytes(snap *snapshot, reads []*reading) (n int64) {
	seen := map[archive.Family]bool{}
	for _, r := range reads {
		for _, f := range r.families {
			if seen[f.family] {
				continue
			}
			seen[f.family] = true
			for _, file := range snap.catalog.Files(f.family) {
				n += file.Bytes
			}
		}
	}
	return n
}

// slow tells why reading a table takes long, nil when it does not.
func (r *reading) slow(t tableRead, e *Engine) *slowness {
	if t.Bytes < slowBytes && t.Files < slowFiles || !captured(r.relation) || r.scan == nil || t.Files < t.AllFiles {
		return nil
	}
	name := r.relation.Name
	if r.scan.Bounds.Timeless() {
		return &slowness{fmt.Sprintf("every file of %s is read: nothing bounds its time", name),
			"add ts >= '…' AND ts < '…', or overlaps(ts, ts_end, '…', '…')"}
	}
	if len(r.scan.Bounds.Equal) == 0 {
		return &slowness{fmt.Sprintf("no file of %s can be left out: all of them touch the time asked for", name),
			"narrow the time range, or add an address or an id"}
	}
	return nil
}

// costs tells what is slow in the plan itself.
func (r *run) costs(x *explanation) (out []slowness) {
	rows := map[int]int64{}
	name := map[int]string{}
	var most int64
	for _, one := range r.reads {
		if one.scan != nil && one.why == "" {
			rows[one.scan.ID], name[one.scan.ID] = one.rows(), one.relation.Name
			most = max(most, one.rows())
		}
	}
	for _, p := range x.Packets {
		rows[p.scan], name[p.scan] = p.Packets, p.Table
		most = max(most, p.Packets)
	}
	for _, c := range r.plan.Costs {
		if c.Calls != nil {
			if most >= slowCalls {
				out = append(out, slowness{fmt.Sprintf("%s is computed a row at a time, for up to %s rows", strings.Join(c.Calls, ", "), grouped(most)),
					"add conditions that leave fewer rows to it"})
			}
			continue
		}
		l, r := rows[c.Left], rows[c.Right]
		if l == 0 || r == 0 || l < slowCompared/r {
			continue
		}
		s := slowness{fmt.Sprintf("each of up to %s rows of %s meets each of up to %s rows of %s", grouped(l), name[c.Left], grouped(r), name[c.Right]),
			"add a condition with = between the two"}
		if c.Crossed {
			s.What += ": nothing joins them"
		}
		out = append(out, s)
	}
	return out
}

// summary is what comes first.
func (x *explanation) summary() []string {
	var parts []string
	for _, p := range x.Packets {
		if p.FoundBy == "" {
			parts = append(parts, "no packets: refused before any were looked for")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s → %s in %s, %s of %s", quantity(int64(p.FlowRows), "flow row"), quantity(p.Packets, "packet"),
			quantity(int64(p.Segments), "segment"), byteText(p.Bytes), byteText(p.OfBytes)))
	}
	if f := x.Files; f != nil {
		parts = append(parts, fmt.Sprintf("%s of %s, %s of %s", grouped(int64(f.Read)), quantity(int64(f.All), "file"), byteText(f.Bytes), byteText(f.OfBytes)))
	}
	if parts == nil {
		parts = []string{"nothing of the archive"}
	}
	return parts
}

// lines are those of a text, none longer than a page is wide.
func lines(text string) (out []string) {
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		out = append(out, wrapped(line, pageWidth-pageMargin)...)
	}
	return out
}

// quantity is a number of things.
func quantity(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return grouped(n) + " " + thing
}

// grouped writes a number with a comma before each three digits.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// lacks says what is missing of the answer: what was not recorded, was
// damaged, lost or is gone, and names nobody ever had.
func (r *run) lacks() ([]string, error) {
	lost, err := r.engine.lost(r.snap, r.plan.Scans)
	if err != nil {
		return nil, err
	}
	out := append(r.snap.outside(r.plan), r.snap.unrecorded(r.plan)...)
	uncaptured, err := r.uncaptured(r.ctx)
	if err != nil {
		return nil, err
	}
	out = slices.Concat(out, lost, r.gone(), uncaptured)
	cut, err := r.snap.cutShort(r.plan)
	if err != nil {
		return nil, err
	}
	scans := timed(r.plan, r.plan.Bounds)
	return slices.Concat(out, r.snap.droppedIn(r.ctx, r.plan), r.snap.damaged(scans, false), r.snap.evicted(scans, false), cut, r.plan.Warnings), nil
}

// lostBehind is for how long behind its last packet a damaged capture may miss
// some: nothing says how long it went on.
const lostBehind = tables.Time(time.Hour / time.Microsecond)

// cutShort names imported captures of the time asked about that were damaged.
func (s *snapshot) cutShort(p *pushdown.Plan) ([]string, error) {
	if !slices.ContainsFunc(p.Scans, ofRecording) {
		return nil, nil
	}
	var out []string
	err := readFamily(s.catalog, archive.Imports, func(i *tables.Import) {
		before := i.TSEnd.Set && p.Bounds.From != pushdown.MinTime && i.TSEnd.V < p.Bounds.From-lostBehind
		if i.State != tables.ImportDamaged || before || i.TS.Set && i.TS.V >= p.Bounds.To {
			return
		}
		out = append(out, fmt.Sprintf("%s is damaged at byte %d, what is behind was not imported", i.File, i.DamageOffset.V))
	})
	slices.Sort(out)
	return atMost(slices.Compact(out), "damaged captures: see ops.imports"), err
}

// atMost keeps the first few of a list and counts the others.
func atMost(list []string, others string) []string {
	if len(list) <= maxNamed {
		return list
	}
	return append(slices.Clip(list[:maxNamed]), fmt.Sprintf("%d more %s", len(list)-maxNamed, others))
}
