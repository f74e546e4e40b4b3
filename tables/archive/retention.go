package archive

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Retention is how much of what is recorded is kept. What arrived first goes
// first; what is pinned stays. Age counts from arrival.
type Retention struct {
	PacketsShare     int           `key:"packets-share" doc:"percent of a disk that packets may take, of what it has for the archive: what the archive takes and what is free; 0 for no limit"`
	PacketsBytes     int64         `key:"packets-bytes" doc:"bytes that packets may take; 0 for no limit"`
	PacketsAge       time.Duration `key:"packets-age" doc:"age at which packets go, counted from their arrival; 0 for none"`
	FlowsBytes       int64         `key:"flows-bytes" doc:"bytes that flow rows of packets may take; 0 for no limit"`
	FlowsAge         time.Duration `key:"flows-age" doc:"age at which flow rows of packets go, and the packets that only they led to; 0 for none"`
	ExportsBytes     int64         `key:"exports-bytes" doc:"bytes that rows of exporters may take; 0 for no limit"`
	ExportsAge       time.Duration `key:"exports-age" doc:"age at which rows of exporters go; 0 for none"`
	ConnectionsBytes int64         `key:"connections-bytes" doc:"bytes that connections may take; 0 for no limit"`
	ConnectionsAge   time.Duration `key:"connections-age" doc:"age at which connections go; 0 for none"`
	MetadataBytes    int64         `key:"metadata-bytes" doc:"bytes that each other kind of rows may take (dns, names, other, accounts of the collector); 0 for no limit"`
	MetadataAge      time.Duration `key:"metadata-age" doc:"age at which rows of the other kinds go; 0 for none"`
	Imported         bool          `key:"imported" doc:"age and a full disk count for what was imported from files, too"`
	DiskFree         int64         `key:"disk-free" doc:"bytes that stay free on the disk, and on each of the roots': for them packets go, then rows of all kinds; 0 for none"`
	Roots            []string      `key:"roots" flag:"root" by:":" doc:"folders that new packets go to, each on a disk of its own, in place of the archive's (which may be one of them); budgets of the disk hold for each"`
}

// DefaultRetention keeps rows for ninety days, and packets as long as the disk
// has room.
func DefaultRetention() Retention {
	const days = 24 * time.Hour
	return Retention{PacketsShare: 80, FlowsAge: 90 * days, ExportsAge: 90 * days, ConnectionsAge: 90 * days, MetadataAge: 90 * days, DiskFree: 1 << 30}
}

// budget is what a kind of files may take.
type budget struct {
	bytes int64
	age   time.Duration
}

// packetFiles is the kind of segments, as ops.evictions calls it.
const packetFiles = Family(packets)

func (r *Retention) of(family Family) budget {
	switch family {
	case packetFiles:
		return budget{r.PacketsBytes, r.PacketsAge}
	case Flows:
		return budget{r.FlowsBytes, r.FlowsAge}
	case Exports:
		return budget{r.ExportsBytes, r.ExportsAge}
	case Connections:
		return budget{r.ConnectionsBytes, r.ConnectionsAge}
	}
	return budget{r.MetadataBytes, r.MetadataAge}
}

// holding is a file that may be evicted.
type holding struct {
	family   Family
	bytes    int64
	came     rows.Origin // when its content arrived, in steady time
	imported bool
	file     *File
	segment  *SegmentInfo
	root     int    // of a segment
	reason   string // it is evicted for; "" while it stays
}

func (h *holding) day() tables.Time { return h.came.Last / dayLength }

const dayLength = 24 * 3600 * tables.Time(1e6)

// planned is what of an archive may go, and what has to.
type planned struct {
	all   map[Family][]*holding // those that came first, first
	taken map[Family]int64      // bytes, with those of files that can't go now
	on    map[int]int64         // of packets, by root
	now   tables.Time
}

// holdings lists what a catalogue's archive may evict: no pinned files, none that
// is not settled, and nothing it says of itself.
func holdings(c *Catalog, clock *steadyClock, pinned *pinned) *planned {
	p := &planned{all: map[Family][]*holding{}, taken: map[Family]int64{}, on: map[int]int64{}, now: clock.now()}
	add := func(h *holding) {
		h.came.Last = clock.at(h.came.Last)
		h.came.First = min(clock.at(h.came.First), h.came.Last)
		p.all[h.family] = append(p.all[h.family], h)
	}
	for _, f := range tables.Families {
		family := Family(f.Name)
		files := c.Files(family)
		for i := range files {
			file := &files[i]
			p.taken[family] += file.Bytes
			unsettled := file.Level == "s" || file.Level == "m" || file.Level == "e" && (family == Flows || family == Exports)
			if f.Kept || f.Of != "" || unsettled || pinned.file(file) {
				continue
			}
			add(&holding{family: family, bytes: file.Bytes, came: file.Origin, file: file,
				imported: c.imported(file)})
		}
	}
	for i := range c.segments {
		s := &c.segments[i]
		if s.InPlace || s.State != StateAvailable {
			continue
		}
		n, _ := rootOf(s.Path)
		p.taken[packetFiles] += s.Bytes
		p.on[n] += s.Bytes
		if c.spent(s, pinned) {
			add(&holding{family: packetFiles, bytes: s.Bytes, came: s.rows.Origin, segment: s, root: n, imported: s.rows.Origin.Writer == tables.Importer})
		}
	}
	for _, list := range p.all {
		slices.SortStableFunc(list, func(x, y *holding) int {
			return cmp.Or(cmp.Compare(x.came.Last, y.came.Last), cmp.Compare(x.came.First, y.came.First))
		})
	}
	return p
}

// spent tells whether a segment may go. What a log still holds, it may have to read
// again.
func (c *Catalog) spent(s *SegmentInfo, p *pinned) bool {
	return !s.Open && !c.logged[s.Number()] && !p.segment(s.Number())
}

// imported tells whether a file has rows of imported packets; one that
// compaction made of others whether it may.
func (c *Catalog) imported(f *File) bool {
	return f.Writer == tables.Importer || f.Writer == tables.Compactor && slices.ContainsFunc(c.Files(Flows), func(g File) bool {
		return g.Writer == tables.Importer && g.MinTS <= f.MaxTS && g.MaxTS >= f.MinTS
	})
}

// choose decides what goes. Bytes are counted over all disks, room by each.
func (p *planned) choose(r *Retention, disks []volume, evictedBefore bool) {
	p.byAge(r)
	writes := int64(0)
	for i := range disks {
		writes += disks[i].need
	}
	for family, list := range p.all {
		if b := r.of(family); b.bytes > 0 {
			need := int64(0)
			if family == packetFiles {
				need = min(writes, b.bytes/10)
			}
			p.spare(list, p.taken[family]+need-b.bytes, b.bytes, tables.EvictedBytes)
		}
	}
	for i := range disks {
		p.makeRoom(r, &disks[i])
	}
	p.outlived(r, disks)
	p.unreachable(evictedBefore)
}

// makeRoom has go what a disk has no room for.
func (p *planned) makeRoom(r *Retention, disk *volume) {
	there := slices.DeleteFunc(p.may(r, packetFiles), func(h *holding) bool { return !disk.roots[h.root] })
	if r.PacketsShare > 0 {
		taken := disk.of(p.on)
		has := disk.free + taken
		if disk.roots[0] {
			for family, n := range p.taken {
				if family != packetFiles {
					has += n
				}
			}
		}
		most := has / 100 * int64(min(r.PacketsShare, 100))
		p.spare(there, taken+min(disk.need, most/10)-most, most, tables.EvictedDisk)
	}
	if r.DiskFree <= 0 {
		return
	}
	p.spare(there, r.DiskFree+min(disk.need, r.DiskFree)-disk.free-p.going(disk), 0, tables.EvictedDisk)
	if !disk.roots[0] {
		return
	}
	var others []*holding
	for family := range p.all {
		if family != packetFiles {
			others = append(others, p.may(r, family)...)
		}
	}
	slices.SortFunc(others, func(x, y *holding) int {
		return cmp.Or(cmp.Compare(x.came.Last, y.came.Last), cmp.Compare(x.file.Path, y.file.Path))
	})
	p.spare(others, r.DiskFree-disk.free-p.going(disk), 0, tables.EvictedDisk)
}

// outlived has go, when others have no room, what lies in roots that are being retired
// and is older than all that stays in those: it would be the first to go there.
func (p *planned) outlived(r *Retention, disks []volume) {
	leaves := func(h *holding) bool {
		return slices.ContainsFunc(disks, func(v volume) bool { return v.leaves[h.root] })
	}
	full, until := false, tables.Time(math.MaxInt64)
	for _, h := range p.all[packetFiles] {
		if h.reason == "" && !leaves(h) {
			until = min(until, h.came.Last)
		}
		full = full || h.reason == tables.EvictedDisk && !leaves(h)
	}
	for _, h := range p.may(r, packetFiles) {
		if full && h.reason == "" && h.came.Last < until && leaves(h) {
			p.evict(h, tables.EvictedDisk)
		}
	}
}

// may lists what of a family goes when the disk is full. Somebody chose what was
// imported: the next import ends with an error, rather than take it away.
func (p *planned) may(r *Retention, family Family) (list []*holding) {
	for _, h := range p.all[family] {
		if r.Imported || !h.imported {
			list = append(list, h)
		}
	}
	return list
}

// byAge has go what is older than it may be. Without anything younger nothing
// does: an archive that nobody writes to does not age, and a clock that is wrong
// by years must not empty it.
func (p *planned) byAge(r *Retention) {
	newest := tables.Time(math.MinInt64)
	for _, list := range p.all {
		for _, h := range list {
			newest = max(newest, h.came.Last)
		}
	}
	for family, list := range p.all {
		b := r.of(family)
		until := p.now - tables.Time(b.age/time.Microsecond)
		if b.age <= 0 || newest < until {
			continue
		}
		for _, h := range list {
			if h.came.Last < until && (r.Imported || !h.imported) {
				p.evict(h, tables.EvictedAge)
			}
		}
	}
}

func (p *planned) evict(h *holding, reason string) {
	h.reason = reason
	p.taken[h.family] -= h.bytes
	if h.family == packetFiles {
		p.on[h.root] -= h.bytes
	}
}

// going is how many bytes go from a disk. Rows lie where root 0 is.
func (p *planned) going(disk *volume) (n int64) {
	for _, list := range p.all {
		for _, h := range list {
			if h.reason != "" && disk.roots[h.root] {
				n += h.bytes
			}
		}
	}
	return n
}

// A day that took floodTimes as much as the median of the others, of which there
// are floodDays, and more than a quarter of the budget, is a flood.
const (
	floodDays  = 3
	floodTimes = 4
)

// spare evicts files of a list until so many bytes are spared: those that came
// first go first. But a day's flood is not paid for by older days: what a day
// has beyond what floodTimes and a quarter of the budget allow goes before.
func (p *planned) spare(list []*holding, bytes, most int64, reason string) {
	days := map[tables.Time]int64{}
	for _, h := range list {
		if h.reason == "" {
			days[h.day()] += h.bytes
		}
	}
	allowed := map[tables.Time]int64{}
	if bytes > 0 && most > 0 && len(days) > floodDays {
		for day := range days {
			var others []int64
			for other, n := range days {
				if other != day {
					others = append(others, n)
				}
			}
			slices.Sort(others)
			allowed[day] = max(most/4, floodTimes*others[len(others)/2])
		}
	}
	for _, flood := range []bool{true, false} {
		for _, h := range list {
			if bytes <= 0 {
				return
			}
			day := h.day()
			limit, known := allowed[day]
			if h.reason != "" || flood && (!known || days[day] <= limit) {
				continue
			}
			p.evict(h, reason)
			days[day] -= h.bytes
			bytes -= h.bytes
		}
	}
}

// unreachable has go the packets whose flow rows are all gone: nothing leads to
// them any more. Rows arrive with their packets or behind them.
func (p *planned) unreachable(evictedBefore bool) {
	first := tables.Time(math.MaxInt64)
	for _, h := range p.all[Flows] {
		if h.reason == "" {
			first = min(first, h.came.First)
		} else {
			evictedBefore = true
		}
	}
	if !evictedBefore {
		return
	}
	for _, h := range p.all[packetFiles] {
		if h.reason == "" && h.came.Last < first {
			p.evict(h, tables.EvictedRows)
		}
	}
}

// rows are the records of what goes, in the order of ts.
func (p *planned) rows(at tables.Time) (out []tables.Eviction) {
	for _, list := range p.all {
		for _, h := range list {
			if h.reason == "" {
				continue
			}
			row := tables.Eviction{Family: string(h.family), Bytes: h.bytes, Reason: h.reason, EvictedAt: at}
			if s := h.segment; s != nil {
				row.TS, row.TSEnd, row.Sensor, row.File = s.TS.V, s.TSEnd.V, s.Sensor, s.Path
				row.Segment, row.Packets = tables.Some(s.Segment.Segment), s.Packets
			} else {
				row.TS, row.TSEnd, row.File, row.Rows = h.file.MinTS, h.file.MaxTS, h.file.name(), h.file.Rows
			}
			out = append(out, row)
		}
	}
	slices.SortFunc(out, func(x, y tables.Eviction) int { return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.File, y.File)) })
	return out
}

// EvictStats is what an eviction took.
type EvictStats struct {
	Files int
	Bytes int64
}

// Evict takes away what Options.Retention leaves no room for. One process does so
// at a time: while another does, there is nothing to do.
func (a *Archive) Evict() (EvictStats, error) { return a.evict(0, 0) }

func (a *Archive) evict(need int64, to int) (stats EvictStats, err error) {
	r := a.o.Retention
	if r == nil || !a.evicting.TryLock() {
		return stats, nil
	}
	defer a.evicting.Unlock()
	if err := a.Lock(tables.Retainer); errors.Is(err, ErrLocked) {
		return stats, nil
	} else if err != nil {
		return stats, err
	}
	defer a.Unlock(tables.Retainer)
	pinned, release, err := a.holdPins()
	if err != nil { // nobody knows what must stay
		return stats, fmt.Errorf("nothing is evicted: %w", err)
	}
	defer release()
	c, err := a.Catalog()
	if err != nil {
		return stats, err
	}
	disks, err := a.volumes(r, need, to)
	if err != nil {
		return stats, err
	}
	clock, err := a.steady(c)
	if err != nil { // nor how old it is
		return stats, fmt.Errorf("nothing is evicted: %w", err)
	}
	at := now()
	p := holdings(c, clock, pinned)
	p.choose(r, disks, len(c.Evicted(Flows)) > 0)
	gone := p.rows(at)
	if len(gone) == 0 {
		if len(a.leaving()) > 0 { // a statement may have ended
			a.tidied(a.tidy())
		}
		return stats, nil
	}
	tx, err := a.Begin(tables.Retainer)
	if err != nil {
		return stats, err
	}
	if _, err := WriteRows(tx, "e", gone); err != nil {
		return stats, errors.Join(err, tx.Abort())
	}
	if err := tx.Commit(); err != nil {
		return stats, err
	}
	for i := range gone {
		g := &gone[i]
		stats.Files++
		stats.Bytes += g.Bytes
		a.log.Info("evicted", "family", g.Family, "file", g.File, "reason", g.Reason, "bytes", g.Bytes, "from", g.TS, "to", g.TSEnd)
	}
	return stats, nil
}

// looksForRoom is how often a batch looks whether the disk has room for it.
const looksForRoom = time.Second

// makeRoom holds to the budgets before so many bytes of packets are written to a root, or,
// with 0, before other rows are if the disk fills up. That it can't is no reason
// not to try to write.
func (a *Archive) makeRoom(need int64, to int) {
	r := a.o.Retention
	if r == nil {
		return
	}
	if need == 0 {
		last := a.looked.Load()
		at := time.Now().UnixNano()
		if at-last < int64(looksForRoom) || !a.looked.CompareAndSwap(last, at) {
			return
		}
		if _, free, err := a.disk.Space(a.dir); err != nil || free >= r.DiskFree {
			return
		}
	}
	if _, err := a.evict(need, to); err != nil {
		a.log.Warn("evict", "error", err)
	}
}

// leaving counts, by root, the bytes of files that were evicted and are still
// there, because a statement may read them.
func (a *Archive) leaving() map[int]int64 {
	bytes := map[int]int64{}
	a.listMu.Lock()
	e := a.evicted
	for _, f := range a.folders {
		for _, file := range f.files {
			if g := e.files[file.Family][file.base]; g != nil {
				bytes[0] += g.row.Bytes
			}
		}
	}
	a.listMu.Unlock()
	for number, row := range e.segments {
		if _, gone := a.cleared.Load(number); !gone && !a.away(row.File) && a.exists(a.at(row.File)) {
			n, _ := rootOf(row.File)
			bytes[n] += row.Bytes
		}
	}
	return bytes
}
