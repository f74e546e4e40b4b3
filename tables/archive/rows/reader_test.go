package rows

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// No flipped bit of a row file takes the process along or makes it allocate
// without bound; what is read are rows or an error.
func TestFlippedBits(t *testing.T) {
	path := write(t, Options{}, generateFlows(300)).Path
	good, err := readUnsummed(path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.parquet")
	rows := make([]tables.Flow, 400)
	for i := range 600 {
		b := slices.Clone(good)
		if i%3 == 0 {
			b = b[:len(b)*i/600]
		} else {
			at := (i * 7919) % len(b)
			if i%2 == 0 { // the footer is a tenth of it
				at = len(b) - 1 - at/8
			}
			b[at] ^= 1 << (i % 8)
		}
		if err := os.WriteFile(bad, b, 0o640); err != nil {
			t.Fatal(err)
		}
		MayContain(File{Path: bad, Bytes: int64(i)}, "cid", 7)
		r, err := Open[tables.Flow](File{Path: bad})
		if err != nil {
			continue
		}
		for range 10 {
			if n, err := r.Read(rows); n == 0 || err != nil {
				break
			}
		}
		r.Close()
	}
}
