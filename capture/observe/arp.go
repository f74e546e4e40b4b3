package observe

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// EtherARP is the EtherType of ARP.
const EtherARP = 0x0806

const (
	// arpLife is the while of a row of arp and icmp, arpOfOne how many of one sender
	// there are in it.
	arpLife  = 60e9
	arpOfOne = 64
	// maxClaims addresses have their MAC remembered for claimLife after it was claimed
	// last. A claim is a name's row when it is new, another's that is claimNew later, and
	// again after claimAgain; there are claimsAMinute of them at most.
	maxClaims     = 16384
	claimLife     = 3600e9
	claimAgain    = 1800e9
	claimNew      = 60e9
	claimsAMinute = 1024
)

// claimed is an address that somebody claims.
type claimed struct {
	site string
	addr tables.Addr
}

// claim is by whom.
type claim struct {
	MAC     int64
	ToldMAC int64 // of the name's row
	Own     int64 // who asked or announced from it, as no proxy does
	Told    int64 // ns; when that was, 0 if there is none
}

// Claim is a claim of an address, as it is remembered.
type Claim struct {
	TS   int64
	Site string
	Addr tables.Addr
	Of   claim
}

// observeARP reads ARP for IPv4 over Ethernet (RFC 826).
func (o *Observer) observeARP(p *Packet) {
	b := p.Payload
	if len(b) < 28 || binary.BigEndian.Uint16(b[2:]) != 0x0800 || b[4] != 6 || b[5] != 4 {
		return
	}
	r := tables.ARP{Sensor: p.Sensor, Site: p.Site, Protocol: tables.OverARP}
	sender, target := tables.AddrFrom4(b[14:18]), tables.AddrFrom4(b[24:28])
	switch operation := binary.BigEndian.Uint16(b[6:]); {
	case operation == 1 && sender.Netip().IsUnspecified():
		r.Kind = tables.ARPProbe
	case operation > 2 || operation == 0:
		return
	case sender == target:
		r.Kind = tables.ARPAnnouncement
	case operation == 1:
		r.Kind = tables.ARPRequest
	default:
		r.Kind = tables.ARPReply
	}
	r.MAC, r.AskedIP = tables.Some(macOf(b[8:14])), tables.Some(target)
	if r.Kind != tables.ARPProbe {
		r.IP = tables.Some(sender)
	}
	o.whoHas(p, &r, tables.SourceARP)
}

// Messages of neighbour discovery (RFC 4861 section 4), and their options.
const (
	routerSolicitation = 133
	neighborAdvert     = 136
	sourceLinkLayer    = 1
	targetLinkLayer    = 2
)

// observeNeighbour reads a message of neighbour discovery.
func (o *Observer) observeNeighbour(p *Packet) {
	b := p.Payload
	r := tables.ARP{Sensor: p.Sensor, Site: p.Site, Protocol: tables.OverNDP}
	// Where the options begin, and which of them has the sender's MAC.
	head, option := 24, byte(sourceLinkLayer)
	switch b[0] {
	case routerSolicitation:
		r.Kind, head = tables.RouterSearch, 8
	case 134:
		r.Kind, head = tables.RouterHere, 16
	case 135:
		r.Kind = tables.ARPRequest
	default:
		r.Kind, option = tables.ARPAnnouncement, targetLinkLayer
	}
	if len(b) < head {
		return
	}
	src := p.Header.Src
	if !src.Netip().IsUnspecified() {
		r.IP = tables.Some(src)
	}
	if head == 24 {
		target := tables.AddrFrom16(b[8:24])
		switch {
		case b[0] == neighborAdvert: // it claims the target, whoever is told
			r.IP = tables.Some(target)
			if b[4]&0x40 != 0 { // it was asked
				r.Kind, r.AskedIP = tables.ARPReply, tables.Some(p.Header.Dst)
			}
		default:
			if r.AskedIP = tables.Some(target); !r.IP.Set {
				r.Kind = tables.ARPProbe
			}
		}
	}
	if p.Header.HasMAC && p.Header.Tunnel == tables.TunnelNone { // of a sender on this link, as those with 255 hops left are
		r.MAC = tables.Some(int64(p.Header.SrcMAC))
	}
	for b = b[head:]; len(b) >= 8 && b[1] > 0 && int(b[1])*8 <= len(b); b = b[int(b[1])*8:] {
		if b[0] == option && b[1] == 1 {
			r.MAC = tables.Some(macOf(b[2:8]))
			break
		}
	}
	o.whoHas(p, &r, tables.SourceNDP)
}

// whoHas counts a message, and learns whose an address is.
func (o *Observer) whoHas(p *Packet, r *tables.ARP, source string) {
	h := p.Header
	if r.MAC.Set && r.IP.Set && (source == tables.SourceARP || h.TTL == 255) {
		r.PreviousMAC = o.claim(p, r, source)
	}
	sender := tables.ARP{Sensor: r.Sensor, Site: r.Site, Protocol: r.Protocol, Kind: r.Kind, MAC: r.MAC}
	o.arp.count(o, p.origin(), p.ConnID, 0, *r, sender, tables.ARP{Sensor: r.Sensor, Site: r.Site, Protocol: r.Protocol})
}

// claim notes that a machine claims an address, and returns which other one did last.
func (o *Observer) claim(p *Packet, r *tables.ARP, source string) (previous tables.Opt[int64]) {
	addr, mac := r.IP.V, r.MAC.V
	o.claims.expire(p.TS, nil)
	if mac == 0 || mac>>40&1 != 0 || !isHost(addr) {
		return previous
	}
	key := claimed{p.Site, addr}
	c := o.claims.renew(key, p.TS)
	switch {
	case c == nil:
		var evicted bool
		if c, evicted = o.claims.add(key, claim{MAC: mac}, p.TS, nil); evicted {
			o.stats.Evicted++
		}
	case c.MAC != mac:
		previous = tables.Some(c.MAC)
		c.MAC = mac
	}
	// One that speaks for another is a proxy, or lies: in the frame's MAC it shows, or in that an
	// address is only answered for (ARP), or does not override what is known (RFC 4861 7.2.8).
	if source == tables.SourceNDP {
		if b := p.Payload; b[0] != neighborAdvert || b[4]&0x20 != 0 {
			c.Own = mac
		}
	} else if r.Kind != tables.ARPReply {
		c.Own = mac
	}
	if c.Own != mac {
		return previous
	}
	wait := int64(claimAgain)
	if c.ToldMAC != mac {
		wait = claimNew
	}
	if p.Header.HasMAC && int64(p.Header.SrcMAC) != mac || c.Told != 0 && p.TS-c.Told < wait {
		return previous
	}
	if minute := p.TS / 60e9; minute != o.claimMinute {
		o.claimMinute, o.claimsTold = minute, 0
	}
	if o.claimsTold++; o.claimsTold > claimsAMinute {
		o.stats.Evicted++
		return previous
	}
	c.ToldMAC, c.Told = mac, p.TS
	ts := tables.TimeOf(p.TS)
	o.writeName(&tables.Name{TS: ts, Addr: addr, MAC: tables.Some(mac), Source: source, ValidUntil: ts, Sensor: p.Sensor, Site: p.Site})
	return previous
}

func (o *Observer) writeARP(r *Repeat[tables.ARP]) {
	row := r.Says
	row.TS, row.TSEnd, row.Packets, row.PacketID = tables.TimeOf(r.From.TS), tables.TimeOf(r.Last), r.Packets, r.From.packetID()
	if row.Protocol == tables.OverNDP {
		row.FlowID, row.ConnID = tables.Some(r.From.FlowID), tables.Some(r.Conn)
	}
	o.write(&row)
}

func macOf(b []byte) int64 {
	return int64(binary.BigEndian.Uint16(b))<<32 | int64(binary.BigEndian.Uint32(b[2:]))
}
