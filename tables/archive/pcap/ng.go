package pcap

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"slices"
	"unicode/utf8"
)

// Blocks and options of pcapng (draft-ietf-opsawg-pcapng, sections 4 and 3.5)
// that NG writes.
const (
	ngStatistics   = 5
	optEnd         = 0
	optComment     = 1
	shbApplication = 4
	ifName         = 2
	ifDescription  = 3
	ifTSResol      = 9
	// longestOption is that of a comment, in bytes: a length has 16 bits.
	longestOption = 60_000
	// maxNGInterfaces bounds the interfaces of one file.
	maxNGInterfaces = 1 << 16
)

// NG writes packets as a pcapng file of one section, in nanoseconds, with an
// interface block for each link type, interface and sensor. It keeps 32 bytes a
// packet, to bring them into the order of time at the end.
type NG struct {
	w          *bufio.Writer
	offset     int64 // of the next block
	buf        []byte
	interfaces map[ngInterface]uint32
	heads      []byte // section header and interface blocks
	blocks     []ngBlock
	unsorted   bool
	last       int64 // the latest time
	bytes      int64
	hash       hash.Hash
}

type ngInterface struct {
	link              uint32
	name, description string
}

// ngBlock is where a packet's block lies in what was written.
type ngBlock struct {
	ts     int64
	offset int64
	size   uint32
}

// NewNG begins a file: application wrote it, comment says of what.
func NewNG(w io.Writer, application, comment string) (*NG, error) {
	n := &NG{w: bufio.NewWriterSize(w, 1<<20), interfaces: map[ngInterface]uint32{}, hash: sha256.New()}
	b := n.begin(0x0a0d0d0a)
	b = binary.LittleEndian.AppendUint32(b, 0x1a2b3c4d)
	b = binary.LittleEndian.AppendUint32(b, 1) // version 1.0
	b = binary.LittleEndian.AppendUint64(b, ^uint64(0))
	b = appendOption(b, optComment, comment)
	b = appendOption(b, shbApplication, application)
	return n, n.head(b)
}

// Packet writes one packet. name is the interface's and description says where
// it is; either may be empty.
func (n *NG) Packet(rec *Record, name, description string) error {
	key := ngInterface{uint32(rec.Link), name, description}
	id, ok := n.interfaces[key]
	if !ok {
		if rec.Link > 0xffff {
			return fmt.Errorf("link type %d does not fit a capture file", rec.Link)
		}
		if len(n.interfaces) == maxNGInterfaces {
			return fmt.Errorf("the packets come from more than %d interfaces", maxNGInterfaces)
		}
		id = uint32(len(n.interfaces))
		n.interfaces[key] = id
		b := n.begin(1)
		b = binary.LittleEndian.AppendUint32(b, uint32(rec.Link))
		b = binary.LittleEndian.AppendUint32(b, 0) // no limit
		if name != "" {
			b = appendOption(b, ifName, name)
		}
		if description != "" {
			b = appendOption(b, ifDescription, description)
		}
		if err := n.head(appendOption(b, ifTSResol, "\x09")); err != nil {
			return err
		}
	}
	b := n.begin(6)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(uint64(rec.TS)>>32))
	b = binary.LittleEndian.AppendUint32(b, uint32(rec.TS))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rec.Data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(rec.Length))
	b = padded(append(b, rec.Data...), len(rec.Data))
	at := n.offset
	if err := n.end(b); err != nil {
		return err
	}
	n.blocks = append(n.blocks, ngBlock{rec.TS, at, uint32(n.offset - at)})
	n.unsorted = n.unsorted || rec.TS < n.last && len(n.blocks) > 1
	n.last = max(n.last, rec.TS)
	n.bytes += int64(len(rec.Data))
	if !n.unsorted {
		n.hash.Write(rec.Data)
	}
	return nil
}

// Packets and Bytes are how many were written, and of how many bytes.
func (n *NG) Packets() int { return len(n.blocks) }

// Bytes are those of the packets.
func (n *NG) Bytes() int64 { return n.bytes }

// Sorted tells whether the packets came in the order of their times.
func (n *NG) Sorted() bool { return !n.unsorted }

// Sort writes the file anew in the order of time: from holds what was written
// so far, to gets it, and what comes after.
func (n *NG) Sort(from io.ReaderAt, to io.Writer) error {
	if err := n.w.Flush(); err != nil {
		return err
	}
	slices.SortStableFunc(n.blocks, func(a, b ngBlock) int { return cmp.Compare(a.ts, b.ts) })
	n.w.Reset(to)
	n.hash.Reset()
	if _, err := n.w.Write(n.heads); err != nil {
		return err
	}
	n.offset = int64(len(n.heads))
	for i := range n.blocks {
		block := &n.blocks[i]
		n.buf = slices.Grow(n.buf[:0], int(block.size))[:block.size]
		if _, err := from.ReadAt(n.buf, block.offset); err != nil {
			return err
		}
		n.hash.Write(n.buf[28:][:binary.LittleEndian.Uint32(n.buf[20:])])
		if _, err := n.w.Write(n.buf); err != nil {
			return err
		}
		block.offset = n.offset
		n.offset += int64(block.size)
	}
	n.unsorted = false
	return nil
}

// Hash is the SHA-256 of the packets' bytes one behind another, in the file's
// order, once they are sorted.
func (n *NG) Hash() []byte { return n.hash.Sum(nil) }

// Close ends the file with what is to be said once all is known, as the
// comment of a statistics block of the first interface.
func (n *NG) Close(comment string) error {
	if len(n.interfaces) > 0 {
		b := n.begin(ngStatistics)
		b = binary.LittleEndian.AppendUint32(b, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(uint64(n.last)>>32))
		b = binary.LittleEndian.AppendUint32(b, uint32(n.last))
		if err := n.end(appendOption(b, optComment, comment)); err != nil {
			return err
		}
	}
	return n.w.Flush()
}

// begin begins a block: its type, and room for its length.
func (n *NG) begin(kind uint32) []byte {
	return append(binary.LittleEndian.AppendUint32(n.buf[:0], kind), 0, 0, 0, 0)
}

// head ends a block that stands before all packets when they are sorted.
func (n *NG) head(b []byte) error {
	if err := n.end(append(b, optEnd, 0, 0, 0)); err != nil {
		return err
	}
	n.heads = append(n.heads, n.buf...)
	return nil
}

// end writes a block with its length at both ends.
func (n *NG) end(b []byte) error {
	size := uint32(len(b) + 4)
	binary.LittleEndian.PutUint32(b[4:], size)
	n.buf = binary.LittleEndian.AppendUint32(b, size)
	n.offset += int64(size)
	_, err := n.w.Write(n.buf)
	return err
}

func appendOption(b []byte, code uint16, value string) []byte {
	if len(value) > longestOption {
		value = value[:longestOption]
		for len(value) > 0 && !utf8.ValidString(value[max(0, len(value)-utf8.UTFMax):]) {
			value = value[:len(value)-1]
		}
	}
	b = binary.LittleEndian.AppendUint16(b, code)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(value)))
	return padded(append(b, value...), len(value))
}

// padded brings what has n bytes to a multiple of four.
func padded(b []byte, n int) []byte { return append(b, "\x00\x00\x00"[:(4-n%4)%4]...) }
