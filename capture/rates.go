package capture

import (
	"github.com/wiresql/wiresql/tables"
)

// RateSink is a Sink that takes what a Meter counted by the second, too. Rows of one
// second and kind may be several: they add up.
type RateSink interface{ Rate(*tables.Rate) error }

// ways are the directions by their numbers here.
var ways = [...]string{tables.Outbound, tables.Inbound, tables.Internal, tables.External, tables.ToMany}

// wayOf is the number of a conversation's direction.
func wayOf(client, server tables.Addr) uint8 {
	direction := tables.Direction(client, server)
	for i, w := range ways {
		if w == direction {
			return uint8(i)
		}
	}
	return 0
}

// rates are the counters of the second that packets are of. They are written when
// it is over, and with each commit: nothing of them has to be remembered.
type rates struct {
	second int64
	used   []uint16 // kinds that were counted
	by     [noIP + 1]rate
}

// rate is what was counted of a kind: a protocol and a way, or what has no IP.
type rate struct{ packets, bytes, syns, flows int64 }

const noIP = len(ways) * 256

func rateOf(protocol, way uint8) uint16 { return uint16(way)<<8 | uint16(protocol) }

// rate is where a packet of a time and kind counts.
func (m *Meter) rate(ns int64, kind uint16) *rate {
	r := &m.rates
	if ns-r.second*1e9 >= 1e9 || ns < r.second*1e9 {
		m.flushRates()
		r.second = seconds(ns)
	}
	c := &r.by[kind]
	if c.packets == 0 {
		r.used = append(r.used, kind)
	}
	return c
}

// flushRates writes what was counted.
func (m *Meter) flushRates() {
	r := &m.rates
	to, _ := m.sink.(RateSink)
	for _, kind := range r.used {
		c := &r.by[kind]
		row := tables.Rate{TS: tables.Time(r.second * 1e6), Observer: m.cfg.Sensor, Site: m.cfg.Site,
			Packets: c.packets, Bytes: c.bytes, SYNs: c.syns, NewFlows: c.flows}
		if kind != uint16(noIP) {
			row.Protocol, row.Direction = tables.Some(int32(kind&255)), ways[kind>>8]
		}
		if to != nil && m.err == nil {
			m.err = to.Rate(&row)
		}
		*c = rate{}
	}
	r.used = r.used[:0]
}
