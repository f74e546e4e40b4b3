package tables

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Traffic is a row of the family traffic_1m: what conversations of one kind moved
// in a minute. All of them are counted once, as in connections. Several rows of a
// bin add up, and some take back what a later one says otherwise.
type Traffic struct {
	TS        Time   `col:"ts"`       // start of the bin
	Observer  string `col:"observer"` // whose counters stand in connections
	Site      string `col:"site"`
	Protocol  int32  `col:"protocol_number"`
	Service   string `col:"service"`
	Direction string `col:"direction"`

	ClientBytes   int64 `col:"client_bytes"`
	ServerBytes   int64 `col:"server_bytes"`
	ClientPackets int64 `col:"client_packets"`
	ServerPackets int64 `col:"server_packets"`
	Connections   int64 `col:"connections"` // that began in the bin
}

// HourlyTraffic is a row of the family traffic_1h: its minutes, added up.
type HourlyTraffic Traffic

// Rate is a row of the family rates: what a sensor saw in a second of the packets of
// one kind. Several rows of a second and kind add up.
type Rate struct {
	TS        Time       `col:"ts"` // start of the second
	Observer  string     `col:"observer"`
	Site      string     `col:"site"`
	Protocol  Opt[int32] `col:"protocol_number"` // not Set: packets without IP, or drops
	Direction string     `col:"direction"`       // of their conversations
	Packets   int64      `col:"packets"`
	Bytes     int64      `col:"bytes"`     // layer 3; of packets without IP their frames
	SYNs      int64      `col:"syns"`      // without ACK
	NewFlows  int64      `col:"new_flows"` // conversations that began
	Drops     int64      `col:"drops"`     // packets that the sensor lost
}

// Second is the bin of rates, Minute and Hour are those of traffic.
const (
	Second = Time(1e6)
	Minute = Time(60e6)
	Hour   = 60 * Minute
)

// Bin is the start of the bin of so much time that t lies in.
func (t Time) Bin(width Time) Time {
	r := t % width
	if r < 0 {
		r += width
	}
	return t - r
}

// AddTo adds the row's counters to another's of the same kind and bin; false, with
// nothing changed, if one would become too large to be held.
func (r *Traffic) AddTo(sum *Traffic) bool {
	next := *sum
	if !addTo(&next.ClientBytes, r.ClientBytes) || !addTo(&next.ServerBytes, r.ServerBytes) || !addTo(&next.ClientPackets, r.ClientPackets) ||
		!addTo(&next.ServerPackets, r.ServerPackets) || !addTo(&next.Connections, r.Connections) {
		return false
	}
	sum.ClientBytes, sum.ServerBytes, sum.ClientPackets = next.ClientBytes, next.ServerBytes, next.ClientPackets
	sum.ServerPackets, sum.Connections = next.ServerPackets, next.Connections
	return true
}

// addTo adds; false if the sum is none of 64 bits.
func addTo(sum *int64, n int64) bool {
	was := *sum
	*sum += n
	return (n >= 0) == (*sum >= was)
}

// Zero tells that nothing was moved.
func (r *Traffic) Zero() bool {
	return r.ClientBytes == 0 && r.ServerBytes == 0 && r.ClientPackets == 0 && r.ServerPackets == 0 && r.Connections == 0
}

// Negate makes it take back what it would have added.
func (r *Traffic) Negate() {
	r.ClientBytes, r.ServerBytes = -r.ClientBytes, -r.ServerBytes
	r.ClientPackets, r.ServerPackets = -r.ClientPackets, -r.ServerPackets
	r.Connections = -r.Connections
}

// binsAtMost bounds the bins that something is divided over: what lasts longer is
// divided by the hour, the day or the year, each part being put into the first
// minute of it.
const binsAtMost = 1440

// minutes calls fn for the minutes that a time from first to last is divided over,
// with how much of it, in microseconds, lies before the next of them.
func minutes(first, last Time, fn func(minute Time, until uint64)) {
	start, width := first.Bin(Minute), Minute
	for _, w := range []Time{Hour, 24 * Hour, 365 * 24 * Hour} {
		if (last-start)/width >= binsAtMost {
			width = w
		}
	}
	for bin := first.Bin(width); bin <= last; bin += width {
		fn(max(bin, start), uint64(min(bin+width, last+1)-first))
	}
}

// portion is n * part / whole, rounded down; part is at most whole.
func portion(n int64, part, whole uint64) int64 {
	high, low := bits.Mul64(uint64(max(n, 0)), part)
	q, _ := bits.Div64(high, low, whole)
	return int64(q)
}

// Profile says when in its time a conversation moved its bytes: how many in which
// minute, ascending.
type Profile []MinuteBytes

// MinuteBytes are the bytes of a minute.
type MinuteBytes struct {
	Minute Time
	Bytes  int64
}

// Add adds bytes that were moved from one time to another.
func (p *Profile) Add(first, last Time, n int64) {
	last = max(first, last)
	done := int64(0)
	minutes(first, last, func(minute Time, until uint64) {
		upTo := portion(n, until, uint64(last-first)+1)
		if upTo > done {
			p.add(minute, upTo-done)
		}
		done = upTo
	})
}

func (p *Profile) add(minute Time, n int64) {
	i, found := slices.BinarySearchFunc(*p, minute, func(m MinuteBytes, t Time) int { return int(min(max(m.Minute-t, -1), 1)) })
	if found {
		(*p)[i].Bytes = AddCounts((*p)[i].Bytes, n)
		return
	}
	if *p = slices.Insert(*p, i, MinuteBytes{minute, n}); len(*p) > 2*binsAtMost {
		p.coarsen()
	}
}

// coarsen joins minutes until there are few: those of a while count for its first.
func (p *Profile) coarsen() {
	for width := Hour; len(*p) > binsAtMost; width *= 24 {
		out := (*p)[:0]
		for _, m := range *p {
			if n := len(out); n > 0 && out[n-1].Minute.Bin(width) == m.Minute.Bin(width) {
				out[n-1].Bytes = AddCounts(out[n-1].Bytes, m.Bytes)
				continue
			}
			out = append(out, m)
		}
		*p = out
	}
}

// Append writes the profile: of each minute how many after the one before, the
// first counted from that of ts, and the bytes, as varints.
func (p Profile) Append(b []byte, ts Time) []byte {
	at := ts.Bin(Minute)
	for _, m := range p {
		b = binary.AppendVarint(b, int64((m.Minute-at)/Minute))
		b = binary.AppendUvarint(b, uint64(m.Bytes))
		at = m.Minute
	}
	return b
}

// ParseProfile reads what Append wrote; nil if it is no profile.
func ParseProfile(b []byte, ts Time) (p Profile) {
	at := ts.Bin(Minute)
	for len(b) > 0 {
		step, n := binary.Varint(b)
		if n <= 0 || len(p) > 0 && step <= 0 || step < -1<<32 || step > 1<<32 {
			return nil
		}
		moved, k := binary.Uvarint(b[n:])
		if k <= 0 || moved > MaxCount || len(p) > 2*binsAtMost {
			return nil
		}
		at += Time(step) * Minute
		p, b = append(p, MinuteBytes{at, int64(moved)}), b[n+k:]
	}
	return p
}

// OneMinute tells that all of a connection lies in the minute it began in.
func (c *Connection) OneMinute() bool { return c.TSEnd < c.TS.Bin(Minute)+Minute && c.Profile == nil }

// Conversations is how many the row stands for: one, or those of a fold.
func (c *Connection) Conversations() int64 { return max(1, c.FlowsFolded.V) }

// Spread divides a connection's counters over the minutes of its time: in
// proportion to its profile, where it has one, else evenly. The parts add up to the
// counters; the connection itself counts in the minute it began in.
func (c *Connection) Spread(fn func(minute Time, part *Traffic)) {
	last := max(c.TS, c.TSEnd)
	totals := [4]int64{c.ClientBytes.V, c.ServerBytes.V, c.ClientPackets.V, c.ServerPackets.V}
	fn(c.TS.Bin(Minute), &Traffic{Connections: c.Conversations()})
	var done [4]int64
	until := func(minute Time, part, whole uint64) {
		var upTo, own [4]int64
		for i, n := range totals {
			upTo[i] = portion(n, part, whole)
			own[i] = upTo[i] - done[i]
		}
		if done = upTo; own != [4]int64{} {
			fn(minute, &Traffic{ClientBytes: own[0], ServerBytes: own[1], ClientPackets: own[2], ServerPackets: own[3]})
		}
	}
	whole := uint64(0)
	profile := ParseProfile(c.Profile, c.TS)
	for _, m := range profile {
		sum, carry := bits.Add64(whole, uint64(m.Bytes), 0)
		if whole = sum; carry != 0 {
			whole = 0
			break
		}
	}
	if whole == 0 {
		minutes(c.TS, last, func(minute Time, part uint64) { until(minute, part, uint64(last-c.TS)+1) })
		return
	}
	part := uint64(0)
	for _, m := range profile {
		part += uint64(m.Bytes)
		until(m.Minute, part, whole)
	}
}
