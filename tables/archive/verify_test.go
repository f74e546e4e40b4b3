package archive

import (
	"bytes"
	"context"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// verified is what a fresh look at an archive finds.
func verified(t *testing.T, dir string) (v Verified, found []Damage) {
	t.Helper()
	a, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if v, err = a.Verify(context.Background(), func(d Damage) { found = append(found, d) }); err != nil {
		t.Fatal(err)
	}
	return v, found
}

// everyKind is an archive with files of every kind: rows of two families in
// several, a merged one, decisions, packets, and a capture in place.
func everyKind(t *testing.T) (dir, capture string) {
	a := stepsArchive(t)
	tx, _, err := batch(t, a, 2000)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	tx = begin(t, a)
	write(t, tx, "e", []tables.Export{{TS: 1, TSEnd: 2, FlowID: 7}})
	commit(t, tx)
	tx = begin(t, a)
	f, err := NewDecisions[tables.Assigned](tx, catalog(t, a).Files(Exports)[0], File{})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Write([]tables.Assigned{{TS: 1, FlowID: 7}}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Close(); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	capture = writeFile(t, "in place.pcap", captureOf(20))
	adopt(t, a, capture)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	return a.Dir(), capture
}

// Whichever file is damaged, and however, it is named, and no other.
func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	dir, capture := everyKind(t)
	v, found := verified(t, dir)
	if len(found) > 0 || v.Files != 10 || v.Segments != 1 || v.InPlace != 1 || v.Ledgers != 2 || v.Older+v.OlderSegments+v.Unlisted+v.Wrong > 0 {
		t.Fatalf("%+v: %+v", v, found)
	}
	paths := []string{capture}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if ext := filepath.Ext(path); ext == ".parquet" || ext == ".pcap" || ext == ledgerMark {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) != 10+1+1+2 {
		t.Fatal(paths, err)
	}
	rng := rand.New(rand.NewPCG(7, 8))
	for _, path := range paths {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		ledger := strings.HasSuffix(path, ledgerMark)
		check := func(how string, content []byte) {
			t.Helper()
			if bytes.Equal(content, whole) {
				return
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if content != nil {
				if err := os.WriteFile(path, content, 0o640); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, st.ModTime().Add(-time.Hour), st.ModTime()); err != nil {
					t.Fatal(err)
				}
			}
			v, found := verified(t, dir)
			if ledger && content == nil {
				if len(found) > 0 || v.Unlisted == 0 {
					t.Errorf("%s %s: %+v %+v", path, how, v, found)
				}
				return
			}
			if len(found) != 1 || v.Wrong != 1 || found[0].Reason == "" || filepath.Base(found[0].File) != filepath.Base(path) {
				t.Errorf("%s %s: %+v", path, how, found)
			}
		}
		for range 12 {
			b := bytes.Clone(whole)
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			check("flipped", b)
			b = bytes.Clone(whole)
			at := rng.IntN(len(b))
			clear(b[at:min(len(b), at+512)])
			check("zeroed", b)
			if cut := whole[:rng.IntN(len(whole))]; !ledger || !bytes.HasSuffix(cut, []byte("\n")) {
				check("cut", cut)
			}
		}
		check("longer", append(bytes.Clone(whole), "more"...))
		check("gone", nil)
		if err := os.WriteFile(path, whole, 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, st.ModTime(), st.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	for _, stray := range []string{"flows/rows.parquet", "packets/dmz/0000000099.pcap"} {
		path := filepath.Join(dir, stray)
		if err := os.WriteFile(path, []byte("not ours"), 0o640); err != nil {
			t.Fatal(err)
		}
		if _, found := verified(t, dir); len(found) != 1 || found[0].File != stray || !found[0].Stray {
			t.Errorf("%s: %+v", stray, found)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, found := verified(t, dir); len(found) > 0 {
		t.Errorf("all is as it was: %+v", found)
	}
}

// What is written, merged and cleared away meanwhile is no damage.
func TestVerifyDuringMerges(t *testing.T) {
	a, err := Open(t.TempDir(), Options{NoSync: true, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	stop := make(chan bool)
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			tx, _, err := batch(t, a, 200)
			if err != nil {
				t.Error(err)
				return
			}
			if i%3 == 2 {
				err = tx.Abort()
			} else {
				err = tx.Commit()
			}
			if err != nil {
				t.Error(err)
				return
			}
			c, err := a.Catalog()
			if err != nil {
				t.Error(err)
				return
			}
			files := c.Files(Flows)
			tx, err = a.Begin("compact")
			if err != nil {
				t.Error(err)
				return
			}
			tx.Supersede(files)
			if err := Merge(context.Background(), tx, files, "t", MergeOptions[tables.Flow]{}); err != nil {
				t.Error(err)
				return
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
				return
			}
			for _, f := range files { // as if ten minutes went by
				names, _ := filepath.Glob(strings.Split(f.Path, ".parquet")[0] + ".*")
				for _, name := range names {
					if err := a.remove(name); err != nil {
						t.Error(err)
					}
				}
			}
		}
	})
	read := int64(0)
	began := time.Now()
	for time.Since(began) < 1500*time.Millisecond || read < 100 && time.Since(began) < 2*time.Minute {
		v, found := verified(t, a.Dir())
		read += v.Files
		if len(found) > 0 {
			t.Errorf("%+v", found)
			break
		}
	}
	close(stop)
	wait.Wait()
	if read < 100 {
		t.Errorf("%d files were read", read)
	}
}
