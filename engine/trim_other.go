//go:build !linux

package engine

import "runtime/debug"

// trimMemory gives memory that nothing uses back to the system.
func trimMemory() { debug.FreeOSMemory() }
