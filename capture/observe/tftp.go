package observe

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/wiresql/wiresql/tables"
)

// Files over TFTP (RFC 1350, options RFC 2347 to 2349, RFC 7440): a request to port 69, and
// what is moved between the client's port and one that the server takes for it.

const (
	portTFTP = 69

	tftpRead    = 1
	tftpWrite   = 2
	tftpData    = 3
	tftpAck     = 4
	tftpError   = 5
	tftpOptions = 6

	// tftpBlock is how long a block is, unless options say otherwise.
	tftpBlock = 512
	// maxTransfers go on at a time, each until it was silent for transferLife.
	maxTransfers = 4096
	transferLife = 60e9
)

// tftpErrors are files.status by the number of an error.
var tftpErrors = [...]string{"not defined", "file not found", "access violation", "disk full", "illegal operation",
	"unknown transfer id", "file exists", "no such user", "option refused"}

// tftpComplete is files.status of a transfer whose last block was acknowledged.
const tftpComplete = "complete"

// transfer is a file on its way.
type transfer struct {
	Row   tables.File
	Block int64 // length of one
	Last  int64 // number of the last that was seen, which wraps in packets
	Bytes int64 // up to its end
	Whole bool  // it is the last of the file
	Moved bool  // between the ports it has for itself
}

// Awaits tells of UDP between other ports than those of Reads whether Observe looks into it.
func (o *Observer) Awaits(site string, h *tables.Header) bool {
	return o.tftp.len > 0 &&
		(o.tftp.get(endpoint{site, h.Src, h.SrcPort}) != nil || o.tftp.get(endpoint{site, h.Dst, h.DstPort}) != nil)
}

// observeTFTP reads a packet, if it is of TFTP.
func (o *Observer) observeTFTP(p *Packet, f *Finding) bool {
	h := p.Header
	if o.tftp.len == 0 && h.DstPort != portTFTP {
		return false
	}
	o.tftp.expire(p.TS, o.transferred)
	if h.DstPort == portTFTP && o.tftpRequest(p) {
		f.Service = tables.FileTFTP
		return true
	}
	from, to := endpoint{p.Site, h.Src, h.SrcPort}, endpoint{p.Site, h.Dst, h.DstPort}
	client, ours := from, true
	t := o.tftp.get(from)
	if t == nil || t.Row.Server != h.Dst {
		client, ours = to, false
		if t = o.tftp.get(to); t == nil || t.Row.Server != h.Src {
			return h.SrcPort == portTFTP || h.DstPort == portTFTP
		}
	}
	o.tftp.renew(client, p.TS)
	if !t.Moved {
		t.Moved, t.Row.ConnID, t.Row.FlowID = true, p.ConnID, p.FlowID
	}
	t.Row.TSEnd = max(t.Row.TSEnd, tables.TimeOf(p.TS))
	f.Service = tables.FileTFTP
	if t.message(ours, p.Payload, h.PayloadLength) {
		o.transferred(t)
		o.tftp.remove(client)
	}
	return true
}

// tftpRequest begins a transfer.
func (o *Observer) tftpRequest(p *Packet) bool {
	b := p.Payload
	if len(b) < 4 || b[0] != 0 || b[1] != tftpRead && b[1] != tftpWrite {
		return false
	}
	fields := bytes.SplitN(b[2:], []byte{0}, 32)
	if len(fields) < 3 || len(fields[0]) == 0 {
		return false
	}
	client := endpoint{p.Site, p.Header.Src, p.Header.SrcPort}
	name := plainText(fields[0], maxPath)
	if t := o.tftp.get(client); t != nil {
		if t.Row.Name == name && !t.Moved {
			return true // asked again
		}
		o.transferred(t)
		o.tftp.remove(client)
	}
	from := p.origin()
	of := Peers{p.ConnID, p.Header.Src, p.Header.Dst, p.Header.SrcPort, portTFTP, p.Sensor, p.Site}
	t := transfer{Row: of.file(&from, tables.FileTFTP), Block: tftpBlock}
	t.Row.Action, t.Row.Name = tables.FileRead, name
	if b[1] == tftpWrite {
		t.Row.Action = tables.FileWritten
		t.options(fields[2:])
		t.Block = tftpBlock // until the server agrees to another
	}
	if o.tftp.put(client, t, p.TS, o.transferred) {
		o.stats.Evicted++
	}
	return true
}

// message reads a packet of the client or the server, of which b is there; over tells that
// no other matters.
func (t *transfer) message(client bool, b []byte, length int) (over bool) {
	if len(b) < 4 || b[0] != 0 {
		return false
	}
	number := binary.BigEndian.Uint16(b[2:])
	sends := client == (t.Row.Action == tables.FileWritten)
	switch {
	case b[1] == tftpData && sends:
		n := t.Last + int64(int16(number-uint16(t.Last)))
		if n <= t.Last {
			return false
		}
		t.Last, t.Bytes = n, (n-1)*t.Block+int64(length-4)
		t.Whole = int64(length-4) < t.Block
	case b[1] == tftpAck && !sends:
		if over = t.Whole && number == uint16(t.Last); over {
			t.Row.Status = tftpComplete
		}
	case b[1] == tftpError:
		if over = true; int(number) < len(tftpErrors) {
			t.Row.Status = tftpErrors[number]
		}
	case b[1] == tftpOptions && !client:
		t.options(bytes.SplitN(b[2:], []byte{0}, 32))
	}
	return over
}

// options reads names and values by turns.
func (t *transfer) options(list [][]byte) {
	for ; len(list) > 1; list = list[2:] {
		n, err := strconv.ParseInt(string(list[1]), 10, 63)
		if err != nil {
			continue
		}
		switch string(bytes.ToLower(list[0])) {
		case "blksize":
			if n >= 8 && n <= 65464 { // RFC 2348
				t.Block = n
			}
		case "tsize":
			t.Row.Size = tables.Some(n)
		}
	}
}

// transferred writes a transfer.
func (o *Observer) transferred(t *transfer) {
	moved, other := &t.Row.BytesRead, &t.Row.BytesWritten
	if t.Row.Action == tables.FileWritten {
		moved, other = other, moved
	}
	*moved, *other = tables.Some(t.Bytes), tables.Some(int64(0))
	o.write(&t.Row)
}
