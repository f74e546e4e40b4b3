package collector

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestAllowList(t *testing.T) {
	for _, c := range []struct {
		list  string // entries apart by blanks
		from  string
		want  Outcome
		shown string // observer site
	}{
		{"", "10.0.0.1:1", Decoded, "10.0.0.1 "},
		{"10.0.0.1", "10.0.0.1:1", Decoded, "10.0.0.1 "},
		{"10.0.0.1", "10.0.0.2:1", Refused, ""},
		{"10.0.0.1", "[::ffff:10.0.0.1]:1", Decoded, "10.0.0.1 "},
		{"10.0.0.0/8,name=core,site=hq", "10.200.0.2:1", Decoded, "core hq"},
		{"10.0.0.0/8,name=core 10.1.0.0/16,name=edge", "10.1.0.2:1", Decoded, "edge "},
		{"10.1.0.0/16,name=edge 10.0.0.0/8,name=core", "10.2.0.2:1", Decoded, "core "},
		{"10.0.0.1 name=a site=b 10.0.0.2", "10.0.0.1:1", Decoded, "a b"}, // as a flag splits it
		{"10.0.0.7/8", "10.0.0.1:1", Decoded, "10.0.0.1 "},
		{"2001:db8::/32,name=six", "[2001:db8::5]:1", Decoded, "six "},
		{"2001:db8::/32", "10.0.0.1:1", Refused, ""},
		{"0.0.0.0/0", "[2001:db8::5]:1", Refused, ""},
	} {
		d, s := newTestDecoder(t, Config{Exporters: strings.Fields(c.list)}, nil)
		o := d.Datagram(at(c.from), testTime, v5Datagram(0, 1))
		shown := ""
		if len(s.rows) > 0 {
			shown = s.rows[0].Observer + " " + s.rows[0].Site
		}
		if o != c.want || shown != c.shown {
			t.Errorf("%q from %s: %v %q, want %v %q", c.list, c.from, o, shown, c.want, c.shown)
		}
		if d.Close(testTime); (len(s.exporters) == 0) != (c.want == Refused) {
			t.Errorf("%q from %s: %d rows of exporters", c.list, c.from, len(s.exporters))
		}
	}
}

func TestAllowListErrors(t *testing.T) {
	for _, c := range []struct{ list, want string }{
		{"router1", `exporters: "router1" is neither an address nor a prefix`},
		{"10.0.0.0/33", `exporters: "10.0.0.0/33" is neither an address nor a prefix`},
		{"fe80::1%eth0", `exporters: "fe80::1%eth0" is neither an address nor a prefix`},
		{"name=a", `exporters: "name=a" comes before any address`},
		{"10.0.0.1,rate=5", `exporters: "rate=5": known are name, site and sampling`},
		{"10.0.0.1,sampling=0", `exporters: sampling "0" is not a number from 1 to 4294967295`},
		{"10.0.0.1 10.0.0.1", `exporters: 10.0.0.1 stands there twice`},
	} {
		_, err := NewDecoder(Config{Exporters: strings.Fields(c.list)}, &sink{}, nil)
		if err == nil || err.Error() != c.want {
			t.Errorf("%q: %v, want %s", c.list, err, c.want)
		}
	}
	if _, err := NewDecoder(Config{Stream: 1 << 24}, &sink{}, nil); err == nil {
		t.Error("a stream of 25 bits was taken")
	}
}

// TestSiblings is two exporters behind one address that both use domain 1 and
// templates of one number: no gaps, and nobody's data by the other's template.
func TestSiblings(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	a, b := at("192.0.2.1:1000"), at("192.0.2.1:2000")
	d.Datagram(a, testTime, ipfixMessage(5000, 1, set(2, templateOf(256, plainFields...))))
	d.Datagram(b, testTime, ipfixMessage(0, 1, set(2, templateOf(256, ie{0, 8, 4}))))
	for i := range uint32(100) {
		oa := d.Datagram(a, testTime, ipfixMessage(5000+i, 1, set(256, plainOf(uint64(i)))))
		ob := d.Datagram(b, testTime, ipfixMessage(2*i, 1, set(256, be(be(nil, 4, 1), 4, 2))))
		if oa != Decoded || ob != Decoded {
			t.Fatal(i, oa, ob)
		}
	}
	d.Close(testTime + 1)
	if c := s.sum(); len(s.rows) != 300 || c.Gaps+c.Resets+c.Duplicates+c.Reordered != 0 || len(s.exporters) != 1 || s.exporters[0].KnownTemplates != 2 {
		t.Errorf("%d rows, %+v", len(s.rows), s.exporters)
	}
	// One falls silent: it is forgotten, and was not the other restarted.
	d.Datagram(b, testTime+120e6, ipfixMessage(200, 1, set(256, be(nil, 4, 1))))
	d.Tick(testTime + 121e6)
	if c := s.sum(); c.Resets != 0 || d.streams.Load() != 1 || d.templates.Load() != 1 {
		t.Errorf("%d streams, %+v", d.streams.Load(), c)
	}
}

// TestPortChanges is an exporter that goes on from another port, one that
// takes turns between two, and one that restarts on another.
func TestPortChanges(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	from := func(port uint16, seq uint32) Outcome {
		return d.Datagram(netip.AddrPortFrom(testExporter.Addr(), port), testTime, ipfixMessage(seq, 1, set(256, plainOf(0))))
	}
	send(d, ipfixMessage(0, 1, set(2, templateOf(256, plainFields...))))
	for i := range uint32(10) {
		if o := from(uint16(1000+i%2), i); o != Decoded {
			t.Fatal(o)
		}
	}
	restarted := d.Datagram(at("192.0.2.1:3000"), testTime+1e6, ipfixMessage(0, 1, set(2, templateOf(256, plainFields...)), set(256, plainOf(0))))
	d.Tick(testTime + 2e6)
	d.Datagram(at("192.0.2.1:3000"), testTime+70e6, ipfixMessage(1, 1, set(256, plainOf(0))))
	d.Tick(testTime + 70e6)
	if c := s.sum(); restarted != Decoded || len(s.rows) != 12 || c.Gaps != 0 || c.Resets != 1 || d.streams.Load() != 1 {
		t.Errorf("%v, %d rows, %d streams, %+v", restarted, len(s.rows), d.streams.Load(), c)
	}
}

// TestRestartKeepsOptions is an exporter that restarts on another port and
// takes its time to say again how it samples.
func TestRestartKeepsOptions(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	send(d, ipfixMessage(900, 1, set(3, ipfixOptions(300, 1, ie{0, 149, 4}, ie{0, 34, 4})), set(300, be(be(nil, 4, 1), 4, 100))))
	for i, after := range []tables.Time{10e6, 70e6, 71e6} {
		d.Datagram(at("192.0.2.1:3000"), testTime+after, ipfixMessage(uint32(i), 1, set(2, templateOf(256, plainFields...)), set(256, plainOf(0))))
		d.Tick(testTime + after)
	}
	if len(s.rows) != 3 || s.rows[0].Sampling.Set || s.rows[2].Sampling != tables.Some(int64(100)) {
		t.Errorf("%d rows: %s", len(s.rows), showAll(s.rows))
	}
}

// TestPortOfEachDatagram is an exporter that uses a port for each datagram,
// and numbers none of them: the template it sent first holds on, also when the
// stream it came with is forgotten.
func TestPortOfEachDatagram(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	template := set(2, templateOf(256, plainFields...), be(nil, 2, 0))
	d.Datagram(at("192.0.2.1:1000"), testTime, ipfixMessage(7, 1, template))
	for i := range 200 {
		now := testTime + tables.Time(i+1)*1e6
		from := netip.AddrPortFrom(testExporter.Addr(), uint16(2000+i))
		if o := d.Datagram(from, now, ipfixMessage(3, 1, set(256, plainOf(1)))); o != Decoded {
			t.Fatalf("datagram %d: %v", i, o)
		}
		if err := d.Tick(now); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.rows) != 200 || d.templates.Load() != 1 || d.streams.Load() > 70 {
		t.Errorf("%d rows, %d templates, %d streams", len(s.rows), d.templates.Load(), d.streams.Load())
	}
	d.Tick(testTime + 48*3600e6)
	if d.templates.Load() != 0 || d.fields.Load() != 0 {
		t.Errorf("%d templates, %d fields after two days", d.templates.Load(), d.fields.Load())
	}
}

func TestDomainsAreNotGaps(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	for i := range uint32(50) {
		for domain := range uint32(4) {
			send(d, v9Datagram(1000*domain+i, domain))
		}
	}
	d.Close(testTime + 1)
	if c := s.sum(); c.Gaps+c.Resets != 0 || len(s.exporters) != 4 || c.Datagrams != 200 {
		t.Errorf("%d exporters, %+v", len(s.exporters), c)
	}
}

// TestReports is when rows of exporters come, and that they add up.
func TestReports(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	for i := range uint32(25) {
		now := testTime + tables.Time(i)*1e6
		d.Datagram(testExporter, now, v5Datagram(i*3, 3))
		d.Tick(now + 5e5)
	}
	if n := len(s.exporters); n != 3 { // the first at once, then each ten seconds
		t.Errorf("%d rows", n)
	}
	d.Close(testTime + 26e6)
	d.Close(testTime + 27e6)
	c := s.sum()
	if len(s.exporters) != 4 || c.Datagrams != 25 || c.Records != 75 || c.Bytes != 25*(24+3*48) {
		t.Errorf("%d rows, %+v", len(s.exporters), c)
	}
	for i := 1; i < len(s.exporters); i++ {
		if s.exporters[i].TS != s.exporters[i-1].TSEnd {
			t.Errorf("row %d begins at %d, the one before ends at %d", i, s.exporters[i].TS, s.exporters[i-1].TSEnd)
		}
	}
}

// TestSpoofed is a million datagrams of as many made-up exporters beside a
// good one, which loses nothing; memory has an end.
func TestSpoofed(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	template := ipfixMessage(0, 1, set(2, templateOf(256, plainFields...)))
	send(d, template)
	n := 1_000_000
	if testing.Short() {
		n = 100_000
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	bad := ipfixMessage(0, 1, set(2, templateOf(256, plainFields...)), set(300, make([]byte, 1000)))
	good := ipfixMessage(0, 1, set(256, plainOf(0)))
	seq := uint32(0)
	for i := range uint32(n) {
		d.Datagram(netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)}), 1), testTime, bad)
		if i%100 == 0 {
			binary.BigEndian.PutUint32(good[8:], seq)
			if o := send(d, good); o != "decoded" {
				t.Fatalf("the good exporter's datagram: %s", o)
			}
			seq++
		}
	}
	rows := len(s.rows)
	s.rows = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	if used := int64(after.HeapAlloc) - int64(before.HeapAlloc); used > 200<<20 {
		t.Errorf("%d MB for made-up exporters", used>>20)
	} else {
		t.Logf("%d MB for %d exporters", used>>20, len(d.exporters))
	}
	if len(d.exporters) > d.cfg.MaxExporters || rows != n/100 {
		t.Errorf("%d exporters, %d rows of the good one", len(d.exporters), rows)
	}
	// A minute later there is room for others again, and the good one is there.
	d.Tick(testTime + 61e6)
	if len(d.exporters) != 1 || d.templates.Load() != 1 || d.waiting.Load() != 0 || d.streams.Load() != 1 {
		t.Errorf("a minute later: %d exporters, %d templates, %d bytes waiting, %d streams", len(d.exporters), d.templates.Load(), d.waiting.Load(), d.streams.Load())
	}
	if o := d.Datagram(at("10.9.9.9:1"), testTime+62e6, v5Datagram(0, 1)); o != Decoded {
		t.Errorf("a new exporter: %v", o)
	}
}

// TestStreamFlood is one exporter with a made-up domain in each datagram.
func TestStreamFlood(t *testing.T) {
	d, s := newTestDecoder(t, Config{MaxStreams: 10}, nil)
	send(d, v9Datagram(0, 1))
	for domain := range uint32(1000) {
		send(d, v9Datagram(0, domain))
	}
	if o := send(d, v9Datagram(1, 1)); o != "decoded" || d.streams.Load() != 10 {
		t.Errorf("%s, %d streams", o, d.streams.Load())
	}
	if o := send(d, v9Datagram(1, 999)); o != "refused" {
		t.Errorf("one too many: %s", o)
	}
	d.Close(testTime + 1)
	if len(s.exporters) != 10 {
		t.Errorf("%d rows of exporters", len(s.exporters))
	}
}

// TestGoroutines decodes for several exporters at once, with ticks and states
// between; the race detector watches.
func TestGoroutines(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	var working sync.WaitGroup
	const workers, datagrams = 4, 300
	for w := range workers {
		working.Go(func() {
			for i := range uint32(datagrams) {
				from := at(fmt.Sprintf("10.0.0.%d:1", (w+int(i))%3))
				d.Datagram(from, testTime, ipfixMessage(i, uint32(w), set(2, templateOf(256, plainFields...)), set(256, plainOf(0), plainOf(1))))
				d.Datagram(from, testTime, v5Datagram(i, 30))
			}
		})
	}
	for i := range 50 {
		if err := d.Tick(testTime + tables.Time(i)*1e6); err != nil {
			t.Error(err)
		}
		d.State()
	}
	working.Wait()
	d.Close(testTime + 100e6)
	ids := map[tables.ID]bool{}
	for i := range s.rows {
		ids[s.rows[i].FlowID] = true
	}
	if c := s.sum(); len(ids) != workers*datagrams*32 || c.Records != int64(len(ids)) || c.Datagrams != 2*workers*datagrams {
		t.Errorf("%d flow ids, %+v", len(ids), c)
	}
}

type failing struct{ discard }

func (failing) Exports([]tables.Export) error { return errFull }

var errFull = fmt.Errorf("disk full")

func TestSinkErrors(t *testing.T) {
	d, err := NewDecoder(Config{}, &failing{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if o := send(d, v5Datagram(0, 1)); o != "decoded" {
		t.Error(o)
	}
	if err := d.Tick(testTime); err == nil || err.Error() != "disk full" {
		t.Errorf("%v", err)
	}
	if err := d.Tick(testTime); err != nil {
		t.Errorf("said twice: %v", err)
	}
}
