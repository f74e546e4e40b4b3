package archive

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// scrubbing runs a scrubber until a condition holds of what it put down.
func scrubbing(t *testing.T, dir, boot string, o ScrubOptions, until func(Scrubbed) bool) (s Scrubbed, log string) {
	t.Helper()
	var b bytes.Buffer
	a, err := Open(dir, Options{NoSync: true, Logger: slog.New(slog.NewTextHandler(&b, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.scrub(ctx, o, boot) }()
	for ctx.Err() == nil {
		if s, _ = a.Scrubbed(); until(s) {
			break
		}
		time.Sleep(time.Millisecond) // its state is a file
	}
	if ctx.Err() != nil {
		t.Errorf("waited in vain: %+v", s)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	s, _ = a.Scrubbed()
	return s, b.String()
}

func roundEnded(s Scrubbed) bool { return s.Ended != 0 }

// What a scrubber finds, a reader leaves out and tells of, until the file is
// another one.
func TestScrubFindsDamage(t *testing.T) {
	dir, _ := everyKind(t)
	hourly := ScrubOptions{Every: time.Hour}
	s, _ := scrubbing(t, dir, "one", hourly, roundEnded)
	if len(s.Found) > 0 || s.Files != 12 || s.Bytes == 0 || s.Whole != s.Ended || s.Boot != "" {
		t.Fatalf("%+v", s)
	}
	a, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c := catalog(t, a)
	if len(c.Damage()) > 0 {
		t.Fatal(c.Damage())
	}
	for _, path := range []string{c.Files(Flows)[1].Path, c.Segments()[0].AbsPath, filepath.Join(dir, stateFolder, "import"+ledgerMark)} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(whole)
		bad[len(bad)/3] ^= 4
		if err := os.WriteFile(path, bad, 0o640); err != nil {
			t.Fatal(err)
		}
		before := s.Began
		var log string
		s, log = scrubbing(t, dir, "one", ScrubOptions{Every: time.Microsecond}, func(s Scrubbed) bool { return s.Began > before && roundEnded(s) && len(s.Found) > 0 })
		rel, _ := filepath.Rel(dir, path)
		if len(s.Found) != 1 || s.Found[0].File != rel || !strings.Contains(log, rel) || !strings.Contains(log, "level=WARN msg=damage") {
			t.Errorf("%s: %+v\n%s", rel, s.Found, log)
		}
		a.Refresh()
		d := catalog(t, a).Damage()
		if len(d) != 1 || d[0].File != rel || d[0].Reason != s.Found[0].Reason || d[0].From != s.Found[0].From {
			t.Errorf("%s: a reader is told %+v", rel, d)
		}
		if strings.HasSuffix(path, ".parquet") && len(catalog(t, a).Files(Flows)) != len(c.Files(Flows))-1 {
			t.Errorf("%s is still read", rel)
		}
		if err := os.WriteFile(path, whole, 0o640); err != nil {
			t.Fatal(err)
		}
		a.Refresh()
		if d := catalog(t, a).Damage(); len(d) > 0 || len(catalog(t, a).Files(Flows)) != len(c.Files(Flows)) {
			t.Errorf("%s is whole again: %+v", rel, d)
		}
	}
}

// A round goes on where it was; after a power failure, and when it is due, one
// begins. A state that is damaged begins one, too.
func TestScrubGoesOn(t *testing.T) {
	dir, _ := everyKind(t)
	hourly := ScrubOptions{Every: time.Hour}
	path := filepath.Join(dir, stateFolder, scrubFile)
	first, _ := scrubbing(t, dir, "one", hourly, roundEnded)
	put := func(change func(*Scrubbed)) {
		t.Helper()
		a, err := Open(dir, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		s := scrubber{Archive: a, state: first}
		change(&s.state)
		s.save()
	}
	again, _ := scrubbing(t, dir, "two", hourly, func(s Scrubbed) bool { return s.Boot == "two" })
	if again.Began != first.Began || again.Ended != first.Ended || again.Boot != "" {
		t.Errorf("it ended well, and began again: %+v, %+v", first, again)
	}
	a, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	items := scrubItems(catalog(t, a))
	a.Close()
	if !slices.IsSortedFunc(items, func(x, y scrubItem) int { return strings.Compare(x.name, y.name) }) || len(items) != 12 {
		t.Fatal(items)
	}
	put(func(s *Scrubbed) { s.Ended, s.Whole, s.At, s.Files = 0, 0, items[6].name, 7 })
	if s, _ := scrubbing(t, dir, "one", hourly, roundEnded); s.Began != first.Began || s.Files != 12 || s.Bytes >= 2*first.Bytes || s.At != items[11].name {
		t.Errorf("went on: %+v", s)
	}
	for name, change := range map[string]func(*Scrubbed){
		"power failure": func(s *Scrubbed) { s.Boot = "zero" },
		"due":           func(s *Scrubbed) { s.Began -= 3600e6 },
		"clock":         func(s *Scrubbed) { s.Began += 3600e6 },
	} {
		put(change)
		now := time.Now().UnixMicro()
		if s, _ := scrubbing(t, dir, "one", hourly, func(s Scrubbed) bool { return s.Ended > first.Ended }); int64(s.Began) < now || s.Files != 12 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, c, 0o640); err != nil {
			t.Fatal(err)
		}
		if s, ok := readScrubbed(a.disk, path); ok {
			t.Fatalf("byte %d: %+v", i, s)
		}
	}
	if s, _ := scrubbing(t, dir, "one", hourly, roundEnded); s.Began <= first.Began || s.Files != 12 {
		t.Errorf("after its state was damaged: %+v", s)
	}
}

// It keeps to its rate, and there is one of it.
func TestScrubIsSlow(t *testing.T) {
	dir, _ := everyKind(t)
	o := ScrubOptions{Every: time.Hour}
	s, _ := scrubbing(t, dir, "", o, roundEnded)
	if err := os.Remove(filepath.Join(dir, stateFolder, scrubFile)); err != nil {
		t.Fatal(err)
	}
	o.Rate = 4 * s.Bytes
	began := time.Now()
	if scrubbing(t, dir, "", o, roundEnded); time.Since(began) < 200*time.Millisecond {
		t.Errorf("%d bytes at %d a second took %v", s.Bytes, o.Rate, time.Since(began))
	}
	a, err := Open(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.Lock(scrubWriter); err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Scrub(t.Context(), o); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one: %v", err)
	}
}
