package capture

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// A row file that is damaged can be had again while the packets of its import are
// there: metering them gives the same rows, with the same ids. The import is metered
// anew as a whole, since conversations go on from batch to batch; of its rows those
// are kept that no file has. They are the damaged file's, or there is something wrong
// with that, and then nothing is done.

// FromPackets tells whether the rows of a family are metered from packets.
func FromPackets(f archive.Family) bool {
	return slices.Contains([]archive.Family{archive.Flows, archive.Other, archive.DNS, archive.DNSAnswers, archive.Names, archive.TLS, archive.HTTP, archive.Logins, archive.FileAccess, archive.RPC, archive.Mail, archive.ARP, archive.ICMP, archive.DHCP, archive.Oddities}, f)
}

// Rebuild puts rows in place of those of lost files, which must be of families
// metered from packets; each range says what became of it. The caller has the lock of
// compaction. An error means that it could not go on.
func Rebuild(ctx context.Context, a *archive.Archive, lost []archive.File) ([]*archive.LostRange, error) {
	if len(lost) == 0 {
		return nil, nil
	}
	c, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	r := rebuilder{lost: map[reflect.Type]lostRows{}, ctx: ctx, archive: a, cat: c, ranges: archive.LostRanges(lost)}
	defer r.abort()
	if err := r.meter(); err != nil {
		return nil, err
	}
	for _, l := range r.ranges {
		l.Finish(0)
	}
	return r.ranges, nil
}

type rebuilder struct {
	ctx     context.Context
	archive *archive.Archive
	cat     *archive.Catalog
	ranges  []*archive.LostRange
	from    []archive.File // the imports that were metered
	lost    map[reflect.Type]lostRows
}

func (r *rebuilder) Flow(row *tables.Flow) error   { return r.Row(row) }
func (r *rebuilder) Other(row *tables.Other) error { return r.Row(row) }
func (r *rebuilder) Row(row any) error             { return r.lost[reflect.TypeOf(row)].add(row) }

// of are the lost ranges of a family.
func (r *rebuilder) of(family archive.Family) (list []*archive.LostRange) {
	for _, l := range r.ranges {
		if l.Files[0].Family == family {
			list = append(list, l)
		}
	}
	return list
}

// meter meters the imports that may have had the lost rows.
func (r *rebuilder) meter() error {
	streams, err := importedStreams(r.cat)
	if err != nil {
		return err
	}
	var wanted []*stream
	for _, s := range streams {
		if slices.ContainsFunc(r.ranges, func(l *archive.LostRange) bool { return l.Meets(s.from, s.to) }) {
			wanted = append(wanted, s)
			for _, b := range s.batches {
				r.from = append(r.from, b.file)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	for _, add := range []func(*rebuilder) error{missed[tables.Flow], missed[tables.Other], missed[tables.DNS], missed[tables.DNSAnswer], missed[tables.Name], missed[tables.TLS], missed[tables.HTTP], missed[tables.Login], missed[tables.File], missed[tables.RPC], missed[tables.Mail], missed[tables.ARP], missed[tables.ICMP], missed[tables.DHCP], missed[tables.Oddity]} {
		if err := add(r); err != nil {
			return err
		}
	}
	for _, s := range wanted {
		if err := r.stream(s); r.ctx.Err() != nil {
			return r.ctx.Err()
		} else if err != nil {
			for _, l := range r.ranges {
				if l.Err == nil && l.Meets(s.from, s.to) {
					l.Err = err
				}
			}
		}
	}
	for _, m := range r.lost {
		if err := m.flush(); err != nil {
			return err
		}
	}
	return nil
}

// stream is what one command imported.
type stream struct {
	batches  []*importBatch
	from, to tables.Time
}

// importBatch is a batch of an import: what was committed at once.
type importBatch struct {
	file     archive.File // of its rows of imports
	files    []tables.Import
	segments []*archive.SegmentInfo
}

// importedStreams are all imports. Which segments are of a batch is told by when
// its rows arrived.
func importedStreams(c *archive.Catalog) (list []*stream, err error) {
	batches := map[tables.Time]*importBatch{}
	byStream := map[string]*stream{}
	for _, f := range c.Files(archive.Imports) {
		imports, err := rows.ReadAll[tables.Import](f.File)
		if err != nil {
			return nil, err
		}
		if len(imports) == 0 || imports[0].Sensor == "" { // exports
			continue
		}
		b := &importBatch{file: f, files: imports}
		batches[f.Origin.First] = b
		s := byStream[imports[0].Stream]
		if s == nil {
			s = &stream{from: tables.OpenEnd}
			byStream[imports[0].Stream], list = s, append(list, s)
		}
		s.batches = append(s.batches, b)
		for _, i := range imports {
			if i.TS.Set {
				s.from, s.to = min(s.from, i.TS.V), max(s.to, i.TSEnd.V)
			}
		}
	}
	segments := c.Segments()
	for i := range segments {
		if b := batches[segments[i].Arrived()]; b != nil {
			b.segments = append(b.segments, &segments[i])
		}
	}
	for _, s := range list {
		slices.SortFunc(s.batches, func(x, y *importBatch) int { return cmp.Compare(x.files[0].ImportedAt, y.files[0].ImportedAt) })
	}
	return list, nil
}

var errPacketsGone = errors.New("the packets of its import are not all there")

// stream meters the packets of an import.
func (r *rebuilder) stream(s *stream) error {
	first := &s.batches[0].files[0]
	last := s.batches[len(s.batches)-1]
	if last.files[0].Unfinished.V {
		return errors.New("its import was interrupted: which packet followed is not known")
	}
	for _, b := range s.batches {
		packets := int64(0)
		for _, one := range b.segments {
			packets += one.Packets
			if one.State != archive.StateAvailable {
				return errPacketsGone
			}
			if !one.InPlace && !bytes.Equal(one.Layout, b.segments[0].Layout) {
				return errors.New("its import had packets of several link types: in which order they came is not known")
			}
			if err := r.archive.CheckPackets(r.ctx, r.cat, one); err != nil {
				return fmt.Errorf("the packets of its import are damaged: %w", err)
			}
		}
		for _, f := range b.files {
			packets -= f.Packets
		}
		if packets != 0 {
			return errPacketsGone
		}
	}
	m := NewMeter(Config{Sensor: first.Sensor, Site: first.Site}, r, observe.New(r))
	for n, b := range s.batches {
		if err := r.batch(m, b, n > 0); err != nil {
			return err
		}
	}
	return m.Close()
}

// batch meters the packets of a batch, which lie in its segments in the order of
// its files.
func (r *rebuilder) batch(m *Meter, b *importBatch, cut bool) error {
	files, left := b.files, int64(0)
	from, to := int64(0), int64(0)
	var header tables.Header
	for _, s := range b.segments {
		err := r.archive.Walk(r.ctx, r.cat, s.Number(), func(rec *pcap.Record) error {
			if cut {
				cut = false
				if err := m.Cut(rec.TS); err != nil {
					return err
				}
			}
			for left == 0 {
				text := cmp.Or(files[0].HeadID, files[0].ContentID)
				id, err := hex.DecodeString(text)
				if err != nil || len(id) != len(SourceID{}) {
					return fmt.Errorf("id %q is not 32 hexadecimal digits", text)
				}
				m.Source(SourceID(id))
				from, to, left = rec.TS, rec.TS, files[0].Packets
				if left == 0 {
					files = files[1:]
				}
			}
			from, to = min(from, rec.TS), max(to, rec.TS)
			tables.Decode(rec.Link, rec.Data, rec.Length, &header)
			p := Packet{ID: tables.PacketID(s.Number(), rec.Offset), TS: rec.TS, Data: rec.Data, Length: rec.Length, Header: &header}
			if err := m.Packets([]Packet{p}); err != nil {
				return err
			}
			if left--; left > 0 {
				return nil
			}
			if f := &files[0]; f.TS.V != tables.TimeOf(from) || f.TSEnd.V != tables.TimeOf(to) {
				return errors.New("in which order the files of its import came is not known")
			}
			files = files[1:]
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// missing takes rows of a family and keeps those that no file has.
type missing[T any] struct {
	ts     func(*T) tables.Time
	ranges []*archive.LostRange
	there  map[uint64]int // rows that files have in the times of lost ones, by their hash
	files  map[*archive.LostRange]*rows.Sorter[T]
	text   []byte
}

// mostRows bounds the rows that are compared at a time: some 50 bytes each.
const mostRows = 20_000_000

// lostRows is a missing of any rows.
type lostRows interface {
	add(row any) error
	flush() error
	stop()
}

// missed has the rows of a family looked for.
func missed[T any](r *rebuilder) error {
	m, err := missingOf[T](r)
	r.lost[reflect.TypeFor[*T]()] = m
	return err
}

func missingOf[T any](r *rebuilder) (*missing[T], error) {
	family := archive.Family(tables.FamilyOf(reflect.TypeFor[T]()).Name)
	m := &missing[T]{ts: rows.TimeOf[T](), ranges: r.of(family), there: map[uint64]int{}, files: map[*archive.LostRange]*rows.Sorter[T]{}}
	if len(m.ranges) == 0 {
		return m, nil
	}
	for _, l := range m.ranges {
		tx, o, err := l.Begin(r.archive, r.cat, r.from)
		if err != nil {
			return nil, err
		}
		s, err := rows.NewSorter[T](rows.SorterOptions{Rows: 100_000, Blobs: 32 << 20, FileRows: maxFileRows})
		if err != nil {
			return nil, err
		}
		s.Begin(func() (*rows.Writer[T], error) { return archive.NewRowFileWith[T](tx, l.Files[0].Level, o) })
		m.files[l] = s
	}
	for _, f := range r.cat.Files(family) {
		if slices.ContainsFunc(m.ranges, func(l *archive.LostRange) bool { return l.Has(&f) }) ||
			!slices.ContainsFunc(m.ranges, func(l *archive.LostRange) bool { return l.Meets(f.MinTS, f.MaxTS) }) {
			continue
		}
		if err := eachRow(r.ctx, f, func(row *T) error {
			if archive.LostAt(m.ranges, m.ts(row)) != nil {
				m.there[m.hash(row)]++
			}
			if len(m.there) > mostRows {
				return fmt.Errorf("more than %d rows of %s lie in the time of what is lost", mostRows, family)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// eachRow calls fn for all rows of a file.
func eachRow[T any](ctx context.Context, f archive.File, fn func(*T) error) error {
	in, err := rows.Open[T](f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	buf := make([]T, 512)
	for ctx.Err() == nil {
		n, err := in.Read(buf)
		for i := range buf[:n] {
			if err := fn(&buf[i]); err != nil {
				return err
			}
		}
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	return ctx.Err()
}

// hash tells rows apart, by all they say.
func (m *missing[T]) hash(row *T) uint64 {
	m.text = fmt.Appendf(m.text[:0], "%v", *row)
	return xxh3.Hash(m.text)
}

func (m *missing[T]) add(any any) error {
	row := any.(*T)
	l := archive.LostAt(m.ranges, m.ts(row))
	if l == nil {
		return nil
	}
	if h := m.hash(row); m.there[h] > 0 {
		m.there[h]--
		return nil
	}
	l.Rows++
	return m.files[l].Add(row)
}

// flush writes what was kept.
func (m *missing[T]) flush() error {
	for _, s := range m.files {
		if _, err := s.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// stop gives up what was not flushed.
func (m *missing[T]) stop() {
	for _, s := range m.files {
		s.Stop()
	}
}

func (r *rebuilder) abort() {
	for _, m := range r.lost {
		m.stop()
	}
	for _, l := range r.ranges {
		l.Abort()
	}
}
