package main

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// The mix is traffic as the observers meet it: what was recorded of real programs for the
// tests, again and again, each time by machines of other addresses, begun mixEvery later.

// mixEvery is between the beginnings of two copies: some hundred are going on at a time.
const mixEvery = 500e6

// maxCopies have addresses of their own.
const maxCopies = 1 << 16

// mixPacket is a packet of a copy, at a time since its beginning.
type mixPacket struct {
	at     int64
	length int
	frame  []byte
}

// recordedMix are the packets of the captures that the tests read, all begun at the same time.
func recordedMix() (all []mixPacket, size int64, err error) {
	files, err := filepath.Glob("testdata/*/*.pcap*")
	if err != nil {
		return nil, 0, err
	}
	for _, file := range files {
		switch filepath.Base(filepath.Dir(file)) {
		case "cases", "exports": // oddities of a few packets, and exporters' datagrams
			continue
		}
		err := func() error {
			in, err := pcap.Open(file)
			if err != nil {
				return err
			}
			defer in.Close()
			begin := int64(0)
			for n := 0; ; n++ {
				var rec pcap.Record
				if err := in.Next(&rec); err != nil {
					if errors.Is(err, io.EOF) {
						return nil
					}
					return err
				}
				if n == 0 {
					begin = rec.TS
				}
				if rec.Link == tables.LinkEthernet {
					all = append(all, mixPacket{max(rec.TS-begin, 0), rec.Length, slices.Clone(rec.Data)})
					size += int64(len(rec.Data)) + pcap.RecordHeader
				}
			}
		}()
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", file, err)
		}
	}
	slices.SortStableFunc(all, func(x, y mixPacket) int { return cmp.Compare(x.at, y.at) })
	return all, size, nil
}

// copying is how far a copy is.
type copying struct {
	number, next int
	at           int64 // of the next packet
}

type copies []copying

func (c copies) Len() int           { return len(c) }
func (c copies) Less(i, j int) bool { return c[i].at < c[j].at }
func (c copies) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }
func (c *copies) Push(x any)        { *c = append(*c, x.(copying)) }
func (c *copies) Pop() any {
	last := (*c)[len(*c)-1]
	*c = (*c)[:len(*c)-1]
	return last
}

// mix makes the capture, unless it is there, and returns its path and packets.
func (b *bench) mix(size int64) (path string, err error) {
	path = filepath.Join(b.dir, fmt.Sprintf("mix-%d.pcap", size))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	packets, one, err := recordedMix()
	if err != nil {
		return "", err
	}
	n := int(size/max(one, 1)) + 1
	if len(packets) == 0 || n > maxCopies {
		return "", fmt.Errorf("%d copies of %d packets: the benchmark runs in the repository's root, up to %d GB", n, len(packets), one*maxCopies>>30)
	}
	log.Printf("generate %s: %d packets %d times", path, len(packets), n)
	f, err := os.Create(path + ".part")
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	record := pcap.AppendHeader(nil, tables.LinkEthernet, true)
	w.Write(record)
	begun := 0
	var going copies
	for begun < n || len(going) > 0 {
		if at := int64(begun) * mixEvery; begun < n && (len(going) == 0 || at <= going[0].at) {
			heap.Push(&going, copying{begun, 0, at})
			begun++
			continue
		}
		c := &going[0]
		p := packets[c.next]
		frame := slices.Clone(p.frame)
		renumber(frame, p.length, uint16(c.number))
		record = pcap.AppendRecord(record[:0], &pcap.Record{TS: int64(rowEpoch)*1000 + c.at, Length: p.length, Data: frame}, true)
		if _, err := w.Write(record); err != nil {
			return "", err
		}
		if c.next++; c.next == len(packets) {
			heap.Pop(&going)
			continue
		}
		c.at = int64(c.number)*mixEvery + packets[c.next].at
		heap.Fix(&going, 0)
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	return path, os.Rename(path+".part", path)
}

// renumber gives the machines of a frame other addresses, with checksums as right or wrong as
// they were.
func renumber(frame []byte, length int, by uint16) {
	for _, mac := range [][]byte{frame[:6], frame[6:12]} {
		if mac[0]&1 == 0 {
			flip(mac[3:], by)
		}
	}
	var h tables.Header
	tables.Decode(tables.LinkEthernet, frame, length, &h)
	at := h.L3Offset
	if h.EtherType == 0x0806 && len(frame) >= at+28 {
		for _, who := range [][]byte{frame[at+8 : at+18], frame[at+18 : at+28]} {
			if slices.ContainsFunc(who[:6], func(c byte) bool { return c != 0 }) {
				flip(who[3:], by)
			}
			flip4(who[6:], by)
		}
		return
	}
	if !h.IP {
		return
	}
	// The same bits change in both addresses, of which one may be a group's: what a checksum
	// changes by is what the sums do (RFC 1624).
	var before, after uint32
	if h.Src.Is4() {
		if len(frame) < at+20 {
			return
		}
		before = words(frame[at+12 : at+20])
		flip4(frame[at+12:], by)
		flip4(frame[at+16:], by)
		after = words(frame[at+12 : at+20])
		fix(frame[at+10:], before, after)
	} else {
		if len(frame) < at+40 {
			return
		}
		before = words(frame[at+8 : at+40])
		for _, addr := range [][]byte{frame[at+8:], frame[at+24:]} {
			if addr[0] != 0xff && addr[0] != 0 {
				flip(addr[4:], by)
			}
		}
		after = words(frame[at+8 : at+40])
	}
	sum := 0
	switch {
	case h.Fragment && h.PayloadOffset <= 0:
		return
	case h.Protocol == tables.ProtocolTCP:
		sum = 16
	case h.Protocol == tables.ProtocolUDP:
		sum = 6
	case h.Protocol == tables.ProtocolICMPv6:
		sum = 2
	default:
		return
	}
	if l4 := h.L4Offset + sum; h.L4Offset > 0 && l4+2 <= len(frame) && (sum != 6 || frame[l4] != 0 || frame[l4+1] != 0) {
		fix(frame[l4:], before, after)
	}
}

func flip(b []byte, by uint16) {
	b[0] ^= byte(by >> 8)
	b[1] ^= byte(by)
}

// flip4 changes an address of IPv4 of one machine in its second and third byte.
func flip4(b []byte, by uint16) {
	if b[0] != 0 && b[0] < 224 {
		b[1] ^= byte(by)
		b[2] ^= byte(by >> 8)
	}
}

// words adds up 16-bit words.
func words(b []byte) (s uint32) {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	return s
}

// fix changes a checksum as what it is of did.
func fix(b []byte, before, after uint32) {
	s := uint32(^binary.BigEndian.Uint16(b)) + ^before&0xffff + ^(before>>16)&0xffff + after&0xffff + after>>16
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	binary.BigEndian.PutUint16(b, ^uint16(s))
}
