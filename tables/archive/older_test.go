package archive

import (
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
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
	all := tables.Families
	t.Cleanup(func() { tables.Families = all })
	tables.Families = append(slices.Clone(all), &tables.Family{Name: "dns", Row: reflect.TypeFor[olderDNS]()})
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
		got, err := rows.ReadAll[tables.DNS](files[i].File)
		if len(got) != 1 || err != nil || got[0] != want {
			t.Errorf("%v: %+v", err, got)
		}
	}
}
