package capture

import (
	"math"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Progress of an Import.
type Progress struct {
	File        string // being read
	Files       int    // done with
	FilesTotal  int
	Bytes       int64 // of the files on disk, read
	BytesTotal  int64
	Packets     int64
	Elapsed     time.Duration
	Identifying bool // File is being read for its content id
}

// What became of a file.
const (
	FileImported = "imported"
	FileDamaged  = "damaged" // imported up to the damage
	FileKnown    = "already imported"
	FileRefused  = "refused"
)

// FileReport is what became of one file.
type FileReport struct {
	Path    string
	State   string
	Packets int64
	// NotDecoded says which packets can't be told to hold no IP, empty when all can.
	NotDecoded string
	// Untimed packets have the time of their neighbours.
	Untimed int64
	// KnownAs is, of a file that is known, the sensor and site it was imported for,
	// if another one's were asked for.
	KnownAs string
	Err     error // *pcap.DamageError when damaged, also when known before; why when refused
}

// Report sums up an Import.
type Report struct {
	Files                             []FileReport
	Imported, Damaged, Known, Refused int
	KnownDamaged                      int // of Known
	// Of what this call has committed:
	Batches        int
	Packets, Bytes int64 // Bytes on the wire
	Cut, Overlong  int64 // packets with less, or more, captured than they say they were long
	Rows           int64 // flow rows
	Conversations  int64
	Evicted        int64         // conversations ended for lack of resources
	Unread         int64         // packets that broke a reader of names and transactions
	GivenUp        int64         // queries, requests and streams given up because too many were open
	Replayed       int64         // packets metered again to continue an interrupted import
	First, Last    tables.Time   // of the packets; both 0 without any
	Elapsed        time.Duration // wall clock
}

// Whole tells that all files were imported, or known before, without damage.
func (r *Report) Whole() bool { return r.Damaged == 0 && r.Refused == 0 && r.KnownDamaged == 0 }

// Decoded tells that of all packets is known which IP they hold, if any.
func (r *Report) Decoded() bool {
	return !slices.ContainsFunc(r.Files, func(f FileReport) bool { return f.NotDecoded != "" })
}

func (r *Report) add(f FileReport) {
	r.Files = append(r.Files, f)
	switch f.State {
	case FileImported:
		r.Imported++
	case FileDamaged:
		r.Damaged++
	case FileKnown:
		r.Known++
		if f.Err != nil {
			r.KnownDamaged++
		}
	case FileRefused:
		r.Refused++
	}
}

// coverage sums up what a file's interfaces recorded.
type coverage struct {
	sensor string
	of     []tables.Coverage // by interface
	missed []undecoded       // the same; may be shorter
}

// maxCoverage bounds the interfaces of a file that get rows of their own; the
// packets of the others count for the last.
const maxCoverage = 1024

func (c *coverage) add(rec *pcap.Record) {
	i := min(rec.Interface, maxCoverage-1)
	for len(c.of) <= i {
		c.of = append(c.of, tables.Coverage{Sensor: c.sensor})
	}
	row := &c.of[i]
	ts := tables.TimeOf(rec.TS)
	if row.Packets == 0 {
		row.TS, row.TSEnd, row.Interface = ts, ts, rec.InterfaceName
	}
	row.Silence = tables.Some(max(row.Silence.V, int64(ts-row.TSEnd)))
	row.TS, row.TSEnd = min(row.TS, ts), max(row.TSEnd, ts)
	row.Packets++
	row.Bytes += int64(rec.Length)
}

// notDecoded counts a packet that was added, if it is one that is not decoded.
func (c *coverage) notDecoded(rec *pcap.Record, h *tables.Header) {
	if !h.Err.Undecoded() {
		return
	}
	i := min(rec.Interface, maxCoverage-1)
	for len(c.missed) <= i {
		c.missed = append(c.missed, undecoded{})
	}
	c.missed[i].add(rec.Link, h)
}

// allMissed are the packets of all interfaces that were not decoded.
func (c *coverage) allMissed() undecoded {
	all := undecoded{}
	for _, u := range c.missed {
		for o, n := range u {
			all[o] += n
		}
	}
	return all
}

// rows are those of the interfaces that brought packets, or say that they lost some.
func (c *coverage) rows(interfaces []pcap.Interface) []tables.Coverage {
	var first, last tables.Time // of all packets
	for _, row := range c.of {
		if row.Packets > 0 && (first == 0 || row.TS < first) {
			first = row.TS
		}
		last = max(last, row.TSEnd)
	}
	var out []tables.Coverage
	for i := range min(max(len(c.of), len(interfaces)), maxCoverage) {
		row := tables.Coverage{Sensor: c.sensor}
		if i < len(c.of) {
			row = c.of[i]
		}
		if i < len(interfaces) {
			row.Drops = interfaces[i].Drops
			for j := maxCoverage; i == maxCoverage-1 && j < len(interfaces); j++ {
				if d := interfaces[j].Drops; d.Set {
					row.Drops = tables.Some(row.Drops.V + min(d.V, math.MaxInt64-row.Drops.V))
				}
			}
		}
		if row.Packets == 0 {
			if row.Drops.V == 0 {
				continue
			}
			if row.Interface, row.TS, row.TSEnd = interfaces[i].Name, first, last; first == 0 {
				row.TS = tables.TimeOf(interfaces[i].ToldAt)
				row.TSEnd = row.TS
			}
		}
		row.Undecoded = tables.Some(int64(0))
		if i < len(c.missed) {
			row.Undecoded, row.NotDecoded = tables.Some(c.missed[i].total()), c.missed[i].text(row.Packets)
		}
		out = append(out, row)
	}
	return out
}
