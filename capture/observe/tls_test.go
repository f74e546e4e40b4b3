package observe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"io"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// TestJA4 is the example of JA4's specification: a Chrome's hello.
func TestJA4(t *testing.T) {
	h := helloMessage{version: 0x303, hasName: true, versions: []uint16{0x5a5a, 0x304, 0x303}, alpn: []string{"h2", "http/1.1"},
		ciphers:    []uint16{0xdada, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x9c, 0x9d, 0x2f, 0x35},
		extensions: []uint16{0xaaaa, 0x1b, 0, 0x33, 0x10, 0x4469, 0x17, 0x2d, 0xd, 5, 0x23, 0x12, 0x2b, 0xff01, 0xb, 0xa, 0x15, 0xbaba},
		signatures: []uint16{0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601}}
	if got, want := h.ja4('t'), "t13d1516h2_8daaf6152771_e5627efa2ab1"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	// Without anything; and protocols that are no letters.
	if got, want := (&helloMessage{version: 0x303}).ja4('q'), "q12i000000_000000000000_000000000000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for first, want := range map[string]string{"h": "hh", "http/1.1": "h1", "\xab": "ab", "\x30\xab": "3b", "": "00"} {
		if got := (&helloMessage{alpn: []string{first}}).ja4ALPN(); got != want {
			t.Errorf("%q: %s, want %s", first, got, want)
		}
	}
}

// TestJA3 is the example of JA3's description.
func TestJA3(t *testing.T) {
	h := helloMessage{version: 769, ciphers: []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4},
		extensions: []uint16{0, 10, 11}, groups: []uint16{23, 24, 25}, formats: []byte{0}}
	if got, want := h.ja3(), "ada70206e40642a3e4461f35503241d5"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := (&helloMessage{version: 769, ciphers: []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}).ja3(), "de350869b8c85de67a350c8d186f11e6"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// overheard is a connection that notes what passes, in order.
type overheard struct {
	net.Conn
	side  bool // of the client
	mu    *sync.Mutex
	heard *[]spoken
}

type spoken struct {
	fromClient bool
	data       []byte
}

func (c overheard) Write(b []byte) (int, error) {
	c.mu.Lock()
	*c.heard = append(*c.heard, spoken{c.side, bytes.Clone(b)})
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// speak has a TLS client and server of the standard library talk.
func speak(t *testing.T, client, server *tls.Config) (heard []spoken, state tls.ConnectionState) {
	t.Helper()
	a, b := net.Pipe()
	var mu sync.Mutex
	c, s := tls.Client(overheard{a, true, &mu, &heard}, client), tls.Server(overheard{b, false, &mu, &heard}, server)
	done := make(chan error)
	go func() {
		_, err := io.WriteString(s, "hello")
		done <- err
	}()
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	return heard, c.ConnectionState()
}

// overhear has an Observer listen, to segments of a size, the second of each two first.
func overhear(t *testing.T, heard []spoken, size int) tables.TLS {
	t.Helper()
	r := &rows{}
	o := New(r)
	var packets []*Packet
	seq := map[bool]uint32{true: 0xfffffff0, false: 77}
	first := map[bool]bool{true: true, false: true}
	begin := map[bool]uint32{true: 0xfffffff0, false: 77}
	for _, s := range heard {
		for data := s.data; len(data) > 0; data = data[min(size, len(data)):] {
			p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:4433", seq[s.fromClient], data[:min(size, len(data))])
			if p.FromClient = s.fromClient; !p.FromClient {
				p.Header.Src, p.Header.Dst, p.Header.SrcPort, p.Header.DstPort = p.Header.Dst, p.Header.Src, p.Header.DstPort, p.Header.SrcPort
			}
			p.Client, p.Server, p.Begin, p.Begins = addr("10.0.0.5"), addr("192.0.2.1"), begin[s.fromClient], true
			seq[s.fromClient] += uint32(len(p.Payload))
			packets = append(packets, p)
		}
	}
	for i := 0; i+1 < len(packets); i += 2 {
		if packets[i].FromClient == packets[i+1].FromClient {
			packets[i], packets[i+1] = packets[i+1], packets[i]
		}
	}
	for _, p := range packets {
		p.First = first[p.FromClient]
		first[p.FromClient] = false
		if f := o.Observe(p); f.Over {
			break
		}
	}
	o.End(8)
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	if len(r.tls) != 1 || o.Stats().Panics > 0 || o.held != 0 {
		t.Fatalf("%d rows, %+v, %d bytes held", len(r.tls), o.Stats(), o.held)
	}
	return r.tls[0]
}

// What is read of handshakes is what the two ends know of them.
func TestTLSHandshakes(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	notBefore := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "srv.example.test", Organization: []string{"Example, Inc."}},
		DNSNames: []string{"srv.example.test", "*.example.test"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 7)},
		NotBefore: notBefore, NotAfter: notBefore.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	server := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"}}
	client := &tls.Config{InsecureSkipVerify: true, ServerName: "Srv.Example.test", NextProtos: []string{"h2", "http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(4)}

	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		for _, again := range []bool{false, true} {
			client, server := client.Clone(), server
			if !again {
				client.ClientSessionCache = tls.NewLRUClientSessionCache(4)
			}
			client.MinVersion, client.MaxVersion = version, version
			server.MinVersion = tls.VersionTLS10
			if again {
				speak(t, client, server)
			}
			heard, state := speak(t, client, server)
			for _, size := range []int{1 << 20, 100, 7} {
				r := overhear(t, heard, size)
				if r.Version != map[uint16]string{tls.VersionTLS10: "TLSv1", tls.VersionTLS11: "TLSv1.1", tls.VersionTLS12: "TLSv1.2", tls.VersionTLS13: "TLSv1.3"}[version] ||
					r.Cipher != tls.CipherSuiteName(state.CipherSuite) || r.ServerName != "srv.example.test" ||
					r.Resumed != tables.Some(state.DidResume) || len(r.JA3) != 32 || len(r.JA3S) != 32 || len(r.JA4) != 36 ||
					r.ClientPort != 40000 || r.ServerPort != 4433 || r.FlowID != 7 || r.TS != 1e6 {
					t.Errorf("in segments of %d, %s, resumed %v: %+v", size, tls.VersionName(version), state.DidResume, r)
				}
				alpn, cert := state.NegotiatedProtocol, hex.EncodeToString(sum[:])
				if version == tls.VersionTLS13 {
					alpn = "h2,http/1.1"
				}
				if version == tls.VersionTLS13 || state.DidResume {
					cert = ""
				}
				if r.ALPN != alpn || r.CertSHA256 != cert {
					t.Errorf("ALPN %q, certificate %q; want %q, %q", r.ALPN, r.CertSHA256, alpn, cert)
				}
				if cert != "" && (r.Subject != `CN=srv.example.test,O=Example\, Inc.` || r.Issuer != r.Subject || r.SAN != "srv.example.test,*.example.test,10.0.0.7" ||
					r.SelfSigned != tables.Some(true) || r.NotBefore != tables.Some(tables.Time(notBefore.UnixMicro()))) {
					t.Errorf("%+v", r)
				}
			}
		}
	}
}

// The state of streams is bounded: half-open ones, those that never go on, and what
// comes before something that never does.
func TestStreamsAreBounded(t *testing.T) {
	o := New(discard{})
	head := hello("www.example.test", 9000, 16000)
	for i := range 3 * maxStreams {
		p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:443", 1, head[:1400])
		p.ConnID = tables.ID(i + 1)
		o.Observe(p)
		p.Header.TCPSeq, p.Payload = 10000, head[5000:9000]
		o.Observe(p)
	}
	if o.streams.len > maxStreams || o.held > maxHeld {
		t.Errorf("%d streams hold %d bytes", o.streams.len, o.held)
	}
	if o.Stats().Evicted == 0 {
		t.Error("nothing was counted")
	}
	// One that is told of much ahead of a byte that is missing gives that byte up.
	p := packet(1, tables.ProtocolTCP, "10.0.0.5:40001", "192.0.2.1:443", 1, head[:1400])
	p.ConnID = 1 << 40
	o.Observe(p)
	for i := range 2 * aheadSegments {
		p.Header.TCPSeq = 1402 + uint32(i)*100
		o.Observe(p)
	}
	if o.Stats().Gaps == 0 {
		t.Error("the gap was not counted")
	}
	if err := o.Flush(); err != nil || o.held != 0 || o.streams.len != 0 {
		t.Errorf("%v, %d bytes held", err, o.held)
	}
}
