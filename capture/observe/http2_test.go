package observe

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/wiresql/wiresql/tables"
)

// oneListener accepts a connection, and no other until it is over.
type oneListener struct {
	conn net.Conn
	over chan struct{}
}

func (l *oneListener) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.over
	return nil, net.ErrClosed
}

func (l *oneListener) Close() error   { return nil }
func (l *oneListener) Addr() net.Addr { return &net.TCPAddr{} }

// http2Speak has a client and a server of the standard library talk HTTP/2 in clear, several streams at a time,
// and returns what passed and what of it is to be seen.
func http2Speak(t *testing.T, seed uint64, requests int) (heard []spoken, want []string) {
	t.Helper()
	a, b := net.Pipe()
	var mu sync.Mutex
	client, server := overheard{a, true, &mu, &heard}, overheard{b, false, &mu, &heard}
	var clear http.Protocols
	clear.SetUnencryptedHTTP2(true)
	over := make(chan struct{})
	var served sync.WaitGroup
	served.Go(func() {
		_ = (&http.Server{Protocols: &clear, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			size := len(r.URL.Path) * 700
			w.Header().Set("Content-Type", "Text/Plain")
			w.Header().Set("X-Of", r.URL.Path)
			w.Header().Set("Trailer", "X-Sum")
			if r.URL.Path == "/pages/3" {
				w.Header().Set("Content-Disposition", `attachment; filename="three.txt"`)
			}
			w.WriteHeader(200 + len(r.URL.Path)%7)
			fmt.Fprint(w, strings.Repeat("x", size))
			w.Header().Set("X-Sum", fmt.Sprint(n))
		})}).Serve(&oneListener{conn: server, over: over})
	})
	transport := &http.Transport{Protocols: &clear, DialContext: func(context.Context, string, string) (net.Conn, error) { return client, nil }}
	conn, err := transport.NewClientConn(t.Context(), "http", "server.example:81")
	if err != nil {
		t.Fatal(err)
	}
	var asked sync.WaitGroup
	random := rand.New(rand.NewPCG(seed, 2))
	for i := range requests {
		body, user := random.IntN(40000), fmt.Sprint("user", i%3)
		asked.Go(func() {
			path := fmt.Sprint("/pages/", i)
			r, _ := http.NewRequestWithContext(context.Background(), "POST", fmt.Sprintf("http://Host%d.example:81%s?q=%d", i%4, path, i), strings.NewReader(strings.Repeat("y", body)))
			r.Header.Set("User-Agent", fmt.Sprint("agent ", i%5))
			r.Header.Set("Referer", "http://other.example"+path)
			r.SetBasicAuth(user, "secret")
			res, err := conn.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			if n, _ := io.Copy(io.Discard, res.Body); int(n) != len(path)*700 {
				t.Errorf("%d bytes of %s", n, path)
			}
			name := ""
			if i == 3 {
				name = "three.txt"
			}
			mu.Lock()
			want = append(want, fmt.Sprintf("POST host%d.example %s?q=%d %d agent %d http://other.example%s text/plain %d %d %s %s 2", i%4, path, i, 200+len(path)%7, i%5, path, body, len(path)*700, name, user))
			mu.Unlock()
		})
	}
	asked.Wait()
	a.Close()
	b.Close()
	close(over)
	served.Wait()
	slices.Sort(want)
	return heard, want
}

func http2Rows(r *rows) (list []string) {
	for _, h := range r.http {
		list = append(list, fmt.Sprintf("%s %s %s %d %s %s %s %d %d %s %s %s", h.Method, h.Host, h.URI, h.Status.V, h.UserAgent, h.Referer, h.ContentType, h.RequestLength.V, h.ResponseLength.V, h.FileName, h.Username, h.Version))
	}
	slices.Sort(list)
	return list
}

// http2Listen hands what was heard to an observer in segments of a size, leaving out those that lose says, and has
// another one go on after each tenth.
func http2Listen(t *testing.T, heard []spoken, size int, lose func(fromClient bool, at, n int) bool) (*rows, *Observer) {
	t.Helper()
	r := &rows{}
	o := New(r)
	seq := map[bool]uint32{true: 1, false: 1}
	count := 0
	for _, s := range heard {
		for data := s.data; len(data) > 0; data = data[min(size, len(data)):] {
			b := data[:min(size, len(data))]
			p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:80", seq[s.fromClient], b)
			if p.FromClient = s.fromClient; !p.FromClient {
				p.Header.Src, p.Header.Dst, p.Header.SrcPort, p.Header.DstPort = p.Header.Dst, p.Header.Src, p.Header.DstPort, p.Header.SrcPort
			}
			p.First, p.Begin, p.Begins = seq[s.fromClient] == 1, 1, true
			at := int(seq[s.fromClient])
			if seq[s.fromClient] += uint32(len(b)); lose != nil && lose(s.fromClient, at, len(b)) {
				continue
			}
			o.Observe(p)
			if count++; count%10 == 0 {
				var kept bytes.Buffer
				state, again := o.State(), State{}
				if err := cmp.Or(gob.NewEncoder(&kept).Encode(&state), gob.NewDecoder(&kept).Decode(&again)); err != nil {
					t.Fatal(err)
				}
				stats := o.stats
				o = New(r)
				o.Resume(&again)
				o.stats = stats
			}
		}
	}
	o.End(8)
	if o.Stats().Panics != 0 || o.held != 0 {
		t.Errorf("%+v, %d bytes held", o.Stats(), o.held)
	}
	return r, o
}

// TestHTTP2: what the standard library's implementation says is what is seen, however it is cut.
func TestHTTP2(t *testing.T) {
	for seed, size := range []int{1 << 20, 1448, 333, 17} {
		heard, want := http2Speak(t, uint64(seed), 40)
		r, o := http2Listen(t, heard, size, nil)
		got := http2Rows(r)
		if !slices.Equal(got, want) || o.Stats().Malformed+o.Stats().Gaps != 0 {
			t.Errorf("segments of %d bytes: %d rows\n%s\nwant %d\n%s\n%+v", size, len(got), strings.Join(got, "\n"), len(want), strings.Join(want, "\n"), o.Stats())
		}
		users := map[string]bool{}
		for _, l := range r.logins {
			users[fmt.Sprint(l.Protocol, l.Username, l.Outcome, l.Cleartext.V)] = true
		}
		if len(users) != 3 || !users["http_basicuser0successtrue"] {
			t.Errorf("logins %v", users)
		}
	}
}

// TestHTTP2Gaps: of what follows a gap rows have what is true, or nothing.
func TestHTTP2Gaps(t *testing.T) {
	whole, some := 0, 0
	for seed := range uint64(6) {
		heard, want := http2Speak(t, seed, 40)
		random := rand.New(rand.NewPCG(seed, 3))
		r, o := http2Listen(t, heard, 1000, func(fromClient bool, at, n int) bool { return at > 5000 && random.IntN(200) == 0 })
		if o.Stats().Gaps == 0 {
			t.Fatal("nothing was lost")
		}
		for _, row := range http2Rows(r) {
			if slices.Contains(want, row) {
				whole++
			}
		}
		for _, h := range r.http {
			some++
			var page, query int
			if _, err := fmt.Sscanf(h.URI, "/pages/%d?q=%d", &page, &query); err == nil && page != query || err != nil && h.URI != "" {
				t.Errorf("%+v", h)
			}
			path := fmt.Sprint("/pages/", page)
			if h.URI != "" && (h.Host != "" && h.Host != fmt.Sprintf("host%d.example", page%4) || h.UserAgent != "" && h.UserAgent != fmt.Sprint("agent ", page%5) ||
				h.Referer != "" && h.Referer != "http://other.example"+path || h.Status.Set && int(h.Status.V) != 200+len(path)%7) {
				t.Errorf("%+v", h)
			}
			if h.Status.Set && (h.Status.V < 200 || h.Status.V > 206) || h.Method != "" && h.Method != "POST" {
				t.Errorf("%+v", h)
			}
		}
	}
	if t.Logf("%d rows, %d of them whole", some, whole); whole < 60 || some == whole {
		t.Errorf("%d of %d rows are whole", whole, some)
	}
}

// http2Frame is a frame of HTTP/2.
func http2Frame(kind, flags byte, stream uint32, payload []byte) []byte {
	b := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// http2Talk hands frames to a new observer: a client's, then a server's.
func http2Talk(client, server []byte) (*rows, *Observer) {
	r := &rows{}
	o := New(r)
	for side, b := range [][]byte{append([]byte(http2Preface), client...), server} {
		for at := 0; at < len(b); at += 1400 {
			p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:80", uint32(1+at), b[at:min(at+1400, len(b))])
			if p.FromClient = side == 0; side == 1 {
				p.Header.Src, p.Header.Dst, p.Header.SrcPort, p.Header.DstPort = p.Header.Dst, p.Header.Src, p.Header.DstPort, p.Header.SrcPort
			}
			p.First, p.Begin, p.Begins = at == 0, 1, true
			o.Observe(p)
		}
	}
	return r, o
}

func http2Block(fields ...string) []byte {
	var b bytes.Buffer
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return b.Bytes()
}

// TestHTTP2Frames: padding, weights, heads in several frames, promises, resets, trailers and answers before the answer.
func TestHTTP2Frames(t *testing.T) {
	get := func(path string) []byte {
		return http2Block(":method", "get", ":path", path, ":authority", "User@a.example:8080")
	}
	answer := http2Block(":status", "200")
	var client, server []byte
	c := func(b ...[]byte) { client = slices.Concat(append([][]byte{client}, b...)...) }
	s := func(b ...[]byte) { server = slices.Concat(append([][]byte{server}, b...)...) }
	c(http2Frame(http2Settings, 0, 0, make([]byte, 12)), http2Frame(http2Headers, http2EndStream|http2EndHeaders|http2Padded|http2HasWeight, 1, slices.Concat([]byte{3, 0, 0, 0, 0, 16}, get("/one"), make([]byte, 3))))
	block := get("/three")
	c(http2Frame(http2Headers, 0, 3, block[:3]), http2Frame(http2Continuation, 0, 3, nil), http2Frame(http2Continuation, http2EndHeaders, 3, block[3:]))
	c(http2Frame(http2Data, http2Padded, 3, append([]byte{4}, make([]byte, 10)...)), http2Frame(http2Data, http2Padded|http2EndStream, 3, []byte{0}))
	c(http2Frame(http2Headers, http2EndHeaders|http2EndStream, 5, get("/five")), http2Frame(http2Reset, 0, 5, []byte{0, 0, 0, 8}))
	c(http2Frame(http2Headers, http2EndHeaders|http2EndStream, 7, get("/seven")), http2Frame(0x42, 0xff, 9, []byte("of an extension")))
	s(http2Frame(http2Settings, 0, 0, nil), http2Frame(http2Promise, http2EndHeaders, 1, slices.Concat([]byte{0, 0, 0, 2}, get("/promised"))))
	s(http2Frame(http2Headers, http2EndHeaders, 1, http2Block(":status", "103")), http2Frame(http2Headers, http2EndHeaders, 1, answer))
	s(http2Frame(http2Data, 0, 1, []byte("hello")), http2Frame(http2Headers, http2EndHeaders|http2EndStream, 1, http2Block("x-sum", "1", ":status", "500")))
	s(http2Frame(http2Headers, http2EndHeaders|http2EndStream, 2, http2Block(":status", "304")))
	s(http2Frame(http2Headers, http2EndHeaders|http2EndStream, 5, http2Block(":status", "204")), http2Frame(http2Headers, http2EndHeaders|http2EndStream, 3, http2Block(":status", "404")))
	r, o := http2Talk(client, server)
	o.End(8)
	const want = `GET a.example /five {0 false} {0 true} {0 false}
GET a.example /one {200 true} {0 true} {5 true}
GET a.example /promised {304 true} {0 true} {0 true}
GET a.example /seven {0 false} {0 true} {0 false}
GET a.example /three {404 true} {6 true} {0 true}`
	var got []string
	for _, h := range r.http {
		got = append(got, fmt.Sprint(h.Method, " ", strings.TrimPrefix(h.Host, "user@"), " ", h.URI, " ", h.Status, " ", h.RequestLength, " ", h.ResponseLength))
	}
	slices.Sort(got)
	if text := strings.Join(got, "\n"); text != want || o.Stats().Malformed+o.Stats().Panics != 0 {
		t.Errorf("%s\n%+v", text, o.Stats())
	}
}

// TestHTTP2IsBounded: heads without an end, tables without one, and streams that nobody answers.
func TestHTTP2IsBounded(t *testing.T) {
	var client []byte
	client = append(client, http2Frame(http2Headers, 0, 1, nil)...)
	for range 2000 {
		client = append(client, http2Frame(http2Continuation, 0, 1, make([]byte, 1000))...)
	}
	_, o := http2Talk(client, nil)
	if o.held > 200<<10 {
		t.Error("a flood of continuations holds ", o.held)
	}
	// A block whose every byte is a field of 4000 bytes.
	client = http2Frame(http2Headers, http2EndHeaders, 1, append(http2Block("x-"+strings.Repeat("a", 10), strings.Repeat("b", 3900)), bytes.Repeat([]byte{0x80 | 62}, 60000)...))
	r, o := http2Talk(client, nil)
	o.End(8)
	if len(r.http) != 1 || o.Stats().Malformed != 0 {
		t.Errorf("%+v, %+v", r.http, o.Stats())
	}
	// Tables that are said to be huge, and filled.
	client = nil
	fields := []byte{0x3f, 0xff, 0xff, 0xff, 0x7f}
	for i := range uint32(3000) {
		client = append(client, http2Frame(http2Headers, http2EndHeaders|http2EndStream, 2*i+1, slices.Concat(fields, []byte{0x40, 4}, fmt.Appendf(nil, "n%03d", i%1000), []byte{0x7f, 0xd9, 6}, make([]byte, 984)))...)
		fields = nil
	}
	r, o = http2Talk(client, nil)
	if o.held > 64<<10+maxHTTP2Streams*2048+maxRest || o.Stats().Malformed != 0 {
		t.Errorf("holds %d, %+v", o.held, o.Stats())
	}
	if o.End(8); len(r.http) != 3000 || o.Stats().Evicted != 3000-maxHTTP2Streams {
		t.Errorf("%d rows, %+v", len(r.http), o.Stats())
	}
	// A frame that is too long is passed over.
	client = slices.Concat(http2Frame(http2Headers, http2EndHeaders, 1, make([]byte, 100<<10)), http2Frame(http2Headers, http2EndHeaders|http2EndStream, 3, http2Block(":method", "GET", ":path", "/")))
	r, o = http2Talk(client, nil)
	if o.End(8); len(r.http) != 1 || r.http[0].URI != "/" || o.Stats().Malformed != 1 {
		t.Errorf("%+v, %+v", r.http, o.Stats())
	}
}

// TestHPACK: blocks are what the library's decoder makes of them, whatever sizes a table has.
func TestHPACK(t *testing.T) {
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 4))
		var b bytes.Buffer
		e := hpack.NewEncoder(&b)
		var table headerTable
		d := hpack.NewDecoder(defaultTable, nil)
		d.SetAllowedMaxDynamicTableSize(maxTable)
		e.SetMaxDynamicTableSizeLimit(maxTable)
		for range 100 {
			b.Reset()
			if random.IntN(10) == 0 {
				e.SetMaxDynamicTableSize(uint32(random.IntN(9000)))
			}
			for range random.IntN(20) {
				_ = e.WriteField(hpack.HeaderField{Name: fmt.Sprint("name", random.IntN(20)), Value: strings.Repeat("é/v", random.IntN(60)), Sensitive: random.IntN(5) == 0})
			}
			list, err := d.DecodeFull(b.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			var want, got []string
			for _, f := range list {
				want = append(want, f.Name+": "+f.Value)
			}
			if !table.block(b.Bytes(), func(f *headerField) { got = append(got, f.Name+": "+f.Value) }) || !slices.Equal(got, want) {
				t.Fatalf("seed %d: %q, want %q", seed, got, want)
			}
		}
	}
}

func FuzzHTTP2(f *testing.F) {
	f.Add(slices.Concat(http2Frame(http2Settings, 0, 0, nil), http2Frame(http2Headers, 5, 1, http2Block(":method", "GET", ":path", "/"))), http2Frame(http2Headers, 5, 1, http2Block(":status", "200")), uint16(11))
	f.Add(http2Frame(http2Headers, 0x2d, 1, append([]byte{1, 0, 0, 0, 0, 1}, http2Block(":method", "CONNECT", ":authority", "a")...)), http2Frame(http2Promise, 4, 1, []byte{0, 0, 0, 2, 0x82}), uint16(30))
	f.Add(http2Frame(http2Data, 9, 1, []byte{2, 1, 1, 1}), http2Frame(http2Continuation, 4, 1, []byte{0x3f, 0xe1, 0x1f, 0x40, 1, 'a', 1, 'b'}), uint16(2))
	put, heads := largeField(":method", strings.Repeat("é", 30000))
	f.Add(append(put[len(http2Preface):], heads...), http2Frame(http2Headers, 5, 3, http2Block(":status", "200")), uint16(9000))
	f.Fuzz(func(t *testing.T, client, server []byte, split uint16) {
		r, o := http2Talk(client, server)
		o.End(8)
		if o.Stats().Panics != 0 || o.held != 0 {
			t.Fatalf("%+v, %d bytes held", o.Stats(), o.held)
		}
		// The same in two segments each.
		again := &rows{}
		o = New(again)
		for side, b := range [][]byte{append([]byte(http2Preface), client...), server} {
			at := min(int(split), len(b))
			for _, part := range [][2]int{{0, at}, {at, len(b)}} {
				p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:80", uint32(1+part[0]), b[part[0]:part[1]])
				if p.FromClient = side == 0; side == 1 {
					p.Header.Src, p.Header.Dst, p.Header.SrcPort, p.Header.DstPort = p.Header.Dst, p.Header.Src, p.Header.DstPort, p.Header.SrcPort
				}
				if p.First, p.Begin, p.Begins = part[0] == 0, 1, true; len(p.Payload) > 0 {
					o.Observe(p)
				}
			}
		}
		if o.End(8); len(client)+len(http2Preface) <= 1400 && len(server) <= 1400 && fmt.Sprint(http2Rows(again)) != fmt.Sprint(http2Rows(r)) {
			t.Fatalf("in two %q, whole %q", http2Rows(again), http2Rows(r))
		}
	})
}
