package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
)

// Names at the archive's root.
const (
	formatFile  = "FORMAT"  // what this folder is
	readersFile = "readers" // held, shared, by those that read
	counterFile = "segments.next"
	batchFolder = "batches"
	packets     = "packets"

	formatText = "wiresql archive 1\n"
	// grace is how long a name that went out of use stays on disk while
	// somebody reads the archive: a query opens its files lazily.
	grace = 10 * time.Minute

	defaultSegment = 1 << 30
	maxSegmentFile = 32 << 30 // offsets have 36 bits
)

// Options for Open.
type Options struct {
	Logger *slog.Logger
	// ReadOnly archives write nothing at all; Begin fails.
	ReadOnly bool
	// NoSync skips every fsync: for benchmarks and tests.
	NoSync bool
	// SegmentBytes is the size at which packet segments rotate; 0 is 1 GiB.
	SegmentBytes int64
}

// Archive is an open archive folder. Its methods may be called from several
// goroutines, those of one Tx from one at a time.
type Archive struct {
	dir  string
	o    Options
	log  *slog.Logger
	read *os.File // shared lock on readersFile of a read-only archive

	mu     sync.Mutex
	locks  map[string]*os.File // by writer, from its first Begin to Close
	next   map[sequence]uint64 // of the writers whose locks are held
	closed bool

	books map[string]*openLedger // of the writers whose locks are held

	listMu   sync.Mutex
	ledgers  ledgers
	folders  map[string]*folder // what was listed, see list
	readings uint64

	cat      sync.Mutex
	current  *Catalog
	listed   listing
	checked  time.Time
	segments map[string]segmentRows
	watched  segmentWatch
	warned   map[string]bool

	verified sync.Map // segment number → verification of an in-place file

	// fault, set by tests, is asked before each change of a name and each
	// sync; its error is the operation's.
	fault func(op, path string) error
}

var discardLog = slog.New(slog.DiscardHandler)

// Open opens the archive in dir. Unless it is read-only, the folder is made
// when there is none, and what interrupted batches left behind is removed.
func Open(dir string, o Options) (*Archive, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if o.SegmentBytes <= 0 {
		o.SegmentBytes = defaultSegment
	}
	o.SegmentBytes = min(o.SegmentBytes, maxSegmentFile)
	a := &Archive{dir: abs, o: o, log: o.Logger, locks: map[string]*os.File{}, next: map[sequence]uint64{},
		folders: map[string]*folder{}, segments: map[string]segmentRows{}, warned: map[string]bool{},
		books: map[string]*openLedger{}, ledgers: ledgers{serial: map[Family]uint64{}, known: map[Family]map[string]*written{}}}
	if a.log == nil {
		a.log = discardLog
	}
	if err := a.identify(); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		// Without the file, or without the right to lock it, reading works
		// as well; only the writer won't wait for this reader.
		if f, err := os.Open(filepath.Join(abs, readersFile)); err == nil {
			// Who tidies up while nobody reads holds it for a moment.
			if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
				a.log.Debug("readers lock", "error", err)
			}
			a.read = f
		}
		return a, nil
	}
	if err := a.tidy(); err != nil {
		return nil, fmt.Errorf("archive %s: tidy up: %w", a.dir, err)
	}
	return a, nil
}

// identify checks that the folder is an archive of this format, and makes it
// one if it may.
func (a *Archive) identify() error {
	path := filepath.Join(a.dir, formatFile)
	b, err := readSmall(path)
	switch {
	case err == nil:
		if string(b) != formatText {
			return fmt.Errorf("archive %s: %s says %q, this program reads %q", a.dir, formatFile, b, formatText)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("archive %s: %w", a.dir, err)
	case a.o.ReadOnly:
		if _, err := os.Stat(a.dir); err != nil {
			return fmt.Errorf("archive %s: %w", a.dir, err)
		}
		return fmt.Errorf("archive %s: no archive: it has no file %s", a.dir, formatFile)
	}
	// Making an archive out of somebody's folder by a slip of the keyboard
	// would be hard to undo.
	entries, err := os.ReadDir(a.dir)
	if err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !mayHold(e.Name()) }) {
		return fmt.Errorf("archive %s: the folder is neither empty nor an archive", a.dir)
	}
	if err := os.MkdirAll(filepath.Join(a.dir, batchFolder), 0o750); err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	f, err := os.OpenFile(filepath.Join(a.dir, readersFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	f.Close()
	if err := a.writeFile(path, formatText); err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	return nil
}

// mayHold tells whether a name may stand in a folder that is to become an
// archive: hidden ones, and what an Open that was interrupted leaves.
func mayHold(name string) bool {
	switch name {
	case "lost+found", "serve", batchFolder, lockFolder, readersFile, formatFile + ".part":
		return true
	}
	return strings.HasPrefix(name, ".")
}

// writeFile replaces a small file.
func (a *Archive) writeFile(path, text string) error {
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = a.sync(f)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	return a.syncDir(filepath.Dir(path))
}

// readSmall reads a file of a few lines.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 1<<20))
}

// Close gives up the locks. Batches must have ended.
func (a *Archive) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	if len(a.locks) > 0 {
		a.tidied(a.tidy())
	}
	a.release()
	if a.read != nil {
		a.read.Close()
	}
	return nil
}

// Dir is the archive's folder, absolute.
func (a *Archive) Dir() string { return a.dir }

// claimSegment hands out a segment number: never twice, whatever happens to
// the batch that asked.
func (a *Archive) claimSegment() (uint32, error) {
	c, err := a.Catalog()
	if err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := os.OpenFile(filepath.Join(a.dir, counterFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return 0, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	b, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, err
	}
	// A counter that was lost starts above every number known.
	n := uint64(1)
	if v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 32); err == nil {
		n = max(n, v)
	}
	if known := c.segments; len(known) > 0 {
		n = max(n, uint64(known[len(known)-1].Segment.Segment)+1)
	}
	if n > tables.MaxSegment {
		return 0, fmt.Errorf("all %d segment numbers are used", tables.MaxSegment)
	}
	if _, err := f.WriteAt(fmt.Appendf(nil, "%010d\n", n+1), 0); err != nil {
		return 0, err
	}
	return uint32(n), a.sync(f)
}

// Every change of a name and every sync goes through the following, so that a
// test can stop the archive before any of them and see the order of all.

func (a *Archive) may(op, path string) error {
	if a.fault == nil {
		return nil
	}
	return a.fault(op, path)
}

// sync makes a file's bytes durable.
func (a *Archive) sync(f *os.File) error {
	if err := a.may("sync", f.Name()); err != nil || a.o.NoSync {
		return err
	}
	return f.Sync()
}

// syncDir makes the names in a folder durable.
func (a *Archive) syncDir(dir string) error {
	if err := a.may("sync folder", dir); err != nil || a.o.NoSync {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// create makes a file that does not exist yet.
func (a *Archive) create(path string) (*os.File, error) {
	if err := a.may("create", path); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
}

// rename never replaces a file.
func (a *Archive) rename(from, to string) error {
	if err := a.may("rename", to); err != nil {
		return err
	}
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) { // a file system that can't say so
		if _, err := os.Lstat(to); err == nil {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		}
		return os.Rename(from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

func (a *Archive) link(from, to string) error {
	if err := a.may("link", to); err != nil {
		return err
	}
	return os.Link(from, to)
}

// remove removes a file that may be gone already.
func (a *Archive) remove(path string) error {
	if err := a.may("remove", path); err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mkdir makes a folder below the archive's root, durably.
func (a *Archive) mkdir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	var made []string
	for d := dir; len(d) > len(a.dir); d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil {
			break
		}
		made = append(made, filepath.Dir(d))
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, d := range slices.Backward(made) {
		if err := a.syncDir(d); err != nil {
			return err
		}
	}
	return nil
}
