package archive

import (
	"errors"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/tables"
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
	since, anew, leaves := a.failed(n, after)
	if anew {
		a.log.Error("a root can't be written to: new packets go to the others", "root", a.at(inRoot(n, ".")), "for", leftFor, "error", err)
		if before, ok := a.fails(n); ok {
			since = before.Since
		}
		if err := a.WriteStatus(failsStatus(n), Failing{since, err.Error()}); err != nil {
			a.log.Warn("that can't be shown to others", "error", err)
		}
	}
	return leaves
}

// failed notes a try that failed, and tells since when they do, and whether the root is
// left, and was not before.
func (a *Archive) failed(n int, after time.Duration) (since tables.Time, anew, leaves bool) {
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
		return 0, false, false
	}
	anew = f.until.Before(at)
	f.until = at.Add(leftFor)
	return tables.Time(f.since.UnixMicro()), anew, true
}

// Failing says of a root that the last process that wrote to it could not.
type Failing struct {
	Since tables.Time `json:"since"`
	Error string      `json:"error"`
}

func failsStatus(n int) string { return "root-" + strconv.Itoa(n) }

// fails tells whether a root was left, and not written to since, by whatever process.
func (a *Archive) fails(n int) (f Failing, ok bool) {
	err := a.ReadStatus(failsStatus(n), &f)
	return f, err == nil
}

// written notes that packets of a file are durable in its root.
func (a *Archive) written(rel string) {
	n, _ := rootOf(rel)
	if n == 0 {
		return
	}
	if _, fails := a.fails(n); !fails {
		return
	}
	if err := a.RemoveStatus(failsStatus(n)); err != nil {
		a.log.Warn("it can't be shown that a root is written to again", "error", err)
	}
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
