package tables

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// observed reads a line of observations in the test's notation, one a word
// group: source time name address mac until, with - for none, inf for OpenEnd
// and times in minutes.
func observed(t *testing.T, text string) (names []Name) {
	t.Helper()
	minute := func(s string) Time {
		if s == "inf" {
			return OpenEnd
		}
		var n int64
		if _, err := fmt.Sscan(s, &n); err != nil {
			t.Fatalf("time %q", s)
		}
		return Time(n * 60e6)
	}
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 6 {
			t.Fatalf("line %q", line)
		}
		n := Name{Source: f[0], TS: minute(f[1]), Name: f[2], ValidUntil: minute(f[5])}
		var err error
		if n.Addr, err = ParseAddr(f[3]); err != nil {
			t.Fatal(err)
		}
		if n.Name == "-" {
			n.Name = ""
		}
		if f[4] != "-" {
			var mac int64
			if _, err := fmt.Sscan(f[4], &mac); err != nil {
				t.Fatal(err)
			}
			n.MAC = Some(mac)
		}
		if len(f) > 6 {
			n.Site = f[6]
		}
		names = append(names, n)
	}
	return names
}

func leasesText(leases []Lease) string {
	var b strings.Builder
	for _, l := range leases {
		end := fmt.Sprint(int64(l.TSEnd) / 60e6)
		if l.TSEnd == OpenEnd {
			end = "inf"
		}
		mac := "-"
		if l.MAC.Set {
			mac = fmt.Sprint(l.MAC.V)
		}
		fmt.Fprintf(&b, "%d-%s %s %s %s %s %s\n", int64(l.TS)/60e6, end, l.Name, l.Addr, mac, l.Source, l.Site)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestLeases(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"a lease ends with its time",
			"dhcp 10 gavin 10.0.0.1 7 40", "10-40 gavin 10.0.0.1 7 dhcp\n"},
		{"a host changes its address",
			`dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 50 gavin 10.0.0.2 7 150`,
			"10-100 gavin 10.0.0.1 7 dhcp\n50-150 gavin 10.0.0.2 7 dhcp\n"},
		{"an address goes to another host",
			`dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 50 maria 10.0.0.1 8 150`,
			"10-50 gavin 10.0.0.1 7 dhcp\n50-150 maria 10.0.0.1 8 dhcp\n"},
		{"to another host later",
			`dhcp 10 gavin 10.0.0.1 7 40
			 dhcp 50 maria 10.0.0.1 8 150`,
			"10-40 gavin 10.0.0.1 7 dhcp\n50-150 maria 10.0.0.1 8 dhcp\n"},
		{"renewals are one lease",
			`dhcp 10 gavin 10.0.0.1 7 70
			 dhcp 40 gavin 10.0.0.1 7 100
			 dhcp 70 gavin 10.0.0.1 7 130`,
			"10-130 gavin 10.0.0.1 7 dhcp\n"},
		{"a renewal that brings the MAC",
			`dhcp 10 gavin 10.0.0.1 - 70
			 dhcp 40 gavin 10.0.0.1 7 100
			 dhcp 70 gavin 10.0.0.1 - 130`,
			"10-130 gavin 10.0.0.1 7 dhcp\n"},
		{"a renewal without the name",
			`dhcp 10 gavin 10.0.0.1 7 70
			 dhcp 40 - 10.0.0.1 7 100`,
			"10-100 gavin 10.0.0.1 7 dhcp\n"},
		{"two renewals without the name, a gap between",
			`dhcp 10 gavin 10.0.0.1 7 70
			 dhcp 40 - 10.0.0.1 7 50
			 dhcp 60 - 10.0.0.1 7 90`,
			"10-50 gavin 10.0.0.1 7 dhcp\n60-90 gavin 10.0.0.1 7 dhcp\n"},
		{"a machine that does not say its name",
			`dhcp 10 gavin 10.0.0.1 7 70
			 dhcp 40 - 10.0.0.1 8 100
			 dhcp 50 - 10.0.0.1 8 110`,
			"10-40 gavin 10.0.0.1 7 dhcp\n"},
		{"nobody is known without a MAC",
			`dhcp 10 gavin 10.0.0.1 - 70
			 dhcp 40 - 10.0.0.1 - 100`,
			"10-40 gavin 10.0.0.1 - dhcp\n"},
		{"a release",
			`dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 50 - 10.0.0.1 7 50`,
			"10-50 gavin 10.0.0.1 7 dhcp\n"},
		{"a release with the name, dated back",
			`dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 50 gavin 10.0.0.1 7 40`,
			"10-50 gavin 10.0.0.1 7 dhcp\n"},
		{"back after a release, without the name",
			`dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 50 - 10.0.0.1 7 50
			 dhcp 60 - 10.0.0.1 7 90`,
			"10-50 gavin 10.0.0.1 7 dhcp\n60-90 gavin 10.0.0.1 7 dhcp\n"},
		{"an infinite lease",
			"dhcp 10 gavin 10.0.0.1 7 inf", "10-inf gavin 10.0.0.1 7 dhcp\n"},
		{"an infinite lease released",
			`dhcp 10 gavin 10.0.0.1 7 inf
			 dhcp 50 - 10.0.0.1 7 50`,
			"10-50 gavin 10.0.0.1 7 dhcp\n"},
		{"an answer holds for an hour at least, for its TTL if that is longer",
			`dns 0 a.test 10.0.0.1 - 1
			 dns 0 b.test 10.0.0.2 - 90`,
			"0-60 a.test 10.0.0.1 - dns\n0-90 b.test 10.0.0.2 - dns\n"},
		{"the newest answer",
			`dns 0 a.test 10.0.0.1 - 90
			 dns 10 b.test 10.0.0.1 - 11`,
			"0-10 a.test 10.0.0.1 - dns\n10-70 b.test 10.0.0.1 - dns\n"},
		{"DHCP within DNS",
			`dns 0 a.test 10.0.0.1 - 90
			 dhcp 20 gavin 10.0.0.1 7 40`,
			"0-20 a.test 10.0.0.1 - dns\n20-40 gavin 10.0.0.1 7 dhcp\n40-90 a.test 10.0.0.1 - dns\n"},
		{"DNS within DHCP",
			`dhcp 0 gavin 10.0.0.1 7 90
			 dns 10 a.test 10.0.0.1 - 11`,
			"0-90 gavin 10.0.0.1 7 dhcp\n"},
		{"DHCP over the border of two answers",
			`dns 0 a.test 10.0.0.1 - 1
			 dns 30 b.test 10.0.0.1 - 31
			 dhcp 20 gavin 10.0.0.1 7 40`,
			"0-20 a.test 10.0.0.1 - dns\n20-40 gavin 10.0.0.1 7 dhcp\n40-90 b.test 10.0.0.1 - dns\n"},
		{"a machine without a name leaves the word to DNS",
			`dns 0 a.test 10.0.0.1 - 90
			 dhcp 20 - 10.0.0.1 7 40`,
			"0-90 a.test 10.0.0.1 - dns\n"},
		{"two sites",
			`dhcp 10 gavin 10.0.0.1 7 100 berlin
			 dhcp 50 maria 10.0.0.1 8 150 rome`,
			"10-100 gavin 10.0.0.1 7 dhcp berlin\n50-150 maria 10.0.0.1 8 dhcp rome\n"},
		{"one instant",
			`dhcp 10 maria 10.0.0.1 8 100
			 dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 10 - 10.0.0.1 9 10`,
			"10-100 maria 10.0.0.1 8 dhcp\n"},
		{"one instant, one name, two ends",
			`dhcp 10 gavin 10.0.0.1 7 100
			 dhcp 10 gavin 10.0.0.1 7 20`,
			"10-100 gavin 10.0.0.1 7 dhcp\n"},
		{"no observation of use",
			`dns 10 - 10.0.0.1 - 100
			 wins 10 gavin 10.0.0.1 - 100`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := observed(t, c.in)
			for range 2 {
				if got := leasesText(Leases(in)); got != c.want {
					t.Errorf("got\n%swant\n%s", got, c.want)
				}
				slices.Reverse(in)
			}
		})
	}
}

// nameAt is the answer of the observations themselves at one instant, by the
// rule and not by intervals.
func nameAt(names []Name, site string, a Addr, ts Time) string {
	for _, source := range []string{SourceDHCP, SourceNTLM, SourceNetBIOS, SourceLLMNR, SourceDNS} {
		var newest *Name
		for i := range names {
			n := &names[i]
			if n.Site != site || n.Addr != a || n.Source != source || n.TS > ts {
				continue
			}
			if newest == nil || n.TS > newest.TS || n.TS == newest.TS && (n.Name > newest.Name || n.Name == newest.Name && n.ValidUntil > newest.ValidUntil) {
				newest = n
			}
		}
		if newest == nil {
			continue
		}
		end := newest.ValidUntil
		if source != SourceDHCP {
			end = max(end, newest.TS+minHold)
		}
		if newest.Name != "" && ts < end {
			return newest.Name + " " + source
		}
	}
	return ""
}

// TestLeasesAreOneAnswer holds random observations to what Leases promises:
// order, disjointness, and at each instant the answer of the rule.
func TestLeasesAreOneAnswer(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		var names []Name
		for range 1 + r.IntN(12) {
			n := Name{
				TS:     Time(r.IntN(20)) * 10 * 60e6,
				Name:   []string{"a", "b", "c"}[r.IntN(3)],
				Addr:   AddrFrom4([]byte{10, 0, 0, byte(r.IntN(2))}),
				Site:   []string{"", "x"}[r.IntN(2)],
				Source: []string{SourceDHCP, SourceNTLM, SourceNetBIOS, SourceLLMNR, SourceDNS}[r.IntN(5)],
			}
			n.ValidUntil = n.TS + Time(r.IntN(10))*10*60e6
			switch r.IntN(8) {
			case 0:
				n.ValidUntil = OpenEnd
			case 1:
				n.ValidUntil = n.TS
			case 2:
				n.ValidUntil = n.TS - 1
			}
			if n.Source == SourceDHCP && r.IntN(4) == 0 {
				n.Name = "" // without a MAC: nobody known
			}
			names = append(names, n)
		}
		leases := Leases(names)
		for i, l := range leases {
			if l.TS >= l.TSEnd || l.TSEnd > OpenEnd || l.Name == "" {
				t.Fatalf("lease %+v of %+v", l, names)
			}
			if i == 0 {
				continue
			}
			p := leases[i-1]
			if p.Site > l.Site || p.Site == l.Site && (p.Addr.Compare(l.Addr) > 0 || p.Addr == l.Addr && p.TSEnd > l.TS) {
				t.Fatalf("%+v before %+v of %+v", p, l, names)
			}
		}
		shuffled := slices.Clone(names)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if !slices.Equal(Leases(shuffled), leases) {
			t.Fatalf("order of the observations matters: %+v", names)
		}
		for _, site := range []string{"", "x"} {
			for host := range 2 {
				a := AddrFrom4([]byte{10, 0, 0, byte(host)})
				for ts := Time(0); ts < 40*10*60e6; ts += 5 * 60e6 {
					got := ""
					for _, l := range leases {
						if l.Site == site && l.Addr == a && l.TS <= ts && ts < l.TSEnd {
							got = l.Name + " " + l.Source
						}
					}
					if want := nameAt(names, site, a, ts); got != want {
						t.Fatalf("%s at minute %d: %q, want %q; of %+v", a, ts/60e6, got, want, names)
					}
				}
			}
		}
	}
}
