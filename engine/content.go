package engine

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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

// errNotFound is of a file of which nothing can be told.
var errNotFound = errors.New("its bytes are not found in the packets of the conversation: what is before them may not have been captured")

// fileID is a file_id taken apart: the protocol, the conversation that carried the file,
// and the packet it begins in.
type fileID struct {
	protocol    string
	conn, begin tables.ID
}

// contentProtocols are those of which files are put together.
var contentProtocols = []string{tables.FileSMB2, tables.FileSMB3, tables.FileHTTP, tables.FileFTP, tables.FileTFTP}

func parseFileID(text string) (f fileID, err error) {
	parts := strings.Split(text, "-")
	if len(parts) != 3 || !slices.Contains(contentProtocols, parts[0]) {
		return f, fmt.Errorf("%q is no file_id", text)
	}
	f.protocol = parts[0]
	f.conn, err = tables.ParseID(parts[1])
	if err == nil {
		f.begin, err = tables.ParseID(parts[2])
	}
	return f, err
}

// Content implements pushdown.Session.
func (s *querySession) Content(file string, packets []tables.ID) ([]byte, error) {
	f, err := parseFileID(file)
	if err != nil {
		return nil, functions.Errorf(1210, "Incorrect arguments to file_bytes: %s", err)
	}
	snap, err := s.engine.snapshot(s.ctx)
	if err != nil {
		return nil, err
	}
	limit := s.functions.TextLimit()
	c, missing, err := s.engine.contentOf(s.ctx, snap, f, packets, limit)
	for _, m := range missing {
		s.functions.Warn(1105, m)
	}
	if errors.Is(err, errTooLong) {
		return nil, functions.Errorf(1153, "Got a packet bigger than 'max_allowed_packet' bytes: the file takes more than %d; use wiresql export --files", limit)
	}
	if errors.Is(err, errNotFound) {
		s.functions.Warn(1105, fmt.Sprintf("file %s: %s", file, err))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, l := range c.lacks {
		s.functions.Warn(1105, fmt.Sprintf("file %s is not whole: %s", file, l))
	}
	return c.data, nil
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
	for _, name := range slices.Compact(names) {
		f, err := parseFileID(name)
		if err != nil {
			return nil, err
		}
		file := &File{ID: name}
		if err := s.describe(ctx, f, file); err != nil {
			return nil, err
		}
		_, packets, err := s.chosen(ctx, "SELECT packet_id FROM wiresql.packets WHERE conn_id = '"+f.conn.String()+"'", &Evidence{})
		if err != nil {
			return nil, err
		}
		snap, err := s.engine.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		c, _, err := s.engine.contentOf(ctx, snap, f, packets, MaxContent)
		file.Lacks = c.lacks
		switch {
		case errors.Is(err, errNotFound), errors.Is(err, errTooLong):
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
	rows, err := s.Query(ctx, fmt.Sprintf("SELECT ts, client_ip, server_ip, username, action, share, name FROM wiresql.files WHERE conn_id = '%s' AND packet_id = '%s' AND protocol = '%s'",
		f.conn, f.begin, f.protocol))
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
	return nil
}

var errTooLong = fmt.Errorf("the file, or its conversation, is too long: of %d bytes at most one is put together", MaxContent)

// contentOf reads packets of a conversation and puts a file of it together, of at most
// limit bytes; missing is what is told of the packets.
func (e *Engine) contentOf(ctx context.Context, snap *snapshot, f fileID, packets []tables.ID, limit int) (c content, missing []string, err error) {
	refs := make([]archive.Ref, len(packets))
	for i, id := range packets {
		refs[i].ID = id
	}
	var all []heard
	held := 0
	stats, err := e.archive.Fetch(ctx, snap.catalog, refs, func(ref archive.Ref, rec *pcap.Record) error {
		p, ok := hear(ref.ID, rec)
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
		return c, nil, err
	}
	missing = slices.Concat(snap.unreadable(refs), snap.unread(&stats))
	slices.SortFunc(all, func(a, b heard) int { return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.id, b.id)) })
	c, err = carve(all, f, limit)
	for _, m := range missing {
		c.lack("%s", m)
	}
	return c, missing, err
}

// carve puts a file together from a conversation's packets, which are in order of time.
func carve(all []heard, f fileID, limit int) (c content, err error) {
	if len(all) == 0 {
		return c, errNotFound
	}
	if f.protocol == tables.FileTFTP {
		return carveTFTP(all, limit)
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
		sides[i].finish()
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
		return carveHTTP(&sides, f.begin, limit)
	case tables.FileSMB2, tables.FileSMB3:
		return carveSMB(&sides, f.begin, limit)
	}
	return c, errNotFound
}

// strand is a direction of a TCP conversation as one text, with zeros for what is missing.
type strand struct {
	parts  []*heard
	data   []byte
	have   []stretch // of data, in order
	starts []started
	ended  bool // the end is known
	held   int
}

// stretch is from a place up to another.
type stretch struct{ from, to int }

// started is where in data a packet's bytes lie.
type started struct {
	id       tables.ID
	from, to int
}

func (s *strand) add(p *heard, limit int) error {
	if s.held += len(p.payload); s.held/2 > limit {
		return errTooLong
	}
	s.parts = append(s.parts, p)
	return nil
}

// finish puts the segments where their numbers say. Of bytes that came twice the first count,
// as when they are followed.
func (s *strand) finish() {
	if len(s.parts) == 0 {
		return
	}
	first := s.parts[0].seq
	low := int64(0) // numbers wrap: order is by signed difference (RFC 9293 3.4)
	for _, p := range s.parts {
		if p.flags&tables.TCPSyn != 0 {
			low = int64(int32(p.seq - first))
			break
		}
		low = min(low, int64(int32(p.seq-first)))
	}
	// Farther on is no segment of this text.
	most := int64(2*s.held) + 1<<20
	end := int64(0)
	at := make([]int64, len(s.parts))
	for i, p := range s.parts {
		at[i] = int64(int32(p.seq-first)) - low
		if n := at[i] + int64(len(p.payload)+p.lost); n <= most {
			end = max(end, n)
			s.ended = s.ended || p.flags&tables.TCPFin != 0
		}
	}
	s.data = make([]byte, end)
	for i, p := range s.parts {
		from, to := int(max(at[i], 0)), int(min(at[i]+int64(len(p.payload)), int64(len(s.data))))
		if from >= to {
			continue
		}
		s.starts = append(s.starts, started{p.id, from, to})
		s.put(p.payload[from-int(at[i]):to-int(at[i])], from)
	}
}

// put writes what is not there yet.
func (s *strand) put(b []byte, from int) {
	to := from + len(b)
	i, _ := slices.BinarySearchFunc(s.have, from, func(h stretch, at int) int { return cmp.Compare(h.to, at) })
	j, whole := i, stretch{from, to}
	for at := from; at < to; j++ {
		next := to
		if j < len(s.have) && s.have[j].from < to {
			next = s.have[j].from
		}
		if at < next {
			copy(s.data[at:next], b[at-from:])
		}
		if next == to && (j >= len(s.have) || s.have[j].from >= to) {
			break
		}
		at = s.have[j].to
		whole = stretch{min(whole.from, s.have[j].from), max(whole.to, s.have[j].to)}
	}
	s.have = slices.Replace(s.have, i, j, whole)
}

// lacking tells what is missing of a part, in places from its beginning on.
func (s *strand) lacking(c *content, from, to int) {
	at := from
	for _, h := range append(s.have[:len(s.have):len(s.have)], stretch{len(s.data), len(s.data)}) {
		if end := min(h.from, to); at < end {
			c.lack("%s missing from byte %d on", quantity(int64(end-at), "byte"), at-from)
		}
		if at = max(at, h.to); at >= to {
			return
		}
	}
}

// begins tells whether a packet holds the byte at a place.
func (s *strand) begins(id tables.ID, at int) bool {
	return slices.ContainsFunc(s.starts, func(p started) bool { return p.id == id && p.from <= at && at < p.to })
}

// carveTFTP puts blocks together (RFC 1350), which are numbered from 1 on.
func carveTFTP(all []heard, limit int) (c content, err error) {
	length, last, whole := 512, int64(0), false
	var have []int64
	for i := range all {
		b := all[i].payload
		if len(b) < 4 || b[0] != 0 {
			continue
		}
		if b[1] == 6 { // options that were agreed on
			fields := bytes.Split(bytes.ToLower(b[2:]), []byte{0})
			for i := 0; i+1 < len(fields); i += 2 {
				if string(fields[i]) == "blksize" {
					fmt.Sscan(string(fields[i+1]), &length)
				}
			}
			if length < 8 || length > 65464 {
				return c, errNotFound
			}
		}
		if b[1] != 3 {
			continue
		}
		number := uint16(b[2])<<8 | uint16(b[3])
		n := last + int64(int16(number-uint16(last)))
		if n < 1 || slices.Contains(have[max(0, len(have)-256):], n) {
			continue
		}
		end := int(n-1)*length + len(b) - 4
		if end > limit {
			return c, errTooLong
		}
		if end > len(c.data) {
			c.data = append(c.data, make([]byte, end-len(c.data))...)
		}
		copy(c.data[int(n-1)*length:], b[4:])
		if have = append(have, n); all[i].lost > 0 {
			c.lack("%s of block %d not captured", quantity(int64(all[i].lost), "byte"), n)
		}
		last, whole = max(last, n), whole || len(b)-4+all[i].lost < length
	}
	if len(have) == 0 {
		return c, errNotFound
	}
	slices.Sort(have)
	due := int64(1)
	for _, n := range have {
		if n > due {
			c.lack("%s missing from byte %d on", quantity((n-due)*int64(length), "byte"), (due-1)*int64(length))
		}
		due = n + 1
	}
	if !whole {
		c.lack("the last block was not captured")
	}
	return c, nil
}

// textReader reads a strand and knows how far it is.
type textReader struct {
	*bufio.Reader
	all  *bytes.Reader
	size int
}

func (s *strand) reader() *textReader {
	r := bytes.NewReader(s.data)
	return &textReader{bufio.NewReader(r), r, len(s.data)}
}

func (r *textReader) at() int { return r.size - r.all.Len() - r.Buffered() }

// carveHTTP finds the request that begins in a packet, and takes its body if it stores one,
// else that of its answer.
func carveHTTP(sides *[2]strand, begin tables.ID, limit int) (c content, err error) {
	asks, answers := sides[0].reader(), sides[1].reader()
	for {
		at := asks.at()
		req, err := http.ReadRequest(asks.Reader)
		ours := false
		if err == nil {
			head := asks.at()
			if ours = sides[0].begins(begin, at); ours && req.Method == http.MethodPut {
				return body(req.Body, req.Header, req.TransferEncoding, req.ContentLength, &sides[0], asks, head, limit)
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil && !ours {
				return c, errNotFound
			}
		}
		var res *http.Response
		var from int
		for { // some come before the answer itself
			from = answers.at()
			if res, err = http.ReadResponse(answers.Reader, req); err != nil {
				return c, errNotFound
			}
			if res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
				break
			}
		}
		if ours || sides[1].begins(begin, from) {
			return body(res.Body, res.Header, res.TransferEncoding, res.ContentLength, &sides[1], answers, answers.at(), limit)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return c, errNotFound
		}
	}
}

// body reads the one that follows a head, which ends at a place.
func body(r io.Reader, header http.Header, transfer []string, length int64, s *strand, text *textReader, from, limit int) (c content, err error) {
	raw, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if len(raw) > limit {
		return c, errTooLong
	}
	c.data = raw
	switch {
	case err != nil && length >= 0:
		c.lack("%d of its %s are there", len(raw), quantity(length, "byte"))
	case err != nil:
		c.lack("it breaks off after %s", quantity(int64(len(raw)), "byte"))
	case length < 0 && len(transfer) == 0 && !s.ended:
		c.lack("the end of the conversation was not captured")
	}
	var gaps content
	if s.lacking(&gaps, from, text.at()); len(gaps.lacks) > 0 {
		if len(transfer) > 0 { // with what is between the chunks
			for _, g := range gaps.lacks {
				c.lack("%s of its chunks", g)
			}
		} else {
			c.lacks = append(c.lacks, gaps.lacks...)
		}
	}
	var plain io.Reader
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Encoding"))) {
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(bytes.NewReader(raw))
	case "deflate":
		if plain, err = zlib.NewReader(bytes.NewReader(raw)); err != nil { // some send it bare
			plain, err = flate.NewReader(bytes.NewReader(raw)), nil
		}
	case "", "identity":
		return c, nil
	default:
		c.lack("it is as it was sent, encoded as %q", header.Get("Content-Encoding"))
		return c, nil
	}
	if err == nil {
		var out []byte
		out, err = io.ReadAll(io.LimitReader(plain, int64(limit)+1))
		if len(out) > limit {
			return c, errTooLong
		}
		c.data = out
	}
	if err != nil {
		c.lack("its encoding is broken after %s", quantity(int64(len(c.data)), "byte"))
	}
	return c, nil
}
