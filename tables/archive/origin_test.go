package archive

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Merging files loses neither when their rows arrived nor the folder of that
// day, however often they are merged and by whom.
func TestArrivalOutlivesMerges(t *testing.T) {
	dir := t.TempDir()
	open := func() *Archive {
		a, err := Open(dir, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Close() })
		return a
	}
	a := open()
	day := time.Date(2026, 3, 30, 23, 59, 0, 0, time.UTC)
	for i := range 4 {
		tx, err := a.Begin("collector")
		if err != nil {
			t.Fatal(err)
		}
		arrived := day.Add(time.Duration(i) * time.Minute)
		tx.began = arrived
		tx.first, tx.last = tables.Time(arrived.UnixMicro()), tables.Time(arrived.Add(time.Second).UnixMicro())
		write(t, tx, "m", []tables.Export{{TS: tables.Time(i), TSEnd: tables.Time(i)}})
		commit(t, tx)
	}
	merge := func(level string, files []File, replace bool) {
		t.Helper()
		tx, err := a.Begin("compact")
		if err != nil {
			t.Fatal(err)
		}
		tx.Supersede(files)
		if replace {
			if err := Merge(context.Background(), tx, files, level, MergeOptions[tables.Export]{}); err != nil {
				t.Fatal(err)
			}
		} else if err := tx.Keep(files[0], level); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
	}
	files := catalog(t, a).Files(Exports)
	merge("e", files[:2], true)
	merge("e", files[2:3], false)
	merge("t", catalog(t, a).Files(Exports)[:2], true)

	a.Close()
	files = catalog(t, open()).Files(Exports)
	if len(files) != 2 {
		t.Fatalf("%+v", files)
	}
	first, last := tables.Time(day.UnixMicro()), tables.Time(day.Add(2*time.Minute+time.Second).UnixMicro())
	f := files[0]
	if o := f.Origin; o.First != first || o.Last != last || o.Writer != "compact" || o.Schema != schemaVersion ||
		!strings.HasPrefix(o.Program, "wiresql") || o.Merged != "e 1-3 (2)" {
		t.Errorf("%+v", o)
	}
	if folder := filepath.Dir(f.Path); !strings.HasSuffix(folder, "exports/2026/03/31") {
		t.Errorf("its folder is %s", folder)
	}
	if o := files[1].Origin; o.Merged != "" || o.Writer != "collector" || o.First <= last {
		t.Errorf("as recorded: %+v", o)
	}
}

// Of files whose footer does not say it, the folder's day is when they arrived.
func TestArrivalOfOlderFiles(t *testing.T) {
	for path, want := range map[string]rows.Origin{
		"/data/flows/2026/11/28/x.parquet": {First: 1795824000e6, Last: 1795910400e6 - 1},
		"/data/flows/x.parquet":            {},
		"x.parquet":                        {},
	} {
		var got rows.Origin
		if arrival(path, &got); got != want {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
	}
}

// Files of one run are named together.
func TestRanges(t *testing.T) {
	var files []File
	for _, n := range []uint64{5, 1, 2, 3} {
		files = append(files, File{Writer: "collector", Lane: "main", Level: "m", First: n, Last: n})
	}
	files = append(files, File{Writer: "collector", Lane: "main", Level: "e", First: 6, Last: 9})
	if got, want := ranges(files), "m 1-3 (3), m 5 (1), e 6-9 (1)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
