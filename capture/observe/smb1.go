package observe

import (
	"bytes"
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// Commands, and what else is read of [MS-CIFS].
const (
	smb1Header = 32

	smb1CreateDirectory = 0x00
	smb1DeleteDirectory = 0x01
	smb1Open            = 0x02
	smb1Create          = 0x03
	smb1Close           = 0x04
	smb1Delete          = 0x06
	smb1Rename          = 0x07
	smb1Read            = 0x0a
	smb1Write           = 0x0b
	smb1Transaction     = 0x25
	smb1OpenAndX        = 0x2d
	smb1ReadAndX        = 0x2e
	smb1WriteAndX       = 0x2f
	smb1Transaction2    = 0x32
	smb1SessionSetup    = 0x73
	smb1TreeConnect     = 0x75
	smb1CreateAndX      = 0xa2
	smb1NTRename        = 0xa5
	smb1LogoffAndX      = 0x74
	smb1LockingAndX     = 0x24

	smb1FindFirst   = 1 // of TRANSACTION2
	smb1SetPathInfo = 6
	smb1SetFileInfo = 8
	smb1PipeCall    = 0x26 // of TRANSACTION

	// maxAndX bounds the commands of a message.
	maxAndX = 8
)

// smb1Block is a command of a message.
type smb1Block struct {
	all     []byte // from the header on
	words   []byte
	data    []byte // what follows the words
	at      int    // where data begins
	unicode bool
	id      uint64
	tree    uint32
	session uint64
	status  uint32
}

// smb1 reads a message: a command, and those that go with it.
func (r *smbReader) smb1(o *Observer, side int, b []byte) {
	le := binary.LittleEndian
	flags2 := le.Uint16(b[10:])
	block := smb1Block{all: b, unicode: flags2&0x8000 != 0, status: le.Uint32(b[5:]), tree: uint32(le.Uint16(b[24:])),
		session: uint64(le.Uint16(b[28:])), id: uint64(le.Uint16(b[30:])) | uint64(le.Uint16(b[26:]))<<16}
	if flags2&0x4000 == 0 && b[5] != 0 { // an error of DOS
		block.status = 0xc0000000 | uint32(b[5])<<16 | uint32(le.Uint16(b[7:]))
	}
	if r.Version == "" {
		r.Version = tables.FileSMB1
	}
	r.Side[side].Open = 0
	command := b[4]
	for at, n := smb1Header, 0; n < maxAndX && at < len(b); n++ {
		words := 2 * int(b[at])
		block.words = part(b, at+1, words)
		if len(block.words) < words {
			return
		}
		block.at = at + 1 + words + 2
		block.data = part(b, block.at, len(b))
		if b[9]&0x80 == 0 {
			r.smb1Request(o, side, command, &block)
		} else {
			r.smb1Answer(o, side, command, &block)
		}
		switch command {
		case smb1CreateAndX, smb1OpenAndX, smb1ReadAndX, smb1WriteAndX, smb1SessionSetup, smb1TreeConnect, smb1LogoffAndX, smb1LockingAndX:
		default:
			return
		}
		if words < 4 || int(le.Uint16(block.words[2:])) <= at {
			return
		}
		command, at = block.words[0], int(le.Uint16(block.words[2:]))
	}
}

// text reads a string at a place of the data, and where it ends.
func (k *smb1Block) text(at int) (s string, end int) {
	if at > len(k.data) {
		return "", at
	}
	if !k.unicode {
		b, _, _ := bytes.Cut(k.data[at:], []byte{0})
		return plainText(b, maxPath), at + len(b) + 1
	}
	at += (k.at + at) % 2
	for end = at; end+1 < len(k.data) && (k.data[end] != 0 || k.data[end+1] != 0); {
		end += 2
	}
	return wideText(k.data, at, end-at), end + 2
}

// path reads a file's name that has its kind before it.
func (k *smb1Block) path(at int) (s string, end int) {
	s, end = k.text(at + 1)
	return fileName(s), end
}

func (k *smb1Block) word(at int) int {
	if at+2 > len(k.words) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(k.words[at:]))
}

func (k *smb1Block) long(at int) int64 {
	return int64(k.word(at)) | int64(k.word(at+2))<<16
}

// smb1Request reads a request.
func (r *smbReader) smb1Request(o *Observer, side int, command uint8, k *smb1Block) {
	s := &r.Side[side]
	from := &s.From
	c := smbCall{ID: k.id, Command: uint16(command), From: *from}
	begin := func(name string, would uint8) *smbOpen {
		var f *smbOpen
		c.Open, f = r.open(o, k.tree, k.session, name, from)
		c.Would, s.Open = would, c.Open
		return f
	}
	switch command {
	case smb1SessionSetup:
		switch len(k.words) {
		case 24:
			r.authenticate(o, side, part(k.data, 0, k.word(14)), from)
		case 26: // without GSS
			user, end := k.text(k.word(14) + k.word(16))
			domain, _ := k.text(end)
			r.Logon.begin(o, &r.Of, from, tables.LoginSMB)
			r.Logon.Row.Username, r.Logon.Row.Domain, r.Logon.Shown = cutText(user, maxUser), cutText(domain, maxUser), true
		}
	case smb1TreeConnect:
		path, _ := k.text(k.word(6))
		c.Text = shareName(path)
	case smb1CreateAndX:
		name, _ := k.text(0)
		begin(fileName(name), 0)
		if k.long(39)&smb2DeleteOnClose != 0 {
			c.Would = didDelete
		}
	case smb1OpenAndX:
		name, _ := k.text(0)
		begin(fileName(name), 0)
	case smb1Open, smb1Create:
		name, _ := k.path(0)
		begin(name, map[uint8]uint8{smb1Create: didCreate}[command])
	case smb1CreateDirectory, smb1DeleteDirectory, smb1Delete:
		name, _ := k.path(0)
		begin(name, map[uint8]uint8{smb1CreateDirectory: didCreate}[command]|map[uint8]uint8{smb1DeleteDirectory: didDelete, smb1Delete: didDelete}[command])
	case smb1Rename, smb1NTRename:
		name, end := k.path(0)
		begin(name, didRename)
		c.Text, _ = k.path(end)
	case smb1Close, smb1Read:
		c.Open = r.smb1UsedBy(o, side, k, 0)
	case smb1ReadAndX:
		c.Open = r.smb1UsedBy(o, side, k, 4)
	case smb1Write:
		c.Open, c.Number = r.smb1UsedBy(o, side, k, 0), k.long(4)
	case smb1WriteAndX:
		c.Open, c.Number = r.smb1UsedBy(o, side, k, 4), k.long(6)|k.long(24)<<32
		r.piped(o, c.Open, 0, part(k.all, k.word(22), k.word(20)), k.word(20), from)
	case smb1Transaction:
		if k.word(28) != smb1PipeCall {
			return
		}
		c.Open = r.smb1UsedBy(o, side, k, 30)
		r.piped(o, c.Open, 0, part(k.all, k.word(24), k.word(22)), k.word(22), from)
	case smb1Transaction2:
		r.transaction2(o, side, k, &c, begin)
	default:
		return
	}
	r.ask(o, c)
}

// transaction2 reads a TRANSACTION2.
func (r *smbReader) transaction2(o *Observer, side int, k *smb1Block, c *smbCall, begin func(string, uint8) *smbOpen) {
	parameters, data := part(k.all, k.word(20), k.word(18)), part(k.all, k.word(24), k.word(22))
	at := smb1Block{data: parameters, at: k.word(20), unicode: k.unicode}
	switch k.word(28) {
	case smb1FindFirst:
		name, _ := at.text(12)
		begin(fileName(name), didList)
	case smb1SetFileInfo:
		if len(parameters) < 4 {
			return
		}
		level := binary.LittleEndian.Uint16(parameters[2:])
		at.words = parameters
		at.tree, at.session = k.tree, k.session
		c.Open = r.smb1UsedBy(o, side, &at, 0)
		c.Would, c.Text, c.Number = setInfo(smb1Class(level), data)
		if c.Would == didRename && len(data) >= 12 { // [MS-SMB] section 2.2.8.4: as on 32 bits
			c.Text = fileName(wideText(data, 12, int(binary.LittleEndian.Uint32(data[8:]))))
		}
	case smb1SetPathInfo:
		if len(parameters) < 6 {
			return
		}
		if would, text, n := setInfo(smb1Class(binary.LittleEndian.Uint16(parameters)), data); would != 0 {
			name, _ := at.text(6)
			begin(fileName(name), would)
			c.Text, c.Number = text, n
		}
	}
}

// smb1Class is the class of [MS-FSCC] of an information level.
func smb1Class(level uint16) uint8 {
	switch {
	case level == 0x102:
		return fileDisposition
	case level == 0x104:
		return fileEndOfFile
	case level > 1000 && level < 1000+256:
		return uint8(level - 1000)
	}
	return 0
}

// smb1UsedBy is the open that a request is about, or the one that the command before
// it in the same message opens.
func (r *smbReader) smb1UsedBy(o *Observer, side int, k *smb1Block, at int) uint32 {
	s := &r.Side[side]
	fid := k.word(at)
	if fid == 0xffff {
		return s.Open
	}
	h := smbHandle{uint64(fid), 1}
	if n := r.Handles[h]; n != 0 {
		return n
	}
	n, _ := r.open(o, k.tree, k.session, "", &s.From)
	r.bind(o, n, h)
	return n
}

// smb1Answer reads an answer.
func (r *smbReader) smb1Answer(o *Observer, side int, command uint8, k *smb1Block) {
	from := &r.Side[side].From
	failed := ntFailed(k.status)
	if command == smb1SessionSetup && len(k.words) == 8 {
		r.authenticate(o, side, part(k.data, 0, k.word(6)), from)
	}
	if command == smb1SessionSetup {
		r.loggedIn(o, k.session, k.status)
	}
	c, known := r.answered(k.id, uint16(command))
	if !known {
		return
	}
	if command == smb1TreeConnect && !failed {
		r.tree(k.tree, c.Text)
	}
	f := r.Opens[c.Open]
	if f == nil {
		return
	}
	switch command {
	case smb1CreateAndX, smb1OpenAndX, smb1Open, smb1Create:
		r.smb1Created(o, command, &c, f, k, from)
	case smb1CreateDirectory, smb1DeleteDirectory, smb1Delete, smb1Rename, smb1NTRename:
		if f.Row.Status = ntStatusName(k.status); command == smb1Rename || command == smb1NTRename {
			r.changed(f, &c, k.status, from)
		}
		f.did(c.Would, k.status, from)
		r.close(o, c.Open)
	case smb1Close:
		f.did(0, 0, from)
		r.close(o, c.Open)
	case smb1Read:
		if f.did(didRead, k.status, from); !failed {
			f.Row.BytesRead.V += int64(k.word(0))
		}
	case smb1ReadAndX:
		if f.did(didRead, k.status, from); !failed {
			f.Row.BytesRead.V += int64(k.word(10)) | int64(k.word(14))<<16
			r.piped(o, c.Open, 1, part(k.all, k.word(12), k.word(10)), k.word(10), from)
		}
	case smb1Write:
		if f.did(didWrite, k.status, from); !failed {
			f.wrote(c.Number, int64(k.word(0)))
		}
	case smb1WriteAndX:
		if f.did(didWrite, k.status, from); !failed {
			f.wrote(c.Number, int64(k.word(4))|int64(k.word(8))<<16)
		}
	case smb1Transaction:
		r.piped(o, c.Open, 1, part(k.all, k.word(14), k.word(12)), k.word(12), from)
	case smb1Transaction2:
		if c.Would == didList {
			if f.Row.Status = ntStatusName(k.status); k.status == statusNoMoreFiles {
				k.status = 0
			}
		}
		r.changed(f, &c, k.status, from)
		if !f.Opened { // by name
			f.Row.Status = ntStatusName(k.status)
			r.close(o, c.Open)
		}
	}
}

// smb1Created reads the answer to an open.
func (r *smbReader) smb1Created(o *Observer, command uint8, c *smbCall, f *smbOpen, k *smb1Block, from *Origin) {
	f.Row.Status = ntStatusName(k.status)
	if f.did(c.Would, k.status, from); ntFailed(k.status) || len(k.words) < 2 {
		r.close(o, c.Open)
		return
	}
	fid, created := k.word(0), false
	switch command {
	case smb1CreateAndX:
		fid, created, f.Folder = k.word(5), k.long(7) != 1, k.word(43)&smb2AttributeDirectory != 0
		f.Row.Size = tables.Some(k.long(55) | k.long(59)<<32)
	case smb1OpenAndX:
		fid, created = k.word(4), k.word(22)&0xff != 1
		f.Row.Size = tables.Some(k.long(12))
	case smb1Open:
		f.Row.Size = tables.Some(k.long(8))
	}
	if created {
		f.Done |= didCreate
	}
	if f.Folder || f.isPipe() {
		f.Row.Size = tables.Opt[int64]{}
	}
	r.bind(o, c.Open, smbHandle{uint64(fid), 1})
}
