package tables

import "slices"

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
		if n := &macs[i]; n.Source == SourceDHCP {
			if n.Name = ""; n.MAC.Set {
				n.Name = MACText(uint64(n.MAC.V))
			}
		}
	}
	for _, source := range claims {
		t.held = overlay(nil, t.held, hold(nil, macs, source))
	}
	return t
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
		for _, h := range t.held {
			if h.Name == mac {
				changes[version] = append(changes[version], change{h.TS, 1}, change{h.TSEnd, -1})
			}
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
// machines that had it. of lists the addresses of a machine, in order; none of a router.
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
	for _, source := range append([]string{SourceDHCP}, spoken...) {
		for _, b := range list {
			all = overlay(nil, all, b.names(source))
		}
	}
	return all
}

// beside is another address of a machine, and while both are the machine's.
type beside struct {
	other *tenancy
	while []Lease
}

func (t *tenancy) beside(other *tenancy, mac string) []Lease {
	m, err := ParseMAC(mac)
	return meet(t.held, other.held, func(own, its *Lease) (Lease, bool) {
		l := *own
		l.MAC = Some(int64(m))
		return l, err == nil && own.Name == mac && its.Name == mac
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
