package collector

import (
	"bytes"
	"strconv"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// What the codes of elements mean.

func isICMP(protocol int32) bool {
	return protocol == tables.ProtocolICMP || protocol == tables.ProtocolICMPv6
}

// icmpFromPort moves type·256+code from the destination port, where NetFlow
// has it, to its columns.
func icmpFromPort(r *tables.Export) {
	r.ICMPType, r.ICMPCode = tables.Some(r.DstPort>>8), tables.Some(r.DstPort&0xff)
	r.SrcPort, r.DstPort = 0, 0
}

// icmp fills type and code from whichever element has them.
func (w *work) icmp(r *tables.Export) {
	f := &w.flow
	switch {
	case f.has&hasICMPType != 0:
		r.ICMPType, r.ICMPCode = tables.Some(int32(f.icmpType)), tables.Opt[int32]{}
		if f.has&hasICMPCode != 0 {
			r.ICMPCode = tables.Some(int32(f.icmpCode))
		}
		r.SrcPort, r.DstPort = 0, 0
	case f.has&hasICMP != 0 && (f.icmp != 0 || r.DstPort == 0):
		r.DstPort = int32(f.icmp)
		icmpFromPort(r)
	case f.has&hasSection != 0 && r.ICMPType.Set: // of the sampled packet
	default:
		icmpFromPort(r)
	}
}

// endReason is IE 136's.
func endReason(v uint64) string {
	if v < uint64(len(endReasons)) {
		return endReasons[v]
	}
	return ""
}

var endReasons = [...]string{"", tables.EndIdle, tables.EndActive, tables.EndSeen, tables.EndForced, tables.EndResources}

// direction is IE 61's, at the exporter.
func direction(v uint64) string {
	switch v {
	case 0:
		return tables.Ingress
	case 1:
		return tables.Egress
	}
	return ""
}

// forwarding is IE 89's: two bits of status, six of reason (RFC 7270 section
// 4.12).
func forwarding(v uint8) (action, reason string) {
	switch v >> 6 {
	case 1, 3: // forwarded, consumed
		return tables.Allow, ""
	case 2:
		if v &= 0x3f; int(v) < len(dropReasons) {
			return tables.Deny, dropReasons[v]
		}
		return tables.Deny, ""
	}
	return "", ""
}

var dropReasons = [...]string{
	"", "acl deny", "acl drop", "unroutable", "adjacency", "fragmentation and df set", "bad header checksum",
	"bad total length", "bad header length", "bad ttl", "policer", "wred", "rpf", "for us", "bad output interface", "hardware",
}

// firewall takes IE 233 and its forerunner on Cisco's firewalls.
func firewall(r *tables.Export, v uint64) {
	switch v {
	case 1, 2, 5: // created, deleted, updated
		r.Action = tables.Allow
	case 3:
		r.Action = tables.Deny
		if r.RejectReason == "" {
			r.RejectReason = "flow denied"
		}
	case 4:
		r.RejectReason = "flow alert"
	}
}

// firewallReason takes Cisco's extended event code, which says why a flow was
// denied (ASA NetFlow Implementation Guide).
func firewallReason(r *tables.Export, v uint64) {
	switch v {
	case 1001:
		r.RejectReason = "ingress acl"
	case 1002:
		r.RejectReason = "egress acl"
	case 1003:
		r.RejectReason = "connection to the firewall's own address"
	case 1004:
		r.RejectReason = "first packet is no syn"
	}
}

// appLabel is YAF's: the port an application is known by.
func appLabel(v uint16) string {
	if v == 0 {
		return ""
	}
	for _, protocol := range []uint8{tables.ProtocolTCP, tables.ProtocolUDP} {
		if s := tables.ServiceName(v, protocol); s != "" {
			return s
		}
	}
	return strconv.Itoa(int(v))
}

// maxText is the longest name that is kept, in characters: that of the columns
// in_if_name, out_if_name and app_name.
const maxText = 255

// textOf reads a name: without the zeros that pad one of fixed length, in
// UTF-8, and not longer than a name is.
func textOf(b []byte) []byte {
	for len(b) > 0 && b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	if !utf8.Valid(b) {
		b = bytes.ToValidUTF8(b, []byte("\ufffd"))
	}
	if len(b) > maxText {
		return []byte(tables.CutText(string(b), maxText))
	}
	return b
}
