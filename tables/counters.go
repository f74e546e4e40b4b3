package tables

import (
	"math"
	"math/bits"
)

// Counters are stored as signed 64-bit numbers, because unsigned ones break
// SQL clients, and IPFIX counts in unsigned 64 (RFC 7011 section 6.1.1). What is
// beyond is cut to MaxCount, never wrapped, and so is every sum and product of
// counters: one absurd record must not make the rows beside it unreadable.

// MaxCount is the largest counter; as a value it means as much or more.
const MaxCount = math.MaxInt64

// Count is a counter as it is stored.
func Count(n uint64) int64 { return int64(min(n, MaxCount)) }

// AddCounts adds counters. One below zero, which only archives of earlier
// versions have, counts as none.
func AddCounts(a, b int64) int64 {
	return Count(uint64(max(a, 0)) + uint64(max(b, 0)))
}

// ScaleCount multiplies a counter by a sampling rate.
func ScaleCount(n, rate int64) int64 {
	high, low := bits.Mul64(uint64(max(n, 0)), uint64(max(rate, 0)))
	if high != 0 {
		return MaxCount
	}
	return Count(low)
}
