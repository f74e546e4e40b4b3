package archive

import (
	"errors"
	"slices"
	"syscall"
	"time"
)

// A disk may fail writes while what is on it can be read, its file ROOT, too: it is
// there, then, and new packets go to the others.

// failure is of a root that can't be written to.
type failure struct {
	since, last time.Time // tries that failed
	until       time.Time // it gets no packets
}

const (
	// failsFor is how long writing is tried again before it is left, failsApart how
	// long after the last failure one is the first again.
	failsFor   = 2 * time.Second
	failsApart = 30 * time.Second
	// leftFor is how long it is left.
	leftFor = 5 * time.Minute
)

// broken are errors that waiting for room does not mend.
var broken = []error{syscall.EIO, syscall.EROFS, syscall.ENXIO, syscall.ENODEV, syscall.EACCES, syscall.EPERM, syscall.ESTALE}

// givesUp notes that a packet file could not be written, and tells whether its root is
// left, since it failed for so long and another takes packets.
func (a *Archive) givesUp(rel string, err error, after time.Duration) bool {
	n, _ := rootOf(rel)
	if n == 0 || !slices.ContainsFunc(broken, func(b error) bool { return errors.Is(err, b) }) || !a.another(n) {
		return false
	}
	at := time.Now()
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	f := a.failing[n]
	if f == nil || at.Sub(f.last) > failsApart {
		f = &failure{since: at}
		if a.failing == nil {
			a.failing = map[int]*failure{}
		}
		a.failing[n] = f
	}
	f.last = at
	if at.Sub(f.since) < after {
		return false
	}
	if f.until.Before(at) {
		a.log.Error("a root can't be written to: new packets go to the others", "root", a.known[n].path, "for", leftFor, "error", err)
	}
	f.until = at.Add(leftFor)
	return true
}

// left tells whether a file's root gets no packets for now.
func (a *Archive) left(n int) bool {
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	f := a.failing[n]
	return f != nil && time.Now().Before(f.until)
}

// another tells whether a root takes packets besides one.
func (a *Archive) another(than int) bool {
	r := a.o.Retention
	if r == nil {
		return false
	}
	roots := a.roots()
	return slices.ContainsFunc(a.targets(r.Roots), func(n int) bool {
		return n != than && !a.left(n) && (n == 0 || slices.ContainsFunc(roots, func(r root) bool { return r.number == n && r.here }))
	})
}
