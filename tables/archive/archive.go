package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// Names at the archive's root.
const (
	formatFile  = "FORMAT"  // what this folder is
	readersFile = "readers" // held, shared, by those that read without a lease
	counterFile = "segments.next"
	batchFolder = "batches"
	packets     = "packets"

	// formatText is the format that is written. What is decided about rows
	// stood in them in formatBefore: a program that knows only that one would
	// count the conversations twice.
	formatText   = "wiresql archive 2\n"
	formatBefore = "wiresql archive 1\n"

	defaultSegment = 1 << 30
	maxSegmentFile = 32 << 30 // offsets have 36 bits
)

// Options for Open.
type Options struct {
	Logger *slog.Logger
	// ReadOnly archives write nothing but their lease; Begin fails.
	ReadOnly bool
	// Disk is where the folder lies; nil is the machine's file system.
	Disk disk.Disk
	// NoSync, without a Disk, skips every fsync: for benchmarks and tests.
	NoSync bool
	// Retention, if not nil, is held to before packets are written, and when
	// the disk fills up before any batch is.
	Retention *Retention
	// SegmentBytes is the size at which packet segments rotate; 0 is 1 GiB.
	SegmentBytes int64
}

// Archive is an open archive folder. Its methods may be called from several
// goroutines, those of one Tx from one at a time.
type Archive struct {
	dir  string
	o    Options
	disk disk.Disk
	log  *slog.Logger
	made sync.Map // folders that are known to be durable

	leases leases

	clocks   func() reading
	evicting sync.Mutex    // one at a time
	clock    steadyClock   // of who evicts
	saved    time.Duration // when it was written
	looked   atomic.Int64  // when it was seen last that the disk has room

	mu     sync.Mutex
	locks  map[string]disk.File // by writer, from its first Begin to Close
	next   map[sequence]uint64  // of the writers whose locks are held
	closed bool

	bookMu sync.Mutex
	books  map[string]*openLedger // of the writers whose locks are held

	tableMu sync.Mutex
	tables  map[uint32]packetTable // by segment

	listMu   sync.Mutex
	ledgers  ledgers
	found    findings
	evicted  *evictions
	folders  map[string]*folder // what was listed, see list
	readings uint64
	journals map[string]*logJournal // that were read

	cat      sync.Mutex
	current  *Catalog
	listed   listing
	checked  time.Time
	loaded   time.Time
	segments map[string]segmentRows
	watched  segmentWatch
	warned   map[string]bool

	rootMu       sync.Mutex
	known        map[int]root     // by number; whether they are here is looked at each time
	retired      map[int]string   // paths of those that are none any more
	rootsChanged time.Time        // their folder, when they were read
	failing      map[int]*failure // roots that can't be written to

	cleared  sync.Map // segments that were evicted and have no file any more
	verified sync.Map // segment number → verification of an in-place file
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
	if o.Disk == nil {
		o.Disk = disk.Real{NoSync: o.NoSync}
	}
	a := &Archive{dir: abs, o: o, disk: o.Disk, clocks: readClocks, log: o.Logger, locks: map[string]disk.File{}, next: map[sequence]uint64{},
		folders: map[string]*folder{}, segments: map[string]segmentRows{}, warned: map[string]bool{},
		evicted: &evictions{}, books: map[string]*openLedger{}, ledgers: ledgers{serial: map[Family]uint64{}, known: map[Family]map[string]*written{}}}
	if a.log == nil {
		a.log = discardLog
	}
	if err := a.identify(); err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return a, nil
	}
	if o.Retention != nil {
		if err := a.addRoots(o.Retention.Roots); err != nil {
			return nil, fmt.Errorf("archive %s: %w", a.dir, err)
		}
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
	b, err := disk.ReadFile(a.disk, path, 1<<20)
	switch {
	case err == nil && string(b) == formatBefore && !a.o.ReadOnly:
		if err := disk.Replace(a.disk, path, []byte(formatText), 0o640); err != nil {
			return fmt.Errorf("archive %s: %w", a.dir, err)
		}
		return nil
	case err == nil:
		if string(b) != formatText && string(b) != formatBefore {
			return fmt.Errorf("archive %s: %s says %q, this program reads %q", a.dir, formatFile, b, formatText)
		}
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("archive %s: %w", a.dir, err)
	case a.o.ReadOnly:
		if _, err := a.disk.Stat(a.dir); err != nil {
			return fmt.Errorf("archive %s: %w", a.dir, err)
		}
		return fmt.Errorf("archive %s: no archive: it has no file %s", a.dir, formatFile)
	}
	// Making an archive out of somebody's folder by a slip of the keyboard
	// would be hard to undo.
	entries, err := a.disk.ReadDir(a.dir)
	if err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !mayHold(e.Name()) }) {
		return fmt.Errorf("archive %s: the folder is neither empty nor an archive", a.dir)
	}
	if err := disk.MakeDir(a.disk, a.dir, 0o750); err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	// Who made it may have died before it was durable.
	if err := a.disk.SyncDir(filepath.Dir(a.dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	if err := a.mkdir(filepath.Join(a.dir, batchFolder)); err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	f, err := disk.Obtain(a.disk, filepath.Join(a.dir, readersFile), 0o640)
	if err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	f.Close()
	if err := disk.Replace(a.disk, path, []byte(formatText), 0o640); err != nil {
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	return nil
}

// mayHold tells whether a name may stand in a folder that is to become an
// archive: hidden ones, and what an Open that was interrupted leaves.
func mayHold(name string) bool {
	switch name {
	case "lost+found", serveFolder, batchFolder, lockFolder, readersFile, formatFile + disk.Part:
		return true
	}
	return strings.HasPrefix(name, ".")
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
	a.closeLease()
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
	f, err := disk.Obtain(a.disk, filepath.Join(a.dir, counterFile), 0o640)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if err := f.Lock(); err != nil {
		return 0, err
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
	return uint32(n), f.Sync()
}

// mkdir makes a folder below a root, durably. One that is there may
// be of a process that died before it was, so the first to use it makes sure.
func (a *Archive) mkdir(dir string) error {
	_, known := a.made.Load(dir)
	if _, err := a.disk.Stat(dir); known && err == nil || a.isRoot(dir) {
		return err
	}
	above := filepath.Dir(dir)
	if err := a.mkdir(above); err != nil {
		return err
	}
	if err := a.disk.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := a.disk.SyncDir(above); err != nil {
		return err
	}
	a.made.Store(dir, true)
	return nil
}

// syncDirs makes the names in folders durable.
func (a *Archive) syncDirs(dirs map[string]bool) error {
	for _, dir := range slices.Sorted(maps.Keys(dirs)) {
		if err := a.disk.SyncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// remove removes a file that may be gone already.
func (a *Archive) remove(path string) error { return disk.Remove(a.disk, path) }
