package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact"
)

// wiresql import --exports: what exporters once sent becomes flows of theirs.
// A file is a capture, in which every UDP payload that looks like an export
// datagram is one, or a raw file of such payloads. All files of a command go
// through one decoder, in the order given, so that templates in one serve the
// others, and into one batch.

// exportOptions say how the files are read.
type exportOptions struct {
	exporter netip.Addr // sender of the datagrams of raw files
	site     string     // of exporters whose configuration names none
}

// exportFlags reads the flags that are about exports.
func (p *program) exportFlags() (exports bool, o exportOptions, err error) {
	exports, _ = p.flags.GetBool("exports")
	o.site, _ = p.flags.GetString("site")
	text, _ := p.flags.GetString("exporter")
	switch {
	case !exports && p.flags.Changed("exporter"):
		return false, o, errors.New("--exporter is for --exports")
	case exports && (p.flags.Changed("in-place") || p.flags.Changed("sensor")):
		return false, o, errors.New("--in-place and --sensor are for packets, not for --exports")
	}
	if o.exporter, err = netip.ParseAddr(text); err != nil || o.exporter.Zone() != "" {
		return false, o, fmt.Errorf("--exporter %q is not an address", text)
	}
	return exports, o, nil
}

// maxRawFile is the largest raw file read.
const maxRawFile = 256 << 20

// exportFile is a file and what came of it.
type exportFile struct {
	*collector.ReplayFile
	path string
	id   string // content id
	raw  []byte // of a raw file
	size int64
	when tables.Time // a raw file's last change

	incomplete int64 // datagrams of which a fragment is missing
	damage     *pcap.DamageError
	found      bool // in a folder, not named
}

// stands tells what is wrong with a file; nothing if all of it became rows.
func (f *exportFile) stands() string {
	var all []string
	if f.damage != nil {
		all = append(all, f.damage.Reason)
	}
	all = append(all, f.Faults()...)
	if f.incomplete > 0 {
		all = append(all, fmt.Sprintf("%d datagrams of which a fragment is missing", f.incomplete))
	}
	return strings.Join(all, "; ")
}

// exportImport is one import --exports. It is the sink of the rows.
type exportImport struct {
	ctx      context.Context
	p        *program
	a        *archive.Archive
	o        exportOptions
	replay   *collector.Replay
	progress capture.Progress
	tell     func(capture.Progress)
	start    time.Time

	tx        *archive.Tx
	rows      *rows.Sorter[tables.Export]
	exporters *rows.Sorter[tables.Exporter]
	bySource  map[string]int64
	who       map[tables.Addr]bool

	files             []*exportFile // in the batch
	known, refused    int
	knownDamaged      bool
	without           int              // files found without export datagrams in them
	missing           map[string]int64 // by unit, as the sequence numbers say
	datagrams, flowed int64
	first, last       tables.Time
}

// exportRows wait to be brought into order; a file has half as many.
var exportRows = rows.SorterOptions{Rows: 1 << 18, Blobs: 64 << 20, FileRows: 1 << 18}

// importExports imports files of export datagrams, merges, and says what came
// of it; the error is an exit code when only the files are to blame.
func (p *program) importExports(ctx context.Context, a *archive.Archive, paths []string, o exportOptions) error {
	im := &exportImport{
		ctx: ctx, p: p, a: a, o: o, start: time.Now(),
		bySource: map[string]int64{}, who: map[tables.Addr]bool{}, missing: map[string]int64{},
	}
	defer func() {
		if im.tx != nil {
			im.rows.Stop()
			im.exporters.Stop()
			im.tx.Abort()
		}
	}()
	var err error
	if im.rows, err = rows.NewSorter[tables.Export](exportRows); err != nil {
		return err
	}
	if im.exporters, err = rows.NewSorter[tables.Exporter](exportRows); err != nil {
		return err
	}
	if im.replay, err = collector.NewReplay(p.config.Collector, o.site, im); err != nil {
		return err
	}
	known, err := im.knownFiles()
	if err != nil {
		return err
	}
	var done func()
	im.tell, done = p.progress()
	err = im.readAll(paths, known)
	done()
	if err != nil {
		return err
	}
	if err := im.commit(); err != nil {
		return err
	}
	im.summary()
	if len(im.files) > 0 {
		if _, err := compact.Run(ctx, a, compact.Config{Logger: p.log}); err != nil {
			return err
		}
	}
	switch {
	case len(im.files)+im.known == 0:
		return exitError(1)
	case im.refused > 0 || im.knownDamaged || slices.ContainsFunc(im.files, func(f *exportFile) bool { return f.stands() != "" }):
		return exitError(exitDamaged)
	}
	return nil
}

// knownFiles returns the files of export datagrams imported before, by
// content id. Their rows have no sensor; a capture imported for its packets
// has, and may be imported for the datagrams in it as well.
func (im *exportImport) knownFiles() (map[string]tables.Import, error) {
	known := map[string]tables.Import{}
	list, err := capture.Imports(im.a)
	for _, row := range list {
		if row.Sensor == "" {
			known[row.ContentID] = row
		}
	}
	return known, err
}

func (im *exportImport) refuse(err error) {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", e.Path, e.Err) // the system call tells people nothing
	}
	im.refused++
	fmt.Fprintf(im.p.stderr, "%s: %v\n", capture.FileRefused, err)
}

// readAll reads the files that are not known.
func (im *exportImport) readAll(paths []string, known map[string]tables.Import) error {
	var files []*exportFile
	for _, f := range expand(paths) {
		if abs, err := filepath.Abs(f.path); err == nil {
			f.path = abs
		}
		st, err := os.Stat(f.path)
		if err != nil {
			im.refuse(err)
			continue
		}
		f.size, f.when = st.Size(), tables.Time(st.ModTime().UnixMicro())
		im.progress.BytesTotal += f.size
		files = append(files, f)
	}
	im.progress.FilesTotal = len(files)
	for _, f := range files {
		if err := im.ctx.Err(); err != nil {
			return err
		}
		if err := f.identify(); err != nil {
			im.refuse(err)
			continue
		}
		if row, ok := known[f.id]; ok {
			im.known++
			if row.Damage == "" {
				fmt.Fprintf(im.p.stdout, "%s: %s\n", f.path, capture.FileKnown)
			} else {
				im.knownDamaged = true
				fmt.Fprintf(im.p.stderr, "%s: %s: %s\n", capture.FileKnown, f.path, row.Damage)
			}
			continue
		}
		if err := im.read(f); err != nil {
			return err
		}
		if f.Datagrams > 0 {
			known[f.id] = tables.Import{}
		}
		im.progress.Files++
		im.progress.Bytes += f.size
	}
	// A file of nothing but data sets without their template is left out: it can
	// be imported again with its template.
	im.replay.Finish()
	im.files = slices.DeleteFunc(im.files, func(f *exportFile) bool {
		if !im.replay.Vain(f.ReplayFile) {
			return false
		}
		im.refuse(fmt.Errorf("%s: its data sets need a template that is in none of the files: name the file that has it first", f.path))
		return true
	})
	return nil
}

// expand replaces folders by the files below them that are captures or begin
// like an export datagram, in the order of their names.
func expand(paths []string) (out []*exportFile) {
	for _, p := range paths {
		if st, err := os.Stat(p); err != nil || !st.IsDir() {
			out = append(out, &exportFile{path: p})
			continue
		}
		err := filepath.WalkDir(p, func(path string, e fs.DirEntry, err error) error {
			f := &exportFile{path: path, found: true}
			if err == nil && e.Type().IsRegular() && f.open() == nil {
				f.raw = nil // read again when it is its turn
				out = append(out, f)
			}
			return err
		})
		if err != nil {
			out = append(out, &exportFile{path: p}) // to be refused, with what is wrong
		}
	}
	return out
}

// open tells a capture from a raw file, which it reads.
func (f *exportFile) open() error {
	r, err := pcap.Open(f.path)
	if err == nil {
		return r.Close()
	}
	var damage *pcap.DamageError
	if !errors.As(err, &damage) {
		return err
	}
	raw, readErr := readRaw(f.path)
	if readErr != nil {
		return readErr
	}
	if first, _ := collector.NextDatagram(raw); !collector.IsExport(rawPort, first) {
		return fmt.Errorf("%w, nor does it start like an export datagram", err)
	}
	f.raw = raw
	return nil
}

// rawPort stands for the port that datagrams of a raw file were sent to.
const rawPort = 2055

func readRaw(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxRawFile+1))
	if err == nil && len(b) > maxRawFile {
		err = fmt.Errorf("%s: larger than %d bytes and no capture", path, maxRawFile)
	}
	return b, err
}

// identify opens the file and reads it for its content id.
func (f *exportFile) identify() error {
	if err := f.open(); err != nil {
		return err
	}
	if f.raw != nil {
		h := xxh3.Hash128(f.raw).Bytes()
		f.id = fmt.Sprintf("%x", h[:])
		return nil
	}
	r, err := pcap.Open(f.path)
	if err != nil {
		return err
	}
	defer r.Close()
	f.id = r.ContentID()
	return nil
}

// read decodes the datagrams of a file into the batch.
func (im *exportImport) read(f *exportFile) error {
	if im.tx == nil {
		tx, err := im.a.Begin(tables.Importer)
		if err != nil {
			return err
		}
		im.tx = tx
		im.rows.Begin(archive.NewRowFiles[tables.Export](tx, "e"))
		im.exporters.Begin(archive.NewRowFiles[tables.Exporter](tx, "e"))
	}
	replay, err := im.replay.Begin(f.id)
	if err != nil {
		return fmt.Errorf("import %s: %w", f.path, err)
	}
	f.ReplayFile = replay
	im.progress.File = f.path
	if f.raw != nil {
		err = im.replay.Raw(im.o.exporter, f.when, f.raw)
	} else {
		err = im.readCapture(f)
	}
	if err == nil {
		err = im.replay.End()
	}
	im.progress.Packets += f.Datagrams
	f.raw = nil
	switch {
	case err != nil:
		return fmt.Errorf("import %s: %w", f.path, err)
	case f.Datagrams == 0 && f.damage != nil:
		im.refuse(f.damage)
		return nil
	case f.Datagrams == 0 && f.found:
		im.without++
		return nil
	case f.Datagrams == 0:
		im.refuse(fmt.Errorf("%s: no export datagrams in it", f.path))
		return nil
	}
	im.files = append(im.files, f)
	return nil
}

// readCapture decodes the export datagrams in a capture.
func (im *exportImport) readCapture(f *exportFile) error {
	report, err := capture.Datagrams(f.path, collector.IsExport, func(d capture.Datagram) error {
		return im.replay.Datagram(d.From, d.TS, d.Data)
	}, func(consumed int64) error {
		s := im.progress
		s.Bytes, s.Packets, s.Elapsed = s.Bytes+consumed, s.Packets+f.Datagrams, time.Since(im.start)
		im.tell(s)
		return im.ctx.Err()
	})
	f.incomplete, f.damage = report.Incomplete, report.Damage
	if err == nil && report.ContentID != f.id {
		err = errors.New("the file changed while it was imported")
	}
	return err
}

// Exports takes rows of the replay.
func (im *exportImport) Exports(list []tables.Export) error {
	im.bySource[list[0].SourceType] += int64(len(list))
	for i := range list {
		r := &list[i]
		if im.flowed == 0 {
			im.first, im.last = r.TS, r.TSEnd
		}
		im.flowed++
		im.first, im.last = min(im.first, r.TS), max(im.last, r.TSEnd)
		if err := im.rows.Add(r); err != nil {
			return err
		}
	}
	return nil
}

// Exporter takes the account of a stream.
func (im *exportImport) Exporter(r *tables.Exporter) error {
	im.who[r.Exporter] = true
	if r.Missing > 0 {
		im.missing[r.SequenceUnit] += r.Missing
	}
	return im.exporters.Add(r)
}

// Socket is not called: there are none.
func (im *exportImport) Socket(*tables.Socket) error { return nil }

// commit writes what is left and makes the batch visible.
func (im *exportImport) commit() error {
	if len(im.files) == 0 {
		return nil // the batch, if there is one, holds nothing but accounts
	}
	for _, f := range im.files {
		if err := im.replay.Release(f.ReplayFile); err != nil {
			return err
		}
	}
	_, err := im.rows.Flush()
	if err == nil {
		_, err = im.exporters.Flush()
	}
	if err != nil {
		return err
	}
	now := tables.Time(time.Now().UnixMicro())
	var imports []tables.Import
	for _, f := range im.files {
		row := tables.Import{
			File: f.path, ContentID: f.id, Site: im.o.site, State: tables.ImportComplete, TS: tables.Some(f.First), TSEnd: tables.Some(f.Last),
			Packets: f.Datagrams, Bytes: f.Bytes, Rows: f.Rows, ImportedAt: now,
		}
		if row.Damage = f.stands(); row.Damage != "" {
			row.State = tables.ImportDamaged
		}
		if f.damage != nil {
			row.DamageOffset = tables.Some(f.damage.Offset)
		}
		imports = append(imports, row)
		im.datagrams += f.Datagrams
	}
	slices.SortStableFunc(imports, func(x, y tables.Import) int { return cmp.Compare(x.TS.V, y.TS.V) })
	if _, err := archive.WriteRows(im.tx, "e", imports); err != nil {
		return err
	}
	err = im.tx.Commit()
	im.tx = nil
	return err
}

// summary tells what was imported and what was not.
func (im *exportImport) summary() {
	w := im.p.stdout
	for _, f := range im.files {
		if why := f.stands(); why != "" {
			fmt.Fprintf(im.p.stderr, "%s: %s: %s\n", capture.FileDamaged, f.path, why)
		}
	}
	if im.without > 0 {
		fmt.Fprintf(w, "%d files in the folders have no export datagrams in them\n", im.without)
	}
	if len(im.files) == 0 {
		return
	}
	flows := fmt.Sprintf("%d flows", im.flowed)
	if len(im.bySource) > 0 {
		flows += " (" + counted(im.bySource) + ")"
	}
	span := ""
	if im.flowed > 0 {
		span = fmt.Sprintf(", %s to %s", clock(im.first), clock(im.last))
	}
	fmt.Fprintf(w, "imported %d files: %d datagrams, %s, of %d exporters%s, in %v\n",
		len(im.files), im.datagrams, flows, len(im.who), span, time.Since(im.start).Round(time.Millisecond))
	if len(im.missing) > 0 {
		fmt.Fprintf(w, "missing, as the exporters' own numbers say: %s: SELECT observer, source_type, gaps, missing, sequence_unit FROM ops.exporters WHERE missing > 0\n", counted(im.missing))
	}
	fmt.Fprintf(w, "try:\n  wiresql query --data %s \"SELECT observer, source_type, COUNT(*) AS flows, SUM(total_bytes) AS bytes, MAX(sampling_rate) AS sampling FROM flows WHERE source_type <> 'packets' GROUP BY observer, source_type\"\n", im.p.config.Data)
}

// counted lists counts by name.
func counted(m map[string]int64) string {
	var all []string
	for name, n := range m {
		all = append(all, fmt.Sprintf("%s %d", name, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
