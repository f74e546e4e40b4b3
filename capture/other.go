package capture

import (
	"cmp"
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// maxOthers is how many rows of the family other are kept open; more kinds of
// packets within two minutes are written early and may have several rows for a
// minute.
const maxOthers = 4096

// otherKey is what a row of the family other has in common.
type otherKey struct {
	minute    int64
	src, dst  uint64
	etherType uint16
	hasMAC    bool
	err       tables.DecodeError
}

type otherRow struct {
	otherKey
	first, last   int64 // ns
	packets, wire int64
	cut           int64
	positions     positions
}

// others are the open rows of packets without IP.
type others struct{ rows map[otherKey]*otherRow }

// other counts a packet that belongs to no flow.
func (m *Meter) other(p *Packet) {
	h := p.Header
	k := otherKey{
		minute: seconds(p.TS) / 60, src: h.SrcMAC, dst: h.DstMAC, hasMAC: h.HasMAC,
		etherType: h.EtherType, err: h.Err,
	}
	r := m.others.rows[k]
	switch {
	case r == nil:
		if len(m.others.rows) >= maxOthers {
			m.flushAllOthers()
		}
		if m.others.rows == nil {
			m.others.rows = make(map[otherKey]*otherRow)
		}
		r = &otherRow{otherKey: k, first: p.TS, last: p.TS}
		m.others.rows[k] = r
	case r.packets >= maxRowPackets:
		m.writeOther(r)
		*r = otherRow{otherKey: k, first: p.TS, last: p.TS}
	}
	r.first, r.last = min(r.first, p.TS), max(r.last, p.TS)
	r.packets++
	r.wire += int64(p.Length)
	if len(p.Data) < p.Length {
		r.cut++
	}
	if !p.Lost {
		r.positions.add(m.blocks, p.ID)
	}
}

// flushOthers writes the rows of minutes before, or after the one that
// follows: packets slightly out of order still find their row.
func (m *Meter) flushOthers(before int64) {
	m.writeOthers(func(r *otherRow) bool { return r.minute < before || r.minute > before+2 })
}

func (m *Meter) flushAllOthers() { m.writeOthers(func(*otherRow) bool { return true }) }

func (m *Meter) writeOthers(which func(*otherRow) bool) {
	var rows []*otherRow
	for k, r := range m.others.rows {
		if which(r) {
			rows = append(rows, r)
			delete(m.others.rows, k)
		}
	}
	slices.SortFunc(rows, func(a, b *otherRow) int {
		if c := cmp.Compare(a.first, b.first); c != 0 {
			return c
		}
		return cmp.Compare(a.positions.first, b.positions.first)
	})
	for _, r := range rows {
		m.writeOther(r)
	}
}

func (m *Meter) writeOther(r *otherRow) {
	row := m.otherRow(r)
	r.positions.release(m.blocks)
	if m.err == nil {
		m.err = m.sink.Other(&row)
	}
}

func (m *Meter) otherRow(r *otherRow) tables.Other {
	row := tables.Other{
		TS: tables.TimeOf(r.first), TSEnd: tables.TimeOf(r.last), Sensor: m.cfg.Sensor, Site: m.cfg.Site,
		Packets: r.packets, WireBytes: r.wire, Error: r.err.String(), CutPackets: tables.Some(r.cut),
	}
	if r.etherType != 0 {
		row.EtherType = tables.Some(int32(r.etherType))
	}
	if r.hasMAC {
		row.SrcMAC, row.DstMAC = tables.Some(int64(r.src)), tables.Some(int64(r.dst))
	}
	row.Postings, row.Segments = m.postings(&r.positions)
	return row
}
