package archive

import (
	"errors"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// packetBlock is how many bytes of a segment have a checksum: single packets are
// read of it, so blocks are smaller than those of row files. The sums are 0.05 %
// of the packets; they stand in the segment's row and are read when it is.
const packetBlock = 8 << 10

// OpenCapture opens a capture that is to be read in place: it takes the checksums of
// the file's blocks as it is read.
func OpenCapture(path string) (*pcap.Reader, error) { return pcap.OpenSummed(path, packetBlock) }

// maxTables bounds the segments whose checksums are in memory, 512 KiB for a
// GiB of packets. When there are more, all go, and those still asked for come
// back.
const maxTables = 64

// packetTable is the checksums of a version of a segment's file.
type packetTable struct {
	bytes int64
	time  time.Time
	table *sums.Table
}

// segmentColumns are those of a segment's row but its checksums.
var segmentColumns = func() (names []string) {
	for _, c := range tables.StoredColumns(reflect.TypeFor[tables.Segment]()) {
		if c.Name != "sums" {
			names = append(names, c.Name)
		}
	}
	return names
}()

// readSegments reads rows of segments.
func readSegments(f rows.File, columns ...string) (list []tables.Segment, err error) {
	r, err := rows.Open[tables.Segment](f, columns...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	buf := make([]tables.Segment, 64)
	for {
		n, err := r.Read(buf)
		list = append(list, buf[:n]...)
		if errors.Is(err, io.EOF) || n == 0 && err == nil {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// tableOf returns the checksums of a segment that is open; nil when it has none.
func (a *Archive) tableOf(s *SegmentInfo, file disk.File) (*sums.Table, error) {
	if s.Open { // its checksums are taken when it is sealed
		return nil, nil
	}
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	a.tableMu.Lock()
	known, ok := a.tables[s.Number()]
	a.tableMu.Unlock()
	if ok && known.bytes == st.Size() && known.time.Equal(st.ModTime()) {
		return known.table, nil
	}
	table, err := readPacketTable(s, time.Since(st.ModTime()) < settled)
	if err != nil {
		return nil, err
	}
	a.tableMu.Lock()
	defer a.tableMu.Unlock()
	if a.tables == nil || len(a.tables) >= maxTables {
		a.tables = map[uint32]packetTable{}
	}
	a.tables[s.Number()] = packetTable{st.Size(), st.ModTime(), table}
	return table, nil
}

// readPacketTable reads the checksums of a segment; nil when it has none.
func readPacketTable(s *SegmentInfo, unsettled bool) (*sums.Table, error) {
	list, err := readSegments(s.rows, "segment", "sums")
	if err != nil {
		return nil, fmt.Errorf("its checksums: %w", err)
	}
	for i := range list {
		if list[i].Segment == s.Segment.Segment && list[i].Sums != nil {
			return sums.NewTableOf(s.Path, packetBlock, s.Bytes, list[i].Sums, unsettled)
		}
	}
	return nil, nil
}
