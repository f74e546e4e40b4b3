package rows

import (
	"encoding/binary"
	"errors"

	"github.com/wiresql/wiresql/tables"
)

var errPostings = errors.New("postings are damaged")

// AppendPostings appends the encoded positions of a row's packets; refs are
// packet ids in ascending order, each once. The bytes are a run per segment:
//
//	segment (ascending), number of packets, offset of the first,
//	then for each further packet the distance to the one before
//
// all unsigned varints: about two bytes a packet.
func AppendPostings(dst []byte, refs []tables.ID) []byte {
	for len(refs) > 0 {
		segment := refs[0].Segment()
		n := 1
		for n < len(refs) && refs[n].Segment() == segment {
			n++
		}
		dst = binary.AppendUvarint(dst, uint64(segment))
		dst = binary.AppendUvarint(dst, uint64(n))
		var last int64
		for _, id := range refs[:n] {
			dst = binary.AppendUvarint(dst, uint64(id.Offset()-last))
			last = id.Offset()
		}
		refs = refs[n:]
	}
	return dst
}

// DecodePostings calls fn for each position, ascending, until fn returns
// false. Bytes that no AppendPostings wrote are an error; what fn saw until
// then was in range and in order.
func DecodePostings(b []byte, fn func(tables.ID) bool) error {
	last := int64(-1)
	for len(b) > 0 {
		segment, k := binary.Uvarint(b)
		if k <= 0 || segment > tables.MaxSegment || int64(segment) <= last {
			return errPostings
		}
		last = int64(segment)
		b = b[k:]
		count, k := binary.Uvarint(b)
		if k <= 0 || count == 0 || count > uint64(len(b)-k) { // each takes a byte at least
			return errPostings
		}
		b = b[k:]
		var offset uint64
		for i := range count {
			delta, k := binary.Uvarint(b)
			if k <= 0 || delta > tables.MaxOffset || i > 0 && delta == 0 {
				return errPostings
			}
			if offset += delta; offset > tables.MaxOffset {
				return errPostings
			}
			b = b[k:]
			if !fn(tables.PacketID(uint32(segment), int64(offset))) {
				return nil
			}
		}
	}
	return nil
}
