package tables

import "strconv"

// LinkType is a value of the link-layer header type registry
// (https://www.tcpdump.org/linktypes.html) as pcap files store it.
type LinkType uint32

// The link types Decode understands.
const (
	LinkNull        LinkType = 0   // BSD loopback, host byte order
	LinkEthernet    LinkType = 1   // IEEE 802.3
	LinkSLIP        LinkType = 8   // 16 bytes, then IP
	LinkPPP         LinkType = 9   // with or without HDLC framing
	LinkDLTRaw      LinkType = 12  // DLT_RAW as most systems number it
	LinkDLTRawOBSD  LinkType = 14  // DLT_RAW of OpenBSD
	LinkPPPHDLC     LinkType = 50  // PPP in HDLC framing, or Cisco HDLC
	LinkPPPoE       LinkType = 51  // starts with the PPPoE header
	LinkATM         LinkType = 100 // RFC 2684, LLC encapsulation
	LinkRaw         LinkType = 101 // IPv4 or IPv6, told by the version nibble
	LinkCiscoHDLC   LinkType = 104
	LinkWifi        LinkType = 105 // IEEE 802.11
	LinkFrameRelay  LinkType = 107
	LinkLoop        LinkType = 108 // OpenBSD loopback, network byte order
	LinkENC         LinkType = 109 // OpenBSD: what came out of an IPsec tunnel
	LinkSLL         LinkType = 113 // Linux cooked capture v1
	LinkPFLog       LinkType = 117 // OpenBSD's packet filter
	LinkPrism       LinkType = 119 // 802.11 behind a Prism header
	LinkRadiotap    LinkType = 127 // 802.11 behind a radiotap header
	LinkAVS         LinkType = 163 // 802.11 behind an AVS header
	LinkPPPPppd     LinkType = 166 // PPP in HDLC framing, a direction for the address
	LinkPPI         LinkType = 192 // per-packet information, then another link type
	LinkPPPDir      LinkType = 204 // a direction, then PPP
	LinkHDLCDir     LinkType = 205 // a direction, then Cisco HDLC
	LinkFRDir       LinkType = 206 // a direction, then frame relay
	LinkIPv4        LinkType = 228 // raw IPv4
	LinkIPv6        LinkType = 229 // raw IPv6
	LinkNFLog       LinkType = 239 // Linux netfilter's log
	LinkPKTAP       LinkType = 258 // macOS: a header, then another link type
	LinkSLL2        LinkType = 276 // Linux cooked capture v2
	LinkBrcmTag     LinkType = 283 // Broadcom switch tag behind the addresses
	LinkBrcmPrepend LinkType = 284 // the same in front of the frame
	LinkDSA         LinkType = 286 // Marvell switch tag behind the addresses
	LinkEDSA        LinkType = 287 // the same behind an EtherType of its own
)

// linkNames are the names of the registry without LINKTYPE_.
var linkNames = map[LinkType]string{
	0: "NULL", 1: "ETHERNET", 3: "AX25", 6: "IEEE802_5", 7: "ARCNET_BSD", 8: "SLIP", 9: "PPP", 10: "FDDI",
	12: "RAW", 14: "RAW", 50: "PPP_HDLC", 51: "PPP_ETHER", 100: "ATM_RFC1483", 101: "RAW", 104: "C_HDLC",
	105: "IEEE802_11", 107: "FRELAY", 108: "LOOP", 109: "ENC", 113: "LINUX_SLL", 114: "LTALK", 117: "PFLOG",
	119: "IEEE802_11_PRISM", 122: "IP_OVER_FC", 123: "SUNATM", 127: "IEEE802_11_RADIOTAP", 129: "ARCNET_LINUX",
	138: "APPLE_IP_OVER_IEEE1394", 139: "MTP2_WITH_PHDR", 140: "MTP2", 141: "MTP3", 142: "SCCP", 143: "DOCSIS",
	144: "LINUX_IRDA", 163: "IEEE802_11_AVS", 165: "BACNET_MS_TP", 166: "PPP_PPPD", 169: "GPRS_LLC", 177: "LINUX_LAPD",
	182: "MFR", 187: "BLUETOOTH_HCI_H4", 189: "USB_LINUX", 192: "PPI", 195: "IEEE802_15_4_WITHFCS", 196: "SITA",
	197: "ERF", 201: "BLUETOOTH_HCI_H4_WITH_PHDR", 202: "AX25_KISS", 203: "LAPD", 204: "PPP_WITH_DIR",
	205: "C_HDLC_WITH_DIR", 206: "FRELAY_WITH_DIR", 209: "IPMB_LINUX", 215: "IEEE802_15_4_NONASK_PHY",
	220: "USB_LINUX_MMAPPED", 224: "FC_2", 225: "FC_2_WITH_FRAME_DELIMS", 226: "IPNET", 227: "CAN_SOCKETCAN",
	228: "IPV4", 229: "IPV6", 230: "IEEE802_15_4_NOFCS", 231: "DBUS", 235: "DVB_CI", 236: "MUX27010",
	237: "STANAG_5066_D_PDU", 239: "NFLOG", 240: "NETANALYZER", 241: "NETANALYZER_TRANSPARENT", 242: "IPOIB",
	243: "MPEG_2_TS", 244: "NG40", 245: "NFC_LLCP", 247: "INFINIBAND", 248: "SCTP", 249: "USBPCAP", 250: "RTAC_SERIAL",
	251: "BLUETOOTH_LE_LL", 253: "NETLINK", 254: "BLUETOOTH_LINUX_MONITOR", 255: "BLUETOOTH_BREDR_BB",
	256: "BLUETOOTH_LE_LL_WITH_PHDR", 257: "PROFIBUS_DL", 258: "PKTAP", 259: "EPON", 260: "IPMI_HPM_2",
	261: "ZWAVE_R1_R2", 262: "ZWAVE_R3", 263: "WATTSTOPPER_DLM", 264: "ISO_14443", 265: "RDS", 266: "USB_DARWIN",
	268: "SDLC", 270: "LORATAP", 271: "VSOCK", 272: "NORDIC_BLE", 273: "DOCSIS31_XRA31", 274: "ETHERNET_MPACKET",
	275: "DISPLAYPORT_AUX", 276: "LINUX_SLL2", 278: "OPENVIZSLA", 279: "EBHSCR", 280: "VPP_DISPATCH",
	283: "DSA_TAG_BRCM", 284: "DSA_TAG_BRCM_PREPEND", 285: "IEEE802_15_4_TAP", 286: "DSA_TAG_DSA", 287: "DSA_TAG_EDSA",
	288: "ELEE", 289: "Z_WAVE_SERIAL", 290: "USB_2_0", 291: "ATSC_ALP",
}

// String returns the number and, where it has one, the name: 239 (NFLOG).
func (l LinkType) String() string {
	text := strconv.FormatUint(uint64(l), 10)
	name := linkNames[l]
	if name == "" && l >= 147 && l <= 162 {
		name = "USER" + strconv.Itoa(int(l-147))
	}
	if name != "" {
		text += " (" + name + ")"
	}
	return text
}

// frame decodes a frame of any link type. inner tells that it stands behind a
// header that named its link type, which must not be such a header again.
func (h *Header) frame(link LinkType, data []byte, at, end int, inner bool) {
	h.L3Offset = at
	switch link {
	case LinkEthernet:
		h.ethernet(data, at, end, 0)
	case LinkRaw, LinkDLTRaw, LinkDLTRawOBSD:
		h.raw(data, at, end)
	case LinkIPv4:
		h.EtherType = etherIPv4
		h.ip4(data, at, end, 0)
	case LinkIPv6:
		h.EtherType = etherIPv6
		h.ip6(data, at, end, 0)
	case LinkNull, LinkLoop:
		h.loopback(data, at, end)
	case LinkENC:
		h.behind(data, at, 12, end, (*Header).raw)
	case LinkPFLog:
		if len(data) <= at {
			h.Err = ErrLinkCut
			return
		}
		h.behind(data, at, (int(data[at])+3)&^3, end, (*Header).raw)
	case LinkSLIP:
		h.behind(data, at, 16, end, (*Header).raw)
	case LinkSLL:
		h.cooked(data, at, end)
	case LinkSLL2:
		h.cooked2(data, at, end)
	case LinkNFLog:
		h.nflog(data, at, end)
	case LinkPPP:
		h.ppp(data, at, end, 0)
	case LinkPPPDir:
		h.behind(data, at, 1, end, func(h *Header, data []byte, at, end int) { h.ppp(data, at, end, 0) })
	case LinkPPPHDLC:
		h.pppHDLC(data, at, end)
	case LinkPPPPppd:
		h.behind(data, at, 2, end, func(h *Header, data []byte, at, end int) { h.ppp(data, at, end, 0) })
	case LinkPPPoE:
		h.EtherType = etherPPPoE
		h.pppoe(data, at, end, 0)
	case LinkCiscoHDLC:
		h.ciscoHDLC(data, at, end)
	case LinkHDLCDir:
		h.behind(data, at, 1, end, (*Header).ciscoHDLC)
	case LinkFrameRelay:
		h.frameRelay(data, at, end)
	case LinkFRDir:
		h.behind(data, at, 1, end, (*Header).frameRelay)
	case LinkATM:
		h.atm(data, at, end)
	case LinkWifi:
		h.wifi(data, at, end, false)
	case LinkRadiotap:
		h.radiotap(data, at, end)
	case LinkPrism:
		h.prism(data, at, end)
	case LinkAVS:
		h.avs(data, at, end)
	case LinkBrcmTag:
		h.switchTag(data, at, 4, end)
	case LinkBrcmPrepend:
		h.behind(data, at, 4, end, func(h *Header, data []byte, at, end int) { h.ethernet(data, at, end, 0) })
	case LinkDSA:
		h.switchTag(data, at, 4, end)
		h.dsaVLAN(data, at+12)
	case LinkEDSA:
		h.switchTag(data, at, 8, end)
		h.dsaVLAN(data, at+16)
	case LinkPPI, LinkPKTAP:
		if inner {
			h.Err = ErrLinkType
			return
		}
		h.announced(link, data, at, end)
	default:
		h.Err = ErrLinkType
	}
}

// behind decodes what follows a header of size bytes.
func (h *Header) behind(data []byte, at, size, end int, decode func(h *Header, data []byte, at, end int)) {
	if len(data)-at < size {
		h.Err = ErrLinkCut
		return
	}
	h.L3Offset = at + size
	decode(h, data, at+size, end)
}
