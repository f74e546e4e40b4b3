package tables

import (
	"slices"
	"strings"
)

// An address that nobody named is known by the machine that has it: by the names that
// other addresses of the same MAC have at the time. Which MAC has an address is said by
// DHCP, and by ARP and neighbour discovery on the sensor's own network; the MAC in a
// packet's frame may be a router's.

const (
	// machineAddresses is how many addresses of one version of IP a machine's MAC has at
	// a time at most, machineEver how many in all. One with more speaks for others: a
	// router's, or a proxy's.
	machineAddresses = 16
	machineEver      = 256
	// contestTime is within what time an address that another MAC claims and its own claims
	// again is in dispute, in microseconds: two have it, or one lies.
	contestTime = 2 * minHold
	// maxMachines is how many MACs may have had an address, if it is known by theirs.
	maxMachines = 64
)

// machine is a MAC, as text, within a site.
type machine struct{ site, mac string }

// tenancy is an address with the names that were said of it, and which MACs had it when:
// held are leases of which the name is the MAC. Both are disjoint and in time order.
type tenancy struct {
	addr        Addr
	named, held []Lease
	by          map[string][]Lease // held by MAC, of many: there are as many machines to ask for
}

// heldBy are the leases that a machine had.
func (t *tenancy) heldBy(mac string) (list []Lease) {
	if t.by != nil {
		return t.by[mac]
	}
	for _, h := range t.held {
		if h.Name == mac {
			list = append(list, h)
		}
	}
	return list
}

// claims are the sources that say which MAC has an address, the first the most believed.
var claims = []string{SourceDHCP, SourceARP, SourceNDP}

// isClaim tells of a source that it says a MAC instead of a name.
func isClaim(source string) bool { return source == SourceARP || source == SourceNDP }

// tenancyOf is what the observations of one address say, which are in the order of
// compareNames; those of ARP and neighbour discovery have the MAC as their name.
func tenancyOf(names []Name) *tenancy {
	t := &tenancy{addr: names[0].Addr, named: hold(nil, names, SourceDHCP)}
	for _, source := range spoken {
		t.named = overlay(nil, t.named, hold(nil, names, source))
	}
	macs := slices.Clone(names)
	for i := range macs {
		n := &macs[i]
		if n.Source == SourceDHCP {
			if n.Name = ""; n.MAC.Set {
				n.Name = MACText(uint64(n.MAC.V))
			}
		}
		if mac, err := ParseMAC(n.Name); err == nil && !isMachine(uint64(mac)) {
			n.Name, n.MAC = "", Opt[int64]{}
		}
	}
	for _, source := range claims {
		held := hold(nil, macs, source)
		if isClaim(source) {
			held = without(held, dispute(macs, source))
		}
		t.held = overlay(nil, t.held, held)
	}
	if len(t.held) > maxMachines {
		t.by = map[string][]Lease{}
		for _, h := range t.held {
			t.by[h.Name] = append(t.by[h.Name], h)
		}
	}
	return t
}

// sharedMACs are those that several machines have, by their first bits: virtual routers' (VRRP and
// CARP, RFC 9568 7.3; HSRP in its three forms; GLBP), QEMU's when it is told none, and none at all.
var sharedMACs = []struct {
	first uint64
	bits  int
}{{0x00005e0001_00, 40}, {0x00005e0002_00, 40}, {0x00000c07ac_00, 40}, {0x00000c9ff000, 36}, {0x000573a00000, 36}, {0x0007b4000000, 24}, {0x525400123456, 48}, {0, 48}}

// isMachine tells of a MAC that one machine has it. Multicast ones are of clusters.
func isMachine(mac uint64) bool {
	return mac>>40&1 == 0 && !slices.ContainsFunc(sharedMACs, func(s struct {
		first uint64
		bits  int
	}) bool {
		return (mac^s.first)>>(48-s.bits) == 0
	})
}

// dispute is when an address was in dispute by one source: from when another MAC claimed it until
// an hour after its own did again.
func dispute(macs []Name, source string) (out []Lease) {
	var runs []*Name // claims of another MAC than the one before
	last := map[string]int{}
	for i := range macs {
		n := &macs[i]
		if n.Source != source || n.Name == "" {
			continue
		}
		if k := len(runs) - 1; k >= 0 && runs[k].TS == n.TS { // the greatest rules
			if runs = runs[:k]; k > 0 && runs[k-1].Name == n.Name {
				continue
			}
		} else if k >= 0 && runs[k].Name == n.Name {
			continue
		}
		runs = append(runs, n)
	}
	for k, n := range runs {
		if p, known := last[n.Name]; known {
			if since := runs[p+1].TS; n.TS-since <= contestTime {
				out = overlay(nil, out, []Lease{{TS: since, TSEnd: n.TS + minHold}})
			}
		}
		last[n.Name] = k
	}
	return out
}

// isRouter tells that a MAC has more addresses than a machine.
func isRouter(mac string, list []*tenancy) bool {
	if len(list) > machineEver {
		return true
	}
	type change struct {
		ts Time
		by int
	}
	var changes [2][]change // of IPv4 and IPv6
	for _, t := range list {
		version := 0
		if !t.addr.Is4() {
			version = 1
		}
		for _, h := range t.heldBy(mac) {
			changes[version] = append(changes[version], change{h.TS, 1}, change{h.TSEnd, -1})
		}
	}
	for _, list := range changes {
		slices.SortFunc(list, func(a, b change) int {
			if a.ts != b.ts {
				return int(min(max(a.ts-b.ts, -1), 1))
			}
			return a.by - b.by
		})
		n := 0
		for _, c := range list {
			if n += c.by; n > machineAddresses {
				return true
			}
		}
	}
	return false
}

// leases are the names an address has: those that were said of it, else those of the
// machines that had it, where the most believed source has one for their other addresses: where it
// has several, the machine speaks for others, or which name is meant is not known. of lists the addresses of a machine, in order; none of a router.
func (t *tenancy) leases(of func(mac string) []*tenancy) []Lease {
	all := t.named
	var macs []string
	for _, h := range t.held {
		if !slices.Contains(macs, h.Name) {
			macs = append(macs, h.Name)
		}
		if len(macs) > maxMachines {
			return all
		}
	}
	var list []beside
	for _, mac := range macs {
		for _, other := range of(mac) {
			if other == t || len(other.named) == 0 {
				continue
			}
			if while := t.beside(other, mac); len(while) > 0 {
				list = append(list, beside{other, while})
			}
		}
	}
	var doubt []Lease
	for _, source := range append([]string{SourceDHCP}, spoken...) {
		var said [][]Lease
		var first []Lease
		for _, b := range list {
			names := b.names(source)
			if len(names) == 0 {
				continue
			}
			said = append(said, names)
			doubt = overlay(nil, doubt, meet(first, names, func(a, b *Lease) (Lease, bool) { return Lease{}, !sameHost(a.Name, b.Name) }))
			first = overlay(nil, first, names)
		}
		for _, names := range said {
			all = overlay(nil, all, without(names, doubt))
		}
	}
	return all
}

// sameHost tells of two names that they may be one host's: they are the same, or one is the
// first labels of the other.
func sameHost(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+".") || strings.HasPrefix(b, a+".")
}

// without is what of leases is not in others; both are disjoint and in time order.
func without(list, others []Lease) (out []Lease) {
	for _, l := range list {
		for len(others) > 0 && others[0].TSEnd <= l.TS {
			others = others[1:]
		}
		for _, o := range others {
			if o.TS >= l.TSEnd {
				break
			}
			before := l
			before.TSEnd = o.TS
			out = join(out, before)
			l.TS = max(l.TS, min(o.TSEnd, l.TSEnd))
		}
		out = join(out, l)
	}
	return out
}

// beside is another address of a machine, and while both are the machine's.
type beside struct {
	other *tenancy
	while []Lease
}

func (t *tenancy) beside(other *tenancy, mac string) []Lease {
	m, err := ParseMAC(mac)
	return meet(t.heldBy(mac), other.heldBy(mac), func(own, its *Lease) (Lease, bool) {
		l := *own
		l.MAC = Some(int64(m))
		return l, err == nil
	})
}

// names are those that the other address has by a source meanwhile.
func (b *beside) names(source string) []Lease {
	return meet(b.while, b.other.named, func(own, its *Lease) (Lease, bool) {
		l := *own
		l.Name = its.Name
		return l, its.Source == source
	})
}

// meet is what both make of each time that is in both; each is disjoint and in time order.
func meet(a, b []Lease, both func(a, b *Lease) (Lease, bool)) (out []Lease) {
	for len(a) > 0 && len(b) > 0 {
		if l, ok := both(&a[0], &b[0]); ok {
			l.TS, l.TSEnd = max(a[0].TS, b[0].TS), min(a[0].TSEnd, b[0].TSEnd)
			out = join(out, l)
		}
		if a[0].TSEnd < b[0].TSEnd {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return out
}
