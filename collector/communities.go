package collector

import "github.com/wiresql/wiresql/tables"

// communities remembers the Community IDs of the last conversations. Hashing
// a tuple is more than half of what decoding a record takes, and an exporter
// reports the two directions of a conversation soon after another, and a long
// one each minute. A place holds the last tuple that fell on it.
type communities struct {
	places [1 << 11]community
	hash   *tables.CIDHash
}

type community struct {
	low, high         tables.Addr // in order, as both directions have the same ID
	lowPort, highPort uint16
	protocol          uint8 // 0: nobody's place
	cid               uint64
}

// of is tables.CID.
func (c *communities) of(src, dst tables.Addr, srcPort, dstPort uint16, protocol uint8) uint64 {
	switch protocol {
	case tables.ProtocolTCP, tables.ProtocolUDP, tables.ProtocolSCTP:
	default: // not symmetric, or without ports
		return c.hash.CID(src, dst, srcPort, dstPort, protocol)
	}
	if order := src.Compare(dst); order > 0 || order == 0 && srcPort > dstPort {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	mix := src.Lo*0x9e3779b97f4a7c15 ^ dst.Lo*0xbf58476d1ce4e5b9 ^ uint64(srcPort)<<16 ^ uint64(dstPort) ^ src.Hi ^ dst.Hi
	place := &c.places[mix*0x94d049bb133111eb>>(64-11)]
	if place.protocol != protocol || place.lowPort != srcPort || place.highPort != dstPort || place.low != src || place.high != dst {
		*place = community{src, dst, srcPort, dstPort, protocol, c.hash.CID(src, dst, srcPort, dstPort, protocol)}
	}
	return place.cid
}
