package capture

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// last is the value of the innermost of several layers.
func last(v string) string { return v[strings.LastIndexByte(v, '|')+1:] }

// times is a row as often as it has packets.
func times(list []string, row string, n int64) []string {
	return append(list, slices.Repeat([]string{row}, int(n))...)
}

func macText(m tables.Opt[int64]) string {
	if !m.Set {
		return "-"
	}
	return tables.MACText(uint64(m.V))
}

func ipText(a tables.Opt[tables.Addr]) string {
	if !a.Set {
		return "-"
	}
	return a.V.String()
}

func numberText[T int32 | int64](n tables.Opt[T]) string {
	if !n.Set {
		return "-"
	}
	return fmt.Sprint(n.V)
}

// TestARPAgainstTshark compares messages of ARP (what, sender, target) and of neighbour
// discovery (what, sender, MAC, target).
func TestARPAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "arp", "icmpv6") {
		var ours, theirs []string
		for _, f := range tsharkFields(t, file, "arp.opcode in {1,2} && arp.proto.type == 0x0800 && arp.hw.size == 6", "arp.opcode", "arp.src.hw_mac", "arp.src.proto_ipv4", "arp.dst.proto_ipv4") {
			ip, asked := f["arp.src.proto_ipv4"], f["arp.dst.proto_ipv4"]
			kind := map[string]string{"1": "request", "2": "reply"}[f["arp.opcode"]]
			switch {
			case ip == "0.0.0.0" && kind == "request":
				kind, ip = "probe", "-"
			case ip == asked:
				kind = "announcement"
			}
			theirs = append(theirs, fmt.Sprint("arp ", kind, " ", f["arp.src.hw_mac"], " ", ip, " ", asked))
		}
		for _, f := range tsharkFields(t, file, "icmpv6.type >= 133 && icmpv6.type <= 136", "icmpv6.type", "ipv6.src", "ipv6.dst", "icmpv6.nd.ns.target_address",
			"icmpv6.nd.na.target_address", "icmpv6.nd.na.flag.s", "icmpv6.opt.src_linkaddr", "icmpv6.opt.target_linkaddr", "eth.src") {
			ip, asked, kind := last(f["ipv6.src"]), "-", ""
			if ip == "::" {
				ip = "-"
			}
			mac := cmp.Or(f["icmpv6.opt.src_linkaddr"], last(f["eth.src"]), "-")
			switch last(f["icmpv6.type"]) {
			case "133":
				kind = "router_solicitation"
			case "134":
				kind = "router_advertisement"
			case "135":
				kind, asked = "request", f["icmpv6.nd.ns.target_address"]
				if ip == "-" {
					kind = "probe"
				}
			default:
				kind, ip = "announcement", f["icmpv6.nd.na.target_address"]
				mac = cmp.Or(f["icmpv6.opt.target_linkaddr"], last(f["eth.src"]), "-")
				if f["icmpv6.nd.na.flag.s"] == "1" {
					kind, asked = "reply", last(f["ipv6.dst"])
				}
			}
			theirs = append(theirs, fmt.Sprint("ndp ", kind, " ", mac, " ", ip, " ", asked))
		}
		for _, r := range meterFile(t, file).ARP {
			ours = times(ours, fmt.Sprint(r.Protocol, " ", r.Kind, " ", macText(r.MAC), " ", ipText(r.IP), " ", ipText(r.AskedIP)), r.Packets)
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d messages are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestICMPAgainstTshark compares messages: who, whom, type, code, identifier, MTU, and
// the ends of the packet an error quotes.
func TestICMPAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "icmp", "icmpv6", "data") {
		var ours, theirs []string
		for _, f := range tsharkFields(t, file, "(icmp || icmpv6) && !(icmpv6.type >= 133 && icmpv6.type <= 136)", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "ip.proto", "ipv6.nxt",
			"icmp.type", "icmp.code", "icmpv6.type", "icmpv6.code", "icmp.ident", "icmpv6.echo.identifier", "icmp.mtu", "icmpv6.mtu") {
			kind, code, quotes := f["icmp.type"], f["icmp.code"], "3 4 5 11 12"
			if kind == "" {
				kind, code, quotes = f["icmpv6.type"], f["icmpv6.code"], "1 2 3 4"
			}
			first := func(v string) string { v, _, _ = strings.Cut(v, "|"); return v }
			n, _ := strconv.ParseUint(cmp.Or(first(f["icmp.ident"]), first(f["icmpv6.echo.identifier"])), 0, 16)
			ident := "-"
			quoting := slices.Contains(strings.Fields(quotes), first(kind))
			if !quoting && cmp.Or(f["icmp.ident"], f["icmpv6.echo.identifier"]) != "" {
				ident = fmt.Sprint(n)
			}
			// The last two layers of an error are the message's and what it quotes.
			srcs, dsts := strings.Split(cmp.Or(f["ip.src"], f["ipv6.src"]), "|"), strings.Split(cmp.Or(f["ip.dst"], f["ipv6.dst"]), "|")
			src, dst, inner := srcs[len(srcs)-1], dsts[len(dsts)-1], "- -"
			if quoting && len(srcs) > 1 {
				src, dst, inner = srcs[len(srcs)-2], dsts[len(dsts)-2], src+" "+dst
			}
			theirs = append(theirs, fmt.Sprint(src, ">", dst, " ", first(kind), "/", first(code), " ", ident, " ", cmp.Or(f["icmp.mtu"], f["icmpv6.mtu"], "-"), " ", inner))
		}
		for _, r := range meterFile(t, file).ICMP {
			ours = times(ours, fmt.Sprint(ipText(r.Src), ">", ipText(r.Dst), " ", numberText(r.Type), "/", numberText(r.Code), " ", numberText(r.Ident), " ", numberText(r.MTU), " ",
				ipText(r.InnerSrc), " ", ipText(r.InnerDst)), r.Packets)
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d messages are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestDHCPAgainstTshark compares messages: what, of whom, and what they say.
func TestDHCPAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "dhcp", "dhcpv6") {
		var ours, theirs []string
		for _, f := range tsharkFields(t, file, "dhcp.option.dhcp", "dhcp.option.dhcp", "dhcp.id", "dhcp.hw.mac_addr", "dhcp.option.hostname", "dhcp.fqdn.name",
			"dhcp.option.requested_ip_address", "dhcp.ip.your", "dhcp.option.ip_address_lease_time", "dhcp.option.vendor_class_id", "dhcp.option.request_list_item") {
			n, _ := strconv.Atoi(f["dhcp.option.dhcp"])
			xid, _ := strconv.ParseUint(f["dhcp.id"], 0, 32)
			yours := f["dhcp.ip.your"]
			if yours == "0.0.0.0" {
				yours = "-"
			}
			first := func(v string) string { v, _, _ = strings.Cut(v, "|"); return v }
			theirs = append(theirs, fmt.Sprint("4 ", tables.DHCPMessages[n], " ", xid, " ", cmp.Or(first(f["dhcp.hw.mac_addr"]), "-"), " ",
				tables.FoldName(cmp.Or(f["dhcp.fqdn.name"], f["dhcp.option.hostname"])), " ", cmp.Or(f["dhcp.option.requested_ip_address"], "-"), " ", yours, " ",
				cmp.Or(f["dhcp.option.ip_address_lease_time"], "-"), " ", f["dhcp.option.vendor_class_id"], " ", strings.ReplaceAll(f["dhcp.option.request_list_item"], "|", ",")))
		}
		for _, f := range tsharkFields(t, file, "dhcpv6", "dhcpv6.msgtype", "dhcpv6.xid", "dhcpv6.iaaddr.ip", "dhcpv6.client_domain", "dhcpv6.requested_option_code") {
			n, _ := strconv.Atoi(last(f["dhcpv6.msgtype"]))
			xid, _ := strconv.ParseUint(last(f["dhcpv6.xid"]), 0, 32)
			first := func(v string) string { v, _, _ = strings.Cut(v, "|"); return v }
			theirs = append(theirs, fmt.Sprint("6 ", tables.DHCP6Messages[n], " ", xid, " ", tables.FoldName(f["dhcpv6.client_domain"]), " ", cmp.Or(first(f["dhcpv6.iaaddr.ip"]), "-"), " ",
				strings.ReplaceAll(f["dhcpv6.requested_option_code"], "|", ",")))
		}
		for _, r := range meterFile(t, file).DHCP {
			if r.Version == 6 {
				ours = times(ours, fmt.Sprint("6 ", r.Message, " ", r.XID, " ", r.Name, " ", cmp.Or(strings.Trim(ipText(r.AssignedIP)+ipText(r.RequestedIP), "-"), "-"), " ", r.ParameterList), r.Packets)
				continue
			}
			ours = times(ours, fmt.Sprint("4 ", r.Message, " ", r.XID, " ", macText(r.MAC), " ", r.Name, " ", ipText(r.RequestedIP), " ", ipText(r.AssignedIP), " ",
				numberText(r.LeaseSeconds), " ", r.VendorClass, " ", r.ParameterList), r.Packets)
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d messages are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestRecordedNeighbours: testdata/captures has DHCP of dnsmasq and udhcpc, ARP and neighbour
// discovery of the kernel, and pings; these are the messages as tshark shows them.
func TestRecordedNeighbours(t *testing.T) {
	const want = `
discover 02:00:5e:20:00:23 - - gavin.reid-machine - - - udhcp 1.35.0 1,3,6,12,15,28,42
offer 02:00:5e:20:00:23 10.20.0.23 10.20.0.1 gavin.reid-machine - 10.20.0.23 43200  
request 02:00:5e:20:00:23 - 10.20.0.1 gavin.reid-machine 10.20.0.23 - - udhcp 1.35.0 1,3,6,12,15,28,42
ack 02:00:5e:20:00:23 10.20.0.23 10.20.0.1 gavin.reid-machine - 10.20.0.23 43200  
release 02:00:5e:20:00:23 10.20.0.23 10.20.0.1  - - -  
arp request 02:00:5e:20:00:31 10.20.0.31 10.20.0.23 1
arp reply 02:00:5e:20:00:23 10.20.0.23 10.20.0.31 1
ndp request 02:00:5e:20:00:23 2001:db8:20::23 2001:db8:20::1 1
ndp reply 02:00:5e:10:00:01 2001:db8:20::1 2001:db8:20::23 1
10.20.0.23>198.51.100.10 8/0 30456 1 - - - 8 64 8
198.51.100.10>10.20.0.23 0/0 30456 1 - - - 8 64 8
10.20.0.1>10.20.0.23 3/1 - - 6 10.20.0.23:56508 198.51.100.99:80 4 240 60 to it
`
	rows := meterFile(t, "../testdata/captures/office-morning.pcap")
	of := map[tables.ID]bool{}
	for _, f := range rows.flows {
		of[f.ConnID] = f.DstPort == 80 && f.Dst.String() == "198.51.100.99"
	}
	var got []string
	for _, r := range rows.DHCP {
		got = append(got, fmt.Sprintln(r.Message, macText(r.MAC), ipText(r.Client), ipText(r.Server), r.Name, ipText(r.RequestedIP), ipText(r.AssignedIP), numberText(r.LeaseSeconds), r.VendorClass, r.ParameterList))
	}
	for _, r := range rows.ARP {
		got = append(got, fmt.Sprintln(r.Protocol, r.Kind, macText(r.MAC), ipText(r.IP), ipText(r.AskedIP), r.Packets))
		if r.FlowID.Set != (r.Protocol == "ndp") || !r.PacketID.Set || r.TS == 0 || r.TSEnd < r.TS {
			t.Errorf("%+v", r)
		}
	}
	for _, r := range rows.ICMP {
		inner := "- - -"
		about := ""
		if r.InnerProtocol.Set {
			inner = fmt.Sprintf("%d %s:%d %s:%d", r.InnerProtocol.V, r.InnerSrc.V, r.InnerSrcPort.V, r.InnerDst.V, r.InnerDstPort.V)
			if of[r.InnerConnID.V] {
				about = " to it"
			}
		}
		got = append(got, fmt.Sprintf("%s>%s %d/%d %s %s %s %d %d %d%s\n", ipText(r.Src), ipText(r.Dst), r.Type.V, r.Code.V, numberText(r.Ident), numberText(r.Sequence), inner, r.Packets, r.Bytes, r.MaxLength, about))
	}
	for line := range strings.Lines(want[1:]) {
		if !slices.Contains(got, line) {
			t.Errorf("there is no %s", line)
		}
	}
	if len(rows.DHCP) != 9 || len(rows.ARP) != 16 || len(rows.ICMP) != 5 {
		t.Errorf("%d, %d and %d rows: %s", len(rows.DHCP), len(rows.ARP), len(rows.ICMP), got)
	}
}
