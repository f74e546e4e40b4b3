package disk

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestWritten: what is written past memory, and in which pieces, can't be seen in
// the file.
func TestWritten(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 20 {
		path := filepath.Join(t.TempDir(), "f")
		f, err := Real{}.Create(path, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.Advise(0, 0, Written)
		var want []byte
		for range r.IntN(8) {
			b := make([]byte, (1+r.IntN(40))*Block)
			if r.IntN(4) == 0 {
				b = b[r.IntN(3):]
				b = b[:r.IntN(len(b))]
			}
			for i := range b {
				b[i] = byte(r.Uint32())
			}
			if k, err := f.Write(b); k != len(b) || err != nil {
				t.Fatal(k, err)
			}
			want = append(want, b...)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
			t.Errorf("file %d is not what was written: %d bytes instead of %d, %v", n, len(got), len(want), err)
		}
	}
}
