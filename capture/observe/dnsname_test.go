package observe

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// asked returns the row of a query for a name of these labels.
func asked(t *testing.T, labels ...string) tables.DNS {
	t.Helper()
	message := []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0}
	for _, l := range labels {
		message = append(append(message, byte(len(l))), l...)
	}
	message = append(message, 0, 0, 10, 0, 1)
	sink := &rows{}
	o := New(sink)
	o.Observe(&Packet{TS: 1, Header: &tables.Header{IP: true, Protocol: tables.ProtocolUDP, SrcPort: 4000, DstPort: 53}, Payload: message})
	if err := o.Flush(); err != nil || len(sink.dns) != 1 {
		t.Fatalf("%q: %d rows, %v", labels, len(sink.dns), err)
	}
	return sink.dns[0]
}

// TestNamesOfQueries writes names of all kinds of bytes; their text is by the
// rules of dnsname.go.
func TestNamesOfQueries(t *testing.T) {
	none := tables.Opt[int32]{}
	for _, c := range []struct {
		labels     []string
		query, raw string
		length     tables.Opt[int32]
	}{
		{[]string{"www", "example"}, "www.example", "", none},
		{[]string{"WWW", "Example"}, "www.example", "WWW.Example", none},
		{[]string{}, "", "", tables.Some[int32](0)},
		{[]string{"a.b", "c"}, `a\.b.c`, "", tables.Some[int32](5)},
		{[]string{`a\`, "c"}, `a\\.c`, "", tables.Some[int32](4)},
		{[]string{"a."}, `a\.`, "", tables.Some[int32](2)},
		{[]string{"b\xfcro", "x"}, "b\u00fcro.x", "", none},                                // ISO 8859-1
		{[]string{"b\u00fcro", "x"}, "b\u00fcro.x", "", tables.Some[int32](7)},             // UTF-8
		{[]string{"b\u00fcro", "\xff"}, "b\u00c3\u00bcro.\u00ff", "", none},                // one label is not
		{[]string{"J\xc4GER"}, "j\u00c4ger", "J\u00c4GER", none},                           // ASCII is folded, no more
		{[]string{"\x00\x1b[2J\x7f", "x"}, "\x00\x1b[2j\x7f.x", "\x00\x1b[2J\x7f.x", none}, // as they are
	} {
		d := asked(t, c.labels...)
		if d.Query != c.query || d.QueryRaw != c.raw || d.QueryLength != c.length || d.QType != "TYPE10" {
			t.Errorf("%q: %q raw %q length %v type %s, want %q, %q, %v", c.labels, d.Query, d.QueryRaw, d.QueryLength, d.QType, c.query, c.raw, c.length)
		}
	}
	// The longest: 253 bytes, all of them escaped.
	label := make([]byte, 63)
	for i := range label {
		label[i] = '\\'
	}
	d := asked(t, string(label), string(label), string(label), string(label[:61]))
	if n := utf8.RuneCountInString(d.Query); n != 2*250+3 || d.QueryLength.V != 253 || n > tables.DNSRelation.Column("query").Size {
		t.Errorf("%d characters, length %v", n, d.QueryLength)
	}
}

// TestTunnel reads the names of a tunnel, whose bytes are its payload, and
// compares each with gopacket's, byte by byte.
func TestTunnel(t *testing.T) {
	in, err := pcap.Open(filepath.Join(captures, "ndpi/dns-tunnel-iodine.pcap"))
	if err != nil {
		t.Skip("the shared captures are not here: ", err)
	}
	defer in.Close()
	sink := &rows{}
	o := New(sink)
	want := map[string]int{}
	for {
		var rec pcap.Record
		if err := in.Next(&rec); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		var h tables.Header
		tables.Decode(rec.Link, rec.Data, rec.Length, &h)
		if h.PayloadLength == 0 {
			continue
		}
		payload := rec.Data[h.PayloadOffset:]
		o.Observe(&Packet{TS: rec.TS, Header: &h, Payload: payload})
		var other layers.DNS
		if err := other.DecodeFromBytes(payload, gopacket.NilDecodeFeedback); err != nil {
			t.Fatal(err)
		}
		if !other.QR {
			want[string(other.Questions[0].Name)]++
		}
	}
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	longest, sum := 0, 0
	for _, d := range sink.dns {
		name := d.Query
		if d.QueryRaw != "" {
			name = d.QueryRaw
		}
		n := utf8.RuneCountInString(d.Query)
		if d.QueryLength.Set {
			n = int(d.QueryLength.V)
		}
		longest, sum = max(longest, n), sum+n
		if raw := onWire(name, n); want[raw] == 0 {
			t.Errorf("%q was not asked for", raw)
		} else {
			want[raw]--
		}
	}
	// Counted by hand from the bytes: 222 names of 46.83 on average. (Decoded as
	// UTF-8, where a few pairs of bytes are one character, they are 46.70.)
	if len(sink.dns) != 222 || longest != 252 || sum != 10396 {
		t.Errorf("%d names, %d bytes, longest %d", len(sink.dns), sum, longest)
	}
}
