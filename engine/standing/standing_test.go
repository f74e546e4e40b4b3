package standing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// paper is a notebook in memory.
type paper struct {
	lines [][]byte
	full  error
}

// page is one who reads it.
type page struct {
	of   *paper
	read int
}

func (p *page) Follow(take func(bool, []byte)) error {
	if p.read > len(p.of.lines) {
		p.read = 0
		take(true, nil)
	}
	for ; p.read < len(p.of.lines); p.read++ {
		take(false, p.of.lines[p.read])
	}
	return nil
}

func (p *page) Write(take func(bool, []byte), next func() ([][]byte, bool, error)) error {
	if err := p.Follow(take); err != nil {
		return err
	}
	lines, whole, err := next()
	if err != nil {
		return err
	}
	if p.of.full != nil {
		return p.of.full
	}
	if whole {
		p.of.lines, p.read = nil, 0
		take(true, nil)
	}
	p.of.lines = append(p.of.lines, lines...)
	return p.Follow(take)
}

func (p *page) Size() (n int64) {
	for _, l := range p.of.lines {
		n += int64(len(l))
	}
	return n
}
func (p *page) Bad() int64 { return 0 }

// fake is an engine that finds what it is told to.
type fake struct {
	recorded tables.Time
	rows     [][]*string
	warnings []string
	err      error
	windows  []string
	pinned   []string
}

func (f *fake) Recorded(context.Context) (tables.Time, error) { return f.recorded, nil }

func (f *fake) Hunt(_ context.Context, _ *Schedule, from, to tables.Time, most int) (*Answer, error) {
	f.windows = append(f.windows, at(from)+" to "+at(to))
	if f.err != nil {
		return nil, f.err
	}
	a := &Answer{Title: "Beacons", Severity: "high", Key: []string{"client_ip"}, Warnings: f.warnings, Rows: f.rows,
		Columns: []Column{{"client_ip", false}, {"calls", true}, {"first_seen", false}, {"last_seen", false}}}
	if len(a.Rows) > most {
		a.Rows, a.Truncated = a.Rows[:most], true
	}
	return a, nil
}

func (f *fake) Pin(_ context.Context, _ *Schedule, name string, _ *Answer, of *Finding, _, _ tables.Time) ([]string, error) {
	f.pinned = append(f.pinned, name)
	return nil, nil
}

func (f *fake) found(cells ...string) {
	row := make([]*string, len(cells))
	for i := range cells {
		row[i] = &cells[i]
	}
	f.rows = append(f.rows, row)
}

var noon = time.Date(2026, 6, 12, 12, 0, 0, 0, time.UTC)

func micros(t time.Time) tables.Time { return tables.Time(t.UnixMicro()) }

// bench is a keeper whose clock stands still.
type bench struct {
	*Keeper
	fake  *fake
	paper *paper
	clock time.Time
}

func newBench(t *testing.T, s Schedule) *bench {
	t.Helper()
	b := &bench{fake: &fake{recorded: micros(noon.Add(time.Hour))}, paper: &paper{}, clock: noon}
	b.restart()
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	s.Made = micros(noon)
	if err := b.book.Schedule(s); err != nil {
		t.Fatal(err)
	}
	return b
}

// restart reads all from the notebook again, as a process does that begins.
func (b *bench) restart() {
	b.Keeper = NewKeeper(NewBook(&page{of: b.paper}, 1000000*time.Hour), b.fake, Config{Time: time.Minute, Rows: 3}, slog.New(slog.DiscardHandler))
	b.now = func() time.Time { return b.clock }
	b.book.now = b.now
}

// runs does what is due after a while, and gives the runs so far.
func (b *bench) runs(t *testing.T, later time.Duration) View {
	t.Helper()
	b.clock = b.clock.Add(later)
	if err := b.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := b.book.View()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func beacons() Schedule {
	return Schedule{Name: "beacons", Hunt: "beaconing", Every: "1 HOUR", Since: "2 HOUR", Late: "30 MINUTE"}
}

// A finding is new once, over restarts: then its times grow when there is more of it.
func TestFindingsAreNewOnce(t *testing.T) {
	s := beacons()
	s.Pin = true
	b := newBench(t, s)
	b.fake.found("10.0.0.1", "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
	v := b.runs(t, 0)
	if len(v.Findings) != 1 || v.Findings[0].Times != 1 || v.Runs[0].New != 1 {
		t.Fatalf("first run: %+v %+v", v.Findings, v.Runs)
	}
	id := v.Findings[0].ID
	b.restart()
	if v = b.runs(t, time.Minute); len(v.Runs) != 1 {
		t.Fatalf("it ran again before its time: %+v", v.Runs)
	}
	// Nothing more of it: it is the same, and no line says so.
	b.fake.recorded = micros(noon.Add(3 * time.Hour))
	lines := len(b.paper.lines)
	v = b.runs(t, time.Hour)
	if f := v.Findings[0]; len(v.Findings) != 1 || f.Times != 1 || v.Runs[1].New != 0 || v.Runs[1].Rows != 1 || len(b.paper.lines) != lines+1 {
		t.Fatalf("second run: %+v %+v", v.Findings, v.Runs)
	}
	// More of it, and another one.
	b.fake.rows = nil
	b.fake.found("10.0.0.1", "25", "2026-06-12 11:00:00", "2026-06-12 12:40:00")
	b.fake.found("10.0.0.2", "7", "2026-06-12 12:00:00", "2026-06-12 12:41:00")
	v = b.runs(t, time.Hour)
	if len(v.Findings) != 2 || v.Runs[2].New != 1 {
		t.Fatalf("third run: %+v %+v", v.Findings, v.Runs)
	}
	f := v.Findings[0]
	if f.ID != id || f.Times != 2 || at(f.First) != "2026-06-12 10:00:00" || at(f.Last) != "2026-06-12 12:40:00" || f.Found != micros(noon) ||
		string(f.Row) != `{"client_ip":"10.0.0.1","calls":25,"first_seen":"2026-06-12 11:00:00","last_seen":"2026-06-12 12:40:00"}` || string(f.Key) != `{"client_ip":"10.0.0.1"}` {
		t.Errorf("%+v %s", f, f.Row)
	}
	if want := []string{"beacons/" + id, "beacons/" + v.Findings[1].ID}; !slices.Equal(b.fake.pinned, want) || f.Case != want[0] {
		t.Errorf("pinned %v, want %v; case %q", b.fake.pinned, want, f.Case)
	}
	// The same to a process that begins.
	b.restart()
	again := b.runs(t, 0)
	if fmt.Sprint(again.Findings[0]) != fmt.Sprint(f) || len(again.Runs) != 3 || fmt.Sprint(again.Schedules) != fmt.Sprint(v.Schedules) {
		t.Errorf("after a restart %v, before %v", again, v)
	}
}

// What a run wrote before it was killed counts only with its end.
func TestRunIsWhole(t *testing.T) {
	b := newBench(t, beacons())
	b.fake.found("10.0.0.1", "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
	b.fake.found("10.0.0.2", "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
	b.runs(t, 0)
	whole := b.paper.lines
	for cut := 1; cut < len(whole); cut++ { // after the schedule
		b.paper.lines = slices.Clone(whole[:cut])
		b.restart()
		v, err := b.book.View()
		if err != nil || len(v.Findings) != 0 || len(v.Runs) != 0 {
			t.Fatalf("%d of %d lines: %+v, %v", cut, len(whole), v, err)
		}
		v = b.runs(t, 0)
		if len(v.Findings) != 2 || len(v.Runs) != 1 || v.Runs[0].New != 2 || v.Findings[0].Times != 1 {
			t.Fatalf("%d of %d lines, then again: %+v", cut, len(whole), v)
		}
	}
}

// A run that can't be written down is told of, and is due still.
func TestFullNotebook(t *testing.T) {
	b := newBench(t, beacons())
	b.fake.found("10.0.0.1", "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
	b.paper.full = errors.New("no space left")
	if err := b.RunDue(t.Context()); !errors.Is(err, b.paper.full) {
		t.Fatal(err)
	}
	b.paper.full = nil
	if v := b.runs(t, 0); len(v.Runs) != 1 || v.Runs[0].New != 1 {
		t.Errorf("%+v", v)
	}
}

// Windows have no holes between them, whatever happens; what was missed is one run.
func TestWindows(t *testing.T) {
	b := newBench(t, beacons())
	step := func(what string, later time.Duration, runs int, window, warning string) {
		t.Helper()
		before := len(b.fake.windows)
		v := b.runs(t, later)
		if len(v.Runs) != runs {
			t.Fatalf("%s: %d runs, want %d", what, len(v.Runs), runs)
		}
		asked := strings.Join(b.fake.windows[before:], "; ")
		if asked != window {
			t.Errorf("%s: looked through %q, want %q", what, asked, window)
		}
		if said := strings.Join(v.Runs[runs-1].Warnings, "; "); !strings.Contains(said, warning) || warning == "" && said != "" {
			t.Errorf("%s: warnings %q, want %q", what, said, warning)
		}
	}
	b.fake.recorded = 0
	step("nothing is recorded", 0, 1, "", "nothing is recorded yet")
	b.fake.recorded = micros(noon.Add(1000 * time.Hour))
	step("first", time.Hour, 2, "2026-06-12 10:58:00 to 2026-06-12 12:58:00", "")
	step("second", time.Hour, 3, "2026-06-12 11:58:00 to 2026-06-12 13:58:00", "")
	// The recorder lags: a window ends with what there is.
	b.fake.recorded = micros(noon.Add(2 * time.Hour))
	step("behind", time.Hour, 4, "2026-06-12 12:00:00 to 2026-06-12 14:00:00", "")
	step("no more", time.Hour, 5, "", "nothing was recorded since 2026-06-12 14:00:00")
	b.fake.recorded = micros(noon.Add(1000 * time.Hour))
	// Ten hours without a server: once, over all of them and late records before.
	step("missed", 10*time.Hour, 6, "2026-06-12 13:30:00 to 2026-06-13 01:58:00", "")
	step("and no more", time.Minute, 6, "", "")
	// It fails: the next one looks through its time as well, and comes earlier.
	b.fake.err = errors.New("no memory")
	step("fails", time.Hour, 7, "2026-06-13 00:59:00 to 2026-06-13 02:59:00", "")
	step("fails again", time.Minute, 8, "2026-06-13 01:00:00 to 2026-06-13 03:00:00", "")
	step("two minutes later, not one", time.Minute, 8, "", "")
	b.fake.err = nil
	step("and then", 5*time.Hour, 9, "2026-06-13 01:28:00 to 2026-06-13 08:01:00", "")
	// The clock is set ahead by a year, and back: all there is ends after 1,000 hours.
	step("ahead", 365*24*time.Hour, 10, "2026-06-23 04:00:00 to 2026-07-24 04:00:00", "nobody looked through the time from 2026-06-13 08:01:00 to 2026-06-23 04:00:00")
	step("back", -365*24*time.Hour, 11, "2026-06-13 06:01:00 to 2026-06-13 08:01:00", "the clock was set back")
	step("and on", time.Hour, 12, "2026-06-13 07:01:00 to 2026-06-13 09:01:00", "")
}

// A run that fails, one with more than it keeps, and one over a gap say so.
func TestRunsSayWhatTheyLack(t *testing.T) {
	b := newBench(t, beacons())
	b.fake.warnings = []string{"nothing was recorded from 10:00 to 11:00"}
	if v := b.runs(t, 0); v.Runs[0].Rows != 0 || v.Runs[0].Warnings[0] != b.fake.warnings[0] {
		t.Errorf("an empty one: %+v", v.Runs)
	}
	for i := range 5 {
		b.fake.found(fmt.Sprintf("10.0.0.%d", i), "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
	}
	if v := b.runs(t, time.Hour); !v.Runs[1].Truncated || v.Runs[1].Rows != 3 || v.Runs[1].New != 3 || !strings.Contains(v.Runs[1].Warnings[0], "the first 3 rows") {
		t.Errorf("one with more: %+v", v.Runs)
	}
	b.fake.err = errors.New("no memory")
	v := b.runs(t, time.Hour)
	if v.Runs[2].Error != "no memory" || v.Schedules[0].Failures != 1 || v.Schedules[0].Error != "no memory" || len(v.Findings) != 3 {
		t.Errorf("one that fails: %+v", v)
	}
}

// A notebook is written anew when it says the same again and again, and says the same
// then; what is old is forgotten.
func TestFold(t *testing.T) {
	b := newBench(t, beacons())
	b.fake.recorded = micros(noon.Add(10000 * time.Hour))
	long := strings.Repeat("x", 2000)
	folded := false
	for i := 0; i < 4000 && !folded; i++ {
		b.fake.rows = nil
		seen := noon.Add(time.Duration(i) * time.Hour).Format("2006-01-02 15:04:05")
		for n := range 3 {
			b.fake.found(fmt.Sprintf("10.0.0.%d", n)+long, "20", seen, seen)
		}
		lines := len(b.paper.lines)
		b.runs(t, time.Hour)
		folded = len(b.paper.lines) < lines
	}
	if !folded {
		t.Fatal("it only grows")
	}
	before := b.runs(t, 0)
	b.restart()
	after := b.runs(t, 0)
	if fmt.Sprint(before.Schedules, before.Findings) != fmt.Sprint(after.Schedules, after.Findings) || len(before.Runs) != len(after.Runs) || len(after.Findings) != 3 {
		t.Errorf("before %+v\nafter %+v", before.Schedules, after.Schedules)
	}
	b.book.age = -1000000 * time.Hour
	if v := b.runs(t, 0); len(v.Findings) != 0 || len(v.Runs) != 0 || len(v.Schedules) != 1 {
		t.Errorf("what is old stays: %d findings, %d runs", len(v.Findings), len(v.Runs))
	}
}

// A clock that jumps, by an hour or by ten years, forth and back, in a process or
// between two, loses nothing that was found or said, and makes nothing new of what is
// known. What is old by days on which something ran is forgotten.
func TestClockJumps(t *testing.T) {
	const year = 365 * 24 * time.Hour
	s := beacons()
	s.Notify = "soc"
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 10 * year, -10 * year} {
		for _, restarts := range []bool{false, true} {
			b := newBench(t, s)
			b.book.age = year
			b.fake.found("10.0.0.1", "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
			step := func(later time.Duration) View {
				t.Helper()
				if restarts {
					b.restart()
				}
				b.book.age = year
				b.fake.recorded = max(b.fake.recorded, micros(b.clock.Add(later))) // by the same clock
				return b.runs(t, later)
			}
			for range 10 * 24 { // days on which nothing is wrong
				step(time.Hour)
			}
			if known, err := b.book.Judge(Verdict{ID: b.runs(t, 0).Findings[0].ID, Status: "benign"}); !known || err != nil {
				t.Fatal(known, err)
			}
			before := b.runs(t, 0)
			step(jump)
			for range 3 * 24 {
				step(time.Hour)
			}
			step(-jump)
			after := step(time.Hour)
			f := after.Findings[0]
			if len(after.Findings) != 1 || f.Times != 1 || f.Verdict == nil || f.Found != before.Findings[0].Found || f.Delivery == nil || len(after.Schedules) != 1 {
				t.Fatalf("%v, restarts %v: %+v", jump, restarts, after.Findings)
			}
			for _, r := range after.Runs[1:] {
				if r.New > 0 || r.Rows != 1 && r.From != 0 {
					t.Fatalf("%v, restarts %v: a run says %+v", jump, restarts, r)
				}
			}
			if len(after.Runs) < len(before.Runs)+3*24 {
				t.Errorf("%v, restarts %v: %d runs, before %d", jump, restarts, len(after.Runs), len(before.Runs))
			}
			// It goes on looking through the time that it is.
			if last := after.Runs[len(after.Runs)-1]; last.From == 0 || last.To < micros(b.clock.Add(-time.Hour)) || last.To > micros(b.clock) {
				t.Errorf("%v, restarts %v, at %v: %+v", jump, restarts, b.clock, last)
			}
			b.fake.rows = nil
			for range 9 { // years later, something runs for some days
				b.clock = b.clock.Add(24 * time.Hour)
				step(2 * year)
			}
			if v := step(0); len(v.Findings) > 0 {
				t.Errorf("%v, restarts %v: it is never forgotten", jump, restarts)
			}
		}
	}
}

// Who is hunted writes names and texts: none of them takes a run with it, whatever it
// is as JSON, and those that differ stay apart.
func TestHostileTexts(t *testing.T) {
	a := &Answer{Key: []string{"user_agent", "name"}, Columns: []Column{{"user_agent", false}, {"name", false}, {"said", false}}}
	texts := []string{"", "\x00", `"`, "\\", "\n\r\t", "<script>alert(1)</script>", "\xff\xfe", "\u2028\u202e", "null", "'; DROP TABLE x; --"}
	for _, text := range texts {
		for _, n := range []int{1, 700, 70_000} {
			long, same := strings.Repeat(text, n), "x"
			a.Rows = append(a.Rows, []*string{&long, &same, &long}, []*string{&same, &long, &same})
		}
	}
	list, err := a.findings(&Schedule{Name: "x", Hunt: "y"}, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	// Of an empty text all lengths are one.
	if want := len(a.Rows) - 4; len(list) != want {
		t.Errorf("%d findings of %d different rows", len(list), want)
	}
	for _, f := range list {
		var key, row map[string]any
		if json.Unmarshal(f.Key, &key) != nil || json.Unmarshal(f.Row, &row) != nil || len(key) != 2 || len(row) != 3 || len(f.Key) > maxKey || len(f.Row) > maxRow {
			t.Errorf("%d and %d bytes: %.100s", len(f.Key), len(f.Row), f.Row)
		}
		if text, err := f.message(); err != nil || !json.Valid(text) {
			t.Errorf("it is told as %.100s, %v", text, err)
		}
		r := record{Finding: f}
		if line, err := r.line(); err != nil || strings.ContainsAny(string(line), "\n\x00") {
			t.Errorf("its line is %.100s, %v", line, err)
		}
	}
}

func TestScheduleIsChecked(t *testing.T) {
	for _, c := range []struct{ every, since, late, want string }{
		{"", "", "", "1 HOUR 1 DAY 1 HOUR"},
		{"7 DAY", "", "", "7 DAY 7 DAY 1 HOUR"},
		{"5 minutes", "1 HOUR", "0 SECOND", "5 minutes 1 HOUR 0 SECOND"},
		{"30 SECOND", "", "", "every is from 1m0s"},
		{"1 DAY", "1 HOUR", "", "since is as long as every"},
		{"1 MONTH", "", "", "no length of time"},
		{"1 HOUR; DROP", "", "", "no length of time"},
		{"999999 WEEK", "", "", "every is from"},
		{"1 HOUR", "9999 DAY", "", "since is from"},
	} {
		s := Schedule{Every: c.every, Since: c.since, Late: c.late}
		got := fmt.Sprint(s.Check())
		if got == "<nil>" {
			got = s.Every + " " + s.Since + " " + s.Late
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
