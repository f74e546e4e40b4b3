package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// someFlows makes rows that differ from those of another number.
func someFlows(n, number int) []tables.Flow {
	out := make([]tables.Flow, n)
	for i := range out {
		at := tables.Time(1e12*int64(number+1) + int64(i)*1e6)
		out[i] = tables.Flow{TS: at, TSEnd: at + 5, FlowID: tables.ID(1000*number + i), Packets: 7}
	}
	return out
}

// stepsArchive has flows in three files of an import, one of them merged, and
// one side by side with another of its merge.
func stepsArchive(t *testing.T) *Archive {
	a := testArchive(t)
	for i := range 4 {
		tx := begin(t, a)
		write(t, tx, "e", someFlows(30, i))
		commit(t, tx)
	}
	merge, err := a.Begin("compact")
	if err != nil {
		t.Fatal(err)
	}
	old := catalog(t, a).Files(Flows)[:2]
	merge.Supersede(old)
	for _, f := range old {
		if err := merge.Keep(f, "t"); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, merge)
	return a
}

// What is gone is told, whichever file it was: a number in the middle, the last
// one, one of several that stand for the same numbers.
func TestGoneFilesAreDamage(t *testing.T) {
	files := len(catalog(t, stepsArchive(t)).Files(Flows))
	if files != 4 {
		t.Fatal(files, "files")
	}
	for i := range files {
		for _, ledgers := range []bool{true, false} {
			a := stepsArchive(t)
			f := catalog(t, a).Files(Flows)[i]
			a.Close()
			if err := os.Remove(f.Path); err != nil {
				t.Fatal(err)
			}
			if !ledgers {
				if err := os.RemoveAll(filepath.Join(a.Dir(), stateFolder)); err != nil {
					t.Fatal(err)
				}
			}
			b, err := Open(a.Dir(), Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			d := catalog(t, b).Damage()
			middle := f.Level == "e" && f.First == 3
			switch {
			case ledgers && (len(d) != 1 || d[0].File != filepath.Base(f.Path) || d[0].Rows != 30 || d[0].From != f.MinTS || d[0].To != f.MaxTS || d[0].Stray):
				t.Errorf("%s is gone: %+v", f.Path, d)
			case !ledgers && middle && (len(d) != 1 || !strings.Contains(d[0].Reason, "files 3 to 3 of import-main are gone") || d[0].Times()):
				t.Errorf("%s is gone without a ledger: %+v", f.Path, d)
			}
			// Its number is not given again, so that the gap stays.
			tx := begin(t, b)
			write(t, tx, "e", someFlows(3, 9))
			commit(t, tx)
			if ledgers && len(catalog(t, b).Damage()) != 1 {
				t.Errorf("%s is gone, and after a batch: %+v", f.Path, catalog(t, b).Damage())
			}
			b.Close()
		}
	}
}

// A file that another one took the place of, or was cut, is not what was written.
func TestOtherFilesAreDamage(t *testing.T) {
	a := stepsArchive(t)
	files := catalog(t, a).Files(Flows)
	whole, err := os.ReadFile(files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	for name, content := range map[string][]byte{"cut": whole[:len(whole)/2], "empty": nil, "another": nil, "zeros": make([]byte, len(whole))} {
		if name == "another" {
			if content, err = os.ReadFile(files[3].Path); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(files[0].Path, content, 0o640); err != nil {
			t.Fatal(err)
		}
		b, err := Open(a.Dir(), Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		c := catalog(t, b)
		if d := c.Damage(); len(d) != 1 || !strings.HasSuffix(files[0].Path, "/"+d[0].File) || d[0].Rows != 30 || len(c.Files(Flows)) != 3 {
			t.Errorf("%s: %+v", name, d)
		}
		b.Close()
	}
}

// A ledger that is torn, or damaged, says less and nothing that is not so.
func TestDamagedLedgers(t *testing.T) {
	a := stepsArchive(t)
	a.Close()
	path := filepath.Join(a.Dir(), stateFolder, "import"+ledgerMark)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 7 {
		for _, b := range [][]byte{whole[:i], append(append([]byte{}, whole[:i]...), append([]byte{whole[i] ^ 1<<(i%8)}, whole[i+1:]...)...)} {
			if err := os.WriteFile(path, b, 0o640); err != nil {
				t.Fatal(err)
			}
			r, err := Open(a.Dir(), Options{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			if d := catalog(t, r).Damage(); len(d) > 0 {
				t.Fatalf("at %d: %+v", i, d)
			}
			r.Close()
		}
	}
}

// A reader follows a ledger as it grows and as it is written anew.
func TestLedgersAreFollowed(t *testing.T) {
	a := testArchive(t)
	reader, err := Open(a.Dir(), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	for i := range 30 {
		tx := begin(t, a)
		write(t, tx, "e", []tables.Flow{{TS: 1, TSEnd: 2}})
		commit(t, tx)
		if i%10 == 9 {
			a.bookMu.Lock()
			err := a.startLedger("import")
			a.bookMu.Unlock()
			if err != nil {
				t.Fatal(err)
			}
		}
		reader.Refresh()
		c := catalog(t, reader)
		if n := len(reader.ledgers.known[Flows]); n != i+1 || len(c.Damage()) > 0 {
			t.Fatal(i, n, c.Damage())
		}
	}
	base, _, _ := strings.Cut(catalog(t, a).Files(Flows)[29].Path, ".parquet")
	names, _ := filepath.Glob(base + ".parquet*")
	for _, name := range names {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	reader.Refresh()
	if d := catalog(t, reader).Damage(); len(d) != 1 || fmt.Sprint(d[0].Reason) != "the file is gone" {
		t.Fatalf("%+v", d)
	}
}
