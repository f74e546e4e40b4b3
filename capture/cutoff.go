package capture

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/capture/filter"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Cutoff says how much is kept of some conversations: so many bytes of their
// payload, both directions together, in the order they come, and the headers of
// all packets. What is not kept is counted, and is decoded by nobody: recording,
// and metering again what was recorded, see the same bytes.
type Cutoff struct {
	of    *filter.Flows
	bytes int64
}

// maxCutoffs bounds how many there are.
const maxCutoffs = 64

// ParseCutoffs reads cutoffs, each FILTER=BYTES: BYTES is headers, or a number,
// maybe with k, m or g behind it (powers of 1024); FILTER may be empty, for all.
// Of those that hold for a conversation the first one counts.
func ParseCutoffs(texts []string) ([]Cutoff, error) {
	if len(texts) > maxCutoffs {
		return nil, fmt.Errorf("%d cutoffs: there may be %d", len(texts), maxCutoffs)
	}
	var out []Cutoff
	for _, text := range texts {
		at := strings.LastIndexByte(text, '=')
		if at < 0 {
			return nil, fmt.Errorf("cutoff %q: it is FILTER=BYTES or FILTER=headers", text)
		}
		bytes, err := parseCutoffBytes(strings.ToLower(strings.TrimSpace(text[at+1:])))
		if err != nil {
			return nil, fmt.Errorf("cutoff %q: %w", text, err)
		}
		of, err := filter.CompileFlows(text[:at])
		if err != nil {
			return nil, fmt.Errorf("cutoff %q: %w", text, err)
		}
		out = append(out, Cutoff{of, bytes})
	}
	return out, nil
}

func parseCutoffBytes(text string) (int64, error) {
	if text == "headers" {
		return 0, nil
	}
	digits := strings.TrimRight(text, "kmg")
	shift := map[string]int{"": 0, "k": 10, "m": 20, "g": 30}
	by, ok := shift[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 0 || n > math.MaxInt64>>by {
		return 0, fmt.Errorf("%q is no number of bytes, such as 4096, 64k or 1m, nor headers", text)
	}
	return n << by, nil
}

// payload is where the payload of an IP packet begins in its bytes, and how long
// it is on the wire: what is behind layer 4, of a later fragment all that is
// behind layer 3. Both are 0 where that is not known.
func payload(h *tables.Header) (at, length int) {
	if h.PayloadOffset > 0 {
		return h.PayloadOffset, h.PayloadLength
	}
	if h.FragmentOffset == 0 || h.L4Offset == 0 {
		return 0, 0
	}
	return h.L4Offset, max(0, h.L3Offset+h.L3Length-h.L4Offset)
}

// Kept are the bytes of a packet that cutoffs leave: rec and p, which is about to be
// metered, are changed to have no others. A fragment that comes before the first one
// of its datagram is left whole: whose it is isn't known.
func (m *Meter) Kept(rec *pcap.Record, p *Packet) {
	at, length := payload(p.Header)
	if !p.Header.IP || length == 0 || p.Header.Fragment && m.frags.isEarly(p.Header, p.TS) {
		return
	}
	allowed := m.allowed(p)
	if allowed >= int64(length) || at+int(allowed) >= len(rec.Data) {
		return
	}
	data := rec.Data[:at+int(allowed)]
	// Who reads it again has to see the same packet. One that contradicts itself may
	// look different without its end, and stays as it is.
	if tables.Decode(rec.Link, data, rec.Length, &m.reread); m.reread == *p.Header {
		rec.Data, p.Data = data, data
	}
}

// allowed is how much of an IP packet's payload may be kept.
func (m *Meter) allowed(p *Packet) int64 {
	h := *p.Header // later fragments get their protocol
	srcPort, dstPort, whole := m.ports(&h, p.TS)
	var first conversation
	swapped := first.key.set(&h, srcPort, dstPort)
	side := uint8(0)
	if swapped {
		side = 1
	}
	c := &first
	if n := m.table.find(&first.key, first.key.hash(m.secret)); n != 0 {
		tcp := &h
		if !whole || h.Protocol != tables.ProtocolTCP {
			tcp = nil
		}
		if c = m.table.at(n); c.over(&m.cfg, tcp, int(side^c.client), p.TS) != endNone {
			c = &first
		}
	}
	if c == &first {
		sourceIsClient, _ := orient(&h, srcPort, dstPort, whole)
		if first.client = side; !sourceIsClient {
			first.client ^= 1
		}
	}
	if c.cutoff == cutoffUnknown {
		c.cutoff = m.cutoffOf(c)
	}
	if c.cutoff == cutoffNone {
		return math.MaxInt64
	}
	return max(0, m.cfg.Cutoffs[c.cutoff-1].bytes-c.payload)
}

// Which cutoff a conversation has, counted from 1.
const (
	cutoffUnknown = 0
	cutoffNone    = 255
)

func (m *Meter) cutoffOf(c *conversation) uint8 {
	client, server, clientPort, serverPort := c.ends()
	for i := range m.cfg.Cutoffs {
		if m.cfg.Cutoffs[i].of.Match(client, server, clientPort, serverPort, c.protocol) {
			return uint8(i + 1)
		}
	}
	return cutoffNone
}
