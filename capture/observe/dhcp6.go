package observe

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"strconv"

	"github.com/wiresql/wiresql/tables"
)

// DHCPv6 (RFC 8415): which name leased which address. Machines that make their own
// addresses do not ask for one.

const (
	portDHCP6Client = 546
	portDHCP6Server = 547
	// Messages.
	dhcp6Solicit     = 1
	dhcp6Advertise   = 2
	dhcp6Request     = 3
	dhcp6Renew       = 5
	dhcp6Rebind      = 6
	dhcp6Reply       = 7
	dhcp6Release     = 8
	dhcp6Reconfigure = 10
	dhcp6Forward     = 12 // by relays
	dhcp6Return      = 13
	// Options.
	dhcp6Client      = 1
	dhcp6Addresses   = 3 // IA_NA
	dhcp6Temporary   = 4 // IA_TA
	dhcp6Address     = 5
	dhcp6Asks        = 6
	dhcp6Relayed     = 9
	dhcp6VendorClass = 16
	dhcp6ClientFQDN  = 39 // RFC 4704
	// maxRelays is how often a message may be relayed (RFC 8415 section 7.6).
	maxRelays = 8
)

// dhcp6 is the part of a message that is used.
type dhcp6 struct {
	kind       byte
	xid        uint32
	client     uint64 // its DUID, hashed
	duid       []byte
	relayed    bool
	peer, link tables.Opt[tables.Addr] // the client's, and its relay's: as the nearest says
	vendor     []byte
	asks       []byte
	mac        tables.Opt[int64]
	name       string
	leases     []dhcp6Lease
}

type dhcp6Lease struct {
	addr  tables.Addr
	valid uint32 // seconds
}

// observeDHCP6 remembers the names clients ask with and writes a name for each address
// given and for each given back.
func (o *Observer) observeDHCP6(p *Packet) {
	o.leases.expire(p.TS, nil)
	var m dhcp6
	if !m.decode(p.Payload) {
		o.stats.Malformed++
	}
	if m.kind != 0 {
		o.countDHCP(p, m.row(p))
	}
	ts := tables.TimeOf(p.TS)
	key := lessee{p.Site, m.xid, m.client}
	switch m.kind {
	case dhcp6Solicit, dhcp6Request, dhcp6Renew, dhcp6Rebind:
		if m.name != "" {
			o.leases.remove(key)
			if o.leases.put(key, m.name, p.TS, nil) {
				o.stats.Evicted++
			}
		}
	case dhcp6Release, dhcp6Reply:
		if m.kind == dhcp6Release {
			m.name = ""
		} else if asked := o.leases.get(key); m.name == "" && asked != nil {
			m.name = *asked
		}
		for _, l := range m.leases {
			n := tables.Name{TS: ts, Name: m.name, Addr: l.addr, MAC: m.mac, Source: tables.SourceDHCP, ValidUntil: ts, Sensor: p.Sensor, Site: p.Site}
			switch {
			case !isHost(l.addr):
				continue
			case m.kind == dhcp6Release || l.valid == 0:
				n.Name = ""
			case l.valid == 1<<32-1:
				n.ValidUntil = tables.OpenEnd
			default:
				n.ValidUntil = until(ts, int64(l.valid))
			}
			o.writeName(&n)
		}
		o.leases.remove(key)
	}
}

// row is the message as a row of dhcp.
func (m *dhcp6) row(p *Packet) *tables.DHCP {
	r := &tables.DHCP{Version: 6, Message: numbered(tables.DHCP6Messages, m.kind), XID: int64(m.xid), MAC: m.mac, DUID: hex.EncodeToString(m.duid[:min(len(m.duid), 130)]),
		Client: m.peer, Relay: m.link, Name: m.name}
	answers := m.kind == dhcp6Advertise || m.kind == dhcp6Reply || m.kind == dhcp6Reconfigure
	if answers && !m.relayed {
		r.Server = tables.Some(p.Header.Src)
	}
	if !m.relayed {
		r.Client = tables.Some(p.Header.Src)
		if answers {
			r.Client.V = p.Header.Dst
		}
	}
	if len(m.leases) > 0 {
		l := m.leases[0]
		if answers {
			r.AssignedIP, r.LeaseSeconds = tables.Some(l.addr), tables.Some(int64(l.valid))
		} else {
			r.RequestedIP = tables.Some(l.addr)
		}
	}
	if len(m.vendor) >= 6 { // enterprise, then classes, each behind its length
		v := bytesReader{m.vendor[4:], true}
		class := v.vector(2)
		r.VendorClass = strconv.FormatUint(uint64(binary.BigEndian.Uint32(m.vendor)), 10) + " " + plainText(class.b, 200)
	}
	var list []byte
	for b := m.asks; len(b) >= 2 && len(list) < 1000; b = b[2:] {
		if len(list) > 0 {
			list = append(list, ',')
		}
		list = strconv.AppendUint(list, uint64(binary.BigEndian.Uint16(b)), 10)
	}
	r.ParameterList = string(list)
	return r
}

// decode reads a message, behind those of relays; false if it does not add up.
func (m *dhcp6) decode(b []byte) bool {
	for range maxRelays {
		if len(b) < 4 {
			return false
		}
		if b[0] != dhcp6Forward && b[0] != dhcp6Return {
			m.kind, m.xid = b[0], binary.BigEndian.Uint32(b)&0xffffff
			return m.options(b[4:], 0)
		}
		if len(b) < 34 { // kind, hops, the link's and the peer's address
			return false
		}
		m.relayed, m.link, m.peer = true, known(tables.AddrFrom16(b[2:18])), known(tables.AddrFrom16(b[18:34]))
		var inner []byte
		if !dhcp6Options(b[34:], func(code uint16, v []byte) {
			if code == dhcp6Relayed {
				inner = v
			}
		}) {
			return false
		}
		b = inner
	}
	return false
}

// options reads those of a message, or of an association within it.
func (m *dhcp6) options(b []byte, depth int) bool {
	whole := true
	return dhcp6Options(b, func(code uint16, v []byte) {
		switch {
		case code == dhcp6Client && depth == 0:
			h := fnv.New64a()
			h.Write(v)
			m.client, m.duid = h.Sum64(), v
			if len(v) >= 4 { // a DUID of the link layer, with or without a time
				kind, hardware, mac := binary.BigEndian.Uint16(v), binary.BigEndian.Uint16(v[2:]), v[4:]
				if kind == 1 && len(mac) == 10 {
					mac = mac[4:]
				}
				if (kind == 1 || kind == 3) && hardware == 1 && len(mac) == 6 {
					m.mac = tables.Some(macOf(mac))
				}
			}
		case code == dhcp6Addresses && depth == 0 && len(v) >= 12:
			whole = m.options(v[12:], 1) && whole
		case code == dhcp6Temporary && depth == 0 && len(v) >= 4:
			whole = m.options(v[4:], 1) && whole
		case code == dhcp6Address && depth == 1 && len(v) >= 24 && len(m.leases) < maxRecords:
			m.leases = append(m.leases, dhcp6Lease{tables.AddrFrom16(v[:16]), binary.BigEndian.Uint32(v[20:])})
		case code == dhcp6VendorClass && depth == 0:
			m.vendor = v
		case code == dhcp6Asks && depth == 0:
			m.asks = v
		case code == dhcp6ClientFQDN && depth == 0 && len(v) > 1:
			if name, ok := wireName(v[1:]); ok {
				m.name = name
			}
		}
	}) && whole
}

// dhcp6Options goes through a list of options; false if it ends within one.
func dhcp6Options(b []byte, each func(code uint16, v []byte)) bool {
	for len(b) > 0 {
		if len(b) < 4 {
			return false
		}
		n := 4 + int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			return false
		}
		each(binary.BigEndian.Uint16(b), b[4:n])
		b = b[n:]
	}
	return true
}
