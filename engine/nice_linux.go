package engine

import (
	"time"

	"golang.org/x/sys/unix"
)

// niceness is so that an urgent thread gets three times as much of a processor
// that both want.
const niceness = 5

func threadID() int { return unix.Gettid() }

// threadTime is what the thread has used of a processor.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// lessUrgent is for one thread. That it does not work is no reason to fail.
func lessUrgent(thread int) { _ = unix.Setpriority(unix.PRIO_PROCESS, thread, niceness) }
