package collector

import (
	"encoding/binary"
	"net/netip"

	"github.com/wiresql/wiresql/tables"
)

// be appends big-endian numbers: each value as so many octets.
func be(b []byte, size int, v uint64) []byte {
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// ie is a field of a template built for a test.
type ie struct {
	pen  uint32
	id   uint16
	size uint16
}

// set is a set: a number, a length, the octets.
func set(id uint16, parts ...[]byte) (b []byte) {
	b = be(be(nil, 2, uint64(id)), 2, 0)
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// templateOf is a template record.
func templateOf(id uint16, fields ...ie) []byte {
	return append(be(be(nil, 2, uint64(id)), 2, uint64(len(fields))), fieldsOf(fields...)...)
}

func fieldsOf(fields ...ie) (b []byte) {
	for _, f := range fields {
		id := f.id
		if f.pen != 0 {
			id |= 0x8000
		}
		b = be(be(b, 2, uint64(id)), 2, uint64(f.size))
		if f.pen != 0 {
			b = be(b, 4, uint64(f.pen))
		}
	}
	return b
}

const testTime = tables.Time(1_790_000_000e6) // of arrival, and of export

// ipfixMessage is an IPFIX message exported at testTime.
func ipfixMessage(seq, domain uint32, sets ...[]byte) []byte {
	b := be(be(nil, 2, 10), 2, 0)
	b = be(be(be(b, 4, uint64(testTime/1e6)), 4, uint64(seq)), 4, uint64(domain))
	for _, s := range sets {
		b = append(b, s...)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	return b
}

// v9Datagram is a NetFlow v9 datagram exported at testTime by a device up for
// an hour.
func v9Datagram(seq, domain uint32, sets ...[]byte) []byte {
	b := be(be(be(nil, 2, 9), 2, uint64(len(sets))), 4, 3600_000)
	b = be(be(be(b, 4, uint64(testTime/1e6)), 4, uint64(seq)), 4, uint64(domain))
	for _, s := range sets {
		b = append(b, s...)
	}
	return b
}

// v5Datagram is a NetFlow v5 datagram of n flows that ended a second before it
// was exported at testTime, by a device up for an hour.
func v5Datagram(seq uint32, n int) []byte {
	b := be(be(be(nil, 2, 5), 2, uint64(n)), 4, 3600_000)
	b = be(be(be(b, 4, uint64(testTime/1e6)), 4, 0), 4, uint64(seq))
	b = be(be(b, 2, 0), 2, 0) // engine, sampling
	for i := range uint64(n) {
		b = be(be(be(b, 4, 0x0a000000+i), 4, 0xc0a80101), 4, 0x0a0000fe)
		b = be(be(b, 2, 1), 2, 2)
		b = be(be(be(be(b, 4, 3), 4, 300), 4, 3590_000), 4, 3599_000)
		b = be(be(be(b, 2, 1000+i), 2, 53), 1, 0)
		b = be(be(be(b, 1, 0x1b), 1, 17), 1, 0)
		b = be(be(be(be(be(b, 2, 65001), 2, 65002), 1, 24), 1, 16), 2, 0)
	}
	return b
}

var testExporter = netip.MustParseAddrPort("192.0.2.1:4000")

// benchFields is a template as routers send them: 20 fields.
var benchFields = []ie{
	{0, 8, 4}, {0, 12, 4}, {0, 15, 4}, {0, 7, 2}, {0, 11, 2}, {0, 4, 1}, {0, 6, 1}, {0, 5, 1},
	{0, 10, 4}, {0, 14, 4}, {0, 1, 8}, {0, 2, 8}, {0, 152, 8}, {0, 153, 8}, {0, 16, 4}, {0, 17, 4},
	{0, 9, 1}, {0, 13, 1}, {0, 61, 1}, {0, 136, 1},
}

func benchRecord(n int) (b []byte) {
	v := []uint64{0x0a000001 + uint64(n), 0xc0a80101, 0x0a0000fe, 40000 + uint64(n), 443, 6, 0x1b, 0,
		1, 2, 123456, 789, uint64(testTime/1000) - 9000, uint64(testTime/1000) - 2000, 65001, 65002, 24, 24, 0, 3}
	for i, f := range benchFields {
		b = be(b, int(f.size), v[i])
	}
	return b
}

func benchIPFIX(records int) (template, data []byte) {
	var rows [][]byte
	for i := range records {
		rows = append(rows, benchRecord(i))
	}
	return ipfixMessage(0, 1, set(2, templateOf(256, benchFields...))), ipfixMessage(0, 1, set(256, rows...))
}
