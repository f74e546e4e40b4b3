package collector

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// Fields most tests use: addresses, ports, protocol, octets, packets.
var plainFields = []ie{{0, 8, 4}, {0, 12, 4}, {0, 7, 2}, {0, 11, 2}, {0, 4, 1}, {0, 1, 4}, {0, 2, 4}}

// plain is a record of plainFields.
func plainOf(n uint64) []byte {
	b := be(be(nil, 4, 0x0a000000+n), 4, 0xc0a80101)
	return be(be(be(be(be(b, 2, 1000+n), 2, 53), 1, 17), 4, 300+n), 4, 3)
}

func plainRow(n int) string {
	return fmt.Sprintf("src=10.0.0.%d dst=192.168.1.1 src_port=%d dst_port=53 protocol_number=17 bytes=%d packets=3 time_quality=received", n, 1000+n, 300+n)
}

// v9Options is an options template of NetFlow v9.
func v9Options(id uint16, scopes []ie, fields ...ie) []byte {
	b := be(be(be(nil, 2, uint64(id)), 2, uint64(4*len(scopes))), 2, uint64(4*len(fields)))
	return append(append(b, fieldsOf(scopes...)...), fieldsOf(fields...)...)
}

// ipfixOptions is an options template of IPFIX, its first scopes fields scopes.
func ipfixOptions(id uint16, scopes int, fields ...ie) []byte {
	b := be(be(be(nil, 2, uint64(id)), 2, uint64(len(fields))), 2, uint64(scopes))
	return append(b, fieldsOf(fields...)...)
}

// step is a datagram and what becomes of it.
type step struct {
	data    []byte
	outcome string
	rows    int
}

// TestTemplates is what exporters, and others, do with templates. The first
// group is the inputs that hang, fool or crash other collectors.
func TestTemplates(t *testing.T) {
	m, v9 := ipfixMessage, v9Datagram
	plainTemplate := set(2, templateOf(256, plainFields...))
	for _, c := range []struct {
		name  string
		steps []step
	}{
		{"withdrawal, then data", []step{
			{m(0, 1, set(2, be(be(nil, 2, 256), 2, 0))), "decoded", 0},
			{m(0, 1, set(256, make([]byte, 4))), "waiting", 0},
		}},
		{"template of one field without octets, then data", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 8, 0}))), "undecodable", 0},
			{m(0, 1, set(256, make([]byte, 8))), "waiting", 0},
		}},
		{"v9 template of fields without octets, then data", []step{
			{v9(0, 1, set(0, templateOf(256, ie{0, 8, 0}, ie{0, 12, 0}, ie{0, 1, 0}))), "undecodable", 0},
			{v9(1, 1, set(256, make([]byte, 4))), "waiting", 0},
		}},
		{"v9 options template of fields without octets, then data", []step{
			{v9(0, 1, set(1, v9Options(256, []ie{{0, 1, 0}}, ie{0, 34, 0}))), "undecodable", 0},
			{v9(1, 1, set(256, make([]byte, 4))), "waiting", 0},
		}},
		{"variable length alone", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 96, variable}))), "decoded", 0},
			{m(0, 1, set(256, []byte("\x03abc\x02de"))), "decoded", 2},
		}},
		{"one octet and variable length, padded", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 4, 1}, ie{0, 96, variable}))), "decoded", 0},
			{m(0, 1, set(256, []byte("\x06\x02ab\x11\x01c\x00\x00\x00"))), "decoded", 2},
		}},
		{"variable length beyond the set", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 4, 1}, ie{0, 96, variable}))), "decoded", 0},
			{m(0, 1, set(256, []byte("\x06\x02ab\x11\xc8abcd"))), "undecodable", 1},
		}},
		{"variable length in three octets", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 96, variable}, ie{0, 4, 1}))), "decoded", 0},
			{m(0, 1, set(256, []byte("\xff\x00\x02ab\x06\xff\x00\x00\x11"))), "decoded", 2},
		}},
		{"variable length cut within its length", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 4, 4}, ie{0, 96, variable}))), "decoded", 0},
			{m(0, 1, set(256, []byte("\x00\x00\x00\x06\xff\x00"))), "undecodable", 0},
		}},
		{"field of variable length in v9, of H3C", []step{
			{v9(0, 1, set(0, templateOf(256, ie{0, 8, 4}, ie{0, 96, variable}))), "decoded", 0},
			{v9(1, 1, set(256, []byte("\x0a\x00\x00\x01\x03dns\x0a\x00\x00\x02\xff\x00\x04http\x00"))), "decoded", 2},
		}},
		{"records longer than a datagram", []step{
			{m(0, 1, set(2, templateOf(256, ie{0, 82, 40000}, ie{0, 83, 40000}))), "undecodable", 0},
		}},

		{"plain", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(256, plainOf(0), plainOf(1))), "decoded", 2},
		}},
		{"padding", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(256, plainOf(0), []byte{9, 9, 9})), "decoded", 1},
			{m(1, 1, set(256, plainOf(0), make([]byte, 20))), "decoded", 1},
			{m(2, 1, set(256, plainOf(0), []byte{0, 0, 0, 1})), "undecodable", 1},
		}},
		{"a v9 field without octets beside others", []step{
			{v9(0, 1, set(0, templateOf(256, ie{0, 8, 4}, ie{0, 62, 0}))), "decoded", 0},
			{v9(1, 1, set(256, make([]byte, 8))), "decoded", 2},
		}},
		{"a v9 record of one octet", []step{
			{v9(0, 1, set(0, templateOf(256, ie{0, 4, 1}, ie{0, 1, 0}))), "decoded", 0},
			{v9(1, 1, set(256, []byte{6, 17, 1, 6, 17})), "decoded", 5},
		}},
		{"an empty set before its template", []step{{m(0, 1, set(256)), "decoded", 0}}},
		{"data before its template", []step{
			{m(0, 1, set(256, plainOf(0))), "waiting", 0},
			{m(1, 1, set(256, plainOf(1)), set(257, plainOf(9))), "waiting", 0},
			{m(2, 1, plainTemplate), "decoded", 2},
			{m(2, 1, set(256, plainOf(2))), "decoded", 1},
		}},
		{"template and data in one message", []step{
			{m(0, 1, plainTemplate, set(256, plainOf(0))), "decoded", 1},
			{m(1, 2, set(256, plainOf(0)), plainTemplate), "waiting", 1},
		}},
		{"templates are a domain's own", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 2, set(256, plainOf(0))), "waiting", 0},
		}},
		{"templates are a version's own", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{v9(0, 1, set(256, plainOf(0))), "waiting", 0},
		}},
		{"redefined", []step{
			{m(0, 1, plainTemplate, set(256, plainOf(0))), "decoded", 1},
			{m(1, 1, set(2, templateOf(256, ie{0, 8, 4}))), "decoded", 0},
			{m(1, 1, set(256, make([]byte, 8))), "decoded", 2},
			{m(3, 1, plainTemplate, set(256, plainOf(0))), "decoded", 1},
		}},
		{"redefined as something broken keeps what was known", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(2, templateOf(256, ie{0, 8, 0}))), "undecodable", 0},
			{m(0, 1, set(256, plainOf(0))), "decoded", 1},
		}},
		{"withdrawn", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(2, be(be(nil, 2, 256), 2, 0)), set(256, plainOf(0))), "waiting", 0},
		}},
		{"all withdrawn", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(2, be(be(nil, 2, 2), 2, 0)), set(256, plainOf(0))), "waiting", 0},
		}},
		{"options withdrawn, not the others", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(3, be(be(nil, 2, 3), 2, 0)), set(256, plainOf(0))), "decoded", 1},
		}},
		{"set shorter than its header", []step{{m(0, 1, []byte{1, 0, 0, 3}), "undecodable", 0}}},
		{"set of length 0", []step{{m(0, 1, []byte{1, 0, 0, 0}), "undecodable", 0}}},
		{"set beyond the datagram", []step{
			{m(0, 1, plainTemplate), "decoded", 0},
			{m(0, 1, set(256, plainOf(0), plainOf(1))[:4+21+10]), "undecodable", 1},
		}},
		{"set of a reserved number", []step{{m(0, 1, set(4, make([]byte, 8))), "undecodable", 0}}},
		{"a v9 set in IPFIX", []step{{m(0, 1, set(0, templateOf(256, plainFields...))), "undecodable", 0}}},
		{"template cut off", []step{{m(0, 1, set(2, templateOf(256, plainFields...)[:20])), "undecodable", 0}}},
		{"template with an enterprise cut off", []step{{m(0, 1, set(2, templateOf(256, ie{6871, 21, 4})[:8])), "undecodable", 0}}},
		{"template number below 256", []step{{m(0, 1, set(2, templateOf(255, plainFields...))), "undecodable", 0}}},
		{"template of too many fields", []step{{m(0, 1, set(2, templateOf(256, make([]ie, 2000)...))), "undecodable", 0}}},
		{"options template without scope", []step{{m(0, 1, set(3, ipfixOptions(256, 0, plainFields...))), "undecodable", 0}}},
		{"options template of more scopes than fields", []step{{m(0, 1, set(3, ipfixOptions(256, 9, plainFields...))), "undecodable", 0}}},
		{"v9 options template of odd length", []step{{v9(0, 1, set(1, []byte{1, 0, 0, 3, 0, 4, 0, 1, 0, 4, 0, 34, 0, 4})), "undecodable", 0}}},
		{"IPFIX message length below its header's", []step{{[]byte("\x00\x0a\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "undecodable", 0}}},
		{"IPFIX header cut off", []step{{m(0, 1)[:15], "undecodable", 0}}},
		{"v9 header cut off", []step{{v9(0, 1)[:19], "undecodable", 0}}},
		{"bytes after the IPFIX message", []step{{append(m(0, 1), 1, 2, 3), "undecodable", 0}}},
		{"message without sets", []step{{m(0, 1), "decoded", 0}, {v9(0, 1), "decoded", 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			for i, step := range c.steps {
				before := len(s.rows)
				if o := send(d, step.data); o != step.outcome || len(s.rows)-before != step.rows {
					t.Errorf("step %d: %s, %d rows; want %s, %d", i+1, o, len(s.rows)-before, step.outcome, step.rows)
				}
			}
		})
	}
}

func TestWaitingIsDecodedAsItCame(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	d.Datagram(testExporter, testTime, ipfixMessage(0, 1, set(256, plainOf(5))))
	d.Datagram(testExporter, testTime+60e6, ipfixMessage(1, 1, set(2, templateOf(256, plainFields...))))
	if got := showAll(s.rows); got != plainRow(5) || s.rows[0].TimeReceived.V != testTime || s.rows[0].TS != testTime {
		t.Errorf("%s, received %d", got, s.rows[0].TimeReceived.V-testTime)
	}
	d.Close(testTime + 61e6)
	if c := s.sum(); c.Waited != 1 || c.Late != 1 || c.Expired != 0 || c.Records != 1 || s.exporters[0].Waiting != 0 || c.Gaps+c.Resets != 0 {
		t.Errorf("counts %+v", c)
	}
}

func TestWaitingIsBounded(t *testing.T) {
	d, s := newTestDecoder(t, Config{WaitBytes: 10_000}, nil)
	data := ipfixMessage(0, 1, set(256, make([]byte, 840))) // 1000 with what it costs
	for range 25 {
		if o := send(d, data); o != "waiting" {
			t.Fatal(o)
		}
	}
	if o := send(d, ipfixMessage(0, 1, set(256, make([]byte, 12_000)))); o != "undecodable" {
		t.Errorf("one larger than all there is room for: %s", o)
	}
	d.Tick(testTime + 1e6)
	if c := s.sum(); c.Waited != 25 || c.Expired != 16 || s.exporters[0].Waiting != 10 || d.waiting.Load() != 10_000 {
		t.Errorf("counts %+v, %d waiting, %d bytes", c, s.exporters[0].Waiting, d.waiting.Load())
	}
	d.Close(testTime + 31*60e6)
	if c := s.sum(); c.Expired != 26 || d.waiting.Load() != 0 {
		t.Errorf("counts %+v, %d bytes after the time to wait", c, d.waiting.Load())
	}
}

// TestWaitingSmall is as many sets as fit, which wait for as many templates as
// fit, twice over: what one costs must not grow with their number.
func TestWaitingSmall(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	start := time.Now()
	const ids = 4000
	for range 2 {
		for from := 0; from < ids; from += 500 {
			var sets [][]byte
			for i := range 12_000 {
				sets = append(sets, set(uint16(firstTemplate+from+i%500), []byte{6}))
			}
			if o := send(d, v9Datagram(0, 1, sets...)); o != "waiting" {
				t.Fatal(o)
			}
		}
		var templates []byte
		for id := firstTemplate; id < firstTemplate+ids; id++ {
			templates = append(templates, templateOf(uint16(id), ie{0, 4, 1})...)
		}
		send(d, v9Datagram(0, 1, set(0, templates)))
		e := d.exporters[tables.AddrFromNetip(testExporter.Addr())]
		for id := range e.last.templates {
			d.dropTemplate(e, e.last, id)
		}
	}
	d.Close(testTime + 1)
	c := s.sum()
	if c.Waited != 2*8*12_000 || c.Late+c.Expired != c.Waited || c.Late != int64(len(s.rows)) || d.waiting.Load() != 0 {
		t.Errorf("%d rows, %d bytes waiting, %+v", len(s.rows), d.waiting.Load(), c)
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestTemplateTTL(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	template := ipfixMessage(0, 1, set(2, templateOf(256, plainFields...)))
	send(d, template)
	const hour = tables.Time(3600e6)
	d.Datagram(testExporter, testTime+12*hour, template) // says the same: lasts longer
	d.Tick(testTime + 30*hour)
	if o := d.Datagram(testExporter, testTime+30*hour, ipfixMessage(0, 1, set(256, plainOf(0)))); o != Decoded {
		t.Error("a template announced again was forgotten")
	}
	d.Tick(testTime + 37*hour)
	if o := d.Datagram(testExporter, testTime+37*hour, ipfixMessage(1, 1, set(256, plainOf(0)))); o != Waiting {
		t.Error("a template not announced for a day is known")
	}
	if c := s.sum(); c.Templates != 1 {
		t.Errorf("%d templates learnt", c.Templates)
	}
}

// TestTemplateFlood fills an exporter with templates: what it had stays, and
// there is an end.
func TestTemplateFlood(t *testing.T) {
	d, s := newTestDecoder(t, Config{MaxTemplates: 100}, nil)
	good := ipfixMessage(0, 1, set(2, templateOf(256, plainFields...)))
	send(d, good)
	for id := 257; id < 65536; id++ {
		send(d, ipfixMessage(0, 1, set(2, templateOf(uint16(id), plainFields...))))
	}
	if n := d.templates.Load(); n != 100 {
		t.Errorf("%d templates kept", n)
	}
	if o := send(d, good, ipfixMessage(0, 1, set(256, plainOf(0)))); o != "decoded decoded" || len(s.rows) != 1 {
		t.Errorf("the template before the flood: %s", o)
	}
	wide := make([]ie, maxFields)
	for i := range wide {
		wide[i] = ie{0, 4, 1}
	}
	send(d, ipfixMessage(0, 1, set(2, be(be(nil, 2, 2), 2, 0))))
	for id := 256; id < 1000; id++ {
		send(d, ipfixMessage(0, 1, set(2, templateOf(uint16(id), wide...))))
	}
	if n := d.fields.Load(); n > 1600 {
		t.Errorf("%d fields kept", n)
	}
	send(d, ipfixMessage(0, 1, set(2, be(be(nil, 2, 2), 2, 0))))
	if d.templates.Load() != 0 || d.fields.Load() != 0 {
		t.Errorf("%d templates, %d fields after all were withdrawn", d.templates.Load(), d.fields.Load())
	}
}

// TestTemplateSwap redefines a template with each message.
func TestTemplateSwap(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	short := []ie{{0, 8, 4}, {0, 12, 4}, {0, 4, 1}}
	seq := uint32(0)
	for range 1000 {
		a := ipfixMessage(seq, 1, set(2, templateOf(256, plainFields...)), set(256, plainOf(1), plainOf(2)))
		b := ipfixMessage(seq+2, 1, set(2, templateOf(256, short...)), set(256, plainOf(1)[:9], plainOf(2)[:9], plainOf(3)[:9]))
		if o := send(d, a, b); o != "decoded decoded" {
			t.Fatal(o)
		}
		seq += 5
	}
	d.Close(testTime + 1)
	if c := s.sum(); len(s.rows) != 5000 || c.Missing+c.Resets+c.Duplicates != 0 || c.Templates != 2000 || d.templates.Load() != 1 {
		t.Errorf("%d rows, %+v", len(s.rows), c)
	}
}

// TestManyRecords decodes the most a datagram can hold.
func TestManyRecords(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	send(d, v9Datagram(0, 1, set(0, templateOf(256, ie{0, 4, 1}))))
	if o := send(d, v9Datagram(1, 1, set(256, bytes.Repeat([]byte{6}, 65000)))); o != "decoded" || len(s.rows) != 65000 {
		t.Fatalf("%s, %d rows", o, len(s.rows))
	}
	for i := range s.rows {
		if s.rows[i].FlowID != tables.ID(i) || s.rows[i].Protocol != 6 {
			t.Fatalf("row %d: id %d, protocol %d", i, s.rows[i].FlowID, s.rows[i].Protocol)
		}
	}
}

// TestNoDatagramIsSlow decodes the most work that fits a datagram, in each way
// we know to ask for it. The bound is far above what they take, and far below
// what one step in the square of the datagram's length would.
func TestNoDatagramIsSlow(t *testing.T) {
	bound := 2 * time.Second
	if raceDetector {
		bound *= 10
	}
	empty := func(n int, last ...ie) []ie { return append(make([]ie, n), last...) }
	repeat := func(b []byte, room int) []byte { return bytes.Repeat(b, room/len(b)) }
	flap := append(set(300, be(be(nil, 4, 0), 4, 10)), set(300, be(be(nil, 4, 0), 4, 20))...)
	for _, c := range []struct {
		name          string
		before, after []byte
	}{
		{"records of an octet", v9Datagram(0, 1, set(0, templateOf(256, ie{0, 4, 1}))), v9Datagram(1, 1, set(256, make([]byte, 65000)))},
		{"records of an octet without a column", v9Datagram(0, 1, set(0, templateOf(256, ie{0, 3, 1}))), v9Datagram(1, 1, set(256, make([]byte, 65000)))},
		{"records of an octet and many fields without", v9Datagram(0, 1, set(0, templateOf(256, empty(1000, ie{0, 4, 1})...))), v9Datagram(1, 1, set(256, make([]byte, 65000)))},
		{"options records of an octet and many fields without", v9Datagram(0, 1, set(1, v9Options(256, nil, empty(1000, ie{0, 34, 1})...))), v9Datagram(1, 1, set(256, make([]byte, 65000)))},
		{"records of variable length and many fields without octets", ipfixMessage(0, 1, set(2, templateOf(256, empty(1000, ie{0, 96, variable})...))), ipfixMessage(0, 1, set(256, repeat([]byte{1, 65}, 65000)))},
		{"the same template again and again", nil, v9Datagram(0, 1, set(0, repeat(templateOf(256, ie{0, 4, 1}), 65000)))},
		{"a template redefined again and again", nil, v9Datagram(0, 1, set(0, repeat(append(templateOf(256, ie{0, 4, 1}), templateOf(256, ie{0, 5, 1})...), 65000)))},
		{"templates of many fields", nil, v9Datagram(0, 1, set(0, repeat(append(templateOf(256, empty(1000, ie{0, 4, 1})...), templateOf(256, empty(1000, ie{0, 5, 1})...)...), 65000)))},
		{"small sets that wait", nil, v9Datagram(0, 1, repeat(set(256, []byte{1}), 65000))},
		{"sampling rates back and forth", v9Datagram(0, 0, set(1, v9Options(300, []ie{{0, 1, 4}}, ie{0, 34, 4}))), v9Datagram(1, 0, repeat(flap, 65000))},
		{"samplers", v9Datagram(0, 0, set(1, v9Options(300, nil, ie{0, 48, 4}, ie{0, 34, 4}))), v9Datagram(1, 0, set(300, func() (b []byte) {
			for i := range uint64(8000) {
				b = be(be(b, 4, i), 4, i+1)
			}
			return b
		}()))},
		{"withdrawals", ipfixMessage(0, 1, set(2, repeat(templateOf(256, ie{0, 4, 1}), 8))), ipfixMessage(0, 1, set(2, repeat([]byte{0, 2, 0, 0}, 65000)))},
	} {
		d, err := NewDecoder(Config{}, &discard{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for domain := range uint32(200) { // so that what is done for each stream shows
			send(d, v9Datagram(0, domain))
		}
		if c.before != nil {
			send(d, c.before)
		}
		start := time.Now()
		send(d, c.after)
		took := time.Since(start)
		if took > bound {
			t.Errorf("%s: %v", c.name, took)
		}
		t.Logf("%8v %s", took.Round(10*time.Microsecond), c.name)
	}
}

// TestAllocations counts what decoding allocates once templates are known.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("under the race detector pools drop what they are given, at random")
	}
	for _, c := range []struct {
		name   string
		fields []ie
		record []byte
	}{
		{"fixed length", benchFields, benchRecord(1)},
		{"variable length", append([]ie{{0, 96, variable}}, plainFields...), append([]byte("\x05http2"), plainOf(1)...)},
		{"sampled header", []ie{{0, 312, 2}, {0, 315, 54}}, append(be(nil, 2, 1000), testFrame()...)},
		{"extra that was there before", append([]ie{{0, 148, 8}}, plainFields...), append(be(nil, 8, 77), plainOf(1)...)},
	} {
		d, err := NewDecoder(Config{}, &discard{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		send(d, ipfixMessage(0, 1, set(2, templateOf(256, c.fields...))))
		data := ipfixMessage(0, 1, set(256, c.record, c.record))
		n := uint32(0)
		if a := testing.AllocsPerRun(1000, func() {
			binary.BigEndian.PutUint32(data[8:], n)
			n += 2
			if o := d.Datagram(testExporter, testTime, data); o != Decoded {
				t.Fatal(o)
			}
		}); a != 0 {
			t.Errorf("%s: %v allocations", c.name, a)
		}
	}
	d, err := NewDecoder(Config{}, &discard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := v5Datagram(0, 30)
	if a := testing.AllocsPerRun(1000, func() { d.Datagram(testExporter, testTime, data) }); a != 0 {
		t.Errorf("v5: %v allocations", a)
	}
}

// testFrame is the start of an Ethernet frame: IPv4, TCP, SYN.
func testFrame() []byte {
	b := make([]byte, 54)
	copy(b, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00")
	copy(b[14:], "\x45\x00\x03\xda\x00\x00\x00\x00\x40\x06\x00\x00\x0a\x00\x00\x01\xc0\xa8\x01\x01")
	copy(b[34:], "\x04\x01\x00\x50\x00\x00\x00\x01\x00\x00\x00\x00\x50\x02\x20\x00")
	return b
}
