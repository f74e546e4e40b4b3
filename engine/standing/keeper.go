package standing

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// Engine runs what stands.
type Engine interface {
	// Recorded is the end of what was recorded, 0 if nothing was.
	Recorded(ctx context.Context) (tables.Time, error)
	// Hunt runs a schedule's hunt over a time, with the rights of its account, and
	// gives so many rows at the most.
	Hunt(ctx context.Context, s *Schedule, from, to tables.Time, most int) (*Answer, error)
	// Pin keeps the packets of a finding of that time from being evicted, for a
	// case; it says what is gone already.
	Pin(ctx context.Context, s *Schedule, name string, a *Answer, f *Finding, from, to tables.Time) ([]string, error)
}

// Config is what runs may take.
type Config struct {
	Time    time.Duration // of a run
	Rows    int           // of one
	Targets string        // the file of targets; "" for none
}

const (
	lookEvery = 2 * time.Second
	// lookLeast is how often it is looked at least while something is wrong: what can't be
	// written down, as on a full disk, is hunted for and told each time anew.
	lookLeast = time.Minute
	// maxPinned are the findings of a schedule whose packets are pinned.
	maxPinned = 100
	// maxWarnings are kept of a run, maxReason bytes of an error.
	maxWarnings = 20
	maxReason   = 500
	// maxWaiting are the findings that wait for a target.
	maxWaiting = 1000
)

// Keeper runs schedules, one after the other, and tells targets what is new.
type Keeper struct {
	book   *Book
	engine Engine
	config Config
	log    *slog.Logger
	now    func() time.Time

	mu      sync.Mutex
	running string // the schedule that runs
	stop    context.CancelCauseFunc

	Stats Stats
}

// errUnscheduled ends the run of a schedule that is gone.
var errUnscheduled = errors.New("it is no longer scheduled")

// Stop ends the run of a schedule, if it runs.
func (k *Keeper) Stop(schedule string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stop != nil && k.running == schedule {
		k.stop(errUnscheduled)
	}
}

// runs says which schedule runs, and what ends its run.
func (k *Keeper) runs(schedule string, stop context.CancelCauseFunc) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running, k.stop = schedule, stop
}

// Stats counts since the keeper began.
type Stats struct{ Found, Nothing, Truncated, Failed, Delivered, DeliveryFailed, GivenUp atomic.Int64 }

// NewKeeper makes a keeper of a book; Keep runs it.
func NewKeeper(b *Book, e Engine, c Config, log *slog.Logger) *Keeper {
	return &Keeper{book: b, engine: e, config: c, log: log, now: time.Now}
}

// Keep runs what is due until ctx ends.
func (k *Keeper) Keep(ctx context.Context) {
	var both sync.WaitGroup
	both.Go(func() { k.deliverAll(ctx) })
	k.every(ctx, "standing hunts", func() error { return k.RunDue(ctx) })
	both.Wait()
}

// every calls do again and again until ctx ends, and says once what is wrong.
func (k *Keeper) every(ctx context.Context, what string, do func() error) {
	failing, last := false, lookEvery
	for {
		err := do()
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			if failing = err != nil; failing {
				k.log.Warn(what+" can't go on", "error", err)
			}
		}
		wait := lookEvery
		if failing {
			wait = min(2*last, lookLeast)
		}
		last = wait
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

func (k *Keeper) time() tables.Time { return tables.Time(k.now().UnixMicro()) }

// RunDue runs what is due, what is due the longest first.
func (k *Keeper) RunDue(ctx context.Context) error {
	for ctx.Err() == nil {
		next, err := k.book.due(k.time())
		if next == nil || err != nil {
			return err
		}
		if err := k.run(ctx, next); err != nil {
			return err
		}
	}
	return nil
}

// due is the schedule that is due the longest, nil for none.
func (b *Book) due(now tables.Time) (next *Schedule, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.notebook.Follow(b.take); err != nil {
		return nil, err
	}
	for _, s := range b.schedules {
		if due := s.Due(now); due <= now && (next == nil || due < next.Due(now)) {
			next = s
		}
	}
	if next == nil {
		return nil, nil
	}
	copied := *next
	return &copied, nil
}

// run runs a schedule once, and writes down what came of it.
func (k *Keeper) run(ctx context.Context, s *Schedule) error {
	began := k.now()
	r := &Run{Schedule: s.Name, Hunt: s.Hunt, Begun: tables.Time(began.UnixMicro()), To: s.Until}
	limited, cancel := context.WithTimeoutCause(ctx, k.config.Time, fmt.Errorf("it took longer than %v", k.config.Time))
	defer cancel()
	limited, stop := context.WithCancelCause(limited)
	defer stop(nil)
	k.runs(s.Name, stop)
	defer k.runs("", nil)
	answer, err := k.hunt(limited, s, r)
	var list []*Finding
	if err == nil && answer != nil {
		list, err = answer.findings(s, r.To, r.Begun)
	}
	if err == nil && len(list) > 0 && s.Pin {
		k.pin(limited, s, r, answer, list)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the server ends: it is due still
	}
	r.Duration = time.Since(began).Seconds()
	if err != nil {
		r.Error, list = cut(err.Error()), nil
	}
	if answer != nil {
		r.Rows, r.Truncated = len(answer.Rows), answer.Truncated
		if r.Truncated {
			r.Warnings = append(r.Warnings, fmt.Sprintf("there was more than a run keeps: the first %d rows were taken", len(answer.Rows)))
		}
		r.Warnings = append(r.Warnings, answer.Warnings...)
	}
	if more := len(r.Warnings) - maxWarnings; more > 0 {
		r.Warnings = append(r.Warnings[:maxWarnings:maxWarnings], fmt.Sprintf("and %d more warnings", more))
	}
	for i := range r.Warnings {
		r.Warnings[i] = cut(r.Warnings[i])
	}
	if err := k.book.keep(s, r, list); err != nil {
		return err
	}
	switch {
	case r.Error != "":
		k.Stats.Failed.Add(1)
		k.log.Warn("a standing hunt failed", "schedule", s.Name, "hunt", s.Hunt, "error", r.Error)
	case r.Truncated:
		k.Stats.Truncated.Add(1)
	case len(list) > 0:
		k.Stats.Found.Add(1)
	default:
		k.Stats.Nothing.Add(1)
	}
	return nil
}

// hunt asks. The answer is nil if there is nothing to ask about.
func (k *Keeper) hunt(ctx context.Context, s *Schedule, r *Run) (*Answer, error) {
	recorded, err := k.engine.Recorded(ctx)
	if err != nil {
		return nil, err
	}
	from, to, why := s.window(r.Begun, recorded)
	if why != "" {
		r.Warnings = append(r.Warnings, why)
	}
	if to == 0 {
		return nil, nil
	}
	a, err := k.engine.Hunt(ctx, s, from, to, k.config.Rows)
	r.From = from
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, err
	}
	r.To = to
	return a, nil
}

// pin pins the packets of what is new.
func (k *Keeper) pin(ctx context.Context, s *Schedule, r *Run, a *Answer, list []*Finding) {
	pinned, known := k.book.pinned(s.Name)
	for _, f := range list {
		if known[f.ID] {
			continue
		}
		if pinned >= maxPinned {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the packets of what is new are not pinned: those of %d findings are", maxPinned))
			return
		}
		name := s.Name + "/" + f.ID
		gone, err := k.engine.Pin(ctx, s, name, a, f, min(r.From, f.First), max(r.To, f.Last))
		r.Warnings = append(r.Warnings, gone...)
		if err != nil {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the packets of finding %s are not pinned: %v", f.ID, err))
			continue
		}
		f.Case = name
		pinned++
	}
}

func cut(text string) string {
	if len(text) > maxReason {
		return text[:maxReason] + "…"
	}
	return text
}

// pinned counts a schedule's findings whose packets are pinned, and names all it has.
func (b *Book) pinned(schedule string) (n int, known map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	known = map[string]bool{}
	for id, f := range b.findings {
		if f.Schedule != schedule {
			continue
		}
		known[id] = true
		if f.Case != "" {
			n++
		}
	}
	return n, known
}

// keep writes down a run and what it found, unless its schedule is another one by now.
func (b *Book) keep(s *Schedule, r *Run, found []*Finding) error {
	return b.change(func() (list []record, err error) {
		if now := b.schedules[s.Name]; now == nil || now.Made != s.Made {
			return nil, nil
		}
		waiting := 0
		for _, f := range b.findings {
			if f.Delivery != nil && f.Delivery.Target == s.Notify && !f.Delivery.Done && !f.Delivery.Over {
				waiting++
			}
		}
		for _, f := range found {
			if old := b.findings[f.ID]; old != nil {
				if !f.after(old) {
					continue
				}
			} else {
				r.New++
				if s.Notify != "" {
					f.Delivery = &Delivery{ID: f.ID, Target: s.Notify}
					if waiting++; waiting > maxWaiting {
						f.Delivery.Over, f.Delivery.Error = true, fmt.Sprintf("%d findings wait for %s already", maxWaiting, s.Notify)
					}
				}
			}
			list = append(list, record{Finding: f})
		}
		r.Findings = len(list)
		return append(list, record{Run: r}), nil
	})
}
