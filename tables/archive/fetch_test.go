package archive

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

func TestFetchByAnyShape(t *testing.T) {
	a, err := Open(t.TempDir(), Options{NoSync: true, SegmentBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	tx, ids, err := batch(t, a, 9000)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	if n := len(catalog(t, a).Segments()); n < 5 {
		t.Fatal(n, "segments")
	}
	checkFetch(t, a, ids, ids)
	checkFetch(t, a, ids, ids[len(ids)-1:])
	checkFetch(t, a, ids, nil)
	for _, step := range []int{2, 7, 90, 1000} {
		var some []tables.ID
		for i := 3; i < len(ids); i += step {
			some = append(some, ids[i])
		}
		stats := checkFetch(t, a, ids, some)
		var refs []Ref
		for _, id := range some {
			refs = append(refs, Ref{ID: id})
		}
		// The end of a packet that reaches out of what was read is read again
		// with the next.
		e := EstimateFetch(catalog(t, a), refs)
		if e.Segments != stats.Segments || e.Ranges != stats.Ranges || e.Packets != stats.Packets ||
			e.Bytes > stats.Bytes+guess || float64(e.Bytes) < 0.9*float64(stats.Bytes) {
			t.Errorf("estimate %+v, read %+v", e, stats)
		}
	}
}

// Sparse packets are read in ranges, dense ones by reading through.
func TestSpans(t *testing.T) {
	refs := func(n int, gap int64) (out []Ref) {
		for i := range n {
			out = append(out, Ref{ID: tables.PacketID(7, 24+int64(i)*gap)})
		}
		return out
	}
	for _, c := range []struct {
		n    int
		gap  int64
		want int
	}{{0, 0, 0}, {1, 0, 1}, {100, 1500, 1}, {100, 17_000, 1}, {1000, 30_000, 1}, {1000, 100_000, 1000}} {
		if got := len(spans(refs(c.n, c.gap))); got != c.want {
			t.Errorf("%d packets, one each %d bytes: %d ranges, want %d", c.n, c.gap, got, c.want)
		}
	}
}

// Packets that are gone, or are where no packet is, are counted; the rest
// comes.
func TestFetchCountsWhatIsGone(t *testing.T) {
	a, err := Open(t.TempDir(), Options{NoSync: true, SegmentBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	tx, ids, err := batch(t, a, 900)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	segments := catalog(t, a).Segments()
	if len(segments) < 4 {
		t.Fatal(segments)
	}
	if err := os.Remove(segments[0].AbsPath); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(segments[1].AbsPath, segments[1].Bytes/2); err != nil {
		t.Fatal(err)
	}
	var refs []Ref
	for _, id := range ids {
		refs = append(refs, Ref{ID: id})
	}
	refs = append(refs, Ref{ID: tables.PacketID(4000, 24)}, Ref{ID: tables.PacketID(4000, tables.MaxOffset)})
	stats, err := a.Fetch(context.Background(), catalog(t, a), refs, func(Ref, *pcap.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	var lost int64
	for _, n := range stats.Missing {
		lost += n
	}
	if stats.Missing[1] != segments[0].Packets || stats.Missing[2] == 0 || stats.Missing[2] >= segments[1].Packets || stats.Missing[4000] != 2 ||
		len(stats.Missing) != 3 || stats.Packets+lost != int64(len(refs)) {
		t.Errorf("%+v", stats)
	}
	if c := seen(t, a, 1); c.Segments()[0].State != StateMissing {
		t.Errorf("%+v", c.Missing())
	}
	walked := 0
	err = a.Walk(context.Background(), catalog(t, a), 2, func(*pcap.Record) error { walked++; return nil })
	var damage *pcap.DamageError
	if !errors.As(err, &damage) || int64(walked) < segments[1].Packets-stats.Missing[2] {
		t.Error(walked, err)
	}
	if err := a.Walk(context.Background(), catalog(t, a), 1, nil); err == nil {
		t.Error("a segment that is gone is walked")
	}
	// Positions that point into the middle of records: whatever comes of it,
	// it is bytes of the file.
	for i := range refs {
		refs[i].ID += 3
	}
	if _, err := a.Fetch(context.Background(), catalog(t, a), refs, func(_ Ref, rec *pcap.Record) error {
		if len(rec.Data) > 100_000 {
			t.Fatal("more than the file has")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func TestFetchStops(t *testing.T) {
	a := testArchive(t)
	tx, ids, err := batch(t, a, 2000)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	var refs []Ref
	for _, id := range ids {
		refs = append(refs, Ref{ID: id})
	}
	stop := errors.New("enough")
	if _, err := a.Fetch(context.Background(), catalog(t, a), refs, func(Ref, *pcap.Record) error { return stop }); err != stop {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := 0
	if _, err := a.Fetch(ctx, catalog(t, a), refs, func(Ref, *pcap.Record) error { cancel(); n++; return nil }); !errors.Is(err, context.Canceled) || n > 300 {
		t.Error(n, err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	n = 0
	if err := a.Walk(ctx, catalog(t, a), 1, func(*pcap.Record) error { cancel(); n++; return nil }); !errors.Is(err, context.Canceled) || n > 1100 {
		t.Error(n, err)
	}
}

// adopt indexes a capture in place and returns its packets.
func adopt(t testing.TB, a *Archive, path string) (ids []tables.ID, packets []pcap.Record) {
	t.Helper()
	tx := begin(t, a)
	ad, err := tx.Adopt(path, "s", "")
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenCapture(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
		ids = append(ids, tables.PacketID(ad.Segment, rec.Offset))
		rec.Data = slices.Clone(rec.Data)
		packets = append(packets, rec)
	}
	if err := ad.Finish(r); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	return ids, packets
}

// Every packet of every capture, read from the middle of the file where it
// lies, and read through, is the packet the reader saw.
func TestPacketsInPlace(t *testing.T) {
	a := testArchive(t)
	a.disk = disk.Real{NoSync: true}
	paths, err := filepath.Glob("../../../shared/captures/*/*") // not part of the repository
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(paths, writeFile(t, "x.pcap", captureOf(100))) {
		if r, err := pcap.Open(path); err != nil || r.Compressed() {
			continue
		}
		ids, want := adopt(t, a, path)
		c := catalog(t, a)
		// Backwards, one by one, so that nothing is carried along.
		for i := len(ids) - 1; i >= 0 && i > len(ids)-50; i-- {
			stats, err := a.Fetch(context.Background(), c, []Ref{{ids[i], 1}}, func(_ Ref, rec *pcap.Record) error {
				if !reflect.DeepEqual(rec, &want[i]) {
					t.Fatalf("got %+v\nwant %+v", rec, want[i])
				}
				return nil
			})
			if err != nil || stats.Packets != 1 {
				t.Fatal(path, i, stats, err)
			}
		}
		if len(ids) == 0 {
			continue
		}
		n := 0
		if err := a.Walk(context.Background(), c, ids[0].Segment(), func(rec *pcap.Record) error {
			if !reflect.DeepEqual(rec, &want[n]) {
				t.Fatalf("got %+v\nwant %+v", rec, want[n])
			}
			n++
			return nil
		}); err != nil || n != len(ids) {
			t.Error(path, n, len(ids), err)
		}
	}
}

func TestAdoptedFileChanges(t *testing.T) {
	change := map[string]func(path string, b []byte) error{
		"grown":   func(p string, b []byte) error { return os.WriteFile(p, append(b, b[24:]...), 0o644) },
		"touched": func(p string, b []byte) error { return os.Chtimes(p, time.Now(), time.Now().Add(time.Hour)) },
		"gone":    func(p string, b []byte) error { return os.Remove(p) },
		"edited, its time put back": func(p string, b []byte) error {
			st, err := os.Stat(p)
			if err != nil {
				return err
			}
			b[100] ^= 1
			return errors.Join(os.WriteFile(p, b, 0o644), os.Chtimes(p, st.ModTime(), st.ModTime()))
		},
	}
	for name, fn := range change {
		t.Run(name, func(t *testing.T) {
			a := testArchive(t)
			path := filepath.Join(t.TempDir(), "x.pcap")
			b := pcap.AppendHeader(nil, tables.LinkEthernet, false)
			for i := range 100 {
				b = append(b, 0, 0, 0, byte(i), 0, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 0)
				b = append(b, make([]byte, 100)...)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
			ids, _ := adopt(t, a, path)
			if catalog(t, a).Segments()[0].State != StateAvailable {
				t.Fatal("not available")
			}
			if err := fn(path, b); err != nil {
				t.Fatal(err)
			}
			stats, err := a.Fetch(context.Background(), catalog(t, a), []Ref{{ID: ids[5]}}, func(Ref, *pcap.Record) error {
				t.Error("a packet of another file")
				return nil
			})
			if err != nil || stats.Missing[1] != 1 {
				t.Error(stats, err)
			}
			want := StateChanged
			if name == "gone" {
				want = StateMissing
			}
			if c := seen(t, a, 1); c.Segments()[0].State != want {
				t.Errorf("%+v", c.Segments())
			}
		})
	}
}

func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// seen waits until the catalogue misses these segments and no others.
func seen(t *testing.T, a *Archive, missing ...uint32) *Catalog {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c := catalog(t, a)
		if slices.Equal(c.Missing(), missing) {
			return c
		}
		if time.Now().After(end) {
			t.Fatalf("missing: %v, want %v", c.Missing(), missing)
		}
	}
}

func TestAdoptRefuses(t *testing.T) {
	a := testArchive(t)
	tx := begin(t, a)
	defer tx.Abort()
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := z.Write(captureOf(3)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		writeFile(t, "x.pcap.gz", gz.Bytes()): "import it by copy",
		t.TempDir():                           "is a directory",
		"/dev/null":                           "not a capture",
		"/not/there":                          "no such file",
	} {
		if _, err := tx.Adopt(path, "s", ""); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	a, err := Open(b.TempDir(), Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	const packets = 400_000
	tx, ids, err := batch(b, a, packets)
	if err != nil {
		b.Fatal(err)
	}
	commit(b, tx)
	c := catalog(b, a)
	rng := rand.New(rand.NewPCG(3, 4))
	for name, n := range map[string]int{"1000": 1000, "25000": 25_000} {
		b.Run(name, func(b *testing.B) {
			pick := rng.Perm(packets)[:n]
			slices.Sort(pick)
			var refs []Ref
			for _, i := range pick {
				refs = append(refs, Ref{ID: ids[i]})
			}
			var stats FetchStats
			for b.Loop() {
				if stats, err = a.Fetch(context.Background(), c, refs, func(Ref, *pcap.Record) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
			b.ReportMetric(float64(stats.Ranges), "ranges")
		})
	}
}
