package capture

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// ImportConfig says what Import does.
type ImportConfig struct {
	// Paths are capture files, and folders searched for them.
	Paths []string
	// InPlace indexes the files where they lie instead of copying their
	// packets. It takes no compressed files.
	InPlace bool
	// Sensor is the observer's name in all rows; empty means DefaultSensor.
	// Site is the conversation space; empty means the sensor's name if one was
	// given, else the common site.
	Sensor, Site string
	// BatchBytes is how much is committed at once; 0 means 4 GB. A batch ends
	// at the end of a file.
	BatchBytes int64
	// Progress, if not nil, is called a few times a second.
	Progress func(Progress)
	// Logger, if not nil, gets an event for each batch and each odd file.
	Logger *slog.Logger
	// Meter has the meter's timeouts and bounds; its Sensor and Site are
	// those above.
	Meter Config

	// Unobserved leaves all but flows out, to tell what observing costs.
	Unobserved bool
}

// DefaultSensor is the observer of an import that names none.
const DefaultSensor = "import"

const (
	batchBytes    = 4_000_000_000
	progressEvery = 200 * time.Millisecond
	// checkEvery packets the clock and the context are looked at.
	checkEvery = 4096
	// maxOffset is what a packet id can hold.
	maxOffset = 1 << 36
)

// Import meters capture files into the archive: one stream, sorted by the time
// of the first packets, in batches that are committed as a whole. Files whose
// content is known are left out. Files that can't be read are reported and
// left out; of a damaged one, everything before the damage is imported.
//
// An error means that the rest was not imported: the archive can't be written,
// or ctx ended. What Report counts is committed. The next Import of the same
// files goes on from there and gives the rows that one uninterrupted run would
// have given.
func Import(ctx context.Context, a *archive.Archive, cfg ImportConfig) (Report, error) {
	im := &importer{ctx: ctx, archive: a, cfg: cfg, start: time.Now()}
	err := im.run()
	im.report.Elapsed = time.Since(im.start)
	return im.report, err
}

// importer is the state of one Import.
type importer struct {
	ctx     context.Context
	archive *archive.Archive
	cfg     ImportConfig
	start   time.Time
	report  Report

	known   map[string]*tables.Import // by content id
	heads   map[string]bool           // of known files
	whole   []*tables.Import          // known files of which the head is not known
	newest  map[string]tables.Time    // streams: when their last batch was imported
	stream  string
	replays []*source // known files of the stream that was interrupted

	rows  *rowBuffers
	meter *Meter

	tx      *archive.Tx
	batch   []imported
	batchAt tables.Time
	cover   *coverage // of the file being imported
	filling int64     // bytes in the batch

	progress  Progress
	reported  time.Time
	baseBytes int64 // of the files before the one being read

	free chan *decoded
}

// imported is a file of the batch being filled.
type imported struct {
	row      tables.Import
	coverage []tables.Coverage
	report   FileReport
	stats    pcap.Stats
}

func (im *importer) run() error {
	if im.cfg.Sensor == "" {
		im.cfg.Sensor = DefaultSensor
	} else if im.cfg.Site == "" {
		im.cfg.Site = im.cfg.Sensor
	}
	if im.cfg.BatchBytes <= 0 {
		im.cfg.BatchBytes = batchBytes
	}
	if im.cfg.InPlace {
		im.cfg.Meter.Cutoffs = nil // the captures stay as they are
	}
	if im.cfg.Logger == nil {
		im.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	err := im.readKnown()
	if err != nil {
		return err
	}
	list := im.list()
	if im.rows, err = newRowBuffers(); err != nil {
		return err
	}
	im.free = make(chan *decoded, decodedAhead)
	for range decodedAhead {
		im.free <- new(decoded)
	}
	mc := im.cfg.Meter
	mc.Sensor, mc.Site = im.cfg.Sensor, im.cfg.Site
	observer := observe.New(im.rows)
	if im.cfg.Unobserved {
		observer = nil
	}
	im.meter = NewMeter(mc, im.rows, observer)
	defer func() {
		if im.tx != nil {
			im.rows.stop()
			im.tx.Abort()
		}
	}()

	next, rest, err := im.nextUnknown(list)
	if err != nil {
		return err
	}
	for next != nil {
		if err := im.replay(next); err != nil {
			return err
		}
		if err := im.file(next); err != nil {
			return err
		}
		done := next
		if next, rest, err = im.nextUnknown(rest); err != nil {
			return err
		}
		if next != nil && im.filling+next.size <= im.cfg.BatchBytes && len(im.replays) == 0 {
			continue
		}
		if im.tx == nil { // the file could not be opened, and the batch is empty
			continue
		}
		if next != nil {
			err = im.meter.Cut(next.first)
		} else {
			err = im.meter.Close()
		}
		if err != nil {
			return fmt.Errorf("import %s: %w", done.path, err)
		}
		if err := im.commit(next != nil); err != nil {
			return fmt.Errorf("import %s: %w", done.path, err)
		}
	}
	return nil
}

// list collects the files and puts them into the order of the stream.
func (im *importer) list() []*source {
	found := collect(im.cfg.Paths, im.archive.Dir())
	var list []*source
	for _, s := range found {
		s.probe()
		if s.err != nil {
			im.refuse(s, s.err)
			continue
		}
		list = append(list, s)
		im.progress.BytesTotal += s.size
	}
	im.progress.FilesTotal = len(found)
	inOrder(list)
	return list
}

func (im *importer) refuse(s *source, err error) {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", e.Path, e.Err) // the system call tells people nothing
	}
	im.cfg.Logger.Info("capture file refused", "file", s.path, "error", err)
	im.report.add(FileReport{Path: s.path, State: FileRefused, Err: err})
	im.progress.Files++
}

// readKnown reads which files were imported before, and which stream was
// interrupted.
func (im *importer) readKnown() error {
	im.known = make(map[string]*tables.Import)
	im.newest = make(map[string]tables.Time)
	im.heads = make(map[string]bool)
	list, err := Imports(im.archive)
	for i := range list {
		row := &list[i]
		if row.Sensor == "" {
			continue // imported for the export datagrams in it, not for its packets
		}
		im.know(row)
		im.newest[row.Stream] = max(im.newest[row.Stream], row.ImportedAt)
	}
	return err
}

// know takes note of a file that was imported.
func (im *importer) know(row *tables.Import) {
	im.known[row.ContentID] = row
	if row.HeadID != "" {
		im.heads[row.HeadID] = true
	} else {
		im.whole = append(im.whole, row)
	}
}

// mayBeKnown tells whether a file can have a content that is known: one of the
// known files begins as it does, or may.
func (im *importer) mayBeKnown(s *source) bool {
	first := tables.TimeOf(s.first)
	return im.heads[s.head] || slices.ContainsFunc(im.whole, func(row *tables.Import) bool {
		return !row.TS.Set || row.TS.V <= first && first <= row.TSEnd.V
	})
}

// Imports reads what was imported before, for its packets or, in rows without
// a sensor, for the export datagrams in it.
func Imports(a *archive.Archive) (list []tables.Import, err error) {
	c, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	for _, d := range c.Damage() {
		if d.Family == archive.Imports && !d.Stray {
			return nil, fmt.Errorf("what was imported is not known (%s: %s): import into another archive, or a capture may come in twice", d.File, d.Reason)
		}
	}
	for _, f := range c.Files(archive.Imports) {
		one, err := rows.ReadAll[tables.Import](f.File)
		if err != nil {
			return nil, err
		}
		list = append(list, one...)
	}
	return list, nil
}

// interrupted tells whether a known file belongs to a stream that was to go on
// when its last batch was committed.
func (im *importer) interrupted(row *tables.Import) bool {
	if row.Sensor != im.cfg.Sensor || row.Site != im.cfg.Site || row.Stream == "" {
		return false
	}
	for _, r := range im.known {
		if r.Stream == row.Stream && r.ImportedAt == im.newest[row.Stream] {
			return r.Unfinished.V
		}
	}
	return false
}

// nextUnknown skips the files whose content is known, and keeps those that an
// interrupted stream began with for a replay.
func (im *importer) nextUnknown(list []*source) (next *source, rest []*source, err error) {
	for i, s := range list {
		if err := im.ctx.Err(); err != nil {
			return nil, nil, err
		}
		if !im.mayBeKnown(s) {
			return s, list[i+1:], nil
		}
		im.progress.File, im.progress.Identifying = s.path, true
		im.tell(0, false)
		err := s.identify()
		im.progress.Identifying = false
		if err != nil {
			im.baseBytes += s.size
			im.refuse(s, err)
			continue
		}
		row := im.known[s.id]
		if row == nil {
			if im.heads[s.head] {
				s.ids = s.id // another began in the same way, and has ids of that
			}
			return s, list[i+1:], nil
		}
		s.ids = cmp.Or(row.HeadID, row.ContentID)
		if im.stream == "" && im.interrupted(row) {
			im.stream = row.Stream
		}
		if row.Stream != "" && row.Stream == im.stream && im.tx == nil {
			im.replays = append(im.replays, s)
		}
		im.cfg.Logger.Info("capture file is known", "file", s.path, "as", row.File)
		if im.cfg.InPlace {
			if moved, err := im.archive.Moved(s.path); err != nil {
				return nil, nil, fmt.Errorf("import %s: %w", s.path, err)
			} else if moved {
				im.cfg.Logger.Info("capture file is found again where it is now", "file", s.path, "as", row.File)
			}
		}
		known := FileReport{Path: s.path, State: FileKnown, Packets: row.Packets, NotDecoded: row.NotDecoded}
		if row.Sensor != im.cfg.Sensor || row.Site != im.cfg.Site {
			known.KnownAs = "the sensor " + row.Sensor
			if row.Site != "" {
				known.KnownAs += " of the site " + row.Site
			}
		}
		if row.Damage != "" {
			known.Err = &pcap.DamageError{File: s.path, Offset: row.DamageOffset.V, Reason: row.Damage}
		}
		im.report.add(known)
		im.baseBytes += s.size
		im.progress.Files++
	}
	return nil, nil, nil
}

// replay meters known files again, writing nothing, so that the conversations
// of an interrupted import go on as if it had not been.
func (im *importer) replay(next *source) error {
	list := im.replays
	im.replays = nil
	if len(list) == 0 {
		return nil
	}
	im.rows.replaying = true
	defer func() { im.rows.replaying = false }()
	for i, s := range list {
		if err := im.setSource(s); err != nil {
			return err
		}
		r, err := pcap.Open(s.path)
		if err != nil {
			return err
		}
		err = im.packets(r, s, func(*pcap.Record) (tables.ID, error) { return 0, nil })
		im.report.Replayed += r.Stats().Packets
		r.Close()
		var damage *pcap.DamageError
		if err != nil && !errors.As(err, &damage) {
			return fmt.Errorf("import %s: %w", s.path, err)
		}
		following := next
		if i+1 < len(list) {
			following = list[i+1]
			if im.known[following.id].ImportedAt == im.known[s.id].ImportedAt {
				continue // of the same batch
			}
		}
		if err := im.meter.Cut(following.first); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) setSource(s *source) error {
	var id SourceID
	b, err := hex.DecodeString(s.ids)
	if err != nil || len(b) != len(id) {
		return fmt.Errorf("import %s: content id %q is not 32 hexadecimal digits", s.path, s.ids)
	}
	copy(id[:], b)
	im.meter.Source(id)
	return nil
}

// file reads one file into the batch. An error means that nothing more can be
// imported.
func (im *importer) file(s *source) error {
	open := pcap.Open
	if im.cfg.InPlace {
		open = archive.OpenCapture
	}
	r, err := open(s.path)
	if err != nil {
		im.refuse(s, err)
		return nil
	}
	defer r.Close()
	r.Ahead()
	if im.cfg.InPlace && r.Compressed() {
		im.baseBytes += s.size
		im.refuse(s, fmt.Errorf("%s: a compressed file can't be read in place: import it by copy", s.path))
		return nil
	}
	if im.tx == nil {
		tx, err := im.archive.Begin(tables.Importer)
		if err != nil {
			return err
		}
		im.tx, im.batchAt, im.filling = tx, tables.Time(time.Now().UnixMicro()), 0
		im.rows.begin(tx)
	}
	if im.stream == "" {
		im.stream = s.ids
	}
	if err := im.setSource(s); err != nil {
		return err
	}

	place := im.copyTo()
	var adopted *archive.Adoption
	if im.cfg.InPlace {
		if adopted, err = im.tx.Adopt(s.path, im.cfg.Sensor, im.cfg.Site); err != nil {
			return fmt.Errorf("import %s: %w", s.path, err)
		}
		place = func(rec *pcap.Record) (tables.ID, error) {
			if rec.Offset >= maxOffset {
				return 0, &pcap.DamageError{File: s.path, Offset: rec.Offset, Reason: "beyond the 64 GiB of a file that can be read in place"}
			}
			return tables.PacketID(adopted.Segment, rec.Offset), nil
		}
	}
	cover := coverage{sensor: im.cfg.Sensor}
	im.cover = &cover
	defer func() { im.cover = nil }()
	err = im.packets(r, s, func(rec *pcap.Record) (tables.ID, error) {
		cover.add(rec)
		return place(rec)
	})
	var damage *pcap.DamageError
	if err != nil && !errors.As(err, &damage) {
		return fmt.Errorf("import %s: %w", s.path, err)
	}
	if adopted != nil {
		if err := adopted.Finish(r); err != nil {
			return fmt.Errorf("import %s: %w", s.path, err)
		}
	}
	id := r.ContentID()
	if s.id != "" && s.id != id || r.HeadID() != s.head || im.known[id] != nil {
		return fmt.Errorf("import %s: the file changed while it was imported", s.path)
	}
	im.filling += s.size
	im.baseBytes += s.size
	im.progress.Files++

	st := r.Stats()
	f := imported{
		row: tables.Import{
			File: s.path, ContentID: id, Sensor: im.cfg.Sensor, Site: im.cfg.Site, State: tables.ImportComplete,
			Packets: st.Packets, Bytes: st.Bytes, ImportedAt: im.batchAt, Stream: im.stream,
		},
		coverage: cover.rows(r.Interfaces()),
		report:   FileReport{Path: s.path, State: FileImported, Packets: st.Packets},
		stats:    st,
	}
	if st.Packets > 0 {
		f.row.TS, f.row.TSEnd = tables.Some(tables.TimeOf(st.First)), tables.Some(tables.TimeOf(st.Last))
	}
	missed := cover.allMissed()
	f.row.Undecoded, f.row.NotDecoded = tables.Some(missed.total()), missed.text(st.Packets)
	f.row.Untimed = tables.Some(st.Untimed)
	f.report.NotDecoded, f.report.Untimed = f.row.NotDecoded, st.Untimed
	if damage != nil {
		f.row.State, f.row.Damage, f.row.DamageOffset = tables.ImportDamaged, damage.Reason, tables.Some(damage.Offset)
		f.report.State, f.report.Err = FileDamaged, damage
		im.cfg.Logger.Info("capture file is damaged", "file", s.path, "offset", damage.Offset, "reason", damage.Reason, "packets", st.Packets)
	}
	if s.ids == s.head {
		f.row.HeadID = s.head
	}
	im.know(&f.row) // for the same content under another name
	im.batch = append(im.batch, f)
	return nil
}

// copyTo returns what appends packets to the batch's segments: one open
// segment for each link type and resolution.
func (im *importer) copyTo() func(*pcap.Record) (tables.ID, error) {
	var w *archive.SegmentWriter
	var link tables.LinkType
	var nano bool
	return func(rec *pcap.Record) (tables.ID, error) {
		if w == nil || rec.Link != link || rec.Nano != nano {
			var err error
			if w, err = im.tx.Packets(im.cfg.Sensor, im.cfg.Site, rec.Link, rec.Nano); err != nil {
				return 0, err
			}
			link, nano = rec.Link, rec.Nano
		}
		segment, offset, err := w.Append(rec)
		if err != nil {
			return 0, err
		}
		return tables.PacketID(segment, offset), nil
	}
}

// tell calls Progress, now and then or at once.
func (im *importer) tell(ofFile int64, now bool) {
	if im.cfg.Progress == nil {
		return
	}
	if t := time.Now(); now || t.Sub(im.reported) >= progressEvery {
		im.reported = t
		im.progress.Bytes, im.progress.Elapsed = im.baseBytes+ofFile, t.Sub(im.start)
		im.cfg.Progress(im.progress)
	}
}

// commit writes what the batch still lacks and makes it visible.
func (im *importer) commit(unfinished bool) error {
	flows, err := im.rows.flush()
	if err != nil {
		return err
	}
	var imports []tables.Import
	var coverage []tables.Coverage
	for i := range im.batch {
		f := &im.batch[i]
		f.row.Rows, f.row.Unfinished = flows, tables.Some(unfinished)
		imports = append(imports, f.row)
		coverage = append(coverage, f.coverage...)
	}
	slices.SortStableFunc(imports, func(a, b tables.Import) int { return cmp.Compare(a.TS.V, b.TS.V) })
	slices.SortStableFunc(coverage, func(a, b tables.Coverage) int { return cmp.Compare(a.TS, b.TS) })
	if _, err := archive.WriteRows(im.tx, importLevel, imports); err != nil {
		return err
	}
	if len(coverage) > 0 {
		if _, err := archive.WriteRows(im.tx, importLevel, coverage); err != nil {
			return err
		}
	}
	if err := im.tx.Commit(); err != nil {
		return err
	}
	im.tx = nil

	rep := &im.report
	rep.Batches++
	rep.Rows += flows
	for i := range im.batch {
		f := &im.batch[i]
		rep.add(f.report)
		rep.Packets += f.stats.Packets
		rep.Bytes += f.stats.Bytes
		rep.Cut += f.stats.Cut
		rep.Overlong += f.stats.Overlong
		if f.row.TS.Set {
			if rep.First == 0 && rep.Last == 0 {
				rep.First, rep.Last = f.row.TS.V, f.row.TSEnd.V
			}
			rep.First, rep.Last = min(rep.First, f.row.TS.V), max(rep.Last, f.row.TSEnd.V)
		}
	}
	st := im.meter.Stats()
	rep.Conversations, rep.Evicted = st.Conversations, st.Evicted
	o := im.meter.Observed()
	rep.Unread, rep.GivenUp = o.Panics, o.Evicted
	im.cfg.Logger.Info("batch imported", "files", len(im.batch), "rows", flows, "unfinished", unfinished)
	im.batch = nil
	im.tell(0, true)
	return nil
}
