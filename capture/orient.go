package capture

import "github.com/wiresql/wiresql/tables"

// How a conversation's client was told from its server: flows.oriented_by.
const (
	orientedBySyn = iota
	orientedBySynAck
	orientedByService
	orientedByFirst
)

var orientedBy = [...]string{tables.BySyn, tables.BySynAck, tables.ByServicePort, tables.ByFirstPacket}

// orient decides at a conversation's first packet whether its source is the
// client. Ports are those of the packet, or of the datagram a later fragment
// belongs to; transport tells that the packet has a layer-4 header.
func orient(h *tables.Header, srcPort, dstPort uint16, transport bool) (sourceIsClient bool, by uint8) {
	switch h.Protocol {
	case tables.ProtocolTCP:
		if transport && h.TCPFlags&tables.TCPSyn != 0 && h.TCPFlags&tables.TCPRst == 0 {
			if h.TCPFlags&tables.TCPAck == 0 {
				return true, orientedBySyn
			}
			return false, orientedBySynAck
		}
	case tables.ProtocolICMP, tables.ProtocolICMPv6:
		return !(transport && icmpAnswer(h.Protocol, h.ICMPType)), orientedByFirst
	case tables.ProtocolUDP, tables.ProtocolSCTP:
	default:
		return true, orientedByFirst
	}
	src, dst := serves(srcPort, h.Protocol), serves(dstPort, h.Protocol)
	if src == dst {
		src, dst = wellKnown(srcPort), wellKnown(dstPort)
	}
	if src == dst {
		return true, orientedByFirst
	}
	return dst, orientedByService
}

func serves(port uint16, protocol uint8) bool { return tables.ServiceName(port, protocol) != "" }

func wellKnown(port uint16) bool { return port != 0 && port < 1024 }

// icmpAnswer tells messages that one host sends only because another asked it:
// echo, timestamp, information and mask replies. Advertisements are not among
// them; routers and neighbours send them unasked.
func icmpAnswer(protocol, messageType uint8) bool {
	if protocol == tables.ProtocolICMPv6 {
		return messageType == 129 || messageType == 140
	}
	return messageType == 0 || messageType == 14 || messageType == 16 || messageType == 18
}
