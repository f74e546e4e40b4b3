package engine

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A statement that takes long must not make others wait for a processor. DuckDB's
// own threads and, after a moment, the thread that plans or runs the statement
// are less urgent than all others: whose statement is short, and what records.

// longCall is after how long a plan or a call into DuckDB is one.
const longCall = 50 * time.Millisecond

// debt is what a connection used of a processor beyond half of the time: short
// statements without a pause are one that takes long.
type debt struct {
	mu   sync.Mutex
	owed time.Duration
	at   time.Time
}

// left is for how long the connection's next call is urgent.
func (d *debt) left(now time.Time) time.Duration {
	if d == nil { // of nobody's connection
		return longCall
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owed, d.at = max(d.owed-now.Sub(d.at)/2, 0), now
	return longCall - d.owed
}

// used adds what a call used.
func (d *debt) used(processor time.Duration) {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.owed = min(d.owed+processor, 4*longCall)
}

// behind runs f on a thread of its own while f takes, and makes that thread less
// urgent once f has taken long, or at once when its connection is in debt. Such a
// thread ends with f: it can't become urgent again.
func (d *debt) behind(f func()) {
	const runs, slowed, over = 0, 1, 2
	var state atomic.Int32
	runtime.LockOSThread()
	thread, before := threadID(), threadTime()
	slow := func() {
		if state.CompareAndSwap(runs, slowed) {
			lessUrgent(thread)
		}
	}
	stop := func() bool { return true }
	if left := d.left(time.Now()); left > 0 {
		stop = time.AfterFunc(left, slow).Stop
	} else {
		slow()
	}
	defer func() {
		d.used(threadTime() - before)
		stop()
		if state.CompareAndSwap(runs, over) {
			runtime.UnlockOSThread()
		}
	}()
	f()
}

// lessUrgently runs f on a thread that is less urgent, as are those that f makes.
func lessUrgently(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		lessUrgent(threadID())
		f()
	}()
	<-done
}
