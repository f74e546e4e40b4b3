package collector

import (
	"encoding/binary"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// sequenceOf writes datagrams one after another, each behind its length.
func sequenceOf(datagrams ...[]byte) (b []byte) {
	for _, d := range datagrams {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(d))), d...)
	}
	return b
}

// vendorDatagrams reads the recorded datagrams of real exporters, templates
// before data; none when they are not there.
func vendorDatagrams(t testing.TB) (list [][]byte) {
	files, _ := filepath.Glob("../../shared/captures/netflow-dat/*.dat")
	sort.Slice(files, func(i, j int) bool {
		a, b := files[i], files[j]
		ta, tb := filepath.Ext(a[:len(a)-4]), filepath.Ext(b[:len(b)-4])
		if ta != tb {
			return ta > tb
		}
		return a > b // …_tpl before …_data
	})
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) <= 0xffff {
			list = append(list, b)
		}
	}
	return list
}

// checkedSink fails on rows that can't be.
type checkedSink struct {
	t    testing.TB
	rows int64
}

func (s *checkedSink) Exports(rows []tables.Export) error {
	for i := range rows {
		r := &rows[i]
		s.rows++
		if r.TS > r.TSEnd || r.TSEnd > testTime+maxAhead+1e6 || r.Bytes < 0 || r.Packets < 0 || r.ReverseBytes.V < 0 ||
			r.SrcPort|r.DstPort > 65535 || r.SrcPort|r.DstPort < 0 || r.Protocol < 0 || r.Protocol > 255 || r.TimeQuality == "" {
			s.t.Fatalf("row %+v", *r)
		}
		if r.Extra != "" && !json.Valid([]byte(r.Extra)) {
			s.t.Fatalf("extra is no JSON: %q", r.Extra)
		}
	}
	return nil
}

func (s *checkedSink) Exporter(*tables.Exporter) error { return nil }
func (s *checkedSink) Socket(*tables.Socket) error     { return nil }

// FuzzDatagrams decodes sequences of datagrams, from two exporters in turn,
// and what State keeps of them.
func FuzzDatagrams(f *testing.F) {
	template := set(2, templateOf(256, plainFields...))
	seeds := [][][]byte{
		{v5Datagram(0, 2), v5Datagram(2, 1)},
		{ipfixMessage(0, 1, template), ipfixMessage(0, 1, set(256, plainOf(0), plainOf(1)))},
		{ipfixMessage(0, 1, set(256, plainOf(0))), nil, ipfixMessage(1, 1, template), nil, ipfixMessage(1, 1, set(2, be(be(nil, 2, 256), 2, 0)))},
		{v9Datagram(0, 1, set(0, templateOf(256, ie{0, 8, 4}, ie{0, 22, 4}, ie{0, 21, 4}, ie{0, 48, 1})), set(1, v9Options(300, []ie{{0, 2, 4}}, ie{0, 34, 4}, ie{0, 48, 1}, ie{0, 82, 4}))), nil,
			v9Datagram(1, 1, set(300, be(be(be(nil, 4, 7), 4, 10), 5, 0)), set(256, make([]byte, 13)))},
		{ipfixMessage(0, 1, set(2, templateOf(256, ie{0, 96, variable}, ie{0, 315, variable}, ie{penCERT, 14, 1}, ie{penReverse, 1, 8}, ie{9, 9, 3}))), nil,
			ipfixMessage(0, 1, set(256, []byte("\x02ab\x36"), testFrame(), make([]byte, 12)))},
	}
	if vendors := vendorDatagrams(f); len(vendors) > 0 {
		for i := 0; i < len(vendors); i += 2 {
			seeds = append(seeds, vendors[i:min(i+2, len(vendors))])
		}
	}
	for _, s := range seeds {
		f.Add(sequenceOf(s...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &checkedSink{t: t}
		d, err := NewDecoder(Config{MaxTemplates: 20, WaitBytes: 1 << 16}, s, nil)
		if err != nil {
			t.Fatal(err)
		}
		sum := &sink{}
		sent := 0
		for i := 0; len(b) >= 2; i++ {
			n := min(int(binary.BigEndian.Uint16(b)), len(b)-2)
			data := b[2 : 2+n : 2+n]
			b = b[2+n:]
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i % 2)}), uint16(i%3+1))
			if i%4 == 3 {
				d.Message(from, testTime, data)
			} else {
				d.Datagram(from, testTime, data)
			}
			sent++
		}
		d.sink = sum
		if err := d.Close(testTime + 1); err != nil {
			t.Fatal(err)
		}
		if c := sum.sum(); c.Records != s.rows || c.Datagrams != int64(sent) || c.Undecodable > int64(sent) || c.Missing < 0 {
			t.Fatalf("%d rows, %d datagrams, counts %+v", s.rows, sent, c)
		}
		state, _ := d.State()
		again, err := NewDecoder(Config{MaxTemplates: 20}, s, state)
		if err != nil {
			t.Fatal(err)
		}
		if reread, _ := again.State(); string(reread) != string(state) {
			t.Fatalf("state differs when read again:\n%s\n%s", state, reread)
		}
		// All that waits is given up in time, and all room given back.
		if err := d.Tick(testTime + 48*3600e6); err != nil {
			t.Fatal(err)
		}
		if n := d.waiting.Load() + d.templates.Load() + d.fields.Load(); n != 0 {
			t.Fatalf("%d waiting or kept after two days", n)
		}
	})
}

// FuzzState reads state files.
func FuzzState(f *testing.F) {
	d, _ := newTestDecoder(f, Config{}, nil)
	send(d,
		ipfixMessage(0, 1, set(2, templateOf(256, plainFields...)), set(3, ipfixOptions(300, 1, ie{0, 95, 4}, ie{0, 96, 4})), set(300, be(nil, 4, 0x03000050), []byte("http"))),
		v9Datagram(0, 9, set(1, v9Options(300, []ie{{0, scopeInterface, 4}}, ie{0, 34, 4}, ie{0, 82, 4})), set(300, be(be(nil, 4, 7), 4, 10), []byte("eth0"))))
	state, _ := d.State()
	f.Add(state)
	f.Add([]byte(`{"version":1,"exporters":[{"address":"::","streams":[{"source":"netflow9","boot":-1,"sampling":1,"templates":[{"id":256,"options":true,"count":1,"fields":"AAgABA=="}]}]}]}`))
	f.Fuzz(func(t *testing.T, state []byte) {
		d, err := NewDecoder(Config{MaxExporters: 50, MaxTemplates: 50}, &checkedSink{t: t}, state)
		if err != nil {
			return
		}
		d.Datagram(testExporter, testTime, ipfixMessage(0, 1, set(256, plainOf(0)), set(300, make([]byte, 16))))
		d.Datagram(testExporter, testTime, v9Datagram(0, 9, set(256, plainOf(0)), set(300, make([]byte, 16))))
		if err := d.Close(testTime + 1); err != nil {
			t.Fatal(err)
		}
		kept, _ := d.State()
		if _, err := NewDecoder(Config{}, &checkedSink{t: t}, kept); err != nil {
			t.Fatalf("what was kept can't be read: %v", err)
		}
	})
}
