package collector

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
)

const (
	// messageHeader is the length of an IPFIX message header, RFC 7011
	// section 3.1.
	messageHeader = 16
	// messageRoom holds the longest message its 16-bit length can state.
	messageRoom   = 1<<16 - 1
	ipfixVersion  = 10
	acceptRetreat = 100 * time.Millisecond
)

// tcpListener receives IPFIX over TCP, RFC 7011 section 10.4: messages follow
// one another in the stream, each stating its length. A stream that once lost
// its framing can't find it again, so a message that can't be decoded ends the
// connection.
//
// A connection has room for one message, and must bring the next one whole
// within the idle time: neither many bytes nor few can hold more than that.
// While the archive is behind, connections are not read; TCP tells the sender.
type tcpListener struct {
	*socketAccount
	share    *share
	listener net.Listener
	decode   datagramFunc
	limit    int           // connections at a time
	idle     time.Duration // the longest wait for a message
	log      *slog.Logger

	mu      sync.Mutex
	open    map[net.Conn]bool
	closing bool
	working sync.WaitGroup
}

func listenTCP(address string, limit int, idle time.Duration, decode datagramFunc, log *slog.Logger) (*tcpListener, error) {
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	l := &tcpListener{socketAccount: newSocketAccount("tcp " + inner.Addr().String()), listener: inner, decode: decode,
		limit: limit, idle: idle, log: log, open: map[net.Conn]bool{}}
	l.share = l.newShare()
	return l, nil
}

func (l *tcpListener) start() { l.working.Go(l.accept) }

func (l *tcpListener) accept() {
	for {
		conn, err := l.listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptors left, say
			l.log.Error("accept", "socket", l.name, "error", err)
			time.Sleep(acceptRetreat)
			continue
		}
		if !l.admit(conn) {
			l.count(Refused, 0)
			l.log.Warn("exporter refused: too many connections", "socket", l.name, "from", conn.RemoteAddr().String(), "limit", l.limit)
			conn.Close()
			continue
		}
		l.working.Go(func() { l.serve(conn) })
	}
}

// admit notes an open connection, unless there are enough.
func (l *tcpListener) admit(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing || len(l.open) >= l.limit {
		return false
	}
	l.open[conn] = true
	return true
}

func (l *tcpListener) serve(conn net.Conn) {
	defer func() {
		l.mu.Lock()
		delete(l.open, conn)
		l.mu.Unlock()
		conn.Close()
	}()
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		l.log.Error("connection", "socket", l.name, "error", err)
		return
	}
	from = netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port())
	if err := l.messages(conn, from); err != nil {
		l.log.Warn("connection closed", "socket", l.name, "from", from.String(), "reason", err)
	}
}

// messages decodes a connection's messages until it ends; nil is the end the
// exporter chose, between two messages.
func (l *tcpListener) messages(conn net.Conn, from netip.AddrPort) error {
	r := bufio.NewReaderSize(conn, messageRoom)
	for {
		if err := l.await(conn); err != nil {
			return err
		}
		header, err := r.Peek(messageHeader)
		if err != nil {
			return l.cut(err, len(header))
		}
		version, length := binary.BigEndian.Uint16(header), int(binary.BigEndian.Uint16(header[2:]))
		if version != ipfixVersion || length < messageHeader {
			l.count(Undecodable, len(header))
			return fmt.Errorf("no IPFIX message header: version %d, length %d", version, length)
		}
		message, err := r.Peek(length)
		if err != nil {
			return l.cut(err, len(message))
		}
		outcome := l.decode(from, tables.Time(time.Now().UnixMicro()), message)
		l.count(outcome, length)
		switch outcome {
		case Undecodable:
			return errors.New("a message that cannot be decoded")
		case Refused:
			return errors.New("the exporter is refused")
		}
		if _, err := r.Discard(length); err != nil {
			return err
		}
	}
}

// await gives a connection the time for its next message: none when closing,
// so that only what was received already is decoded.
func (l *tcpListener) await(conn net.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return conn.SetReadDeadline(past)
	}
	return conn.SetReadDeadline(time.Now().Add(l.idle))
}

// cut judges a stream that ended after so many bytes of a message.
func (l *tcpListener) cut(err error, bytes int) error {
	l.mu.Lock()
	closing := l.closing
	l.mu.Unlock()
	switch {
	case bytes > 0:
		l.count(Undecodable, bytes)
		return fmt.Errorf("cut in the middle of a message: %w", err)
	case errors.Is(err, io.EOF), closing:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("idle for %v", l.idle)
	}
	return err
}

func (l *tcpListener) count(o Outcome, bytes int) {
	var c socketCounts
	c.add(o, bytes)
	l.share.add(&c)
}

// close ends all connections; messages that came whole are decoded.
func (l *tcpListener) close() error {
	l.mu.Lock()
	l.closing = true
	for conn := range l.open {
		// Its only error is that the connection is closed.
		_ = conn.SetReadDeadline(past)
	}
	l.mu.Unlock()
	err := l.listener.Close()
	l.working.Wait()
	return err
}

func (l *tcpListener) readDrops() {} // TCP loses nothing on the way to us
