package collector

import (
	"strconv"
	"strings"
)

//go:generate sh -c "go run ./testdata/registry $(go list -m -f {{.Dir}} github.com/vmware/go-ipfix@v0.16.0)"

// kind is how the octets of an element are read (RFC 7012 section 3.1), when
// they have no column.
type kind uint8

const (
	kindOctets kind = iota
	kindUnsigned
	kindSigned
	kindFloat
	kindBoolean
	kindMAC
	kindString
	kindSeconds
	kindMilliseconds
	kindMicroseconds // NTP format, as nanoseconds: RFC 7011 section 6.1.9
	kindNanoseconds
	kindAddress
	kindApplication // engine and selector: RFC 6759
	kindText        // octets that may be text
)

// element is an information element: its name and kind.
type element struct {
	name string
	kind kind
}

// elementID names an element: its enterprise, 0 for IANA's and NetFlow v9's
// own, and its number there.
type elementID struct {
	pen uint32
	id  uint16
}

// Enterprises whose elements we know.
const (
	penReverse = 29305 // RFC 5103: IANA's elements, of the other direction
	penCERT    = 6871  // YAF and SiLK
	// certReverse is the bit that marks CERT's elements of the other direction.
	certReverse = 0x4000
	// applicationID is octets to the registry.
	applicationID = 95
)

// certElements is what YAF documents of its own elements.
var certElements = map[uint16]element{
	14:  {"initialTCPFlags", kindUnsigned},
	15:  {"unionTCPFlags", kindUnsigned},
	18:  {"payload", kindOctets},
	21:  {"reverseFlowDeltaMilliseconds", kindUnsigned},
	33:  {"silkAppLabel", kindUnsigned},
	35:  {"payloadEntropy", kindUnsigned},
	36:  {"osName", kindString},
	37:  {"osVersion", kindString},
	38:  {"firstPacketBanner", kindOctets},
	40:  {"flowAttributes", kindUnsigned},
	100: {"expiredFragmentCount", kindUnsigned},
	101: {"assembledFragmentCount", kindUnsigned},
	102: {"meanFlowRate", kindUnsigned},
	103: {"meanPacketRate", kindUnsigned},
	104: {"flowTableFlushEventCount", kindUnsigned},
	105: {"flowTablePeakCount", kindUnsigned},
	106: {"yafFlowKeyHash", kindUnsigned},
	107: {"osFingerPrint", kindString},
	500: {"smallPacketCount", kindUnsigned},
	501: {"nonEmptyPacketCount", kindUnsigned},
	502: {"dataByteCount", kindUnsigned},
	503: {"averageInterarrivalTime", kindUnsigned},
	504: {"standardDeviationInterarrivalTime", kindUnsigned},
	505: {"firstNonEmptyPacketSize", kindUnsigned},
	506: {"maxPacketSize", kindUnsigned},
	507: {"firstEightNonEmptyPacketDirections", kindUnsigned},
	508: {"standardDeviationPayloadLength", kindUnsigned},
	509: {"tcpUrgentCount", kindUnsigned},
	510: {"largePacketCount", kindUnsigned},
}

// firewallElements is what firewalls send in NetFlow v9 under numbers of their
// own: Cisco's (ASA NetFlow Implementation Guide), and from 56701 on Palo Alto's
// (PAN-OS NetFlow Templates).
var firewallElements = map[uint16]element{
	33000: {"NF_F_INGRESS_ACL_ID", kindOctets},
	33001: {"NF_F_EGRESS_ACL_ID", kindOctets},
	33002: {"NF_F_FW_EXT_EVENT", kindUnsigned},
	40000: {"NF_F_USERNAME", kindString},
	40001: {"NF_F_XLATE_SRC_ADDR_IPV4", kindAddress},
	40002: {"NF_F_XLATE_DST_ADDR_IPV4", kindAddress},
	40003: {"NF_F_XLATE_SRC_PORT", kindUnsigned},
	40004: {"NF_F_XLATE_DST_PORT", kindUnsigned},
	40005: {"NF_F_FW_EVENT", kindUnsigned},
	56701: {"App-ID", kindString},
	56702: {"User-ID", kindString},
}

// lookup returns an element; one nobody here knows is octets named pen/id.
func (id elementID) lookup() element {
	var e element
	switch id.pen {
	case 0, penReverse:
		if int(id.id) < len(registry) {
			e = registry[id.id]
		}
		if id.pen == penReverse && e.name != "" {
			e.name = "reverse" + strings.ToUpper(e.name[:1]) + e.name[1:]
		}
		if id.pen == 0 && e.name == "" {
			e = firewallElements[id.id]
		}
	case penCERT:
		e = certElements[id.id&^certReverse]
		if id.id&certReverse != 0 && e.name != "" {
			e.name = "reverse" + strings.ToUpper(e.name[:1]) + e.name[1:]
		}
	}
	if id == (elementID{0, applicationID}) {
		e.kind = kindApplication
	}
	if e.name == "" {
		e.name = strconv.FormatUint(uint64(id.pen), 10) + "/" + strconv.Itoa(int(id.id))
	}
	return e
}
