package tables

import "fmt"

// ID is a 64-bit hash naming a flow row or a conversation, or a packed packet
// position. Integers above 2^53 lose bits in JavaScript clients, so people see
// and type its 13-character text: Crockford base 32, most significant digit
// first, fixed width, so that text order is numeric order.
type ID uint64

const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// IDLength is the length of an ID's text.
const IDLength = 13

// AppendTo appends the 13-character text.
func (id ID) AppendTo(b []byte) []byte {
	for shift := 60; shift >= 0; shift -= 5 {
		b = append(b, crockford[id>>shift&31])
	}
	return b
}

// String returns the 13-character text.
func (id ID) String() string { return string(id.AppendTo(make([]byte, 0, IDLength))) }

// ParseID reads the 13-character text, in either case, with Crockford's
// look-alikes (O as 0, I and L as 1).
func ParseID(s string) (ID, error) {
	if len(s) != IDLength {
		return 0, fmt.Errorf("id %q is not %d characters of base 32", s, IDLength)
	}
	var id ID
	for i := 0; i < len(s); i++ {
		v := crockfordValue(s[i])
		if v < 0 || i == 0 && v > 15 {
			return 0, fmt.Errorf("id %q has %q at character %d", s, s[i], i+1)
		}
		id = id<<5 | ID(v)
	}
	return id, nil
}

func crockfordValue(c byte) int {
	if c >= 'a' && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch c {
	case 'O':
		return 0
	case 'I', 'L':
		return 1
	}
	for i := 0; i < len(crockford); i++ {
		if crockford[i] == c {
			return i
		}
	}
	return -1
}

// MaxSegment and MaxOffset are the largest segment number and offset that a
// packet id holds.
const (
	MaxSegment = 1<<28 - 1
	MaxOffset  = 1<<36 - 1 // files up to 64 GiB
)

// PacketID packs a segment number (28 bits) and the offset of a packet's
// record in that segment's file (36 bits).
func PacketID(segment uint32, offset int64) ID {
	return ID(segment)<<36 | ID(offset)&MaxOffset
}

// Segment and Offset take a PacketID apart.
func (id ID) Segment() uint32 { return uint32(id >> 36) }

// Offset is the position of the packet's record in its segment file, bytes.
func (id ID) Offset() int64 { return int64(id & MaxOffset) }
