package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Packets a statement found, as a capture file to take along: in the order of
// time, with the statement and what is missing written into it.

// Evidence says what an exported capture holds.
type Evidence struct {
	// Statement is what chose the packets.
	Statement string `json:"statement"`
	Packets   int    `json:"packets"`
	// Bytes are the packets', as they were captured.
	Bytes int64 `json:"bytes"`
	// SHA256 is of the packets' bytes one behind another.
	SHA256 string `json:"packets_sha256"`
	// Missing says what could not be read, and what the statement warned of.
	Missing []string `json:"missing,omitempty"`
}

// Spool is a file that is written and then read again.
type Spool interface {
	io.Writer
	io.ReaderAt
}

// exportColumns are the columns whose values choose packets, the most exact
// first.
var exportColumns = []string{"packet_id", "flow_id", "conn_id"}

const (
	// maxExported bounds the packets of one capture: 48 bytes of memory each.
	maxExported = 20_000_000
	// exportedAtOnce is how many flows' packets are asked for by one
	// statement, whose text is bounded.
	exportedAtOnce = 5000
)

// Export writes the packets that the rows of a statement name, by packet_id, or
// those of their flow_id or conn_id, as pcapng. next makes the files: one, or
// two if the packets were not stored in the order of time; the last is the
// result. Missing packets are no error; no packet at all is one.
func (s *Session) Export(ctx context.Context, statement string, next func() (Spool, error)) (*Evidence, error) {
	lease := s.engine.archive.Lease() // packets found stay until they are read
	defer lease.Release()
	out := &Evidence{Statement: statement}
	refs, err := s.exported(ctx, statement, out)
	if err != nil {
		return nil, err
	}
	file, err := next()
	if err != nil {
		return nil, err
	}
	snap, err := s.engine.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.engine.writeCapture(ctx, snap, refs, out, file, next); err != nil {
		return nil, err
	}
	if out.Packets == 0 {
		return nil, fmt.Errorf("no packet to export: %s", cmp.Or(strings.Join(out.Missing, "; "), "the statement's rows have none"))
	}
	return out, nil
}

// exported are the packets of a statement's rows, sorted.
func (s *Session) exported(ctx context.Context, statement string, out *Evidence) ([]archive.Ref, error) {
	column, ids, err := s.chosen(ctx, statement, out)
	if err != nil {
		return nil, err
	}
	if column != "packet_id" {
		var packets []tables.ID
		for some := range slices.Chunk(ids, exportedAtOnce) {
			list := make([]string, len(some))
			for i, id := range some {
				list[i] = "'" + id.String() + "'"
			}
			_, more, err := s.chosen(ctx, "SELECT packet_id FROM wiresql.packets WHERE "+column+" IN ("+strings.Join(list, ",")+")", out)
			if err != nil {
				return nil, err
			}
			if packets = append(packets, more...); len(packets) > maxExported {
				return nil, errTooMany
			}
		}
		slices.Sort(packets)
		ids = slices.Compact(packets)
	}
	refs := make([]archive.Ref, len(ids))
	for i, id := range ids {
		refs[i].ID = id
	}
	return refs, nil
}

var errTooMany = fmt.Errorf("the statement names more than %d packets or flows: ask for a shorter time", maxExported)

// chosen runs a statement and returns the different values of the column that
// chooses packets, sorted; its warnings go to out.
func (s *Session) chosen(ctx context.Context, statement string, out *Evidence) (column string, ids []tables.ID, err error) {
	column, err = s.named(ctx, statement, exportColumns, out, func(text string) error {
		id, err := tables.ParseID(text)
		if err != nil {
			return err
		}
		if ids = append(ids, id); len(ids) > maxExported {
			return errTooMany
		}
		return nil
	})
	slices.Sort(ids)
	return column, slices.Compact(ids), err
}

// named gives the values of the first of some columns that the rows of a statement have;
// its warnings go to out.
func (s *Session) named(ctx context.Context, statement string, columns []string, out *Evidence, value func(string) error) (column string, err error) {
	rows, err := s.Query(ctx, statement)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	at := -1
	for _, name := range columns {
		at = slices.IndexFunc(rows.Schema, func(c *sql.Column) bool { return strings.EqualFold(c.Name, name) })
		if column = name; at >= 0 {
			break
		}
	}
	if at < 0 {
		return "", fmt.Errorf("an export takes a statement whose rows have a %s", strings.Join(columns, " or a "))
	}
	for {
		cells, err := rows.Text()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if cells[at] == nil {
			continue
		}
		if err := value(string(cells[at])); err != nil {
			return "", fmt.Errorf("column %s: %w", column, err)
		}
	}
	for _, w := range rows.Warnings() {
		if !slices.Contains(out.Missing, w) {
			out.Missing = append(out.Missing, w)
		}
	}
	return column, nil
}

// writeCapture writes the packets of refs, sorted by id, to file, and once more
// to the next one if their times go back and forth.
func (e *Engine) writeCapture(ctx context.Context, snap *snapshot, refs []archive.Ref, out *Evidence, file Spool, next func() (Spool, error)) error {
	text := fmt.Sprintf("Packets chosen by: %s\nRead at %s.", out.Statement, time.Now().UTC().Format(time.RFC3339))
	w, err := pcap.NewNG(file, "wiresql", text)
	if err != nil {
		return err
	}
	places := map[uint32]string{}
	stats, err := e.archive.Fetch(ctx, snap.catalog, refs, func(ref archive.Ref, rec *pcap.Record) error {
		number := ref.ID.Segment()
		place, ok := places[number]
		if !ok {
			if info, ok := snap.catalog.Segment(number); ok {
				place = "sensor " + info.Sensor
				if info.Site != "" {
					place += ", site " + info.Site
				}
			}
			places[number] = place
		}
		return w.Packet(rec, rec.InterfaceName, place)
	})
	if err != nil {
		return err
	}
	missing := slices.Concat(snap.unreadable(refs), snap.unread(&stats))
	for _, m := range missing {
		if !slices.Contains(out.Missing, m) {
			out.Missing = append(out.Missing, m)
		}
	}
	if !w.Sorted() {
		second, err := next()
		if err != nil {
			return err
		}
		if err := w.Sort(file, second); err != nil {
			return err
		}
	}
	out.Packets, out.Bytes, out.SHA256 = w.Packets(), w.Bytes(), fmt.Sprintf("%x", w.Hash())
	text = fmt.Sprintf("%d packets of %d bytes; SHA-256 of their bytes one behind another: %s.", out.Packets, out.Bytes, out.SHA256)
	if len(out.Missing) == 0 {
		text += "\nNothing is known to be missing."
	} else {
		text += "\nMissing: " + strings.Join(out.Missing, "\nMissing: ")
	}
	return w.Close(text)
}

// memorySpool is a file in memory that takes so many bytes.
type memorySpool struct {
	bytes.Buffer
	limit int
}

// Write implements io.Writer.
func (m *memorySpool) Write(p []byte) (int, error) {
	if m.Len()+len(p) > m.limit {
		return 0, functions.Errorf(1153, "Got a packet bigger than 'max_allowed_packet' bytes: the packets take more than %d; ask for fewer, or use wiresql export", m.limit)
	}
	return m.Buffer.Write(p)
}

// ReadAt implements io.ReaderAt.
func (m *memorySpool) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, off)
}

// Capture implements pushdown.Session.
func (s *querySession) Capture(packets []tables.ID) ([]byte, error) {
	snap, err := s.engine.snapshot(s.ctx)
	if err != nil {
		return nil, err
	}
	refs := make([]archive.Ref, len(packets))
	for i, id := range packets {
		refs[i].ID = id
	}
	var last *memorySpool
	next := func() (Spool, error) {
		last = &memorySpool{limit: s.functions.TextLimit()}
		return last, nil
	}
	file, _ := next()
	out := &Evidence{Statement: s.ctx.Query()}
	if err := s.engine.writeCapture(s.ctx, snap, refs, out, file, next); err != nil {
		return nil, err
	}
	for _, m := range out.Missing {
		s.functions.Warn(1105, m)
	}
	if out.Packets == 0 {
		return nil, nil
	}
	return last.Bytes(), nil
}
