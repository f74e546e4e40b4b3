package observe

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// xdr makes messages of ONC RPC: numbers, texts and bytes of a length.
func xdr(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = binary.BigEndian.AppendUint32(b, uint32(p))
		case int64:
			b = binary.BigEndian.AppendUint64(b, uint64(p))
		case string:
			b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
			b = append(append(b, p...), make([]byte, -len(p)&3)...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

func nfsAsk(xid, procedure, uid int, args ...any) []byte {
	cred := xdr(7, "client", uid, uid, 0)
	return xdr(xid, 0, 2, programNFS, 3, procedure, 1, string(cred), 0, 0, xdr(args...))
}

func nfsReply(xid int, results ...any) []byte { return xdr(xid, 1, 0, 0, 0, 0, xdr(results...)) }

// attributesOf are those of a file of a size.
func attributesOf(size int64) []byte {
	return xdr(1, make([]byte, 20), size, make([]byte, 56))
}

// nfsTalk is a conversation: what is asked, and what is answered, by turns.
func nfsTalk() [][]byte {
	none := xdr(0, 0) // of what was before and is after
	return [][]byte{
		xdr(1, 0, 2, programMount, 3, mountMnt, 0, 0, 0, 0, "/Export/"), nfsReply(1, 0, "root handle", 1, 1),
		nfsAsk(2, nfsLookup, 1000, "root handle", "docs"), nfsReply(2, 0, "docs handle", attributesOf(0), 0),
		nfsAsk(3, nfsReaddirplus, 1000, "docs handle", int64(0), int64(0), 512, 4096),
		nfsReply(3, 0, attributesOf(0), int64(0), 1, int64(5), "a.txt", int64(1), attributesOf(9), 1, "a handle", 1, int64(6), "b.txt", int64(2), 0, 0, 0, 1),
		nfsAsk(4, nfsRead, 1000, "a handle", int64(0), 4096), nfsReply(4, 0, attributesOf(9), 9, 1, "123456789"),
		nfsAsk(5, nfsRead, 1000, "a handle", int64(9), 4096), nfsReply(5, 0, attributesOf(9), 0, 1, ""),
		nfsAsk(6, nfsRead, 1001, "a handle", int64(0), 4096), nfsReply(6, 13, attributesOf(9)),
		nfsAsk(7, nfsCreate, 1000, "docs handle", "New.bin", 0), nfsReply(7, 0, 1, "new handle", 0, none),
		nfsAsk(8, nfsWrite, 1000, "new handle", int64(0), 70000, 2, strings.Repeat("x", 70000)), nfsReply(8, 0, 0, attributesOf(70000), 70000, 2, int64(1)),
		nfsAsk(9, nfsRename, 1000, "docs handle", "New.bin", "root handle", "old.bin"), nfsReply(9, 0, none, none),
		nfsAsk(10, nfsRemove, 1000, "root handle", "old.bin"), nfsReply(10, 0, none),
		nfsAsk(11, nfsLookup, 1000, "root handle", "not there"), nfsReply(11, 2, 0),
		nfsAsk(12, nfsLookup, 1000, "root handle", "secret"), nfsReply(12, 13, 0),
		nfsAsk(13, nfsRead, 1000, "unknown handle", int64(0), 10), nfsReply(13, 0, 0, 10, 0, "0123456789"),
		nfsAsk(14, nfsMkdir, 1000, "docs handle", "sub", make([]byte, 24)), nfsReply(14, 17, none),
		nfsReply(15, 0, attributesOf(9), 9, 1, "of a call that was not seen"),
	}
}

const nfsRows = `create /export docs/sub  0 0 {0 false} NFS3ERR_EXIST 1000
delete /export old.bin  0 0 {0 false} NFS3_OK 1000
list /export docs  0 0 {0 false} NFS3_OK 1000
open /export secret  0 0 {0 false} NFS3ERR_ACCES 1000
read    10 0 {0 false} NFS3_OK 1000
read /export docs/a.txt  0 0 {9 true} NFS3ERR_ACCES 1001
read /export docs/a.txt  9 0 {9 true} NFS3_OK 1000
rename /export docs/New.bin old.bin 0 0 {0 false} NFS3_OK 1000
write /export docs/New.bin  0 70000 {70000 true} NFS3_OK 1000`

func filesOfNFS(r *rows) string {
	var list []string
	for _, f := range r.files {
		list = append(list, fmt.Sprint(f.Action, " ", f.Share, " ", f.Name, " ", f.NewName, " ", f.BytesRead.V, " ", f.BytesWritten.V, " ", f.Size, " ", f.Status, " ", f.Username))
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// TestNFS: a conversation over UDP, and over TCP in segments of several sizes, of records in one fragment and several; after
// each message another observer goes on.
func TestNFS(t *testing.T) {
	for _, size := range []int{0, 1 << 20, 1448, 100, 7} {
		for _, fragment := range []int{1 << 20, 3000} {
			r := &rows{}
			o := New(r)
			seq := [2]int{1, 1}
			for i, message := range nfsTalk() {
				side := i & 1
				if i == len(nfsTalk())-1 {
					side = 1
				}
				from, to := "10.0.0.5:800", "10.0.0.1:2049"
				if side == 1 {
					from, to = to, from
				}
				hand := func(protocol uint8, b []byte) {
					p := packet(1+float64(i), protocol, from, to, uint32(seq[side]), b)
					p.FromClient, p.Client, p.Server = side == 0, addr("10.0.0.5"), addr("10.0.0.1")
					p.First, p.Begin, p.Begins = seq[side] == 1, 1, true
					seq[side] += len(b)
					if f := o.Observe(p); f.Done || i == 2 && f.Service != "nfs" && f.Service != "" {
						t.Errorf("%d: %+v", i, f)
					}
				}
				if size == 0 {
					hand(tables.ProtocolUDP, message)
				} else {
					var record []byte
					for rest := message; ; {
						n := min(fragment, len(rest))
						last := n == len(rest)
						record = binary.BigEndian.AppendUint32(record, uint32(n)|uint32(ja4Bool(last))<<31)
						record, rest = append(record, rest[:n]...), rest[n:]
						if last {
							break
						}
					}
					for len(record) > 0 {
						n := min(size, len(record))
						hand(tables.ProtocolTCP, record[:n])
						record = record[n:]
					}
				}
				var kept bytes.Buffer
				state, again := o.State(), State{}
				if err := cmp.Or(gob.NewEncoder(&kept).Encode(&state), gob.NewDecoder(&kept).Decode(&again)); err != nil {
					t.Fatal(err)
				}
				if o.Stats().Malformed+o.Stats().Panics+o.Stats().Gaps != 0 {
					t.Errorf("%+v", o.Stats())
				}
				o = New(r)
				o.Resume(&again)
			}
			o.Tick(200 * second)
			if got := filesOfNFS(r); got != nfsRows {
				t.Errorf("segments of %d, fragments of %d: %s\nwant %s", size, fragment, got, nfsRows)
			}
			if o.calls.len+o.uses.len != 0 || o.handles.len == 0 {
				t.Error("kept for longer than it may")
			}
		}
	}
}

// TestNFSIsBounded: handles that are each other's folder, calls that nobody answers, files without end.
func TestNFSIsBounded(t *testing.T) {
	r := &rows{}
	o := New(r)
	hand := func(fromClient bool, b []byte) {
		from, to := "10.0.0.5:800", "10.0.0.1:2049"
		if !fromClient {
			from, to = to, from
		}
		p := udp(1, from, to, b)
		p.FromClient, p.Client, p.Server = fromClient, addr("10.0.0.5"), addr("10.0.0.1")
		o.Observe(p)
	}
	for i, pair := range [][2]string{{"one", "two"}, {"two", "one"}} {
		hand(true, nfsAsk(i, nfsLookup, 1, pair[0], strings.Repeat("n", 255)))
		hand(false, nfsReply(i, 0, pair[1], 0, 0))
	}
	hand(true, nfsAsk(3, nfsRemove, 1, "one", "file"))
	hand(false, nfsReply(3, 0, 0, 0))
	if len(r.files) != 1 || len(r.files[0].Name) > maxPath || r.files[0].Share != "" {
		t.Errorf("%+v", r.files)
	}
	for i := range 100_000 {
		hand(true, nfsAsk(10+i, nfsRead, 1, fmt.Sprint("handle", i), int64(0), 1))
		if i&1 == 0 {
			hand(false, nfsReply(10+i, 0, 0, 1, 1, "x"))
			hand(true, nfsAsk(10+i, nfsLookup, 1, "one", fmt.Sprint(i)))
			hand(false, nfsReply(10+i, 0, fmt.Sprint("handle", i), 0, 0))
		}
	}
	if o.calls.len > maxONCCalls || o.uses.len > maxUses || o.handles.len > maxHandles || o.Stats().Evicted < 50_000 {
		t.Errorf("%d calls, %d files, %d handles, %+v", o.calls.len, o.uses.len, o.handles.len, o.Stats())
	}
}

func FuzzNFS(f *testing.F) {
	talk := nfsTalk()
	for i := 0; i+1 < len(talk)-1; i += 2 {
		f.Add(talk[i][:min(len(talk[i]), 400)], talk[i+1])
	}
	f.Fuzz(func(t *testing.T, ask, answer []byte) {
		r := &rows{}
		o := New(r)
		for range 2 {
			p := udp(1, "10.0.0.5:800", "10.0.0.1:2049", ask)
			p.FromClient = true
			o.Observe(p)
			p = udp(1, "10.0.0.1:2049", "10.0.0.5:800", answer)
			p.FromClient = false
			o.Observe(p)
		}
		for side, b := range [][]byte{ask, answer} {
			p := packet(2, tables.ProtocolTCP, "10.0.0.5:800", "10.0.0.1:2049", 1, xdr(int(int32(len(b)))|-1<<31, b))
			if p.FromClient = side == 0; side == 1 {
				p.Header.Src, p.Header.Dst, p.Header.SrcPort, p.Header.DstPort = p.Header.Dst, p.Header.Src, p.Header.DstPort, p.Header.SrcPort
			}
			p.First, p.Begin, p.Begins, p.ConnID = true, 1, true, 9
			o.Observe(p)
		}
		o.Flush()
		if o.Stats().Panics != 0 || o.held != 0 {
			t.Fatalf("%+v, %d bytes held", o.Stats(), o.held)
		}
		for _, f := range r.files {
			if len(f.Name) > maxPath || len(f.NewName) > maxPath || len(f.Share) > maxPath {
				t.Fatalf("%+v", f)
			}
		}
	})
}
