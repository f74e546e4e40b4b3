package sqlserver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/dolthub/vitess/go/mysql"
)

const (
	// loginTime is how long a connection may take until it is logged in.
	loginTime = 15 * time.Second
	// writeTime is how long a client may leave its socket full: clients that
	// stream a result and think about each row need minutes, one that never
	// reads again must not hold its query for ever.
	writeTime = 10 * time.Minute
	// hurryTime is how long it may when the statement was ended.
	hurryTime = 500 * time.Millisecond
	// pollTime is how often the socket of a running query is looked at.
	pollTime = 250 * time.Millisecond
)

// listener hands out connections that guard themselves.
type listener struct {
	net.Listener
	max    int
	log    *slog.Logger
	mu     sync.Mutex
	open   map[*conn]struct{}
	closed bool
}

func newListener(l net.Listener, maxConns int, log *slog.Logger) *listener {
	return &listener{Listener: l, max: maxConns, log: log, open: map[*conn]struct{}{}}
}

// Accept returns the next connection below the limit. Only the closing of the
// listener is an error: the loop above ends at any.
func (l *listener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			l.log.Warn("accept failed", "error", err) // out of file descriptors, most likely
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if c := l.admit(raw); c != nil {
			return c, nil
		}
	}
}

// admit guards a connection, or refuses it if there are too many: nil.
func (l *listener) admit(raw net.Conn) *conn {
	c := &conn{Conn: raw, listener: l}
	l.mu.Lock()
	full, closed := len(l.open) >= l.max, l.closed
	if !full && !closed {
		l.open[c] = struct{}{}
	}
	l.mu.Unlock()
	if full || closed {
		refuse(raw, l.max)
		return nil
	}
	raw.SetReadDeadline(time.Now().Add(loginTime))
	return c
}

// closeAll closes every connection; their queries are cancelled by it.
func (l *listener) closeAll() {
	l.mu.Lock()
	l.closed = true
	conns := make([]*conn, 0, len(l.open))
	for c := range l.open {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

// refuse sends error 1040 in place of the handshake, as MySQL does: there is
// no SQL state in an error at that point.
func refuse(c net.Conn, max int) {
	text := fmt.Sprintf("Too many connections: %d are open", max)
	p := []byte{byte(3 + len(text)), 0, 0, 0, mysql.ErrPacket}
	p = binary.LittleEndian.AppendUint16(p, 1040)
	c.SetWriteDeadline(time.Now().Add(time.Second))
	c.Write(append(p, text...))
	c.Close()
}

// conn is a connection that can be looked at while its statement runs.
type conn struct {
	net.Conn
	listener *listener
	once     sync.Once

	mu      sync.Mutex
	number  int       // of statements begun and ended
	hurried time.Time // until when may be written; zero for writeTime each

	// Of the goroutine that serves: a command is waited for until quiet, and
	// when it has begun, for each of its pieces so long.
	quiet time.Time
	piece time.Duration
}

// statement begins or ends a statement: a hurry of one before is over.
func (c *conn) statement() (number int) {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.number++
	c.hurried = time.Time{}
	return c.number
}

// hurry gives the client hurryTime to take the rest of the answer to a statement
// that was ended.
func (c *conn) hurry(number int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.number == number {
		c.hurried = time.Now().Add(hurryTime)
		c.Conn.SetWriteDeadline(c.hurried)
	}
}

// Write sends, for as long as a client may take to read.
func (c *conn) Write(p []byte) (int, error) {
	c.mu.Lock()
	until := c.hurried
	if until.IsZero() {
		until = time.Now().Add(writeTime)
	}
	c.Conn.SetWriteDeadline(until)
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// await begins to wait for the next command.
func (c *conn) await(command, piece time.Duration) {
	c.quiet, c.piece = time.Now().Add(command), piece
}

// Read reads, for as long as a command may take to come.
func (c *conn) Read(p []byte) (int, error) {
	switch {
	case !c.quiet.IsZero():
		c.Conn.SetReadDeadline(c.quiet)
	case c.piece > 0: // else it is logging in
		c.Conn.SetReadDeadline(time.Now().Add(c.piece))
	}
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.quiet = time.Time{}
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.listener.mu.Lock()
		delete(c.listener.open, c)
		c.listener.mu.Unlock()
	})
	return c.Conn.Close()
}

// gone tells whether the client has closed the connection, also when it sent
// something before, as TLS does. The socket is only looked at.
func (c *conn) gone() bool {
	s, ok := c.Conn.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) { gone = hungUp(int(fd)) })
	return gone || err != nil
}

// rawConn finds the guarded connection below TLS.
func rawConn(c *mysql.Conn) *conn {
	under := c.Conn
	for {
		t, ok := under.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		under = t.NetConn()
	}
	raw, _ := under.(*conn)
	return raw
}
