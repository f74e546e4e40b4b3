package archive

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// ScrubOptions say how often and how fast files are read.
type ScrubOptions struct {
	// Every is the time from the beginning of a round to that of the next.
	Every time.Duration
	// Rate is how many bytes are read in a second; 0: as the disk gives them.
	Rate int64
}

// Scrubbed is how far the reading of all files is: state/scrub, a line with a
// checksum of the rest, which is this as JSON. Lost, it is begun anew.
type Scrubbed struct {
	// Began is when the last round began, Ended when it had read all files, 0
	// before, and Whole when the last one did that ended.
	Began, Ended, Whole tables.Time
	// At is the last file that was read in this round, as scrubItems names it.
	At           string
	Files, Bytes int64 // read in this round
	// Boot is what the system's start was called while a scrubber runs; "" once
	// it ended as it should.
	Boot  string
	Found []Finding
}

// Finding is damage that was found in a file which is the same since.
type Finding struct {
	Family Family
	File   string // relative to the archive; of captures in place, absolute
	Reason string
	From   tables.Time
	To     tables.Time
	Stray  bool
	// Which file it was: its size, when it was changed (nanoseconds since 1970)
	// and its number.
	Size, Changed int64
	Inode         uint64
}

const (
	scrubWriter = "scrub"
	scrubFile   = "scrub" // within the folder of state
	scrubTitle  = "wiresql scrub "
	maxScrub    = 16 << 20
	// maxFindings bounds what is kept of what was found; all of it is logged.
	maxFindings = 4096
	// scrubSaves is how often the place is put down, scrubLooks how often it is
	// looked whether a round is due.
	scrubSaves = 30 * time.Second
	scrubLooks = time.Minute
)

// bootFile tells one start of the system from the others.
const bootFile = "/proc/sys/kernel/random/boot_id"

// bootID is "" where nothing tells it.
func bootID() string {
	b, err := disk.ReadFile(disk.Real{}, bootFile, 100)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// scrubber is a Scrub under way.
type scrubber struct {
	*Archive
	o     ScrubOptions
	boot  string
	state Scrubbed
	saved time.Time
	ready time.Time // when more may be read
}

// Scrub reads the archive's files in rounds, each once, until ctx ends, and puts
// down what is not as it was written: who reads the archive leaves it out and
// says so. It goes on where the last one was; after a power failure it begins
// anew. ErrLocked is what a second one gets.
func (a *Archive) Scrub(ctx context.Context, o ScrubOptions) error {
	return a.scrub(ctx, o, bootID())
}

func (a *Archive) scrub(ctx context.Context, o ScrubOptions, boot string) (err error) {
	if err := a.Lock(scrubWriter); err != nil {
		return err
	}
	defer a.Unlock(scrubWriter)
	if err := a.mkdir(filepath.Join(a.dir, stateFolder)); err != nil {
		return err
	}
	s := scrubber{Archive: a, o: o, boot: boot}
	s.state, _ = readScrubbed(a.disk, a.scrubPath()) // one that is damaged says nothing
	unclean := s.state.Boot != "" && s.state.Boot != boot
	s.state.Boot = boot
	if unclean {
		s.begin("after an unclean stop")
	}
	s.save()
	defer func() {
		s.state.Boot = "" // what a power failure takes from here on is others'
		s.save()
	}()
	for {
		now := tables.Time(time.Now().UnixMicro())
		if s.state.Ended != 0 && (now-s.state.Began >= tables.Time(o.Every.Microseconds()) || s.state.Began > now) || s.state.Began == 0 {
			s.begin("due")
		}
		if s.state.Ended == 0 {
			if err := s.round(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("scrub", "error", err) // tried again later, from there on
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(scrubLooks, o.Every)):
		}
	}
}

func (s *scrubber) begin(why string) {
	s.log.Info("scrub begins", "why", why)
	s.state.Began, s.state.Ended, s.state.At = tables.Time(time.Now().UnixMicro()), 0, ""
	s.state.Files, s.state.Bytes = 0, 0
}

// scrubItem is a file to be read.
type scrubItem struct {
	name    string
	rows    *File
	segment *SegmentInfo
}

// scrubItems are the files of a catalogue in an order that stays when others
// come.
func scrubItems(c *Catalog) (list []scrubItem) {
	for _, family := range allFamilies {
		files := c.Files(family)
		for i := range files {
			list = append(list, scrubItem{name: files[i].name(), rows: &files[i]})
		}
	}
	for i := range c.segments {
		s := &c.segments[i]
		if s.State == StateAvailable {
			list = append(list, scrubItem{name: fmt.Sprintf("%s-%010d", packets, s.Number()), segment: s})
		}
	}
	slices.SortFunc(list, func(x, y scrubItem) int { return strings.Compare(x.name, y.name) })
	return list
}

// round reads what is left of a round. What comes meanwhile, the next one reads;
// what a merge replaced was read by it.
func (s *scrubber) round(ctx context.Context) error {
	c, err := s.Catalog()
	if err != nil {
		return err
	}
	v := s.Archive.verifying(ctx, s.found)
	v.pace = func(n int) error { return s.pace(ctx, n) }
	for _, item := range scrubItems(c) {
		if item.name <= s.state.At {
			continue
		}
		if item.rows != nil {
			err = v.rowFile(*item.rows)
		} else {
			err = v.segment(c, item.segment)
		}
		if err != nil {
			return err
		}
		s.state.At = item.name
		s.state.Files++
		if time.Since(s.saved) >= scrubSaves {
			s.save()
		}
	}
	v.ledgerFiles()
	s.state.Ended = tables.Time(time.Now().UnixMicro())
	s.state.Whole = s.state.Ended
	s.save()
	s.log.Info("scrub ends", "files", s.state.Files, "bytes", s.state.Bytes, "damaged", len(s.state.Found))
	return nil
}

// pace waits until so many more bytes may be read.
func (s *scrubber) pace(ctx context.Context, n int) error {
	s.state.Bytes += int64(n)
	if s.o.Rate <= 0 {
		return ctx.Err()
	}
	now := time.Now()
	if s.ready.Before(now) {
		s.ready = now
	}
	s.ready = s.ready.Add(time.Duration(float64(n) / float64(s.o.Rate) * float64(time.Second)))
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(s.ready)):
		return nil
	}
}

// found puts damage down at once.
func (s *scrubber) found(d Damage) {
	f := Finding{Family: d.Family, File: d.File, Reason: d.Reason, From: d.From, To: d.To, Stray: d.Stray}
	st, err := s.disk.Stat(s.below(d.File))
	if err != nil || d.again {
		s.log.Warn("scrub", "file", d.File, "error", d.Reason) // gone, which is seen otherwise, or the system's error
		return
	}
	f.Size, f.Changed, f.Inode = whichFile(st)
	if !slices.Contains(s.state.Found, f) {
		s.state.Found = append(s.state.Found, f)
	}
	s.save()
	_, _ = s.Catalog() // which tells of it in the log
}

// below is a path as it is in the archive; absolute ones stay.
func (a *Archive) below(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return a.at(path)
}

// save puts down where the round is.
func (s *scrubber) save() {
	s.state.Found = slices.DeleteFunc(s.state.Found, func(f Finding) bool { return !s.holds(f) })
	s.state.Found = s.state.Found[:min(len(s.state.Found), maxFindings)]
	s.saved = time.Now()
	text, err := json.Marshal(s.state)
	if err == nil {
		err = disk.Replace(s.disk, s.scrubPath(), fmt.Appendf(nil, "%s%08x\n%s\n", scrubTitle, sums.Of(append(text, '\n')), text), 0o640)
	}
	if err != nil {
		s.log.Warn("scrub", "file", s.scrubPath(), "error", err)
	}
}

func (a *Archive) scrubPath() string { return filepath.Join(a.dir, stateFolder, scrubFile) }

// Scrubbed tells how far the scrubber of an archive is; false when none ran.
func (a *Archive) Scrubbed() (Scrubbed, bool) { return readScrubbed(a.disk, a.scrubPath()) }

func readScrubbed(d disk.Disk, path string) (s Scrubbed, ok bool) {
	b, err := disk.ReadFile(d, path, maxScrub)
	if err != nil {
		return s, false
	}
	head, text, _ := strings.Cut(string(b), "\n")
	if head != fmt.Sprintf("%s%08x", scrubTitle, sums.Of([]byte(text))) || json.Unmarshal([]byte(text), &s) != nil {
		return Scrubbed{}, false
	}
	return s, true
}

// findings are what a scrubber found, as it was last read.
type findings struct {
	changed time.Time
	list    []Finding
	of      map[string]*Finding // of row files, by their lasting names
	serial  uint64              // how often they changed
}

// update reads them if they changed.
func (f *findings) update(d disk.Disk, path string) {
	changed := time.Time{}
	if st, err := d.Stat(path); err == nil {
		changed = st.ModTime()
	}
	if changed.Equal(f.changed) && time.Since(changed) > settled {
		return
	}
	s, _ := readScrubbed(d, path)
	if f.changed = changed; slices.Equal(s.Found, f.list) {
		return
	}
	f.list, f.of = s.Found, map[string]*Finding{}
	f.serial++
	for i := range f.list {
		base, batch, _ := strings.Cut(filepath.Base(f.list[i].File), batchMark)
		if batch != "" {
			base += ".parquet"
		}
		f.of[base] = &f.list[i]
	}
}

// holds tells whether the file of a finding is still the one it was found in.
func (a *Archive) holds(f Finding) bool {
	path := a.below(f.File)
	st, err := a.disk.Stat(path)
	if base, _, ok := strings.Cut(path, batchMark); ok && err != nil {
		st, err = a.disk.Stat(base + ".parquet") // it got its lasting name since
	}
	if err != nil {
		return false
	}
	size, changed, inode := whichFile(st)
	return size == f.Size && changed == f.Changed && inode == f.Inode
}

func whichFile(st fs.FileInfo) (size, changed int64, inode uint64) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		inode = sys.Ino
	}
	return st.Size(), st.ModTime().UnixNano(), inode
}

// leaveOut marks the files that something was found in.
func (a *Archive) leaveOut(files []*listed, found map[string]*Finding) {
	if len(found) == 0 {
		return
	}
	for _, f := range files {
		of := found[f.base]
		if of == nil || f.foot == nil || f.foot.bad != "" || !a.holds(*of) {
			continue
		}
		st, _ := f.at().Stat(f.Path)
		foot := *f.foot
		foot.bad, foot.found = of.Reason, st
		f.foot = &foot
	}
}

// foundElsewhere is damage that was found in other files than those of rows.
func (a *Archive) foundElsewhere(list []Finding) (out []Damage) {
	for _, f := range list {
		if (f.Family == packets || f.Family == "") && a.holds(f) {
			out = append(out, Damage{Family: f.Family, File: f.File, Reason: f.Reason, From: f.From, To: f.To, Rows: -1, Stray: f.Stray})
		}
	}
	return out
}

// pacedDisk has files that are read at a pace.
type pacedDisk struct {
	disk.Disk
	pace func(int) error
}

func (d pacedDisk) Open(path string) (disk.File, error) {
	f, err := d.Disk.Open(path)
	if err != nil {
		return nil, err
	}
	return pacedFile{f, d.pace}, nil
}

type pacedFile struct {
	disk.File
	pace func(int) error
}

// ReadAt implements io.ReaderAt.
func (f pacedFile) ReadAt(b []byte, off int64) (int, error) {
	if err := f.pace(len(b)); err != nil {
		return 0, err
	}
	return f.File.ReadAt(b, off)
}
