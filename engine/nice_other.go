//go:build !linux

package engine

func threadID() int { return 0 }

// lessUrgent needs threads that have a priority of their own.
func lessUrgent(int, int) {}
