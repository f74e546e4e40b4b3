package observe

import (
	"encoding/binary"
	"fmt"

	"github.com/wiresql/wiresql/tables"
)

// DCE/RPC with connections (C706 chapter 12, [MS-RPCE]), over TCP and in named pipes:
// who called which operation of which interface. Of what is passed nothing is read.

const (
	rpcRequest  = 0
	rpcResponse = 2
	rpcFault    = 3
	rpcBind     = 11
	rpcBindNak  = 13
	rpcAlter    = 14

	rpcFirst  = 1 // flags
	rpcLittle = 0x10

	rpcHeader = 16
	// rpcHead is how much of a fragment is read.
	rpcHead = 8 << 10
	// maxContexts and maxRPCCalls bound what a connection has at a time: interfaces, and
	// calls that wait for their answers.
	maxContexts = 64
	maxRPCCalls = 64
)

// rpcFaults are statuses of faults that are told most ([MS-ERREF], C706 appendix E).
var rpcFaults = map[uint32]string{0x5: "access_denied", 0x6d9: "no_endpoint", 0x6ba: "server_unavailable", 0x6f7: "bad_stub_data", 0x721: "sec_pkg_error",
	0x1c010002: "op_rng_error", 0x1c010003: "unk_if", 0x1c01000b: "proto_error", 0x1c00001a: "context_mismatch", 0x1c000009: "invalid_tag", 0x1c00001b: "remote_out_of_memory",
	0x80070005: "access_denied"}

// rpcSession is a connection, or a pipe that is open.
type rpcSession struct {
	Contexts []rpcContext // the oldest first, as Calls
	Calls    []rpcCall
	Skip     [2]int // bytes of a fragment that are to come, and nobody wants
	Logon    logon
	Username string // who logged in here
}

type rpcContext struct {
	ID        uint16
	Interface string
}

type rpcCall struct {
	ID  uint32
	Row tables.RPC
}

// rpcCaller is where a session is.
type rpcCaller struct {
	of             *Peers
	pipe, username string
}

func (r *rpcSession) holds() int { return 1024 + 512*len(r.Calls) + 64*len(r.Contexts) }

// isRPC recognises the head of a fragment.
func isRPC(b []byte) bool {
	return len(b) >= rpcHeader && b[0] == 5 && b[1] <= 1 && b[2] <= 20 && b[4]&^rpcLittle == 0 && b[5] <= 3 && rpcOrder(b).Uint16(b[8:]) >= rpcHeader
}

// beginsRPC recognises a conversation by the head of its first fragment.
func beginsRPC(b []byte) kind {
	switch {
	case len(b) > 1 && b[1] > 1 || len(b) > 4 && b[4]&^rpcLittle != 0:
		return unknown
	case len(b) < rpcHeader:
		return undecided
	case isRPC(b):
		return rpcFragment
	}
	return unknown
}

func rpcOrder(b []byte) binary.ByteOrder {
	if b[4]&rpcLittle != 0 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}

// written reads what a message to or from a pipe has, of which b is there: fragments.
func (r *rpcSession) written(o *Observer, w rpcCaller, side int, b []byte, length int, from *Origin) {
	at := min(r.Skip[side], length)
	r.Skip[side] -= at
	for at < length && at <= len(b) && isRPC(b[at:]) {
		n := int(rpcOrder(b[at:]).Uint16(b[at+8:]))
		r.fragment(o, w, side, part(b, at, n), from)
		if at += n; at > length {
			r.Skip[side] = at - length
		}
	}
}

// fragment reads a fragment, of which b is there.
func (r *rpcSession) fragment(o *Observer, w rpcCaller, side int, b []byte, from *Origin) {
	order := rpcOrder(b)
	id := order.Uint32(b[12:])
	if auth, length := int(order.Uint16(b[10:])), int(order.Uint16(b[8:])); auth > 0 && auth+rpcHeader < length && length <= len(b) {
		r.Logon.token(o, w.of, side, b[length-auth:length], from)
	}
	switch kind := b[2]; kind {
	case rpcBind, rpcAlter:
		r.bind(b, order)
	case rpcBindNak:
		r.Logon.settle(o, tables.LoginFailed, "")
	case rpcRequest:
		if b[3]&rpcFirst != 0 && len(b) >= 24 {
			r.called(o, w, id, order.Uint16(b[20:]), order.Uint16(b[22:]), from)
		}
	case rpcResponse, rpcFault:
		status := tables.RPCAnswered
		if kind == rpcFault && len(b) >= 28 {
			number := order.Uint32(b[24:])
			if status = rpcFaults[number]; status == "" {
				status = fmt.Sprintf("0x%08x", number)
			}
		}
		if b[3]&rpcFirst != 0 {
			r.answered(o, id, status)
		}
	}
}

// bind notes interfaces.
func (r *rpcSession) bind(b []byte, order binary.ByteOrder) {
	if len(b) < 28 {
		return
	}
	n := int(b[24])
	for b = b[28:]; n > 0 && len(b) >= 24; n-- {
		c := rpcContext{order.Uint16(b), rpcUUID(b[4:20], order)}
		if len(r.Contexts) >= maxContexts {
			r.Contexts = r.Contexts[1:]
		}
		r.Contexts = append(r.Contexts, c)
		size := 24 + 20*int(b[2])
		b = b[min(size, len(b)):]
	}
}

func rpcUUID(b []byte, order binary.ByteOrder) string {
	return fmt.Sprintf("%08x-%04x-%04x-%x-%x", order.Uint32(b), order.Uint16(b[4:]), order.Uint16(b[6:]), b[8:10], b[10:16])
}

// called notes a call.
func (r *rpcSession) called(o *Observer, w rpcCaller, id uint32, context, opnum uint16, from *Origin) {
	row := tables.RPC{TS: tables.TimeOf(from.TS), Sensor: w.of.Sensor, Site: w.of.Site, Client: w.of.Client, ClientPort: int32(w.of.ClientPort),
		Server: w.of.Server, ServerPort: int32(w.of.ServerPort), Pipe: w.pipe, Username: w.username, Opnum: int32(opnum), ConnID: w.of.Conn, FlowID: from.FlowID,
		PacketID: tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}}
	for i := len(r.Contexts) - 1; i >= 0; i-- { // the newest of a number
		if c := &r.Contexts[i]; c.ID == context {
			row.UUID = c.Interface
			break
		}
	}
	if i := rpcInterfaces[row.UUID]; i != nil {
		row.Interface, row.Operation = i.name, i.operations[opnum]
	}
	if r.Logon.Shown {
		r.Username = tables.FoldCase(r.Logon.Row.Username)
	}
	if r.Username != "" {
		row.Username = r.Username
	}
	if len(r.Calls) >= maxRPCCalls {
		o.stats.Evicted++
		o.write(&r.Calls[0].Row)
		r.Calls = r.Calls[1:]
	}
	r.Calls = append(r.Calls, rpcCall{id, row})
}

// answered writes a call with what came of it.
func (r *rpcSession) answered(o *Observer, id uint32, status string) {
	for i := range r.Calls {
		if r.Calls[i].ID != id {
			continue
		}
		r.Calls[i].Row.Status = status
		o.write(&r.Calls[i].Row)
		r.Calls = append(r.Calls[:i], r.Calls[i+1:]...)
		break
	}
	if status == tables.RPCAnswered {
		r.Logon.settle(o, tables.LoginSucceeded, "")
	} else {
		r.Logon.settle(o, tables.LoginFailed, status)
	}
}

// end writes calls that were not answered.
func (r *rpcSession) end(o *Observer) {
	for i := range r.Calls {
		o.write(&r.Calls[i].Row)
	}
	r.Calls = nil
	r.Logon.settle(o, tables.LoginUnknown, "")
}

// rpcReader reads a conversation over TCP.
type rpcReader struct {
	Of      Peers
	Session rpcSession
	Side    [2]rpcSide
	Done    bool
}

type rpcSide struct {
	Skip  int // bytes of the fragment that nobody wants
	Lost  bool
	From  Origin
	Begun bool // From is where the fragment begins
}

func (r *rpcReader) over() bool  { return r.Done }
func (r *rpcReader) opens() bool { return false }
func (r *rpcReader) holds() int  { return 1024 + r.Session.holds() }

func (r *rpcReader) end(o *Observer) {
	r.Done = true
	r.Session.end(o)
}

func (r *rpcReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	s := &r.Side[side]
	for {
		rest := b[used:]
		if s.Skip > 0 {
			n := min(s.Skip, len(rest))
			used, s.Skip = used+n, s.Skip-n
			rest = rest[n:]
		}
		if s.Lost {
			if !isRPC(rest) {
				return len(b)
			}
			s.Lost = false
		}
		if len(rest) == 0 {
			return used
		}
		if !s.Begun {
			s.From, s.Begun = *from, true
		}
		if len(rest) < rpcHeader {
			return used
		}
		if !isRPC(rest) {
			o.stats.Malformed++
			*s = rpcSide{Lost: true}
			return len(b)
		}
		n := int(rpcOrder(rest).Uint16(rest[8:]))
		if len(rest) < min(n, rpcHead) {
			return used
		}
		r.Session.fragment(o, rpcCaller{of: &r.Of}, side, rest[:min(n, len(rest))], &s.From)
		*s = rpcSide{Skip: n}
	}
}

// lack: what is missing of a fragment is passed over.
func (r *rpcReader) lack(o *Observer, side int, rest []byte, n int) {
	s := &r.Side[side]
	if r.Done || s.Lost {
		return
	}
	if s.Skip == 0 && isRPC(rest) { // what there is of a fragment
		r.Session.fragment(o, rpcCaller{of: &r.Of}, side, rest, &s.From)
		*s = rpcSide{Skip: int(rpcOrder(rest).Uint16(rest[8:])) - len(rest)}
	}
	if n > s.Skip {
		*s = rpcSide{Lost: true}
		return
	}
	s.Skip -= n
}
