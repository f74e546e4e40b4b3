package capture

import (
	"errors"
	"io"
	"sync/atomic"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

const (
	// decodedPackets go to the meter together, and so many of these are on their
	// way: few enough to stay in the cache, enough for a hand-over to cost nothing.
	decodedPackets = 512
	decodedAhead   = 4
	// readPackets are read at a time, and then copied: who copies them brings the
	// records that follow into the cache.
	readPackets = 8
)

// decoded is packets on their way from a file to the meter.
type decoded struct {
	records [decodedPackets]pcap.Record
	headers [decodedPackets]tables.Header
	packets [decodedPackets]Packet
	n       int
	spent   [][]byte // buffers of the reader that only earlier packets lie in
	err     error    // why no more follow
}

// packets meters the packets of a file; place says where each is kept. It
// returns nil at the file's end, or why it stopped before. A goroutine reads,
// decodes and places them ahead of the meter.
func (im *importer) packets(r *pcap.Reader, s *source, place func(*pcap.Record) (tables.ID, error)) (err error) {
	im.progress.File = s.path
	full := make(chan *decoded, decodedAhead)
	var stop atomic.Bool
	go im.decode(r, place, full, &stop)
	seen := 0
	for d := range full {
		for _, b := range d.spent {
			r.Reuse(b)
		}
		if seen += d.n; seen >= checkEvery {
			seen = 0
			im.tell(r.Consumed(), false)
			if err == nil {
				err = im.ctx.Err()
			}
		}
		for at := 0; at < d.n && err == nil; at += Batch {
			err = im.metered(d, at, min(at+Batch, d.n), place)
		}
		if im.progress.Packets += int64(d.n); err == nil {
			err = d.err
		}
		stop.Store(err != nil)
		d.spent, d.err = d.spent[:0], nil
		im.free <- d
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// metered meters some of the packets, and with cutoffs places them first: what is
// kept of one depends on those before it.
func (im *importer) metered(d *decoded, from, to int, place func(*pcap.Record) (tables.ID, error)) error {
	if im.cfg.Meter.Cutoffs == nil {
		return im.meter.Packets(d.packets[from:to])
	}
	for i := from; i < to; i++ {
		rec, p := &d.records[i], &d.packets[i]
		im.meter.Kept(rec, p)
		err := im.place(rec, p, place)
		if err == nil {
			err = im.meter.Packet(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// place keeps a packet and takes note of it.
func (im *importer) place(rec *pcap.Record, p *Packet, place func(*pcap.Record) (tables.ID, error)) (err error) {
	if p.ID, err = place(rec); err == nil && im.cover != nil {
		im.cover.notDecoded(rec, p.Header)
	}
	return err
}

// decode sends the packets of a file until its end, an error, or stop.
func (im *importer) decode(r *pcap.Reader, place func(*pcap.Record) (tables.ID, error), full chan<- *decoded, stop *atomic.Bool) {
	defer close(full)
	var d *decoded
	r.Keep(func(buf []byte) { d.spent = append(d.spent, buf) })
	defer r.Keep(nil)
	for err := error(nil); err == nil && !stop.Load(); {
		d = <-im.free
		d.n = 0
		var n int
		n, err = r.Batch(d.records[:readPackets])
		for n > 0 && err == nil {
			for range n {
				rec, p := &d.records[d.n], &d.packets[d.n]
				p.TS, p.Data, p.Length, p.Header = rec.TS, rec.Data, rec.Length, &d.headers[d.n]
				tables.Decode(rec.Link, rec.Data, rec.Length, p.Header)
				im.meter.prepare(p)
				if im.cfg.Meter.Cutoffs == nil {
					if err = im.place(rec, p, place); err != nil {
						break
					}
				}
				d.n++
			}
			n = r.More(d.records[d.n:min(d.n+readPackets, decodedPackets)])
		}
		d.err = err
		full <- d
	}
}
