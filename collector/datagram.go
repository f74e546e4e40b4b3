package collector

import "encoding/binary"

// exportPorts are those exporters send to by habit: 2055, 9995 and 9996
// NetFlow, 4739 IPFIX (IANA), 6343 sFlow (IANA).
var exportPorts = map[uint16]bool{2055: true, 4739: true, 6343: true, 9995: true, 9996: true}

// IsExport tells whether a UDP payload sent to port looks like an export
// datagram that Datagram decodes. To a port exporters use its version word is
// enough, so that damaged ones are seen to be; to any other the structure must
// hold to its end, for version words are small numbers that many protocols
// begin with.
func IsExport(port uint16, data []byte) bool {
	version := versionOf(data)
	if version == sourceUnknown {
		return false
	}
	return exportPorts[port] || wholeDatagram(version, data) == len(data)
}

// versionOf reads the version word.
func versionOf(data []byte) source {
	if len(data) < 16 {
		return sourceUnknown
	}
	switch binary.BigEndian.Uint16(data) {
	case 5:
		return sourceNetFlow5
	case 9:
		return sourceNetFlow9
	case 10:
		return sourceIPFIX
	case 0:
		if binary.BigEndian.Uint16(data[2:]) == 5 {
			return sourceSFlow5
		}
	}
	return sourceUnknown
}

// wholeDatagram is the length of the datagram at the start of data, as what is
// in it says; 0 when it contradicts itself or is not all there. NetFlow v9
// does not say where it ends: its sets are followed as far as they go.
func wholeDatagram(version source, data []byte) int {
	switch version {
	case sourceNetFlow5:
		if n := int(binary.BigEndian.Uint16(data[2:])); n > 0 && 24+48*n <= len(data) {
			return 24 + 48*n
		}
	case sourceNetFlow9:
		n := 20
		for len(data)-n >= 4 {
			id, length := binary.BigEndian.Uint16(data[n:]), int(binary.BigEndian.Uint16(data[n+2:]))
			if id > 1 && id < 256 || length < 4 || length > len(data)-n {
				return 0
			}
			n += length
		}
		if n > 20 {
			return n
		}
	case sourceIPFIX:
		if n := int(binary.BigEndian.Uint16(data[2:])); n >= 16 && n <= len(data) {
			return n
		}
	case sourceSFlow5:
		x, h := xdr{b: data}, sflowHeader{}
		if !h.read(&x) {
			return 0
		}
		for ; h.samples > 0 && !x.short; h.samples-- {
			x.u32()
			x.opaque()
		}
		if !x.short {
			return len(data) - len(x.b)
		}
	}
	return 0
}

// NextDatagram cuts the first datagram off data, which holds one, or several one after
// another. How long one is says the count of v5, the length of IPFIX, and the
// lengths of sFlow's samples; v9 has nothing to say it by, so it is all that is
// left, as is a datagram that does not add up. It is empty at the end.
func NextDatagram(data []byte) (datagram, rest []byte) {
	version := versionOf(data)
	if n := wholeDatagram(version, data); version != sourceNetFlow9 && n > 0 {
		return data[:n], data[n:]
	}
	return data, nil
}
