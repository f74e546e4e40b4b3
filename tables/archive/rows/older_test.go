package rows

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// manyFlows are rows for more than a page of each column, which compress well.
func manyFlows() []tables.Flow {
	rows := make([]tables.Flow, pageRows+300)
	for i := range rows {
		f := &rows[i]
		f.TS, f.TSEnd, f.Sensor = tables.Time(1000*i), tables.Time(1000*i+500), "dmz"
		f.Src, f.Dst, f.DstPort, f.Bytes, f.Packets = tables.Addr{Lo: uint64(i % 7)}, tables.Addr{Hi: 1, Lo: uint64(i % 11)}, int32(i%3), int64(i), 1
		f.FlowID, f.ConnID, f.CID = tables.ID(i), tables.ID(i/2), uint64(i%5)
		if i%3 == 0 {
			f.LastPiece, f.ReverseBytes, f.Service = tables.Some(i%2 == 0), tables.Some(int64(i%100)), "http"
		}
		for k := range i % 3 {
			f.Segments = append(f.Segments, int32(1+k))
		}
		if i%4 > 0 {
			f.Postings = bytes.Repeat([]byte{byte(i % 2)}, i%4)
		}
	}
	return rows
}

// manyNames are rows whose texts are more than a dictionary of theirs held.
func manyNames() []tables.DNS {
	rows := make([]tables.DNS, pageRows+300)
	for i := range rows {
		rows[i] = tables.DNS{TS: tables.Time(i), Query: fmt.Sprintf("%0200d", i), QType: "A"}
	}
	return rows
}

// olderStack tells of a file of another program's pages that its rows are read
// as they were written.
func olderStack[T any](t *testing.T, name string, want []T) {
	t.Helper()
	f := File{Path: filepath.Join("testdata", "older", name+".parquet")}
	if v, err := Verify(context.Background(), f); err != nil || !v.Older || v.Bytes == 0 {
		t.Errorf("%s: %+v, %v", name, v, err)
	}
	r, err := Open[T](f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]T, len(want)+1)
	n := 0
	for n < len(got) {
		k, err := r.Read(got[n:min(n+1000, len(got))])
		if n += k; err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != len(want) {
		t.Fatalf("%s: %d rows, not %d", name, n, len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: row %d is %+v, not %+v", name, i, got[i], want[i])
		}
	}
}

// TestOlderStack: files were written by parquet-go once, whose pages are of
// another version; testdata/older keeps one of each family.
func TestOlderStack(t *testing.T) {
	olderStack(t, "flows", manyFlows())
	olderStack(t, "dns", manyNames())
	connections := rowsOf[tables.Connection]() // without columns that came later
	for i := range connections {
		connections[i].Profile, connections[i].FlowsFolded = nil, tables.Opt[int64]{}
	}
	olderStack(t, "connections", connections)
	olderStack(t, "other", rowsOf[tables.Other]())
	olderStack(t, "names", rowsOf[tables.Name]())
	imports := rowsOf[tables.Import]() // without columns that came later
	for i := range imports {
		imports[i].HeadID, imports[i].Undecoded, imports[i].NotDecoded, imports[i].Untimed = "", tables.Opt[int64]{}, "", tables.Opt[int64]{}
	}
	olderStack(t, "imports", imports)
	segments := rowsOf[tables.Segment]()
	for i := range segments {
		segments[i].Sums = nil
	}
	olderStack(t, "segments", segments)
	coverage := rowsOf[tables.Coverage]()
	for i := range coverage {
		coverage[i].Silence, coverage[i].Undecoded, coverage[i].NotDecoded = tables.Opt[int64]{}, tables.Opt[int64]{}, ""
		coverage[i].Log, coverage[i].Commit = "", tables.Opt[int64]{}
		coverage[i].NotKept, coverage[i].LostRows = tables.Opt[int64]{}, tables.Opt[int64]{}
	}
	olderStack(t, "coverage", coverage)
	exports := rowsOf[tables.Export]()
	for i := range exports {
		exports[i].WireBytes = tables.Opt[int64]{}
	}
	olderStack(t, "exports", exports)
	olderStack(t, "exporters", rowsOf[tables.Exporter]())
	olderStack(t, "sockets", rowsOf[tables.Socket]())
	olderStack(t, "carried", rowsOf[tables.Carried]())
}

// A column that is compared and was added since a file was written is NULL in
// all of its rows: nothing is found.
func TestLookupInOlderFiles(t *testing.T) {
	f := write(t, Options{}, []tables.Connection{{TS: 1, ConnID: 7, Service: "http"}})
	if n, err := samples.Without(f.Path, func(string) bool { return true }); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	f = File{Path: f.Path} // nothing is known of the footer it has now
	all := tables.Families
	t.Cleanup(func() { tables.Families = all })
	type younger struct {
		TS      tables.Time `col:"ts"`
		ConnID  tables.ID   `col:"conn_id"`
		Service string      `col:"service"`
		Rank    int32       `col:"rank"`
	}
	tables.Families = append(slices.Clone(all), &tables.Family{Name: "connections", Row: reflect.TypeFor[younger]()})
	for column, want := range map[string]int64{"conn_id": 1, "rank": 0} {
		stats, err := Lookup(t.Context(), []File{f}, []Values{{column, []uint64{7}}}, []string{"service"}, func(r *younger) error {
			if r.Service != "" {
				t.Errorf("%+v", r)
			}
			return nil
		})
		if err != nil || stats.Rows != want {
			t.Errorf("%s: %d rows, %v", column, stats.Rows, err)
		}
	}
}
