package engine

import "golang.org/x/sys/unix"

// niceness is so that an urgent thread gets three times as much of a processor
// that both want.
const niceness = 5

func threadID() int { return unix.Gettid() }

// lessUrgent is for one thread. That it does not work is no reason to fail.
func lessUrgent(thread int) { _ = unix.Setpriority(unix.PRIO_PROCESS, thread, niceness) }
