package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// gate is a sink that keeps accounts, counts flow records, and can be shut:
// then it lets nothing through, as an archive whose disk is busy.
type gate struct {
	shut      sync.RWMutex
	mu        sync.Mutex
	flows     int
	sockets   []tables.Socket
	exporters []tables.Exporter
	broken    error
}

func (g *gate) Exports(rows []tables.Export) error {
	g.shut.RLock()
	defer g.shut.RUnlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flows += len(rows)
	return nil
}

func (g *gate) Exporter(row *tables.Exporter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.exporters = append(g.exporters, *row)
	return nil
}

func (g *gate) Socket(row *tables.Socket) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken != nil {
		return g.broken
	}
	g.sockets = append(g.sockets, *row)
	return nil
}

// sum adds up the rows of a socket.
func (g *gate) sum(name string) (s tables.Socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.sockets {
		if r.Socket != name {
			continue
		}
		s.Received += r.Received
		s.Bytes += r.Bytes
		s.Decoded += r.Decoded
		s.Undecodable += r.Undecodable
		s.Waited += r.Waited
		s.Refused += r.Refused
		s.QueueDrops += r.QueueDrops
		s.KernelDrops += r.KernelDrops
	}
	return s
}

// datagram5 is a v5 datagram of n records.
func datagram5(sequence uint32, n int) []byte {
	b := make([]byte, 24+48*n)
	binary.BigEndian.PutUint16(b, 5)
	binary.BigEndian.PutUint16(b[2:], uint16(n))
	binary.BigEndian.PutUint32(b[4:], 3_600_000)
	binary.BigEndian.PutUint32(b[8:], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint32(b[16:], sequence)
	for i := range n {
		r := b[24+48*i:]
		copy(r, []byte{10, 0, byte(i >> 8), byte(i)})
		copy(r[4:], []byte{10, 1, 0, 1})
		binary.BigEndian.PutUint32(r[16:], 3)
		binary.BigEndian.PutUint32(r[20:], 300)
		binary.BigEndian.PutUint32(r[24:], 3_500_000)
		binary.BigEndian.PutUint32(r[28:], 3_599_000)
		binary.BigEndian.PutUint16(r[32:], 1000+uint16(i))
		binary.BigEndian.PutUint16(r[34:], 53)
		r[38] = 17
	}
	return b
}

// datagram9 is a v9 datagram with a data set whose template nobody sent.
func datagram9(sequence uint32) []byte {
	b := make([]byte, 20+4+16)
	binary.BigEndian.PutUint16(b, 9)
	binary.BigEndian.PutUint16(b[2:], 1)
	binary.BigEndian.PutUint32(b[4:], 3_600_000)
	binary.BigEndian.PutUint32(b[8:], uint32(time.Now().Unix()))
	binary.BigEndian.PutUint32(b[12:], sequence)
	binary.BigEndian.PutUint32(b[16:], 7)
	binary.BigEndian.PutUint16(b[20:], 260)
	binary.BigEndian.PutUint16(b[22:], 20)
	return b
}

// socketConfig listens where the kernel likes, on loopback.
func socketConfig() Config {
	c := DefaultConfig()
	c.NetFlow, c.SFlow = []string{"127.0.0.1:0"}, nil
	c.ReceiveBuffer = 1 << 20
	c.Workers = 2
	return c
}

func startCollector(t *testing.T, c Config, sink tables.ExportSink) *Collector {
	t.Helper()
	col := New(c, sink, t.TempDir()+"/state", nil)
	if err := col.Start(); err != nil {
		t.Fatal(err)
	}
	return col
}

func dialUDP(t *testing.T, from, to string) *net.UDPConn {
	t.Helper()
	conn, err := net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0)),
		net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// waitFor polls until something holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 10 s for %s", what)
		}
	}
}

// TestAccountOfOutcomes sends datagrams of each kind and finds each counted as
// what it is.
func TestAccountOfOutcomes(t *testing.T) {
	sink := &gate{}
	c := socketConfig()
	c.Exporters = []string{"127.0.0.1"}
	col := startCollector(t, c, sink)
	name := col.Addresses()[0]
	address := strings.TrimPrefix(name, "udp ")
	known, stranger := dialUDP(t, "127.0.0.1", address), dialUDP(t, "127.0.0.2", address)
	want := tables.Socket{}
	send := func(conn *net.UDPConn, b []byte, counter *int64) {
		t.Helper()
		if _, err := conn.Write(b); err != nil {
			t.Fatal(err)
		}
		*counter++
		want.Received++
		want.Bytes += int64(len(b))
	}
	for i := range 100 {
		send(known, datagram5(uint32(30*i), 30), &want.Decoded)
		send(known, []byte("no export at all"), &want.Undecodable)
		send(known, datagram5(0, 30)[:500], &want.Undecodable)
		send(known, nil, &want.Undecodable)
		send(known, datagram9(uint32(i)), &want.Waited)
		send(stranger, datagram5(uint32(i), 1), &want.Refused)
		if i%10 == 0 {
			send(known, make([]byte, 65507), &want.Undecodable)
			waitFor(t, "all datagrams", func() bool { // a buffer of any size does
				return col.listeners[0].(*udpListener).total().received == want.Received
			})
		}
	}
	if err := col.Close(); err != nil {
		t.Fatal(err)
	}
	if got := sink.sum(name); got != want {
		t.Errorf("account\n got %+v\nwant %+v", got, want)
	}
}

// TestAccountWithKernelDrops floods a small buffer while nothing is decoded:
// what was sent is what was counted, to the datagram.
func TestAccountWithKernelDrops(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what it dropped")
	}
	const sent = 20_000
	for _, workers := range []int{1, 3} {
		sink := &gate{}
		c := socketConfig()
		c.Workers, c.ReceiveBuffer = workers, 20_000
		c.Exporters = []string{"127.0.0.1"}
		col := startCollector(t, c, sink)
		name := col.Addresses()[0]
		address := strings.TrimPrefix(name, "udp ")
		known, stranger := dialUDP(t, "127.0.0.1", address), dialUDP(t, "127.0.0.2", address)
		sink.shut.Lock()
		for i := range sent {
			conn, b := known, datagram5(uint32(i), 1)
			switch i % 7 {
			case 1:
				b = []byte{0, 5, 0}
			case 2:
				b = datagram9(uint32(i))
			case 3:
				conn = stranger
			}
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
			if i == sent/2 { // some pass
				sink.shut.Unlock()
				time.Sleep(10 * time.Millisecond) // not for all of them
				sink.shut.Lock()
			}
		}
		sink.shut.Unlock()
		if err := col.Close(); err != nil {
			t.Fatal(err)
		}
		got := sink.sum(name)
		if sum := got.Decoded + got.Undecodable + got.Waited + got.Refused + got.QueueDrops + got.KernelDrops; sum != sent {
			t.Errorf("%d workers: %d of %d sent are accounted for: %+v", workers, sum, sent, got)
		}
		if got.KernelDrops == 0 || got.Decoded == 0 || got.Undecodable == 0 || got.Waited == 0 || got.Refused == 0 {
			t.Errorf("%d workers: not all kinds occurred: %+v", workers, got)
		}
		if int64(sink.flows) != got.Decoded {
			t.Errorf("%d workers: %d flows of %d datagrams with one each", workers, sink.flows, got.Decoded)
		}
	}
}

// TestCutDatagrams: what is longer than the room for it is undecodable, and
// the rest of it is not taken for the next one.
func TestCutDatagrams(t *testing.T) {
	var seen []int
	l, err := listenUDP("127.0.0.1:0", 1, 1<<20, 100, func(_ netip.AddrPort, _ tables.Time, b []byte) Outcome {
		seen = append(seen, len(b))
		return Decoded
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.start()
	conn := dialUDP(t, "127.0.0.1", l.addr.String())
	for _, n := range []int{99, 101, 100, 5000, 1} {
		if _, err := conn.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	got := l.total()
	if got.outcome[Undecodable] != 2 || got.outcome[Decoded] != 3 || len(seen) != 3 || seen[2] != 1 {
		t.Errorf("counted %+v, decoded lengths %v", got, seen)
	}
}

// TestSenders: addresses come out as they are written, of both families.
func TestSenders(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		senders := make(chan netip.AddrPort, 1)
		l, err := listenUDP(address, 1, 1<<20, 100, func(from netip.AddrPort, _ tables.Time, _ []byte) Outcome {
			senders <- from
			return Decoded
		}, slog.New(slog.DiscardHandler))
		if err != nil && strings.HasPrefix(address, "[") { // no IPv6 here
			t.Logf("%s: %v", address, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		l.start()
		to := netip.AddrPortFrom(l.addr.Addr(), l.addr.Port())
		from := to.Addr()
		if from.IsUnspecified() { // IPv4 to a socket of both
			from = netip.MustParseAddr("127.0.0.1")
			to = netip.AddrPortFrom(from, to.Port())
		}
		conn := dialUDP(t, from.String(), to.String())
		if _, err := conn.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		if got, want := <-senders, conn.LocalAddr().(*net.UDPAddr).AddrPort(); got != want {
			t.Errorf("%s: from %v, want %v", address, got, want)
		}
		if err := l.close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPortTaken: two collectors never share a port, though the sockets of one
// do.
func TestPortTaken(t *testing.T) {
	col := startCollector(t, socketConfig(), &gate{})
	defer col.Close()
	c := socketConfig()
	c.NetFlow = []string{strings.TrimPrefix(col.Addresses()[0], "udp ")}
	if err := New(c, &gate{}, t.TempDir(), nil).Start(); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestSmallBufferIsReported(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what it granted")
	}
	var log bytes.Buffer
	// More than any kernel grants: it caps the number at half of 2^31.
	l, err := listenUDP("127.0.0.1:0", 1, 1<<30+1, 100, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	l.close()
	if !strings.Contains(log.String(), "sysctl -w net.core.rmem_max=1073741825") {
		t.Errorf("no word about the buffer: %q", log.String())
	}
}

func TestDropCounterWraps(t *testing.T) {
	var d dropCounter
	for _, c := range []struct {
		reading uint32
		grown   int64
	}{
		{10, 10}, {10, 0}, {7, 0} /* older */, {1 << 30, 1<<30 - 10}, {3 << 30, 0}, /* half the range is no growth */
		{2<<30 + 5, 1<<30 + 5}, {1<<32 - 1, 2<<30 - 6}, {4, 5}, {1<<32 - 1, 0} /* older */, {5, 1},
	} {
		if got := d.reached(c.reading); got != c.grown {
			t.Errorf("reached %d: grown by %d, want %d", c.reading, got, c.grown)
		}
	}
}

// TestReceivingAllocatesNothing, whatever is received.
func TestReceivingAllocatesNothing(t *testing.T) {
	l, err := listenUDP("127.0.0.1:0", 1, 1<<20, datagramRoom, func(netip.AddrPort, tables.Time, []byte) Outcome { return Decoded },
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer l.closeSockets()
	conn := dialUDP(t, "127.0.0.1", l.addr.String())
	s, b := l.sockets[0], datagram5(1, 30)
	if allocs := testing.AllocsPerRun(1000, func() {
		for range 3 {
			if _, err := conn.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		for n := 0; n < 3; {
			got, err := s.batch.receive()
			if err != nil {
				t.Fatal(err)
			}
			s.take(got)
			n += got
		}
	}); allocs != 0 {
		t.Errorf("%v allocations for three datagrams", allocs)
	}
}

// TestCloseIsPrompt with all workers asleep.
func TestCloseIsPrompt(t *testing.T) {
	c := socketConfig()
	c.SFlow, c.IPFIXTCP, c.Workers = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, 4
	col := startCollector(t, c, &gate{})
	began := time.Now()
	if err := col.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("closing took %v", took)
	}
}

// TestSocketRows: rows follow one another without gap or overlap, silence has
// rows of its own, and what a sink did not take is told later.
func TestSocketRows(t *testing.T) {
	const second = tables.Time(1_000_000)
	sink := &gate{}
	a := newSocketAccount("udp test")
	s := a.newShare()
	a.begin(100 * second)
	tick := func(at tables.Time, datagrams int, last bool) {
		t.Helper()
		for range datagrams {
			s.add(&socketCounts{received: 1, outcome: [outcomes]int64{Decoded: 1}})
		}
		if err := a.tell(sink, at*second, last); err != nil && sink.broken == nil {
			t.Error(err)
		}
	}
	tick(102, 5, false)
	tick(104, 0, false)
	tick(106, 0, false)
	tick(108, 1, false)
	sink.broken = errors.New("disk full")
	tick(110, 2, false)
	sink.broken = nil
	tick(112, 3, false)
	tick(114, 0, false)
	tick(172, 0, false)
	tick(174, 0, false)
	tick(176, 0, true)
	type row struct{ from, to, datagrams tables.Time }
	want := []row{{100, 102, 5}, {102, 106, 0}, {106, 108, 1}, {108, 112, 5}, {112, 172, 0}, {172, 176, 0}}
	if len(sink.sockets) != len(want) {
		t.Fatalf("%d rows: %+v", len(sink.sockets), sink.sockets)
	}
	for i, r := range sink.sockets {
		if got := (row{r.TS / second, r.TSEnd / second, tables.Time(r.Decoded)}); got != want[i] {
			t.Errorf("row %d is %v, want %v", i, got, want[i])
		}
	}
}
