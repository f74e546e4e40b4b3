package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// What a file held, put together from the packets of the conversation that carried it:
// file_bytes(file_id), and wiresql export --files.

// content is what is there of a file. What lacks is zeros, and told of.
type content struct {
	data  []byte
	lacks []string
}

// lack tells what is missing, of at most so many places each.
const maxLacks = 16

func (c *content) lack(format string, args ...any) {
	switch {
	case len(c.lacks) == maxLacks:
		c.lacks = append(c.lacks, "and more")
	case len(c.lacks) < maxLacks:
		c.lacks = append(c.lacks, fmt.Sprintf(format, args...))
	}
}

// Why nothing can be told of a file.
var (
	errNotFound = errors.New("its bytes are not found in the packets of the conversation: what is before them may not have been captured")
	errSeveral  = errors.New("several begin in the same packet, and which of them is meant is not known")
	errBlocks   = errors.New("its blocks are of different lengths: what was agreed on may not have been captured")
)

// nothing tells of an error that it is why nothing is told of a file.
func nothing(err error) bool {
	return errors.Is(err, errNotFound) || errors.Is(err, errSeveral) || errors.Is(err, errBlocks) || errors.Is(err, errTorn)
}

// fileID is a file_id taken apart: the protocol, the conversation that carried the file,
// the packet it begins in, and how many others of HTTP do before it.
type fileID struct {
	protocol    string
	nth         int
	conn, begin tables.ID
}

// contentProtocols are those of which files are put together.
var contentProtocols = []string{tables.FileSMB2, tables.FileSMB3, tables.FileHTTP, tables.FileFTP, tables.FileTFTP}

func parseFileID(text string) (f fileID, err error) {
	parts := strings.Split(text, "-")
	protocol, nth, several := strings.Cut(parts[0], ".")
	if several {
		f.nth, err = strconv.Atoi(nth)
	}
	if len(parts) != 3 || !slices.Contains(contentProtocols, protocol) || err != nil || f.nth < 0 || several && protocol != tables.FileHTTP {
		return f, fmt.Errorf("%q is no file_id", text)
	}
	f.protocol = protocol
	f.conn, err = tables.ParseID(parts[1])
	if err == nil {
		f.begin, err = tables.ParseID(parts[2])
	}
	return f, err
}

// Content implements pushdown.Session.
func (s *querySession) Content(file string, packets []tables.ID) ([]byte, error) {
	file, known, _ := strings.Cut(file, " ")
	f, err := parseFileID(file)
	if err != nil {
		return nil, functions.Errorf(1210, "Incorrect arguments to file_bytes: %s", err)
	}
	snap, err := s.engine.snapshot(s.ctx)
	if err != nil {
		return nil, err
	}
	limit := s.functions.TextLimit()
	all, missing, err := s.engine.conversation(s.ctx, snap, packets, limit)
	var c content
	if err == nil {
		c, err = carve(s.ctx, all, f, limit)
	}
	for _, m := range missing {
		s.functions.Warn(1105, m)
	}
	if errors.Is(err, errTooLong) {
		return nil, functions.Errorf(1153, "Got a packet bigger than 'max_allowed_packet' bytes: the file takes more than %d; use wiresql export --files", limit)
	}
	if nothing(err) {
		s.functions.Warn(1105, fmt.Sprintf("file %s: %s", file, err))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	status, size, _ := strings.Cut(known, " ")
	c.compare(f, status, size)
	for _, l := range c.lacks {
		s.functions.Warn(1105, fmt.Sprintf("file %s is not whole: %s", file, l))
	}
	return c.data, nil
}

// compare looks whether a file is as the row of files tells: its protocols say how a transfer
// ended, and FTP tells that elsewhere.
func (c *content) compare(f fileID, status, size string) {
	if f.protocol == tables.FileFTP && status != "" && status[0] != '2' {
		c.lack("the server said %s of the transfer", status)
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && f.protocol == tables.FileFTP && n > int64(len(c.data)) {
		c.lack("%d of its %d bytes were moved", len(c.data), n)
	}
}

// File says what is known of a file that was put together.
type File struct {
	ID       string  `json:"file_id"`
	Time     *string `json:"ts"`
	Client   *string `json:"client_ip"`
	Server   *string `json:"server_ip"`
	Username *string `json:"username"`
	Action   *string `json:"action"`
	Share    *string `json:"share"`
	Name     *string `json:"name"`
	Bytes    int     `json:"bytes"`
	// SHA256 is of the bytes as they are written, with zeros for what is missing.
	SHA256 string `json:"sha256,omitempty"`
	// Lacks says what is missing, or why nothing is there.
	Lacks []string `json:"lacks,omitempty"`
	// Path is where it was written to, which the caller knows.
	Path string `json:"file,omitempty"`

	status, size string
}

// Bounds of an export of files.
const (
	// MaxContent is how long a file may be, in bytes: its packets are held in memory.
	MaxContent = 128 << 20
	maxFiles   = 100_000
)

// ExportFiles puts the files together that the rows of a statement name by file_id, and gives
// each to write, with nil bytes when there are none; missing is what the statement warned of.
func (s *Session) ExportFiles(ctx context.Context, statement string, write func(*File, []byte) error) (missing []string, err error) {
	lease := s.engine.archive.Lease() // packets found stay until they are read
	defer lease.Release()
	out := &Evidence{Statement: statement}
	var names []string
	if _, err := s.named(ctx, statement, []string{"file_id"}, out, func(name string) error {
		if names = append(names, name); len(names) > maxFiles {
			return fmt.Errorf("the statement names more than %d files: ask for a shorter time", maxFiles)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	slices.Sort(names)
	var conn tables.ID // whose packets these are, and what is told of them
	var all []heard
	var gone []string
	tooLong := false
	for i, name := range slices.Compact(names) {
		f, err := parseFileID(name)
		if err != nil {
			return nil, err
		}
		file := &File{ID: name}
		if err := s.describe(ctx, f, file); err != nil {
			return nil, err
		}
		if f.conn != conn || i == 0 {
			conn = f.conn
			all, gone, tooLong = nil, nil, false
			told := &Evidence{}
			_, packets, err := s.chosen(ctx, "SELECT packet_id FROM wiresql.packets WHERE conn_id = '"+conn.String()+"'", told)
			if err != nil {
				return nil, err
			}
			snap, err := s.engine.snapshot(ctx)
			if err != nil {
				return nil, err
			}
			if all, gone, err = s.engine.conversation(ctx, snap, packets, MaxContent); errors.Is(err, errTooLong) {
				tooLong = true
			} else if err != nil {
				return nil, err
			}
			for _, m := range told.Missing {
				if !slices.Contains(gone, m) {
					gone = append(gone, m)
				}
			}
		}
		c, err := content{}, error(errTooLong)
		if !tooLong {
			c, err = carve(ctx, all, f, MaxContent)
		}
		for _, m := range gone {
			c.lack("%s", m)
		}
		if err == nil {
			c.compare(f, file.status, file.size)
		}
		file.Lacks = c.lacks
		switch {
		case nothing(err), errors.Is(err, errTooLong):
			file.Lacks, c.data = append(file.Lacks, err.Error()), nil
		case err != nil:
			return nil, err
		default:
			file.Bytes, file.SHA256 = len(c.data), fmt.Sprintf("%x", sha256.Sum256(c.data))
		}
		if err := write(file, c.data); err != nil {
			return nil, err
		}
	}
	return out.Missing, nil
}

// describe fills in what files says of one.
func (s *Session) describe(ctx context.Context, f fileID, file *File) error {
	rows, err := s.Query(ctx, fmt.Sprintf("SELECT ts, client_ip, server_ip, username, action, share, name, status, size FROM wiresql.files WHERE conn_id = '%s' AND packet_id = '%s' AND file_id = '%s'",
		f.conn, f.begin, file.ID))
	if err != nil {
		return err
	}
	defer rows.Close()
	cells, err := rows.Text()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	for i, to := range []**string{&file.Time, &file.Client, &file.Server, &file.Username, &file.Action, &file.Share, &file.Name} {
		if cells[i] != nil {
			text := string(cells[i])
			*to = &text
		}
	}
	file.status, file.size = string(cells[7]), string(cells[8])
	return nil
}

var errTooLong = fmt.Errorf("the file, or its conversation, is too long: of %d bytes at most one is put together", MaxContent)

// conversation reads the packets that files are put together from, up to so many bytes of a file;
// missing is what is told of the packets.
func (e *Engine) conversation(ctx context.Context, snap *snapshot, packets []tables.ID, limit int) (all []heard, missing []string, err error) {
	refs := make([]archive.Ref, len(packets))
	for i, id := range packets {
		refs[i].ID = id
	}
	held := 0
	var torn fragments
	stats, err := e.archive.Fetch(ctx, snap.catalog, refs, func(ref archive.Ref, rec *pcap.Record) error {
		p, ok := hear(ref.ID, rec)
		if later := torn.add(rec, len(all), ok); later > 0 {
			if held += later + heardBytes; held/4 > limit {
				return errTooLong
			}
		}
		if !ok {
			return nil
		}
		if held += len(p.payload) + heardBytes; held/4 > limit {
			return errTooLong
		}
		all = append(all, p)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	torn.mend(all)
	slices.SortFunc(all, func(a, b heard) int { return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.id, b.id)) })
	return all, slices.Concat(snap.unreadable(refs), snap.unread(&stats)), nil
}

// carve puts a file together from a conversation's packets, which are in order of time, of at
// most limit bytes.
func carve(ctx context.Context, all []heard, f fileID, limit int) (c content, err error) {
	if len(all) == 0 {
		return c, errNotFound
	}
	if f.protocol == tables.FileTFTP {
		return carveTFTP(ctx, all, f, limit)
	}
	packets := make([]*heard, len(all))
	for i := range all {
		packets[i] = &all[i]
	}
	client := asker(packets)
	var sides [2]strand
	for _, p := range packets {
		side := 0
		if p.from != client {
			side = 1
		}
		if err := sides[side].add(p, limit); err != nil {
			return c, err
		}
	}
	for i := range sides {
		if err := sides[i].finish(ctx); err != nil {
			return c, err
		}
	}
	switch f.protocol {
	case tables.FileFTP:
		s := &sides[0]
		if len(sides[1].data) > len(s.data) {
			s = &sides[1]
		}
		if len(s.data) == 0 {
			return c, errNotFound
		}
		c.data = s.data
		s.lacking(&c, 0, len(s.data))
		if !s.ended {
			c.lack("the end of the conversation was not captured")
		}
		return c, nil
	case tables.FileHTTP:
		return carveHTTP(ctx, &sides, f, limit)
	case tables.FileSMB2, tables.FileSMB3:
		return carveSMB(ctx, &sides, f.begin, limit)
	}
	return c, errNotFound
}
