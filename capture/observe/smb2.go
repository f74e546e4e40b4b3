package observe

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// Lengths of headers, commands, and what else is read of [MS-SMB2].
const (
	smb2Header    = 64
	smb2Transform = 52

	smb2Negotiate      = 0
	smb2SessionSetup   = 1
	smb2TreeConnect    = 3
	smb2Create         = 5
	smb2Close          = 6
	smb2Read           = 8
	smb2Write          = 9
	smb2IOCTL          = 11
	smb2QueryDirectory = 14
	smb2SetInfo        = 17

	smb2FromServer = 1 // flags
	smb2Async      = 2
	smb2Related    = 4

	smb2AttributeDirectory = 0x10
	smb2DeleteOnClose      = 0x1000
	smb2PipeTransceive     = 0x11c017 // of an IOCTL

	// Classes of SET_INFO ([MS-FSCC] section 2.4).
	fileRename        = 10
	fileDisposition   = 13
	fileEndOfFile     = 20
	fileDispositionEx = 64
	fileRenameEx      = 65
)

var anyHandle = smbHandle{^uint64(0), ^uint64(0)}

// smb2 reads a command.
func (r *smbReader) smb2(o *Observer, side int, b []byte) {
	s := &r.Side[side]
	le := binary.LittleEndian
	status, command, flags := le.Uint32(b[8:]), le.Uint16(b[12:]), le.Uint32(b[16:])
	id, session := le.Uint64(b[24:]), le.Uint64(b[40:])
	if r.Version == "" || r.Version == tables.FileSMB1 {
		r.Version = tables.FileSMB2
	}
	if flags&smb2FromServer != 0 {
		r.smb2Answer(o, side, b, command, status, id, session)
		return
	}
	tree := uint32(0)
	if flags&smb2Async == 0 {
		tree = le.Uint32(b[36:])
	}
	if flags&smb2Related == 0 {
		s.Open = 0
	} else {
		tree, session = s.Tree, s.Session
	}
	s.Tree, s.Session = tree, session
	body := b[smb2Header:]
	c := smbCall{ID: id, Command: command, From: s.From}
	switch command {
	case smb2SessionSetup:
		if len(body) >= 16 {
			r.authenticate(o, side, part(b, int(le.Uint16(body[12:])), int(le.Uint16(body[14:]))), &s.From)
		}
	case smb2TreeConnect:
		if len(body) < 8 {
			return
		}
		c.Text = shareName(wideText(b, int(le.Uint16(body[4:])), int(le.Uint16(body[6:]))))
	case smb2Create:
		if len(body) < 56 {
			return
		}
		name := fileName(wideText(b, int(le.Uint16(body[44:])), int(le.Uint16(body[46:]))))
		var f *smbOpen
		c.Open, f = r.open(o, tree, session, name, &s.From)
		if le.Uint32(body[40:])&smb2DeleteOnClose != 0 {
			c.Would = didDelete
		}
		f.Row.Protocol = r.Version
		s.Open = c.Open
	case smb2Close:
		c.Open = r.usedBy(o, side, body, 8)
	case smb2Read:
		c.Open = r.usedBy(o, side, body, 16)
	case smb2Write:
		if c.Open = r.usedBy(o, side, body, 16); c.Open != 0 {
			c.Number = int64(le.Uint64(body[8:]))
			n := int(le.Uint32(body[4:]))
			r.piped(o, c.Open, 0, part(b, int(le.Uint16(body[2:])), n), n, &s.From)
		}
	case smb2IOCTL:
		if c.Open = r.usedBy(o, side, body, 8); c.Open != 0 && le.Uint32(body[4:]) == smb2PipeTransceive && len(body) >= 32 {
			n := int(le.Uint32(body[28:]))
			r.piped(o, c.Open, 0, part(b, int(le.Uint32(body[24:])), n), n, &s.From)
		}
	case smb2QueryDirectory:
		c.Open = r.usedBy(o, side, body, 8)
		c.Would = didList
	case smb2SetInfo:
		if c.Open = r.usedBy(o, side, body, 16); c.Open != 0 && body[2] == 1 {
			value := part(b, int(le.Uint16(body[8:])), int(le.Uint32(body[4:])))
			c.Would, c.Text, c.Number = setInfo(body[3], value)
		}
	default:
		return
	}
	r.ask(o, c)
}

// usedBy is the open that a request is about: of the handle at a place, or the one
// that the request before it in the same message opens. A handle of before is one
// without a name.
func (r *smbReader) usedBy(o *Observer, side int, body []byte, at int) uint32 {
	s := &r.Side[side]
	if len(body) < at+16 {
		return 0
	}
	h := smbHandle{binary.LittleEndian.Uint64(body[at:]), binary.LittleEndian.Uint64(body[at+8:])}
	switch {
	case h == anyHandle:
		return s.Open
	case r.Handles[h] != 0:
		s.Open = r.Handles[h]
	default:
		s.Open, _ = r.open(o, s.Tree, s.Session, "", &s.From)
		r.bind(o, s.Open, h)
	}
	return s.Open
}

// setInfo tells what a SET_INFO about a file would do.
func setInfo(class uint8, b []byte) (would uint8, name string, n int64) {
	le := binary.LittleEndian
	switch {
	case (class == fileRename || class == fileRenameEx) && len(b) >= 20:
		return didRename, fileName(wideText(b, 20, int(le.Uint32(b[16:])))), 0
	case (class == fileDisposition || class == fileDispositionEx) && len(b) > 0 && b[0]&1 != 0:
		return didDelete, "", 0
	case class == fileEndOfFile && len(b) >= 8:
		return didWrite, "", int64(le.Uint64(b))
	}
	return 0, "", 0
}

// smb2Answer reads an answer.
func (r *smbReader) smb2Answer(o *Observer, side int, b []byte, command uint16, status uint32, id, session uint64) {
	if status == statusPending {
		return
	}
	from := &r.Side[side].From
	le := binary.LittleEndian
	body := b[smb2Header:]
	if command == smb2Negotiate && len(body) >= 60 {
		switch d := le.Uint16(body[4:]); {
		case d>>8 == 3:
			r.Version = tables.FileSMB3
		case d>>8 == 2:
			r.Version = tables.FileSMB2
		}
		r.authenticate(o, side, part(b, int(le.Uint16(body[56:])), int(le.Uint16(body[58:]))), from)
		return
	}
	c, known := r.answered(id, command)
	if command == smb2SessionSetup && len(body) >= 8 {
		r.authenticate(o, side, part(b, int(le.Uint16(body[4:])), int(le.Uint16(body[6:]))), from)
	}
	if command == smb2SessionSetup {
		r.loggedIn(o, session, status)
	}
	if !known {
		return
	}
	f := r.Opens[c.Open]
	if command == smb2TreeConnect {
		if !ntFailed(status) {
			r.tree(le.Uint32(b[36:]), c.Text)
		}
		return
	}
	if f == nil {
		return
	}
	switch command {
	case smb2Create:
		r.created(o, c.Open, f, status, from, body)
		f.did(c.Would, status, from)
	case smb2Close:
		if len(body) >= 60 && !ntFailed(status) && body[2]&1 != 0 && !f.Folder {
			f.Row.Size = tables.Some(int64(le.Uint64(body[48:])))
		}
		f.Row.TSEnd = max(f.Row.TSEnd, tables.TimeOf(from.TS))
		r.close(o, c.Open)
	case smb2Read:
		if status == statusEndOfFile {
			f.did(didRead, 0, from)
		} else if f.did(didRead, status, from); !ntFailed(status) && len(body) >= 8 {
			n := int(le.Uint32(body[4:]))
			f.Row.BytesRead.V += int64(n)
			r.piped(o, c.Open, 1, part(b, int(body[2]), n), n, from)
		}
	case smb2Write:
		if f.did(didWrite, status, from); !ntFailed(status) && len(body) >= 8 {
			f.wrote(c.Number, int64(le.Uint32(body[4:])))
		}
	case smb2IOCTL:
		if !ntFailed(status) && len(body) >= 40 && le.Uint32(body[4:]) == smb2PipeTransceive {
			n := int(le.Uint32(body[36:]))
			r.piped(o, c.Open, 1, part(b, int(le.Uint32(body[32:])), n), n, from)
		}
	case smb2QueryDirectory:
		if status == statusNoMoreFiles || status == statusNoSuchFile { // nothing, or nothing more, is to be listed
			status = 0
		}
		f.did(c.Would, status, from)
	case smb2SetInfo:
		r.changed(f, &c, status, from)
	}
}

// created reads the answer to a CREATE.
func (r *smbReader) created(o *Observer, n uint32, f *smbOpen, status uint32, from *Origin, body []byte) {
	f.Row.Status = ntStatusName(status)
	f.Row.TSEnd = max(f.Row.TSEnd, tables.TimeOf(from.TS))
	if ntFailed(status) || len(body) < 80 {
		r.close(o, n)
		return
	}
	le := binary.LittleEndian
	if le.Uint32(body[4:]) != 1 { // else it was there
		f.Done |= didCreate
	}
	if f.Folder = le.Uint32(body[56:])&smb2AttributeDirectory != 0; !f.Folder && !f.isPipe() {
		f.Row.Size = tables.Some(int64(le.Uint64(body[48:])))
	}
	r.bind(o, n, smbHandle{le.Uint64(body[64:]), le.Uint64(body[72:])})
}

// changed notes what a change of what is known about a file came to.
func (r *smbReader) changed(f *smbOpen, c *smbCall, status uint32, from *Origin) {
	if c.Would == 0 {
		return
	}
	f.did(c.Would, status, from)
	switch {
	case ntFailed(status):
	case c.Would == didRename:
		r.rename(f, c.Text)
	case c.Would == didWrite:
		f.Row.Size = tables.Some(c.Number)
	}
}

// wrote counts bytes.
func (f *smbOpen) wrote(at, n int64) {
	f.Row.BytesWritten.V += n
	if f.Row.Size.Set && at >= 0 {
		f.Row.Size.V = max(f.Row.Size.V, at+n)
	}
}

// sealed counts an encrypted message: what is in it nobody sees.
func (r *smbReader) sealed(o *Observer, side int, b []byte) {
	if len(b) < smb2Transform {
		return
	}
	s := &r.Side[side]
	o.finding.Encrypted = true
	if r.Sealed == nil {
		row := r.Of.file(&s.From, r.Version)
		row.Protocol, row.Action, row.Username = tables.FileSMB3, tables.FileSealed, r.user(binary.LittleEndian.Uint64(b[44:]))
		row.BytesRead, row.BytesWritten = tables.Some(int64(0)), tables.Some(int64(0))
		r.Sealed = &row
	}
	n := int64(binary.LittleEndian.Uint32(b[36:]))
	if side == 0 {
		r.Sealed.BytesWritten.V += n
	} else {
		r.Sealed.BytesRead.V += n
	}
	r.Sealed.TSEnd = max(r.Sealed.TSEnd, tables.TimeOf(s.From.TS))
}
