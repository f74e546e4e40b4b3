package observe

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// SMB ([MS-SMB2], [MS-CIFS], [MS-SMB]) in the messages of NetBIOS' session service
// (RFC 1002 section 4.3), which on port 445 are what is left of it: what was done to
// which file. Of what is read and written only the length is noted.

const (
	// maxOpens, maxCalls, maxTrees and maxSessions bound what a conversation has at a
	// time: opens, requests that wait for an answer, shares and users.
	maxOpens    = 4096
	maxCalls    = 512
	maxTrees    = 256
	maxSessions = 64
	// maxPath is the length of a name, maxShare that of a share's.
	maxPath  = 1024
	maxShare = 255
	// smbHead is how much of a message is read, smbDataHead of one that has data of a
	// file or pipe: the rest is passed over.
	smbHead     = 32 << 10
	smbDataHead = 8 << 10

	nbssMessage   = 0
	nbssRequest   = 0x81
	nbssKeepAlive = 0x85
)

// smbReader reads a conversation in any version.
type smbReader struct {
	Of      Peers
	Side    [2]smbSide
	Version string // as in files.protocol
	Logon   logon  // that is under way
	// The oldest stands first in each.
	Users []smbUser
	Trees []smbTree
	Calls []smbCall
	// Opens are numbered from 1; Handles finds them by what the server calls them.
	Opens       map[uint32]*smbOpen
	Handles     map[smbHandle]uint32
	First, Last uint32
	// Sealed is of what is encrypted.
	Sealed *tables.File
	Done   bool
	text   int // bytes of names
}

// smbSide is where a direction is.
type smbSide struct {
	Left  int // bytes left of the message
	Skip  int // of them, bytes that nobody wants
	Lost  bool
	From  Origin
	Begun bool // From is where what is read next begins
	// What went before in the same message, of which the next may be about.
	Session uint64
	Tree    uint32
	Open    uint32
}

type smbHandle [2]uint64

type smbUser struct {
	ID   uint64
	Name string
}

type smbTree struct {
	ID   uint32
	Name string
}

// smbOpen is a file that is open, or asked for.
type smbOpen struct {
	Row    tables.File
	Handle smbHandle
	User   uint64 // the session
	Done   uint8  // what was: a bit for each of tables.FileActions
	Opened bool   // the server said so
	Folder bool
	Pipe   *rpcSession // what is called through it, if it is a pipe
}

// Bits of smbOpen.Done, in the order of tables.FileActions.
const (
	didOpen = 1 << iota
	didList
	didRead
	didCreate
	didWrite
	didRename
	didDelete
)

// smbCall is a request that waits for its answer.
type smbCall struct {
	ID      uint64
	Command uint16
	Open    uint32
	Text    string // a share, a new name
	Would   uint8  // what is done when it succeeds, see smbOpen.Done
	Number  int64
	From    Origin
}

// beginsSMB recognises a message: its length, then one of four marks. One of 139
// begins with a request for a session.
func beginsSMB(b []byte) kind {
	switch {
	case b[0] == nbssRequest && begins(b, "\x81\x00\x00\x44\x20"):
		if len(b) < 5 {
			return undecided
		}
		return smbMessage
	case b[0] != nbssMessage || len(b) > 4 && b[4] < 0xfc || len(b) > 5 && !begins(b[5:], "SMB"):
		return unknown
	case len(b) < 8:
		return undecided
	}
	return smbMessage
}

func newSMBReader(of *Peers) *smbReader {
	return &smbReader{Of: *of, Opens: map[uint32]*smbOpen{}, Handles: map[smbHandle]uint32{}, First: 1}
}

func (r *smbReader) over() bool { return r.Done }

func (r *smbReader) opens() bool { return false }

func (r *smbReader) holds() int {
	return 2048 + r.text + 512*len(r.Opens) + 128*len(r.Calls) + 64*(len(r.Trees)+len(r.Users))
}

func (r *smbReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	s := &r.Side[side]
	for {
		rest := b[used:]
		switch {
		case s.Lost:
			if len(rest) == 0 || beginsSMB(rest) != smbMessage {
				return len(b)
			}
			s.Lost = false
		case s.Skip > 0:
			n := min(s.Skip, len(rest))
			used, s.Skip, s.Left = used+n, s.Skip-n, s.Left-n
			if s.Skip > 0 {
				return used
			}
		case s.Left == 0:
			if len(rest) < 4 {
				return used
			}
			n := int(binary.BigEndian.Uint32(rest)) & 0xffffff
			used += 4
			switch {
			case rest[0] == nbssMessage:
				*s = smbSide{Left: n}
			case rest[0] >= nbssRequest && rest[0] <= nbssKeepAlive:
				*s = smbSide{Left: n, Skip: n}
			default:
				o.stats.Malformed++
				*s = smbSide{Lost: true}
				return len(b)
			}
		default:
			if !s.Begun {
				s.From, s.Begun = *from, true
			}
			need, length := smbLength(rest, s.Left)
			if len(rest) < need {
				return used
			}
			r.message(o, side, rest[:min(len(rest), length)], length)
			s.Skip, s.Begun = length, false
		}
	}
}

// smbLength is how many of the bytes left of a message are one command, and how many
// of these must be there.
func smbLength(b []byte, left int) (need, length int) {
	length = left
	if len(b) < 4 {
		return min(4, left), left
	}
	head := smbHead
	switch b[0] {
	case 0xfe:
		if need = min(smb2Header, left); len(b) < need {
			return need, left
		}
		if len(b) >= smb2Header {
			if next := int(binary.LittleEndian.Uint32(b[20:])); next >= smb2Header && next < left {
				length = next
			}
			if c := binary.LittleEndian.Uint16(b[12:]); c == smb2Read || c == smb2Write || c == smb2IOCTL {
				head = smbDataHead
			}
		}
	case 0xff:
		if len(b) > 4 && (b[4] == smb1ReadAndX || b[4] == smb1WriteAndX) {
			head = smbDataHead
		}
	default:
		head = smb2Transform
	}
	return min(length, head), length
}

// message reads a command, of which b is there.
func (r *smbReader) message(o *Observer, side int, b []byte, length int) {
	if len(b) < 4 || string(b[1:4]) != "SMB" {
		return
	}
	switch b[0] {
	case 0xfe:
		if len(b) >= smb2Header {
			r.smb2(o, side, b)
		}
	case 0xfd:
		r.sealed(o, side, b)
	case 0xff:
		if len(b) >= smb1Header {
			r.smb1(o, side, b)
		}
	}
}

// lack: what is missing of data is passed over.
func (r *smbReader) lack(o *Observer, side int, rest []byte, n int) {
	s := &r.Side[side]
	if r.Done || s.Lost {
		return
	}
	if s.Skip > 0 && n <= s.Skip {
		s.Skip, s.Left = s.Skip-n, s.Left-n
		return
	}
	if s.Skip == 0 && s.Left > 0 && len(rest) > 0 { // what there is of a command
		_, length := smbLength(rest, s.Left)
		r.message(o, side, rest[:min(len(rest), length)], length)
		if n += len(rest); n <= length {
			s.Skip, s.Left, s.Begun = length-n, s.Left-n, false
			return
		}
	}
	*s = smbSide{Lost: true}
}

// end writes what was not closed.
func (r *smbReader) end(o *Observer) {
	r.Done = true
	r.Logon.settle(o, tables.LoginUnknown, "")
	for ; r.First <= r.Last && len(r.Opens) > 0; r.First++ {
		if f := r.Opens[r.First]; f != nil {
			r.close(o, r.First)
		}
	}
	if r.Sealed != nil {
		o.write(r.Sealed)
		r.Sealed = nil
	}
}

// open notes a file that is asked for, or used.
func (r *smbReader) open(o *Observer, tree uint32, session uint64, name string, from *Origin) (n uint32, f *smbOpen) {
	for len(r.Opens) >= maxOpens {
		if r.Opens[r.First] != nil {
			o.stats.Evicted++
			r.close(o, r.First)
		}
		r.First++
	}
	r.Last++
	f = &smbOpen{User: session, Done: didOpen, Row: r.Of.file(from, r.Version)}
	f.Row.Share, f.Row.Name = r.share(tree), name
	f.Row.BytesRead, f.Row.BytesWritten = tables.Some(int64(0)), tables.Some(int64(0))
	r.Opens[r.Last] = f
	r.text += len(name)
	return r.Last, f
}

// bind has the server's handle stand for an open; one of before that had the same is
// over.
func (r *smbReader) bind(o *Observer, n uint32, h smbHandle) {
	if old := r.Handles[h]; old != 0 && old != n {
		r.close(o, old)
	}
	if f := r.Opens[n]; f != nil {
		f.Handle, f.Opened = h, true
		r.Handles[h] = n
	}
}

// close writes an open's row and forgets it.
func (r *smbReader) close(o *Observer, n uint32) {
	f := r.Opens[n]
	if f == nil {
		return
	}
	delete(r.Opens, n)
	if r.Handles[f.Handle] == n {
		delete(r.Handles, f.Handle)
	}
	r.text -= len(f.Row.Name) + len(f.Row.NewName)
	if f.Pipe != nil {
		r.text -= f.Pipe.holds()
		f.Pipe.end(o)
	}
	for i, action := range tables.FileActions {
		if f.Done&(1<<i) != 0 {
			f.Row.Action = action
		}
	}
	f.Row.Username = r.user(f.User)
	o.write(&f.Row)
}

// ask notes a request.
func (r *smbReader) ask(o *Observer, c smbCall) {
	if len(r.Calls) >= maxCalls {
		o.stats.Evicted++
		r.text -= len(r.Calls[0].Text)
		r.Calls = r.Calls[1:]
	}
	r.text += len(c.Text)
	r.Calls = append(r.Calls, c)
}

// answered takes out the request of an answer.
func (r *smbReader) answered(id uint64, command uint16) (c smbCall, ok bool) {
	for i := range r.Calls {
		if a := &r.Calls[i]; a.ID != id || a.Command != command {
			continue
		}
		c = r.Calls[i]
		r.text -= len(c.Text)
		if i == 0 {
			r.Calls = r.Calls[1:]
		} else {
			r.Calls = slices.Delete(r.Calls, i, i+1)
		}
		return c, true
	}
	return c, false
}

// did notes that something was done to an open file, or that it was refused.
func (f *smbOpen) did(what uint8, status uint32, from *Origin) {
	f.Row.TSEnd = max(f.Row.TSEnd, tables.TimeOf(from.TS))
	if ntFailed(status) {
		f.Row.Status = ntStatusName(status)
		return
	}
	f.Done |= what
}

// rename notes the new name of a file that is open.
func (r *smbReader) rename(f *smbOpen, name string) {
	r.text += len(name) - len(f.Row.NewName)
	f.Row.NewName = name
}

// session notes who logged in.
func (r *smbReader) session(id uint64, name string) {
	for i := range r.Users {
		if r.Users[i].ID == id {
			r.Users[i].Name = name
			return
		}
	}
	if len(r.Users) >= maxSessions {
		r.Users = r.Users[1:]
	}
	r.Users = append(r.Users, smbUser{id, name})
}

func (r *smbReader) user(id uint64) string {
	for i := range r.Users {
		if r.Users[i].ID == id {
			return r.Users[i].Name
		}
	}
	return ""
}

// tree notes a share that was connected to.
func (r *smbReader) tree(id uint32, name string) {
	for i := range r.Trees {
		if r.Trees[i].ID == id {
			r.Trees[i].Name = name
			return
		}
	}
	if len(r.Trees) >= maxTrees {
		r.Trees = r.Trees[1:]
	}
	r.Trees = append(r.Trees, smbTree{id, name})
}

func (r *smbReader) share(id uint32) string {
	for i := range r.Trees {
		if r.Trees[i].ID == id {
			return r.Trees[i].Name
		}
	}
	return ""
}

// piped reads what is written to a pipe or read from it, of which b is there.
func (r *smbReader) piped(o *Observer, n uint32, side int, b []byte, length int, from *Origin) {
	f := r.Opens[n]
	switch {
	case f == nil, f.Pipe == nil && !isRPC(b), !f.isPipe() && f.Row.Share != "":
		return
	case f.Pipe == nil:
		f.Pipe = &rpcSession{}
	default:
		r.text -= f.Pipe.holds()
	}
	f.Pipe.written(o, rpcCaller{&r.Of, tables.FoldCase(f.Row.Name), r.user(f.User)}, side, b, length, from)
	r.text += f.Pipe.holds()
}

// isPipe tells of an open that it is of a named pipe.
func (f *smbOpen) isPipe() bool { return f.Row.Share == "ipc$" }

// shareName is the share of \\server\share.
func shareName(path string) string {
	path = path[strings.LastIndexByte(path, '\\')+1:]
	return cutText(tables.FoldCase(path), maxShare)
}

// fileName is a path below a share.
func fileName(path string) string {
	path = strings.TrimLeft(strings.TrimRight(path, "\x00"), `\`)
	if path == "" {
		return `\`
	}
	return cutText(path, maxPath)
}

// part is n bytes at an offset, as far as they are there.
func part(b []byte, at, n int) []byte {
	if at < 0 || at > len(b) || n < 0 {
		return nil
	}
	return b[at:min(len(b), at+n)]
}

// wideText is a name in UTF-16 at an offset, as far as a column has it.
func wideText(b []byte, at, n int) string { return utf16Text(part(b, at, min(n, 2*maxPath+2))) }

// authenticate reads a token of GSS of a login that is under way.
func (r *smbReader) authenticate(o *Observer, side int, token []byte, from *Origin) {
	r.Logon.token(o, &r.Of, side, token, from)
}

// loggedIn notes what became of a login, and whose the session is.
func (r *smbReader) loggedIn(o *Observer, session uint64, status uint32) {
	if name := tables.FoldCase(r.Logon.Row.Username); r.Logon.Shown && !ntFailed(status) {
		r.session(session, name)
	}
	r.Logon.status(o, status)
}
