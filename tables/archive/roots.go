package archive

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// Packets may lie on other disks than all else: each folder for them is a root.
// The archive's own is number 0. Of each other one roots/<number>.root says where
// it is, so that names need no path: roots/2/packets/… is below the second. A file
// in the root has the same id. Where that file isn't, the disk is not mounted, or
// is another one: nothing of it is read, written, missed or cleared away then.
//
//	roots/2.root: "wiresql root 1\n" │ id │ "\n" │ path │ "\n"
//	ROOT:         "wiresql root 1\n" │ id │ "\n"

const (
	rootFolder = "roots"
	rootMark   = ".root"
	rootFile   = "ROOT"
	rootTitle  = "wiresql root 1\n"
	rootsLock  = "roots"
	maxRoots   = 100
	maxRoot    = 8 << 10 // bytes of one of these files
)

// root is a folder for packets.
type root struct {
	number int
	id     string
	path   string // absolute
	here   bool   // its disk is
	// leaving: it is being retired, and gets no new packets.
	leaving bool
}

// rootOf divides a path of the archive: the root it is in, and where below it.
func rootOf(rel string) (number int, below string) {
	if rest, ok := strings.CutPrefix(rel, rootFolder+"/"); ok {
		name, below, _ := strings.Cut(rest, "/")
		if n, err := strconv.ParseUint(name, 10, 16); err == nil && n > 0 && below != "" {
			return int(n), below
		}
	}
	return 0, rel
}

// Root is the number of the root a segment lies in.
func (s *SegmentInfo) Root() int {
	if s.InPlace {
		return 0
	}
	n, _ := rootOf(s.Path)
	return n
}

// at is where a file is that is named relative to the archive.
func (a *Archive) at(rel string) string {
	n, below := rootOf(rel)
	if n == 0 {
		return filepath.Join(a.dir, rel)
	}
	if r, ok := a.root(n); ok {
		return filepath.Join(r.path, below)
	}
	return filepath.Join(a.dir, rel) // where nothing is
}

// away tells whether a file's root is not here.
func (a *Archive) away(rel string) bool {
	n, _ := rootOf(rel)
	if n == 0 {
		return false
	}
	r, ok := a.root(n)
	return !ok || !a.here(r)
}

// root is one by its number, wherever it is.
func (a *Archive) root(n int) (r root, ok bool) {
	a.rootMu.Lock()
	r, ok = a.known[n]
	a.rootMu.Unlock()
	if ok {
		return r, true
	}
	for _, r := range a.roots() {
		if r.number == n {
			return r, true
		}
	}
	return root{}, false
}

// leaves tells whether a file's root is being retired.
func (a *Archive) leaves(rel string) bool {
	n, _ := rootOf(rel)
	return n > 0 && slices.ContainsFunc(a.roots(), func(r root) bool { return r.number == n && r.leaving })
}

// here tells whether a root's disk is.
func (a *Archive) here(r root) bool {
	id, _, err := a.readRoot(filepath.Join(r.path, rootFile))
	return err == nil && id == r.id
}

// ErrAway is wrapped by errors about files whose disk is not there, or is left.
var ErrAway = fmt.Errorf("the disk it lies on is not there: %w", fs.ErrNotExist)

// roots are all but the archive's own, as they are now.
func (a *Archive) roots() (list []root) {
	changed := a.changedAt(filepath.Join(a.dir, rootFolder))
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	// Those that were known stay so if they can't be read.
	if !changed.Equal(a.rootsChanged) || time.Since(changed) < settled {
		if a.readRoots() == nil {
			a.rootsChanged = changed
		}
	}
	for _, r := range a.known {
		r.here = a.here(r)
		list = append(list, r)
	}
	slices.SortFunc(list, func(x, y root) int { return cmp.Compare(x.number, y.number) })
	return list
}

// readRoots reads which there are. The caller holds a.rootMu.
func (a *Archive) readRoots() error {
	dir := filepath.Join(a.dir, rootFolder)
	entries, err := a.disk.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known, retired, leaving := map[int]root{}, map[int]string{}, map[int]bool{}
	for _, e := range entries {
		mark := filepath.Ext(e.Name())
		n, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), mark), 10, 16)
		if mark == leavingMark && err == nil {
			leaving[int(n)] = true
		}
		if mark != rootMark && mark != retiredMark || err != nil || n == 0 || len(known) >= maxRoots {
			continue
		}
		id, path, err := a.readRoot(filepath.Join(dir, e.Name()))
		if err == nil && !filepath.IsAbs(path) {
			err = fmt.Errorf("root %d is not at an absolute path: %q", n, path)
		}
		if err != nil {
			return err
		}
		if mark == retiredMark {
			retired[int(n)] = path
			continue
		}
		known[int(n)] = root{number: int(n), id: id, path: path}
	}
	for n, r := range known {
		r.leaving = leaving[n]
		known[n] = r
	}
	a.known, a.retired = known, retired
	return nil
}

// readRoot reads one of the two files about a root.
func (a *Archive) readRoot(path string) (id, at string, err error) {
	b, err := disk.ReadFile(a.disk, path, maxRoot)
	if err != nil {
		return "", "", err
	}
	text, ok := strings.CutPrefix(string(b), rootTitle)
	id, at, whole := strings.Cut(text, "\n")
	if !ok || !whole || len(id) != 32 {
		return "", "", fmt.Errorf("%s is not as it was written", path)
	}
	return id, strings.TrimSuffix(at, "\n"), nil
}

// addRoots makes roots of folders that are none yet.
func (a *Archive) addRoots(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	lock, err := a.waitLock(rootsLock)
	if err != nil {
		return err
	}
	defer lock.Close()
	for _, path := range paths {
		if path, err = filepath.Abs(path); err == nil {
			err = a.addRoot(path)
		}
		if err != nil {
			return fmt.Errorf("root %s: %w", path, err)
		}
	}
	return nil
}

func (a *Archive) addRoot(path string) error {
	if path == a.dir {
		return nil
	}
	if strings.HasPrefix(path, a.dir+"/") || strings.Contains(path, "\n") {
		return errors.New("it lies within the archive")
	}
	a.rootMu.Lock()
	err := a.readRoots()
	a.rootMu.Unlock()
	if err != nil {
		return err
	}
	retired := false
	known, number := a.roots(), 1
	for _, r := range known {
		number = max(number, r.number+1)
	}
	a.rootMu.Lock()
	for n, p := range a.retired {
		number, retired = max(number, n+1), retired || p == path
	}
	a.rootMu.Unlock()
	if retired {
		a.log.Warn("no packets are written to this root, since it was retired: to use its disk again, name another folder there", "root", path)
		return nil
	}
	id, _, err := a.readRoot(filepath.Join(path, rootFile))
	if failed(err) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if i := slices.IndexFunc(known, func(r root) bool { return r.id == id }); err == nil && i >= 0 {
		if known[i].leaving {
			a.log.Warn("no packets are written to this root: it is being retired", "root", path)
		}
		if known[i].path == path {
			return nil
		}
		number = known[i].number // it is mounted elsewhere now
		a.log.Info("a root is elsewhere", "root", number, "was", known[i].path, "is", path)
		return a.writeRoot(number, id, path)
	}
	if slices.ContainsFunc(known, func(r root) bool { return r.path == path }) {
		a.log.Warn("packets of this root can't be read, and none are written there: its disk is not mounted, or another one is", "root", path)
		return nil
	}
	// Of one that was being made there is the file alone, with an id nobody knows.
	entries, err := a.disk.ReadDir(path)
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return e.Name() != rootFile && e.Name() != rootFile+disk.Part && e.Name() != "lost+found" && !strings.HasPrefix(e.Name(), ".")
	}) {
		return errors.New("the folder is neither empty nor a root of this archive")
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if number > maxRoots {
		return fmt.Errorf("an archive has no more than %d roots", maxRoots)
	}
	if err := disk.MakeDir(a.disk, path, 0o750); err != nil {
		return err
	}
	// Who made it may have died before it was durable, as for what is above it.
	for dir := path; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if err := a.disk.SyncDir(filepath.Dir(dir)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	id = hex.EncodeToString(random[:])
	if err := disk.Replace(a.disk, filepath.Join(path, rootFile), []byte(rootTitle+id+"\n"), 0o640); err != nil {
		return err
	}
	return a.writeRoot(number, id, path)
}

func (a *Archive) writeRoot(number int, id, path string) error {
	dir := filepath.Join(a.dir, rootFolder)
	if err := a.mkdir(dir); err != nil {
		return err
	}
	return disk.Replace(a.disk, filepath.Join(dir, strconv.Itoa(number)+rootMark), []byte(rootTitle+id+"\n"+path+"\n"), 0o640)
}

// isRoot tells whether a folder is that of a root.
func (a *Archive) isRoot(dir string) bool {
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	for _, r := range a.known {
		if r.path == dir {
			return true
		}
	}
	return dir == a.dir
}

// missingRoots says which roots are not here.
func missingRoots(roots []root) (out []Damage) {
	for _, r := range roots {
		if !r.here {
			out = append(out, packetDamage(filepath.Join(rootFolder, strconv.Itoa(r.number)), fmt.Sprintf("the disk at %s is not there, or is another one", r.path), false))
		}
	}
	return out
}

// OfRoot tells whether a disk is missing: what was on it has packet_status missing.
func (d *Damage) OfRoot() bool { return filepath.Dir(d.File) == rootFolder }

// Root is a folder that packets lie in. Of one whose disk is not there, Segments,
// Bytes and Oldest are what there was when it was last.
type Root struct {
	Number int    `json:"root"` // 0 is the archive's own folder
	Path   string `json:"path"`
	State  string `json:"state"` // StateAvailable, StateMissing, StateFailing, or StateLeaving
	// Segments have Bytes, the first of their packets is of Oldest.
	Segments int         `json:"segments"`
	Bytes    int64       `json:"bytes"`
	Oldest   tables.Time `json:"oldest"`
	// Size and Free are of its disk.
	Size int64 `json:"size"`
	Free int64 `json:"free"`
	// Failing says why, of one that can be read and was last not written to.
	Failing *Failing `json:"failing,omitempty"`
}

// Roots lists the folders that packets lie in, or may.
func (a *Archive) Roots() ([]Root, error) {
	c, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	out, place := []Root{{Path: a.dir, State: StateAvailable}}, map[int]int{}
	for _, r := range a.roots() {
		place[r.number] = len(out)
		out = append(out, Root{Number: r.number, Path: r.path, State: StateMissing})
		if r.here && r.leaving {
			out[len(out)-1].State = StateLeaving
		} else if r.here {
			out[len(out)-1].State = StateAvailable
		}
	}
	for i := range c.segments {
		s := &c.segments[i]
		n, _ := rootOf(s.Path)
		at, known := place[n]
		if s.InPlace || s.Evicted != nil || n > 0 && !known {
			continue
		}
		r := &out[at]
		r.Segments++
		r.Bytes += s.Bytes
		if s.TS.Set && (r.Oldest == 0 || s.TS.V < r.Oldest) {
			r.Oldest = s.TS.V
		}
	}
	for i := range out {
		if r := &out[i]; r.State != StateMissing {
			if f, ok := a.fails(r.Number); ok && r.Number > 0 && r.State == StateAvailable {
				r.State, r.Failing = StateFailing, &f
			}
			if r.Size, r.Free, err = a.disk.Space(r.Path); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// volume is a disk that packets lie on.
type volume struct {
	roots map[int]bool // its, by number: 0 has all rows, too
	free  int64        // bytes, those included that are on their way out
	need  int64        // bytes about to be written
	takes bool         // new packets go there
	// leaves are those of its roots that are being retired.
	leaves map[int]bool
}

// volumes are the disks that are there. So many bytes are about to be written to a
// root.
func (a *Archive) volumes(r *Retention, need int64, to int) (out []volume, err error) {
	leaving := a.leaving()
	targets := a.targets(r.Roots)
	devices := map[uint64]int{}
	for _, one := range append([]root{{path: a.dir, here: true}}, a.roots()...) {
		if !one.here {
			continue
		}
		st, err := a.disk.Stat(one.path)
		var free int64
		if err == nil {
			_, free, err = a.disk.Space(one.path)
		}
		if err != nil {
			if one.number == 0 {
				return nil, err
			}
			continue // it goes
		}
		device := uint64(0)
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			device = uint64(sys.Dev)
		}
		at, known := devices[device]
		if !known {
			at = len(out)
			devices[device] = at
			out = append(out, volume{roots: map[int]bool{}, leaves: map[int]bool{}, free: free})
		}
		v := &out[at]
		v.roots[one.number], v.leaves[one.number] = true, one.leaving
		v.free += leaving[one.number]
		v.takes = v.takes || slices.Contains(targets, one.number)
		if one.number == to {
			v.need = need
		}
	}
	return out, nil
}

// targets are the numbers of the roots that new packets go to, of which none is
// being retired.
func (a *Archive) targets(paths []string) (numbers []int) {
	if len(paths) == 0 {
		return []int{0}
	}
	known := append([]root{{path: a.dir}}, a.roots()...)
	for _, path := range paths {
		path, _ = filepath.Abs(path) // else it is none of them
		for _, r := range known {
			if r.path == path && !r.leaving {
				numbers = append(numbers, r.number)
			}
		}
	}
	return numbers
}

// newSegment claims a number for a segment, and says where its file is to be,
// relative to the archive; room was made for it.
func (a *Archive) newSegment(sensor string, began time.Time) (number uint32, rel string, err error) {
	to, err := a.roomiest(-1)
	if err != nil {
		return 0, "", err
	}
	a.makeRoom(a.o.SegmentBytes, to)
	if number, err = a.claimSegment(); err != nil {
		return 0, "", err
	}
	return number, inRoot(to, filepath.Join(packets, folderName(sensor), began.Format(dayForm), fmt.Sprintf("%010d.pcap", number))), nil
}

// inRoot is the path, relative to the archive, of what lies in a root.
func inRoot(number int, below string) string {
	if number == 0 {
		return below
	}
	return filepath.Join(rootFolder, strconv.Itoa(number), below)
}

// roomiest is the root that the next segment goes to: the one that may still take
// most. When all are full, it is the one with the oldest packets that may go: so
// those on all disks last as long. It is not the one that is left out, if there is
// another; -1 leaves out none.
func (a *Archive) roomiest(but int) (int, error) {
	r := a.o.Retention
	if r == nil || len(r.Roots) == 0 {
		return 0, nil
	}
	roots := a.roots()
	targets := slices.DeleteFunc(a.targets(r.Roots), func(n int) bool {
		return n > 0 && !slices.ContainsFunc(roots, func(r root) bool { return r.number == n && r.here })
	})
	for _, leave := range []func(int) bool{a.left, func(n int) bool { return n == but }} {
		if whole := slices.DeleteFunc(slices.Clone(targets), leave); len(whole) > 0 {
			targets = whole
		}
	}
	switch len(targets) {
	case 0:
		return 0, fmt.Errorf("none of the disks for packets is there: %s", strings.Join(r.Roots, ", "))
	case 1:
		return targets[0], nil
	}
	c, err := a.Catalog()
	if err != nil {
		return 0, err
	}
	room, oldest, err := a.rooms(c)
	if err != nil {
		return 0, err
	}
	best := slices.MaxFunc(targets, func(x, y int) int { return cmp.Compare(room(x), room(y)) })
	if room(best) < a.o.SegmentBytes {
		full := slices.MinFunc(targets, func(x, y int) int { return cmp.Compare(oldest(x), oldest(y)) })
		if oldest(full) < tables.OpenEnd {
			best = full
		}
	}
	return best, nil
}

// rooms tells how many more bytes of packets a root may take, and when the oldest
// came that may go from it.
func (a *Archive) rooms(c *Catalog) (room func(int) int64, oldest func(int) tables.Time, err error) {
	r := a.o.Retention
	disks, err := a.volumes(r, 0, 0)
	if err != nil {
		return nil, nil, err
	}
	pins, err := a.pinned()
	if err != nil {
		return nil, nil, err
	}
	taken, first := map[int]int64{}, map[int]tables.Time{}
	for i := range c.segments {
		s := &c.segments[i]
		n, _ := rootOf(s.Path)
		if s.InPlace || s.State != StateAvailable {
			continue
		}
		taken[n] += s.Bytes
		if at, known := first[n]; c.spent(s, pins) && (!known || s.rows.Origin.Last < at) {
			first[n] = s.rows.Origin.Last
		}
	}
	room = func(n int) int64 {
		for _, v := range disks {
			if v.roots[n] {
				// Of roots on one disk the one that has less.
				return v.most(r, taken, c) - taken[n]
			}
		}
		return math.MinInt64
	}
	return room, func(n int) tables.Time {
		if at, ok := first[n]; ok {
			return at
		}
		return tables.OpenEnd
	}, nil
}

// of is how many bytes of packets a disk has.
func (v *volume) of(taken map[int]int64) (n int64) {
	for root := range v.roots {
		n += taken[root]
	}
	return n
}

// most is how many bytes of packets a disk may have.
func (v *volume) most(r *Retention, taken map[int]int64, c *Catalog) int64 {
	of := v.of(taken)
	has, room := v.free+of, max(0, v.free-r.DiskFree)+of
	if v.roots[0] {
		for _, f := range tables.Families {
			if !f.Kept && f.Of == "" {
				for _, file := range c.files[Family(f.Name)] {
					has += file.Bytes
				}
			}
		}
	}
	if r.PacketsShare > 0 {
		room = min(room, has/100*int64(min(r.PacketsShare, 100)))
	}
	return room
}
