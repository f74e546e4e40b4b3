package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact"
)

// segmentsTable is the DuckDB table of a snapshot's segments.
const segmentsTable = "wiresql_segments"

// snapshot is the archive as a statement sees it from its compilation to its
// last row: the catalogue and what is computed from it.
type snapshot struct {
	catalog *archive.Catalog
	missing []uint32 // segments whose packets are gone
	lossy   []gap
	// dropped is what sensors lost, unkept tells that of packets that are counted
	// some could not be written.
	dropped []loss
	unkept  bool
	names   *nameStore
	// recorded is the time some source was recording, in order; nil when
	// nothing says.
	recorded []period
	// holes are those of the times between, in which somebody would have recorded
	// something.
	holes []period
	// recent, when not nil, is what connections will be of rows that are not
	// settled.
	recent *recent
	// hoursFrom is since when both families of traffic are whole.
	hoursFrom tables.Time
	// folds: some flow rows are folds of floods.
	folds bool
	// severalSensors: some site has several, which may have seen the same packets.
	severalSensors bool
}

// snapshot returns the current one, without files that turn out to be damaged
// when they are loaded.
func (e *Engine) snapshot(ctx context.Context) (*snapshot, error) {
	for {
		s, err := e.load(ctx)
		if err == nil || !e.archive.LeaveOut(err) {
			return s, err
		}
	}
}

// load makes the current snapshot. While exporters send, the archive changes
// every two seconds: only what its change touches is loaded anew.
func (e *Engine) load(ctx context.Context) (*snapshot, error) {
	catalog, err := e.archive.Catalog()
	if err != nil {
		return nil, fmt.Errorf("read catalogue: %w", err)
	}
	missing := catalog.Missing()
	e.snapMu.Lock()
	defer e.snapMu.Unlock()
	before := e.snap
	if before != nil && before.catalog.Version() == catalog.Version() && slices.Equal(before.missing, missing) {
		return before, nil
	}
	s := &snapshot{catalog: catalog, missing: missing, names: &e.names, hoursFrom: hoursFrom(catalog),
		folds: slices.ContainsFunc(catalog.Files(archive.Flows), hasFolds) || slices.ContainsFunc(catalog.Files(archive.Connections), hasFolds), severalSensors: compact.SeveralSensors(catalog)}
	if before == nil || !sameFiles(before.catalog, catalog, archive.Names) {
		s.names.follow(catalog.Files(archive.Names))
	}
	if before != nil && sameFiles(before.catalog, catalog, archive.Coverage) {
		s.recorded, s.holes, s.lossy, s.dropped, s.unkept = before.recorded, before.holes, before.lossy, before.dropped, before.unkept
	} else if err := s.loadCoverage(); err != nil {
		return nil, err
	}
	moved := before == nil || !slices.EqualFunc(before.catalog.Segments(), catalog.Segments(), sameSegment)
	if moved {
		if err := e.duck.load(ctx, segmentsTable, segmentsFeed(catalog.Segments())); err != nil {
			return nil, fmt.Errorf("load segments: %w", err)
		}
	}
	if moved || !slices.Equal(before.missing, missing) || !slices.Equal(before.lossy, s.lossy) {
		e.duck.absent.Store(newAbsence(missing, evictedSegments(catalog), s.lossy))
	}
	e.snap = s
	return s, nil
}

// evictedSegments are when packet files were evicted.
func evictedSegments(c *archive.Catalog) map[uint32]tables.Time {
	at := map[uint32]tables.Time{}
	for _, n := range c.Missing() {
		if s, ok := c.Segment(n); ok && s.Evicted != nil {
			at[n] = s.Evicted.EvictedAt
		}
	}
	return at
}

// hoursFrom is since when both families of traffic are whole: from there on what the
// one adds up is in the other.
func hoursFrom(c *archive.Catalog) tables.Time {
	from := pushdown.MinTime
	for _, family := range []archive.Family{archive.Traffic, archive.TrafficHour} {
		for _, e := range c.Evicted(family) {
			from = max(from, e.TSEnd)
		}
		for _, d := range c.Damage() {
			if d.Family == family && !d.Stray {
				from = max(from, d.To)
			}
		}
	}
	if from == pushdown.MinTime || from > tables.OpenEnd {
		return from
	}
	return (from + tables.Hour).Bin(tables.Hour)
}

func hasFolds(f archive.File) bool { return f.Origin.Folds }

// sameFiles tells whether two catalogues list the same files of a family.
func sameFiles(a, b *archive.Catalog, family archive.Family) bool {
	return slices.EqualFunc(a.Files(family), b.Files(family), func(x, y archive.File) bool {
		return x.Path == y.Path && x.Bytes == y.Bytes
	})
}

func sameSegment(a, b archive.SegmentInfo) bool {
	return a.Number() == b.Number() && a.State == b.State && a.AbsPath == b.AbsPath && a.Packets == b.Packets && a.Segment.Bytes == b.Segment.Bytes
}

// loadCoverage reads when sensors recorded, and what they lost.
func (s *snapshot) loadCoverage() error {
	var covered []covering
	live := map[[2]string][]period{}  // of interfaces that are captured live
	imported := map[string][]period{} // of sensors
	for _, f := range s.catalog.Files(archive.Coverage) {
		err := readFile(f.File, func(c *tables.Coverage) {
			p := period{c.TS, c.TSEnd}
			silence := tables.Time(c.Silence.V)
			if f.Writer != tables.Importer {
				key := [2]string{c.Sensor, c.Interface}
				live[key] = append(live[key], p)
			} else if imported[c.Sensor] = append(imported[c.Sensor], p); !c.Silence.Set && c.Packets > 0 {
				silence = pushdown.MaxTime // nobody looked
			}
			covered = append(covered, covering{p, silence})
			from := c.Interface
			if f.Writer == tables.Importer && c.Drops.V > 0 {
				from = s.importOf(c)
			}
			s.lose(c.Sensor, from, p, interfaceDropped, "packets", c.Drops.V)
			s.lose(c.Sensor, from, p, notWritten, "packets", c.NotKept.V)
			s.lose(c.Sensor, from, p, notWritten, "rows", c.LostRows.V)
			s.unkept = s.unkept || c.NotKept.V > 0
		})
		if err != nil {
			return err
		}
	}
	for of, list := range live {
		for _, p := range pauses(list, imported[of[0]]) {
			s.lose(of[0], of[1], p, "", "", 1)
		}
	}
	s.ended(live, imported)
	s.recorded, s.holes = recordings(covered)
	s.holes = slices.DeleteFunc(s.holes, func(h period) bool { // a sensor's, which is told by name
		return slices.ContainsFunc(s.dropped, func(l loss) bool { return l.why == "" && l.from <= h.from+1 && l.to >= h.to-1 })
	})
	return nil
}

// importOf names the capture file that coverage is of, with the interface if the
// file says one; only that if files of the time are several.
func (s *snapshot) importOf(c *tables.Coverage) string {
	var names []string
	err := readFamily(s.catalog, archive.Imports, func(i *tables.Import) {
		if i.Sensor == c.Sensor && i.TS.Set && i.TS.V <= c.TS && i.TSEnd.V >= c.TSEnd && !slices.Contains(names, i.File) {
			names = append(names, i.File)
		}
	})
	if err != nil || len(names) != 1 { // an error is told as damage
		return c.Interface
	}
	return strings.TrimSuffix(filepath.Base(names[0])+", "+c.Interface, ", ")
}

// lose notes that a sensor lost something of an interface, or file, in a time;
// without a reason, that it did not record.
func (s *snapshot) lose(sensor, from string, p period, why, unit string, n int64) {
	if n > 0 && p.from <= p.to {
		who := "the sensor " + sensor
		if from != "" && from != sensor {
			who += " (" + from + ")"
		}
		s.dropped = append(s.dropped, loss{who, why, unit, p, n, sensor})
		s.lossy = append(s.lossy, gap{sensor, p})
	}
}

// readFamily reads all rows of a small family.
func readFamily[T any](c *archive.Catalog, family archive.Family, fn func(*T)) error {
	for _, f := range c.Files(family) {
		if err := readFile(f.File, fn); err != nil {
			return err
		}
	}
	return nil
}

// readFile reads all rows of a file, of them the columns that are named.
func readFile[T any](f rows.File, fn func(*T), columns ...string) error {
	r, err := rows.Open[T](f, columns...)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	defer r.Close()
	buf := make([]T, min(max(r.Rows(), 1), 1024))
	for {
		n, err := r.Read(buf)
		for i := range buf[:n] {
			fn(&buf[i])
		}
		if errors.Is(err, io.EOF) || n == 0 && err == nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
	}
}

// env is what the compiler may ask. named becomes true when it asks for names, and
// failed is why they can't be told.
func (s *snapshot) env(ctx context.Context, named *bool, failed *error) pushdown.Env {
	ask := func() {
		*named = true
		*failed = cmp.Or(*failed, s.names.update(ctx))
	}
	return pushdown.Env{
		AllPackets: len(s.missing) == 0 && !s.unkept,
		HoursFrom:  s.hoursFrom,
		Folds:      s.folds,
		Hosts: func(name string) []tables.Lease {
			ask()
			return s.names.named(name)
		},
		HostsBeginning: func(with string, wanted int) []string {
			ask()
			return s.names.beginning(with, wanted)
		},
		HostsLike: func(match func(string) bool) []tables.Lease {
			ask()
			return s.names.like(match)
		},
	}
}

// source is what a relation is read from, given the files that are left after
// pruning.
func (s *snapshot) source(files []archive.File) pushdown.Source {
	src := pushdown.Source{Files: map[string][]pushdown.FileRef{}, Missing: len(s.missing) > 0, Lossy: len(s.lossy) > 0, Hosts: hostsTable, Segments: segmentsTable}
	for _, f := range files {
		family := string(f.Family)
		ref := pushdown.FileRef{Path: f.Path, Rows: f.Rows, Columns: f.Columns}
		if d, ok := s.catalog.Decisions(f); ok {
			switch f.Family {
			case archive.Connections:
				ref.Replaced = d.Path
			case archive.Flows:
				ref.Joined = d.Path
			default:
				ref.Assigned = d.Path
			}
		}
		if r := s.recent; r != nil {
			switch {
			case f.Family == archive.Connections && f.MinTS <= r.to && f.MaxTS >= r.from:
				ref.Except = r.replaced
			case f.Family == archive.Exports && compact.Unsettled(f):
				ref.Settled = r.rows
			case f.Family == archive.Flows && compact.Unsettled(f):
				ref.JoinedTable = r.joined
			}
		}
		src.Files[family] = append(src.Files[family], ref)
	}
	if r := s.recent; r != nil {
		src.Tables = map[string][]string{}
		for family, table := range map[archive.Family]string{archive.Connections: r.connections, archive.Traffic: r.traffic, archive.TrafficHour: r.hours} {
			if table != "" {
				src.Tables[string(family)] = []string{table}
			}
		}
	}
	return src
}

// listFeed is a feed of rows that are in memory already.
type listFeed struct {
	cols  []feedColumn
	rows  int
	write func(row int, to func(column int) *vectorWriter, at int)
}

func (f *listFeed) columns() []feedColumn { return f.cols }

func (f *listFeed) start(wanted []int) (feedRun, error) {
	r := &listRun{feed: f, place: make([]int, len(f.cols))}
	for i := range r.place {
		r.place[i] = -1
	}
	for i, w := range wanted {
		if w >= 0 {
			r.place[w] = i
		}
	}
	return r, nil
}

type listRun struct {
	feed  *listFeed
	place []int // of each column among the vectors; -1 when nobody reads it
	next  int
}

func (r *listRun) fill(vectors []vectorWriter, capacity int) (int, error) {
	n := min(capacity, r.feed.rows-r.next)
	var nobody vectorWriter
	to := func(column int) *vectorWriter {
		if p := r.place[column]; p >= 0 {
			return &vectors[p]
		}
		return &nobody
	}
	for i := range n {
		r.feed.write(r.next+i, to, i)
	}
	r.next += n
	return n, nil
}

func (r *listRun) close() {}

// columnsOf are a relation's columns as feed columns.
func columnsOf(rel *tables.Relation) []feedColumn {
	var out []feedColumn
	for _, c := range rel.Columns {
		out = append(out, feedColumns(c.Name, c.Kind)...)
	}
	return out
}

// feedColumns are those that make up a column of a kind.
func feedColumns(name string, kind tables.Kind) (out []feedColumn) {
	for _, part := range kind.Columns(name) {
		out = append(out, feedColumn{part.Name, duckTypes[part.Type.Duck()]})
	}
	return out
}

func segmentsFeed(segments []archive.SegmentInfo) feed {
	return &listFeed{
		cols: columnsOf(tables.OpsSegments),
		rows: len(segments),
		write: func(row int, to func(int) *vectorWriter, at int) {
			s := &segments[row]
			put(to(0), at, int64(s.Segment.Segment))
			to(1).setText(at, s.Kind)
			to(2).setTextOrNull(at, s.Sensor)
			to(3).setText(at, s.Path)
			putOpt(to(4), at, s.TS)
			putOpt(to(5), at, s.TSEnd)
			put(to(6), at, s.Packets)
			put(to(7), at, s.Bytes)
			to(8).setText(at, s.State)
			put(to(9), at, int64(0)) // imports close conversations only after all their packets
			evicted := tables.Opt[tables.Time]{}
			if s.Evicted != nil {
				evicted = tables.Some(s.Evicted.EvictedAt)
			}
			putOpt(to(10), at, evicted)
		},
	}
}

// putOpt stores a value that may be missing.
func putOpt[T any](w *vectorWriter, row int, o tables.Opt[T]) {
	if !o.Set {
		w.setNull(row)
		return
	}
	put(w, row, o.V)
}
