//go:build !linux

package engine

import "time"

func threadID() int { return 0 }

// threadTime is not known here: no connection is in debt.
func threadTime() time.Duration { return 0 }

// lessUrgent needs threads that have a priority of their own.
func lessUrgent(int) {}
