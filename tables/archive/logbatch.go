package archive

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// LogBatch is what became of a log's packets up to a Mark. Rows are in any order.
type LogBatch struct {
	Flows  []tables.Flow
	Others []tables.Other
	Observed
	Rates []tables.Rate
	// LiveFlows and LiveOthers are the rows that are not over, as they are now;
	// those of the batch before count no longer.
	LiveFlows  []tables.Flow
	LiveOthers []tables.Other
	// Coverage is of times that are over, Covered of the one that is not.
	Coverage []tables.Coverage
	Covered  tables.Coverage
	// Checkpoint, unless it is nil, is all that the meter must know to go on from
	// here; what comes later can be metered again, see Log.Replay.
	Checkpoint []byte
	// Arrived is when the first of it came, Until when the last had.
	Arrived, Until tables.Time
}

// Observed are rows of what was observed in packets.
type Observed struct {
	DNS        []tables.DNS
	Names      []tables.Name
	TLS        []tables.TLS
	HTTP       []tables.HTTP
	DNSAnswers []tables.DNSAnswer
	Logins     []tables.Login
	Files      []tables.File
	RPC        []tables.RPC
	Mail       []tables.Mail
	ARP        []tables.ARP
	ICMP       []tables.ICMP
	DHCP       []tables.DHCP
	Oddities   []tables.Oddity
}

// Row adds a row, a pointer to one of these.
func (o *Observed) Row(row any) {
	switch r := row.(type) {
	case *tables.DNS:
		o.DNS = append(o.DNS, *r)
	case *tables.Name:
		o.Names = append(o.Names, *r)
	case *tables.TLS:
		o.TLS = append(o.TLS, *r)
	case *tables.HTTP:
		o.HTTP = append(o.HTTP, *r)
	case *tables.DNSAnswer:
		o.DNSAnswers = append(o.DNSAnswers, *r)
	case *tables.Login:
		o.Logins = append(o.Logins, *r)
	case *tables.File:
		o.Files = append(o.Files, *r)
	case *tables.RPC:
		o.RPC = append(o.RPC, *r)
	case *tables.Mail:
		o.Mail = append(o.Mail, *r)
	case *tables.ARP:
		o.ARP = append(o.ARP, *r)
	case *tables.ICMP:
		o.ICMP = append(o.ICMP, *r)
	case *tables.DHCP:
		o.DHCP = append(o.DHCP, *r)
	case *tables.Oddity:
		o.Oddities = append(o.Oddities, *r)
	default:
		panic(fmt.Sprintf("a row %T", row))
	}
}

// Len is how many rows there are.
func (o *Observed) Len() int {
	return len(o.DNS) + len(o.Names) + len(o.TLS) + len(o.HTTP) + len(o.DNSAnswers) + len(o.Logins) + len(o.Files) + len(o.RPC) + len(o.Mail) +
		len(o.ARP) + len(o.ICMP) + len(o.DHCP) + len(o.Oddities)
}

func (o *Observed) write(tx *Tx) error {
	return errors.Join(
		writeSorted(tx, "m", o.DNS, func(r *tables.DNS) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.Names, func(r *tables.Name) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.TLS, func(r *tables.TLS) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.HTTP, func(r *tables.HTTP) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.DNSAnswers, func(r *tables.DNSAnswer) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.Logins, func(r *tables.Login) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.Files, func(r *tables.File) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.RPC, func(r *tables.RPC) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.Mail, func(r *tables.Mail) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.ARP, func(r *tables.ARP) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.ICMP, func(r *tables.ICMP) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.DHCP, func(r *tables.DHCP) tables.Time { return r.TS }),
		writeSorted(tx, "m", o.Oddities, func(r *tables.Oddity) tables.Time { return r.TS }))
}

// Commit makes a mark's packets durable, then the rows of its batch visible and
// durable, all or none. After an error it must be called with the same again
// until there is none, before the next.
func (l *Log) Commit(m *Mark, b *LogBatch) error {
	if !m.logged {
		if err := l.sync(m); err != nil {
			return fmt.Errorf("packets: %w", err)
		}
		m.logged = true
	}
	var err error
	if m.rowsKept {
		err = l.a.syncBatches()
	} else {
		err = l.write(m, b)
		m.rowsKept = err == nil || errors.Is(err, errUncertain)
	}
	if err != nil {
		return err
	}
	l.stored, l.adopted = m.number, LogBatch{}
	if l.wasLost != nil { // it is in the batch
		l.a.tidied(l.nothingLost())
	}
	for _, p := range m.parts {
		if p.seal {
			l.a.tidied(p.s.close())
			p.s.sealed = true
			l.old = append(l.old, p.s)
		}
	}
	if b.Checkpoint != nil {
		if err := disk.Replace(l.a.disk, l.checkpointFile(), b.Checkpoint, 0o640); err != nil {
			l.a.log.Warn("checkpoint", "writer", l.writer, "error", err)
		} else {
			l.forget(m.number)
		}
	}
	l.publish(b.Until)
	if time.Since(l.tidied) > tidyLogEvery {
		l.tidied = time.Now()
		l.a.tidied(l.a.tidy())
	}
	return nil
}

// sync makes the packets durable and says so in the journals.
func (l *Log) sync(m *Mark) error {
	for i := range m.parts {
		p := &m.parts[i]
		s := p.s
		if p.entry.bytes > s.last.bytes {
			if err := s.sync(); err != nil {
				return l.whether(s, err, 0)
			}
		}
		if p.seal && p.entry.bytes == s.last.bytes {
			continue // its last entry says it all
		}
		if _, err := s.journal.WriteAt(p.entry.encode(nil), s.head+s.entries*entrySize); err != nil {
			return err
		}
		if err := s.journal.Sync(); err != nil {
			return err
		}
		if s.last.packets == 0 {
			l.a.written(s.Path)
		}
		s.last = p.entry
		s.entries++
	}
	return nil
}

// sync makes a segment's packets durable. A sync that fails leaves pages that the
// kernel holds for written, so that the next one would succeed and mean nothing: what
// was not durable then is written once more.
func (s *logSegment) sync() error {
	if s.syncer.failed.Swap(false) {
		if err := s.again(); err != nil {
			s.syncer.failed.Store(true)
			return err
		}
	}
	err := s.file.Sync()
	if err != nil {
		s.syncer.failed.Store(true)
	}
	return err
}

// again writes what is not durable over itself. Others may add to the file meanwhile:
// what it has below its size is there to stay.
func (s *logSegment) again() error {
	st, err := s.file.Stat()
	if err != nil {
		return err
	}
	buf := make([]byte, min(syncBytes, st.Size()-s.last.bytes))
	for at := s.last.bytes; at < st.Size(); at += int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), st.Size()-at)]
		if _, err := s.file.ReadAt(buf, at); err != nil {
			return err
		}
		if _, err := s.file.WriteAt(buf, at); err != nil {
			return err
		}
	}
	return nil
}

// write writes the rows in one transaction.
func (l *Log) write(m *Mark, b *LogBatch) error {
	tx, err := l.a.Begin(l.writer)
	if err != nil {
		return err
	}
	tx.untidy, tx.first, tx.last = true, b.Arrived, max(b.Arrived, b.Until)
	if err := l.fill(tx, m, b); err != nil {
		return errors.Join(err, tx.Abort())
	}
	return tx.Commit()
}

func (l *Log) fill(tx *Tx, m *Mark, b *LogBatch) error {
	for _, p := range m.parts {
		if !p.seal {
			continue
		}
		row := tables.Segment{Segment: int32(p.s.Segment), Kind: "pcap", Sensor: p.s.Sensor, Site: p.s.Site, Path: p.s.Path,
			Layout: pcap.LayoutOf(p.s.Link, p.s.Nano).Encode(), Packets: p.entry.packets, Bytes: p.entry.bytes, Sums: p.table,
			TS: tables.Some(tables.TimeOf(p.entry.first)), TSEnd: tables.Some(tables.TimeOf(p.entry.last))}
		st, err := p.s.file.Stat()
		if err != nil {
			return err
		}
		row.MTime = tables.Time(st.ModTime().UnixMicro())
		tx.done = append(tx.done, row)
	}
	covered := b.Covered
	covered.Log, covered.Commit = l.name(), tables.Some(int64(m.number))
	return errors.Join(
		writeSorted(tx, "m", and(b.Flows, l.adopted.LiveFlows), func(r *tables.Flow) tables.Time { return r.TS }),
		writeSorted(tx, "m", and(b.Others, l.adopted.LiveOthers), func(r *tables.Other) tables.Time { return r.TS }),
		b.Observed.write(tx),
		writeSorted(tx, "m", b.Rates, func(r *tables.Rate) tables.Time { return r.TS }),
		writeSorted(tx, "m", b.Coverage, func(r *tables.Coverage) tables.Time { return r.TS }),
		writeLive(tx, b.LiveFlows, func(r *tables.Flow) tables.Time { return r.TS }),
		writeLive(tx, b.LiveOthers, func(r *tables.Other) tables.Time { return r.TS }),
		writeLive(tx, []tables.Coverage{covered}, func(r *tables.Coverage) tables.Time { return r.TS }))
}

// and is a list with what, once in a log's life, comes to it: tried again, it may not
// be twice.
func and[T any](list, more []T) []T {
	if len(more) == 0 {
		return list
	}
	return slices.Concat(list, more)
}

func writeSorted[T any](tx *Tx, level string, list []T, ts func(*T) tables.Time) error {
	byTime(list, ts)
	_, err := WriteRows(tx, level, list)
	return err
}

// byTime sorts rows, which are large, by moving each once.
func byTime[T any](list []T, ts func(*T) tables.Time) {
	type place struct {
		ts tables.Time
		at int
	}
	order, sorted := make([]place, len(list)), true
	for i := range list {
		order[i] = place{ts(&list[i]), i}
		sorted = sorted && (i == 0 || order[i-1].ts <= order[i].ts)
	}
	if sorted {
		return
	}
	slices.SortFunc(order, func(x, y place) int { return cmp.Or(cmp.Compare(x.ts, y.ts), cmp.Compare(x.at, y.at)) })
	for i := range list { // a cycle of those that take each other's place
		first, at := list[i], i
		for order[at].at != i {
			from := order[at].at
			list[at], order[at].at = list[from], at
			at = from
		}
		list[at], order[at].at = first, at
	}
}

// writeLive writes the rows that are not over, which may be none: the file stands
// for that of the batch before.
func writeLive[T any](tx *Tx, list []T, ts func(*T) tables.Time) error {
	byTime(list, ts)
	f, err := NewRowFileWith[T](tx, "s", RowOptions{Lane: liveLane})
	if err != nil {
		return err
	}
	if err := f.Write(list); err != nil {
		f.Close()
		return err
	}
	_, err = f.Close()
	return err
}

// forget removes the journals of sealed segments that no replay needs after a
// checkpoint.
func (l *Log) forget(commit uint64) {
	l.old = slices.DeleteFunc(l.old, func(s *logSegment) bool {
		if s.last.commit > commit {
			return false
		}
		err := l.a.remove(s.path)
		l.a.tidied(err)
		return err == nil
	})
}

// publish moves the watermark; see Recorder.publish.
func (l *Log) publish(t tables.Time) {
	if t <= l.marked && t > l.marked-clockSlack { // else the clock was set back
		return
	}
	l.marked = t
	if _, err := l.mark.WriteAt(fmt.Appendf(nil, "%020d\n%020[1]d\n", int64(t)), 0); err != nil {
		l.a.log.Debug("watermark", "error", err)
	}
}

// Watermark is a time before which all that came is durable.
func (l *Log) Watermark() tables.Time { return l.marked }

// Replay gives the packets behind a commit that are durable, and after those of
// each commit its number and tick (see Mark). rec is valid during the call. It is
// for a log that was just opened.
func (l *Log) Replay(ctx context.Context, after uint64, packet func(id tables.ID, rec *pcap.Record) error, commit func(number uint64, tick int64) error) error {
	// Those of a log before are only to be sealed.
	segments := slices.Concat(l.old, l.full)
	if l.current != nil {
		segments = append(segments, l.current)
	}
	for _, s := range segments {
		if s.Log != l.name() || s.last.commit <= after {
			continue
		}
		j := &logJournal{path: s.path, size: s.head}
		entries, err := j.entries(l.a.disk)
		if err == nil {
			err = l.replay(ctx, s, entries[:min(s.entries, int64(len(entries)))], after, packet, commit)
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", s.Segment, err)
		}
	}
	return nil
}

func (l *Log) replay(ctx context.Context, s *logSegment, entries []journalEntry, after uint64, packet func(tables.ID, *pcap.Record) error, commit func(uint64, int64) error) error {
	f, err := l.a.disk.Open(l.a.at(s.Path))
	if err != nil {
		return err
	}
	defer f.Close()
	f.Advise(0, 0, disk.Sequential)
	in := recordReader{f: f, layout: pcap.LayoutOf(s.Link, s.Nano), at: pcap.FileHeader}
	for _, e := range entries {
		if e.commit <= after {
			in.at = e.bytes
			continue
		}
		for in.at < e.bytes {
			if err := ctx.Err(); err != nil {
				return err
			}
			at := in.at
			rec, err := in.next(e.bytes)
			if err != nil {
				return err
			}
			if err := packet(tables.PacketID(s.Segment, at), rec); err != nil {
				return err
			}
		}
		if err := commit(e.commit, e.tick); err != nil {
			return err
		}
	}
	return nil
}

// recordReader reads records one after the other.
type recordReader struct {
	f      io.ReaderAt
	layout *pcap.Layout
	at     int64
	buf    []byte
	start  int64 // of buf in the file
	rec    pcap.Record
}

func (r *recordReader) next(end int64) (*pcap.Record, error) {
	head, err := r.window(pcap.RecordHeader, end)
	if err != nil {
		return nil, err
	}
	size := pcap.RecordHeader + int64(binary.LittleEndian.Uint32(head[8:]))
	b, err := r.window(size, end)
	if err != nil {
		return nil, err
	}
	if _, bad := r.layout.Record(r.at, b, &r.rec); bad != "" {
		return nil, &pcap.DamageError{Offset: r.at, Reason: bad}
	}
	r.at += size
	return &r.rec, nil
}

// window is the next n bytes.
func (r *recordReader) window(n, end int64) ([]byte, error) {
	if r.at+n > end {
		return nil, &pcap.DamageError{Offset: r.at, Reason: "a record reaches beyond what was durable"}
	}
	if r.at < r.start || r.at+n > r.start+int64(len(r.buf)) {
		size := min(max(n, readChunk), end-r.at)
		if int64(cap(r.buf)) < size {
			r.buf = make([]byte, size)
		}
		r.buf, r.start = r.buf[:size], r.at
		if k, err := r.f.ReadAt(r.buf, r.at); int64(k) < size {
			r.buf = r.buf[:0]
			return nil, err
		}
	}
	return r.buf[r.at-r.start:][:n], nil
}
