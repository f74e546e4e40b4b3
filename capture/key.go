package capture

import (
	"encoding/binary"
	"math/bits"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
)

// key names a conversation within a site. The ends are ordered by address and
// port, so that both directions have the same key.
type key struct {
	low, high         tables.Addr
	lowPort, highPort uint16
	tunnelID          uint32
	protocol          uint8
	tunnel            tables.TunnelType
}

// Marks in the key's ports for ICMP messages that stand alone: A telling B
// that something is unreachable and B telling A are two conversations, as they
// are two Community IDs.
const (
	icmpOneWayType = 0x8000
	icmpOneWayCode = 0x4000
)

// set makes it the key of a packet, with its ends in order. swapped tells that the
// packet's source is the higher one. It is set in place: a copy of what was just written
// field by field would wait for all of it.
func (k *key) set(h *tables.Header, srcPort, dstPort uint16) (swapped bool) {
	k.protocol, k.tunnel, k.tunnelID = h.Protocol, h.Tunnel, 0
	if h.Tunnel.HasID() {
		k.tunnelID = h.TunnelID
	}
	order := h.Src.Compare(h.Dst)
	if order > 0 || order == 0 && srcPort > dstPort {
		k.low, k.high, k.lowPort, k.highPort = h.Dst, h.Src, dstPort, srcPort
		return true
	}
	k.low, k.high, k.lowPort, k.highPort = h.Src, h.Dst, srcPort, dstPort
	return false
}

// icmpPorts are what stands in a key's ports for an ICMP message.
func icmpPorts(proto, messageType, code uint8) (src, dst uint16) {
	if counterpart, ok := tables.ICMPCounterpart(proto, messageType); ok {
		return uint16(messageType), uint16(counterpart)
	}
	return icmpOneWayType | uint16(messageType), icmpOneWayCode | uint16(code)
}

// hash mixes the key with a secret of the process: who sends packets must not
// be able to choose tuples that collide. Two multiplications of 64 to 128 bits
// as in wyhash, over the low address words, which differ most.
func (k *key) hash(secret uint64) uint32 {
	const odd = 0x9e3779b97f4a7c15
	ports := uint64(k.lowPort)<<48 | uint64(k.highPort)<<32 | uint64(k.tunnelID)
	hi, lo := bits.Mul64(k.low.Lo^secret, k.high.Lo^odd)
	h := hi ^ lo
	hi, lo = bits.Mul64(h^k.low.Hi^ports, bits.RotateLeft64(k.high.Hi, 32)^secret^uint64(k.protocol)<<8^uint64(k.tunnel))
	h = hi ^ lo
	hi, lo = bits.Mul64(h^odd, secret|1)
	return uint32(hi ^ lo)
}

// SourceID names what packets came from; see the package comment.
type SourceID [16]byte

// flowID computes the id of a row that starts with this packet; the layout is
// in the package comment.
func flowID(src *SourceID, k *key, vlan, outerVLAN int16, ns int64, ordinal uint64) tables.ID {
	var b [78]byte
	copy(b[:16], src[:])
	binary.BigEndian.PutUint64(b[16:], k.low.Hi)
	binary.BigEndian.PutUint64(b[24:], k.low.Lo)
	binary.BigEndian.PutUint64(b[32:], k.high.Hi)
	binary.BigEndian.PutUint64(b[40:], k.high.Lo)
	binary.BigEndian.PutUint16(b[48:], k.lowPort)
	binary.BigEndian.PutUint16(b[50:], k.highPort)
	b[52], b[53] = k.protocol, uint8(k.tunnel)
	binary.BigEndian.PutUint32(b[54:], k.tunnelID)
	binary.BigEndian.PutUint16(b[58:], uint16(vlan))
	binary.BigEndian.PutUint16(b[60:], uint16(outerVLAN))
	binary.BigEndian.PutUint64(b[62:], uint64(ns))
	binary.BigEndian.PutUint64(b[70:], ordinal)
	if id := tables.ID(xxh3.Hash(b[:])); id != 0 {
		return id
	}
	return 1
}
