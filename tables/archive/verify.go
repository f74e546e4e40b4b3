package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Verified counts what Verify read.
type Verified struct {
	// Row files that count, how many of them earlier versions wrote, without
	// checksums of all bytes, and how many no ledger names.
	Files    int64 `json:"row_files"`
	Bytes    int64 `json:"row_bytes"`
	Older    int64 `json:"row_files_without_checksums"`
	Unlisted int64 `json:"row_files_in_no_ledger"`
	// Packet segments of the archive's own, and those without checksums.
	Segments      int64 `json:"packet_files"`
	SegmentBytes  int64 `json:"packet_bytes"`
	OlderSegments int64 `json:"packet_files_without_checksums"`
	// Captures in place, and those without checksums, of which size, time and
	// both ends are compared.
	InPlace      int64 `json:"captures_in_place"`
	OlderInPlace int64 `json:"captures_in_place_without_checksums"`
	Ledgers      int64 `json:"ledgers"`
	Wrong        int64 `json:"wrong"` // things that were found
}

// verifying is a Verify under way.
type verifying struct {
	*Archive
	ctx   context.Context
	found func(Damage)
	roots []root
	told  map[string]bool // of files, or of reasons where there is no file
	done  map[string]bool // row files by their lasting names, segments by their paths
	gone  map[string]bool // paths where nothing was, though they had been listed
	again bool            // something was gone
	pace  func(int) error // waits until so many bytes may be read; nil: at once
	sum   Verified
}

func (a *Archive) verifying(ctx context.Context, found func(Damage)) *verifying {
	return &verifying{Archive: a, ctx: ctx, found: found, roots: a.roots(), told: map[string]bool{}, done: map[string]bool{}, gone: map[string]bool{}}
}

// Verify reads all row files, segments and ledgers of an archive and compares
// them with their checksums and with what was recorded of them;
// found is called once for each file of which something is wrong. It writes
// nothing, and others may write meanwhile: files that are merged are read as what
// became of them. An error says why it could not go on.
func (a *Archive) Verify(ctx context.Context, found func(Damage)) (Verified, error) {
	v := a.verifying(ctx, found)
	v.ledgerFiles()
	// In this order: a segment is of an open batch before there is its file, and
	// in the catalogue before its batch is not open any more.
	there, err := v.packetFiles(filepath.Join(a.dir, packets), 0)
	for _, r := range v.roots {
		if err == nil && r.here {
			var more []string
			more, err = v.packetFiles(filepath.Join(r.path, packets), 0)
			there = append(there, more...)
		}
	}
	if err != nil {
		return v.sum, err
	}
	open, err := v.openSegments()
	if err != nil {
		return v.sum, err
	}
	var c *Catalog
	for v.again = true; v.again; {
		v.again = false
		a.Refresh()
		if c, err = a.Catalog(); err != nil {
			return v.sum, err
		}
		for _, d := range c.Damage() {
			v.tell(d)
		}
		for _, family := range allFamilies {
			for _, f := range c.Files(family) {
				if err := v.rowFile(f); err != nil {
					return v.sum, err
				}
			}
		}
		for i := range c.segments {
			if err := v.segment(c, &c.segments[i]); err != nil {
				return v.sum, err
			}
		}
	}
	notes := a.Notebook()
	if err := notes.Follow(func(bool, []byte) {}); err != nil {
		return v.sum, err
	}
	for _, d := range notes.Damage() {
		v.tell(d)
	}
	// Where rows of segments are missing, nobody knows whose the others are.
	known := !slices.ContainsFunc(c.damage, func(d Damage) bool { return d.Family == Segments })
	for _, path := range there {
		if rel := v.relative(path); known && !v.done[path] && !open[rel] && a.exists(path) {
			v.tell(packetDamage(rel, "it belongs to no segment", true))
		}
	}
	return v.sum, nil
}

// tell hands over what is wrong, once.
func (v *verifying) tell(d Damage) {
	d.File = v.relative(d.File)
	key := d.File
	if key == "" {
		key = d.Reason
	}
	if !v.told[key] {
		v.told[key] = true
		v.sum.Wrong++
		v.found(d)
	}
}

// relative is a path below the archive as seen from there.
func (v *verifying) relative(path string) string {
	for _, r := range v.roots {
		if below, ok := strings.CutPrefix(path, r.path+"/"); ok {
			return filepath.Join(rootFolder, strconv.Itoa(r.number), below)
		}
	}
	return strings.TrimPrefix(path, v.dir+string(filepath.Separator))
}

// packetDamage is damage of a file of packets.
func packetDamage(file, reason string, stray bool) Damage {
	return Damage{Family: packets, File: file, Reason: reason, From: minTime, To: tables.OpenEnd, Rows: -1, Stray: stray}
}

// missed tells whether an error means that a file has to be looked for once
// more: what a merge replaced is not listed then.
func (v *verifying) missed(path string, err error) bool {
	if !errors.Is(err, fs.ErrNotExist) || v.gone[path] {
		return false
	}
	v.gone[path], v.again = true, true
	return true
}

// transient tells whether an error is the system's and may not come again; that
// the disk can't read is none of these.
func transient(err error) bool {
	return failed(err) && !errors.Is(err, syscall.EIO) && !errors.Is(err, fs.ErrNotExist)
}

// wrongWith says what an error about a file means.
func wrongWith(path string, err error) string {
	if errors.Is(err, fs.ErrNotExist) {
		return "the file is gone"
	}
	return reasonOf(err, path)
}

func (v *verifying) rowFile(f File) error {
	base := f.name()
	if v.done[base] {
		return nil
	}
	if v.pace != nil {
		f.Disk = pacedDisk{v.disk, v.pace}
	}
	got, err := rows.Verify(v.ctx, f.File)
	if v.ctx.Err() != nil {
		return v.ctx.Err()
	}
	if v.missed(f.Path, err) {
		return nil
	}
	v.done[base] = true
	if got.Bytes > 0 {
		v.sum.Files++
		v.sum.Bytes += got.Bytes
	}
	if got.Older {
		v.sum.Older++
	}
	v.listMu.Lock()
	_, listed := v.ledgers.known[f.Family][base]
	v.listMu.Unlock()
	if !listed {
		v.sum.Unlisted++
	}
	if err != nil {
		d := damageOf(&f, f.Path, wrongWith(f.Path, err))
		d.Rows, d.again = f.Rows, transient(err)
		v.tell(d)
	}
	return nil
}

func (v *verifying) segment(c *Catalog, s *SegmentInfo) error {
	if s.Evicted != nil || !s.InPlace && v.away(s.Path) { // its file goes when nobody reads it; of a root that is missing it is said once
		v.done[s.AbsPath] = true
	}
	if v.done[s.AbsPath] {
		return nil
	}
	err := v.packets(c, s)
	if v.ctx.Err() != nil {
		return v.ctx.Err()
	}
	if v.missed(s.AbsPath, err) {
		return nil
	}
	v.done[s.AbsPath] = true
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case s.InPlace:
		v.sum.InPlace++
	default:
		v.sum.Segments++
		v.sum.SegmentBytes += s.Bytes
	}
	if err != nil {
		d := packetDamage(s.Path, wrongWith(s.AbsPath, err), false)
		if s.TS.Set && s.TSEnd.Set {
			d.From, d.To = s.TS.V, s.TSEnd.V
		}
		d.again = transient(err)
		v.tell(d)
	}
	return nil
}

// CheckPackets reads a segment's file and tells what of it is not as it was written.
func (a *Archive) CheckPackets(ctx context.Context, c *Catalog, s *SegmentInfo) error {
	return a.verifying(ctx, nil).packets(c, s)
}

// packets reads a segment's file.
func (v *verifying) packets(c *Catalog, s *SegmentInfo) error {
	file, err := v.openSegment(s)
	if err != nil {
		return err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return err
	}
	if s.Open {
		return v.Walk(v.ctx, c, s.Number(), func(*pcap.Record) error { return nil })
	}
	if st.Size() != s.Bytes {
		return fmt.Errorf("it has %d bytes, of %d that were written", st.Size(), s.Bytes)
	}
	table, err := readPacketTable(s, true)
	if err != nil || table == nil || v.told[v.relative(s.rows.Path)] { // of a damaged row nothing is believed
		if s.InPlace {
			v.sum.OlderInPlace++
			return nil
		}
		v.sum.OlderSegments++
		return v.Walk(v.ctx, c, s.Number(), func(r *pcap.Record) error {
			if v.pace == nil {
				return nil
			}
			return v.pace(pcap.RecordHeader + len(r.Data))
		})
	}
	file.Advise(0, 0, disk.Sequential)
	if v.pace != nil {
		file = pacedFile{file, v.pace}
	}
	return table.Scan(v.ctx, file)
}

// packetFiles lists the files in the folders of packets.
func (v *verifying) packetFiles(dir string, depth int) (list []string, err error) {
	entries, err := v.disk.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case !e.IsDir():
			list = append(list, path)
		case depth < maxDepth:
			below, err := v.packetFiles(path, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, below...)
		}
	}
	return list, nil
}

// openSegments are the files of packets that batches have named which are not
// committed, or were not cleared away.
func (v *verifying) openSegments() (map[string]bool, error) {
	dir := filepath.Join(v.dir, batchFolder)
	entries, err := v.disk.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	open := map[string]bool{}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), openMark) {
			continue
		}
		b, err := disk.ReadFile(v.disk, filepath.Join(dir, e.Name()), maxIntent)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			open[line], open[line+disk.Part] = true, true
		}
	}
	logs, err := readJournals(v.disk, filepath.Join(v.dir, logFolder), nil)
	for _, j := range logs {
		open[j.Path] = true
	}
	return open, err
}

// ledgerFiles reads the ledgers: a line that is damaged says nothing, so that
// nobody would miss its file.
func (v *verifying) ledgerFiles() {
	dir := filepath.Join(v.dir, stateFolder)
	entries, err := v.disk.ReadDir(dir)
	if err != nil {
		return // there are none
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ledgerMark) {
			continue
		}
		v.sum.Ledgers++
		path := filepath.Join(dir, e.Name())
		if reason := v.ledgerFile(path); reason != "" {
			v.tell(Damage{File: path, Reason: reason, From: minTime, To: tables.OpenEnd, Rows: -1, Stray: true})
		}
	}
}

func (v *verifying) ledgerFile(path string) (wrong string) {
	b, err := disk.ReadFile(v.disk, path, maxLedger)
	if err != nil {
		return reasonOf(err, path)
	}
	text := string(b)
	if len(text) < ledgerHead || !strings.HasPrefix(text, ledgerTitle) || text[ledgerHead-1] != '\n' {
		return "at byte 0: it does not begin as a ledger does"
	}
	at := ledgerHead
	for line := range strings.Lines(text[at:]) {
		entry, whole := strings.CutSuffix(line, "\n")
		if !whole {
			if st, err := v.disk.Stat(path); err == nil && time.Since(st.ModTime()) < settled {
				break // it may still be growing
			}
		}
		if _, ok := parseEntry(entry); !ok || !whole {
			return fmt.Sprintf("at byte %d: a line is not as it was written", at)
		}
		at += len(line)
	}
	return ""
}
