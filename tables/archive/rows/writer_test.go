package rows

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// target is a file in a folder of the test's.
type target struct {
	*os.File
	holds File
}

func newTarget(t testing.TB) *target {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	return &target{File: f}
}

// Finish implements Target.
func (f *target) Finish(holds File, err error) error {
	f.holds = holds
	f.holds.Path = f.Name()
	return errors.Join(err, f.Close())
}

// write writes a file of rows.
func write[T any](t testing.TB, o Options, rows []T) File {
	t.Helper()
	to := newTarget(t)
	f, err := NewWriter[T](to, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write(rows); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return to.holds
}

// fill sets every field of a row to a value of its own, or to its NULL.
func fill(v reflect.Value, n *int, null bool) {
	for i := range v.NumField() {
		f := v.Field(i)
		*n++
		switch x := f.Addr().Interface().(type) {
		case *tables.Addr:
			*x = tables.Addr{Hi: math.MaxUint64 - uint64(*n), Lo: 1<<63 + uint64(*n)}
		case *string:
			if *x = ""; !null {
				*x = string(rune('a'+*n%26)) + "é"
			}
		case *[]byte:
			if *x = nil; !null {
				*x = []byte{0, byte(*n), 255}
			}
		case *[]int32:
			if *x = nil; !null {
				*x = []int32{int32(*n), math.MinInt32, 0}
			}
		default:
			switch f.Kind() {
			case reflect.Struct:
				if !null {
					fill(f, n, null)
				}
			case reflect.Bool:
				f.SetBool(!null)
			case reflect.Uint64:
				f.SetUint(1<<63 + uint64(*n))
			default:
				f.SetInt(int64(*n) * -1000)
			}
		}
	}
}

func roundTrip[T any](t *testing.T, want []T) {
	t.Helper()
	f := write(t, Options{}, want)
	if st, err := os.Stat(f.Path); err != nil || st.Size() != f.Bytes || f.Rows != int64(len(want)) {
		t.Fatalf("%+v, %v, %v", f, st, err)
	}
	r, err := Open[T](f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]T, len(want)+1)
	n, err := r.Read(got)
	if err != nil || n != len(want) {
		t.Fatal(n, err)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("row %d of %T:\ngot  %+v\nwant %+v", i, want[i], got[i], want[i])
		}
	}
	if n, err := r.Read(got); n != 0 || err != io.EOF {
		t.Fatal(n, err)
	}
}

// rowsOf makes rows: full, all NULL, and one of zeros.
func rowsOf[T any]() []T {
	var out []T
	for i := range 5 {
		var row T
		n := i * 1000
		fill(reflect.ValueOf(&row).Elem(), &n, i%2 == 1)
		out = append(out, row)
	}
	return append(out, *new(T))
}

func TestRowsSurvive(t *testing.T) {
	// Zeros and empty values that are there, beside those that are not.
	roundTrip(t, append(rowsOf[tables.Flow](), tables.Flow{
		VLAN: tables.Some[int32](0), TunnelID: tables.Some[int64](0), OuterSrc: tables.Some(tables.Addr{}),
		LastPiece: tables.Some(false), ConnTS: tables.Some[tables.Time](0), CID: 1 << 63, FlowID: math.MaxUint64,
		Segments: []int32{}, Postings: []byte{}}))
	roundTrip(t, rowsOf[tables.Connection]())
	roundTrip(t, rowsOf[tables.Other]())
	roundTrip(t, rowsOf[tables.DNS]())
	roundTrip(t, rowsOf[tables.Name]())
	roundTrip(t, rowsOf[tables.Import]())
	roundTrip(t, rowsOf[tables.Coverage]())
	roundTrip(t, rowsOf[tables.Exporter]())
	roundTrip(t, rowsOf[tables.Socket]())
	roundTrip(t, rowsOf[tables.Export]())
}

func TestManyRowGroups(t *testing.T) {
	want := generateFlows(GroupRows + 7)
	for i := range want {
		f := &want[i]
		for k := range i % 4 {
			f.Segments = append(f.Segments, int32(i+k))
		}
		if i%5 == 0 {
			f.Postings, f.Segments = nil, nil
		}
	}
	roundTrip(t, want)
}

// generateFlows makes flow rows like those of a busy network, 28 packets each
// in the mean: the traffic of the benchmarks.
func generateFlows(n int) []tables.Flow {
	rng := rand.New(rand.NewPCG(1, 2))
	flows := make([]tables.Flow, n)
	now := int64(1_750_000_000_000_000)
	var offset int64
	ids := make([]tables.ID, 0, 4096)
	states := []string{"SF", "SF", "SF", "S0", "RSTO", "REJ"}
	for i := range flows {
		f := &flows[i]
		now += rng.Int64N(24_000)
		length := int64(rng.ExpFloat64() * 5e6)
		f.TS, f.TSEnd = tables.Time(now), tables.Time(now+length)
		f.SourceType, f.Sensor = "packets", "dmz"
		f.Src = tables.Addr{Lo: 0xffff_0a00_0000 | uint64(rng.IntN(3000))}
		f.Dst = tables.Addr{Lo: 0xffff_c000_0000 | uint64(float64(20000)*math.Pow(rng.Float64(), 3))}
		if rng.IntN(7) == 0 {
			f.Src.Hi, f.Dst.Hi = 0x20010db8_00000000, 0x20010db8_00010000
		}
		f.SrcPort = 32768 + rng.Int32N(28000)
		f.DstPort = []int32{443, 443, 443, 80, 53, 22, 8080, 123}[rng.IntN(8)]
		f.Protocol = 6
		if f.DstPort == 53 || f.DstPort == 123 {
			f.Protocol = 17
		}
		f.VLAN = tables.Opt[int32]{V: 100 + int32(rng.IntN(4)), Set: rng.IntN(3) == 0}
		if !f.VLAN.Set {
			f.VLAN.V = 0
		}
		f.SrcMAC, f.DstMAC = tables.Some(0x02_00_00_00_00_00+int64(rng.IntN(3000))), tables.Some[int64](0x02_11_00_00_00_01)
		packets := 2 + int64(min(26/4*math.Pow(1-rng.Float64(), -1/1.3), 4000))
		f.Packets = 1 + packets/2
		f.ReversePackets = tables.Some(packets - f.Packets)
		f.Bytes = f.Packets*60 + rng.Int64N(1000*f.Packets)
		f.ReverseBytes = tables.Some(f.ReversePackets.V*60 + rng.Int64N(1+1000*f.ReversePackets.V))
		f.WireBytes, f.ReverseWireBytes = tables.Some(f.Bytes+14*f.Packets), tables.Some(f.ReverseBytes.V+14*f.ReversePackets.V)
		if f.Protocol == 6 {
			f.TCPFlags, f.ReverseTCPFlags = tables.Some[int32](0x1b), tables.Some[int32](0x1b)
			f.RTTUs = tables.Some(500 + rng.Int64N(80_000))
		}
		f.TOS, f.TTL = tables.Some[int32](0), tables.Some(64-rng.Int32N(4))
		f.Service = map[int32]string{443: "https", 80: "http", 53: "domain", 22: "ssh"}[f.DstPort]
		f.ConnState, f.OrientedBy, f.EndReason = states[rng.IntN(len(states))], "syn", "end"
		f.Piece, f.LastPiece, f.ConnTS = tables.Some[int32](1), tables.Some(true), tables.Some(f.TS)
		if f.DstPort == 443 {
			f.ServerName, f.Encrypted = []string{"www.example.com", "api.example.net", "cdn.example.org"}[rng.IntN(3)], tables.Some(true)
		}
		f.CID, f.FlowID = rng.Uint64(), tables.ID(rng.Uint64())
		f.ConnID = f.FlowID
		segment := int32(offset >> 30)
		f.Segments = []int32{segment}
		ids = ids[:0]
		at := offset & (1<<30 - 1)
		for range packets {
			ids = append(ids, tables.PacketID(uint32(segment), at))
			if rng.IntN(4) == 0 {
				at += 40_000 + rng.Int64N(4_000_000)
			} else {
				at += 76 + rng.Int64N(1500)
			}
		}
		offset += packets * 615
		f.Postings = AppendPostings(nil, ids)
	}
	return flows
}

func BenchmarkWriteFlows(b *testing.B) {
	flows := generateFlows(4 * GroupRows)
	b.ResetTimer()
	cpu := samples.CPUTime()
	var size, rows int64
	for b.Loop() {
		f := write(b, Options{}, flows)
		size, rows = size+f.Bytes, rows+f.Rows
	}
	b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(rows), "cpu-ns/row")
	b.ReportMetric(float64(size)/float64(rows), "B/row")
}

func BenchmarkReadFlows(b *testing.B) {
	flows := generateFlows(2 * GroupRows)
	path := write(b, Options{}, flows).Path
	b.ResetTimer()
	cpu := samples.CPUTime()
	var rows int64
	for b.Loop() {
		r, err := Open[tables.Flow](File{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		for {
			n, err := r.Read(flows[:4096])
			rows += int64(n)
			if n == 0 {
				if err != io.EOF {
					b.Fatal(err)
				}
				break
			}
		}
		r.Close()
	}
	b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(rows), "cpu-ns/row")
}

// BenchmarkWriteExports writes what a second of v5 brings, as the recorder does
// and as compaction does.
func BenchmarkWriteExports(b *testing.B) {
	rows := samples.Exports(100_000, 1)
	for _, cheap := range []bool{true, false} {
		b.Run(map[bool]string{true: "m", false: "t"}[cheap], func(b *testing.B) {
			block := NewBlock[tables.Export]()
			datagram := slices.Clone(rows[:30])
			if !cheap { // settled: in order, with conversations
				slices.SortStableFunc(rows, func(x, y tables.Export) int { return int(x.TS - y.TS) })
				for i := range rows {
					rows[i].ConnID = tables.Some(rows[i].FlowID)
				}
			}
			b.ResetTimer()
			cpu := samples.CPUTime()
			var size, n int64
			for b.Loop() {
				if !cheap {
					f := write(b, Options{}, rows)
					size, n = size+f.Bytes, n+f.Rows
					continue
				}
				block.Reset()
				for i := 0; i < len(rows); i += 30 {
					// A datagram's rows come hot from the decoder, in memory that
					// is used again and again.
					n := min(30, len(rows)-i)
					for k := range n {
						f, d := &rows[i+k], &datagram[k]
						d.TS, d.TSEnd, d.Src, d.Dst, d.SrcPort, d.DstPort = f.TS, f.TSEnd, f.Src, f.Dst, f.SrcPort, f.DstPort
						d.Bytes, d.Packets, d.CID, d.FlowID = f.Bytes, f.Packets, f.CID, f.FlowID
					}
					block.Add(datagram[:n])
				}
				order, _ := block.ByTime()
				f, err := block.WriteFile(newTarget(b), order, Options{Cheap: true})
				if err != nil {
					b.Fatal(err)
				}
				size, n = size+f.Bytes, n+f.Rows
			}
			b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(n), "cpu-ns/row")
			b.ReportMetric(float64(size)/float64(n), "B/row")
		})
	}
}
