package engine

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A statement that takes long must not make others wait for a processor. DuckDB's
// own threads and, after a moment, the thread that plans or runs the statement
// are less urgent than all others: whose statement is short, and what records.

// niceness is so that an urgent thread gets three times as much of a processor
// that both want; twice as nice, ten times as much.
const niceness = 5

// longCall is after how long a plan or a call into DuckDB is one.
const longCall = 50 * time.Millisecond

// behind runs f on a thread of its own while f takes, and makes that thread less
// urgent once f has taken long; at once, and more so, if it is for an account that asks
// much. Such a thread ends with f: it can't become urgent again.
func behind(much bool, f func()) {
	if much {
		runtime.LockOSThread() // for good
		lessUrgent(threadID(), 2*niceness)
		f()
		return
	}
	const runs, slowed, over = 0, 1, 2
	var state atomic.Int32
	runtime.LockOSThread()
	thread := threadID()
	timer := time.AfterFunc(longCall, func() {
		if state.CompareAndSwap(runs, slowed) {
			lessUrgent(thread, niceness)
		}
	})
	defer func() {
		timer.Stop()
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
		lessUrgent(threadID(), niceness)
		f()
	}()
	<-done
}
