package archive

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// A journal says how far a segment that is being written may be read. It is a
// head, then an entry for each commit, appended when the segment's bytes are
// durable up to there: so a reader takes the last whole entry, and a crash
// leaves what that one says.
//
//	"wqllog01" │ u32 length │ JSON, see journalHead │ CRC-32C u32 │ entry │ entry │ …
//
// An entry is seven words of eight bytes, little-endian: the commit's number, the
// segment's bytes and packets so far, the times of its first and last packet, the
// time the meter's clock was set to then (0: it was not), and in the last word the
// CRC-32C of the six before.

const (
	logFolder    = "logs"
	journalMark  = ".journal"
	journalMagic = "wqllog01"
	entrySize    = 7 * 8
	// maxHead bounds the JSON of a journal's head.
	maxHead = 64 << 10
	// maxJournal bounds what is read of a journal: an entry a second for days.
	maxJournal = 64 << 20
)

// journalHead is what a journal says of its segment.
type journalHead struct {
	Log       string          `json:"log"` // the log's id, 32 hex digits
	Writer    string          `json:"writer"`
	Segment   uint32          `json:"segment"`
	Path      string          `json:"path"` // of the packets, relative to the archive
	Sensor    string          `json:"sensor"`
	Site      string          `json:"site,omitempty"`
	Interface string          `json:"interface,omitempty"`
	Link      tables.LinkType `json:"link_type"`
	Nano      bool            `json:"nanoseconds"`
	// Before is how many packets the log has in earlier segments.
	Before int64 `json:"packets_before"`
	// Began is when the segment was begun.
	Began time.Time `json:"began"`
}

// journalEntry is a commit.
type journalEntry struct {
	commit         uint64
	bytes, packets int64 // of the segment
	first, last    int64 // ns
	tick           int64 // ns
}

func (e *journalEntry) encode(b []byte) []byte {
	start := len(b)
	for _, v := range []uint64{e.commit, uint64(e.bytes), uint64(e.packets), uint64(e.first), uint64(e.last), uint64(e.tick)} {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return binary.LittleEndian.AppendUint64(b, uint64(sums.Of(b[start:])))
}

func decodeEntry(b []byte) (e journalEntry, ok bool) {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	if word(6) != uint64(sums.Of(b[:48])) {
		return e, false
	}
	e = journalEntry{word(0), int64(word(1)), int64(word(2)), int64(word(3)), int64(word(4)), int64(word(5))}
	return e, e.bytes >= pcap.FileHeader && e.bytes <= maxSegmentFile*2 && e.packets > 0
}

// journal is a journal as it was read.
type logJournal struct {
	journalHead
	path string
	size int64 // of the head
	last journalEntry
}

// encodeHead is the head's bytes.
func (h *journalHead) encode() ([]byte, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32([]byte(journalMagic), uint32(len(text)))
	b = append(b, text...)
	return binary.LittleEndian.AppendUint32(b, sums.Of(b)), nil
}

// readHead reads a journal's head.
func readHead(f io.ReaderAt) (h journalHead, size int64, err error) {
	var start [len(journalMagic) + 4]byte
	if _, err := f.ReadAt(start[:], 0); err != nil {
		return h, 0, err
	}
	n := binary.LittleEndian.Uint32(start[len(journalMagic):])
	if string(start[:len(journalMagic)]) != journalMagic || n > maxHead {
		return h, 0, errors.New("it does not begin as a journal does")
	}
	b := make([]byte, len(start)+int(n)+4)
	if _, err := f.ReadAt(b, 0); err != nil {
		return h, 0, err
	}
	text := b[:len(b)-4]
	if binary.LittleEndian.Uint32(b[len(text):]) != sums.Of(text) {
		return h, 0, errors.New("the checksum of its head is not the one that was written")
	}
	if err := json.Unmarshal(text[len(start):], &h); err != nil {
		return h, 0, err
	}
	if !filepath.IsLocal(h.Path) || h.Segment > tables.MaxSegment {
		return h, 0, fmt.Errorf("segment %d lies outside of the archive: %q", h.Segment, h.Path)
	}
	return h, int64(len(b)), nil
}

// entries reads all entries up to the first that is not whole.
func (j *logJournal) entries(d disk.Disk) (list []journalEntry, err error) {
	b, err := disk.ReadFile(d, j.path, maxJournal)
	if err != nil {
		return nil, err
	}
	for at := j.size; at+entrySize <= int64(len(b)); at += entrySize {
		e, ok := decodeEntry(b[at : at+entrySize])
		if !ok {
			break
		}
		list = append(list, e)
	}
	return list, nil
}

// readJournals reads the head and the last entry of each journal. known are
// those that were read before, by path.
func readJournals(d disk.Disk, dir string, known map[string]*logJournal) (list []*logJournal, err error) {
	names, err := d.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range names {
		if !strings.HasSuffix(e.Name(), journalMark) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		j, err := readJournal(d, path, known[path])
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil { // of a segment that is being begun
			continue
		}
		list = append(list, j)
	}
	return list, nil
}

func readJournal(d disk.Disk, path string, known *logJournal) (*logJournal, error) {
	f, err := d.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	j := &logJournal{path: path}
	if known != nil {
		j.journalHead, j.size, j.last = known.journalHead, known.size, known.last
	} else if j.journalHead, j.size, err = readHead(f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var b [entrySize]byte
	// The last may be being written, or be written again.
	n := (st.Size() - j.size) / entrySize
	for i := n - 1; i >= max(0, n-2); i-- {
		if _, err := f.ReadAt(b[:], j.size+i*entrySize); err != nil {
			return nil, err
		}
		if e, ok := decodeEntry(b[:]); ok {
			if e.commit >= j.last.commit {
				j.last = e
			}
			break
		}
	}
	return j, nil
}

// info is the segment as far as it may be read.
func (j *logJournal) info(a *Archive) SegmentInfo {
	e := &j.last
	return SegmentInfo{Open: true, State: StateAvailable, AbsPath: a.at(j.Path), Segment: tables.Segment{
		Segment: int32(j.Segment), Kind: "pcap", Sensor: j.Sensor, Site: j.Site, Path: j.Path,
		TS: tables.Some(tables.TimeOf(e.first)), TSEnd: tables.Some(tables.TimeOf(e.last)),
		Packets: e.packets, Bytes: e.bytes, Layout: pcap.LayoutOf(j.Link, j.Nano).Encode()}}
}
