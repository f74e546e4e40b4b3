package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables/archive"
)

// TestKeptArchives runs the SQL pages over archives that earlier commits wrote:
// every version of a row file stays readable, and says the same. They are kept
// without packets, which an import writes as it always did; see
// testdata/archives/keep.sh.
func TestKeptArchives(t *testing.T) {
	versions, err := filepath.Glob("testdata/archives/*/demo")
	if err != nil || len(versions) == 0 {
		t.Fatalf("%q, %v", versions, err)
	}
	for _, version := range versions {
		version = filepath.Dir(version)
		t.Run(filepath.Base(version), func(t *testing.T) {
			t.Parallel()
			engines := map[string]*engine.Engine{"": keptEngine(t, version, "demo"), "observers": keptEngine(t, version, "observers")}
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
					if diff := compareRows(c.want, askEngine(s, c.statement).lines(c)); diff != "" {
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

// keptEngine opens a kept archive, with its packets.
func keptEngine(t *testing.T, version, name string) *engine.Engine {
	t.Helper()
	dir := t.TempDir()
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
	return engineOver(t, dir)
}
