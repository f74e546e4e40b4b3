package tables

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// NameIndex holds observations of names and the leases they make. Observations
// come in any order and more than once: the leases are those Leases makes of all
// of them. What one more costs does not grow with how many there are.
//
// Busy networks say the same thousands of times. A DNS answer that only repeats
// the last one for its address takes some bytes for its time, which are needed
// when one of another name turns out to lie between.
//
// It is not safe for concurrent use.
type NameIndex struct {
	of      map[NamedAddress]*addressNames
	by      map[string][]NamedAddress // where some lease has the name
	changed []NamedAddress            // since the last Settle
	// sorted has the names of by that Beginning was told of, fresh those it was not; both
	// may have names that are gone.
	sorted, fresh []string
	// machines are the addresses that a MAC had at any time, routers those MACs that
	// had too many.
	machines map[machine]map[NamedAddress]bool
	routers  map[machine]bool
}

// NamedAddress is what leases are disjoint within.
type NamedAddress struct {
	Site string
	Addr Addr
}

func (a NamedAddress) compare(b NamedAddress) int {
	return cmp.Or(cmp.Compare(a.Site, b.Site), a.Addr.Compare(b.Addr))
}

// addressNames is what was said of one address.
type addressNames struct {
	dhcp    []Name // in the order of compareNames
	said    []saidBy
	tenancy *tenancy
	leases  []Lease
	// unsettled: something was added since the leases were made.
	unsettled bool
}

// saidBy is what one source said of an address.
type saidBy struct {
	source string
	list   sayings
}

// sayings are in the order of their first time, then the name, and end before
// the next begins.
type sayings []saying

// saying is one name, said and said again while it held.
type saying struct {
	name     string
	ts, last Time
	until    Time   // after the last time
	repeats  []byte // the times after ts, each a uvarint from the one before
}

// compareNames orders the observations of an address.
func compareNames(a, b *Name) int {
	return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ValidUntil, b.ValidUntil),
		cmp.Compare(set(a.MAC), set(b.MAC)), cmp.Compare(a.MAC.V, b.MAC.V))
}

// Add takes an observation.
func (x *NameIndex) Add(observed *Name) {
	own := *observed
	n := &own
	if !n.usable() {
		return
	}
	key := NamedAddress{n.Site, n.Addr}
	a := x.of[key]
	if a == nil {
		if x.of == nil {
			x.of, x.by = map[NamedAddress]*addressNames{}, map[string][]NamedAddress{}
			x.machines, x.routers = map[machine]map[NamedAddress]bool{}, map[machine]bool{}
		}
		a = &addressNames{}
		x.of[key] = a
	}
	if n.Source == SourceDHCP && a.addDHCP(n) || n.Source != SourceDHCP && a.by(n.Source).add(n) {
		if !a.unsettled {
			a.unsettled, x.changed = true, append(x.changed, key)
		}
	}
}

// addDHCP tells whether the observation is new.
func (a *addressNames) addDHCP(n *Name) bool {
	at, found := slices.BinarySearchFunc(a.dhcp, *n, func(b, n Name) int { return compareNames(&b, &n) })
	if !found {
		a.dhcp = slices.Insert(a.dhcp, at, *n)
	}
	return !found
}

func set[T any](o Opt[T]) int {
	if o.Set {
		return 1
	}
	return 0
}

// by is what a source said.
func (a *addressNames) by(source string) *sayings {
	i := slices.IndexFunc(a.said, func(s saidBy) bool { return s.source == source })
	if i < 0 {
		i, a.said = len(a.said), append(a.said, saidBy{source: source})
	}
	return &a.said[i].list
}

// add tells whether the observation may change a lease.
func (l *sayings) add(n *Name) bool {
	until := max(n.ValidUntil, n.TS+minHold)
	one := saying{name: n.Name, ts: n.TS, last: n.TS, until: until}
	// The saying that n lies in, or comes after.
	at := len(*l) - 1
	if at >= 0 && n.TS < (*l)[at].ts {
		after, _ := slices.BinarySearchFunc(*l, n.TS, func(s saying, t Time) int {
			if s.ts <= t {
				return -1
			}
			return 1
		})
		at = after - 1
	}
	if at < 0 {
		*l = slices.Insert(*l, 0, one)
		return true
	}
	s := &(*l)[at]
	switch {
	case n.TS > s.last && n.Name == s.name && n.TS <= s.until && at == len(*l)-1:
		s.repeats = binary.AppendUvarint(s.repeats, uint64(n.TS-s.last))
		s.last, s.until = n.TS, until // the newest rules, also when it ends sooner
		return true
	case n.TS > s.last:
		*l = slices.Insert(*l, at+1, one)
		return true
	case n.Name == s.name:
		return l.again(at, n.TS, until)
	}
	return l.between(at, one)
}

// times are when it was said.
func (s *saying) times() []Time {
	list := []Time{s.ts}
	for b, t := s.repeats, s.ts; len(b) > 0; {
		d, n := binary.Uvarint(b)
		t, b = t+Time(d), b[n:]
		list = append(list, t)
	}
	return list
}

// again notes that a name was said between its first and its last time too. It
// does not hold until the next time if that answer was shorter.
func (l *sayings) again(at int, t, until Time) (changed bool) {
	s := &(*l)[at]
	if t == s.last {
		changed = until > s.until
		s.until = max(s.until, until)
		return changed
	}
	times := s.times()
	place, known := slices.BinarySearch(times, t)
	switch {
	case known: // what was said then held until the next time
		return false
	case until >= times[place]:
		*s = sayingOf(s.name, slices.Insert(times, place, t), s.until)
		return false
	}
	rest := sayingOf(s.name, times[place:], s.until)
	*s = sayingOf(s.name, append(slices.Clone(times[:place]), t), until)
	*l = slices.Insert(*l, at+1, rest)
	return true
}

// sayingOf is a name said at some times.
func sayingOf(name string, times []Time, until Time) saying {
	s := saying{name: name, ts: times[0], last: times[0], until: until}
	for _, t := range times[1:] {
		s.repeats = binary.AppendUvarint(s.repeats, uint64(t-s.last))
		s.last = t
	}
	return s
}

// between puts another name between the times of a saying. Of one instant the
// greatest name rules.
func (l *sayings) between(at int, one saying) bool {
	s := (*l)[at]
	times := s.times()
	before, known := slices.BinarySearch(times, one.ts)
	if known && one.name < s.name {
		return false
	}
	var parts []saying
	if before > 0 { // it held until the other was said
		parts = append(parts, sayingOf(s.name, times[:before], one.ts))
	}
	parts = append(parts, one)
	if known {
		before++
	}
	if before < len(times) {
		parts = append(parts, sayingOf(s.name, times[before:], s.until))
	}
	*l = slices.Replace(*l, at, at+1, parts...)
	return true
}

// Settle makes the leases of what was added, and returns the addresses whose
// leases may be others now.
func (x *NameIndex) Settle() (changed []NamedAddress) {
	anew := map[NamedAddress]bool{}
	moved := map[machine]bool{} // what a machine has, or is called, may be other than it was
	for _, key := range x.changed {
		a := x.of[key]
		anew[key] = true
		x.possess(key, a.tenancy, moved, false)
		a.tenancy = a.observed(key)
		x.possess(key, a.tenancy, moved, true)
	}
	x.changed = nil
	for m := range moved {
		was, is := x.routers[m], len(x.machines[m]) > machineEver || isRouter(m.mac, x.tenancies(m))
		if x.routers[m] = is; !is {
			delete(x.routers, m)
		}
		if !was || !is {
			for key := range x.machines[m] {
				anew[key] = true
			}
		}
	}
	of := map[machine][]*tenancy{} // of machines that are no routers
	for key := range anew {
		a := x.of[key]
		x.rename(key, a, a.tenancy.leases(func(mac string) []*tenancy {
			m := machine{key.Site, mac}
			list, known := of[m]
			if !known && !x.routers[m] {
				list = x.tenancies(m)
				of[m] = list
			}
			return list
		}))
		changed = append(changed, key)
	}
	slices.SortFunc(changed, NamedAddress.compare)
	if len(x.fresh) > 2*len(x.by)+1000 { // names that come and go
		x.sort()
	}
	return changed
}

// observed is what was observed of an address.
func (a *addressNames) observed(key NamedAddress) *tenancy {
	names := slices.Clone(a.dhcp)
	for _, by := range a.said {
		for i := range by.list {
			s := &by.list[i]
			names = append(names, Name{TS: s.ts, Name: s.name, Addr: key.Addr, Source: by.source, ValidUntil: s.until, Site: key.Site})
		}
	}
	slices.SortFunc(names, func(a, b Name) int { return compareNames(&a, &b) })
	a.unsettled = false
	return tenancyOf(names)
}

// possess notes which machines had an address, or forgets it.
func (x *NameIndex) possess(key NamedAddress, t *tenancy, moved map[machine]bool, has bool) {
	if t == nil {
		return
	}
	for _, h := range t.held {
		m := machine{key.Site, h.Name}
		moved[m] = true
		switch list := x.machines[m]; {
		case !has:
			if delete(list, key); len(list) == 0 {
				delete(x.machines, m)
			}
		case list == nil:
			x.machines[m] = map[NamedAddress]bool{key: true}
		default:
			list[key] = true
		}
	}
}

// tenancies are those of a machine's addresses, in order.
func (x *NameIndex) tenancies(m machine) []*tenancy {
	list := make([]*tenancy, 0, len(x.machines[m]))
	for key := range x.machines[m] {
		list = append(list, x.of[key].tenancy)
	}
	slices.SortFunc(list, func(a, b *tenancy) int { return a.addr.Compare(b.addr) })
	return list
}

// rename gives an address its leases.
func (x *NameIndex) rename(key NamedAddress, a *addressNames, leases []Lease) {
	before := a.leases
	a.leases = leases
	has := func(list []Lease, name string) bool {
		return slices.ContainsFunc(list, func(l Lease) bool { return l.Name == name })
	}
	for i, l := range a.leases {
		if !has(before, l.Name) && !has(a.leases[:i], l.Name) {
			if x.by[l.Name] == nil {
				x.fresh = append(x.fresh, l.Name)
			}
			x.by[l.Name] = append(x.by[l.Name], key)
		}
	}
	for i, l := range before {
		if has(a.leases, l.Name) || has(before[:i], l.Name) {
			continue
		}
		left := slices.DeleteFunc(slices.Clone(x.by[l.Name]), func(k NamedAddress) bool { return k == key })
		if x.by[l.Name] = left; len(left) == 0 {
			delete(x.by, l.Name)
		}
	}
}

// Named lists a name's leases, by site, address and time.
func (x *NameIndex) Named(name string) (leases []Lease) {
	keys := slices.Clone(x.by[name])
	slices.SortFunc(keys, NamedAddress.compare)
	for _, key := range keys {
		for _, l := range x.of[key].leases {
			if l.Name == name {
				leases = append(leases, l)
			}
		}
	}
	return leases
}

// Beginning lists the first names that have leases and begin with something, at most as
// many as are wanted, in order.
func (x *NameIndex) Beginning(with string, wanted int) (names []string) {
	if len(x.fresh) > 0 {
		x.sort()
	}
	at, _ := slices.BinarySearch(x.sorted, with)
	for ; at < len(x.sorted) && len(names) < wanted && strings.HasPrefix(x.sorted[at], with); at++ {
		if x.by[x.sorted[at]] != nil {
			names = append(names, x.sorted[at])
		}
	}
	return names
}

// sort puts the fresh names among the sorted ones.
func (x *NameIndex) sort() {
	slices.Sort(x.fresh)
	x.sorted, x.fresh = merged(x.sorted, x.fresh, func(name string) bool { return x.by[name] != nil }), nil
}

// merged is what two sorted lists have and is kept, each once.
func merged(a, b []string, kept func(string) bool) []string {
	out := make([]string, 0, len(a)+len(b))
	for len(a)+len(b) > 0 {
		from := &a
		if len(a) == 0 || len(b) > 0 && b[0] < a[0] {
			from = &b
		}
		if next := (*from)[0]; (len(out) == 0 || out[len(out)-1] != next) && kept(next) {
			out = append(out, next)
		}
		*from = (*from)[1:]
	}
	return out
}

// Names calls fn for each name that has leases.
func (x *NameIndex) Names(fn func(name string)) {
	for name := range x.by {
		fn(name)
	}
}

// Leases are those of some addresses, by time within each.
func (x *NameIndex) Leases(of []NamedAddress) (leases []Lease) {
	for _, key := range of {
		if a := x.of[key]; a != nil {
			leases = append(leases, a.leases...)
		}
	}
	return leases
}

// Len is how many addresses are known.
func (x *NameIndex) Len() int { return len(x.of) }

// Addresses lists those that are known, by site and address.
func (x *NameIndex) Addresses() []NamedAddress {
	list := make([]NamedAddress, 0, len(x.of))
	for key := range x.of {
		list = append(list, key)
	}
	slices.SortFunc(list, NamedAddress.compare)
	return list
}
