package tables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

// Addr is an IP address as the two big-endian halves of its 128 bits. IPv4
// addresses are mapped into ::ffff:0:0/96 (RFC 4291 section 2.5.5.2), so that
// one pair of unsigned 64-bit columns holds both families, orders them
// numerically and prunes by range: 8.6 bytes for a pair of addresses in
// Parquet, where one 128-bit column is not compressed at all.
//
// The zero Addr is "::" and stands for "no address" in a Header without IP.
type Addr struct{ Hi, Lo uint64 }

// v4Prefix is the upper part of the low half of every IPv4-mapped address.
const v4Prefix = 0x0000ffff_00000000

// AddrFrom4 maps four IPv4 bytes.
func AddrFrom4(b []byte) Addr {
	return Addr{0, v4Prefix | uint64(binary.BigEndian.Uint32(b))}
}

// AddrFrom16 reads sixteen IPv6 bytes.
func AddrFrom16(b []byte) Addr {
	return Addr{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
}

// AddrFromNetip converts; a zone is dropped.
func AddrFromNetip(a netip.Addr) Addr {
	b := a.As16()
	return AddrFrom16(b[:])
}

// ParseAddr reads the text of one address. It refuses prefixes, zones and
// names: the caller gets to say what was meant instead.
func ParseAddr(s string) (Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return Addr{}, err
	}
	if a.Zone() != "" {
		return Addr{}, fmt.Errorf("address %q has a zone", s)
	}
	return AddrFromNetip(a), nil
}

// Unspecified is the unspecified address of the version of another, 0.0.0.0 or ::.
func Unspecified(like Addr) Addr {
	if like.Is4() {
		return Addr{Lo: 0xffff << 32}
	}
	return Addr{}
}

// Is4 tells whether a is an IPv4 address.
func (a Addr) Is4() bool { return a.Hi == 0 && a.Lo>>32 == 0xffff }

// V4 returns the IPv4 address as a number; it means nothing unless Is4.
func (a Addr) V4() uint32 { return uint32(a.Lo) }

// As16 returns the sixteen bytes, IPv4 mapped.
func (a Addr) As16() (b [16]byte) {
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return b
}

// Netip converts, unmapping IPv4.
func (a Addr) Netip() netip.Addr { return netip.AddrFrom16(a.As16()).Unmap() }

// AppendTo appends the canonical text (RFC 5952, dotted quad for IPv4).
func (a Addr) AppendTo(b []byte) []byte {
	if !a.Is4() {
		return a.Netip().AppendTo(b)
	}
	// Results hold millions of these: twice as fast as netip's.
	v := a.V4()
	for shift := 24; ; shift -= 8 {
		b = append(b, octets[v>>shift&255]...)
		if shift == 0 {
			return b
		}
		b = append(b, '.')
	}
}

// octets are the texts of the bytes of an IPv4 address.
var octets = func() (texts [256]string) {
	for i := range texts {
		texts[i] = strconv.Itoa(i)
	}
	return texts
}()

// String returns the canonical text.
func (a Addr) String() string { return a.Netip().String() }

// Compare orders addresses numerically: -1, 0, 1. All IPv4 addresses sort
// after ::/80 and before any global IPv6 address.
func (a Addr) Compare(b Addr) int {
	switch {
	case a == b:
		return 0
	case a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo:
		return -1
	}
	return 1
}

// PrefixRange returns the first and last address of a prefix, host bits
// ignored.
func PrefixRange(p netip.Prefix) (first, last Addr) {
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	a := AddrFromNetip(p.Addr())
	var hi, lo uint64 // network mask
	switch {
	case bits >= 128:
		hi, lo = ^uint64(0), ^uint64(0)
	case bits > 64:
		hi, lo = ^uint64(0), ^uint64(0)<<(128-bits)
	case bits > 0:
		hi, lo = ^uint64(0)<<(64-bits), 0
	}
	return Addr{a.Hi & hi, a.Lo & lo}, Addr{a.Hi | ^hi, a.Lo | ^lo}
}
