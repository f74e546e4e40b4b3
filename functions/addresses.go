package functions

// networks are the functions of addresses and identifiers (manual 12.23).
var networks = []builtin{
	{name: "bin_to_uuid", args: "bytes[, swap]", typed: plainText(36), doc: "A UUID as text."},
	{name: "inet6_aton", args: "text", typed: plainBytes(16), doc: "An address as 4 or 16 bytes."},
	{name: "inet6_ntoa", args: "bytes", typed: plainText(39), doc: "An address as text."},
	{name: "inet_aton", args: "text", typed: maybeUnsigned, doc: "An IPv4 address as a number."},
	{name: "inet_ntoa", args: "n", typed: plainText(31), doc: "A number as an IPv4 address."},
	{name: "is_ipv4", args: "text", typed: of(Type{Kind: Bool}).never(), doc: "Whether the text is an IPv4 address."},
	{name: "is_ipv4_compat", args: "bytes", typed: of(Type{Kind: Bool}).never(), doc: "Whether the bytes are an IPv4-compatible address."},
	{name: "is_ipv4_mapped", args: "bytes", typed: of(Type{Kind: Bool}).never(), doc: "Whether the bytes are an IPv4-mapped address."},
	{name: "is_ipv6", args: "text", typed: of(Type{Kind: Bool}).never(), doc: "Whether the text is an IPv6 address."},
	{name: "is_uuid", args: "text", typed: truth, doc: "Whether the text is a UUID."},
	{name: "uuid_to_bin", args: "text[, swap]", typed: plainBytes(16), doc: "A UUID as 16 bytes."},
}
