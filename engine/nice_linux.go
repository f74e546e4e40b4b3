package engine

import "golang.org/x/sys/unix"

func threadID() int { return unix.Gettid() }

// lessUrgent is for one thread. That it does not work is no reason to fail.
func lessUrgent(thread, nice int) { _ = unix.Setpriority(unix.PRIO_PROCESS, thread, nice) }
