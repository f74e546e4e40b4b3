package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

func TestAdmissionOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(Limits{})
		a.turns = 1
		first, err := a.enter(t.Context(), whose{account: "x"}, 1<<30, false)
		if err != nil {
			t.Fatal(err)
		}
		var order []int64
		var mu sync.Mutex
		var all sync.WaitGroup
		for _, bytes := range []int64{5 << 30, 1 << 30, 3 << 30} {
			all.Go(func() {
				p, err := a.enter(t.Context(), whose{account: "x"}, bytes, false)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, bytes>>30)
				mu.Unlock()
				p.end()
			})
			synctest.Wait()
		}
		// A short one does not wait for them.
		short, err := a.enter(t.Context(), whose{account: "x"}, 1000, false)
		if err != nil {
			t.Fatal(err)
		}
		short.end()
		first.end()
		first.end() // once more gives nothing back
		all.Wait()
		if !slices.Equal(order, []int64{1, 3, 5}) {
			t.Error(order)
		}

		// After a while the one that came first is next.
		first, _ = a.enter(t.Context(), whose{account: "x"}, 1<<30, false)
		order = nil
		for _, bytes := range []int64{5 << 30, 1 << 30} {
			all.Go(func() {
				p, _ := a.enter(t.Context(), whose{account: "x"}, bytes, false)
				mu.Lock()
				order = append(order, bytes>>30)
				mu.Unlock()
				p.end()
			})
			synctest.Wait()
		}
		time.Sleep(2 * longWait) // of the bubble
		first.end()
		all.Wait()
		if !slices.Equal(order, []int64{5, 1}) {
			t.Error(order)
		}
		if a.long+a.short != 0 || len(a.running) != 0 || len(a.waiting) != 0 {
			t.Errorf("%d turns, %v, %d waiting", a.long+a.short, a.running, len(a.waiting))
		}
	})
}

// However many short statements come, a long one gets its turn.
func TestAdmissionOfLongOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(Limits{})
		a.turns = 2
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for ctx.Err() == nil {
					p, err := a.enter(ctx, whose{account: "x"}, 1000, false)
					if err != nil {
						return
					}
					time.Sleep(time.Millisecond)
					p.end()
				}
			})
		}
		synctest.Wait()
		waits, done := context.WithTimeout(t.Context(), 2*longWait)
		defer done()
		p, err := a.enter(waits, whose{account: "y"}, 1<<30, false)
		if err != nil {
			t.Error(err)
		}
		p.end()
		cancel()
		all.Wait()
		if a.long+a.short != 0 || len(a.waiting) != 0 {
			t.Errorf("%d turns, %d waiting", a.long+a.short, len(a.waiting))
		}
	})
}

// A limit that changes is that of the statements that wait for it.
func TestAdmissionOfChangedLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{admission: newAdmission(Limits{Statements: 1})}
		a := e.admission
		a.turns = 100
		var running, most atomic.Int32
		var all sync.WaitGroup
		release := make(chan struct{})
		for range 50 {
			all.Go(func() {
				p, err := a.enter(t.Context(), whose{account: "x"}, 1<<30, false)
				if err != nil {
					t.Error(err)
				}
				most.Store(max(most.Load(), running.Add(1)))
				<-release
				running.Add(-1)
				p.end()
			})
		}
		for _, limit := range []int{20, 5, 30} {
			e.Limit("x", Limits{Statements: limit})
			synctest.Wait()
			if n := int(running.Load()); n != max(limit, 20) {
				t.Errorf("%d run at a limit of %d", n, limit)
			}
		}
		close(release)
		all.Wait()
		if a.long+a.short != 0 || len(a.running) != 0 || len(a.waiting) != 0 {
			t.Errorf("%d turns, %v, %d waiting", a.long+a.short, a.running, len(a.waiting))
		}
	})
}

func TestAdmissionOfAccounts(t *testing.T) {
	a := newAdmission(Limits{Statements: 2})
	a.turns = 100
	one, _ := a.enter(t.Context(), whose{account: "x"}, 1, false)
	if _, err := a.enter(t.Context(), whose{account: "x"}, 1, false); err != nil {
		t.Fatal(err)
	}
	// The first rows are there, the statement goes on.
	one.turn()
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := a.enter(ctx, whose{account: "x"}, 1, false); !errors.Is(err, stopped) {
		t.Error(err)
	}
	if p, err := a.enter(t.Context(), whose{account: "y"}, 1, false); err != nil {
		t.Error(err)
	} else {
		p.end()
	}
	one.place()
	if p, err := a.enter(t.Context(), whose{account: "x"}, 1, false); err != nil {
		t.Error(err)
	} else {
		p.end()
	}

	full := newAdmission(Limits{Statements: 1})
	ctx, cancel = context.WithCancelCause(t.Context())
	defer cancel(nil)
	if _, err := full.enter(ctx, whose{account: "x"}, 1, false); err != nil {
		t.Fatal(err)
	}
	for range maxWaiting {
		go full.enter(ctx, whose{account: "x"}, 1, false)
	}
	for {
		full.mu.Lock()
		n := len(full.waiting)
		full.mu.Unlock()
		if n == maxWaiting {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var refused *functions.SQLError
	if _, err := full.enter(ctx, whose{account: "x"}, 1, false); !errors.As(err, &refused) || refused.Number != 1226 {
		t.Error(err)
	}
}

// Whatever comes and goes, no more run than may, and all are served.
func TestAdmissionAtRandom(t *testing.T) {
	a := newAdmission(Limits{Statements: 3})
	a.turns = 4
	var running [5]atomic.Int32
	var all sync.WaitGroup
	for i := range 400 {
		account := i % len(running)
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(200))*time.Millisecond+time.Millisecond)
			defer cancel()
			p, err := a.enter(ctx, whose{account: fmt.Sprint(account)}, rand.Int64N(1<<31), false)
			if err != nil {
				return
			}
			if n := running[account].Add(1); n > 3 {
				t.Errorf("%d statements of an account", n)
			}
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // it works
			p.turn()
			time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // it works
			running[account].Add(-1)
			p.end()
		})
	}
	all.Wait()
	if a.long+a.short != 0 || len(a.running) != 0 || len(a.waiting) != 0 {
		t.Errorf("%d turns, %v, %d waiting", a.long+a.short, a.running, len(a.waiting))
	}
}

// Too many rows and too many bytes are errors, of this account alone, and leave
// nothing taken.
func TestLimits(t *testing.T) {
	e, a := testEngine(t)
	rows := make([]tables.Flow, 5000)
	for i := range rows {
		rows[i] = tables.Flow{TS: tables.Time(1_780_000_000_000_000 + i), TSEnd: tables.Time(1_780_000_000_000_000 + i), SourceType: "packets", FlowID: tables.ID(i + 1)}
	}
	batch(t, a, "e", rows)
	run := func(statement string) (int, error) {
		out, err := e.Query(t.Context(), statement)
		if err != nil {
			return 0, err
		}
		all, err := out.All()
		return len(all), err
	}
	refused := func(statement string) {
		t.Helper()
		var limit *functions.SQLError
		if n, err := run(statement); !errors.As(err, &limit) || limit.Number != 1226 {
			t.Errorf("%s: %d rows, %v", statement, n, err)
		}
	}
	e.Limit("root", Limits{Rows: 3000})
	refused("SELECT flow_id FROM flows")
	if n, err := run("SELECT flow_id FROM flows LIMIT 3000"); n != 3000 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	e.Limit("root", Limits{Bytes: 1000})
	refused("SELECT COUNT(*) FROM flows")
	if n, err := run("SELECT COUNT(*) FROM flows WHERE ts < '2000-01-01'"); n != 1 || err != nil {
		t.Errorf("no file: %d rows, %v", n, err)
	}
	e.Limit("another", Limits{Bytes: 1})
	e.Limit("root", Limits{})
	if n, err := run("SELECT flow_id FROM flows"); n != len(rows) || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	if a := e.admission; a.long+a.short != 0 || len(a.running) != 0 {
		t.Errorf("%d turns, %v", a.long+a.short, a.running)
	}
}

// Who asks little goes before whoever asks much, of another account and of the same;
// and what somebody had is forgotten.
func TestAdmissionIsFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(Limits{})
		a.turns = 1
		ctx, cancel := context.WithCancel(t.Context())
		var flood sync.WaitGroup
		for i := range 16 {
			flood.Go(func() {
				for ctx.Err() == nil {
					p, err := a.enter(ctx, whose{"many", uint32(i)}, 1000, false)
					if err != nil {
						return
					}
					time.Sleep(10 * time.Millisecond) // of the bubble
					p.end()
				}
			})
		}
		worst := func(who whose, pause time.Duration) (most time.Duration) {
			for range 50 {
				time.Sleep(pause) // of the bubble, as all of them
				began := time.Now()
				p, err := a.enter(t.Context(), who, 2000, false) // reads more than they do
				if err != nil {
					t.Fatal(err)
				}
				most = max(most, time.Since(began))
				time.Sleep(time.Millisecond) // it works
				p.end()
			}
			return most
		}
		time.Sleep(2 * time.Second) // by then it asks much
		if a.much("many") {
			t.Error("an account is held to ask much though it is alone")
		}
		if took := worst(whose{"few", 99}, 5*time.Millisecond); took > 10*time.Millisecond {
			t.Errorf("another account waits %v, longer than what runs takes", took)
		}
		if took := worst(whose{"few", 99}, 5*time.Millisecond); took > 0 {
			t.Errorf("once it is known that others ask, it waits %v: a turn is left for it", took)
		}
		if !a.much("many") || a.much("few") {
			t.Errorf("the one that asks much: %v, the other: %v", a.much("many"), a.much("few"))
		}
		if took := worst(whose{"many", 99}, 100*time.Millisecond); took > 10*time.Millisecond {
			t.Errorf("another connection waits %v, longer than what runs takes", took)
		}
		cancel()
		flood.Wait()
		time.Sleep(10 * time.Second) // what it had is forgotten
		if a.much("many") || a.long+a.short != 0 {
			t.Errorf("later it asks much: %v; %d turns", a.much("many"), a.long+a.short)
		}
	})
}
