// Command generate writes a large capture for benchmarks: the same bytes for
// the same flags, on every machine.
//
//	go run ./testdata/generate -o FILE [-bytes 5e9] [-seed 1] [-flows N] [-small] [-flood N [-udp]]
//
// The traffic of about an hour: flow sizes are heavy-tailed (Pareto), starts
// come in bursts, 15 % of the flows are IPv6 and 30 % carry a VLAN tag; TCP
// with handshake and FIN, UDP, DNS with names and answers, ping, and SYNs that
// nobody or a RST answers. Payload is random and does not compress. Without
// -flows the capture grows to about -bytes with about 28 packets a flow; with
// -flows it has that many. -small makes all flows small (mean about 4
// packets): many flow rows in little space. -flood makes N connections to one
// server within 150 seconds, nearly all of them one SYN from a forged address.
//
// One TCP connection is known, the needle: about 1,000 packets spread over the
// whole hour. Its tuple and counts, and those of the whole file, are written
// to standard error as one line of JSON. IP header checksums are right, those
// of TCP and UDP are zero.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
)

func main() {
	out := flag.String("o", "-", "file to write, - for standard output")
	bytes := flag.Float64("bytes", 5e9, "about how large the file gets")
	seed := flag.Uint64("seed", 1, "other seeds give other traffic")
	flows := flag.Int("flows", 0, "how many flows; overrides -bytes")
	small := flag.Bool("small", false, "small flows only")
	flood := flag.Int("flood", 0, "connections of a flood, in place of all else but the needle")
	udp := flag.Bool("udp", false, "the flood is of UDP datagrams")
	flag.Parse()
	if err := run(*out, int64(*bytes), *seed, *flows, *small, *flood, *udp); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run(path string, bytes int64, seed uint64, flows int, small bool, flood int, udp bool) error {
	f := os.Stdout
	if path != "-" {
		var err error
		if f, err = os.Create(path); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(f, 1<<20)
	g := newGenerator(w, seed, small)
	g.flood, g.udp = flood, udp
	sum, err := g.generate(bytes, flows)
	if err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stderr).Encode(sum)
}

const (
	begin   = 1_767_225_600 // 2026-01-01 00:00:00 UTC
	hour    = 3_600_000_000 // µs
	poolLen = 16 << 20
)

// summary is what the last line on standard error says.
type summary struct {
	Bytes   int64  `json:"bytes"` // of the file
	Packets int64  `json:"packets"`
	Flows   int    `json:"flows"`
	Needle  needle `json:"needle"`
}

type needle struct {
	Client     string `json:"client"`
	ClientPort int    `json:"client_port"`
	Server     string `json:"server"`
	ServerPort int    `json:"server_port"`
	Packets    int64  `json:"packets"`
	Bytes      int64  `json:"bytes"` // sum of packet lengths
}

// random is SplitMix64 (Steele, Lea and Flood, 2014): eight bytes of state, so
// that every flow has its own and does not depend on the others.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) intn(n int) int    { return int(r.next() >> 33 % uint64(n)) }
func (r *random) float() float64    { return float64(r.next()>>11) / (1 << 53) }
func (r *random) chance(p int) bool { return r.intn(100) < p }

type kind uint8

const (
	kindTCP kind = iota
	kindUDP
	kindDNS
	kindPing
	kindSyn    // nobody answers
	kindReject // a RST does
)

// flow is a flow that is sending.
type flow struct {
	at         int64 // time of the next packet, µs
	rng        random
	kind       kind
	bulk       bool // a download; else small messages both ways
	needle     bool
	six        bool
	packets    int // to send in all
	sent       int
	gap        int64 // usual distance of packets, µs
	vlan       int   // -1 without
	client     [16]byte
	server     [16]byte
	clientPort uint16
	serverPort uint16
	seq        [2]uint32
	host       int // a DNS query's name
}

type generator struct {
	w     io.Writer
	seed  uint64
	small bool
	flood int
	udp   bool
	pool  []byte
	buf   []byte
	heap  []*flow
	free  []*flow
	sum   summary
}

func newGenerator(w io.Writer, seed uint64, small bool) *generator {
	g := &generator{w: w, seed: seed, small: small, pool: make([]byte, poolLen), buf: make([]byte, 4096)}
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	_, _ = rand.NewChaCha8(key).Read(g.pool) // never fails
	return g
}

// generate plans all flows, then sends their packets in the order of time.
func (g *generator) generate(bytes int64, flows int) (summary, error) {
	var header [24]byte
	binary.LittleEndian.PutUint32(header[0:], 0xa1b2c3d4)
	binary.LittleEndian.PutUint16(header[4:], 2)
	binary.LittleEndian.PutUint16(header[6:], 4)
	binary.LittleEndian.PutUint32(header[16:], 262144)
	binary.LittleEndian.PutUint32(header[20:], 1)
	if _, err := g.w.Write(header[:]); err != nil {
		return g.sum, err
	}
	g.sum.Bytes = int64(len(header))

	plan := g.plan(bytes, flows)
	make := g.flow
	if g.flood > 0 {
		plan, make = g.forgedPlan(), g.forged
	}
	g.sum.Flows = len(plan) + 1
	g.push(g.needle())
	for len(plan) > 0 || len(g.heap) > 0 {
		if len(g.heap) == 0 || len(plan) > 0 && int64(plan[0]>>32) <= g.heap[0].at {
			g.push(make(plan[0]))
			plan = plan[1:]
			continue
		}
		f := g.heap[0]
		if err := g.send(f); err != nil {
			return g.sum, err
		}
		if f.sent == f.packets {
			g.pop()
			g.free = append(g.free, f)
			continue
		}
		g.sink()
	}
	return g.sum, nil
}

// plan gives each flow its start; start<<32|number in the order of starts. 40 %
// of the flows start in 200 bursts of about a second.
func (g *generator) plan(bytes int64, flows int) []uint64 {
	var plan []uint64
	var total int64
	for i := 0; flows > 0 && i < flows-1 || flows <= 0 && total < bytes; i++ {
		rng := random(g.seed<<40 ^ uint64(i)<<1)
		start := uint64(rng.intn(hour))
		if rng.chance(40) {
			burst := random(g.seed ^ uint64(rng.intn(200))<<8)
			start = uint64(burst.intn(hour-2_000_000)) + uint64(rng.intn(1_000_000))
		}
		plan = append(plan, start<<32|uint64(i))
		if flows <= 0 {
			f := g.flow(plan[len(plan)-1])
			total += f.size()
			g.free = append(g.free, f)
		}
	}
	slices.Sort(plan)
	return plan
}

// forgedPlan spreads a flood over 150 seconds.
func (g *generator) forgedPlan() []uint64 {
	plan := make([]uint64, g.flood)
	for i := range plan {
		plan[i] = uint64(i*(150_000_000/g.flood))<<32 | uint64(i)
	}
	return plan
}

// forged makes a connection of a flood; of a hundred, one is refused, three are those
// of true clients, and two of somebody who tries many servers.
func (g *generator) forged(start uint64) *flow {
	f := g.take()
	i := uint32(start)
	f.at, f.rng, f.vlan, f.kind, f.packets = int64(start>>32), random(g.seed<<32^uint64(i)*0x2545f4914f6cdd1d), -1, kindSyn, 1
	binary.BigEndian.PutUint32(f.client[:], 11<<24+uint32(f.rng.intn(100<<24))) // none of them inside
	copy(f.server[:], []byte{10, 9, 0, 80})
	f.clientPort, f.serverPort = uint16(1024+f.rng.intn(60000)), 80
	f.seq, f.gap = [2]uint32{uint32(f.rng.next()), uint32(f.rng.next())}, 500
	switch i % 100 {
	case 7:
		f.kind, f.packets = kindReject, 2
	case 20, 40, 60:
		f.kind, f.packets = kindTCP, 8
		copy(f.client[:], []byte{203, 0, 113, byte(i/100%250 + 1)})
	case 80, 90:
		copy(f.client[:], []byte{198, 51, 100, 9})
		copy(f.server[:], []byte{10, 9, byte(i / 10 / 250), byte(i/10%250 + 1)})
		f.serverPort = 22
	}
	if g.udp {
		if f.kind = kindUDP; f.serverPort == 80 {
			f.serverPort = 27015
		}
	}
	return f
}

// size is about how many bytes of the file a flow takes.
func (f *flow) size() int64 {
	each := int64(100)
	switch {
	case f.kind == kindUDP:
		each = 535
	case f.kind == kindTCP && f.bulk:
		each = 1010
	case f.kind == kindTCP:
		each = 390
	}
	return int64(f.packets) * (each + 16)
}

// flow makes a flow from its place in the plan.
func (g *generator) flow(start uint64) *flow {
	f := g.take()
	f.at, f.rng = int64(start>>32), random(g.seed<<32^start<<32>>32*0x2545f4914f6cdd1d)
	r := &f.rng
	switch n := r.intn(100); {
	case n < 55:
		f.kind = kindTCP
	case n < 70:
		f.kind = kindUDP
	case n < 90:
		f.kind = kindDNS
	case n < 95:
		f.kind = kindPing
	case n < 98:
		f.kind = kindSyn
	default:
		f.kind = kindReject
	}
	f.bulk = r.chance(60)
	f.six = r.chance(15)
	f.vlan = -1
	if r.chance(30) {
		f.vlan = 10 + r.intn(20)
	}
	f.addresses(r.intn(4000), r.intn(20000))
	f.clientPort = uint16(32768 + r.intn(28000))
	switch f.kind {
	case kindTCP, kindSyn, kindReject:
		f.serverPort = [...]uint16{443, 443, 443, 80, 80, 22, 25, 993, 3306, 8080}[r.intn(10)]
		f.seq = [2]uint32{uint32(r.next()), uint32(r.next())}
	case kindUDP:
		f.serverPort = [...]uint16{443, 123, 5060, 51820, 4500}[r.intn(5)]
	case kindDNS:
		f.serverPort = 53
		f.host = r.intn(50000)
	}
	f.packets = f.length(g.small)
	f.gap = int64(math.Exp(4 + 6*r.float())) // 55 µs to 22 ms
	if f.packets > 20_000 {
		f.gap = min(f.gap, 2000)
	}
	return f
}

// length draws how many packets a flow has.
func (f *flow) length(small bool) int {
	switch f.kind {
	case kindDNS, kindReject:
		return 2
	case kindSyn:
		return 1 + f.rng.intn(3)
	case kindPing:
		return 2 * (1 + f.rng.intn(5))
	}
	shape, least, most := 1.1, 6.0, 200_000.0
	if small {
		shape, least, most = 2.5, 2, 50
	}
	n := int(min(most, least*math.Pow(1-f.rng.float(), -1/shape)))
	if f.kind == kindTCP {
		return max(n, 7)
	}
	return n
}

// needle is the connection that is looked for.
func (g *generator) needle() *flow {
	f := g.take()
	f.rng = random(g.seed)
	f.kind, f.needle, f.vlan = kindTCP, true, -1
	f.packets, f.gap = 1000, hour/1000
	copy(f.client[:], []byte{10, 99, 0, 7})
	copy(f.server[:], []byte{198, 51, 100, 77})
	f.clientPort, f.serverPort = 40404, 8443
	g.sum.Needle = needle{Client: "10.99.0.7", ClientPort: 40404, Server: "198.51.100.77", ServerPort: 8443}
	return f
}

func (f *flow) addresses(client, server int) {
	if f.six {
		copy(f.client[:], []byte{0xfd, 0, 0x10})
		copy(f.server[:], []byte{0x20, 1, 0x0d, 0xb8})
		binary.BigEndian.PutUint32(f.client[12:], uint32(client+1))
		binary.BigEndian.PutUint32(f.server[12:], uint32(server+1))
		return
	}
	binary.BigEndian.PutUint32(f.client[:], 10<<24|uint32(client/250)<<8|uint32(client%250+1))
	binary.BigEndian.PutUint32(f.server[:], 198<<24|18<<16|uint32(server/250)<<8|uint32(server%250+1))
}

func (g *generator) take() *flow {
	if n := len(g.free); n > 0 {
		f := g.free[n-1]
		g.free = g.free[:n-1]
		*f = flow{}
		return f
	}
	return new(flow)
}

// push, pop and sink keep heap[0] the flow that sends next.
func (g *generator) push(f *flow) {
	g.heap = append(g.heap, f)
	for i := len(g.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if g.heap[up].at <= f.at {
			break
		}
		g.heap[i], g.heap[up] = g.heap[up], f
		i = up
	}
}

func (g *generator) pop() {
	n := len(g.heap) - 1
	g.heap[0] = g.heap[n]
	g.heap = g.heap[:n]
	if n > 0 {
		g.sink()
	}
}

func (g *generator) sink() {
	h, f := g.heap, g.heap[0]
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].at < h[c].at {
			c++
		}
		if f.at <= h[c].at {
			return
		}
		h[i], h[c] = h[c], f
		i = c
	}
}
