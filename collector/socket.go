package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
)

const (
	// maxWorkers is how many sockets share a port unless the configuration
	// says otherwise. The kernel spreads exporters over them, one exporter's
	// datagrams stay in order on one.
	maxWorkers = 4
	// datagramRoom holds the largest payload of UDP (65,507 bytes on IPv4,
	// 65,527 on IPv6 without jumbograms). What is cut even so is undecodable.
	datagramRoom = 1 << 16
	// batchSize is how many datagrams one system call takes at most.
	batchSize = 64
)

// past is a deadline that ends a wait at once.
var past = time.Unix(1, 0)

// datagramFunc decodes a datagram; the bytes are the socket's again after it.
type datagramFunc func(from netip.AddrPort, received tables.Time, data []byte) Outcome

// udpListener receives on one UDP address: several sockets of one port, a
// worker each. Datagrams are decoded by the worker that received them.
// There is no queue between the two: the kernel's receive buffer is one already,
// and the kernel counts what it drops.
type udpListener struct {
	*socketAccount
	addr    netip.AddrPort
	sockets []*udpSocket
	working sync.WaitGroup
}

// udpSocket is one socket and what its worker has at hand.
type udpSocket struct {
	conn   *net.UDPConn
	batch  *batch
	share  *share
	decode datagramFunc
	log    *slog.Logger
	drops  dropCounter
}

// listenUDP opens an address with so many sockets, each with a receive buffer
// of buffer bytes as far as the kernel grants it, room for one datagram of
// room bytes.
func listenUDP(address string, workers, buffer, room int, decode datagramFunc, log *slog.Logger) (*udpListener, error) {
	if workers <= 0 {
		workers = min(runtime.NumCPU(), maxWorkers)
	}
	workers = min(workers, portSharers)
	network, err := udpNetwork(address)
	if err != nil {
		return nil, err
	}
	// Sockets that share a port would also share it with another collector
	// of the same user, each getting a part of the datagrams. A socket that
	// shares with nobody finds out.
	alone, err := net.ListenPacket(network, address)
	if err != nil {
		return nil, err
	}
	address = alone.LocalAddr().String()
	if err := alone.Close(); err != nil {
		return nil, err
	}
	l := &udpListener{socketAccount: newSocketAccount("udp " + address)}
	for range workers {
		s := &udpSocket{batch: newBatch(batchSize, room), share: l.newShare(), decode: decode, log: log}
		var granted int
		config := net.ListenConfig{Control: func(_, _ string, c socketControl) (err error) {
			granted, err = prepareSocket(c, buffer, workers > 1)
			return err
		}}
		conn, err := config.ListenPacket(context.Background(), network, address)
		if err != nil {
			l.closeSockets()
			return nil, err
		}
		s.conn = conn.(*net.UDPConn)
		if err := s.batch.attach(s.conn); err != nil {
			s.conn.Close()
			l.closeSockets()
			return nil, err
		}
		l.sockets = append(l.sockets, s)
		l.buffer += int64(granted)
		if granted < buffer {
			log.Warn("the kernel grants a smaller receive buffer than asked: bursts will be lost sooner",
				"socket", l.name, "asked", buffer, "granted", granted, "fix", bufferFix(buffer))
		}
	}
	l.addr = l.sockets[0].conn.LocalAddr().(*net.UDPAddr).AddrPort()
	return l, nil
}

// udpNetwork picks the family the address is written in: Go makes 0.0.0.0 a
// socket of both, which senders' addresses don't show.
func udpNetwork(address string) (string, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
		return "udp4", nil
	}
	return "udp", nil
}

// start lets the workers receive.
func (l *udpListener) start() {
	for _, s := range l.sockets {
		l.working.Go(s.work)
	}
}

// close takes no more datagrams in, decodes those the kernel has taken, and
// settles the account: every datagram sent before is in it.
func (l *udpListener) close() error {
	for _, s := range l.sockets {
		// Its only error is that the socket is closed.
		_ = s.conn.SetReadDeadline(past)
	}
	l.working.Wait()
	l.readDrops()
	return l.closeSockets()
}

func (l *udpListener) closeSockets() error {
	var errs []error
	for _, s := range l.sockets {
		errs = append(errs, s.conn.Close())
	}
	return errors.Join(errs...)
}

// readDrops asks the kernel what it dropped since the last time.
func (l *udpListener) readDrops() {
	for _, s := range l.sockets {
		if n, ok := kernelDrops(s.conn); ok {
			s.share.drop(s.drops.reached(n))
		}
	}
}

// work receives and decodes until the deadline that close sets.
func (s *udpSocket) work() {
	for {
		n, err := s.batch.receive()
		if n > 0 {
			s.take(n)
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.drain()
			return
		}
		// An error that stays (memory, say) must neither end the worker nor
		// keep a core busy.
		s.log.Error("receive", "socket", s.conn.LocalAddr().String(), "error", err)
		time.Sleep(100 * time.Millisecond)
	}
}

// drain decodes what lies in the receive buffer after the kernel was told to
// put nothing more in; what comes from here on is a drop in its count.
func (s *udpSocket) drain() {
	if err := refuseAll(s.conn); err != nil {
		s.log.Error("stop receiving", "socket", s.conn.LocalAddr().String(), "error", err)
		return
	}
	for {
		n, err := s.batch.receiveNow()
		if n == 0 {
			if err != nil {
				s.log.Error("receive the rest", "socket", s.conn.LocalAddr().String(), "error", err)
			}
			return
		}
		s.take(n)
	}
}

// take decodes the n datagrams of the batch and accounts for them.
func (s *udpSocket) take(n int) {
	var c socketCounts
	received := tables.Time(time.Now().UnixMicro())
	for i := range n {
		data, from, whole := s.batch.datagram(i)
		outcome := Undecodable
		if whole {
			outcome = s.decode(from, received, data)
		}
		c.add(outcome, len(data))
	}
	if dropped, ok := s.batch.dropped(n); ok {
		c.kernelDrops = s.drops.reached(dropped)
	}
	s.share.add(&c)
}

// dropCounter makes one growing count of the kernel's 32-bit counter, which
// is read in two ways: by asking (SO_MEMINFO) and as it stood when a datagram
// was queued (SO_RXQ_OVFL). The second may be older than the last answer to
// the first.
type dropCounter struct {
	mu   sync.Mutex
	last uint32
}

// reached tells by how much the counter has grown, given that it has reached
// n. It wraps; half of its range in one interval is more than can be received.
func (d *dropCounter) reached(n uint32) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	grown := int32(n - d.last)
	if grown <= 0 {
		return 0
	}
	d.last = n
	return int64(grown)
}

// bufferFix is the command that makes the kernel grant the buffer.
func bufferFix(buffer int) string {
	return fmt.Sprintf("sysctl -w net.core.rmem_max=%d", buffer)
}
