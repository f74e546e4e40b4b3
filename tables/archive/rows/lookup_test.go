package rows

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// lookupRows are flows of 300 conversations, in several row groups, with
// postings of every kind: none, empty, large.
func lookupRows(n int) []tables.Flow {
	rng := rand.New(rand.NewPCG(3, 5))
	rows := make([]tables.Flow, n)
	for i := range rows {
		f := &rows[i]
		f.TS, f.TSEnd = tables.Time(i), tables.Time(i+1)
		f.FlowID, f.ConnID = tables.ID(rng.Uint64()), tables.ID(1000+rng.Uint64N(300)*0x9e3779b97f4a7c15)
		f.Src, f.Dst = tables.Addr{Lo: rng.Uint64N(500)}, tables.Addr{Hi: 7, Lo: rng.Uint64N(1 << 60)}
		f.SrcPort = int32(rng.IntN(1 << 16))
		switch i % 5 {
		case 0: // NULL
		case 1:
			f.Postings = []byte{}
		default:
			f.Postings = make([]byte, 1+rng.IntN(200))
			f.Postings[0] = byte(i)
		}
		if i%3 > 0 {
			f.WireBytes = tables.Opt[int64]{V: int64(i), Set: true}
		}
	}
	return rows
}

func byFlowID(a, b tables.Flow) int { return cmp.Compare(a.FlowID, b.FlowID) }

// What Lookup finds is what reading everything finds.
func TestLookup(t *testing.T) {
	rows := lookupRows(2*GroupRows + 10_000)
	files := []File{write(t, Options{}, rows[:GroupRows+20_000]), write(t, Options{}, rows[GroupRows+20_000:])}
	columns := []string{"conn_id", "flow_id", "src_hi", "src_lo", "src_port", "postings", "wire_bytes"}
	for _, test := range []struct {
		column string
		values []uint64
		of     func(*tables.Flow) uint64
	}{
		{"conn_id", []uint64{uint64(rows[17].ConnID)}, func(f *tables.Flow) uint64 { return uint64(f.ConnID) }},
		{"conn_id", []uint64{uint64(rows[0].ConnID), uint64(rows[1].ConnID), uint64(rows[len(rows)-1].ConnID), 99}, func(f *tables.Flow) uint64 { return uint64(f.ConnID) }},
		{"flow_id", []uint64{uint64(rows[GroupRows].FlowID)}, func(f *tables.Flow) uint64 { return uint64(f.FlowID) }},
		{"conn_id", []uint64{99}, func(f *tables.Flow) uint64 { return uint64(f.ConnID) }},
		{"src_lo", []uint64{7, 50}, func(f *tables.Flow) uint64 { return f.Src.Lo }},
		{"dst_lo", []uint64{rows[5].Dst.Lo, rows[GroupRows+5].Dst.Lo}, func(f *tables.Flow) uint64 { return f.Dst.Lo }},
		{"ts", []uint64{5, GroupRows + 9}, func(f *tables.Flow) uint64 { return uint64(f.TS) }}, // no bloom filter
	} {
		var got, want []tables.Flow
		stats, err := Lookup(t.Context(), files, []Values{{test.column, test.values}}, columns, func(f *tables.Flow) error {
			one := *f
			one.Postings = slices.Clone(f.Postings)
			got = append(got, one)
			return nil
		})
		if err != nil {
			t.Fatalf("%s: %v", test.column, err)
		}
		for i := range rows {
			f := &rows[i]
			if slices.Contains(test.values, test.of(f)) {
				want = append(want, tables.Flow{ConnID: f.ConnID, FlowID: f.FlowID, Src: f.Src, SrcPort: f.SrcPort, Postings: f.Postings, WireBytes: f.WireBytes})
			}
		}
		slices.SortFunc(got, byFlowID)
		slices.SortFunc(want, byFlowID)
		if len(got) != len(want) || stats.Rows != int64(len(want)) {
			t.Fatalf("%s in %d: %d rows, counted %d, want %d", test.column, test.values, len(got), stats.Rows, len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("%s: got %+v, want %+v", test.column, got[i], want[i])
			}
		}
		if len(want) == 0 && stats.Files != 0 {
			t.Errorf("%s: %d files read for a value that no filter has", test.column, stats.Files)
		}
	}
}

// One row of a large file costs pages, not columns.
func TestLookupReadsPages(t *testing.T) {
	rows := lookupRows(GroupRows)
	for i := range rows {
		rows[i].Postings = make([]byte, 500)
	}
	files := []File{write(t, Options{}, rows)}
	stats, err := Lookup(t.Context(), files, []Values{{"flow_id", []uint64{uint64(rows[60_000].FlowID)}}}, []string{"conn_id", "postings"}, func(*tables.Flow) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	// The compared column, and a page of each of the others.
	if limit := int64(GroupRows*8 + pageRows*8 + 512<<10); stats.Rows != 1 || stats.Bytes > limit {
		t.Errorf("%d rows, %d bytes of %d, want one and at most %d", stats.Rows, stats.Bytes, files[0].Bytes, limit)
	}
}

func TestLookupEnds(t *testing.T) {
	rows := lookupRows(5000)
	files := []File{write(t, Options{}, rows)}
	conn := []uint64{uint64(rows[0].ConnID)}
	some := func(*tables.Flow) error { return nil }

	stop := errors.New("enough")
	n := 0
	if _, err := Lookup(t.Context(), files, []Values{{"conn_id", conn}}, []string{"postings"}, func(*tables.Flow) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("error of the caller: %v after %d rows", err, n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lookup(ctx, files, []Values{{"conn_id", conn}}, nil, some); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	for _, column := range []string{"sensor", "wire_bytes", "nothing"} {
		if _, err := Lookup(t.Context(), files, []Values{{column, conn}}, nil, some); err == nil {
			t.Errorf("column %s could be looked up", column)
		}
	}
	if err := os.Remove(files[0].Path); err != nil {
		t.Fatal(err)
	}
	if _, err := Lookup(t.Context(), files, []Values{{"conn_id", conn}}, nil, some); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is gone: %v", err)
	}
}

// Whatever happens to a file's bytes, a lookup ends with rows or an error.
func TestLookupInDamage(t *testing.T) {
	rows := lookupRows(3000)
	whole, err := readUnsummed(write(t, Options{}, rows).Path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 9))
	path := t.TempDir() + "/flows.parquet"
	failed := 0
	for i := range 400 {
		b := slices.Clone(whole)
		b = b[:len(b)-i%7] // another name in the cache of footers
		for range 1 + rng.IntN(8) {
			at := rng.IntN(len(b))
			if i%2 == 0 { // footers and page indexes are where it hurts
				at = len(b) - 1 - rng.IntN(min(len(b), 20_000))
			}
			b[at] ^= 1 << rng.IntN(8)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		metadata.drop()
		filters.drop()
		pool.drop()
		_, err := Lookup(t.Context(), []File{{Path: path, Bytes: int64(len(b))}}, []Values{{"conn_id", []uint64{uint64(rows[0].ConnID)}}},
			[]string{"flow_id", "src_lo", "postings"}, func(*tables.Flow) error { return nil })
		if errors.Is(err, io.EOF) {
			t.Fatalf("an end without a reason: %v", err)
		}
		if err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Error("no damage was noticed")
	}
}

// Several columns leave the rows that meet all of them, whichever comes first
// and however many the first one leaves.
func TestLookupOfSeveral(t *testing.T) {
	rows := lookupRows(GroupRows + 5000)
	for i := range rows {
		rows[i].DstPort, rows[i].Protocol = int32(i%7), int32(6+11*(i%2))
	}
	files := []File{write(t, Options{}, rows)}
	one := &rows[GroupRows+77]
	for _, test := range []struct {
		where []Values
		is    func(*tables.Flow) bool
	}{
		{[]Values{{"src_lo", []uint64{one.Src.Lo}}, {"dst_lo", []uint64{one.Dst.Lo}}, {"src_port", []uint64{uint64(one.SrcPort)}}},
			func(f *tables.Flow) bool {
				return f.Src.Lo == one.Src.Lo && f.Dst.Lo == one.Dst.Lo && f.SrcPort == one.SrcPort
			}},
		{[]Values{{"protocol_number", []uint64{17}}, {"dst_port", []uint64{3, 5}}, {"src_lo", []uint64{7, 8}}},
			func(f *tables.Flow) bool {
				return f.Protocol == 17 && (f.DstPort == 3 || f.DstPort == 5) && (f.Src.Lo == 7 || f.Src.Lo == 8)
			}},
		{[]Values{{"src_lo", []uint64{7}}, {"conn_id", []uint64{uint64(one.ConnID)}}, {"dst_port", []uint64{1 << 40}}},
			func(*tables.Flow) bool { return false }},
	} {
		got, want := map[tables.ID]bool{}, 0
		stats, err := Lookup(t.Context(), files, test.where, []string{"flow_id"}, func(f *tables.Flow) error {
			got[f.FlowID] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			if test.is(&rows[i]) {
				if want++; !got[rows[i].FlowID] {
					t.Fatalf("%+v: row %d is missing", test.where, i)
				}
			}
		}
		if len(got) != want || stats.Rows != int64(want) {
			t.Errorf("%+v: %d rows, counted %d, want %d", test.where, len(got), stats.Rows, want)
		}
	}
}
