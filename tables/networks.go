package tables

import "net/netip"

// Inside are the networks that are one's own without configuration: RFC 1918,
// link-local (RFC 3927, RFC 4291 section 2.5.6), RFC 4193, and loopback. What
// `direction` and is_private are made of.
var Inside = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

// ManyReceivers are the addresses of more than one machine: multicast (RFC
// 5771, RFC 4291 section 2.7) and the limited broadcast (RFC 919). A
// network's own broadcast address can't be told without its prefix length.
var ManyReceivers = []netip.Prefix{
	netip.MustParsePrefix("224.0.0.0/4"), netip.MustParsePrefix("255.255.255.255/32"), netip.MustParsePrefix("ff00::/8"),
}

type addrRange struct{ first, last Addr }

var insideRanges, manyRanges = rangesOf(Inside), rangesOf(ManyReceivers)

func rangesOf(networks []netip.Prefix) (out []addrRange) {
	for _, p := range networks {
		first, last := PrefixRange(p)
		out = append(out, addrRange{first, last})
	}
	return out
}

func (a Addr) in(ranges []addrRange) bool {
	for i := range ranges {
		r := &ranges[i]
		if a.Compare(r.first) >= 0 && a.Compare(r.last) <= 0 {
			return true
		}
	}
	return false
}

// Direction is the value of the column direction of a conversation.
func Direction(client, server Addr) string {
	from, to := client.in(insideRanges), server.in(insideRanges)
	switch {
	case to && from:
		return Internal
	case to:
		return Inbound
	case server.in(manyRanges):
		return ToMany
	case from:
		return Outbound
	}
	return External
}
