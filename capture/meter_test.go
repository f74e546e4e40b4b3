package capture

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

var rewrite = flag.Bool("rewrite", false, "write what the meter does into testdata/meter")

// rowLines is a sink that writes rows as lines of text.
type rowLines struct {
	lines []string
	conns map[tables.ID]int // conversations are numbered as they appear
	flows []tables.Flow
	other []tables.Other
}

func (l *rowLines) Flow(r *tables.Flow) error {
	l.flows = append(l.flows, *r)
	if l.conns == nil {
		l.conns = make(map[tables.ID]int)
	}
	if l.conns[r.ConnID] == 0 {
		l.conns[r.ConnID] = len(l.conns) + 1
	}
	var b strings.Builder
	fmt.Fprintf(&b, "conn %d.%d", l.conns[r.ConnID], r.Piece.V)
	if r.LastPiece.V {
		b.WriteString(" last")
	}
	end := func(a tables.Addr, port int32) string {
		if port == 0 {
			return a.String()
		}
		return fmt.Sprintf("%s:%d", a, port)
	}
	fmt.Fprintf(&b, " %s..%s %s %s > %s %d/%d packets %d/%d bytes", timeText(r.TS), timeText(r.TSEnd),
		tables.ProtocolName(uint8(r.Protocol)), end(r.Src, r.SrcPort), end(r.Dst, r.DstPort),
		r.Packets, r.ReversePackets.V, r.Bytes, r.ReverseBytes.V)
	if r.ICMPType.Set {
		fmt.Fprintf(&b, " icmp %d/%d", r.ICMPType.V, r.ICMPCode.V)
	}
	if r.TCPFlags.Set {
		fmt.Fprintf(&b, " %s/%s", tables.TCPFlagsText(uint16(r.TCPFlags.V)), tables.TCPFlagsText(uint16(r.ReverseTCPFlags.V)))
	}
	fmt.Fprintf(&b, " %s by %s, %s", r.ConnState, r.OrientedBy, r.EndReason)
	if r.VLAN.Set {
		fmt.Fprintf(&b, " vlan %d", r.VLAN.V)
	}
	if r.TunnelType != "" {
		fmt.Fprintf(&b, " %s %d %s > %s", r.TunnelType, r.TunnelID.V, r.OuterSrc.V, r.OuterDst.V)
	}
	if r.RTTUs.Set {
		fmt.Fprintf(&b, " rtt %d", r.RTTUs.V)
	}
	if r.Fragments.V > 0 {
		fmt.Fprintf(&b, " fragments %d", r.Fragments.V)
	}
	if r.CutPackets.V > 0 {
		fmt.Fprintf(&b, " cut %d", r.CutPackets.V)
	}
	if r.ConnPackets.Set {
		fmt.Fprintf(&b, " so far %d/%d packets %d/%d bytes", r.ConnPackets.V, r.ConnReversePackets.V, r.ConnBytes.V, r.ConnReverseBytes.V)
	}
	fmt.Fprintf(&b, " %s", positionsText(r.Postings))
	l.lines = append(l.lines, b.String())
	return nil
}

func (l *rowLines) Other(r *tables.Other) error {
	l.other = append(l.other, *r)
	l.lines = append(l.lines, fmt.Sprintf("other %s..%s ether %#x error %q %d packets %s",
		timeText(r.TS), timeText(r.TSEnd), r.EtherType.V, r.Error, r.Packets, positionsText(r.Postings)))
	return nil
}

func timeText(t tables.Time) string {
	return strconv.FormatFloat(float64(t)/1e6, 'f', -1, 64)
}

func positionsText(b []byte) string {
	var out []string
	err := rows.DecodePostings(b, func(id tables.ID) bool {
		out = append(out, strconv.FormatInt(id.Offset(), 10))
		return true
	})
	if err != nil {
		return err.Error()
	}
	return "@" + strings.Join(out, ",")
}

// testPacket reads a packet from a line: seconds, protocol, source, ">",
// destination, then words. Its position is its number in the test.
func testPacket(line string, number int) (*Packet, error) {
	w := strings.Fields(line)
	if len(w) < 2 {
		return nil, fmt.Errorf("%q is no packet", line)
	}
	s, err := strconv.ParseFloat(w[0], 64)
	if err != nil {
		return nil, err
	}
	h := &tables.Header{VLAN: -1, OuterVLAN: -1, TTL: 64}
	p := &Packet{TS: int64(s*1e6+0.5) * 1000, Header: h, Length: 100, ID: tables.PacketID(1, int64(number))}
	if w[1] == "other" {
		h.EtherType, h.HasMAC = 0x806, true
		p.Data = make([]byte, 100)
		return p, nil
	}
	if len(w) < 5 {
		return nil, fmt.Errorf("%q is no packet", line)
	}
	var ok bool
	if h.Protocol, ok = tables.ProtocolNumber(w[1]); !ok {
		return nil, fmt.Errorf("no protocol %q", w[1])
	}
	end := func(text string) (a tables.Addr, port uint16) {
		host, portText, found := strings.Cut(text, ":")
		if strings.HasPrefix(text, "[") {
			host, portText, _ = strings.Cut(text[1:], "]")
			portText, found = strings.CutPrefix(portText, ":")
		}
		a, err = tables.ParseAddr(host)
		if found {
			n, _ := strconv.ParseUint(portText, 10, 16)
			port = uint16(n)
		}
		return a, port
	}
	h.Src, h.SrcPort = end(w[2])
	if err != nil {
		return nil, err
	}
	if h.Dst, h.DstPort = end(w[4]); err != nil {
		return nil, err
	}
	h.IP, h.L3Length, h.PayloadOffset = true, 86, 54
	for _, word := range w[5:] {
		name, value, _ := strings.Cut(word, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "seq":
			h.TCPSeq = uint32(n)
		case "ack":
			h.TCPAck = uint32(n)
		case "type":
			h.ICMPType = uint8(n)
		case "code":
			h.ICMPCode = uint8(n)
		case "vlan":
			h.VLAN = int16(n)
		case "vni":
			h.Tunnel, h.TunnelID = tables.TunnelVXLAN, uint32(n)
			h.OuterSrc, h.OuterDst = tables.AddrFrom4([]byte{192, 0, 2, 1}), tables.AddrFrom4([]byte{192, 0, 2, 2})
		case "first":
			h.Fragment, h.MoreFragments, h.IPID = true, true, uint32(n)
		case "later":
			h.Fragment, h.FragmentOffset, h.IPID = true, 64, uint32(n)
			h.PayloadOffset, h.PayloadLength = 0, 0
		case "cut":
			p.Length = 200
		default:
			for _, c := range word {
				bit := strings.IndexRune("FSRPAUECN", c)
				if bit < 0 {
					return nil, fmt.Errorf("%q: what is %q", line, word)
				}
				h.TCPFlags |= 1 << bit
			}
		}
	}
	p.Data = make([]byte, 100)
	return p, nil
}

// TestMeter runs the cases of testdata/meter: packets, "----", and the rows
// they give in the order they are written. A line "cut N" is a call of Cut(N s);
// "limit N" caps the live conversations.
func TestMeter(t *testing.T) {
	files, err := filepath.Glob("testdata/meter/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			for i, c := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
				if i > 0 {
					out.WriteString("\n")
				}
				input, _, _ := strings.Cut(c, "\n----")
				fmt.Fprintf(&out, "%s\n----\n%s\n", input, strings.Join(runCase(t, input), "\n"))
			}
			if *rewrite {
				if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if out.String() != string(text) {
				t.Errorf("got:\n%s\nwant:\n%s", out.String(), text)
			}
		})
	}
}

func runCase(t *testing.T, input string) []string {
	t.Helper()
	lines := &rowLines{}
	m := NewMeter(Config{}, lines, nil)
	number := 0
	for _, line := range strings.Split(input, "\n") {
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "cut "):
			next, _ := strconv.ParseInt(line[len("cut "):], 10, 64)
			m.Cut(next * 1e9)
		case strings.HasPrefix(line, "limit "):
			m.cfg.MaxConversations, _ = strconv.Atoi(line[len("limit "):])
		default:
			p, err := testPacket(line, number)
			if err != nil {
				t.Fatal(err)
			}
			number++
			if err := m.Packet(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return lines.lines
}

// Every packet is posted exactly once and counted exactly once, whatever the
// order of times, the room in the table, fragments and cuts.
func TestMeterPostsEveryPacketOnce(t *testing.T) {
	folded := int64(0)
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		lines := &rowLines{}
		cfg := Config{MaxConversations: 1 + rng.IntN(20), MaxPositions: int64(blockSize * (1 + rng.IntN(50))), FoldAfter: int64(1 + rng.IntN(5))}
		m := NewMeter(cfg, lines, nil)
		var ns, wire int64
		const n = 5000
		for i := range n {
			p := randomPacket(rng, &ns)
			p.ID = tables.PacketID(uint32(1+rng.IntN(3)), int64(i))
			if i%100 > 2 {
				p.ID = tables.PacketID(1, int64(i))
			}
			wire += int64(p.Length)
			if err := m.Packet(p); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(500) == 0 {
				m.Cut(ns)
			}
			if m.table.live > cfg.MaxConversations {
				t.Fatalf("seed %d: %d live conversations, limit %d", seed, m.table.live, cfg.MaxConversations)
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		var packets, rowWire int64
		var seen []int64
		collect := func(postings []byte, want int64, segments []int32) {
			before := len(seen)
			var in []int32
			if err := rows.DecodePostings(postings, func(id tables.ID) bool {
				seen = append(seen, id.Offset())
				in = append(in, int32(id.Segment()))
				return true
			}); err != nil {
				t.Fatal(err)
			}
			if int64(len(seen)-before) != want {
				t.Fatalf("seed %d: a row of %d packets posts %d", seed, want, len(seen)-before)
			}
			if !slices.Equal(slices.Compact(in), segments) {
				t.Fatalf("seed %d: segments %v, postings in %v", seed, segments, slices.Compact(in))
			}
		}
		ids := map[tables.ID]bool{}
		for _, r := range lines.flows {
			folded += r.FlowsFolded.V
			collect(r.Postings, r.Packets+r.ReversePackets.V, r.Segments)
			packets += r.Packets + r.ReversePackets.V
			rowWire += r.WireBytes.V + r.ReverseWireBytes.V
			if ids[r.FlowID] {
				t.Fatalf("seed %d: flow id %s twice", seed, r.FlowID)
			}
			ids[r.FlowID] = true
			if r.TS > r.TSEnd || r.ConnTS.V > r.TS {
				t.Fatalf("seed %d: times %d %d %d", seed, r.ConnTS.V, r.TS, r.TSEnd)
			}
		}
		for _, r := range lines.other {
			collect(r.Postings, r.Packets, r.Segments)
			packets += r.Packets
			rowWire += r.WireBytes
		}
		if packets != n || rowWire != wire {
			t.Fatalf("seed %d: %d packets and %d bytes in rows, want %d and %d", seed, packets, rowWire, n, wire)
		}
		slices.Sort(seen)
		for i, at := range seen {
			if at != int64(i) {
				t.Fatalf("seed %d: packet %d posted wrongly", seed, i)
			}
		}
		if m.table.live != 0 || m.blocks.inUse != 0 || len(m.names) != 0 || len(m.outer) != 0 {
			t.Fatalf("seed %d: state left after Close", seed)
		}
	}
	if folded == 0 {
		t.Error("nothing was folded")
	}
}

func randomPacket(rng *rand.Rand, ns *int64) *Packet {
	switch rng.IntN(200) {
	case 0:
		*ns += rng.Int64N(1e13) - 5e12
	case 1:
		*ns = rng.Int64N(4e18)
	case 2, 3:
		*ns -= rng.Int64N(100e9)
	default:
		*ns += rng.Int64N(2e9)
	}
	*ns = max(*ns, 0)
	h := &tables.Header{VLAN: -1, OuterVLAN: -1}
	p := &Packet{TS: *ns, Header: h, Data: make([]byte, 60), Length: 60 + rng.IntN(2)}
	if rng.IntN(20) == 0 {
		h.EtherType = uint16(0x800 + rng.IntN(3))
		return p
	}
	h.IP, h.L3Length, h.PayloadOffset = true, 46, 54
	h.Src, h.Dst = tables.AddrFrom4([]byte{10, 0, 0, byte(rng.IntN(3))}), tables.AddrFrom4([]byte{10, 0, 0, byte(rng.IntN(3))})
	h.Protocol = []uint8{1, 6, 6, 6, 17, 47, 58}[rng.IntN(7)]
	forged := rng.IntN(3) == 0
	if forged {
		h.Src, h.Protocol = tables.AddrFrom4([]byte{198, 51, 100, byte(rng.IntN(256))}), tables.ProtocolTCP
	}
	switch h.Protocol {
	case 6, 17:
		h.SrcPort, h.DstPort = uint16(rng.IntN(3)), uint16(80+rng.IntN(2))
		if rng.IntN(2) == 0 {
			h.SrcPort, h.DstPort = h.DstPort, h.SrcPort
		}
		h.TCPFlags = uint16(rng.IntN(64))
		h.TCPSeq = uint32(rng.IntN(3))
		if forged && rng.IntN(4) > 0 {
			h.TCPFlags = tables.TCPSyn
		}
	case 1, 58:
		h.ICMPType, h.ICMPCode = uint8(rng.IntN(140)), uint8(rng.IntN(2))
	}
	if rng.IntN(10) == 0 {
		h.Fragment, h.IPID = true, uint32(rng.IntN(2))
		if rng.IntN(2) == 0 {
			h.FragmentOffset, h.PayloadOffset, h.SrcPort, h.DstPort = 8, 0, 0, 0
		} else {
			h.MoreFragments = true
		}
	}
	if rng.IntN(30) == 0 {
		h.Tunnel, h.TunnelID = tables.TunnelGRE, uint32(rng.IntN(2))
	}
	return p
}

// A row's id depends on nothing but the packets.
func TestMeterIsDeterministic(t *testing.T) {
	run := func() []string {
		rng := rand.New(rand.NewPCG(7, 7))
		lines := &rowLines{}
		m := NewMeter(Config{MaxConversations: 15}, lines, nil)
		var ns int64
		for i := range 3000 {
			p := randomPacket(rng, &ns)
			p.ID = tables.PacketID(1, int64(i))
			if err := m.Packet(p); err != nil {
				t.Fatal(err)
			}
		}
		m.Close()
		for i, f := range lines.flows {
			lines.lines = append(lines.lines, fmt.Sprint(i, f.FlowID, f.ConnID, f.CID))
		}
		return lines.lines
	}
	if a, b := run(), run(); !slices.Equal(a, b) {
		t.Error("two runs over the same packets differ")
	}
}

// A flood of one-packet flows: eviction must not look at the whole table, so that a
// hundred times as many conversations in it make a packet little dearer.
func TestEvictionLooksAtNoWholeTable(t *testing.T) {
	h := &tables.Header{IP: true, Protocol: 17, VLAN: -1, OuterVLAN: -1, L3Length: 46, PayloadOffset: 42}
	took := func(conversations, evicted int) time.Duration {
		lines := discard{}
		m := NewMeter(Config{MaxConversations: conversations}, &lines, nil)
		start := time.Now()
		for i := range conversations + evicted {
			if i == conversations {
				start = time.Now()
			}
			h.Src, h.Dst = tables.Addr{Lo: uint64(i)}, tables.Addr{Lo: 1 << 40}
			if err := m.Packet(&Packet{TS: int64(i) * 1000, Header: h, Length: 60}); err != nil {
				t.Fatal(err)
			}
		}
		if s := m.Stats(); s.Evicted != int64(evicted) {
			t.Errorf("%d evicted, want %d", s.Evicted, evicted)
		}
		return time.Since(start)
	}
	few, many := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
	for range 3 { // what else the machine does meets both
		few, many = min(few, took(500, 50_000)), min(many, took(50_000, 50_000))
	}
	if many > 20*few {
		t.Errorf("50,000 evictions from 50,000 conversations took %v, from 500 %v", many, few)
	}
}

// discard counts rows.
type discard struct{ rows, others int }

func (d *discard) Flow(*tables.Flow) error   { d.rows++; return nil }
func (d *discard) Other(*tables.Other) error { d.others++; return nil }
