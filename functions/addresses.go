package functions

import "vitess.io/vitess/go/sqltypes"

// networks are the functions of addresses and identifiers (manual 12.23).
var networks = []builtin{
	{name: "bin_to_uuid", args: "bytes[, swap]", typed: plainText(36), doc: "A UUID as text."},
	{name: "inet6_aton", args: "text", typed: plainBytes(16), doc: "An address as 4 or 16 bytes."},
	{name: "inet6_ntoa", args: "bytes", typed: plainText(39), doc: "An address as text."},
	{name: "inet_aton", args: "text", typed: maybeUnsigned, eval: evalInetAton, doc: "An IPv4 address as a number."},
	{name: "inet_ntoa", args: "n", typed: plainText(31), doc: "A number as an IPv4 address."},
	{name: "is_ipv4", args: "text", typed: of(Type{Kind: Bool}).never(), doc: "Whether the text is an IPv4 address."},
	{name: "is_ipv4_compat", args: "bytes", typed: of(Type{Kind: Bool}).never(), doc: "Whether the bytes are an IPv4-compatible address."},
	{name: "is_ipv4_mapped", args: "bytes", typed: of(Type{Kind: Bool}).never(), doc: "Whether the bytes are an IPv4-mapped address."},
	{name: "is_ipv6", args: "text", typed: of(Type{Kind: Bool}).never(), doc: "Whether the text is an IPv6 address."},
	{name: "is_uuid", args: "text", typed: truth, doc: "Whether the text is a UUID."},
	{name: "uuid_to_bin", args: "text[, swap]", typed: plainBytes(16), doc: "A UUID as 16 bytes."},
}

// evalInetAton reads numbers up to 255 with points between; the last of fewer
// than four stands for what is missing before it.
func evalInetAton(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text := row[0].Raw()
		address, part, points := uint64(0), uint64(0), 0
		for _, b := range text {
			switch {
			case b >= '0' && b <= '9':
				if part = part*10 + uint64(b-'0'); part > 255 {
					return sqltypes.NULL, nil
				}
			case b == '.':
				points++
				address, part = address<<8+part, 0
			default:
				return sqltypes.NULL, nil
			}
		}
		if len(text) == 0 || text[len(text)-1] == '.' {
			return sqltypes.NULL, nil
		}
		switch points {
		case 1:
			address <<= 16
		case 2:
			address <<= 8
		}
		return uintValue(address<<8 + part), nil
	}), nil
}
