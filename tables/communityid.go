package tables

import (
	"crypto/sha1"
	"encoding"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
)

// Community ID version 1 (https://github.com/corelight/community-id-spec), seed
// 0: the SHA-1 of the flow tuple with its ends put in order, so that both
// directions hash alike and every tool gives a conversation the same text.

// icmpReply and icmp6Reply pair the ICMP messages that answer each other. The
// specification lets type and counterpart stand where TCP has ports, which
// makes request and reply one conversation. The values are type+1; 0 means the
// message has no counterpart and the flow is one-way.
var (
	icmpReply = [256]uint8{
		0: 8 + 1, 8: 0 + 1, // echo
		9: 10 + 1, 10: 9 + 1, // router advertisement, solicitation
		13: 14 + 1, 14: 13 + 1, // timestamp
		15: 16 + 1, 16: 15 + 1, // information
		17: 18 + 1, 18: 17 + 1, // address mask
	}
	icmp6Reply = [256]uint8{
		128: 129 + 1, 129: 128 + 1, // echo
		130: 131 + 1, 131: 130 + 1, // multicast listener query, report
		133: 134 + 1, 134: 133 + 1, // router solicitation, advertisement
		135: 136 + 1, 136: 135 + 1, // neighbour solicitation, advertisement
		139: 140 + 1, 140: 139 + 1, // node information
		144: 145 + 1, 145: 144 + 1, // home agent address discovery
	}
)

// tupleBlock is one block of SHA-1's input.
type tupleBlock [sha1.BlockSize]byte

// put writes the tuple the specification hashes, and returns its length, at
// most 42. Protocols other than TCP, UDP, SCTP and the two ICMPs are hashed
// without ports. Addresses count as IPv4 when both are: an IPv6 packet that
// really carried IPv4-mapped addresses is not told apart.
func (tuple *tupleBlock) put(src, dst Addr, srcPort, dstPort uint16, proto uint8) int {
	oneWay, ports := false, true
	switch proto {
	case ProtocolTCP, ProtocolUDP, ProtocolSCTP:
	case ProtocolICMP, ProtocolICMPv6:
		reply := icmpReply[uint8(srcPort)]
		if proto == ProtocolICMPv6 {
			reply = icmp6Reply[uint8(srcPort)]
		}
		if reply != 0 && srcPort < 256 {
			dstPort = uint16(reply - 1)
		} else {
			oneWay = true
		}
	default:
		ports = false
		srcPort, dstPort = 0, 0
	}
	if order := src.Compare(dst); !oneWay && (order > 0 || order == 0 && srcPort > dstPort) {
		src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
	}
	tuple[0], tuple[1] = 0, 0 // seed
	n := 2
	if src.Is4() && dst.Is4() {
		binary.BigEndian.PutUint32(tuple[n:], src.V4())
		binary.BigEndian.PutUint32(tuple[n+4:], dst.V4())
		n += 8
	} else {
		binary.BigEndian.PutUint64(tuple[n:], src.Hi)
		binary.BigEndian.PutUint64(tuple[n+8:], src.Lo)
		binary.BigEndian.PutUint64(tuple[n+16:], dst.Hi)
		binary.BigEndian.PutUint64(tuple[n+24:], dst.Lo)
		n += 32
	}
	tuple[n], tuple[n+1] = proto, 0
	n += 2
	if ports {
		binary.BigEndian.PutUint16(tuple[n:], srcPort)
		binary.BigEndian.PutUint16(tuple[n+2:], dstPort)
		n += 4
	}
	return n
}

// communitySum hashes a tuple.
func communitySum(src, dst Addr, srcPort, dstPort uint16, proto uint8) [sha1.Size]byte {
	var tuple tupleBlock
	n := tuple.put(src, dst, srcPort, dstPort, proto)
	return sha1.Sum(tuple[:n])
}

// CID is the first 64 bits of the Community ID's hash: what flow rows store
// and joins compare. For ICMP and ICMPv6 the ports are the type and the code
// of a packet; either direction of an exchange gives the same.
func CID(src, dst Addr, srcPort, dstPort uint16, proto uint8) uint64 {
	sum := communitySum(src, dst, srcPort, dstPort, proto)
	return binary.BigEndian.Uint64(sum[:])
}

// CIDHash computes CIDs in half the time of CID, one goroutine at a time. A
// tuple with its padding is one block of SHA-1, so that the hash's state after
// that block is the sum; crypto/sha1 gives its state away as it would be
// saved, which costs less than having it add the padding.
type CIDHash struct {
	hash  hash.Hash
	state encoding.BinaryAppender // of hash
	tuple tupleBlock
	saved []byte
}

// stateSum is where the sum's first words are in what crypto/sha1 saves.
const stateSum = 4

// NewCIDHash prepares a CIDHash.
func NewCIDHash() *CIDHash {
	h := &CIDHash{hash: sha1.New(), saved: make([]byte, 0, 256)}
	h.state, _ = h.hash.(encoding.BinaryAppender)
	// How a state is saved is not promised: without the words where they were,
	// do as CID does.
	a, b := Addr{1, 2}, Addr{3, 4}
	if h.state != nil && h.CID(a, b, 5, 6, ProtocolTCP) != CID(a, b, 5, 6, ProtocolTCP) {
		h.state = nil
	}
	return h
}

// CID is as the function CID.
func (h *CIDHash) CID(src, dst Addr, srcPort, dstPort uint16, proto uint8) uint64 {
	if h.state == nil {
		return CID(src, dst, srcPort, dstPort, proto)
	}
	n := h.tuple.put(src, dst, srcPort, dstPort, proto)
	clear(h.tuple[n:])
	h.tuple[n] = 0x80 // RFC 3174 section 4: a bit, zeros, the length in bits
	binary.BigEndian.PutUint16(h.tuple[len(h.tuple)-2:], uint16(n*8))
	h.hash.Reset()
	h.hash.Write(h.tuple[:])
	saved, err := h.state.AppendBinary(h.saved)
	if err != nil || len(saved) < stateSum+8 {
		return 0
	}
	return binary.BigEndian.Uint64(saved[stateSum:])
}

// CommunityIDText is the text other tools write: "1:" and 28 characters of
// base 64. Ports as for CID.
func CommunityIDText(src, dst Addr, srcPort, dstPort uint16, proto uint8) string {
	sum := communitySum(src, dst, srcPort, dstPort, proto)
	text := [2 + 28]byte{'1', ':'}
	base64.StdEncoding.Encode(text[2:], sum[:])
	return string(text[:])
}

// ParseCommunityID reads a version 1 Community ID and returns its CID.
func ParseCommunityID(s string) (cid uint64, err error) {
	if len(s) != 30 || s[:2] != "1:" {
		return 0, fmt.Errorf("community id %q is not '1:' and 28 characters of base 64", s)
	}
	var sum [21]byte // 28 characters hold 20 bytes and one of padding
	n, err := base64.StdEncoding.Strict().Decode(sum[:], []byte(s[2:]))
	if err != nil || n != sha1.Size {
		return 0, fmt.Errorf("community id %q is not '1:' and 28 characters of base 64", s)
	}
	return binary.BigEndian.Uint64(sum[:]), nil
}

// ICMPCounterpart is the message type that answers, or is answered by, an ICMP
// or ICMPv6 message type; ok is false for messages that stand alone. It is the
// pairing of the Community ID specification.
func ICMPCounterpart(proto, messageType uint8) (counterpart uint8, ok bool) {
	pairs := &icmpReply
	if proto == ProtocolICMPv6 {
		pairs = &icmp6Reply
	}
	c := pairs[messageType]
	return c - 1, c != 0
}
