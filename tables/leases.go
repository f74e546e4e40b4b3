package tables

import (
	"cmp"
	"slices"
)

// OpenEnd is 9999-12-31 00:00:00, the ts_end of what has no end yet: open
// intervals compare like closed ones, without NULL.
const OpenEnd Time = 253402214400_000_000

// minHold is how long a name that was said holds at least, in microseconds:
// clients and their connections go on using an address after a short TTL is over.
const minHold = 3600_000_000

// The sources of names.
const (
	SourceDHCP     = "dhcp"
	SourceNTLM     = "ntlm"
	SourceKerberos = "kerberos"
	SourceRDP      = "rdp"
	SourceNetBIOS  = "netbios"
	SourceLLMNR    = "llmnr"
	SourceDNS      = "dns"
	// These say which MAC has an address, and no name.
	SourceARP = "arp"
	SourceNDP = "ndp"
)

// spoken are the sources that say names, the first the most believed: what a
// machine calls itself before what others call it.
var spoken = []string{SourceNTLM, SourceKerberos, SourceRDP, SourceNetBIOS, SourceLLMNR, SourceDNS}

// Lease is an interval [TS, TSEnd) in which an address had one name: a row of
// the relation hosts.
type Lease struct {
	Name   string
	Addr   Addr
	MAC    Opt[int64]
	TS     Time
	TSEnd  Time // exclusive
	Source string
	Site   string
}

// Leases computes from name observations, in any order, which name each
// address had when. The result is ordered by site, address and time; the
// leases of one (site, address) are disjoint, so every instant has one answer.
//
// Among observations of one source the newest rules: each holds from its TS
// until the next observation of that address by the same source, whatever its
// name, and no longer than
//   - its ValidUntil, for DHCP: the end of the lease. A release or decline is
//     an observation whose ValidUntil is its TS; it ends the lease before it
//     and holds for no time. A ValidUntil of OpenEnd or later (an infinite
//     lease) leaves the end open;
//   - the later of ValidUntil and one hour after TS, for all others.
//
// A DHCP observation without a name ends the lease before it. If it is no
// release and its MAC is that of the machine that had the address last, it is
// a renewal and the machine's name holds on; else nobody known has the address.
// Of several observations at one instant the one with the greatest name rules,
// so one with a name before one without.
//
// Where several sources have an answer DHCP's stands, then what the machine
// called itself (NTLM, Kerberos, RDP, NetBIOS, LLMNR): they name the machine, DNS a role it
// plays. An address that has none of these has, of source arp, ndp or dhcp, the name that
// another address of the same MAC has at that time, by the same order (see machines.go).
// Touching intervals of the same name and source are one lease,
// with the newest MAC known.
func Leases(names []Name) []Lease {
	sorted := make([]Name, 0, len(names))
	for _, n := range names {
		if n.usable() {
			sorted = append(sorted, n)
		}
	}
	slices.SortFunc(sorted, func(a, b Name) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), a.Addr.Compare(b.Addr), compareNames(&a, &b))
	})
	var tenancies []*tenancy
	var sites []string
	of := map[machine][]*tenancy{}
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].Site == sorted[0].Site && sorted[n].Addr == sorted[0].Addr {
			n++
		}
		t := tenancyOf(sorted[:n])
		tenancies, sites = append(tenancies, t), append(sites, sorted[0].Site)
		for _, h := range t.held {
			m := machine{h.Site, h.Name}
			if list := of[m]; len(list) == 0 || list[len(list)-1] != t {
				of[m] = append(list, t)
			}
		}
		sorted = sorted[n:]
	}
	for m, list := range of {
		if isRouter(m.mac, list) {
			delete(of, m)
		}
	}
	var out []Lease
	for i, t := range tenancies {
		out = append(out, t.leases(func(mac string) []*tenancy { return of[machine{sites[i], mac}] })...)
	}
	return out
}

// usable tells whether the observation says something. It gives a claim its MAC for a
// name.
func (n *Name) usable() bool {
	switch {
	case n.Source == SourceDHCP:
		return true
	case isClaim(n.Source):
		if n.MAC.Set {
			n.Name = MACText(uint64(n.MAC.V))
		}
		return n.MAC.Set
	}
	return n.Name != "" && slices.Contains(spoken, n.Source)
}

// hold appends the intervals of one source's observations of one address, in
// time order.
func hold(out []Lease, names []Name, source string) []Lease {
	var holder Name // of the address last
	for i := range names {
		n := &names[i]
		if n.Source != source {
			continue
		}
		end := n.ValidUntil
		if source != SourceDHCP {
			end = max(end, n.TS+minHold)
		}
		end = min(end, OpenEnd)
		for j := i + 1; j < len(names); j++ {
			if names[j].Source == source {
				end = min(end, names[j].TS)
				break
			}
		}
		name := n.Name
		if name == "" && n.MAC.Set && n.MAC == holder.MAC {
			name = holder.Name
		}
		if n.ValidUntil > n.TS { // no release: that tells nothing of who comes next
			holder = Name{Name: name, MAC: n.MAC}
		}
		if name == "" {
			continue
		}
		out = join(out, Lease{Name: name, Addr: n.Addr, MAC: n.MAC, TS: n.TS, TSEnd: end, Source: source, Site: n.Site})
	}
	return out
}

// overlay appends the union of over and under, both in time order and
// disjoint, leaving out of under what over covers.
func overlay(out, over, under []Lease) []Lease {
	for _, u := range under {
		rest := u // what of u is not yet decided
		for len(over) > 0 && over[0].TS < u.TSEnd {
			o := over[0]
			before := rest
			before.TSEnd = min(rest.TSEnd, o.TS)
			out = join(out, before)
			rest.TS = max(rest.TS, o.TSEnd)
			if o.TSEnd > u.TSEnd {
				break // o may cover the next of under too, and is appended then
			}
			out, over = join(out, o), over[1:]
		}
		out = join(out, rest)
	}
	for _, o := range over {
		out = join(out, o)
	}
	return out
}

// join appends l unless it is empty, or prolongs the last lease when l touches
// it with the same name, address and source.
func join(out []Lease, l Lease) []Lease {
	if l.TS >= l.TSEnd {
		return out
	}
	if n := len(out); n > 0 {
		last := &out[n-1]
		if last.TSEnd == l.TS && last.Name == l.Name && last.Source == l.Source && last.Addr == l.Addr && last.Site == l.Site {
			last.TSEnd = l.TSEnd
			if l.MAC.Set {
				last.MAC = l.MAC
			}
			return out
		}
	}
	return append(out, l)
}
