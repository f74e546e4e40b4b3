package engine

import (
	"os"
	"path/filepath"
	"testing"
)

// The folders of the dead are removed, those of the living stay, and what is no
// such folder.
func TestSpillsOfTheDead(t *testing.T) {
	dir := t.TempDir()
	living, lock, err := newSpill(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	dead, itsLock, err := newSpill(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dead, "duckdb_temp_storage-0.tmp"), make([]byte, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	itsLock.Close() // as the kernel does when a process ends
	other := filepath.Join(dir, "wiresql-spill-of-mine")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	last, lastLock, err := newSpill(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lastLock.Close()
	for path, want := range map[string]bool{living: true, dead: false, other: true, last: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}
