package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	cryptorand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"math/big"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/sqlserver/output"
)

// traffic is made by conversations, and written as a capture of raw IP whose
// records hold headers and the first bytes of payload.
type traffic struct {
	packets []trafficPacket
	rnd     *rand.Rand
	port    uint16
	// began is when each address inside sent something first.
	began map[string]time.Time
}

type trafficPacket struct {
	at     time.Time
	data   []byte
	length int
}

func newTraffic() *traffic {
	return &traffic{rnd: rand.New(rand.NewPCG(1, 2)), port: 20000, began: map[string]time.Time{}}
}

// ip adds a packet: payload is captured, more is only counted.
func (t *traffic) ip(at time.Time, src, dst string, protocol byte, header, payload []byte, more int) {
	length := 20 + len(header) + len(payload) + more
	b := make([]byte, 20, length-more)
	b[0], b[8], b[9] = 0x45, 64, protocol
	binary.BigEndian.PutUint16(b[2:], uint16(length))
	s, d := netip.MustParseAddr(src).As4(), netip.MustParseAddr(dst).As4()
	copy(b[12:], s[:])
	copy(b[16:], d[:])
	sum := uint32(0)
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	binary.BigEndian.PutUint16(b[10:], ^uint16(sum+sum>>16))
	t.packets = append(t.packets, trafficPacket{at, append(append(b, header...), payload...), length})
	if strings.HasPrefix(src, "10.") {
		if first, ok := t.began[src]; !ok || at.Before(first) {
			t.began[src] = at
		}
	}
}

const (
	fin = 1
	syn = 2
	rst = 4
	ack = 16
)

// tcp is a conversation of a client that sends first and so many bytes, and a
// server that answers; state is how it ends, in Zeek's words: SF, S0 or REJ.
func (t *traffic) tcp(at time.Time, client, server string, port uint16, state string, first []byte, up, down int) {
	var said []part
	for i, n := range []int{up, down} {
		var payload []byte
		if i == 0 {
			payload = first
		}
		if n -= len(payload); n > 0 && n < 2000 { // short ones are whole
			payload, n = append(slices.Clone(payload), make([]byte, n)...), 0
		}
		for ; n > 0 || len(payload) > 0; n -= 60000 {
			said = append(said, part{i, payload, max(0, min(n, 60000))})
			payload = nil
		}
	}
	t.talk(at, client, server, port, state, said)
}

// part is what one end says: 0 the client, 1 the server; more bytes are only
// counted.
type part struct {
	end     int
	payload []byte
	more    int
}

func (t *traffic) talk(at time.Time, client, server string, port uint16, state string, said []part) {
	t.port = t.port%40000 + 20000
	t.port++
	me := t.port
	seq := [2]uint32{1000, 2000}
	send := func(dir int, flags byte, payload []byte, more int) {
		src, dst, sp, dp := client, server, me, port
		if dir == 1 {
			src, dst, sp, dp = server, client, port, me
		}
		h := make([]byte, 20)
		binary.BigEndian.PutUint16(h, sp)
		binary.BigEndian.PutUint16(h[2:], dp)
		binary.BigEndian.PutUint32(h[4:], seq[dir])
		if flags&ack != 0 {
			binary.BigEndian.PutUint32(h[8:], seq[1-dir])
		}
		h[12], h[13] = 5<<4, flags
		t.ip(at, src, dst, 6, h, payload, more)
		seq[dir] += uint32(len(payload) + more)
		if flags&(syn|fin) != 0 {
			seq[dir]++
		}
		at = at.Add(time.Millisecond)
	}
	send(0, syn, nil, 0)
	switch state {
	case "S0":
		return
	case "REJ":
		send(1, rst|ack, nil, 0)
		return
	}
	send(1, syn|ack, nil, 0)
	send(0, ack, nil, 0)
	for _, p := range said {
		for len(p.payload) > 1400 {
			send(p.end, ack, p.payload[:1400], 0)
			p.payload = p.payload[1400:]
		}
		send(p.end, ack, p.payload, p.more)
	}
	send(0, fin|ack, nil, 0)
	send(1, fin|ack, nil, 0)
	send(0, ack, nil, 0)
}

func (t *traffic) udp(at time.Time, src, dst string, sp, dp uint16, payload []byte, more int) {
	h := make([]byte, 8)
	binary.BigEndian.PutUint16(h, sp)
	binary.BigEndian.PutUint16(h[2:], dp)
	binary.BigEndian.PutUint16(h[4:], uint16(8+len(payload)+more))
	t.ip(at, src, dst, 17, h, payload, more)
}

const resolver = "10.1.0.1"

// dns is a look-up of the network's resolver, with its answer.
func (t *traffic) dns(at time.Time, client, name string, qtype uint16, rcode byte, answer string) {
	t.port = t.port%40000 + 20000
	t.port++
	id := uint16(t.rnd.Uint32())
	q := []byte{byte(id >> 8), byte(id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for label := range strings.SplitSeq(name, ".") {
		q = append(append(q, byte(len(label))), label...)
	}
	q = append(q, 0, byte(qtype>>8), byte(qtype), 0, 1)
	a := slices.Clone(q)
	a[2], a[3] = 0x81, 0x80|rcode
	if answer != "" {
		a[7] = 1
		ip := netip.MustParseAddr(answer).As4()
		a = append(append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 0, 0, 4), ip[:]...)
	}
	t.udp(at, client, resolver, t.port, 53, q, 0)
	t.udp(at.Add(time.Millisecond), resolver, client, 53, t.port, a, 0)
}

// hello is a TLS ClientHello (RFC 8446 section 4.1.2) that says a name, or none.
func hello(name string) []byte {
	var extensions []byte
	if name != "" {
		n := len(name)
		extensions = append([]byte{0, 0, byte((n + 5) >> 8), byte(n + 5), byte((n + 3) >> 8), byte(n + 3), 0, byte(n >> 8), byte(n)}, name...)
	}
	extensions = append(extensions, 0, 23, 0, 0)
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 1, 1, 0, byte(len(extensions)>>8), byte(len(extensions)))
	body = append(body, extensions...)
	handshake := append([]byte{1, 0, byte(len(body) >> 8), byte(len(body))}, body...)
	return append([]byte{22, 3, 1, byte(len(handshake) >> 8), byte(len(handshake))}, handshake...)
}

// handshake is one of TLS 1.2, as Go's client and server speak it, with a
// certificate valid until some time; one that is signed is by another issuer.
func handshake(tt *testing.T, until time.Time, signed bool) (said []part) {
	tt.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), cryptorand.Reader)
	if err != nil {
		tt.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server"}, NotBefore: monday.AddDate(-9, 0, 0), NotAfter: until}
	issuer := leaf
	if signed {
		issuer = &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "issuer"}}
	}
	der, err := x509.CreateCertificate(cryptorand.Reader, leaf, issuer, &key.PublicKey, key)
	if err != nil {
		tt.Fatal(err)
	}
	a, b := net.Pipe()
	var mu sync.Mutex
	end := func(c net.Conn, which int) net.Conn {
		return overheard{c, func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			said = append(said, part{which, slices.Clone(b), 0})
		}}
	}
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(end(b, 1), &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MaxVersion: tls.VersionTLS12}).Handshake()
	}()
	if err := tls.Client(end(a, 0), &tls.Config{InsecureSkipVerify: true, ServerName: "own.example.dev", MaxVersion: tls.VersionTLS12}).Handshake(); err != nil {
		tt.Fatal(err)
	}
	if err := <-done; err != nil {
		tt.Fatal(err)
	}
	return said
}

// overheard tells what is written to a connection.
type overheard struct {
	net.Conn
	hear func([]byte)
}

func (o overheard) Write(b []byte) (int, error) {
	o.hear(b)
	return o.Conn.Write(b)
}

// https is a connection to a name that the client has looked up.
func (t *traffic) https(at time.Time, client, server, name string, up, down int) {
	t.dns(at.Add(-10*time.Millisecond), client, name, 1, 0, server)
	t.tcp(at, client, server, 443, "SF", hello(name), up, down)
}

func (t *traffic) echo(at time.Time, client, server string, size int) {
	for _, one := range []struct {
		src, dst string
		kind     byte
	}{{client, server, 8}, {server, client, 0}} {
		t.ip(at, one.src, one.dst, 1, []byte{one.kind, 0, 0, 0, 0, 1, 0, 1}, nil, size)
	}
}

func (t *traffic) write(tt *testing.T) string {
	tt.Helper()
	slices.SortStableFunc(t.packets, func(a, b trafficPacket) int { return a.at.Compare(b.at) })
	out := bytes.NewBuffer(nil)
	le := binary.LittleEndian
	head := make([]byte, 24)
	le.PutUint32(head, 0xa1b2c3d4)
	le.PutUint16(head[4:], 2)
	le.PutUint16(head[6:], 4)
	le.PutUint32(head[16:], 65535)
	le.PutUint32(head[20:], 101) // raw IP
	out.Write(head)
	for _, p := range t.packets {
		h := make([]byte, 16)
		le.PutUint32(h, uint32(p.at.Unix()))
		le.PutUint32(h[4:], uint32(p.at.Nanosecond()/1000))
		le.PutUint32(h[8:], uint32(len(p.data)))
		le.PutUint32(h[12:], uint32(p.length))
		out.Write(h)
		out.Write(p.data)
	}
	file := filepath.Join(tt.TempDir(), "traffic.pcap")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		tt.Fatal(err)
	}
	return file
}

// clean is ten days of an office where nothing is wrong: people who browse at
// work, an administrator, domain controllers, a nightly backup, a clock that is set, multicast.
func (t *traffic) clean() {
	sites := []string{"news.example.com", "mail.example.org", "wiki.example.net", "search.example.com"}
	for day := range 10 {
		date := monday.AddDate(0, 0, day)
		if d := date.Weekday(); d != time.Saturday && d != time.Sunday {
			for person := range 5 {
				client := fmt.Sprintf("10.1.0.%d", 11+person)
				for range 30 {
					at := date.Add(8*time.Hour + time.Duration(t.rnd.IntN(9*3600))*time.Second)
					n := t.rnd.IntN(len(sites))
					t.https(at, client, fmt.Sprintf("198.51.100.%d", 10+n), sites[n], 1000+t.rnd.IntN(3000), 5000+t.rnd.IntN(200000))
				}
				t.logOn(date.Add(8*time.Hour), client, fmt.Sprint("person", person))
				t.tcp(date.Add(9*time.Hour), client, "10.1.0.5", 445, "SF", nil, 20000, 3_000_000)
				t.tcp(date.Add(10*time.Hour), client, "198.51.100.10", 80, "SF", nil, 0, 0)            // opened ahead
				t.tcp(date.Add(11*time.Hour), client, "10.1.0.5", 25, "SF", hello("mail"), 2000, 3000) // STARTTLS
			}
			t.office(date.Add(11*time.Hour), "10.1.0.11", "10.1.0.5")
		}
		for second := 0; second < 86400; second += 1024 {
			at := date.Add(time.Duration(second) * time.Second)
			t.udp(at, resolver, "198.51.100.123", 123, 123, nil, 48)
			t.udp(at.Add(time.Millisecond), "198.51.100.123", resolver, 123, 123, nil, 48)
		}
		t.https(date.Add(time.Hour), "10.1.0.5", "198.51.100.77", "backup.example.net", 60_000_000, 200_000)
		t.udp(date.Add(10*time.Hour), "10.1.0.12", "224.0.0.251", 5353, 5353, nil, 1000)
	}
}

// monday is the first day; the last is Wednesday of the week after.
var monday = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

const backup = "backup.example.net"

// planted adds what each hunt looks for, each by a machine of its own.
func (t *traffic) planted(tt *testing.T) {
	day := monday.AddDate(0, 0, 8) // Tuesday
	noon := day.Add(12 * time.Hour)
	for n := range 200 { // beaconing, with a night's pause; TLS without a name
		if n >= 100 && n < 180 {
			continue
		}
		t.tcp(day.Add(time.Duration(n*300+t.rnd.IntN(6))*time.Second), "10.1.0.66", "203.0.113.66", 443, "SF", hello(""), 400, 600)
	}
	at := day.Add(8 * time.Hour)
	for range 60 { // beaconing_jitter
		at = at.Add(time.Duration(60+t.rnd.IntN(140)) * time.Second)
		t.tcp(at, "10.1.0.67", "203.0.113.67", 8443, "SF", hello("jitter.example.biz"), 400+t.rnd.IntN(20), 600)
	}
	for n := range 60 { // beacon_sni
		t.tcp(day.Add(8*time.Hour+time.Duration(n*600+t.rnd.IntN(6))*time.Second), "10.1.0.68", fmt.Sprintf("203.0.113.%d", 100+n%4), 443, "SF", hello("c2.example.info"), 400, 600)
	}
	t.tcp(noon, "10.1.0.69", "203.0.113.69", 80, "SF", []byte("GET /a HTTP/1.1\r\nHost: 203.0.113.69\r\n\r\n"), 300, 50000)
	t.tcp(noon, "10.1.0.70", "203.0.113.70", 4444, "SF", nil, 3000, 5000)
	for n := range 40 { // dga
		var label []byte
		for range 14 {
			label = append(label, "abcdefghijklmnopqrstuvwxyz0123456789"[t.rnd.IntN(36)])
		}
		t.dns(noon.Add(time.Duration(n)*3*time.Minute), "10.1.0.71", string(label)+".biz", 1, 3, "")
	}
	for n := range 50 { // nxdomain_burst
		t.dns(noon.Add(time.Duration(n)*5*time.Second), "10.1.0.72", fmt.Sprintf("srv%d.corp.example", n), 1, 3, "")
	}
	for n := range 80 { // dns_tunnel
		t.dns(noon.Add(time.Duration(n)*time.Second), "10.1.0.73", fmt.Sprintf("%048x.t.tunnel.example", n*7919), 1, 0, "203.0.113.73")
	}
	for n := range 30 { // txt_heavy
		t.dns(noon.Add(time.Duration(n)*time.Minute), "10.1.0.74", "stage.txt.example", 16, 0, "")
	}
	t.udp(noon, "10.1.0.75", "203.0.113.53", 40000, 53, []byte{1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1}, 0)
	t.udp(noon.Add(time.Millisecond), "203.0.113.53", "10.1.0.75", 53, 40000, []byte{1, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'x', 0, 0, 1, 0, 1}, 0)
	for n := range 5 { // lateral_admin
		t.tcp(noon.Add(time.Duration(n)*time.Hour), "10.1.0.76", fmt.Sprintf("10.1.0.%d", 201+n), 3389, "SF", nil, 50000, 90000)
	}
	for n := range 20 { // fan_out
		t.tcp(noon.Add(time.Duration(n)*time.Second), "10.1.0.77", fmt.Sprintf("10.1.1.%d", 1+n), 5985, "SF", nil, 50000, 9000)
	}
	for n := range 30 { // failed_logins
		t.tcp(noon.Add(time.Duration(n)*7*time.Second), "10.1.0.78", "10.1.0.5", 22, "SF", nil, 1500, 1800)
	}
	t.https(noon, "10.1.0.79", "203.0.113.79", "drop.example.pro", 80_000_000, 500_000)
	for n := range 4 { // exfil_slow
		t.https(noon.AddDate(0, 0, -n-1), "10.1.0.80", "203.0.113.80", "slow.example.dev", 3_000_000, 20_000)
	}
	t.https(noon, "10.1.0.81", "203.0.113.81", "www.dropbox.com", 20_000_000, 100_000)
	t.https(day.Add(3*time.Hour), "10.1.0.82", "203.0.113.82", "night.example.pro", 15_000_000, 100_000)
	t.tcp(noon, "10.1.0.83", "10.1.0.5", 445, "SF", nil, 100_000, 600_000_000)
	for n := range 60 { // icmp_tunnel, and pings that are none
		t.echo(noon.Add(time.Duration(n)*time.Second), "10.1.0.84", "203.0.113.84", 1000)
		t.echo(noon.Add(time.Duration(n)*time.Second), "10.1.0.11", "198.51.100.10", 56)
	}
	for n := range 100 { // scan_horizontal and scan_hits; those who refuse are no scanners
		target, state, size := fmt.Sprintf("10.2.0.%d", 1+n), []string{"S0", "REJ"}[n%2], 0
		if n == 30 {
			state, size = "SF", 5000
		}
		t.tcp(noon.Add(time.Duration(n)*time.Second), "10.1.0.85", target, 445, state, nil, size, size)
	}
	for n := range 200 { // scan_vertical
		t.tcp(noon.Add(time.Duration(n)*100*time.Millisecond), "10.1.0.86", "10.1.0.5", uint16(1000+n), "REJ", nil, 0, 0)
	}
	for n := range 2000 { // syn_flood
		t.tcp(noon.Add(time.Duration(n)*20*time.Millisecond), fmt.Sprintf("192.0.2.%d", n%250), "10.1.0.5", 80, "S0", nil, 0, 0)
	}
	for n := range 50 { // amplification
		t.udp(noon.Add(time.Duration(2*n)*time.Millisecond), "10.1.0.87", "203.0.113.87", 40001, 1900, nil, 60)
		t.udp(noon.Add(time.Duration(2*n+1)*time.Millisecond), "203.0.113.87", "10.1.0.87", 1900, 40001, nil, 40000)
	}
	t.tcp(noon, "10.1.0.88", "203.0.113.88", 23, "SF", nil, 500, 5000)
	t.talk(noon, "10.1.0.90", "203.0.113.90", 443, "SF", handshake(tt, monday.AddDate(1, 0, 0), false)) // self_signed
	t.talk(noon, "10.1.0.91", "203.0.113.91", 443, "SF", handshake(tt, monday.AddDate(-1, 0, 0), true)) // expired_certificates
	t.tcp(noon, "10.1.0.93", "203.0.113.93", 4000, "SF", []byte("GET /b HTTP/1.1\r\nHost: tools.example.dev\r\nUser-Agent: odd/1\r\n\r\n"), 0, 50000)
	for _, client := range []string{"10.1.0.94", "10.1.0.95"} { // a user agent of two
		login := ""
		if client == "10.1.0.94" { // http_basic
			login = "Authorization: Basic dXNlcjpwYXNz\r\n"
		}
		t.tcp(noon, client, "203.0.113.94", 80, "SF", []byte("GET /c HTTP/1.1\r\nHost: portal.example.dev\r\nUser-Agent: usual/1\r\n"+login+"\r\n"), 0, 5000)
	}
	t.plantedLogins(noon)
	t.plantedCalls(noon, "10.1.0.5")
	h := func(sp, dp uint16, n int) []byte {
		b := make([]byte, 20)
		binary.BigEndian.PutUint16(b, sp)
		binary.BigEndian.PutUint16(b[2:], dp)
		binary.BigEndian.PutUint32(b[4:], uint32(1+n*100))
		b[12], b[13] = 5<<4, ack
		return b
	}
	for n := range 900 { // long_connections: more than four hours
		at := day.Add(9*time.Hour + time.Duration(n)*20*time.Second)
		t.ip(at, "10.1.0.89", "203.0.113.89", 6, h(50022, 22, n), nil, 100)
		t.ip(at.Add(time.Millisecond), "203.0.113.89", "10.1.0.89", 6, h(22, 50022, n), nil, 100)
	}
}

// TestHunts: each hunt finds what was planted for it and nothing else, and
// nothing where nothing was planted. The truth is what the traffic was made of.
func TestHunts(t *testing.T) {
	clean, bad := newTraffic(), newTraffic()
	clean.clean()
	bad.clean()
	known := map[string]bool{}
	for ip := range bad.began {
		known[ip] = true
	}
	bad.planted(t)
	clean.tcp(monday.AddDate(0, 0, 8).Add(9*time.Hour), "10.1.0.11", "198.51.100.10", 80, "SF", []byte("GET / HTTP/1.1\r\nHost: news.example.com\r\nUser-Agent: alone/1\r\n\r\n"), 0, 5000)
	var fresh []string // machines inside that sent on the last two days only
	for ip, first := range bad.began {
		if !known[ip] && !first.Before(monday.AddDate(0, 0, 8)) {
			fresh = append(fresh, ip)
		}
	}
	slices.SortFunc(fresh, byAddress)
	cleanDir, badDir := t.TempDir(), t.TempDir()
	for dir, tr := range map[string]*traffic{cleanDir: clean, badDir: bad} {
		var out, said bytes.Buffer
		if code := run(t.Context(), []string{"import", "--data", dir, tr.write(t)}, nil, &out, &said); code != 0 {
			t.Fatalf("import: code %d, %s", code, said.String())
		}
	}
	last := []string{"--from", "2026-03-10 00:00:00", "--to", "2026-03-11 23:59:59"}
	with := func(params ...string) (out []string) {
		for _, p := range params {
			out = append(out, "--param", p)
		}
		return append(out, last...)
	}
	var text, said bytes.Buffer
	if code := run(t.Context(), []string{"query", "--data", badDir, "--format", "csv", "SELECT community_id FROM connections WHERE server_ip = '203.0.113.79'"}, nil, &text, &said); code != 0 {
		t.Fatal(said.String())
	}
	community := strings.Fields(text.String())[1]
	machines := func(numbers ...int) (out []string) {
		for _, n := range numbers {
			out = append(out, fmt.Sprintf("10.1.0.%d", n))
		}
		return out
	}
	for _, c := range []struct {
		hunt   string
		args   []string
		column string // whose values are compared, each once
		want   []string
	}{
		{"beaconing", last, "client_ip", machines(66)},
		{"beaconing_jitter", last, "client_ip", machines(66, 67)},
		{"beacon_sni", last, "client_ip", machines(68)},
		{"tls_no_sni", last, "client_ip", machines(66)},
		{"http_raw_ip", last, "client_ip", machines(69)},
		{"rare_ports", last, "server_port", []string{"1900", "23", "4000", "4444", "8443"}},
		{"self_signed", last, "client_ip", machines(90)},
		{"expired_certificates", last, "server_ip", []string{"203.0.113.91"}},
		{"rare_ja4", last, "client_ip", machines(66)},
		{"odd_user_agent", last, "client_ip", machines(69, 93)},
		{"protocol_on_wrong_port", last, "client_ip", machines(93)},
		{"http_basic", last, "client_ip", machines(94)},
		{"dga", last, "client_ip", machines(71)},
		{"nxdomain_burst", last, "client_ip", machines(72)},
		{"dns_tunnel", last, "client_ip", machines(73)},
		{"txt_heavy", last, "client_ip", machines(74)},
		{"dns_bypass", last, "client_ip", machines(75)},
		{"lateral_admin", last, "client_ip", machines(76, 77)},
		{"fan_out", last, "client_ip", machines(77)},
		{"new_admin_path", last, "client_ip", machines(76, 77, 78, 83, 85, 100, 101)},
		{"failed_logins", last, "client_ip", machines(78, 99)},
		{"password_spray", last, "client_ip", machines(98)},
		{"kerberoast", last, "client_ip", machines(96)},
		{"asrep_roast", last, "client_ip", machines(97)},
		{"smb_exec", last, "client_ip", machines(100)},
		{"smb_exec", with("within=30 MINUTE"), "client_ip", machines(100, 101)},
		{"smb_exec", with("ignore=10.1.0.99, 10.1.0.100"), "client_ip", nil},
		{"remote_service", last, "client_ip", machines(100, 101, 102)},
		{"remote_service", with("ignore=10.1.0.102"), "client_ip", machines(100, 101)},
		{"mail_direct", last, "client_ip", machines(105)},
		{"mail_direct", with("least=9"), "client_ip", nil},
		{"dcsync", last, "client_ip", machines(103)},
		{"dcsync", with("controllers=10.1.0.103"), "client_ip", nil},
		{"exfil_ratio", with("ignore=" + backup), "client_ip", machines(79)},
		{"exfil_ratio", last, "client_ip", machines(5, 79)},
		{"exfil_slow", []string{"--since", "all", "--param", "ignore=" + backup}, "client_ip", machines(80)},
		{"upload_cloud_storage", last, "client_ip", machines(81)},
		{"after_hours", with("ignore=" + backup), "client_ip", machines(82)},
		{"smb_bulk_read", last, "client_ip", machines(83)},
		{"icmp_tunnel", last, "client_ip", machines(84)},
		{"scan_horizontal", last, "client_ip", machines(85)},
		{"scan_vertical", last, "client_ip", machines(86)},
		{"scan_hits", last, "server_ip", []string{"10.2.0.31"}},
		{"syn_flood", last, "server_ip", machines(5)},
		{"amplification", last, "client_ip", machines(87)},
		{"cleartext_credentials", last, "client_ip", machines(88, 99)},
		{"long_connections", last, "client_ip", machines(89)},
		{"new_hosts", last, "ip", fresh},
		{"first_contact", last, "domain", []string{"dropbox.com", "example.biz", "example.info", "example.pro"}},
		{"young_domains", last, "domain", []string{"dropbox.com", "example.pro", "tunnel.example", "txt.example"}},
		{"everything", with("host=10.1.0.79"), "peer_ip", []string{resolver, "203.0.113.79"}},
		{"ioc_sweep", with("indicators=203.0.113.70, example.info"), "client_ip", machines(68, 70)},
		{"alert_context", with("community=" + community), "client_ip", machines(79)},
		{"who_resolved", with("name=tunnel.example"), "client_ip", machines(73)},
	} {
		found := huntColumn(t, badDir, c.hunt, c.args, c.column)
		if !slices.Equal(found, c.want) {
			t.Errorf("%s finds %v, planted was %v", c.hunt, found, c.want)
		}
	}
	asked := map[string]bool{"everything": true, "ioc_sweep": true, "who_resolved": true, "alert_context": true}
	for _, h := range hunt.Shipped() {
		if h.Severity == "info" || asked[h.Name] {
			continue
		}
		var args []string
		for _, p := range h.Parameters {
			if p.Name == "ignore" && strings.Contains(p.Doc, "backup") {
				args = []string{"--param", "ignore=" + backup}
			}
		}
		args = append(args, last...)
		if found := huntColumn(t, cleanDir, h.Name, args, ""); len(found) > 0 {
			t.Errorf("%s finds %v in clean traffic", h.Name, found)
		}
	}
	// Whoever does not say when asks for nothing that was never recorded.
	text.Reset()
	said.Reset()
	if code := run(t.Context(), []string{"hunt", "run", "--all", "--data", cleanDir}, nil, &text, &said); code != 0 || strings.Contains(said.String(), "range asked for") {
		t.Errorf("hunt run --all: code %d, %s", code, said.String())
	}
}

// huntColumn are the values of a column of what a hunt finds, each once; the
// first column unless it is named.
func huntColumn(t *testing.T, dir, name string, args []string, column string) (out []string) {
	t.Helper()
	var text, said bytes.Buffer
	if code := run(t.Context(), append([]string{"hunt", "run", name, "--format", "csv", "--data", dir}, args...), nil, &text, &said); code != 0 {
		t.Errorf("%s: code %d, %s", name, code, said.String())
		return nil
	}
	if _, follow, ok := strings.Cut(said.String(), "on to the packets of the first row: "); ok {
		follows(t, dir, name, strings.TrimSuffix(follow, "\n"))
	}
	rows, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := max(0, slices.Index(rows[0], column))
	for _, row := range rows[1:] {
		out = append(out, row[at])
	}
	slices.SortFunc(out, byAddress)
	return slices.Compact(out)
}

// follows: the statement a hunt goes on with has packets, each once.
func follows(t *testing.T, dir, name, statement string) {
	t.Helper()
	var text, said bytes.Buffer
	if code := run(t.Context(), []string{"query", "--data", dir, "--format", "csv", statement}, nil, &text, &said); code != 0 {
		t.Errorf("%s: %s: code %d, %s", name, statement, code, said.String())
		return
	}
	rows := strings.Split(strings.TrimSpace(text.String()), "\n")[1:]
	found := len(rows)
	slices.Sort(rows)
	if rows = slices.Compact(rows); found == 0 || len(rows) < found {
		t.Errorf("%s: %s: %d packets, %d different", name, statement, found, len(rows))
	}
}

// byAddress orders addresses by their number, other texts by their letters.
func byAddress(a, b string) int {
	x, errX := netip.ParseAddr(a)
	y, errY := netip.ParseAddr(b)
	if errX == nil && errY == nil {
		return x.Compare(y)
	}
	return strings.Compare(a, b)
}

// A time with an offset is the same in every session, and what is wrong with a
// file of hunts is told without its place.
func TestHuntsGiven(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	files := t.TempDir()
	if err := os.WriteFile(filepath.Join(files, "wrong.sql"), []byte("-- title: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := engine.DefaultConfig()
	cfg.Hunts = files
	s := engineWith(t, dir, cfg).NewSession()
	ask := func(statement string) string {
		rows, err := s.Query(t.Context(), statement)
		if err != nil {
			return err.Error()
		}
		defer rows.Close()
		var b strings.Builder
		if err := output.Write(&b, "csv", answerRows{rows}); err != nil {
			return err.Error()
		}
		return b.String()
	}
	ask("SET time_zone = '+05:00'")
	local := ask("CALL hunt('top_pairs', 'from', '2026-06-12 15:20:00', 'to', '2026-06-12 15:25:00')")
	if strings.Count(local, "\n") < 5 || strings.Count(local, "\n") == strings.Count(ask("CALL hunt('top_pairs', 'since', 'all', 'rows', '1000')"), "\n") {
		t.Fatalf("these five minutes: %s", local)
	}
	if got := ask("CALL hunt('top_pairs', 'from', '2026-06-12T10:20:00Z', 'to', '2026-06-12 12:25+0200')"); got != local {
		t.Errorf("with offsets: %s, want %s", got, local)
	}
	if got := ask("CALL hunt('top_pairs', 'from', '2026-06-12T10:20:00+99:00')"); strings.Count(got, "\n") > 0 {
		t.Errorf("an offset that none is: %s", got)
	}
	if got := ask("CALL hunt('wrong')"); !strings.Contains(got, "the file of hunt wrong, line 1: the header lacks question") || strings.Contains(got, files) {
		t.Errorf("a file that is wrong: %s", got)
	}
	if err := os.RemoveAll(files); err != nil {
		t.Fatal(err)
	}
	if got := ask("CALL hunt('top_pairs', 'from', '2026-06-12 15:20:00', 'to', '2026-06-12 15:25:00')"); got != local {
		t.Errorf("without the directory: %s", got)
	}
	if got := ask("SELECT COUNT(*) > 40, SUM(error IS NOT NULL) FROM hunt.hunts"); !strings.HasSuffix(got, "\n1,1\n") {
		t.Errorf("hunt.hunts without the directory: %s", got)
	}
}
