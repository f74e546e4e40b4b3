package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// Pins are what must not be evicted, because somebody works on it. They rest in
// serve/pins, JSON, and are changed under the lock locks/pins, as files are
// evicted: of what is pinned, nothing goes from then on.
const (
	pinsFile = "pins"
	pinsLock = "pins"
	maxPins  = 64 << 20
)

// Pin is what one call pinned for a case.
type Pin struct {
	Case      string      `json:"case"`
	Condition string      `json:"condition"` // of the conversations
	From      tables.Time `json:"from"`      // and their time, microseconds since 1970
	To        tables.Time `json:"to"`
	Account   string      `json:"account"`
	PinnedAt  tables.Time `json:"pinned_at"`
	// Segments have their packets, Ranges their rows.
	Segments []uint32    `json:"segments"`
	Ranges   []PinnedRow `json:"ranges"`
}

// PinnedRow is a range of a sequence of row files: names change with merges, and
// numbers stay.
type PinnedRow struct {
	Family Family `json:"family"`
	Writer string `json:"writer"`
	Lane   string `json:"lane"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
}

// RowsOf is what pins a file's rows.
func RowsOf(f *File) PinnedRow { return PinnedRow{f.Family, f.Writer, f.Lane, f.First, f.Last} }

// pinned is what all pins hold.
type pinned struct {
	segments map[uint32]bool
	ranges   map[sequence][]PinnedRow
}

func (p *pinned) segment(n uint32) bool { return p.segments[n] }

func (p *pinned) file(f *File) bool {
	return slices.ContainsFunc(p.ranges[f.sequence()], func(r PinnedRow) bool { return f.First <= r.Last && f.Last >= r.First })
}

// Pins lists what is pinned, in the order it was.
func (a *Archive) Pins() (pins []Pin, err error) {
	path := filepath.Join(a.dir, serveFolder, pinsFile)
	b, err := disk.ReadFile(a.disk, path, maxPins)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &pins); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pins, nil
}

// ChangePins replaces the pins by what change makes of them. Nothing is evicted
// meanwhile.
func (a *Archive) ChangePins(change func([]Pin) ([]Pin, error)) error {
	lock, err := a.waitLock(pinsLock)
	if err != nil {
		return err
	}
	defer lock.Close()
	pins, err := a.Pins()
	if err != nil {
		return err
	}
	if pins, err = change(pins); err != nil {
		return err
	}
	b, err := json.Marshal(pins)
	if err != nil {
		return err
	}
	if len(b) > maxPins {
		return fmt.Errorf("the pins take more than %d bytes", maxPins)
	}
	dir := filepath.Join(a.dir, serveFolder)
	if err := a.mkdir(dir); err != nil {
		return err
	}
	return disk.Replace(a.disk, filepath.Join(dir, pinsFile), append(b, '\n'), 0o640)
}

// holdPins reads what is pinned, and lets nobody change it until release.
func (a *Archive) holdPins() (p *pinned, release func(), err error) {
	lock, err := a.waitLock(pinsLock)
	if err != nil {
		return nil, nil, err
	}
	if p, err = a.pinned(); err != nil {
		lock.Close()
		return nil, nil, err
	}
	return p, func() { lock.Close() }, nil
}

// pinned reads what is pinned.
func (a *Archive) pinned() (*pinned, error) {
	pins, err := a.Pins()
	if err != nil {
		return nil, err
	}
	p := &pinned{map[uint32]bool{}, map[sequence][]PinnedRow{}}
	for _, one := range pins {
		for _, n := range one.Segments {
			p.segments[n] = true
		}
		for _, r := range one.Ranges {
			s := sequence{r.Family, r.Writer, r.Lane}
			p.ranges[s] = append(p.ranges[s], r)
		}
	}
	return p, nil
}

// waitLock waits for a lock. Who may only read it can lock it as well.
func (a *Archive) waitLock(name string) (disk.File, error) {
	f, err := a.obtainLock(name)
	if err != nil {
		return nil, err
	}
	if err := f.Lock(); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// obtainLock opens the file of a lock, which is made if need be.
func (a *Archive) obtainLock(name string) (disk.File, error) {
	path := filepath.Join(a.dir, lockFolder, name)
	f, err := a.disk.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = a.mkdir(filepath.Dir(path)); err == nil {
			f, err = disk.Obtain(a.disk, path, 0o640)
		}
	}
	return f, err
}
