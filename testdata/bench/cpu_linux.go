package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// processCPU is what another process has used, its threads that have ended included: a
// server's statements run on threads of their own.
func processCPU(pid int) time.Duration {
	var t unix.Timespec
	// The clock of a process's CPU time by its number: clock_getcpuclockid(3).
	if unix.ClockGettime(int32(^pid)<<3|2, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
