package archive

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// olderDNS is a row of dns as it was before two columns were added.
type olderDNS struct {
	TS       tables.Time       `col:"ts"`
	Sensor   string            `col:"sensor"`
	Site     string            `col:"site"`
	Client   tables.Addr       `col:"client"`
	Server   tables.Addr       `col:"server"`
	Query    string            `col:"query"`
	QType    string            `col:"qtype"`
	RCode    string            `col:"rcode"`
	Answers  string            `col:"answers"`
	TTL      tables.Opt[int64] `col:"ttl"`
	RTTUs    tables.Opt[int64] `col:"rtt_us"`
	Protocol int32             `col:"protocol_number"`
	FlowID   tables.ID         `col:"flow_id"`
	ConnID   tables.ID         `col:"conn_id"`
}

// TestOlderFiles: a file written before a column was added is listed without
// it, and read with no value there; new files are listed as having all.
func TestOlderFiles(t *testing.T) {
	families[reflect.TypeFor[olderDNS]()] = families[reflect.TypeFor[tables.DNS]()]
	t.Cleanup(func() { delete(families, reflect.TypeFor[olderDNS]()) })
	a, err := Open(t.TempDir(), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	tx, err := a.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteRows(tx, "e", []olderDNS{{TS: 1, Query: "old.example", QType: "A"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := WriteRows(tx, "e", []tables.DNS{{TS: 2, Query: "new.example", QueryRaw: "New.example", QType: "A"}}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	files := catalog(t, a).Files(DNS)
	if len(files) != 2 {
		t.Fatalf("%d files", len(files))
	}
	if old := files[0].Columns; slices.Contains(old, "query_raw") || !slices.Contains(old, "client_hi") || len(old) != 16 {
		t.Errorf("the older file has %q", old)
	}
	if files[1].Columns != nil {
		t.Errorf("the new file lacks some of its columns: %q", files[1].Columns)
	}
	for i, want := range []tables.DNS{{TS: 1, Query: "old.example", QType: "A"}, {TS: 2, Query: "new.example", QueryRaw: "New.example", QType: "A"}} {
		r, err := ReadRows[tables.DNS](files[i].Path)
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]tables.DNS, 2)
		if n, err := r.Read(rows); n != 1 || err != nil && err != io.EOF || rows[0] != want {
			t.Errorf("%d rows, %v: %+v", n, err, rows[0])
		}
		r.Close()
	}
}

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
	r, err := ReadRows[T](filepath.Join("testdata", "older", name+".parquet"))
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
	olderStack(t, "connections", rowsOf[tables.Connection]())
	olderStack(t, "other", rowsOf[tables.Other]())
	olderStack(t, "names", rowsOf[tables.Name]())
	olderStack(t, "imports", rowsOf[tables.Import]())
	olderStack(t, "segments", rowsOf[tables.Segment]())
	olderStack(t, "coverage", rowsOf[tables.Coverage]())
	olderStack(t, "exports", rowsOf[tables.Export]())
	olderStack(t, "exporters", rowsOf[tables.Exporter]())
	olderStack(t, "sockets", rowsOf[tables.Socket]())
	olderStack(t, "carried", rowsOf[tables.Carried]())
}
