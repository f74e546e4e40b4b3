package collector

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// sink keeps what a decoder hands over.
type sink struct {
	mu        sync.Mutex
	rows      []tables.Export
	exporters []tables.Exporter
}

func (s *sink) Exports(rows []tables.Export) error {
	s.mu.Lock()
	s.rows = append(s.rows, rows...)
	s.mu.Unlock()
	return nil
}

func (s *sink) Exporter(r *tables.Exporter) error {
	s.exporters = append(s.exporters, *r)
	return nil
}

func (s *sink) Socket(*tables.Socket) error { return nil }

// sum adds up the rows of exporters.
func (s *sink) sum() (c tables.Exporter) {
	for i := range s.exporters {
		addCounts(&c, &s.exporters[i])
	}
	return c
}

func newTestDecoder(t testing.TB, cfg Config, state []byte) (*Decoder, *sink) {
	t.Helper()
	s := &sink{}
	d, err := NewDecoder(cfg, s, state)
	if err != nil {
		t.Fatal(err)
	}
	return d, s
}

// send decodes datagrams of the usual exporter that arrive at testTime, and
// returns their outcomes.
func send(d *Decoder, datagrams ...[]byte) string {
	var out []string
	for _, b := range datagrams {
		out = append(out, d.Datagram(testExporter, testTime, b).String())
	}
	return strings.Join(out, " ")
}

// show prints the columns of a row that have a value, but for those every row
// has: who sent it, when, its numbers.
func show(r *tables.Export) string {
	var out []string
	v := reflect.ValueOf(*r)
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("col")
		switch name {
		case "ts", "ts_end", "resolution", "exporter", "observer", "source_type", "observation_domain_id", "time_received", "cid", "flow_id":
			continue
		case "time_quality":
			if r.TimeQuality == tables.TimesOK {
				continue
			}
		}
		f := v.Field(i)
		if f.Kind() == reflect.Struct && f.NumField() == 2 && f.Type().Field(1).Name == "Set" {
			if f.Field(1).Bool() {
				out = append(out, fmt.Sprintf("%s=%v", name, f.Field(0).Interface()))
			}
			continue
		}
		if !f.IsZero() {
			out = append(out, fmt.Sprintf("%s=%v", name, f.Interface()))
		}
	}
	return strings.Join(out, " ")
}

func showAll(rows []tables.Export) string {
	var out []string
	for i := range rows {
		out = append(out, show(&rows[i]))
	}
	return strings.Join(out, "\n")
}

func TestV5(t *testing.T) {
	put := func(b []byte, at int, v uint16) []byte { binary.BigEndian.PutUint16(b[at:], v); return b }
	for _, c := range []struct {
		name    string
		data    []byte
		outcome Outcome
		rows    int
		bad     int64 // bytes
	}{
		{"whole", v5Datagram(0, 3), Decoded, 3, 0},
		{"none", v5Datagram(0, 0), Decoded, 0, 0},
		{"count of 65535 in 24 bytes", put(v5Datagram(0, 0), 2, 65535), Undecodable, 0, 0},
		{"count above what is there", put(v5Datagram(0, 3), 2, 30), Undecodable, 3, 0},
		{"cut within a record", v5Datagram(0, 3)[:24+48*2+20], Undecodable, 2, 20},
		{"count below what is there", put(v5Datagram(0, 3), 2, 2), Undecodable, 2, 48},
		{"zeros after the records", append(v5Datagram(0, 3), 0, 0, 0, 0, 0), Decoded, 3, 0},
		{"shorter than its header", v5Datagram(0, 3)[:20], Undecodable, 0, 20},
		{"version alone", []byte{0, 5}, Undecodable, 0, 2},
		{"nothing", nil, Undecodable, 0, 0},
		{"version 7", put(v5Datagram(0, 3), 0, 7), Undecodable, 0, 168},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			if o := d.Datagram(testExporter, testTime, c.data); o != c.outcome {
				t.Errorf("outcome %v, want %v", o, c.outcome)
			}
			if err := d.Close(testTime + 1); err != nil {
				t.Fatal(err)
			}
			got := s.sum()
			if len(s.rows) != c.rows || got.Records != int64(c.rows) || got.UndecodedBytes != c.bad {
				t.Errorf("%d rows (%d counted), %d bytes undecoded; want %d, %d", len(s.rows), got.Records, got.UndecodedBytes, c.rows, c.bad)
			}
			if bad := got.Undecodable == 1; bad != (c.outcome == Undecodable) || got.Datagrams != 1 || (got.LastError != "") != bad {
				t.Errorf("counts %+v", got)
			}
		})
	}
}

func TestV5Columns(t *testing.T) {
	d, s := newTestDecoder(t, Config{Stream: 7}, nil)
	b := v5Datagram(0, 2)
	binary.BigEndian.PutUint16(b[20:], 0x0102)    // engine
	binary.BigEndian.PutUint16(b[22:], 1<<14|100) // sampling
	r := b[24+48:]
	r[38] = tables.ProtocolICMP
	binary.BigEndian.PutUint16(r[34:], 3<<8|1)
	send(d, b)
	want := "src=10.0.0.0 dst=192.168.1.1 src_port=1000 dst_port=53 protocol_number=17 bytes=300 packets=3 sampling_rate=100 " +
		"tcp_flags_number=27 tos=0 in_if=1 out_if=2 next_hop=10.0.0.254 src_as=65001 dst_as=65002 src_mask=24 dst_mask=16\n" +
		"src=10.0.0.1 dst=192.168.1.1 protocol_number=1 icmp_type=3 icmp_code=1 bytes=300 packets=3 sampling_rate=100 " +
		"tcp_flags_number=27 tos=0 in_if=1 out_if=2 next_hop=10.0.0.254 src_as=65001 dst_as=65002 src_mask=24 dst_mask=16"
	if got := showAll(s.rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	x := &s.rows[1]
	if x.TS != testTime-10e6 || x.TSEnd != testTime-1e6+999 || x.Resolution != 1000 || x.TimeQuality != "ok" {
		t.Errorf("times %d %d %d %s", x.TS-testTime, x.TSEnd-testTime, x.Resolution, x.TimeQuality)
	}
	if x.SourceType != "netflow5" || x.Observer != "192.0.2.1" || x.Domain != tables.Some(int64(0x0102)) || x.FlowID != 7<<40|1 ||
		x.TimeReceived != tables.Some(testTime) || x.CID != tables.CID(x.Src, x.Dst, 3, 1, 1) {
		t.Errorf("row %+v", x)
	}
}

// TestTimes reads v5 records, whose times are milliseconds of uptime, 32 bits
// of them.
func TestTimes(t *testing.T) {
	const hour = 3600_000
	max := uint32(math.MaxUint32)
	for _, c := range []struct {
		name        string
		uptime      uint32
		first, last uint32
		ahead       time.Duration // of the exporter's clock
		start, end  time.Duration // before arrival
		quality     string
		resolution  int32
	}{
		{"usual", hour, hour - 9000, hour - 2000, 0, 9 * time.Second, 2 * time.Second, "ok", 1000},
		{"uptime wrapped within the flow", 1000, max - 999, 500, 0, 2 * time.Second, time.Second / 2, "ok", 1000},
		{"uptime wrapped after the flow", 1000, max - 4999, max - 999, 0, 6 * time.Second, 2 * time.Second, "ok", 1000},
		{"ends after the header was stamped", hour, hour - 1000, hour + 20, 0, time.Second, -20 * time.Millisecond, "ok", 1000},
		{"ends before it starts", hour, hour - 1000, hour - 3000, 0, 0, 0, "clamped", 1},
		{"clock a little ahead", hour, hour - 9000, hour - 2000, 50 * time.Second, -41 * time.Second, -48 * time.Second, "ok", 1000},
		{"clock an hour ahead", hour, hour - 9000, hour - 2000, time.Hour, 7 * time.Second, 0, "clamped", 1},
		{"1970", hour, hour - 9000, hour - 2000, -time.Duration(testTime) * 1000, 7 * time.Second, 0, "clamped", 1},
		{"older than is taken", hour, hour - 9000, hour - 2000, -31 * 24 * time.Hour, 7 * time.Second, 0, "clamped", 1},
		{"as old as is taken", hour, hour - 9000, hour - 2000, -29 * 24 * time.Hour, 29*24*time.Hour + 9*time.Second, 29*24*time.Hour + 2*time.Second, "ok", 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			b := v5Datagram(0, 1)
			binary.BigEndian.PutUint32(b[4:], c.uptime)
			binary.BigEndian.PutUint32(b[8:], uint32((testTime+tables.Time(c.ahead.Microseconds()))/1e6))
			binary.BigEndian.PutUint32(b[24+24:], c.first)
			binary.BigEndian.PutUint32(b[24+28:], c.last)
			if o := send(d, b); o != "decoded" || len(s.rows) != 1 {
				t.Fatal(o, len(s.rows))
			}
			r := &s.rows[0]
			start, end := testTime-tables.Time(c.start.Microseconds()), testTime-tables.Time(c.end.Microseconds())+tables.Time(c.resolution)-1
			if r.TS != start || r.TSEnd != end || r.TimeQuality != c.quality || r.Resolution != c.resolution {
				t.Errorf("%d %d %s %d, want %d %d %s %d", r.TS-testTime, r.TSEnd-testTime, r.TimeQuality, r.Resolution, start-testTime, end-testTime, c.quality, c.resolution)
			}
		})
	}
}

func TestExportTime(t *testing.T) {
	for _, b := range [][]byte{v5Datagram(0, 0), v9Datagram(0, 0), ipfixMessage(0, 0)} {
		if got, ok := ExportTime(b); !ok || got != testTime {
			t.Errorf("version %d: %d %v", b[1], got, ok)
		}
		if _, ok := ExportTime(b[:15]); ok {
			t.Errorf("version %d cut off has a time", b[1])
		}
	}
	if _, ok := ExportTime(make([]byte, 100)); ok {
		t.Error("a time without a version")
	}
}

// TestRowsDoNotLeak decodes datagrams of several kinds in turn, and each with a
// decoder of its own: rows made over earlier ones are as rows made anew.
func TestRowsDoNotLeak(t *testing.T) {
	icmp := v5Datagram(0, 3)
	icmp[24+48+38] = tables.ProtocolICMP
	late := v5Datagram(0, 3) // ends before it starts
	binary.BigEndian.PutUint32(late[24+28:], 1)
	sampled := v5Datagram(0, 2)
	binary.BigEndian.PutUint16(sampled[22:], 100)
	other := v5Datagram(0, 3)
	other[21] = 9
	plainTemplate := set(2, templateOf(256, plainFields...))
	kinds := [][]byte{
		v5Datagram(0, 3), icmp, late, sampled, other,
		ipfixMessage(0, 1, plainTemplate, set(256, plainOf(1), plainOf(2))),
		v9Datagram(0, 1, set(0, templateOf(256, ie{0, 4, 1})), set(256, []byte{6, 17})),
	}
	d, s := newTestDecoder(t, Config{}, nil)
	for i := range 500 {
		data := kinds[i*i%31%len(kinds)]
		s.rows = nil
		now := testTime + tables.Time(i)*1000
		d.Datagram(testExporter, now, data)
		alone, k := newTestDecoder(t, Config{}, nil)
		alone.Datagram(testExporter, now, data)
		for j := range s.rows {
			s.rows[j].FlowID, k.rows[j].FlowID = 0, 0
		}
		if len(s.rows) < 2 || !reflect.DeepEqual(s.rows, k.rows) {
			t.Fatalf("datagram %d:\n%+v\n%+v", i, s.rows, k.rows)
		}
	}
}
