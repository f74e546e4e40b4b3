package datagrams

import "encoding/binary"

// Hostile draws datagrams that mean harm: floods of templates, templates that
// change, records of no length, data without templates, noise.
type Hostile struct {
	rng      random
	sequence uint32
}

// NewHostile returns the datagrams of a seed.
func NewHostile(seed uint64) *Hostile { return &Hostile{rng: random(seed)} }

// Datagram appends one to b.
func (h *Hostile) Datagram(b []byte, now int64) []byte {
	h.sequence++
	switch h.rng.intn(8) {
	case 0, 1, 2:
		return h.templates(b, 9, now)
	case 3, 4:
		return h.templates(b, 10, now)
	case 5:
		return h.data(b, now)
	case 6:
		return h.lies(b)
	default:
		return h.noise(b)
	}
}

// templates fills a datagram with as many templates as fit, of a random
// domain, ids and lengths: zero and 65535 among them.
func (h *Hostile) templates(b []byte, version uint16, now int64) []byte {
	be := binary.BigEndian
	from := len(b)
	id := uint16(0) // v9's set of templates
	if version == 10 {
		id = 2
	}
	e := Exporter{Protocol: Protocol(version), Domain: uint32(h.rng.intn(5000)), sequence: h.sequence}
	b = e.header(b, now)
	n := 0
	b = set(b, id, func(b []byte) []byte {
		for len(b)-from < 1300 {
			n++
			fields := 1 + h.rng.intn(20)
			b = be.AppendUint16(b, uint16(256+h.rng.intn(65280)))
			b = be.AppendUint16(b, uint16(fields))
			for range fields {
				b = be.AppendUint16(b, uint16(1+h.rng.intn(400)))
				b = be.AppendUint16(b, [...]uint16{0, 1, 2, 4, 8, 16, 300, 65535}[h.rng.intn(8)])
			}
		}
		return b
	})
	e.finish(b[from:], n, 0)
	return b
}

// data is a set whose template nobody sent.
func (h *Hostile) data(b []byte, now int64) []byte {
	from := len(b)
	e := Exporter{Protocol: IPFIX, Domain: uint32(h.rng.intn(5000)), sequence: h.sequence}
	b = e.header(b, now)
	b = set(b, uint16(256+h.rng.intn(65280)), func(b []byte) []byte { return h.noise(b) })
	e.finish(b[from:], 1, 1)
	return b
}

// lies is a v5 header that promises more records than there are.
func (h *Hostile) lies(b []byte) []byte {
	b = append(b, 0, 5, 0xff, 0xff)
	for range h.rng.intn(60) {
		b = append(b, byte(h.rng.next()))
	}
	return b
}

func (h *Hostile) noise(b []byte) []byte {
	for range 1 + h.rng.intn(170) {
		b = binary.BigEndian.AppendUint64(b, h.rng.next())
	}
	return b
}
