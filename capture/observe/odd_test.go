package observe

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// segmentOf is a packet of a conversation from 10.0.0.5:40000 to 192.0.2.1:8001, with its checksum; add
// is what is added to that.
func segmentOf(ns int64, fromClient bool, seq uint32, text string, add uint16) *Packet {
	src, dst, ports := addr("10.0.0.5"), addr("192.0.2.1"), [2]uint16{40000, 8001}
	if !fromClient {
		src, dst, ports = dst, src, [2]uint16{8001, 40000}
	}
	b := make([]byte, 20, 20+len(text))
	binary.BigEndian.PutUint16(b, ports[0])
	binary.BigEndian.PutUint16(b[2:], ports[1])
	binary.BigEndian.PutUint32(b[4:], seq)
	b[12], b[13] = 0x50, 0x18
	b = append(b, text...)
	// RFC 1071, word by word.
	s, odd := 6+uint32(len(b)), append(bytes.Clone(b), 0)
	from, to := src.As16(), dst.As16()
	for _, part := range [][]byte{from[12:], to[12:], odd[:len(odd)&^1]} {
		for i := 0; i < len(part); i += 2 {
			s += uint32(binary.BigEndian.Uint16(part[i:]))
		}
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(b[16:], ^uint16(s)+add)
	h := &tables.Header{IP: true, Protocol: tables.ProtocolTCP, Src: src, Dst: dst, SrcPort: ports[0], DstPort: ports[1],
		TCPSeq: seq, L4Offset: 20, PayloadOffset: 40, PayloadLength: len(text)}
	return &Packet{TS: ns, Header: h, Payload: b[20:], Segment: b, FromClient: fromClient, Client: addr("10.0.0.5"), Server: addr("192.0.2.1"),
		ConnID: 8, FlowID: 9, ID: tables.ID(ns), Kept: true, Begin: 1, Begins: true}
}

// TestOddities: what does not fit in a conversation is told of, also by an Observer that goes on
// where another ended, and is not read; what fits is told of nothing.
func TestOddities(t *testing.T) {
	const first, second = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n0123456789", "GET /b HTTP/1.1\r\nHost: h\r\n\r\n"
	third := "GET /c HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", maxWhole) + "\r\n\r\n"
	behind := 1 + uint32(len(first))
	type sent struct {
		seq  uint32
		text string
		add  uint16
	}
	all := func(more ...sent) []sent {
		return append(append([]sent{{1, first[:20], 0}, {21, first[20:], 0}}, more...), sent{behind, second, 0})
	}
	far := behind + farAhead
	for name, c := range map[string]struct {
		sent []sent
		want string // kind, packets, bytes and the first packet of each row
		uris string
	}{
		"nothing":             {all(), "", "/a /b"},
		"sent again":          {all(sent{1, first, 0}, sent{21, first[20:30], 0}), "", "/a /b"},
		"again, and more":     {[]sent{{1, first[:20], 0}, {11, first[10:], 0}, {behind, second, 0}}, "", "/a /b"},
		"a keepalive":         {all(sent{behind - 1, "x", 0}), "", "/a /b"},
		"others":              {all(sent{11, strings.Repeat("z", 12), 0}), "tcp_conflict 1 12 3", "/a /b"},
		"others, and more":    {[]sent{{1, first[:20], 0}, {19, "!!" + first[20:], 0}, {behind, second, 0}}, "tcp_conflict 1 2 2", "/a /b"},
		"others that wait":    {[]sent{{21, first[20:], 0}, {21, strings.ToUpper(first[20:]), 0}, {1, first[:20], 0}, {behind, second, 0}}, "tcp_conflict 1 14 2", "/a /b"},
		"others, twice":       {all(sent{3, "XX", 0}, sent{5, "XX", 0}), "tcp_conflict 2 4 3", "/a /b"},
		"out of any window":   {all(sent{far, "GET /c HTTP/1.1\r\n\r\n", 0}, sent{behind - farAhead, "x", 0}), "tcp_out_of_window 2 20 3", "/a /b"},
		"numbers that go on":  {all(sent{far, "xxx", 0}, sent{far + 3, "GET /c HTTP/1.1\r\n\r\n", 0}, sent{far + 22, second, 0})[:5], fmt.Sprintf("tcp_gap 1 %d 4, tcp_out_of_window 1 3 3", farAhead+3), "/a /c /b"},
		"a gap":               {[]sent{{1, first[:20], 0}, {behind, second, 0}}, fmt.Sprintf("tcp_gap 1 %d 2", len(first)-20), "/a /b"},
		"two gaps":            {[]sent{{1, first[:20], 0}, {behind, second, 0}, {behind + 100, second, 0}}, fmt.Sprintf("tcp_gap 2 %d 2", len(first)-20+100-len(second)), "/a /b /b"},
		"a wrong checksum":    {all(sent{behind, "GET /c HTTP/1.1\r\nHost: h\r\n\r\n", 1}), "tcp_bad_checksum 1 28 3", "/a /b"},
		"one right by chance": {[]sent{{1, first[:20], 7}, {21, first[20:40], 7}, {41, first[40:], 0}, {behind, second, 7}}, "", "/a /b"},
		"a wrong one first":   {[]sent{{1, first[:20], 7}, {21, first[20:40], 0}, {41, first[40:], 0}, {behind, "GET /c HTTP/1.1\r\n\r\n", 7}, {behind, second, 0}}, "tcp_bad_checksum 1 19 4", "/a /b"},
		"joined by a card":    {all(sent{behind, third, 1})[:3], "", "/a /c"},
		"none is filled in":   {[]sent{{1, first, 7}, {behind, second, 7}}, "", "/a /b"},
		"filled in by a card": {[]sent{{1, first[:20], 0}, {21, first[20:], 0xffff}, {behind, second, 0}}, "", "/a /b"},
		"cut by a card":       {[]sent{{1, first[:20], 0}, {21, first[20:], 0xfffe}, {behind, second, 0}}, "", "/a /b"},
	} {
		for end := range len(c.sent) + 2 {
			r := &rows{}
			o := New(r)
			again := func() {
				var b bytes.Buffer
				state, kept := o.State(), State{}
				if err := errors.Join(gob.NewEncoder(&b).Encode(&state), gob.NewDecoder(&b).Decode(&kept)); err != nil {
					t.Fatal(err)
				}
				o = New(r)
				o.Resume(&kept)
			}
			for i, s := range c.sent {
				if i == end {
					again()
				}
				p := segmentOf(int64(i+1), true, s.seq, s.text, s.add)
				p.TS += 1e18         // far from what a clock begins with
				if s.add >= 0xfffe { // as a kernel leaves it to its card: of the addresses, the protocol and, of what it sends whole, the length
					src, dst := p.Header.Src.As16(), p.Header.Dst.As16()
					binary.BigEndian.PutUint16(p.Segment[16:], folded(sum(src[12:])+sum(dst[12:])+6+uint64(len(p.Segment))*uint64(s.add&1)))
				}
				p.First = i == 0
				o.Observe(p)
			}
			if end == len(c.sent) { // it ends before another packet comes
				again()
			}
			o.End(8)
			if err := o.Flush(); err != nil || o.Stats().Panics > 0 || o.held != 0 || o.tails != 0 {
				t.Fatalf("%s: %v, %+v, %d and %d bytes held", name, err, o.Stats(), o.held, o.tails)
			}
			var got, uris []string
			for _, x := range r.odd {
				got = append(got, fmt.Sprint(x.Kind, " ", x.Packets, " ", x.Bytes, " ", int64(x.PacketID.V)))
				if x.SentBy != tables.RoleClient || x.Client.V != addr("10.0.0.5") || x.ServerPort.V != 8001 || x.ConnID.V != 8 || x.FlowID.V != 9 {
					t.Errorf("%s: %+v", name, x)
				}
			}
			for _, x := range r.http {
				uris = append(uris, x.URI)
			}
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("%s, another from %d on: %q, want %q", name, end, text, c.want)
			}
			if text := strings.Join(uris, " "); text != c.uris {
				t.Errorf("%s, another from %d on: read %q, want %q", name, end, text, c.uris)
			}
		}
	}
}

// TestOdditiesAreBounded: of one end, and in all, there are few rows however much is odd.
func TestOdditiesAreBounded(t *testing.T) {
	r := &rows{}
	o := New(r)
	const conversations = 300
	for conn := range conversations {
		for i, s := range []struct {
			seq  uint32
			text string
		}{{1, "GET /a HTTP/1.1\r\n"}, {1, "GET /b HTTP/1.1\r\n"}} {
			p := segmentOf(int64(conn*2+i+1), true, s.seq, s.text, 0)
			p.ConnID, p.First = tables.ID(conn+1), i == 0
			o.Observe(p)
		}
	}
	if err := o.Flush(); err != nil || o.tails != 0 {
		t.Fatal(err, o.tails)
	}
	packets := int64(0)
	for _, x := range r.odd {
		packets += x.Packets
	}
	if len(r.odd) != oddOfOne+1 || packets != conversations || o.Stats().Folded != conversations-oddOfOne {
		t.Errorf("%d rows of %d packets, %+v", len(r.odd), packets, o.Stats())
	}
	// Of many streams the first have their last bytes remembered.
	o = New(r)
	for conn := range maxTails/maxTail + 100 {
		p := segmentOf(1, true, 1, "GET /a HTTP/1.1\r\n", 0)
		p.ConnID, p.First = tables.ID(conn+1), true
		o.Observe(p)
	}
	if o.tails != maxTails {
		t.Errorf("%d bytes are remembered", o.tails)
	}
	if err := o.Flush(); err != nil || o.tails != 0 {
		t.Error(err, o.tails)
	}
}

// TestSum: eight bytes at a time are summed as two are.
func TestSum(t *testing.T) {
	b := make([]byte, 300)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	for n := range b {
		want := uint64(0)
		for i := 0; i < n; i += 2 {
			want += uint64(b[i]) << 8
			if i+1 < n {
				want += uint64(b[i+1])
			}
		}
		if got := folded(sum(b[:n])); got != folded(want) {
			t.Errorf("%d bytes: %x, want %x", n, got, folded(want))
		}
	}
	full := bytes.Repeat([]byte{0xff}, 1<<16)
	if got := folded(sum(full)); got != 0xffff {
		t.Errorf("%x", got)
	}
}

// TestChecksumsAgainstTshark: what is right is what tshark says is good.
func TestChecksumsAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip(err)
	}
	var files []string
	for _, pattern := range []string{"../../testdata/*/*.pcap*"} {
		found, _ := filepath.Glob(pattern)
		files = append(files, found...)
	}
	compared := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".gz") {
			continue
		}
		in, err := pcap.Open(file)
		if err != nil {
			continue
		}
		out, _ := exec.CommandContext(t.Context(), "tshark", "-n", "-r", file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.defragment:FALSE", "-T", "fields", "-e", "tcp.checksum.status", "-e", "tcp.checksum").Output()
		n := 0
		for line := range strings.Lines(string(out)) {
			n++
			var rec pcap.Record
			if in.Next(&rec) != nil {
				break
			}
			var h tables.Header
			tables.Decode(rec.Link, rec.Data, rec.Length, &h)
			status, said, _ := strings.Cut(strings.TrimSpace(line), "\t")
			stop := h.PayloadOffset + h.PayloadLength
			if len(status) != 1 || strings.Contains(said, ",") || h.Protocol != tables.ProtocolTCP || h.Fragment || h.Tunnel != tables.TunnelNone || stop > len(rec.Data) || h.PayloadOffset <= h.L4Offset || h.L4Offset <= 0 {
				continue
			}
			got := checked(&Packet{Header: &h, Segment: rec.Data[h.L4Offset:stop]})
			if got == sumUnknown {
				continue
			}
			compared++
			if (got == sumRight) != (status == "1") {
				t.Errorf("%s, packet %d: %d, tshark %s", file, n, got, status)
			}
		}
		in.Close()
	}
	if compared < 3000 {
		t.Errorf("only %d checksums", compared)
	}
	t.Logf("%d checksums of %d files", compared, len(files))
}
