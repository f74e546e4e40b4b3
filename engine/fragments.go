package engine

import (
	"cmp"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// fragments are IP packets that came in pieces, of which the first has the ports (RFC 791 3.2,
// RFC 8200 4.5): what the others hold is put behind it.
type fragments struct {
	firsts map[datagram]int // where they are in a list
	later  map[datagram][]fragment
}

// datagram names one.
type datagram struct {
	src, dst tables.Addr
	id       uint32
}

// fragment is what a later one holds, from a place of the datagram's data on.
type fragment struct {
	ts    int64
	at    int
	bytes []byte
	lost  int
}

// fragmentLife is how far apart those of a datagram are at most, in ns: numbers are used again.
const fragmentLife = 60e9

// add looks at a record, of which the first fragment gets a place in a list; kept is how many
// bytes of a later one are held.
func (f *fragments) add(rec *pcap.Record, place int, first bool) (kept int) {
	var h tables.Header
	tables.Decode(rec.Link, rec.Data, rec.Length, &h)
	if !h.IP || !h.Fragment || h.Protocol != tables.ProtocolUDP {
		return 0
	}
	if f.firsts == nil {
		f.firsts, f.later = map[datagram]int{}, map[datagram][]fragment{}
	}
	d := datagram{h.Src, h.Dst, h.IPID}
	switch {
	case h.FragmentOffset == 0 && first:
		if _, again := f.firsts[d]; !again {
			f.firsts[d] = place
		}
	case h.FragmentOffset > 0 && h.L4Offset > 0:
		length := h.L3Offset + h.L3Length - h.L4Offset
		if n := min(length, len(rec.Data)-h.L4Offset); n > 0 {
			f.later[d] = append(f.later[d], fragment{rec.TS, int(h.FragmentOffset), slices.Clone(rec.Data[h.L4Offset : h.L4Offset+n]), length - n})
			return n
		}
	}
	return 0
}

// mend puts later fragments behind the first ones of a list, as far as they follow each other
// and nothing was cut off.
func (f *fragments) mend(list []heard) {
	const header = 8 // of UDP
	for d, i := range f.firsts {
		p := &list[i]
		later := f.later[d]
		slices.SortStableFunc(later, func(a, b fragment) int { return cmp.Compare(a.at, b.at) })
		for _, l := range later {
			n := min(len(l.bytes), p.lost)
			if age := l.ts - p.ts; l.at != header+len(p.payload) || n == 0 || age < -fragmentLife || age > fragmentLife {
				continue
			}
			p.payload, p.lost = append(p.payload, l.bytes[:n]...), p.lost-n
			if l.lost > 0 {
				break
			}
		}
	}
}
