package archive

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notebookReader keeps what a notebook gives.
type notebookReader struct {
	book  *Notebook
	lines []string
	begun int // times it began anew
}

func (r *notebookReader) take(anew bool, line []byte) {
	if anew {
		r.lines, r.begun = nil, r.begun+1
		return
	}
	r.lines = append(r.lines, string(line))
}

func (r *notebookReader) follow(t *testing.T) string {
	t.Helper()
	if err := r.book.Follow(r.take); err != nil {
		t.Fatal(err)
	}
	return strings.Join(r.lines, " ")
}

func (r *notebookReader) write(t *testing.T, whole bool, lines ...string) {
	t.Helper()
	err := r.book.Write(r.take, func() (out [][]byte, _ bool, _ error) {
		for _, l := range lines {
			out = append(out, []byte(l))
		}
		return out, whole, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Two who write in turn read what both wrote, in one order; what was written anew is
// read anew.
func TestNotebook(t *testing.T) {
	a := testArchive(t)
	one, two := &notebookReader{book: a.Notebook()}, &notebookReader{book: a.Notebook()}
	if got := one.follow(t); got != "" {
		t.Errorf("at first it says %q", got)
	}
	one.write(t, false, "a", "b")
	two.write(t, false, "c")
	one.write(t, false, "d")
	for _, r := range []*notebookReader{one, two, {book: a.Notebook()}} {
		if got := r.follow(t); got != "a b c d" || r.begun != 1 {
			t.Errorf("%q, begun %d times", got, r.begun)
		}
	}
	two.write(t, true, "sum")
	one.write(t, false, "e")
	if x, y := one.follow(t), two.follow(t); x != "sum e" || y != x || one.begun != 2 {
		t.Errorf("%q and %q after it was written anew", x, y)
	}
	refused := errors.New("refused")
	if err := one.book.Write(one.take, func() ([][]byte, bool, error) { return [][]byte{[]byte("no")}, false, refused }); !errors.Is(err, refused) {
		t.Error(err)
	}
	if err := one.book.Write(one.take, func() ([][]byte, bool, error) { return [][]byte{bytes.Repeat([]byte{'x'}, maxLine+1)}, false, nil }); err == nil {
		t.Error("a line of any length is written")
	}
	if got := two.follow(t); got != "sum e" || len(one.book.Damage()) > 0 {
		t.Errorf("%q, damage %v", got, one.book.Damage())
	}
}

// An append that was interrupted anywhere was none: the lines before it are there, it
// is no damage, and the next one takes its place.
func TestNotebookInterrupted(t *testing.T) {
	a := testArchive(t)
	r := &notebookReader{book: a.Notebook()}
	r.write(t, false, "a", "b")
	before, err := os.ReadFile(r.book.path)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, false, "first of two", "second")
	after, err := os.ReadFile(r.book.path)
	if err != nil {
		t.Fatal(err)
	}
	for size := len(before); size < len(after); size++ {
		for _, rest := range []string{"", strings.Repeat("\x00", 40)} {
			if err := os.WriteFile(r.book.path, append(slices.Clone(after[:size]), rest...), 0o640); err != nil {
				t.Fatal(err)
			}
			next := &notebookReader{book: a.Notebook()}
			got := next.follow(t)
			if got != "a b" && got != "a b first of two" {
				t.Fatalf("cut off at %d of %d bytes: %q", size, len(after), got)
			}
			next.write(t, false, "next")
			again := &notebookReader{book: a.Notebook()}
			if text := again.follow(t); text != got+" next" || len(again.book.Damage()) > 0 {
				t.Fatalf("cut off at %d of %d bytes, then written on: %q, damage %v", size, len(after), text, again.book.Damage())
			}
		}
	}
}

// A file that lost its end, or all of it, is read and written on, by those who knew it
// and by those who begin; who can know that something is lost says so.
func TestNotebookCut(t *testing.T) {
	a := testArchive(t)
	r := &notebookReader{book: a.Notebook()}
	r.write(t, false, "a", "b", "c")
	good, err := os.ReadFile(r.book.path)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(good) {
		if err := os.WriteFile(r.book.path, good, 0o640); err != nil {
			t.Fatal(err)
		}
		knows := &notebookReader{book: a.Notebook()}
		if got := knows.follow(t); got != "a b c" {
			t.Fatal(got)
		}
		if err := os.WriteFile(r.book.path, good[:size], 0o640); err != nil {
			t.Fatal(err)
		}
		left := "a b c"[:max(0, 2*strings.Count(string(good[:size]), "\n")-3)]
		none := !strings.Contains(string(good[:size]), "\n")
		begins := &notebookReader{book: a.Notebook()}
		for range 2 { // however often it is looked
			if x, y := knows.follow(t), begins.follow(t); x != left || y != left || len(knows.book.Damage()) != 1 || len(begins.book.Damage()) > 0 != none {
				t.Fatalf("cut off at %d: %q and %q, want %q; damage %v and %v", size, x, y, left, knows.book.Damage(), begins.book.Damage())
			}
		}
		writes := knows
		if size%2 == 1 {
			writes = begins
		}
		writes.write(t, false, "d")
		writes.write(t, false, "e")
		left = strings.TrimSpace(left + " d e")
		for i, is := range []*notebookReader{knows, begins, {book: a.Notebook()}} {
			if got := is.follow(t); got != left {
				t.Errorf("cut off at %d, then written on, %d reads %q, want %q", size, i, got, left)
			}
			if damage := is.book.Damage(); (len(damage) == 1) != (none || writes == knows || is == knows) || len(damage) == 1 && damage[0].Rows != 1 {
				t.Errorf("cut off at %d, then written on, %d tells of %v", size, i, damage)
			}
		}
	}
}

// A bit that is not as written costs its line, which is told; others are read.
func TestNotebookDamaged(t *testing.T) {
	a := testArchive(t)
	r := &notebookReader{book: a.Notebook()}
	r.write(t, false, "a", "b", "c")
	good, err := os.ReadFile(r.book.path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(good, []byte{'\n'})
	want := []string{"a b c", "b c", "a c"} // without the head, the first, the second
	for i := range want {
		at := len(bytes.Join(lines[:i], nil))
		for bit := range 8 * len(lines[i]) {
			bad := slices.Clone(good)
			bad[at+bit/8] ^= 1 << (bit % 8)
			if err := os.WriteFile(r.book.path, bad, 0o640); err != nil {
				t.Fatal(err)
			}
			next := &notebookReader{book: a.Notebook()}
			got := next.follow(t)
			d := next.book.Damage()
			if len(d) != 1 || !strings.Contains(d[0].Reason, fmt.Sprintf("the first at byte %d", at)) || d[0].File != filepath.Join(serveFolder, notebookFile) {
				t.Fatalf("line %d, bit %d: %q, damage %v", i, bit, got, d)
			}
			if got != want[i] && bit/8 != len(lines[i])-1 { // without its end a line is one with the next
				t.Fatalf("line %d, bit %d: %q, want %q", i, bit, got, want[i])
			}
		}
	}
}
