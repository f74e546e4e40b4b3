package rows

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// readUnsummed reads a file and makes it one that has no checksums, as those of
// earlier versions: what the decoders make of damage would not be seen else.
func readUnsummed(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	b = bytes.ReplaceAll(b, []byte(sumsMark), []byte("notasums"))
	return bytes.ReplaceAll(b, []byte(sumsKey), []byte("wiresql.nothing..")), err
}

// Of a file that is damaged anywhere, either all rows come as they were written
// or an error that says where.
func TestNothingDamagedIsRead(t *testing.T) {
	rows := samples.Exports(20_000, 7)
	whole, err := os.ReadFile(write(t, Options{}, rows).Path)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(8, 8))
	bad := filepath.Join(t.TempDir(), "exports.parquet")
	told := 0
	for range 400 {
		b := bytes.Clone(whole)
		switch at := rng.IntN(len(b)); rng.IntN(4) {
		case 0:
			b[at] ^= 1 << rng.IntN(8)
		case 1:
			clear(b[at:min(at+4096, len(b))])
		case 2:
			b = b[:at]
		default:
			for range 30 {
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
			}
		}
		if bytes.Equal(b, whole) {
			continue
		}
		os.Remove(bad)
		if err := os.WriteFile(bad, b, 0o640); err != nil {
			t.Fatal(err)
		}
		got, err := ReadAll[tables.Export](File{Path: bad})
		var e *sums.Error
		if err == nil || !errors.As(err, &e) || e.File != bad {
			t.Fatalf("%d rows, %v", len(got), err)
		}
		if found := DamageIn(err); len(found) != 1 || found[0].Offset != e.Offset {
			t.Fatalf("%v: %+v", err, found)
		}
		told++
	}
	if told < 300 {
		t.Error(told, "damages")
	}
}
