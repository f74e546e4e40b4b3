package collector

import (
	"sync"

	"github.com/wiresql/wiresql/tables"
)

// outcomes is how many values Outcome has.
const outcomes = 4

// socketCounts are what came of the datagrams of a socket. Every datagram the kernel
// handed over has one outcome, so that received is the sum of outcomes, and
// what was sent is that and the drops.
type socketCounts struct {
	received    int64
	bytes       int64
	outcome     [outcomes]int64
	kernelDrops int64
}

func (c *socketCounts) add(o Outcome, bytes int) {
	c.received++
	c.bytes += int64(bytes)
	c.outcome[o]++
}

// plus adds o's counts, times sign.
func (c *socketCounts) plus(o *socketCounts, sign int64) {
	c.received += sign * o.received
	c.bytes += sign * o.bytes
	for i := range c.outcome {
		c.outcome[i] += sign * o.outcome[i]
	}
	c.kernelDrops += sign * o.kernelDrops
}

// share is what one worker counted since it began. Workers have one each, so
// that they never wait for each other.
type share struct {
	mu sync.Mutex
	socketCounts
}

func (s *share) add(c *socketCounts) {
	s.mu.Lock()
	s.plus(c, 1)
	s.mu.Unlock()
}

func (s *share) drop(n int64) {
	if n == 0 {
		return
	}
	s.add(&socketCounts{kernelDrops: n})
}

// socketAccount is the account of one listening address.
type socketAccount struct {
	name   string // udp 127.0.0.1:2055
	buffer int64  // receive buffer granted, of all its sockets
	shares []*share

	told  socketCounts // what rows say already
	since tables.Time  // where the last row ends
	idle  tables.Time  // until then nothing came since the last row
}

func newSocketAccount(name string) *socketAccount { return &socketAccount{name: name} }

func (a *socketAccount) label() string { return a.name }

// begin is when the first row starts.
func (a *socketAccount) begin(now tables.Time) { a.since = now }

// newShare adds a worker; not while others count.
func (a *socketAccount) newShare() *share {
	s := &share{}
	a.shares = append(a.shares, s)
	return s
}

// total is what was counted since the start.
func (a *socketAccount) total() socketCounts {
	var sum socketCounts
	for _, s := range a.shares {
		s.mu.Lock()
		c := s.socketCounts
		s.mu.Unlock()
		sum.plus(&c, 1)
	}
	return sum
}

// idleRow is how long a socket at which nothing happens goes without a row:
// one a minute shows that it was listening.
const idleRow = tables.Time(60_000_000)

// tell hands what happened since the last row to the sink. Rows follow one
// another without a gap; silence is a row of its own, so that the first
// datagrams after it are not filed where it began. What the sink does not take
// is told the next time. It is called from one goroutine.
func (a *socketAccount) tell(sink tables.ExportSink, now tables.Time, last bool) error {
	if now < a.since { // the clock was set back
		a.since, a.idle = now, 0
	}
	news := a.total()
	total := news
	news.plus(&a.told, -1)
	if news == (socketCounts{}) && !last && now-a.since < idleRow {
		a.idle = now
		return nil
	}
	if a.idle > a.since && news != (socketCounts{}) {
		if err := sink.Socket(a.row(&socketCounts{}, a.idle)); err != nil {
			return err
		}
		a.since = a.idle
	}
	if err := sink.Socket(a.row(&news, now)); err != nil {
		return err
	}
	a.told, a.since, a.idle = total, now, 0
	return nil
}

func (a *socketAccount) row(c *socketCounts, until tables.Time) *tables.Socket {
	return &tables.Socket{
		TS: a.since, TSEnd: until, Socket: a.name,
		Received: c.received, Bytes: c.bytes,
		Decoded:     c.outcome[Decoded],
		Undecodable: c.outcome[Undecodable],
		Waited:      c.outcome[Waiting],
		Refused:     c.outcome[Refused],
		KernelDrops: c.kernelDrops,
		BufferBytes: a.buffer,
	}
}
