package engine

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// recordedArchive is an archive as a recorder and compaction leave it: names
// of hosts, and micro files of the minutes before a time; more come one by one.
func recordedArchive(tb testing.TB, at time.Time, names, micro, rows int) (*archive.Archive, func()) {
	tb.Helper()
	a, err := archive.Open(tb.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { a.Close() })
	list := make([]tables.Name, names)
	for i := range list {
		ts := tables.Time(i) * 1_000_000
		list[i] = tables.Name{TS: ts, Name: fmt.Sprintf("host-%d", i), Addr: tables.Addr{Lo: 0xffff0a000000 + uint64(i)}, Source: "dhcp", ValidUntil: ts + 3600e6}
	}
	commit(tb, a, "import", func(tx *archive.Tx) error {
		_, err := archive.WriteRows(tx, "e", list)
		return err
	})
	serial := 0
	now := tables.Time(at.UnixMicro()) - tables.Time(micro)*2_000_000
	next := func() {
		tb.Helper()
		now += 2_000_000
		batch := make([]tables.Export, rows)
		for i := range batch {
			serial++
			batch[i] = tables.Export{TS: now, TSEnd: now + 999, Resolution: 1000, SourceType: "ipfix", Observer: "core", Src: tables.Addr{Lo: 0xffff0a000000 + uint64(serial)},
				Dst: tables.Addr{Lo: 0xffff0b000001}, SrcPort: 1024, DstPort: 443, Protocol: 6, Bytes: 100, Packets: 1, FlowID: tables.ID(serial), CID: uint64(serial)}
		}
		commit(tb, a, "collector", func(tx *archive.Tx) error {
			_, err := archive.WriteRows(tx, "m", batch)
			if err == nil {
				_, err = archive.WriteRows(tx, "m", []tables.Exporter{{TS: now, TSEnd: now + 1e6, Observer: "core", SourceType: "ipfix", Records: int64(rows), Missing: 1, SequenceUnit: "records"}})
			}
			if err == nil {
				_, err = archive.WriteRows(tx, "m", []tables.Socket{{TS: now, TSEnd: now + 1e6, Socket: "udp 127.0.0.1:2055", Received: 1}})
			}
			return err
		})
	}
	for range micro {
		next()
	}
	return a, next
}

func commit(tb testing.TB, a *archive.Archive, writer string, write func(*archive.Tx) error) {
	tb.Helper()
	tx, err := a.Begin(writer)
	if err != nil {
		tb.Fatal(err)
	}
	if err := write(tx); err != nil {
		tb.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

func openEngine(tb testing.TB, a *archive.Archive) *Engine {
	tb.Helper()
	e, err := New(DefaultConfig(), a, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { e.Close() })
	return e
}

func ask(tb testing.TB, e *Engine, statement string) string {
	tb.Helper()
	rows, err := e.Query(tb.Context(), statement)
	if err != nil {
		tb.Fatal(statement, err)
	}
	all, err := rows.All()
	if err != nil {
		tb.Fatal(statement, err)
	}
	return fmt.Sprint(all)
}

// A new file of one family leaves what was computed from the others.
func TestSnapshotKeepsWhatDidNotChange(t *testing.T) {
	a, next := recordedArchive(t, time.Now(), 100, 2, 10)
	e := openEngine(t, a)
	before, err := e.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, e, "SELECT COUNT(*) FROM hosts"); got != "[[100]]" {
		t.Errorf("hosts: %s", got)
	}
	read := e.names.read
	next()
	after, err := e.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if after == before || len(after.catalog.Files(archive.Exports)) != 3 {
		t.Fatalf("%d files after the new one", len(after.catalog.Files(archive.Exports)))
	}
	if reflect.ValueOf(e.names.read).Pointer() != reflect.ValueOf(read).Pointer() {
		t.Error("names were looked at again")
	}
	commit(t, a, "import", func(tx *archive.Tx) error {
		_, err := archive.WriteRows(tx, "e", []tables.Name{{TS: 1, Name: "new", Addr: tables.Addr{Lo: 1}, Source: "dns", ValidUntil: 2}})
		return err
	})
	if after, err = e.snapshot(t.Context()); err != nil || after.names.update(t.Context()) != nil || len(after.names.named("new")) != 1 {
		t.Errorf("a new name is not known: %v", err)
	}
	if len(e.names.behind) != 1 || e.names.all {
		t.Errorf("one new name makes %d of the table's addresses old", len(e.names.behind))
	}
	if got := ask(t, e, "SELECT COUNT(*) FROM hosts WHERE name = 'new'"); got != "[[1]]" {
		t.Errorf("hosts: %s", got)
	}
}

// BenchmarkQueryAfterNewFile is a count of the last rows when nothing changed
// and right after a batch came.
func BenchmarkQueryAfterNewFile(b *testing.B) {
	for _, fresh := range []bool{false, true} {
		b.Run(fmt.Sprintf("new=%v", fresh), func(b *testing.B) {
			a, next := recordedArchive(b, time.Now(), 50_000, 90, 2000)
			e := openEngine(b, a)
			s := e.NewSession()
			ask(b, e, "SELECT COUNT(*) FROM flows")
			for b.Loop() {
				if fresh {
					b.StopTimer()
					next()
					b.StartTimer()
				}
				rows, err := s.Query(b.Context(), "SELECT COUNT(*) FROM flows WHERE ts >= NOW() - INTERVAL 4 SECOND AND ts < NOW() + INTERVAL 1 SECOND")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := rows.All(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
