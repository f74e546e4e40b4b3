package standing

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// Notebook is where all of it rests: see archive.Notebook.
type Notebook interface {
	Follow(take func(anew bool, line []byte)) error
	Write(take func(anew bool, line []byte), next func() (lines [][]byte, whole bool, err error)) error
	// Size is how many bytes it has, Bad how many lines that are not as written.
	Size() int64
	Bad() int64
}

// What is kept in memory, and so what there may be.
const (
	maxSchedules = 200
	maxFindings  = 50_000
	maxBytes     = 64 << 20 // of findings
	maxRuns      = 10_000
	maxNotes     = 10_000
	// foldAbove is from which size on, and foldTimes at how many times what it
	// says, a notebook is written anew.
	foldAbove = 4 << 20
	foldTimes = 3
	// sureDays is on how many days of the calendar something has to have run before what
	// is too old by then is forgotten: a clock that is set ahead for less makes nobody
	// forget what was found and said.
	sureDays = 7
	day      = int64(24 * time.Hour / time.Microsecond)
)

// Book is what the notebook says.
type Book struct {
	notebook Notebook
	age      time.Duration // after which findings, and runs, are forgotten
	now      func() time.Time

	mu        sync.Mutex
	schedules map[string]*Schedule
	findings  map[string]*Finding
	bytes     int64 // of findings
	runs      []Run
	days      []int64 // since 1970, the last different ones on which runs began
	notes     []Note
	lost      int64
	waiting   []*Finding // lines whose run is not read yet
}

// NewBook reads a notebook. Findings that were not seen for age are forgotten.
func NewBook(n Notebook, age time.Duration) *Book {
	b := &Book{notebook: n, age: age, now: time.Now}
	b.clear()
	return b
}

func (b *Book) clear() {
	b.schedules, b.findings, b.bytes, b.runs, b.days, b.notes, b.lost, b.waiting = map[string]*Schedule{}, map[string]*Finding{}, 0, nil, nil, nil, 0, nil
}

// take reads a line.
func (b *Book) take(anew bool, line []byte) {
	if anew {
		b.clear()
		return
	}
	var r record
	if json.Unmarshal(line, &r) != nil {
		return // its checksum is right: of a program that knows more
	}
	switch {
	case r.Schedule != nil:
		if old := b.schedules[r.Schedule.Name]; old != nil && r.Schedule.Until == 0 && old.Hunt == r.Schedule.Hunt {
			r.Schedule.Until = old.Until // it goes on where it was
		}
		b.schedules[r.Schedule.Name] = r.Schedule
	case r.Unschedule != "":
		delete(b.schedules, r.Unschedule)
	case r.Finding != nil:
		if b.waiting = append(b.waiting, r.Finding); len(b.waiting) > 2*MostRows {
			b.waiting = slices.Clone(b.waiting[MostRows:])
		}
	case r.Run != nil:
		b.ran(r.Run)
	case r.Verdict != nil:
		if f := b.findings[r.Verdict.ID]; f != nil {
			f.Verdict = r.Verdict
		}
	case r.Delivery != nil:
		if f := b.findings[r.Delivery.ID]; f != nil {
			f.Delivery = r.Delivery
		}
	case r.Note != nil:
		b.notes = append(b.notes, *r.Note)
	case r.Days != nil:
		b.days = r.Days
	case r.Kept != nil:
		b.put(r.Kept)
	case r.Lost > 0:
		b.lost += r.Lost
	}
}

// ran takes a run, and the findings before it that are of it: those of one that was
// interrupted are not.
func (b *Book) ran(r *Run) {
	of := b.waiting[max(0, len(b.waiting)-r.Findings):]
	b.waiting = nil
	for _, f := range of {
		if old := b.findings[f.ID]; old != nil { // said since the run read it
			f.Verdict, f.Delivery = old.Verdict, old.Delivery
		}
		b.put(f)
	}
	if b.runs = append(b.runs, *r); len(b.runs) > 2*maxRuns {
		b.runs = slices.Clone(b.runs[maxRuns:])
	}
	if day := int64(r.Begun) / day; !slices.Contains(b.days, day) {
		b.days = append(b.days, day)
		b.days = slices.Clone(b.days[max(0, len(b.days)-sureDays):])
	}
	s := b.schedules[r.Schedule]
	if s == nil {
		return
	}
	s.Begun, s.Error = r.Begun, r.Error
	if s.Failures++; r.Error == "" {
		s.Failures, s.Until = 0, r.To
	}
}

func (b *Book) put(f *Finding) {
	if old := b.findings[f.ID]; old != nil {
		b.bytes -= old.size()
	}
	b.findings[f.ID] = f
	b.bytes += f.size()
}

// size is about what a finding takes of memory.
func (f *Finding) size() int64 { return int64(len(f.Key) + len(f.Row) + 512) }

// change writes what next gives; next sees what the notebook says by then.
func (b *Book) change(next func() ([]record, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.notebook.Write(b.take, func() ([][]byte, bool, error) {
		list, err := next()
		if err != nil {
			return nil, false, err
		}
		lines, err := linesOf(list)
		return lines, false, err
	})
	if err != nil {
		return err
	}
	return b.fold()
}

func linesOf(list []record) (lines [][]byte, err error) {
	for i := range list {
		line, err := list[i].line()
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// fold forgets what is old or too much, and writes the notebook anew when much of it
// is said again later.
func (b *Book) fold() error {
	b.forget()
	live := b.bytes + int64(512*(len(b.runs)+len(b.schedules))+2048*len(b.notes))
	if size := b.notebook.Size(); size < foldAbove || size < foldTimes*live {
		return nil
	}
	return b.notebook.Write(b.take, func() ([][]byte, bool, error) {
		b.forget()
		var list []record
		for i := range b.runs { // before their schedules, which know how it went on
			r := b.runs[i]
			r.Findings = 0
			list = append(list, record{Run: &r})
		}
		if len(b.days) > 0 {
			list = append(list, record{Days: b.days})
		}
		for _, name := range slices.Sorted(maps.Keys(b.schedules)) {
			list = append(list, record{Schedule: b.schedules[name]})
		}
		for _, f := range b.sorted() {
			list = append(list, record{Kept: f})
		}
		for i := range b.notes {
			list = append(list, record{Note: &b.notes[i]})
		}
		if lost := b.lost + b.notebook.Bad(); lost > 0 {
			list = append(list, record{Lost: lost})
		}
		lines, err := linesOf(list)
		return lines, true, err
	})
}

// forget leaves out of memory what is old or too much: the notebook says it until it
// is written anew.
func (b *Book) forget() {
	oldest := b.oldest()
	b.runs = slices.DeleteFunc(b.runs, func(r Run) bool { return r.Begun < oldest })
	if over := len(b.runs) - maxRuns; over > 0 {
		b.runs = slices.Delete(b.runs, 0, over)
	}
	drop := func(f *Finding) {
		delete(b.findings, f.ID)
		b.bytes -= f.size()
	}
	for _, f := range b.findings {
		if max(f.Last, f.Found) < oldest {
			drop(f)
		}
	}
	if len(b.findings) <= maxFindings && b.bytes <= maxBytes {
		return
	}
	list := b.sorted()
	slices.SortStableFunc(list, func(x, y *Finding) int { return cmp.Compare(x.Last, y.Last) })
	for _, f := range list {
		if len(b.findings) <= maxFindings && b.bytes <= maxBytes {
			return
		}
		drop(f)
	}
}

// oldest is from when on nothing is too old.
func (b *Book) oldest() tables.Time {
	if len(b.days) < sureDays {
		return math.MinInt64
	}
	sure := min(tables.Time(b.now().UnixMicro()), tables.Time(slices.Min(b.days)*day))
	return sure - span(b.age)
}

// sorted are the findings in the order they were found.
func (b *Book) sorted() []*Finding {
	return slices.SortedFunc(maps.Values(b.findings), func(x, y *Finding) int {
		return cmp.Or(cmp.Compare(x.Found, y.Found), cmp.Compare(x.ID, y.ID))
	})
}

// View is what a book says at a moment; nothing in it may be changed.
type View struct {
	Schedules []Schedule
	Findings  []Finding
	Runs      []Run
	Notes     []Note
	Lost      int64
}

// View reads what came, and gives all there is.
func (b *Book) View() (v View, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.notebook.Follow(b.take); err != nil {
		return v, err
	}
	b.forget()
	for _, name := range slices.Sorted(maps.Keys(b.schedules)) {
		v.Schedules = append(v.Schedules, *b.schedules[name])
	}
	for _, f := range b.sorted() {
		v.Findings = append(v.Findings, *f)
	}
	v.Runs, v.Notes, v.Lost = slices.Clone(b.runs), slices.Clone(b.notes), b.lost+b.notebook.Bad()
	return v, nil
}

// Full is what there can be no more of.
type Full string

func (f Full) Error() string { return string(f) }

// Schedule makes a schedule, or takes the place of the one of its name.
func (b *Book) Schedule(s Schedule) error {
	return b.change(func() ([]record, error) {
		if b.schedules[s.Name] == nil && len(b.schedules) >= maxSchedules {
			return nil, Full(fmt.Sprintf("there are %d schedules, the most there can be: CALL unschedule(name)", maxSchedules))
		}
		return []record{{Schedule: &s}}, nil
	})
}

// Unschedule ends one; known is false if there is none. What it found stays.
func (b *Book) Unschedule(name string) (known bool, err error) {
	err = b.change(func() ([]record, error) {
		if known = b.schedules[name] != nil; !known {
			return nil, nil
		}
		return []record{{Unschedule: name}}, nil
	})
	return known, err
}

// Judge says what a finding is; known is false if there is none.
func (b *Book) Judge(v Verdict) (known bool, err error) {
	err = b.change(func() ([]record, error) {
		if known = b.findings[v.ID] != nil; !known {
			return nil, nil
		}
		return []record{{Verdict: &v}}, nil
	})
	return known, err
}

// Note writes something down.
func (b *Book) Note(n Note) error {
	return b.change(func() ([]record, error) {
		if len(b.notes) >= maxNotes {
			return nil, Full(fmt.Sprintf("there are %d notes, the most there can be", maxNotes))
		}
		return []record{{Note: &n}}, nil
	})
}
