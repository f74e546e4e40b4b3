package functions

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// networks are the functions of addresses and identifiers (manual 12.23).
var networks = []builtin{
	{name: "bin_to_uuid", args: "bytes[, swap]", typed: plainText(36), doc: "A UUID as text."},
	{name: "inet6_aton", args: "text", typed: plainBytes(16), eval: evalInet6Aton, doc: "An address as 4 or 16 bytes."},
	{name: "inet6_ntoa", args: "bytes", typed: plainText(39), eval: evalInet6Ntoa, doc: "An address as text."},
	{name: "inet_aton", args: "text", typed: maybeUnsigned, eval: evalInetAton, doc: "An IPv4 address as a number."},
	{name: "inet_ntoa", args: "n", typed: plainText(31), doc: "A number as an IPv4 address."},
	{name: "is_ipv4", args: "text", typed: truth, eval: evalIsAddress, doc: "Whether the text is an IPv4 address."},
	{name: "is_ipv4_compat", args: "bytes", typed: truth, eval: evalIsAddress, doc: "Whether the bytes are an IPv4-compatible address."},
	{name: "is_ipv4_mapped", args: "bytes", typed: truth, eval: evalIsAddress, doc: "Whether the bytes are an IPv4-mapped address."},
	{name: "is_ipv6", args: "text", typed: truth, eval: evalIsAddress, doc: "Whether the text is an IPv6 address."},
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

// parse4 reads an IPv4 address as MySQL's functions of IPv6 do: four numbers
// of one to three digits, zeros in front of them too. A byte 0 ends the text.
func parse4(text string) (a [4]byte, ok bool) {
	if len(text) < 7 || len(text) > 15 {
		return a, false
	}
	text, _, _ = strings.Cut(text, "\x00")
	parts := strings.Split(text, ".")
	if len(parts) != 4 {
		return a, false
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil || len(part) > 3 {
			return a, false
		}
		a[i] = byte(n)
	}
	return a, true
}

// parse6 reads an IPv6 address, whose last two groups may be an IPv4 address.
// It has no zone.
func parse6(text string) (a [16]byte, ok bool) {
	if len(text) < 2 || len(text) > 39 {
		return a, false
	}
	text, _, _ = strings.Cut(text, "\x00")
	if colon := strings.LastIndexByte(text, ':'); colon >= 0 && strings.Contains(text[colon:], ".") {
		v4, ok := parse4(text[colon+1:])
		if !ok {
			return a, false
		}
		text = text[:colon+1] + hex.EncodeToString(v4[:2]) + ":" + hex.EncodeToString(v4[2:])
	}
	addr, err := netip.ParseAddr(text)
	return addr.As16(), err == nil && addr.Is6() && addr.Zone() == ""
}

// evalInet6Aton is NULL of what is no address.
func evalInet6Aton(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text := row[0].ToString()
		if a, ok := parse4(text); ok {
			return sqltypes.MakeTrusted(sqltypes.VarBinary, a[:]), nil
		}
		if a, ok := parse6(text); ok {
			return sqltypes.MakeTrusted(sqltypes.VarBinary, a[:]), nil
		}
		return sqltypes.NULL, nil
	}), nil
}

// evalInet6Ntoa is NULL of what is not 4 or 16 bytes; text is not bytes.
func evalInet6Ntoa(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		b := row[0].Raw()
		switch {
		case c.args[0].Type.Kind != Bytes:
		case len(b) == 4:
			return textValue([]byte(netip.AddrFrom4([4]byte(b)).String())), nil
		case len(b) == 16:
			return textValue([]byte(text6([16]byte(b)))), nil
		}
		return sqltypes.NULL, nil
	}), nil
}

// text6 writes the longest run of zero groups as ::, also where it is one
// group, and IPv4-mapped and IPv4-compatible addresses with points.
func text6(a [16]byte) string {
	var groups [8]uint16
	gap, length := 0, 0
	for i, run := 0, 0; i < 8; i++ {
		groups[i] = binary.BigEndian.Uint16(a[2*i:])
		if groups[i] != 0 {
			run = 0
		} else if run++; run > length {
			gap, length = i+1-run, run
		}
	}
	var b strings.Builder
	for i := 0; i < 8; i++ {
		switch {
		case length > 0 && i == gap:
			b.WriteString("::")
			i += length - 1
			continue
		case i == 6 && gap == 0 && (length == 6 || length == 5 && groups[5] == 0xffff):
			b.WriteString(netip.AddrFrom4([4]byte(a[12:])).String())
			return b.String()
		}
		b.WriteString(strconv.FormatUint(uint64(groups[i]), 16))
		if i < 7 && (length == 0 || i+1 != gap) {
			b.WriteByte(':')
		}
	}
	return b.String()
}

// evalIsAddress is IS_IPV4 and its kin.
func evalIsAddress(c *call) (evaluator, error) {
	is := map[string]func(b []byte) bool{
		"is_ipv4": func(b []byte) bool { _, ok := parse4(string(b)); return ok },
		"is_ipv6": func(b []byte) bool { _, ok := parse6(string(b)); return ok },
		"is_ipv4_mapped": func(b []byte) bool {
			return len(b) == 16 && netip.AddrFrom16([16]byte(b)).Is4In6()
		},
		"is_ipv4_compat": func(b []byte) bool { // but for :: and ::1
			return len(b) == 16 && strings.Trim(string(b[:12]), "\x00") == "" && binary.BigEndian.Uint32(b[12:]) > 1
		},
	}[c.name]
	bytesOnly := strings.HasPrefix(c.name, "is_ipv4_")
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		return boolValue((!bytesOnly || c.args[0].Type.Kind == Bytes) && is(row[0].Raw())), nil
	}), nil
}
