package tables

import "encoding/binary"

// wifi decodes an IEEE 802.11 frame: data frames that are not encrypted, with
// or without QoS, of which an aggregate (A-MSDU) gives its first packet.
// Management, control and null frames carry no IP. padded tells that the
// capture filled the header up to a multiple of four.
func (h *Header) wifi(data []byte, at, end int, padded bool) {
	const (
		toDS, fromDS, protected, order = 0x01, 0x02, 0x40, 0x80 // of the second byte
		null, qos                      = 0x40, 0x80             // subtypes, of the first
	)
	b := data[at:]
	if len(b) < 2 {
		h.Err = ErrLinkCut
		return
	}
	kind, flags := b[0], b[1]
	if kind&0x0c != 0x08 { // no data frame
		return
	}
	size := 24
	if flags&(toDS|fromDS) == toDS|fromDS {
		size = 30
	}
	control := size
	if kind&qos != 0 {
		if size += 2; flags&order != 0 {
			size += 4 // HT control
		}
	}
	if len(b) < size {
		h.Err = ErrLinkCut
		return
	}
	// Who sends to whom, IEEE 802.11-2020 table 9-30.
	dst, src := b[4:], b[10:]
	switch flags & (toDS | fromDS) {
	case toDS:
		dst = b[16:]
	case fromDS:
		src = b[16:]
	case toDS | fromDS:
		dst, src = b[16:], b[24:]
	}
	h.HasMAC, h.DstMAC, h.SrcMAC = true, mac(dst), mac(src)
	aggregate := kind&qos != 0 && b[control]&0x80 != 0
	if padded {
		size = (size + 3) &^ 3
	}
	at += size
	h.L3Offset = min(at, len(data))
	switch {
	case kind&null != 0:
		h.HasMAC = false // nothing is carried
	case flags&protected != 0:
		h.Err = ErrEncrypted
	case b[22]&0x0f != 0:
		h.Err = ErrWifiFragment
	case at > len(data):
		h.Err = ErrLinkCut
	case aggregate:
		if len(data)-at < 14 {
			h.Err = ErrLinkCut
			return
		}
		if n := int(binary.BigEndian.Uint16(data[at+12:])); at+14+n < end {
			end = at + 14 + n
			data = data[:min(len(data), end)]
		}
		h.DstMAC, h.SrcMAC = mac(data[at:]), mac(data[at+6:])
		h.network(data, at+14, end, etherLLC, 0)
	default:
		h.network(data, at, end, etherLLC, 0)
	}
}

// mac is the address a slice starts with.
func mac(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint32(b))<<16 | uint64(binary.BigEndian.Uint16(b[4:]))
}

// radiotap skips a radiotap header (https://www.radiotap.org), of which only
// the field Flags matters: it tells of padding and of a checksum at the end.
func (h *Header) radiotap(data []byte, at, end int) {
	b := data[at:]
	if len(b) < 8 {
		h.Err = ErrLinkCut
		return
	}
	size := int(binary.LittleEndian.Uint16(b[2:]))
	if size < 8 || size > len(b) {
		h.Err = ErrLinkCut
		return
	}
	const hasTime, hasFlags, more = 1 << 0, 1 << 1, 1 << 31
	const fcs, pad = 0x10, 0x20
	var flags byte
	if present := binary.LittleEndian.Uint32(b[4:]); present&hasFlags != 0 {
		field := 8
		for word := present; word&more != 0 && field+4 <= size; field += 4 {
			word = binary.LittleEndian.Uint32(b[field:])
		}
		if present&hasTime != 0 {
			field = (field+7)&^7 + 8
		}
		if field < size {
			flags = b[field]
		}
	}
	if flags&fcs != 0 && end-4 >= at+size {
		end -= 4
		data = data[:min(len(data), end)]
	}
	h.wifi(data, at+size, end, flags&pad != 0)
}

// avs skips an AVS header, whose length stands in it in network order.
func (h *Header) avs(data []byte, at, end int) {
	b := data[at:]
	if len(b) < 8 || binary.BigEndian.Uint32(b[4:]) < 8 || uint64(len(b)) < uint64(binary.BigEndian.Uint32(b[4:])) {
		h.Err = ErrLinkCut
		return
	}
	h.wifi(data, at+int(binary.BigEndian.Uint32(b[4:])), end, false)
}

// prism skips a Prism header, whose length stands in it in the order of the
// machine that captured; some drivers write an AVS header instead.
func (h *Header) prism(data []byte, at, end int) {
	b := data[at:]
	if len(b) < 8 {
		h.Err = ErrLinkCut
		return
	}
	if binary.BigEndian.Uint32(b)&0xfffff000 == 0x80211000 {
		h.avs(data, at, end)
		return
	}
	size := binary.LittleEndian.Uint32(b[4:])
	if size > 0xffff {
		size = binary.BigEndian.Uint32(b[4:])
	}
	if size < 8 || uint64(size) > uint64(len(b)) {
		h.Err = ErrLinkCut
		return
	}
	h.wifi(data, at+int(size), end, false)
}
