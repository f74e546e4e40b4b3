package tables

import (
	"slices"
	"strconv"
)

// dnsTypes are the types of DNS records seen in practice (IANA DNS Resource
// Record Types), by mnemonic. Type 10, NULL, is left out: its name in a result
// would look like no value at all. 32 is NetBIOS's (RFC 1002 section 4.2.1.3),
// whose messages have DNS's form.
var dnsTypes = map[uint16]string{
	1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 11: "WKS",
	12: "PTR", 13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB",
	24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 32: "NB", 33: "SRV", 35: "NAPTR", 36: "KX",
	37: "CERT", 38: "A6", 39: "DNAME", 41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP",
	45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID", 50: "NSEC3",
	51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 59: "CDS", 60: "CDNSKEY",
	61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 108: "EUI48",
	109: "EUI64", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB", 255: "ANY",
	256: "URI", 257: "CAA", 32769: "DLV",
}

// dnsRCodes are the response codes by mnemonic (IANA DNS RCODEs). 16 in an
// OPT record is BADVERS; as BADSIG it stands in TSIG records only.
var dnsRCodes = map[uint16]string{
	0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
	6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI",
	16: "BADVERS", 23: "BADCOOKIE",
}

// DNSTypeName is a type as dns.qtype and packets.info have it: the mnemonic, else TYPE and the number
// as RFC 3597 section 5 writes it.
func DNSTypeName(n uint16) string {
	if name, ok := dnsTypes[n]; ok {
		return name
	}
	return "TYPE" + strconv.Itoa(int(n))
}

// DNSRCodeName is a code as dns.rcode and packets.info have it: the mnemonic, else RCODE and the
// number; RFC 6895 section 2.3 leaves codes without one unassigned.
func DNSRCodeName(n uint16) string {
	if name, ok := dnsRCodes[n]; ok {
		return name
	}
	return "RCODE" + strconv.Itoa(int(n))
}

// DNSOpcodeName is an opcode as dns.opcode has it: the mnemonic (IANA DNS OpCodes), else OPCODE and
// the number.
func DNSOpcodeName(n uint8) string {
	if int(n) < len(dnsOpcodes) && dnsOpcodes[n] != "" {
		return dnsOpcodes[n]
	}
	return "OPCODE" + strconv.Itoa(int(n))
}

var dnsOpcodes = [...]string{0: "QUERY", 1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}

// mnemonics lists a registry's names in the order of their numbers.
func mnemonics(registry map[uint16]string) []string {
	var numbers []uint16
	for n := range registry {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	names := make([]string, len(numbers))
	for i, n := range numbers {
		names[i] = registry[n]
	}
	return names
}
