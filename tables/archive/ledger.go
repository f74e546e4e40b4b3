package archive

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// What a file says of itself can't tell that it is gone. So each writer keeps a
// ledger of the row files it committed, state/<writer>.files: a line for each,
//
//	crc32c(rest of the line) bytes rows footer name
//
// of which footer is the sum of the file's last bytes (rows.File.Footer). A file
// that stands there, and whose rows are in no other one, is missing when no
// folder shows it. A ledger decides nothing else: without it, every file counts
// as it did before. It is written behind the commit and not synced, so it may
// lack the last files, never name one that was not committed.
const (
	ledgerMark  = ".files"
	ledgerTitle = "wiresql files "
	ledgerHead  = len(ledgerTitle) + 16 + 1
	maxLedger   = 256 << 20
	maxOutdated = 4096 // lines appended before a ledger is written anew
)

// written is a line of a ledger.
type written struct {
	listed        // as its name tells it, Rows, Bytes and Footer
	ledger string // its writer
}

func (e *written) line() []byte {
	rest := fmt.Sprintf("%d %d %08x %s\n", e.Bytes, e.Rows, e.Footer, e.base)
	return fmt.Appendf(nil, "%08x %s", sums.Of([]byte(rest)), rest)
}

// parseEntry reads a line without its newline.
func parseEntry(line string) (*written, bool) {
	sum, rest, found := strings.Cut(line, " ")
	want, err := strconv.ParseUint(sum, 16, 32)
	if !found || err != nil || uint32(want) != sums.Of([]byte(rest+"\n")) {
		return nil, false
	}
	p := strings.Split(rest, " ")
	if len(p) != 4 {
		return nil, false
	}
	family, _, _ := strings.Cut(p[3], "-")
	file, _, ok := parseName(Family(family), p[3])
	if !ok {
		return nil, false
	}
	e := &written{listed: listed{File: file, base: p[3]}}
	footer, err0 := strconv.ParseUint(p[2], 16, 32)
	e.Footer = uint32(footer)
	var err1, err2 error
	e.Bytes, err1 = strconv.ParseInt(p[0], 10, 64)
	e.Rows, err2 = strconv.ParseInt(p[1], 10, 64)
	return e, errors.Join(err0, err1, err2) == nil
}

// ledger is one that was read, up to a line's end.
type ledger struct {
	id      string // told apart from one that took its place
	size    int64
	entries []*written
}

// ledgers are all of an archive's.
type ledgers struct {
	of map[string]*ledger // by writer
	// known is what they say, by family and the files' lasting names. Its maps
	// are never changed, but replaced.
	known map[Family]map[string]*written
	// serial counts how often it changed, by family.
	serial map[Family]uint64
}

// update reads what was added. One that can't be read says nothing.
func (l *ledgers) update(d disk.Disk, folder string) {
	names, err := d.ReadDir(folder)
	if err != nil {
		return
	}
	var added []*written
	replaced := false
	found := map[string]*ledger{}
	for _, n := range names {
		writer, ok := strings.CutSuffix(n.Name(), ledgerMark)
		if !ok || !validLabel(writer) {
			continue
		}
		was := l.of[writer]
		now := was.follow(d, filepath.Join(folder, n.Name()), writer)
		if now == nil {
			continue
		}
		if found[writer] = now; now == was {
			continue
		}
		if was != nil && now.id == was.id {
			added = append(added, now.entries[len(was.entries):]...)
		} else {
			replaced = true
		}
	}
	if replaced = replaced || len(found) < len(l.of); replaced {
		for family := range l.known {
			l.serial[family]++
		}
		added, l.known = nil, map[Family]map[string]*written{}
		for _, one := range found {
			added = append(added, one.entries...)
		}
	}
	l.of = found
	fresh := map[Family]map[string]*written{}
	for _, e := range added {
		of := fresh[e.Family]
		if of == nil {
			if of = maps.Clone(l.known[e.Family]); of == nil {
				of = map[string]*written{}
			}
			fresh[e.Family] = of
		}
		of[e.base] = e
	}
	for family, of := range fresh {
		l.known[family] = of
		l.serial[family]++
	}
}

// follow reads on. Where nothing was added it returns l itself.
func (l *ledger) follow(d disk.Disk, path, writer string) *ledger {
	f, err := d.Open(path)
	if err != nil {
		return l
	}
	defer f.Close()
	head := make([]byte, ledgerHead)
	if _, err := f.ReadAt(head, 0); err != nil || !bytes.HasPrefix(head, []byte(ledgerTitle)) || head[ledgerHead-1] != '\n' {
		return l
	}
	now := ledger{id: string(head), size: int64(ledgerHead)}
	if l != nil && l.id == now.id {
		now = *l
	}
	rest, err := io.ReadAll(io.NewSectionReader(f, now.size, maxLedger))
	end := bytes.LastIndexByte(rest, '\n') + 1 // a torn line may still grow
	if err != nil || end == 0 && l != nil && l.id == now.id {
		return l
	}
	now.size += int64(end)
	for line := range strings.Lines(string(rest[:end])) {
		if e, ok := parseEntry(strings.TrimSuffix(line, "\n")); ok {
			e.ledger = writer
			now.entries = append(now.entries, e)
		}
	}
	return &now
}

// openLedger is the one a writer appends to.
type openLedger struct {
	file  disk.File
	size  int64
	lines int // appended since it was written anew
}

// record writes down what a batch committed.
func (a *Archive) record(tx *Tx) {
	a.bookMu.Lock()
	defer a.bookMu.Unlock()
	l := a.books[tx.writer]
	if l == nil || l.lines > maxOutdated {
		if err := a.startLedger(tx.writer); err != nil {
			a.log.Warn("ledger", "writer", tx.writer, "error", err)
		}
		return // that put the batch's down, too
	}
	var text []byte
	for _, s := range tx.rows {
		if s.file.Level == "s" {
			continue
		}
		e := written{listed: listed{File: s.file, base: s.file.name()}}
		text = append(text, e.line()...)
	}
	if _, err := l.file.WriteAt(text, l.size); err != nil {
		a.log.Warn("ledger", "file", l.file.Name(), "error", err)
		l.lines += maxOutdated // the next one begins it anew
		return
	}
	l.size += int64(len(text))
	l.lines += len(tx.rows)
}

// startLedger writes a writer's ledger anew: without the files whose rows are
// in others, and with those that are in no ledger yet, whoever wrote them. The
// caller holds the writer's lock, and a.bookMu.
func (a *Archive) startLedger(writer string) error {
	l, err := a.list()
	if err != nil {
		return err
	}
	var all []*listed
	for _, family := range allFamilies {
		all = append(all, l.family(family)...)
		for _, e := range l.entries[family] {
			all = append(all, &e.listed)
		}
	}
	var text []byte
	live, dead, _ := l.evicted.split(all, allFamilies...)
	live, _ = folded(live, dead)
	for _, f := range live {
		e := l.entries[f.Family][f.base]
		switch {
		case e == nil:
			foot := readFooter(f)
			if foot.bad != "" {
				continue
			}
			e = &written{listed: listed{File: f.File, base: f.base}}
			e.Bytes, e.Rows, e.Footer = foot.Bytes, foot.Rows, foot.Footer
		case e.ledger != writer:
			continue
		}
		text = append(text, e.line()...)
	}
	dir := filepath.Join(a.dir, stateFolder)
	if err := a.mkdir(dir); err != nil {
		return err
	}
	path := filepath.Join(dir, writer+ledgerMark)
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	text = fmt.Appendf(nil, "%s%x\n%s", ledgerTitle, id, text)
	if err := disk.Replace(a.disk, path, text, 0o640); err != nil {
		return err
	}
	file, err := a.disk.Edit(path)
	if err != nil {
		return err
	}
	if old := a.books[writer]; old != nil {
		old.file.Close()
	}
	a.books[writer] = &openLedger{file: file, size: int64(len(text))}
	return nil
}

// closeLedger ends a writer's.
func (a *Archive) closeLedger(writer string) {
	a.bookMu.Lock()
	defer a.bookMu.Unlock()
	if l := a.books[writer]; l != nil {
		l.file.Close()
		delete(a.books, writer)
	}
}
