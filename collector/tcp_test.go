package collector

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// message is an IPFIX message of so many bytes; its sequence number tells it
// from others.
func message(length int, sequence uint32) []byte {
	b := make([]byte, length)
	binary.BigEndian.PutUint16(b, ipfixVersion)
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	binary.BigEndian.PutUint32(b[8:], sequence)
	return b
}

// testStream is a TCP listener whose messages are kept.
type testStream struct {
	*tcpListener
	log bytes.Buffer

	mu       sync.Mutex
	messages [][]byte
	senders  map[netip.AddrPort]bool
	outcome  Outcome
}

func listenStream(t *testing.T, limit int, idle time.Duration) *testStream {
	t.Helper()
	s := &testStream{senders: map[netip.AddrPort]bool{}}
	var err error
	s.tcpListener, err = listenTCP("127.0.0.1:0", limit, idle, func(from netip.AddrPort, received tables.Time, b []byte) Outcome {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.messages = append(s.messages, bytes.Clone(b))
		s.senders[from] = true
		return s.outcome
	}, slog.New(slog.NewTextHandler(lockedWriter{&s.mu, &s.log}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	t.Cleanup(func() { s.close() })
	return s
}

type lockedWriter struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (s *testStream) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// ended waits until the listener closed the connection.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection is open: %d bytes, %v", n, err)
	}
}

// TestStreamFraming: messages come out as they went in, however the stream was
// cut up, the longest and the shortest among them.
func TestStreamFraming(t *testing.T) {
	var all []byte
	var want [][]byte
	for i, length := range []int{16, 40, messageRoom, 16, 1000, messageRoom, messageRoom - 1, 17} {
		want = append(want, message(length, uint32(i)))
		all = append(all, want[i]...)
	}
	for _, piece := range []int{1, 7, 1000, 65536, len(all)} {
		s := listenStream(t, 1, time.Minute)
		conn := s.dial(t)
		data := all
		if piece == 1 {
			data = all[:100] // the first two whole, the third cut
		}
		for rest := data; len(rest) > 0; {
			n := min(piece, len(rest))
			if _, err := conn.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		conn.Close()
		waitFor(t, "the end of the connection", func() bool {
			s.tcpListener.mu.Lock()
			defer s.tcpListener.mu.Unlock()
			return s.total().received > 0 && len(s.open) == 0
		})
		whole, undecodable := len(want), int64(0)
		if piece == 1 {
			whole, undecodable = 2, 1
		}
		s.mu.Lock()
		if len(s.messages) != whole {
			t.Errorf("pieces of %d: %d messages, want %d", piece, len(s.messages), whole)
		}
		for i, m := range s.messages {
			if !bytes.Equal(m, want[i]) {
				t.Errorf("pieces of %d: message %d differs", piece, i)
			}
		}
		s.mu.Unlock()
		got := s.total()
		if got.bytes != int64(len(data)) || got.outcome[Undecodable] != undecodable || got.outcome[Decoded] != int64(whole) {
			t.Errorf("pieces of %d: account %+v of %d bytes", piece, got, len(data))
		}
	}
}

// TestStreamErrors: what is no message, or none that can be decoded, ends the
// connection and is counted; other connections go on.
func TestStreamErrors(t *testing.T) {
	version9 := message(16, 0)
	version9[1] = 9
	short := message(16, 0)
	short[3] = 15
	zero := message(16, 0)
	zero[3] = 0
	for name, b := range map[string][]byte{
		"another protocol":       []byte("GET / HTTP/1.1\r\n\r\n"),
		"NetFlow v9":             version9,
		"shorter than a header":  short,
		"length 0":               zero,
		"undecodable to decoder": message(20, 1),
	} {
		s := listenStream(t, 2, time.Minute)
		good, bad := s.dial(t), s.dial(t)
		if name == "undecodable to decoder" {
			s.mu.Lock()
			s.outcome = Undecodable
			s.mu.Unlock()
		}
		if _, err := bad.Write(b); err != nil {
			t.Fatal(err)
		}
		ended(t, bad)
		if got := s.total(); got.outcome[Undecodable] != 1 || got.received != 1 {
			t.Errorf("%s: account %+v", name, got)
		}
		s.mu.Lock()
		s.outcome = Decoded
		s.mu.Unlock()
		if _, err := good.Write(message(16, 2)); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the good connection's message", func() bool { return s.total().outcome[Decoded] == 1 })
	}
}

// TestStreamLimits: connections beyond the limit are refused and counted, and
// so is a sender who is not on the list; one that brings no whole message in
// the idle time is closed, even if it drips.
func TestStreamLimits(t *testing.T) {
	s := listenStream(t, 1, 300*time.Millisecond)
	first := s.dial(t)
	waitFor(t, "the first connection", func() bool {
		s.tcpListener.mu.Lock()
		defer s.tcpListener.mu.Unlock()
		return len(s.open) == 1
	})
	second := s.dial(t)
	ended(t, second)
	if got := s.total(); got.outcome[Refused] != 1 {
		t.Errorf("one connection too many: %+v", got)
	}
	dripping := make(chan error, 1)
	go func() {
		for _, b := range message(messageRoom, 1) {
			if _, err := first.Write([]byte{b}); err != nil {
				dripping <- err
				return
			}
			time.Sleep(10 * time.Millisecond) // a drip
		}
		dripping <- nil
	}()
	ended(t, first)
	if err := <-dripping; err == nil {
		t.Error("a drip of bytes kept the connection")
	}
	third := s.dial(t)
	s.mu.Lock()
	s.outcome = Refused
	s.mu.Unlock()
	if _, err := third.Write(message(16, 2)); err != nil {
		t.Fatal(err)
	}
	ended(t, third)
	if got := s.total(); got.outcome[Refused] != 2 || got.outcome[Undecodable] != 1 {
		t.Errorf("account %+v", got)
	}
	s.mu.Lock()
	log := s.log.String()
	s.mu.Unlock()
	for _, want := range []string{"too many connections", "cut in the middle", "the exporter is refused"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

// TestStreamClose: a whole message that was sent before is decoded, and an
// open connection does not hold the end up.
func TestStreamClose(t *testing.T) {
	s := listenStream(t, 4, time.Hour)
	conn := s.dial(t)
	if _, err := conn.Write(append(message(100, 1), message(100, 2)[:50]...)); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the message", func() bool { return s.total().received == 1 })
	began := time.Now()
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("closing took %v", took)
	}
	if got := s.total(); got.outcome[Decoded] != 1 || got.outcome[Undecodable] != 1 {
		t.Errorf("account %+v", got)
	}
}
