package observe

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// DHCP options (RFC 2132, RFC 4702) that are read.
const (
	optionPad        = 0
	optionHostName   = 12
	optionRequested  = 50
	optionLease      = 51
	optionOverload   = 52
	optionMessage    = 53
	optionServer     = 54
	optionParameters = 55
	optionVendor     = 60
	optionClientID   = 61
	optionFQDN       = 81
	optionEnd        = 255
)

const (
	// dhcpLife is how long repetitions are counted in a row of dhcp, dhcpOfOne how many
	// rows of a kind of message there are in it.
	dhcpLife  = 5e9
	dhcpOfOne = 256
	// maxParameters is how many of the options asked for are told.
	maxParameters = 255
)

// DHCP message types (RFC 2132 section 9.6).
const (
	dhcpDiscover = 1
	dhcpRequest  = 3
	dhcpACK      = 5
	dhcpRelease  = 7
)

// lessee tells whose request an acknowledgement answers.
type lessee struct {
	site string
	xid  uint32
	mac  uint64
}

// dhcp is the part of a DHCPv4 message that is used.
type dhcp struct {
	xid            uint32
	mac            tables.Opt[int64] // Ethernet clients have one
	client, yours  tables.Addr       // ciaddr, yiaddr
	relay          tables.Addr       // giaddr
	kind           byte
	lease          tables.Opt[uint32] // seconds
	hostName, fqdn string

	requested, server tables.Opt[tables.Addr]
	parameters        []byte
	vendor, id        []byte
}

// observeDHCP remembers the names clients ask with and writes a name for each
// lease given and for each lease ended.
func (o *Observer) observeDHCP(p *Packet) {
	o.leases.expire(p.TS, nil)
	var m dhcp
	if !m.decode(p.Payload) {
		o.stats.Malformed++
	}
	if m.kind != 0 {
		o.countDHCP(p, m.row(p))
	}
	ts := tables.TimeOf(p.TS)
	n := tables.Name{TS: ts, MAC: m.mac, Source: tables.SourceDHCP, ValidUntil: ts, Sensor: p.Sensor, Site: p.Site}
	key := lessee{p.Site, m.xid, uint64(m.mac.V)}
	switch m.kind {
	case dhcpDiscover, dhcpRequest:
		if name := m.name(); name != "" {
			o.leases.remove(key)
			if o.leases.put(key, name, p.TS, nil) {
				o.stats.Evicted++
			}
		}
	case dhcpRelease:
		if n.Addr = m.client; isHost(n.Addr) {
			o.writeName(&n)
		}
	case dhcpACK:
		if n.Addr = m.yours; !m.lease.Set || !isHost(n.Addr) {
			return // the answer to a DHCPINFORM
		}
		// The server knows best what it put into its zone; most repeat
		// nothing, and the client's own word stands.
		if n.Name = m.name(); n.Name == "" {
			if asked := o.leases.get(key); asked != nil {
				n.Name = *asked
			}
		}
		o.leases.remove(key)
		n.ValidUntil = tables.OpenEnd
		if m.lease.V != 1<<32-1 {
			n.ValidUntil = until(ts, int64(m.lease.V))
		}
		o.writeName(&n)
	}
}

// row is the message as a row of dhcp.
func (m *dhcp) row(p *Packet) *tables.DHCP {
	r := &tables.DHCP{Version: 4, Message: numbered(tables.DHCPMessages, m.kind), XID: int64(m.xid), MAC: m.mac, DUID: hex.EncodeToString(m.id),
		Client: known(m.client), Server: m.server, Relay: known(m.relay), Name: m.name(), RequestedIP: m.requested, AssignedIP: known(m.yours),
		VendorClass: plainText(m.vendor, 255)}
	if !r.Client.Set {
		r.Client = r.AssignedIP
	}
	if !r.Server.Set && p.Header.SrcPort == portDHCPServer && !r.Relay.Set {
		r.Server = known(p.Header.Src)
	}
	if m.lease.Set {
		r.LeaseSeconds = tables.Some(int64(m.lease.V))
	}
	var list []byte
	for i, c := range m.parameters[:min(len(m.parameters), maxParameters)] {
		if i > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendUint(list, uint64(c), 10)
	}
	r.ParameterList = string(list)
	return r
}

// countDHCP counts a message that may repeat another.
func (o *Observer) countDHCP(p *Packet, r *tables.DHCP) {
	r.Sensor, r.Site = p.Sensor, p.Site
	all := tables.DHCP{Sensor: r.Sensor, Site: r.Site, Version: r.Version}
	kind := all
	kind.Message = r.Message
	o.dhcp.count(o, p.origin(), p.ConnID, 0, *r, kind, all)
}

func (o *Observer) writeDHCP(r *Repeat[tables.DHCP]) {
	row := r.Says
	row.TS, row.Packets, row.PacketID, row.FlowID, row.ConnID = tables.TimeOf(r.From.TS), r.Packets, r.From.packetID(), r.From.FlowID, r.Conn
	o.write(&row)
}

// known is an address that is one.
func known(a tables.Addr) tables.Opt[tables.Addr] {
	return tables.Opt[tables.Addr]{V: a, Set: !a.Netip().IsUnspecified()}
}

// numbered is the name of a number, or the number.
func numbered(names []string, n byte) string {
	if int(n) < len(names) && names[n] != "" {
		return names[n]
	}
	return strconv.Itoa(int(n))
}

// name prefers the fully qualified name.
func (m *dhcp) name() string {
	if m.fqdn != "" {
		return m.fqdn
	}
	return m.hostName
}

// decode reads a BOOTP message with DHCP options (RFC 2131 section 2). It
// returns false when it is none or its options do not add up; those read
// until then stand.
func (m *dhcp) decode(b []byte) bool {
	if len(b) < 240 || binary.BigEndian.Uint32(b[236:]) != 0x63825363 {
		return false
	}
	m.xid = binary.BigEndian.Uint32(b[4:])
	if b[1] == 1 && b[2] == 6 {
		mac := b[28:34]
		m.mac = tables.Some(macOf(mac))
	}
	m.client = tables.AddrFrom4(b[12:16])
	m.yours = tables.AddrFrom4(b[16:20])
	m.relay = tables.AddrFrom4(b[24:28])
	overload, whole := m.options(b[240:])
	// RFC 2132 section 9.3: the file and server name fields may hold options.
	if overload&1 != 0 {
		_, ok := m.options(b[108:236])
		whole = whole && ok
	}
	if overload&2 != 0 {
		_, ok := m.options(b[44:108])
		whole = whole && ok
	}
	return whole
}

func (m *dhcp) options(b []byte) (overload byte, whole bool) {
	for len(b) > 0 {
		code := b[0]
		if code == optionPad {
			b = b[1:]
			continue
		}
		if code == optionEnd {
			return overload, true
		}
		if len(b) < 2 || 2+int(b[1]) > len(b) {
			return overload, false
		}
		v := b[2 : 2+int(b[1])]
		b = b[2+len(v):]
		switch {
		case code == optionMessage && len(v) == 1:
			m.kind = v[0]
		case code == optionLease && len(v) == 4:
			m.lease = tables.Some(binary.BigEndian.Uint32(v))
		case code == optionOverload && len(v) == 1:
			overload = v[0]
		case code == optionRequested && len(v) == 4:
			m.requested = tables.Some(tables.AddrFrom4(v))
		case code == optionServer && len(v) == 4:
			m.server = tables.Some(tables.AddrFrom4(v))
		case code == optionParameters: // a long list comes in parts (RFC 3396)
			m.parameters = append(m.parameters, v...)
		case code == optionVendor:
			m.vendor = v
		case code == optionClientID:
			m.id = v
		case code == optionHostName:
			m.hostName = hostName(v)
		case code == optionFQDN && len(v) > 3 && v[0]&4 != 0: // E: as on the wire of DNS
			if name, ok := wireName(v[3:]); ok {
				m.fqdn = name
			}
		case code == optionFQDN && len(v) > 3:
			m.fqdn = hostName(v[3:])
		}
	}
	return overload, true // the end option is missing in practice
}

// wireName reads an uncompressed name, which RFC 4702 section 2.3.1 lets end
// without the root label when it is not fully qualified.
func wireName(v []byte) (string, bool) {
	whole := append(append(make([]byte, 0, len(v)+1), v...), 0)
	name, next, ok := new(texts).readName(whole, 0)
	return name, ok && next >= len(v) && len(name) <= tables.MaxHost
}

// hostName folds a name sent as text. One that holds what no host name and no
// person would put there is dropped.
func hostName(v []byte) string {
	for len(v) > 0 && v[len(v)-1] == 0 {
		v = v[:len(v)-1]
	}
	if !utf8.Valid(v) {
		return ""
	}
	for _, r := range string(v) {
		if !unicode.IsPrint(r) {
			return ""
		}
	}
	return tables.FoldName(string(v))
}
