package functions

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/tables"
)

// span is a set of consecutive addresses, both ends included.
type span struct{ first, last tables.Addr }

func (s span) contains(a tables.Addr) bool {
	return s.first.Compare(a) <= 0 && a.Compare(s.last) <= 0
}

// text tests an address of two DuckDB columns against the span. Spans are
// prefixes: one half is constant or the other is free, and each test is a
// range of one column, which is what prunes row groups.
func (s span) text(hi, lo string) string {
	if s.first.Hi != s.last.Hi {
		return fmt.Sprintf("(%s BETWEEN %s AND %s)", hi, ubigint(s.first.Hi), ubigint(s.last.Hi))
	}
	if s.first.Lo == s.last.Lo {
		return fmt.Sprintf("(%s = %s AND %s = %s)", hi, ubigint(s.first.Hi), lo, ubigint(s.first.Lo))
	}
	return fmt.Sprintf("(%s = %s AND %s BETWEEN %s AND %s)", hi, ubigint(s.first.Hi), lo, ubigint(s.first.Lo), ubigint(s.last.Lo))
}

// ubigint writes a constant of the columns' own type: a bare number above
// 2^63 is a HUGEINT to DuckDB, and the comparison would cast the column.
func ubigint(n uint64) string { return strconv.FormatUint(n, 10) + "::UBIGINT" }

func prefixSpan(p netip.Prefix) span {
	first, last := tables.PrefixRange(p)
	return span{first, last}
}

var (
	// mapped4 is where IPv4 addresses are stored among the IPv6 ones.
	mapped4 = span{tables.Addr{Lo: 0xffff << 32}, tables.Addr{Lo: 0xffff<<32 | 0xffffffff}}
	private = func() (spans []span) {
		for _, p := range tables.Inside {
			spans = append(spans, prefixSpan(p))
		}
		return spans
	}()
)

// parseNetwork reads a prefix, or an address as the network of only itself.
// Host bits may be set.
func parseNetwork(s string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
		}
		return p.Masked(), nil
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.Prefix{}, fmt.Errorf("%q is not a network: write it as '10.0.0.0/8'", s)
}

// excludes4 tells whether a network of IPv6 covers the addresses that stand
// for IPv4 in storage: it means IPv6 only.
func excludes4(p netip.Prefix) bool {
	return p.Addr().Is6() && p.Bits() < 96 && prefixSpan(p).contains(mapped4.first)
}

// InNetwork tells whether a lies in p; an IPv4 address lies in no IPv6 network.
func InNetwork(a tables.Addr, p netip.Prefix) bool {
	return prefixSpan(p).contains(a) && !(a.Is4() && excludes4(p))
}

// Private tells whether an address is inside by default (tables.Inside).
func Private(a tables.Addr) bool {
	for _, s := range private {
		if s.contains(a) {
			return true
		}
	}
	return false
}

// PrivateText is Private as a DuckDB test of two columns.
func PrivateText(hi, lo string) string {
	tests := make([]string, len(private))
	for i, s := range private {
		tests[i] = s.text(hi, lo)
	}
	return "(" + strings.Join(tests, " OR ") + ")"
}

var ipIn = &Function{
	Name: "ip_in",
	Args: []Arg{
		{Name: "address", Type: AddrType, Doc: "an address"},
		{Name: "network", Type: types.LongText, Doc: "a network such as '10.0.0.0/8', or one address", Many: true},
	},
	Returns: types.Boolean,
	Doc: "Whether an address lies in a network, or in one of several. With a constant network it becomes a comparison of numbers and reads " +
		"only the files and row groups that can match. No IPv4 address lies in an IPv6 network, `::/0` included.",
	Examples: []Example{
		{SQL: "SELECT ip_in('10.1.2.3', '10.0.0.0/8')", Result: "1"},
		{SQL: "SELECT ip_in('2001:db8::1', '2001:db8::/32')", Result: "1"},
		{SQL: "SELECT ip_in('192.168.7.9', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16')", Result: "1"},
		{SQL: "SELECT ip_in('10.1.2.3', '::/0')", Result: "0", Note: "an IPv4 address is in no IPv6 network"},
	},
	check: func(arg int, v any) error {
		if arg == 0 {
			return nil
		}
		_, err := parseNetwork(v.(string))
		return err
	},
	Eval: func(args []any) (any, error) {
		a, err := tables.ParseAddr(args[0].(string))
		if err != nil {
			return nil, err
		}
		in := false
		for _, network := range args[1:] {
			p, err := parseNetwork(network.(string))
			if err != nil {
				return nil, err
			}
			in = in || InNetwork(a, p)
		}
		return in, nil
	},
	Text: func(args []Operand) (Operand, error) {
		if args[0].Kind != Address {
			return Operand{}, errors.New("the argument is not an address")
		}
		s, ok := args[1].Literal.(string)
		if !ok {
			return Operand{}, errors.New("the network is not a constant")
		}
		p, err := parseNetwork(s)
		if err != nil {
			return Operand{}, err
		}
		hi, lo := args[0].Hi, args[0].Lo
		test := prefixSpan(p).text(hi, lo)
		if excludes4(p) {
			test = fmt.Sprintf("(%s AND NOT %s)", test, mapped4.text(hi, lo))
		}
		return Operand{Kind: Bool, SQL: test}, nil
	},
}

var ipNetwork = &Function{
	Name: "ip_network",
	Args: []Arg{
		{Name: "address", Type: AddrType, Doc: "an address"},
		{Name: "bits", Type: types.Int64, Doc: "length of the prefix; more than the address has means all of it"},
		{Name: "bits6", Type: types.Int64, Optional: true, Doc: "length for IPv6 addresses, where it differs"},
	},
	Returns: varchar(49),
	Doc: "The network of an address, as text. Group by it to see which networks traffic comes from: " +
		"`ip_network(client_ip, 24, 64)` treats IPv4 and IPv6 each in its usual size.",
	Examples: []Example{
		{SQL: "SELECT ip_network('10.1.2.3', 24)", Result: "10.1.2.0/24"},
		{SQL: "SELECT ip_network('2001:db8:1:2:3::4', 24, 64)", Result: "2001:db8:1:2::/64"},
	},
	check: func(arg int, v any) error {
		if n, ok := v.(int64); ok && arg > 0 && (n < 0 || n > 128) {
			return fmt.Errorf("%d is not a prefix length: 0 to 128", n)
		}
		return nil
	},
	Eval: func(args []any) (any, error) {
		a, err := tables.ParseAddr(args[0].(string))
		if err != nil {
			return nil, err
		}
		return networkOf(a, args[1].(int64), args[len(args)-1].(int64))
	},
	Text: func(args []Operand) (Operand, error) {
		if args[0].Kind != Address {
			return Operand{}, errors.New("the argument is not an address")
		}
		for _, bits := range args[1:] {
			if bits.Kind != Integer {
				return Operand{}, errors.New("the prefix length is not an integer")
			}
		}
		return Operand{Kind: Text, SQL: fmt.Sprintf("wiresql_ip_network(%s, %s, CAST(%s AS BIGINT), CAST(%s AS BIGINT))",
			args[0].Hi, args[0].Lo, args[1].SQL, args[len(args)-1].SQL)}, nil
	},
}

// networkOf is the text of the network of bits (bits6 for IPv6) a is in.
func networkOf(a tables.Addr, bits, bits6 int64) (string, error) {
	addr := a.Netip()
	if addr.Is6() {
		bits = bits6
	}
	if bits < 0 || bits > 128 {
		return "", fmt.Errorf("%d is not a prefix length: 0 to 128", bits)
	}
	return netip.PrefixFrom(addr, min(int(bits), addr.BitLen())).Masked().String(), nil
}

var isPrivate = &Function{
	Name:    "is_private",
	Args:    []Arg{{Name: "address", Type: AddrType, Doc: "an address"}},
	Returns: types.Boolean,
	Doc: "Whether an address belongs to a network of one's own: RFC 1918 (10/8, 172.16/12, 192.168/16), RFC 4193 " +
		"(fc00::/7), link-local (169.254/16, fe80::/10) or loopback (127/8, ::1). `direction` is made of this.",
	Examples: []Example{
		{SQL: "SELECT is_private('172.20.0.1')", Result: "1"},
		{SQL: "SELECT is_private('8.8.8.8')", Result: "0"},
		{SQL: "SELECT is_private('fd00::1')", Result: "1"},
	},
	Eval: func(args []any) (any, error) {
		a, err := tables.ParseAddr(args[0].(string))
		return Private(a), err
	},
	Text: func(args []Operand) (Operand, error) {
		if args[0].Kind != Address {
			return Operand{}, errors.New("the argument is not an address")
		}
		return Operand{Kind: Bool, SQL: PrivateText(args[0].Hi, args[0].Lo)}, nil
	},
}

var protocolName = &Function{
	Name:    "protocol_name",
	Args:    []Arg{{Name: "number", Type: types.Int64, Doc: "IP protocol number, 0 to 255"}},
	Returns: varchar(32),
	Doc:     "The name of an IP protocol number as the column `protocol` has it; the number as text where it has no name, NULL beyond 255.",
	Examples: []Example{
		{SQL: "SELECT protocol_name(6)", Result: "tcp"},
		{SQL: "SELECT protocol_name(58)", Result: "icmp6"},
		{SQL: "SELECT protocol_name(300)", Result: "NULL"},
	},
	Eval: func(args []any) (any, error) {
		n := args[0].(int64)
		if n < 0 || n > 255 {
			return nil, nil
		}
		return tables.ProtocolName(uint8(n)), nil
	},
	Text: integerUDF("wiresql_protocol_name"),
}

var serviceName = &Function{
	Name: "service_name",
	Args: []Arg{
		{Name: "port", Type: types.Int64, Doc: "port number"},
		{Name: "protocol", Type: types.LongText, Optional: true, Doc: "'tcp' or 'udp'; without it the first of the two that has a name"},
	},
	Returns: varchar(64),
	Doc:     "The usual name of the service on a port, as the column `service` has it; NULL where there is none.",
	Examples: []Example{
		{SQL: "SELECT service_name(443)", Result: "https"},
		{SQL: "SELECT service_name(53, 'udp')", Result: "domain"},
		{SQL: "SELECT service_name(49999)", Result: "NULL"},
	},
	Eval: func(args []any) (any, error) {
		if len(args) == 2 {
			return service(args[0].(int64), args[1].(string)), nil
		}
		return service(args[0].(int64), ""), nil
	},
	Text: func(args []Operand) (Operand, error) {
		if args[0].Kind != Integer {
			return Operand{}, errors.New("the port is not an integer")
		}
		protocol := "''"
		if len(args) == 2 {
			if args[1].Kind != Text {
				return Operand{}, errors.New("the protocol is not text")
			}
			protocol = args[1].SQL
		}
		return Operand{Kind: Text, SQL: fmt.Sprintf("wiresql_service_name(CAST(%s AS BIGINT), %s)", args[0].SQL, protocol)}, nil
	},
}

// service returns a name or nil; an empty protocol means TCP, else UDP.
func service(port int64, protocol string) any {
	if port < 0 || port > 65535 {
		return nil
	}
	protocols := []uint8{tables.ProtocolTCP, tables.ProtocolUDP}
	if protocol != "" {
		n, ok := tables.ProtocolNumber(strings.ToLower(protocol))
		if !ok {
			return nil
		}
		protocols = []uint8{n}
	}
	for _, p := range protocols {
		if name := tables.ServiceName(uint16(port), p); name != "" {
			return name
		}
	}
	return nil
}

var tcpFlagsText = &Function{
	Name:    "tcp_flags_text",
	Args:    []Arg{{Name: "flags", Type: types.Int64, Doc: "TCP flag bits, FIN is 1"}},
	Returns: varchar(9),
	Doc:     "TCP flags as letters in the order SFRPAUECN, as the columns `tcp_flags` have them; empty for none, NULL beyond nine bits.",
	Examples: []Example{
		{SQL: "SELECT tcp_flags_text(2)", Result: "S"},
		{SQL: "SELECT tcp_flags_text(18)", Result: "SA"},
		{SQL: "SELECT tcp_flags_text(24)", Result: "PA"},
	},
	Eval: func(args []any) (any, error) {
		n := args[0].(int64)
		if n < 0 || n > 511 {
			return nil, nil
		}
		return tables.TCPFlagsText(uint16(n)), nil
	},
	Text: integerUDF("wiresql_tcp_flags_text"),
}

// integerUDF translates a function of one integer to the UDF of that name.
func integerUDF(name string) func([]Operand) (Operand, error) {
	return func(args []Operand) (Operand, error) {
		if args[0].Kind != Integer {
			return Operand{}, errors.New("the argument is not an integer")
		}
		return Operand{Kind: Text, SQL: fmt.Sprintf("%s(CAST(%s AS BIGINT))", name, args[0].SQL)}, nil
	}
}
