package compact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// record commits n rows of exports as a recorder does, with times from at on.
func record(t *testing.T, a *archive.Archive, first, n int, at tables.Time, lane string) {
	t.Helper()
	tx, err := a.Begin("collector")
	if err != nil {
		t.Fatal(err)
	}
	out, err := archive.NewRowFileWith[tables.Export](tx, "m", archive.RowOptions{Lane: lane})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]tables.Export, n)
	for i := range rows {
		ts := at + tables.Time(i)*1000
		rows[i] = tables.Export{TS: ts, TSEnd: ts + 10, SourceType: "netflow5", Observer: "r1", SrcPort: int32(first + i), DstPort: 53,
			Protocol: 17, Bytes: 100, Packets: 1, CID: uint64(first + i), FlowID: tables.ID(first + i)}
		if first%2 == 0 {
			rows[i].InIf = tables.Some(int64(i))
		}
	}
	err = out.Write(rows)
	if _, e := out.Close(); err != nil || e != nil {
		t.Fatal(err, e)
	}
	if lane == "" {
		if _, err := archive.WriteRows(tx, "m", []tables.Exporter{{TS: at, TSEnd: at, Records: int64(n)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// wantExports holds the archive to having exactly the rows numbered from 0.
func wantExports(t *testing.T, a *archive.Archive, n int) {
	t.Helper()
	got := exports(t, a)
	ids := make([]int, 0, len(got))
	for i := range got {
		ids = append(ids, int(got[i].FlowID))
		if int(got[i].SrcPort) != int(got[i].FlowID) {
			t.Fatalf("%+v", got[i])
		}
	}
	slices.Sort(ids)
	for i, id := range ids {
		if i != id {
			t.Fatalf("%d rows; at %d stands row %d", len(ids), i, id)
		}
	}
	if len(ids) != n {
		t.Fatalf("%d rows, want %d", len(ids), n)
	}
}

// levelsOf counts the files of a family by lane and level.
func levelsOf(t *testing.T, a *archive.Archive, family archive.Family) (total int, text string) {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, f := range cat.Files(family) {
		n[f.Lane+" "+f.Level]++
		total++
	}
	return total, fmt.Sprint(n)
}

// TestDay runs through the rounds of a day of one recorder, in which a minute
// passes with each.
func TestDay(t *testing.T) {
	a := open(t)
	const minutes = 24 * 60
	begin := now() - minutes*60*second
	most, rows := 0, 0
	rounds := minutes
	if testing.Short() {
		rounds = 30
	}
	for m := range rounds {
		at := begin + tables.Time(m)*60*second
		for i := range 3 {
			record(t, a, rows, 5, at+tables.Time(i)*20*second, "")
			rows += 5
		}
		if m%10 == 0 {
			record(t, a, rows, 2, at-3600*second, "late")
			rows += 2
		}
		if _, err := Round(context.Background(), a, Config{}); err != nil {
			t.Fatal(err)
		}
		n, text := levelsOf(t, a, archive.Exports)
		if most = max(most, n); n > 60 {
			t.Fatalf("minute %d: %s", m, text)
		}
		if n, text := levelsOf(t, a, archive.Exporters); n > 60 {
			t.Fatalf("minute %d: exporters %s", m, text)
		}
	}
	wantExports(t, a, rows)
	n, text := levelsOf(t, a, archive.Exports)
	t.Logf("most files %d, at last %d: %s", most, n, text)
	if n, _ := levelsOf(t, a, archive.Connections); n > 60 {
		t.Errorf("%d files of connections", n)
	}
}

// TestLateRows: rows that come late are found by their own time and their
// merges leave the files of the others alone.
func TestLateRows(t *testing.T) {
	a := open(t)
	day := now() - 24*3600*second
	rows := 0
	for i := range 20 {
		record(t, a, rows, 10, day+tables.Time(i)*10*second, "")
		rows += 10
	}
	if _, err := Round(context.Background(), a, Config{}); err != nil {
		t.Fatal(err)
	}
	main := func() (names []string) {
		cat, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range cat.Files(archive.Exports) {
			if f.Lane == "main" {
				names = append(names, f.Path)
			}
		}
		return names
	}
	sealed := main()
	if len(sealed) != 1 {
		t.Fatal(sealed)
	}
	// Rows of four hours, from batches that mix them.
	for i := range 40 {
		record(t, a, rows, 3, day-tables.Time(i%4)*3600*second, "late")
		rows += 3
		if i%5 == 4 {
			if _, err := Round(context.Background(), a, Config{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := main(); !slices.Equal(got, sealed) {
		t.Errorf("main was %v, is %v", sealed, got)
	}
	wantExports(t, a, rows)
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	hours := 0
	for _, f := range cat.Files(archive.Exports) {
		if f.Lane == "late" && f.Level == "h" {
			hours++
			if f.MaxTS-f.MinTS > 3600*second {
				t.Errorf("%s spans more than an hour", f.Path)
			}
		}
	}
	if hours < 4 || hours > 5 {
		_, text := levelsOf(t, a, archive.Exports)
		t.Errorf("%d late files, want one an hour: %s", hours, text)
	}
}

func TestPick(t *testing.T) {
	list := func(text string) (units []unit) {
		for i, part := range strings.Fields(text) {
			u := unit{level: part[:1], from: tables.Time(i)}
			fmt.Sscan(part[1:], &u.rows)
			units = append(units, u)
		}
		return units
	}
	for _, c := range []struct {
		units, level string
		at           int
		most         int64
		want         string
	}{
		{"m1 m1 m1", "m", 1, 10, "3"},
		{"m4 m4 m4", "m", 1, 10, "2 1"},
		{"m40", "m", 1, 10, "1"},
		{"t1 t1 t1 m1", "t", 4, 10, ""},
		{"t1 t1 t1 t1", "t", 4, 10, "4"},
		{"t1 t1 e1 t1 t1", "t", 4, 10, ""},
		{"t1 t1 e1 t1 t1 t1 t1", "t", 4, 10, "4"},
		{"t6 t3 t3 t1", "t", 4, 10, "2"},        // as many rows as may be
		{"t6 t6 t6", "t", 2, 10, ""},            // two would be too many
		{"d9 d1 d1 d1 d1", "d", 4, 100, "4"},    // the large one stays
		{"d9 d1 d1 d1", "d", 4, 100, ""},        //
		{"d4 d1 d1 d1 d1", "d", 4, 100, "5"},    // as much has come
		{"d9 d4 d1 d1 d1 d1", "d", 4, 100, "5"}, // 4 doubles, 9 would not
	} {
		var got []string
		for _, run := range pick(list(c.units), c.level, c.at, c.most) {
			got = append(got, fmt.Sprint(len(run)))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: merges %v, want %s", c.units, got, c.want)
		}
	}
}

// TestLoop: one at a time, and a family that fails does not stop the others.
func TestLoop(t *testing.T) {
	a := open(t)
	record(t, a, 0, 10, now()-3600*second, "")
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	broken := cat.Files(archive.Exports)[0]
	// The footer is whole, the pages are not.
	f, err := os.OpenFile(broken.Path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 100), 4); err != nil {
		t.Fatal(err)
	}
	f.Close()
	ctx, stop := context.WithCancel(context.Background())
	logged := make(lines, 100)
	done := make(chan error)
	go func() { done <- Loop(ctx, a, Config{Logger: slog.New(slog.NewTextHandler(logged, nil))}) }()
	for said := ""; !strings.Contains(said, "merge exports to level e"); {
		select {
		case line := <-logged:
			said += line
		case <-time.After(10 * time.Second):
			t.Fatalf("logged %q", said)
		}
	}
	if _, text := levelsOf(t, a, archive.Exporters); text != "map[main e:1]" {
		t.Error("exporters:", text)
	}
	// What is damaged stays where it is, and is left out.
	if cat, err = a.Catalog(); err != nil || len(cat.Files(archive.Exports)) != 0 || len(cat.Damage()) != 1 || cat.Damage()[0].Family != archive.Exports {
		t.Error("exports:", cat.Files(archive.Exports), cat.Damage(), err)
	}
	if _, err := os.Stat(broken.Path); err != nil {
		t.Error(err)
	}
	b, err := archive.Open(a.Dir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := Loop(ctx, b, Config{}); !errors.Is(err, archive.ErrLocked) {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// lines takes what is logged.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// Every family that climbs has a merger, and only those.
func TestMergers(t *testing.T) {
	for _, f := range tables.Families {
		if (mergers[archive.Family(f.Name)] != nil) != (f.Ladder != nil) {
			t.Errorf("%s: a ladder of %v", f.Name, f.Ladder)
		}
	}
}

// Rows of a time to come, of an exporter whose clock is ahead, are settled as soon as
// others that came with them.
func TestAheadIsSettled(t *testing.T) {
	a := open(t)
	const years = 10 * 365 * 24 * 3600 * tables.Time(1e6)
	record(t, a, 0, 10, now()+years, "")
	if err := epochs(context.Background(), a, &Stats{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at   tables.Time
		want string
	}{{now(), "e"}, {now() + 2*settleWait, "t"}} {
		if err := settleDue(context.Background(), a, c.at, usual, &Stats{}); err != nil {
			t.Fatal(err)
		}
		cat, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range cat.Files(archive.Exports) {
			if f.Level != c.want {
				t.Errorf("level %s, want %s", f.Level, c.want)
			}
		}
	}
	wantExports(t, a, 10)
}
