package archive

import (
	"context"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// A packet of a block that is not as it was written is not delivered, whoever
// reads it, also of a capture that lies where it was, where the file's time does
// not tell.
func TestDamagedPacketsAreLeftOut(t *testing.T) {
	t.Run("segment", func(t *testing.T) {
		a := testArchive(t)
		tx, ids, err := batch(t, a, 2000)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		damagePackets(t, a, ids)
	})
	t.Run("in place", func(t *testing.T) {
		a := testArchive(t)
		a.disk = disk.Real{NoSync: true}
		ids, _ := adopt(t, a, writeFile(t, "in place.pcap", captureOf(6000)))
		damagePackets(t, a, ids)
	})
}

func damagePackets(t *testing.T, a *Archive, ids []tables.ID) {
	s := catalog(t, a).Segments()[0]
	st, err := os.Stat(s.AbsPath)
	if err != nil || s.InPlace && st.Size() < 4*checkBytes {
		t.Fatal(st, err)
	}
	whole, err := os.ReadFile(s.AbsPath)
	if err != nil {
		t.Fatal(err)
	}
	var refs []Ref
	for _, id := range ids {
		if id.Segment() == s.Number() {
			refs = append(refs, Ref{ID: id})
		}
	}
	read := func(a *Archive) (FetchStats, map[int64]string) {
		got := map[int64]string{}
		stats, err := a.Fetch(context.Background(), catalog(t, a), refs, func(r Ref, rec *pcap.Record) error {
			got[r.ID.Offset()] = string(rec.Data)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return stats, got
	}
	_, want := read(a)
	rng := rand.New(rand.NewPCG(5, 6))
	for i := range 200 {
		b := append([]byte{}, whole...)
		at := rng.IntN(len(b))
		if b[at] ^= 1 << rng.IntN(8); i%4 == 3 {
			b = b[:at]
		}
		if err := os.WriteFile(s.AbsPath, b, 0o640); err != nil {
			t.Fatal(err)
		}
		if s.InPlace {
			if err := os.Chtimes(s.AbsPath, time.Time{}, st.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
		fresh, err := Open(a.Dir(), Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		readers := []*Archive{fresh}
		if !s.InPlace { // who has read a block of a file that did not change since does not look again
			readers = append(readers, a)
		}
		for _, one := range readers {
			stats, got := read(one)
			for off, data := range got {
				if data != want[off] {
					t.Fatalf("at %d: the packet at %d is another, %+v", at, off, stats)
				}
			}
			if len(got)+int(stats.Missing[s.Number()]) != len(refs) {
				t.Fatalf("%d of %d packets, %+v", len(got), len(refs), stats)
			}
		}
		fresh.Close()
	}
}
