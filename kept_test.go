package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// TestKeptArchives runs the SQL pages over archives that earlier commits wrote:
// every version of a row file stays readable, and says the same. They are kept
// without packets, which an import writes as it always did; see
// testdata/archives/keep.sh.
func TestKeptArchives(t *testing.T) {
	versions, err := filepath.Glob("testdata/archives/*/demo")
	if err != nil || len(versions) < 2 {
		t.Fatalf("%q, %v", versions, err)
	}
	before := map[string][]string{}
	for _, c := range parsePage(t, "testdata/archives/before.test").cases {
		before[c.statement] = c.want
	}
	for _, version := range versions {
		version = filepath.Dir(version)
		t.Run(filepath.Base(version), func(t *testing.T) {
			t.Parallel()
			engines := map[string]*engine.Engine{}
			engines[""], _ = keptEngine(t, version, "demo")
			engines["observers"], _ = keptEngine(t, version, "observers")
			ran := 0
			for _, path := range pages(t, "testdata/sql") {
				p := parsePage(t, path)
				e := engines[p.archive]
				if e == nil {
					continue
				}
				s := e.NewSession()
				for _, c := range p.cases {
					ran++
					want := c.want
					if other, ok := before[c.statement]; ok {
						want = other
					}
					if diff := compareRows(want, askEngine(s, c.statement).lines(c)); diff != "" {
						t.Errorf("%s:%d: %s\n%s", path, c.line, c.statement, diff)
					}
				}
			}
			if ran < 300 {
				t.Errorf("%d statements", ran)
			}
		})
	}
}

// keptEngine opens a copy of a kept archive, with its packets.
func keptEngine(t *testing.T, version, name string) (e *engine.Engine, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(version, name))); err != nil {
		t.Fatal(err)
	}
	fresh, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	written, err := filepath.Glob(filepath.Join(fresh, "packets/*/*/*/*/*.pcap"))
	if err != nil || len(written) == 0 {
		t.Fatalf("%q, %v", written, err)
	}
	a, err := archive.Open(dir, archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range cat.Segments() {
		b, err := os.ReadFile(written[i])
		if err != nil || int64(len(b)) != s.Segment.Bytes {
			t.Fatalf("%s has %d bytes, not %d (%v)", s.Path, len(b), s.Segment.Bytes, err)
		}
		if err := os.MkdirAll(filepath.Dir(s.AbsPath), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(s.AbsPath, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return engineOver(t, dir), dir
}

// TestFilesWithoutColumns: a column that is added to a family is NULL in the
// files there are, whichever it is, and breaks no statement. Columns are taken
// out of files, a quarter of a family's at a time and then all; but those by which
// packets and names of hosts are found, which always were.
func TestFilesWithoutColumns(t *testing.T) {
	if testing.Short() {
		t.Skip("reads all relations five times")
	}
	t.Parallel()
	const oldest = "testdata/archives/85fd3ef"
	count := func(e *engine.Engine, rel *tables.Relation) string {
		// All columns are read, and more than names.
		got := askEngine(e.NewSession(), "SELECT * FROM "+rel.Schema+"."+rel.Name)
		if got.err != "" {
			t.Errorf("%s: %s", rel.Name, got.err)
		}
		return fmt.Sprint(len(got.rows))
	}
	want := map[*tables.Relation]string{}
	whole, _ := keptEngine(t, oldest, "observers")
	for _, rel := range tables.Relations {
		want[rel] = count(whole, rel)
	}
	const rounds = 4
	for round := range rounds + 1 {
		older, dir := keptEngine(t, oldest, "observers")
		dropped := 0
		for _, family := range tables.Families {
			if family.Name == "segments" || family.Name == "names" {
				continue
			}
			place := map[string]int{}
			for i, c := range tables.StoredColumns(family.Row) {
				place[c.Name] = i
			}
			files, err := filepath.Glob(filepath.Join(dir, family.Name, "*/*/*/*"))
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range files {
				n, err := samples.Without(file, func(column string) bool {
					return !slices.Contains([]string{"postings", "segments", "source_type"}, column) && (round == rounds || place[column]%rounds == round)
				})
				if err != nil {
					t.Fatal(err)
				}
				dropped += n
			}
		}
		if dropped < 20 {
			t.Errorf("round %d: %d columns", round, dropped)
		}
		for _, rel := range tables.Relations {
			if rel != tables.OpsQueryLog {
				if got := count(older, rel); got != want[rel] {
					t.Errorf("round %d: %s has %s rows, not %s", round, rel.Name, got, want[rel])
				}
			}
		}
		if round == rounds {
			if got := askEngine(older.NewSession(), "SELECT COUNT(*) > 0, COUNT(reverse_bytes), COUNT(ttl), COUNT(sampling_rate) FROM flows_wide"); len(got.rows) != 1 || got.rows[0] != "1\t0\t0\t0" {
				t.Errorf("%+v", got)
			}
		}
	}
}
