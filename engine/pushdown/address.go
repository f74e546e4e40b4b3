package pushdown

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// addressLike turns the LIKE patterns people write for networks into a range
// of addresses: '10.1.%' and a whole address. ok is false for any other
// pattern, which is matched against the text.
func addressLike(v Expr, pattern string) (Expr, bool) {
	if !strings.ContainsAny(pattern, "%_") {
		a, err := tables.ParseAddr(pattern)
		if err != nil || a.String() != pattern {
			return nil, false
		}
		return call("=", Bool, v, lit(Address, a)), true
	}
	octets := strings.Split(strings.TrimSuffix(pattern, ".%"), ".")
	if !strings.HasSuffix(pattern, ".%") || len(octets) > 3 {
		return nil, false
	}
	var quad [4]byte
	for i, o := range octets {
		n, err := strconv.ParseUint(o, 10, 8)
		if err != nil || strconv.FormatUint(n, 10) != o {
			return nil, false
		}
		quad[i] = byte(n)
	}
	first, last := tables.PrefixRange(netip.PrefixFrom(netip.AddrFrom4(quad), 8*len(octets)))
	return between(v, first, last), true
}

// between tests for a range of addresses. With one high half, as all of IPv4
// has, it is a range of the low half, which prunes.
func between(v Expr, first, last tables.Addr) Expr {
	lo, hi := lit(Address, first), lit(Address, last)
	if first.Hi == last.Hi {
		return call("between", Bool, v, lo, hi)
	}
	return call("and", Bool, call(">=", Bool, v, lo), call("<=", Bool, v, hi))
}
