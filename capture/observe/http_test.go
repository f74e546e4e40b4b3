package observe

import (
	"bufio"
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// said is what one end sends.
type said struct {
	fromClient bool
	text       string
	lost       int // bytes that follow and are not captured
}

// converse hands a conversation over in segments of a size.
func converse(t *testing.T, parts []said, size int) []tables.HTTP {
	t.Helper()
	return listen(t, 8001, parts, size).http
}

// listen is converse with a server's port, and gives all rows.
func listen(t *testing.T, port int, parts []said, size int) *rows {
	t.Helper()
	return listenAgain(t, port, parts, size, -1)
}

// listenAgain is listen by an Observer that ends before a part, and another that goes on from
// its State.
func listenAgain(t *testing.T, port int, parts []said, size, end int) *rows {
	t.Helper()
	r := &rows{}
	o := New(r)
	seq := map[bool]uint32{true: 1, false: 1}
	first := map[bool]bool{true: true, false: true}
	at := 0.0
	for i, part := range parts {
		if i == end {
			var b bytes.Buffer
			state, kept := o.State(), State{}
			if err := errors.Join(gob.NewEncoder(&b).Encode(&state), gob.NewDecoder(&b).Decode(&kept)); err != nil {
				t.Fatal(err)
			}
			o = New(r)
			o.Resume(&kept)
		}
		for text := part.text; text != ""; text = text[min(size, len(text)):] {
			at++
			p := packet(at, tables.ProtocolTCP, "10.0.0.5:40000", fmt.Sprint("192.0.2.1:", port), seq[part.fromClient], []byte(text[:min(size, len(text))]))
			p.Client, p.Server = addr("10.0.0.5"), addr("192.0.2.1")
			if !part.fromClient {
				h := p.Header
				h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
			}
			p.FromClient, p.First, p.Begin, p.Begins = part.fromClient, first[part.fromClient], 1, true
			first[part.fromClient] = false
			seq[part.fromClient] += uint32(len(p.Payload))
			o.Observe(p)
		}
		seq[part.fromClient] += uint32(part.lost)
	}
	o.End(8)
	if err := o.Flush(); err != nil || o.Stats().Panics > 0 || o.held != 0 {
		t.Fatalf("%v, %+v, %d bytes held", err, o.Stats(), o.held)
	}
	return r
}

func httpText(list []tables.HTTP) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s %s %v %v %v %s|%s|%s|%s|%s\n", r.Method, r.Host, r.URI, r.Status.V, r.RequestLength.V, r.ResponseLength.V, r.UserAgent, r.ContentType, r.FileName, r.Username, r.Version)
	}
	return b.String()
}

func TestHTTP(t *testing.T) {
	for name, c := range map[string]struct {
		parts []said
		want  string
	}{
		"pipelined, one kept waiting": {[]said{
			{true, "GET /a HTTP/1.1\r\nHost: H.test:8001\r\n\r\nHEAD /b HTTP/1.1\r\nHost: h.test\r\n\r\nPOST /c HTTP/1.1\r\nHost: h.test\r\nContent-Length: 5\r\n\r\nabcde", 0},
			{false, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/plain\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\na\r\n0123456789\r\n0\r\nA: b\r\n\r\n", 0}},
			"GET h.test /a 200 0 3 |text/plain|||1.1\nHEAD h.test /b 200 0 0 ||||1.1\nPOST h.test /c 404 5 13 ||||1.1\n"},
		"to the end of the connection": {[]said{
			{true, "GET /x HTTP/1.0\r\nUser-Agent: curl/8\r\nAuthorization: Basic Z2F2aW46c2VjcmV0\r\n\r\n", 0},
			{false, "HTTP/1.0 200 OK\r\nContent-Disposition: attachment; filename=\"a b.exe\"\r\n\r\nMZ...", 0}},
			"GET  /x 200 0 5 curl/8||a b.exe|gavin|1.0\n"},
		"bytes of a body lost": {[]said{
			{true, "GET /x HTTP/1.1\r\n\r\nGET /y HTTP/1.1\r\n\r\n", 0},
			{false, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("a", 100), 900},
			{false, "HTTP/1.1 304 Not\r\n\r\n", 0}},
			"GET  /x 200 0 1000 ||||1.1\nGET  /y 304 0 0 ||||1.1\n"},
		"no answer":              {[]said{{true, "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n", 0}}, "GET a.test /x 0 0 0 ||||1.1\n"},
		"no request":             {[]said{{false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0}}, "   200 0 0 ||||1.1\n"},
		"something else":         {[]said{{true, "GET key\r\n", 0}, {false, "$3\r\nabc\r\n", 0}}, ""},
		"rtsp":                   {[]said{{true, "OPTIONS rtsp://a/ RTSP/1.0\r\n\r\n", 0}}, ""},
		"bytes that are no text": {[]said{{true, "GET /\xff\xfe HTTP/1.1\r\nUser-Agent: \xe9\r\n\r\n", 0}}, "GET  /ÿþ 0 0 0 é||||1.1\n"},
	} {
		for _, size := range []int{1 << 20, 10, 1} {
			if strings.Contains(name, "lost") && size == 1 {
				size = 50 // what waits for a gap is bounded
			}
			if got := httpText(converse(t, c.parts, size)); got != c.want {
				t.Errorf("%s, in segments of %d:\n%swant\n%s", name, size, got, c.want)
			}
		}
	}
}

// After CONNECT a proxy's client may speak TLS.
func TestTunnelOfAProxy(t *testing.T) {
	r := &rows{}
	o := New(r)
	for i, s := range []said{
		{true, "CONNECT Www.Example.test:443 HTTP/1.1\r\nHost: www.example.test:443\r\n\r\n", 0},
		{false, "HTTP/1.1 200 Connection established\r\n\r\n", 0},
		{true, string(clientHelloRecord("www.example.test")), 0},
	} {
		p := packet(float64(i), tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:3128", uint32(1+1000*i), []byte(s.text))
		p.FromClient, p.First = s.fromClient, i < 2
		if f := o.Observe(p); f.Over {
			t.Errorf("over after %q", s.text)
		}
	}
	o.End(8)
	if len(r.http) != 1 || r.http[0].Host != "www.example.test" || len(r.tls) != 1 || r.tls[0].ServerName != "www.example.test" {
		t.Errorf("%+v %+v", r.http, r.tls)
	}
}

// What is read of requests is what a server of the standard library answered.
func TestHTTPServer(t *testing.T) {
	var want []string
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, _, _ := r.BasicAuth()
		answer := strings.Repeat("x", len(r.URL.Path)*1000)
		if len(answer) > 8000 {
			w.(http.Flusher).Flush() // in chunks
		}
		n, _ := io.WriteString(w, answer)
		if r.Method == "HEAD" {
			n = 0
		}
		want = append(want, fmt.Sprint(r.Method, " ", r.Host, " ", r.RequestURI, " ", len(body), " ", n, " ", r.UserAgent(), " ", user))
	})
	var heard []spoken
	var mu sync.Mutex
	server := httptest.NewUnstartedServer(handler)
	server.Start()
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var answers strings.Builder
	in := bufio.NewReader(io.TeeReader(conn, &answers))
	out := overheard{conn, true, &mu, &heard}
	for i, path := range []string{"/a", "/long/path/of/more", "/b?c=d", "/head", "/post/chunks"} {
		req, _ := http.NewRequest([]string{"GET", "POST", "PUT", "HEAD", "POST"}[i], "http://a.example.test"+path, strings.NewReader(strings.Repeat("y", i*700)))
		req.Header.Set("User-Agent", fmt.Sprint("agent/", i))
		if req.SetBasicAuth(fmt.Sprint("user", i), "secret"); i == 4 {
			req.ContentLength = -1
		}
		if err := req.Write(out); err != nil {
			t.Fatal(err)
		}
		answers.Reset()
		resp, err := http.ReadResponse(in, req)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		heard = append(heard, spoken{false, []byte(answers.String())})
	}
	var parts []said
	for _, h := range heard {
		parts = append(parts, said{h.fromClient, string(h.data), 0})
	}
	for _, size := range []int{1 << 20, 1400, 3} {
		var got []string
		for _, r := range converse(t, parts, size) {
			if r.Status != tables.Some(int32(200)) {
				t.Errorf("%+v", r)
			}
			got = append(got, fmt.Sprint(r.Method, " ", r.Host, " ", r.URI, " ", r.RequestLength.V, " ", r.ResponseLength.V, " ", r.UserAgent, " ", r.Username))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("in segments of %d\n%s\nwant\n%s", size, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
