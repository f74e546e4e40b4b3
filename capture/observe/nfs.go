package observe

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
)

// Files over NFS version 3 (RFC 1813), in ONC RPC (RFC 5531) over UDP and TCP. There is no open: what is read and
// written is a handle, whose name was in an answer before (LOOKUP, CREATE, READDIRPLUS, or MNT of the mount protocol),
// perhaps in another conversation. A row is what a user did with a file until it was left alone for a while.

const (
	portNFS = 2049

	programNFS   = 100003
	programMount = 100005

	// maxHandles have their names remembered, for handleLife after they were used.
	maxHandles = 65536
	handleLife = 3600e9
	// maxONCCalls wait for their answer, each for oncCallLife.
	maxONCCalls = 16384
	oncCallLife = 60e9
	// maxUses are files that are in use at a time; one that was left alone for useLife is written.
	maxUses = 16384
	useLife = 60e9
	// maxRecord of ONC RPC, and how much of one is looked at: of a list of names, of anything else.
	maxONCRecord = 16 << 20
	maxONCList   = 32 << 10
	maxONCHead   = 2048
	// maxDepth is how many folders stand in a path, each with a name of at most maxNFSName bytes: file systems know
	// none that is longer.
	maxDepth   = 32
	maxNFSName = 512
)

// serviceNFS is the word for it in the column service.
const serviceNFS = "nfs"

// Procedures of NFS, and of the mount protocol.
const (
	nfsLookup      = 3
	nfsRead        = 6
	nfsWrite       = 7
	nfsCreate      = 8
	nfsMkdir       = 9
	nfsSymlink     = 10
	nfsMknod       = 11
	nfsRemove      = 12
	nfsRmdir       = 13
	nfsRename      = 14
	nfsReaddir     = 16
	nfsReaddirplus = 17

	mountMnt = 1

	nfsNoEntry = 2
)

// nfsErrors are files.status by number (RFC 1813 section 2.6).
var nfsErrors = map[uint32]string{0: "NFS3_OK", 1: "NFS3ERR_PERM", 2: "NFS3ERR_NOENT", 5: "NFS3ERR_IO", 6: "NFS3ERR_NXIO", 13: "NFS3ERR_ACCES", 17: "NFS3ERR_EXIST",
	18: "NFS3ERR_XDEV", 19: "NFS3ERR_NODEV", 20: "NFS3ERR_NOTDIR", 21: "NFS3ERR_ISDIR", 22: "NFS3ERR_INVAL", 27: "NFS3ERR_FBIG", 28: "NFS3ERR_NOSPC",
	30: "NFS3ERR_ROFS", 31: "NFS3ERR_MLINK", 63: "NFS3ERR_NAMETOOLONG", 66: "NFS3ERR_NOTEMPTY", 69: "NFS3ERR_DQUOT", 70: "NFS3ERR_STALE", 71: "NFS3ERR_REMOTE",
	10001: "NFS3ERR_BADHANDLE", 10002: "NFS3ERR_NOT_SYNC", 10003: "NFS3ERR_BAD_COOKIE", 10004: "NFS3ERR_NOTSUPP", 10005: "NFS3ERR_TOOSMALL",
	10006: "NFS3ERR_SERVERFAULT", 10007: "NFS3ERR_BADTYPE", 10008: "NFS3ERR_JUKEBOX"}

// nfsHandle is a server's handle of a file; of none it is the zero.
type nfsHandle struct {
	Site   string
	Server tables.Addr
	Hash   [16]byte
}

// nfsName is where a file is.
type nfsName struct {
	Folder nfsHandle // of none: it is a share
	Name   string
}

// oncCall says which call an answer is of.
type oncCall struct {
	Conn tables.ID
	XID  uint32
}

// nfsCall is a call that waits for its answer.
type nfsCall struct {
	Program, Procedure uint32
	User               string
	File, To           nfsHandle // the folder, of what is done by name
	Name, NewName      string
	From               Origin
}

// nfsUse is who uses a file.
type nfsUse struct {
	Conn tables.ID
	File nfsHandle
	User string
}

// handle takes a file's handle.
func (r *bytesReader) handle(of *Peers) (h nfsHandle) {
	if b := r.opaque(64); r.ok && len(b) > 0 {
		h = nfsHandle{of.Site, of.Server, xxh3.Hash128(b).Bytes()}
	}
	return h
}

// opaque takes bytes of a length that stands before them, at most n.
func (r *bytesReader) opaque(n int) []byte {
	size := int(r.number(4))
	if size > n {
		r.ok = false
		return nil
	}
	b := r.take(size)
	r.take(-size & 3)
	return b
}

// attributes takes those that may follow, and returns the size in them.
func (r *bytesReader) attributes() (size tables.Opt[int64]) {
	if r.number(4) == 0 {
		return size
	}
	if b := r.take(84); b != nil {
		size = tables.Some(int64(binary.BigEndian.Uint64(b[20:])))
	}
	return size
}

// beginsONC tells whether bytes are a call of a program that is read, behind the length of a record.
func beginsONC(b []byte) kind {
	if b[0] != 0x80 || len(b) > 1 && b[1] != 0 {
		return unknown
	}
	const head = "\x00\x00\x00\x00\x00\x00\x00\x02\x00\x01\x86"
	switch {
	case len(b) > 8 && !begins(b[8:], head):
		return unknown
	case len(b) < 24:
		return undecided
	case isONCCall(b[4:]):
		return oncCalls
	}
	return unknown
}

// isONCCall recognises a call of version 3 of NFS and of the mount protocol.
func isONCCall(b []byte) bool {
	if len(b) < 20 || binary.BigEndian.Uint64(b[4:]) != 2 || binary.BigEndian.Uint32(b[16:]) != 3 {
		return false
	}
	program := binary.BigEndian.Uint32(b[12:])
	return program == programNFS || program == programMount
}

// BeginsONC recognises a call in a datagram, whatever its port.
func BeginsONC(b []byte) bool { return isONCCall(b) }

// xid is the number of a message, which its answer has as well.
func xid(b []byte) uint32 {
	if len(b) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}

// nfsReader reads the records of a conversation over TCP.
type nfsReader struct {
	Of   Peers
	Side [2]nfsSide
	Done bool
}

// nfsSide is where a direction is.
type nfsSide struct {
	Skip int64 // bytes of the record that are not looked at
	More bool  // what follows belongs to the record before
	Lost bool  // until a record begins with a packet
}

func (r *nfsReader) over() bool      { return r.Done }
func (r *nfsReader) opens() bool     { return false }
func (r *nfsReader) holds() int      { return 256 }
func (r *nfsReader) end(o *Observer) { r.Done = true }

func (r *nfsReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	s, all := &r.Side[side], len(b)
	if s.Lost {
		if len(b) < 16 || b[0]&0x80 == 0 || binary.BigEndian.Uint32(b[8:]) > 1 || side == 0 && !isONCCall(b[4:]) || side == 1 && o.calls.get(oncCall{r.Of.Conn, binary.BigEndian.Uint32(b[4:])}) == nil {
			return all
		}
		s.Lost = false
	}
	for {
		n := min(s.Skip, int64(len(b)))
		b, s.Skip = b[n:], s.Skip-n
		if len(b) < 4 {
			return all - len(b)
		}
		mark := binary.BigEndian.Uint32(b)
		size := int(mark &^ (1 << 31))
		if size > maxONCRecord {
			o.stats.Malformed++
			r.lose(side)
			return all
		}
		head := min(size, maxONCHead)
		if head >= 8 && !s.More {
			if len(b) < 12 {
				return all - len(b)
			}
			if c := o.calls.get(oncCall{r.Of.Conn, binary.BigEndian.Uint32(b[4:])}); side == 1 && c != nil && c.Procedure == nfsReaddirplus {
				head = min(size, maxONCList)
			}
		}
		if len(b) < 4+head {
			return all - len(b)
		}
		if !s.More {
			o.onc(&r.Of, side, b[4:4+head], from)
		}
		b = b[4+head:]
		s.Skip, s.More = int64(size-head), mark>>31 == 0
	}
}

func (r *nfsReader) lose(side int) { r.Side[side] = nfsSide{Lost: true} }

func (r *nfsReader) lack(o *Observer, side int, rest []byte, n int) {
	if s := &r.Side[side]; len(rest) == 0 && int64(n) <= s.Skip {
		s.Skip -= int64(n)
	} else if !s.Lost {
		r.lose(side)
	}
}

// observeNFS reads a datagram.
func (o *Observer) observeNFS(p *Packet) Finding {
	of, from := p.peers(), p.origin()
	o.finding = Finding{}
	o.onc(&of, p.side(), p.Payload, &from)
	return o.finding
}

// onc reads a message of ONC RPC, or what is there of it.
func (o *Observer) onc(of *Peers, side int, b []byte, from *Origin) {
	o.calls.expire(from.TS, nil)
	o.uses.expire(from.TS, o.used)
	o.handles.expire(from.TS, nil)
	r := bytesReader{b, true}
	key := oncCall{of.Conn, r.number(4)}
	switch kind := r.number(4); {
	case !r.ok:
	case kind == 0 && side == 0 && isONCCall(b):
		o.finding.Service = serviceNFS
		if c := oncArguments(of, &r, from); c.Program != 0 && o.calls.get(key) == nil && o.calls.put(key, c, from.TS, nil) {
			o.stats.Evicted++
		}
	case kind == 1 && side == 1:
		c := o.calls.get(key)
		if c == nil {
			return
		}
		call := *c
		o.calls.remove(key)
		accepted := r.number(4) == 0
		r.take(4)
		r.opaque(400)
		if done := r.number(4) == 0; accepted && done && r.ok {
			o.nfsAnswer(of, &call, &r, from)
		}
	}
}

// oncArguments reads a call; one that is of no interest, or encrypted, has no program.
func oncArguments(of *Peers, r *bytesReader, from *Origin) (c nfsCall) {
	r.take(4)
	program := r.number(4)
	r.take(4)
	c.Procedure, c.From = r.number(4), *from
	flavor := r.number(4)
	cred := bytesReader{r.opaque(400), r.ok}
	r.take(4)
	r.opaque(400)
	switch flavor {
	case 0:
	case 1: // AUTH_SYS
		cred.take(4)
		cred.opaque(255)
		if uid := cred.number(4); cred.ok {
			c.User = strconv.FormatUint(uint64(uid), 10)
		}
	default:
		return c
	}
	if program == programMount {
		if c.Procedure != mountMnt {
			return c
		}
		c.Name = plainText(r.opaque(1024), maxNFSName)
	} else {
		switch c.Procedure {
		case nfsRead, nfsWrite, nfsReaddir, nfsReaddirplus:
			c.File = r.handle(of)
		case nfsLookup, nfsCreate, nfsMkdir, nfsSymlink, nfsMknod, nfsRemove, nfsRmdir, nfsRename:
			c.File = r.handle(of)
			c.Name = plainText(r.opaque(1024), maxNFSName)
			if c.Procedure == nfsRename {
				c.To = r.handle(of)
				c.NewName = plainText(r.opaque(1024), maxNFSName)
			}
		default:
			return c
		}
	}
	if r.ok {
		c.Program = program
	}
	return c
}

// nfsLearn notes where the file of a handle is.
func (o *Observer) nfsLearn(h, folder nfsHandle, name string, ts int64) {
	if h == (nfsHandle{}) || name == "" || name == "." || name == ".." || h == folder {
		return
	}
	if n := o.handles.renew(h, ts); n != nil {
		*n = nfsName{folder, name}
	} else if o.handles.put(h, nfsName{folder, name}, ts, nil) {
		o.stats.Evicted++
	}
}

// nfsAnswer reads the answer to a call.
func (o *Observer) nfsAnswer(of *Peers, c *nfsCall, r *bytesReader, from *Origin) {
	status := r.number(4)
	if !r.ok {
		return
	}
	if c.Program == programMount {
		if status == 0 {
			o.nfsLearn(r.handle(of), nfsHandle{}, cmp.Or(strings.TrimRight(c.Name, "/"), "/"), from.TS)
		}
		return
	}
	word := nfsErrors[status]
	if word == "" {
		word = fmt.Sprint("NFS3ERR_", status)
	}
	switch c.Procedure {
	case nfsLookup:
		if status == 0 {
			o.nfsLearn(r.handle(of), c.File, c.Name, from.TS)
		} else if status != nfsNoEntry { // which is how one looks whether a name is free
			o.nfsByName(of, c, tables.FileOpened, word, from)
		}
	case nfsRead:
		f := o.use(of, c, c.File, tables.FileRead, word, from)
		if size := r.attributes(); size.Set {
			f.Size = size
		}
		if n := r.number(4); status == 0 && r.ok {
			f.BytesRead.V += int64(n)
		}
	case nfsWrite:
		f := o.use(of, c, c.File, tables.FileWritten, word, from)
		if r.number(4) != 0 {
			r.take(24)
		}
		if size := r.attributes(); size.Set {
			f.Size = size
		}
		if n := r.number(4); status == 0 && r.ok {
			f.BytesWritten.V += int64(n)
		}
	case nfsCreate, nfsMkdir, nfsSymlink, nfsMknod:
		var h nfsHandle
		if status == 0 && r.number(4) != 0 {
			h = r.handle(of)
		}
		if o.nfsLearn(h, c.File, c.Name, from.TS); c.Procedure == nfsCreate && h != (nfsHandle{}) {
			o.use(of, c, h, tables.FileCreated, word, from) // what is written next belongs to it
		} else {
			o.nfsByName(of, c, tables.FileCreated, word, from)
		}
	case nfsRemove, nfsRmdir:
		o.nfsByName(of, c, tables.FileDeleted, word, from)
	case nfsRename:
		o.nfsByName(of, c, tables.FileRenamed, word, from)
	case nfsReaddir, nfsReaddirplus:
		o.use(of, c, c.File, tables.FileListed, word, from)
		if status == 0 && c.Procedure == nfsReaddirplus {
			r.attributes()
			r.take(8)
			for r.ok && r.number(4) != 0 {
				r.take(8)
				name := plainText(r.opaque(1024), maxNFSName)
				r.take(8)
				r.attributes()
				if r.number(4) != 0 {
					h := r.handle(of)
					o.nfsLearn(h, c.File, name, from.TS)
				}
			}
		}
	}
}

// nfsRow begins the row of a call.
func (o *Observer) nfsRow(of *Peers, c *nfsCall, action, status string, from *Origin) tables.File {
	f := of.file(&c.From, tables.FileNFS3)
	f.TSEnd, f.Action, f.Status, f.Username = tables.TimeOf(from.TS), action, status, c.User
	f.BytesRead, f.BytesWritten = tables.Some(int64(0)), tables.Some(int64(0))
	return f
}

// use is the row of a file that is used.
func (o *Observer) use(of *Peers, c *nfsCall, h nfsHandle, action, status string, from *Origin) *tables.File {
	key := nfsUse{of.Conn, h, c.User}
	f := o.uses.renew(key, from.TS)
	if f == nil {
		row := o.nfsRow(of, c, action, status, from)
		row.Share, row.Name = o.path(h, from.TS)
		var evicted bool
		if f, evicted = o.uses.add(key, row, from.TS, o.used); evicted {
			o.stats.Evicted++
		}
	}
	f.TSEnd = max(f.TSEnd, tables.TimeOf(from.TS))
	if f.Name == "" || f.Name == "." {
		f.Share, f.Name = o.path(h, from.TS)
	}
	if order := tables.FileActions; slices.Index(order, action) > slices.Index(order, f.Action) {
		f.Action = action
	}
	if f.Status == nfsErrors[0] {
		f.Status = status
	}
	return f
}

// used writes it.
func (o *Observer) used(f *tables.File) { o.write(f) }

// nfsByName writes what was done to a name in a folder.
func (o *Observer) nfsByName(of *Peers, c *nfsCall, action, status string, from *Origin) {
	f := o.nfsRow(of, c, action, status, from)
	f.Share, f.Name = o.below(c.File, c.Name, from.TS)
	if c.NewName != "" {
		_, f.NewName = o.below(c.To, c.NewName, from.TS)
	}
	o.write(&f)
}

// below is a name in a folder, from the share on as far as it is known.
func (o *Observer) below(folder nfsHandle, name string, ts int64) (share, path string) {
	share, path = o.path(folder, ts)
	if path != "" && path != "." {
		name = path + "/" + name
	}
	return share, cutText(name, maxPath)
}

// path is where a file is, as far as it is known; the folder that was mounted is ".".
func (o *Observer) path(h nfsHandle, ts int64) (share, path string) {
	var names []string // the innermost first
	for range maxDepth {
		n := o.handles.renew(h, ts)
		if n == nil {
			break
		}
		if n.Folder == (nfsHandle{}) {
			share = tables.FoldCase(n.Name)
			break
		}
		names, h = append(names, n.Name), n.Folder
	}
	if share != "" && len(names) == 0 {
		return share, "."
	}
	slices.Reverse(names)
	return share, cutText(strings.Join(names, "/"), maxPath)
}
