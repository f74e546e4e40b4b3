package engine

import (
	"runtime"
	"sync/atomic"
	"time"
)

// A statement that takes long must not make others wait for a processor. DuckDB's
// own threads and, after a moment, the thread that plans or runs the statement
// are less urgent than all others: whose statement is short, and what records.

// longCall is after how long a plan or a call into DuckDB is one.
const longCall = 50 * time.Millisecond

// behind runs f on a thread of its own while f takes, and makes that thread less
// urgent once f has taken long. Such a thread ends with f: it can't become urgent
// again.
func behind(f func()) {
	const runs, slowed, over = 0, 1, 2
	var state atomic.Int32
	runtime.LockOSThread()
	thread := threadID()
	timer := time.AfterFunc(longCall, func() {
		if state.CompareAndSwap(runs, slowed) {
			lessUrgent(thread)
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
		lessUrgent(threadID())
		f()
	}()
	<-done
}
