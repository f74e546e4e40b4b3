package capture

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Source gives the packets of one interface in the order they came.
type Source interface {
	// Next fills rec with the next packet, whose Data is valid until the next
	// call. It returns ErrIdle when none came for a short while (at most 100 ms);
	// any other error ends the source, io.EOF as it should.
	Next(rec *pcap.Record) error
	// Loss returns what was received and lost since the source was opened: both
	// only rise.
	Loss() (received, dropped uint64)
	LinkType() tables.LinkType
	Close() error
}

// ErrIdle says that no packet came, and that more may.
var ErrIdle = errors.New("no packet for a while")

// LiveOptions for Live.
type LiveOptions struct {
	// Sensor is the observer's name in all rows; empty means DefaultSensor. Site
	// is the conversation space, by default the common one. Interface is where
	// the packets come from.
	Sensor, Site, Interface string
	// Interval is how long rows wait before they are written; 0 is two seconds.
	Interval time.Duration
	// Progress, if not nil, is called at each commit and when Live ends.
	Progress func(LiveStats)
	Logger   *slog.Logger
	// Meter has the meter's timeouts and bounds; its Sensor and Site are
	// those above.
	Meter Config
}

// LiveStats count what Live did so far.
type LiveStats struct {
	Packets, Bytes int64 // recorded; bytes on the wire
	Rows           int64 // flow rows that are durable
	// Received and Dropped are the source's own counts.
	Received, Dropped uint64
	// Watermark: what came before is durable.
	Watermark tables.Time
}

// batchEvery is how long a batch of Live lasts.
const batchEvery = time.Minute

// Live records packets of a Source until ctx ends, which is no error, or the
// source does. It closes the source.
func Live(ctx context.Context, a *archive.Archive, src Source, o LiveOptions) (err error) {
	defer func() { err = errors.Join(err, src.Close()) }()
	if o.Sensor == "" {
		o.Sensor = DefaultSensor
	}
	l := &live{a: a, src: src, o: o}
	if l.rows, err = newRowBuffers(); err != nil {
		return err
	}
	mc := o.Meter
	mc.Sensor, mc.Site = o.Sensor, o.Site
	l.meter = NewMeter(mc, l.rows, observe.New(l.rows))
	defer func() {
		if l.tx != nil {
			l.rows.stop()
			l.tx.Abort()
		}
	}()
	var rec pcap.Record
	var header tables.Header
	for ctx.Err() == nil {
		err := src.Next(&rec)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && !errors.Is(err, ErrIdle) {
			return errors.Join(err, l.commit(true))
		}
		if err == nil {
			if err := l.packet(&rec, &header); err != nil {
				return err
			}
		}
		if l.tx != nil && time.Since(l.began) >= batchEvery {
			if err := l.commit(false); err != nil {
				return err
			}
		}
	}
	return l.commit(true)
}

// live is the state of one Live.
type live struct {
	a     *archive.Archive
	src   Source
	o     LiveOptions
	rows  *rowBuffers
	meter *Meter
	tx    *archive.Tx
	began time.Time
	cover coverage
	last  int64 // time of the last packet
	lost  uint64
	stats LiveStats
}

func (l *live) packet(rec *pcap.Record, h *tables.Header) error {
	if l.tx == nil {
		tx, err := l.a.Begin(tables.Importer)
		if err != nil {
			return err
		}
		l.tx, l.began, l.cover = tx, time.Now(), coverage{sensor: l.o.Sensor}
		l.rows.begin(tx)
	}
	rec.InterfaceName = l.o.Interface
	w, err := l.tx.Packets(l.o.Sensor, l.o.Site, rec.Link, rec.Nano)
	if err != nil {
		return err
	}
	segment, offset, err := w.Append(rec)
	if err != nil {
		return err
	}
	l.cover.add(rec)
	l.last = rec.TS
	l.stats.Packets++
	l.stats.Bytes += int64(rec.Length)
	tables.Decode(rec.Link, rec.Data, rec.Length, h)
	l.cover.notDecoded(rec, h)
	return l.meter.Packet(&Packet{TS: rec.TS, Header: h, Data: rec.Data, Length: rec.Length, ID: tables.PacketID(segment, offset)})
}

// commit writes what came since the batch began; the last one ends all
// conversations.
func (l *live) commit(last bool) error {
	if l.tx == nil {
		return nil
	}
	end := func() error { return l.meter.Cut(l.last) }
	if last {
		end = l.meter.Close
	}
	if err := end(); err != nil {
		return err
	}
	flows, err := l.rows.flush()
	if err != nil {
		return err
	}
	received, dropped := l.src.Loss()
	if _, err := archive.WriteRows(l.tx, importLevel, l.cover.rows([]pcap.Interface{{Drops: tables.Some(int64(dropped - l.lost))}})); err != nil {
		return err
	}
	if err := l.tx.Commit(); err != nil {
		return err
	}
	l.tx, l.lost = nil, dropped
	l.stats.Rows += flows
	l.stats.Received, l.stats.Dropped, l.stats.Watermark = received, dropped, tables.TimeOf(l.last)
	if l.o.Progress != nil {
		l.o.Progress(l.stats)
	}
	return nil
}
