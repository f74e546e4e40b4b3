package tables

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// notTshark are cases that tshark 4.0 sees otherwise, and why.
var notTshark = map[string]string{
	"gre, pptp":                  "it takes a packet without PPP's protocol for one",
	"gre, inner does not decode": "it shows a broken inner packet", "gre in vxlan, inner does not decode": "as before",
	"ip in ip, not": "as before", "teredo's port alone": "as before",
	"tunnels without end": "it follows all of them", "five tags": "0x9200 is no tag to it",
	"slip": "not read", "nflog, big endian": "it takes the file's order",
	"broadcom tag": "it has none of the tag's opcode", "edsa": "not read",
	"mpls pseudowire": "it guesses a control word by the first bytes alone", "pseudowire": "as before",
	"pseudowire, control word": "as before", "pseudowire to 00:…": "as before", "gre, pseudowire": "as before",
	"pseudowire to 45:…": "it believes the first nibble", "pseudowire to 45:…, the frame's length in it": "as before",
	"pseudowire to 60:…": "as before", "pseudowire to 45:…, arp": "as before",
	"erspan III, a packet":           "only frames are read",
	"l2tp v3 in udp":                 "it must be told what is negotiated",
	"l2tp v3, cookie":                "as before",
	"l2tp v3, ppp":                   "as before",
	"l2tp v3 in l2tp v3 without end": "as before",
}

// TestDecodeAgainstTshark has tshark read the packets of all cases: addresses,
// ports and length of the innermost packet are what it says they are.
func TestDecodeAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("no tshark")
	}
	var cases []decodeCase
	links := map[LinkType]uint32{}
	file := pcapngBlock(0x0a0d0d0a, cat(le32(0x1a2b3c4d), le16(1), le16(0), "\xff\xff\xff\xff\xff\xff\xff\xff"))
	for _, c := range slices.Concat(decodeCases, linkCases, tunnelCases) {
		switch c.link {
		case 147, LinkPPPPppd, LinkHDLCDir, LinkFRDir, LinkBrcmPrepend, LinkDSA: // not known to tshark
			continue
		}
		n, ok := links[c.link]
		if !ok {
			n = uint32(len(links))
			links[c.link] = n
			file = append(file, pcapngBlock(1, cat(le16(int(c.link)), le16(0), le32(0)))...)
		}
		data := c.data[:len(c.data)-c.cut]
		file = append(file, pcapngBlock(6, cat(le32(n), le32(0), le32(0), le32(uint32(len(data))), le32(uint32(len(c.data))), data))...)
		cases = append(cases, c)
	}
	path := filepath.Join(t.TempDir(), "cases.pcapng")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE",
		"-T", "fields", "-E", "occurrence=l", "-E", "separator=|", "-e", "frame.protocols", "-e", "ip.src", "-e", "ip.dst", "-e", "ip.len",
		"-e", "ipv6.src", "-e", "ipv6.dst", "-e", "ipv6.plen", "-e", "tcp.srcport", "-e", "tcp.dstport", "-e", "udp.srcport", "-e", "udp.dstport").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(cases) {
		t.Fatalf("%d lines for %d packets", len(lines), len(cases))
	}
	compared := 0
	for i, c := range cases {
		var h Header
		Decode(c.link, c.data[:len(c.data)-c.cut], len(c.data), &h)
		offloaded := h.IP && h.Src.Is4() && c.data[h.L3Offset+2] == 0 && c.data[h.L3Offset+3] == 0
		if h.Err != ErrNone || h.Fragment || offloaded || notTshark[c.name] != "" {
			continue
		}
		f := strings.Split(lines[i], "|")
		if got, want := tupleText(&h), tsharkTuple(f); got != want {
			t.Errorf("%s: %s, tshark says %s (%s)", c.name, got, want, f[0])
		}
		compared++
	}
	if compared < 100 {
		t.Errorf("only %d packets compared", compared)
	}
}

// pcapngBlock is a block of a little-endian pcapng file.
func pcapngBlock(kind uint32, body []byte) []byte {
	body = append(body, make([]byte, -len(body)&3)...)
	return cat(le32(kind), le32(uint32(12+len(body))), body, le32(uint32(12+len(body))))
}

func tupleText(h *Header) string {
	if !h.IP {
		return "no ip"
	}
	text := h.Src.String() + " " + h.Dst.String() + " " + itoa(h.L3Length)
	if h.Protocol == ProtocolTCP || h.Protocol == ProtocolUDP {
		text += " " + itoa(int(h.SrcPort)) + " " + itoa(int(h.DstPort))
	}
	return text
}

// tsharkTuple is the same of the fields of a packet.
func tsharkTuple(f []string) string {
	text := ""
	for _, layer := range strings.Split(f[0], ":") {
		switch layer {
		case "ip":
			text = f[1] + " " + f[2] + " " + f[3]
		case "ipv6":
			text = f[4] + " " + f[5] + " " + itoa(40+atoi(f[6]))
		case "tcp":
			text = strings.Join(strings.Fields(text)[:3], " ") + " " + f[7] + " " + f[8]
		case "udp":
			text = strings.Join(strings.Fields(text)[:3], " ") + " " + f[9] + " " + f[10]
		}
	}
	if text == "" {
		return "no ip"
	}
	return text
}

func atoi(text string) (n int) {
	for _, c := range text {
		n = 10*n + int(c-'0')
	}
	return n
}
