package main

import (
	"cmp"
	"context"
	"encoding/hex"
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
	path string
	id   string // content id
	raw  []byte // of a raw file
	size int64
	when tables.Time // a raw file's last change

	datagrams   int64
	bytes       int64 // of them
	outcomes    [4]int64
	rows        int64
	fragments   int64 // datagrams of which a piece is missing
	expired     int64 // data sets there was no room to keep
	first, last tables.Time
	waits       []exportStream // on which data sets of it still wait
	damage      *pcap.DamageError
	// accounts of exporters are kept back until the file has a row: it may be
	// left out, and be imported again.
	accounts []tables.Exporter
	found    bool // in a folder, not named
}

// stands tells what is wrong with a file; nothing if all of it became rows.
func (f *exportFile) stands() string {
	var all []string
	if f.damage != nil {
		all = append(all, f.damage.Reason)
	}
	for _, c := range []struct {
		n    int64
		what string
	}{
		{f.outcomes[collector.Undecodable], "datagrams not decoded whole"},
		{f.outcomes[collector.Refused], "datagrams of too many exporters"},
		{f.fragments, "datagrams of which a fragment is missing"},
		{f.expired, "data sets dropped, waiting for a template"},
	} {
		if c.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(f.waits) > 0 {
		all = append(all, "data sets whose template is in none of the files")
	}
	return strings.Join(all, "; ")
}

// exportStream is what sequence numbers and templates belong to.
type exportStream struct {
	exporter tables.Addr
	source   string
	domain   tables.Opt[int64]
}

// exportImport is one import --exports.
type exportImport struct {
	ctx      context.Context
	p        *program
	a        *archive.Archive
	o        exportOptions
	decoder  *collector.Decoder
	progress capture.Progress
	tell     func(capture.Progress)
	start    time.Time

	tx        *archive.Tx
	rows      *rows.Sorter[tables.Export]
	exporters *rows.Sorter[tables.Exporter]

	file     *exportFile // being read
	stream   uint64      // upper bits of its flow ids
	ticked   tables.Time
	waiting  map[exportStream][]*exportFile // files with data sets that wait
	records  map[exportStream]int64
	bySource map[string]int64
	who      map[tables.Addr]bool

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
		waiting: map[exportStream][]*exportFile{}, records: map[exportStream]int64{},
		bySource: map[string]int64{}, who: map[tables.Addr]bool{}, missing: map[string]int64{},
	}
	defer func() {
		if im.tx != nil {
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
	cfg := p.config.Collector
	cfg.Exporters = namesOnly(cfg.Exporters)
	cfg.WaitTime, cfg.TemplateTTL = 1<<62, 1<<62 // the time between files means nothing
	cfg.WaitBytes = 64 << 20
	if im.decoder, err = collector.NewDecoder(cfg, im, nil); err != nil {
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

// namesOnly makes the list of exporters one that names them and refuses
// nobody: who imports a file wants what is in it.
func namesOnly(entries []string) []string {
	const all = "::/0"
	if len(entries) == 0 || slices.ContainsFunc(entries, func(e string) bool { return strings.HasPrefix(e, all) }) {
		return entries
	}
	return append(slices.Clone(entries), all)
}

// knownFiles returns the files of export datagrams imported before, by
// content id. Their rows have no sensor; a capture imported for its packets
// has, and may be imported for the datagrams in it as well.
func (im *exportImport) knownFiles() (map[string]tables.Import, error) {
	known := map[string]tables.Import{}
	c, err := im.a.Catalog()
	if err != nil {
		return nil, err
	}
	for _, f := range c.Files(archive.Imports) {
		r, err := rows.Open[tables.Import](f.Path)
		if err != nil {
			return nil, err
		}
		buf := make([]tables.Import, 64)
		for {
			n, err := r.Read(buf)
			for _, row := range buf[:n] {
				if row.Sensor == "" {
					known[row.ContentID] = row
				}
			}
			if errors.Is(err, io.EOF) || err == nil && n == 0 {
				break
			}
			if err != nil {
				r.Close()
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
	}
	return known, nil
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
		if f.datagrams > 0 {
			known[f.id] = tables.Import{}
		}
		im.progress.Files++
		im.progress.Bytes += f.size
	}
	// Now it is known which data sets never got their template. A file of
	// nothing else is left out: it can be imported again with its template.
	for stream, waiting := range im.waiting {
		for _, f := range waiting {
			f.waits = append(f.waits, stream)
		}
	}
	im.files = slices.DeleteFunc(im.files, func(f *exportFile) bool {
		if len(f.waits) == 0 || f.rows > 0 || slices.ContainsFunc(f.waits, func(s exportStream) bool { return im.records[s] > 0 }) {
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

// importStream marks the flow ids of imports; the lower half of all streams
// is the collector's own.
const importStream = 1 << 23

// read decodes the datagrams of a file into the batch.
func (im *exportImport) read(f *exportFile) error {
	if im.tx == nil {
		tx, err := im.a.Begin("import")
		if err != nil {
			return err
		}
		im.tx = tx
		im.rows.Begin(archive.NewRowFiles[tables.Export](tx, "e"))
		im.exporters.Begin(archive.NewRowFiles[tables.Exporter](tx, "e"))
	}
	id, err := hex.DecodeString(f.id)
	if err != nil || len(id) < 3 {
		return fmt.Errorf("import %s: content id %q is not 32 hexadecimal digits", f.path, f.id)
	}
	im.stream = importStream | uint64(id[0])<<16&(importStream-1) | uint64(id[1])<<8 | uint64(id[2])
	im.file = f
	im.progress.File = f.path
	im.ticked = 0
	if f.raw != nil {
		err = im.readRaw(f)
	} else {
		err = im.readCapture(f)
	}
	if err == nil {
		err = im.decoder.Close(f.last)
	}
	f.raw = nil
	switch {
	case err != nil:
		return fmt.Errorf("import %s: %w", f.path, err)
	case f.datagrams == 0 && f.damage != nil:
		im.refuse(f.damage)
		return nil
	case f.datagrams == 0 && f.found:
		im.without++
		return nil
	case f.datagrams == 0:
		im.refuse(fmt.Errorf("%s: no export datagrams in it", f.path))
		return nil
	}
	im.files = append(im.files, f)
	return nil
}

// readRaw decodes a raw file. A datagram's time is the exporter's own of
// sending; sFlow has none, and is as old as the file.
func (im *exportImport) readRaw(f *exportFile) error {
	for rest := f.raw; len(rest) > 0; {
		var data []byte
		data, rest = collector.NextDatagram(rest)
		at, ok := collector.ExportTime(data)
		if !ok || at <= 0 {
			at = f.when
		}
		if err := im.datagram(netip.AddrPortFrom(im.o.exporter, 0), at, data); err != nil {
			return err
		}
	}
	return nil
}

// readCapture decodes the export datagrams in a capture.
func (im *exportImport) readCapture(f *exportFile) error {
	r, err := pcap.Open(f.path)
	if err != nil {
		return err
	}
	defer r.Close()
	var rec pcap.Record
	var h tables.Header
	var frags fragments
	for n := 1; ; n++ {
		if n%4096 == 0 {
			if err := im.ctx.Err(); err != nil {
				return err
			}
			s := im.progress
			s.Bytes, s.Elapsed = s.Bytes+r.Consumed(), time.Since(im.start)
			im.tell(s)
		}
		err := r.Next(&rec)
		if errors.As(err, &f.damage) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		tables.Decode(rec.Link, rec.Data, rec.Length, &h)
		if !h.IP || h.Protocol != tables.ProtocolUDP {
			continue
		}
		first, data := &h, []byte(nil)
		switch {
		case h.Fragment:
			data, first = frags.add(&h, rec.Data[min(h.L3Offset, len(rec.Data)):], collector.IsExport)
		case h.PayloadOffset > 0 && h.PayloadOffset < len(rec.Data):
			data = rec.Data[h.PayloadOffset:min(h.PayloadOffset+h.PayloadLength, len(rec.Data))]
		}
		if data == nil || !collector.IsExport(first.DstPort, data) {
			continue
		}
		if err := im.datagram(netip.AddrPortFrom(first.Src.Netip(), first.SrcPort), tables.Time(rec.TS/1000), data); err != nil {
			return err
		}
	}
	frags.end()
	f.fragments = frags.incomplete
	if id := r.ContentID(); id != f.id {
		return errors.New("the file changed while it was imported")
	}
	return nil
}

// tickEvery is how much of the datagrams' time passes between two accounts of
// the exporters.
const tickEvery = 10_000_000

func (im *exportImport) datagram(from netip.AddrPort, at tables.Time, data []byte) error {
	f := im.file
	if f.datagrams == 0 {
		f.first, f.last, im.ticked = at, at, at
	}
	f.first, f.last = min(f.first, at), max(f.last, at)
	f.datagrams++
	f.bytes += int64(len(data))
	im.progress.Packets++
	f.outcomes[im.decoder.Datagram(from, at, data)]++
	if at-im.ticked < tickEvery {
		return nil
	}
	err := im.decoder.Tick(at)
	im.ticked = at
	return err
}

// Exports takes rows of the decoder and numbers them by their file.
func (im *exportImport) Exports(rows []tables.Export) error {
	im.bySource[rows[0].SourceType] += int64(len(rows))
	for i := range rows {
		r := &rows[i]
		r.FlowID = tables.ID(im.stream<<40 | uint64(im.file.rows))
		im.file.rows++
		if r.Site == "" {
			r.Site = im.o.site
		}
		if im.flowed == 0 {
			im.first, im.last = r.TS, r.TSEnd
		}
		im.flowed++
		im.first, im.last = min(im.first, r.TS), max(im.last, r.TSEnd)
	}
	return addAll(im.rows, rows)
}

func addAll[T any](to *rows.Sorter[T], rows []T) error {
	for i := range rows {
		if err := to.Add(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// Exporter takes the account of a stream. Its interval is brought within the
// file: times do not go on from one file to the next.
func (im *exportImport) Exporter(r *tables.Exporter) error {
	f := im.file
	row := *r
	row.TS = min(max(row.TS, f.first), f.last)
	row.TSEnd = max(row.TS, row.TSEnd)
	if row.Site == "" {
		row.Site = im.o.site
	}
	key := exportStream{row.Exporter, row.SourceType, row.Domain}
	im.records[key] += row.Records
	f.expired += row.Expired
	if list := im.waiting[key]; row.Waited > 0 && (len(list) == 0 || list[len(list)-1] != f) {
		im.waiting[key] = append(list, f)
	}
	if row.Waiting == 0 {
		delete(im.waiting, key)
	}
	f.accounts = append(f.accounts, row)
	if f.rows == 0 {
		return nil
	}
	return im.release(f)
}

// release hands on the accounts kept back.
func (im *exportImport) release(f *exportFile) error {
	for i := range f.accounts {
		r := &f.accounts[i]
		im.who[r.Exporter] = true
		if r.Missing > 0 {
			im.missing[r.SequenceUnit] += r.Missing
		}
	}
	err := addAll(im.exporters, f.accounts)
	f.accounts = nil
	return err
}

// Socket is not called: there are none.
func (im *exportImport) Socket(*tables.Socket) error { return nil }

// commit writes what is left and makes the batch visible.
func (im *exportImport) commit() error {
	if len(im.files) == 0 {
		return nil // the batch, if there is one, holds nothing but accounts
	}
	for _, f := range im.files {
		if err := im.release(f); err != nil {
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
			File: f.path, ContentID: f.id, Site: im.o.site, State: tables.ImportComplete, TS: tables.Some(f.first), TSEnd: tables.Some(f.last),
			Packets: f.datagrams, Bytes: f.bytes, Rows: f.rows, ImportedAt: now,
		}
		if row.Damage = f.stands(); row.Damage != "" {
			row.State = tables.ImportDamaged
		}
		if f.damage != nil {
			row.DamageOffset = tables.Some(f.damage.Offset)
		}
		imports = append(imports, row)
		im.datagrams += f.datagrams
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
