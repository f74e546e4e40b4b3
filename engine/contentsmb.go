package engine

import (
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Files over SMB2 and 3 ([MS-SMB2]): what READ and WRITE moved between a CREATE and its CLOSE.

const (
	smbHeader = 64
	smbCreate = 5
	smbClose  = 6
	smbRead   = 8
	smbWrite  = 9
	smbIOCTL  = 11
	smbSet    = 17
)

// smbHandles is where the body of a command has the handle it is about.
var smbHandles = map[uint16]int{smbClose: 8, smbRead: 16, smbWrite: 16, smbIOCTL: 8, smbSet: 16}

// smbChanges are the codes of IOCTL that change a file without its bytes being sent ([MS-FSCC] 2.3).
var smbChanges = map[uint32]string{0x1440F2: "copied", 0x1480F2: "copied", 0x98344: "copied", 0x983E8: "copied", 0x980C8: "zeroed"}

// smbCommand is a request with its answer.
type smbCommand struct {
	at, frame int    // where it and the message it is in begin
	related   bool   // to the one before it
	b, answer []byte // from its header on
	answerAt  int
	handle    [16]byte
}

// smbCommands cuts a direction into commands and gives each to of, with where it and its message
// begin, as far as messages follow each other.
func smbCommands(s *strand, of func(b []byte, at, frame int)) {
	for at := 0; at+4 <= len(s.data); {
		n := int(s.data[at+1])<<16 | int(binary.BigEndian.Uint16(s.data[at+2:]))
		if s.data[at] != 0 && s.data[at] != 0x85 && s.data[at] != 0x81 && s.data[at] != 0x82 {
			return
		}
		b := s.data[at+4 : min(at+4+n, len(s.data))]
		for from := 0; len(b)-from >= smbHeader && string(b[from:from+4]) == "\xfeSMB"; {
			next := int(binary.LittleEndian.Uint32(b[from+20:]))
			end := len(b)
			if next >= smbHeader && next <= len(b)-from {
				end = from + next
			}
			of(b[from:end:end], at+4+from, at)
			if from = end; next == 0 {
				break
			}
		}
		at += 4 + n
	}
}

// carveSMB finds the CREATE that is in a packet, and puts together what was moved by its handle.
func carveSMB(ctx context.Context, sides *[2]strand, begin tables.ID, limit int) (c content, err error) {
	le := binary.LittleEndian
	var list []*smbCommand
	asked := map[uint64]*smbCommand{}
	smbCommands(&sides[0], func(b []byte, at, frame int) {
		m := &smbCommand{at: at, frame: frame, b: b, related: le.Uint32(b[16:])&4 != 0}
		list = append(list, m)
		asked[le.Uint64(b[24:])] = m
	})
	smbCommands(&sides[1], func(b []byte, at, _ int) {
		if m := asked[le.Uint64(b[24:])]; m != nil && le.Uint32(b[8:]) != 0x103 { // pending
			m.answer, m.answerAt = b, at
		}
	})
	var file *smbCommand
	packet := sides[0].of(begin)
	for _, m := range list {
		if le.Uint16(m.b[12:]) != smbCreate || !inPacket(packet, m.at) && !inPacket(packet, m.frame) {
			continue
		}
		if file != nil {
			return c, errSeveral
		}
		file = m
	}
	if file == nil || len(file.answer) < smbHeader+80 || le.Uint32(file.answer[8:]) != 0 {
		return c, errNotFound
	}
	file.handle = [16]byte(file.answer[smbHeader+64:])
	all := strand{}
	closed := false
	size := le.Uint64(file.answer[smbHeader+48:])             // as it was last told of
	until, answered := len(sides[0].data), len(sides[1].data) // while it was open
	var before [16]byte                                       // the handle of the command before
	for _, m := range list {
		command, body := le.Uint16(m.b[12:]), m.b[smbHeader:]
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		at := smbHandles[command]
		if command == smbCreate {
			before = m.handle
		}
		if at == 0 || len(body) < at+16 {
			continue
		}
		h := [16]byte(body[at:])
		if m.related && string(h[:]) == strings.Repeat("\xff", 16) {
			h = before
		}
		if before = h; h != file.handle || m.at < file.at {
			continue
		}
		if command == smbClose {
			if closed, until = true, m.at; m.answer != nil {
				answered = m.answerAt
				if a := m.answer; len(a) >= smbHeader+60 && le.Uint32(a[8:]) == 0 && a[smbHeader+2]&1 != 0 {
					size = le.Uint64(a[smbHeader+48:])
				}
			}
			break
		}
		if len(m.answer) < smbHeader+2 {
			c.lack("an answer was not captured")
			continue
		}
		if le.Uint32(m.answer[8:]) != 0 { // refused, or the end of the file
			continue
		}
		switch command {
		case smbSet:
			const info, endOfFile = 1, 20
			if n, at := int(le.Uint32(body[4:])), int(le.Uint16(body[8:])); body[2] == info && body[3] == endOfFile && n >= 8 && at >= smbHeader && at+8 <= len(m.b) {
				if size = le.Uint64(m.b[at:]); size < uint64(len(all.data)) {
					all.cut(int(size))
				}
			}
			continue
		case smbIOCTL:
			if what := smbChanges[le.Uint32(body[4:])]; what != "" {
				c.lack("parts of it were %s by the server", what)
			}
			continue
		}
		if len(m.answer) < smbHeader+16 {
			c.lack("an answer was not captured")
			continue
		}
		place := le.Uint64(body[8:])
		holder, side, from := m.answer, 1, m.answerAt
		offset, n := int(m.answer[smbHeader+2]), int(le.Uint32(m.answer[smbHeader+4:]))
		if command == smbWrite {
			holder, side, from = m.b, 0, m.at
			offset, n = int(le.Uint16(body[2:])), int(min(le.Uint32(body[4:]), le.Uint32(m.answer[smbHeader+4:])))
		}
		if place > uint64(limit) || n > limit {
			return c, errTooLong
		}
		b := holder[min(offset, len(holder)):min(offset+n, len(holder))]
		if len(b) < n {
			c.lack("%s missing from byte %d on", quantity(int64(n-len(b)), "byte"), int(place)+len(b))
		}
		if end := int(place) + len(b); end > limit {
			return c, errTooLong
		} else if end > len(all.data) {
			all.data = append(all.data, make([]byte, end-len(all.data))...)
		}
		copy(all.data[place:], b) // what is written again counts
		if len(b) == 0 {
			continue
		}
		all.put(b, int(place), nil)
		if len(all.have) > maxStretches {
			return c, errTorn
		}
		size = max(size, place+uint64(len(b)))
		var gaps content
		sides[side].lacking(&gaps, from+offset, from+offset+len(b))
		for _, g := range gaps.lacks {
			c.lack("of what was moved at byte %d, %s", place, g)
		}
	}
	c.data = all.data
	all.lacking(&c, 0, len(all.data))
	var gaps content
	sides[0].lacking(&gaps, file.at, until)
	sides[1].lacking(&gaps, file.answerAt, answered)
	switch {
	case !closed:
		c.lack("its end was not captured")
	case len(gaps.lacks) > 0 && len(c.lacks) == 0:
		c.lack("bytes of the conversation were not captured while it was open")
	}
	if size > uint64(len(all.data)) {
		c.lack("%d of its %d bytes were moved", len(all.data), size)
	}
	return c, nil
}

// cut takes off what is behind a place.
func (s *strand) cut(at int) {
	s.data = s.data[:at]
	i, _ := slices.BinarySearchFunc(s.have, at, func(h stretch, at int) int { return cmp.Compare(h.to, at) })
	if i < len(s.have) && s.have[i].from < at {
		s.have[i].to = at
		i++
	}
	s.have = s.have[:i]
}
