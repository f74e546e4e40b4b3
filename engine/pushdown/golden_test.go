package pushdown

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "accept the golden texts under testdata as they come out")

// golden compares a page of sections ("== name" and text) with
// testdata/<file>, or writes it with -rewrite.
func golden(t *testing.T, file, got string) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got == string(want) {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			line := ""
			if i < len(w) {
				line = w[i]
			}
			t.Fatalf("%s line %d (run with -rewrite to accept):\n got %s\nwant %s", path, i+1, g[i], line)
		}
	}
	t.Fatalf("%s: %d lines, want %d (run with -rewrite to accept)", path, len(g), len(w))
}
