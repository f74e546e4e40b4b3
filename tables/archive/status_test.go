package archive

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/wiresql/wiresql/tables/archive/disk"
)

// A process says what it is doing on a full disk, too, over what it said before.
func TestStatusOnAFullDisk(t *testing.T) {
	var full atomic.Bool
	a, err := Open(t.TempDir(), Options{Disk: disk.Watch(disk.Real{NoSync: true}, func(o disk.Op) error {
		if full.Load() && o.Kind == disk.OpCreate {
			return syscall.ENOSPC
		}
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, status := range []string{"first", strings.Repeat("longer ", 300), "x"} {
		if err := a.WriteStatus("record", status); err != nil {
			t.Fatal(err)
		}
		full.Store(true)
		var got string
		if err := a.ReadStatus("record", &got); err != nil || got != status {
			t.Errorf("%q is read as %q: %v", status, got, err)
		}
	}
}
