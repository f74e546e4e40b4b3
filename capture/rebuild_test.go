package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// rowsOf are the rows of the families that are metered, as texts.
func rowsOf(t *testing.T, a *archive.Archive) (out []string) {
	t.Helper()
	a.Refresh()
	for _, r := range readAll[tables.Flow](t, a, archive.Flows) {
		out = append(out, fmt.Sprintf("flow %v", r))
	}
	for _, r := range readAll[tables.Other](t, a, archive.Other) {
		out = append(out, fmt.Sprintf("other %v", r))
	}
	slices.Sort(out)
	return out
}

// lose removes files of a family, the n-th to the last, and returns what is told of
// them.
func lose(t *testing.T, a *archive.Archive, family archive.Family, n int) (lost []archive.File) {
	t.Helper()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Files(family)[n:] {
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
	a.Refresh()
	if c, err = a.Catalog(); err != nil {
		t.Fatal(err)
	}
	for _, d := range c.Damage() {
		f, ok := d.Lost()
		if !ok {
			t.Fatalf("%+v", d)
		}
		lost = append(lost, f)
	}
	return lost
}

// Rows of any batches of an import come back as they were, whether its packets were
// copied or lie where they were; not when a packet is gone or another one.
func TestRebuild(t *testing.T) {
	for _, inPlace := range []bool{false, true} {
		dir := t.TempDir()
		captures := filepath.Join(dir, "captures")
		writeCaptures(t, captures, 4, 3000)
		a := openArchive(t, filepath.Join(dir, "data"))
		cfg := ImportConfig{Paths: []string{captures}, BatchBytes: 1, InPlace: inPlace}
		if _, err := Import(t.Context(), a, cfg); err != nil {
			t.Fatal(err)
		}
		want := rowsOf(t, a)
		if len(want) < 200 {
			t.Fatal(len(want), "rows")
		}
		for n := range 3 {
			lost := lose(t, a, archive.Flows, n)
			if len(lost) < 2 || slices.Equal(rowsOf(t, a), want) {
				t.Fatal(len(lost), "lost files")
			}
			done, err := Rebuild(t.Context(), a, lost)
			if err != nil || len(done) != len(lost) {
				t.Fatal(done, err)
			}
			for _, l := range done {
				if l.Err != nil {
					t.Errorf("in place %v: %s: %v", inPlace, l.Files[0].Range(), l.Err)
				}
			}
			if got := rowsOf(t, a); !slices.Equal(got, want) {
				t.Fatalf("in place %v, from file %d: %d rows, not the %d there were", inPlace, n, len(got), len(want))
			}
		}
		lost := lose(t, a, archive.Flows, 0)
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		path := c.Segments()[1].AbsPath
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := slices.Clone(whole)
		bad[len(bad)/2] ^= 1
		for why, content := range map[string][]byte{"damaged": bad, "not all there": nil} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if content != nil {
				if err := os.WriteFile(path, content, 0o640); err != nil {
					t.Fatal(err)
				}
				if inPlace {
					why = "not all there" // it is not the file that was imported
				}
			}
			a.Refresh()
			done, err := Rebuild(t.Context(), a, lost)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range done {
				if l.Err == nil || !strings.Contains(l.Err.Error(), why) {
					t.Errorf("in place %v, packets are %s: %v", inPlace, why, l.Err)
				}
			}
			if err := os.WriteFile(path, whole, 0o640); err != nil {
				t.Fatal(err)
			}
		}
		left, err := filepath.Glob(filepath.Join(dir, "data/flows/*/*/*/*"))
		if err != nil || len(left) > 0 {
			t.Errorf("what could not be rebuilt left %q, %v", left, err)
		}
	}
}
