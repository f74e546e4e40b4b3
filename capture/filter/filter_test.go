package filter

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/bpf"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// expressions, and how the packets they are tried on are rightly divided by
// them, tcpdump decides.
var expressions = strings.Split(`
tcp
udp
icmp
icmp6
arp
ip
ip6
sctp
igmp
esp or ah or pim
not tcp
! ( tcp or udp )
host 10.20.1.10
src host 10.20.1.10
dst host 10.20.1.10 and port 80
src or dst host 10.20.1.10
src and dst host 10.20.1.10
dst or src 10.20.1.10
ip host 10.20.1.10
arp host 10.20.1.1
net 10
net 10.20
src net 10.20.1
net 10.20.0.0/16
net 10.20.1.0 mask 255.255.255.0
net 10.20.1.0/24 and not net 10.20.1.8/29
dst net fe80::/10
host ff02::1
ip6 host ff02::fb or ip6 host ff02::2
net 0.0.0.0/0
net ::/0
port 80
port http or https
port 80 or 443 or 53
tcp port 80 or 443
not port 22 and not 53
tcp src port 80
udp dst port domain
src port 53 and dst portrange 1024-65535
portrange 20-80
tcp portrange 80-90
udp portrange 53
ip proto 6
ip proto \tcp
ip6 proto 58
proto 17
ether proto 0x0806
ether proto \arp
ether proto \ip6
ether host ff:ff:ff:ff:ff:ff
ether dst ff:ff:ff:ff:ff:ff
ether src 02:00:00:00:00:01
ether broadcast
broadcast
multicast
ether multicast and not broadcast
ip multicast
ip6 multicast
less 100
greater 1000
len > 100 and len < 1000
len = 74
len / 2 > 100
vlan
vlan 10
vlan and ip
vlan 10 and tcp port 80
vlan and vlan
vlan and vlan 20 and host 10.20.1.10
not vlan and arp
ip or (vlan and ip)
vlan and (udp port 53 or icmp or tcp[13] = 2)
tcp[13] = 2
tcp[tcpflags] & tcp-syn != 0
tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn|tcp-ack
tcp[tcpflags] & (tcp-rst | tcp-fin) != 0 and not src net 10
not tcp[tcpflags] & tcp-syn != 0
icmp[icmptype] = icmp-echo
icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply
icmp6[icmp6type] = icmp6-neighborsolicit
icmp6[0] == 135 or icmp6[0] == 136
ip[0] & 0xf != 5
ip[8] < 64
ip[2:2] > 576
ip[6:2] & 0x1fff = 0
ip[6] & 0x20 != 0
ip6[6] = 44
ether[0] & 1 = 1
ether[12:2] = 0x0800
ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) != 0
tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)
tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x47455420
udp[4:2] > 100
udp[8:2] & 1 = 1
tcp[2:2] = tcp[0:2]
ip[12:4] = ip[16:4]
ip[12:4] > ip[16:4] or arp[6:2] = 1
0 - ip[8] = 0xffffffc0
1 + 2 * 3 = 7
tcp and (port 80 or port 443) && !(host 10.20.1.10 || host 10.20.1.11)
tcp or udp and port 53
udp and port 53 or tcp
(((((udp)))))
host 10.20.1.10 and 10.20.1.1
src 10.20.1.10 or 10.20.1.11
src net 10 or 172.16.0.0/12
ip and not (tcp or udp or icmp)
ip proto 47 or ip proto 4
tcp port 0x50
`, "\n")

// captures have packets of all these kinds.
var captures = []string{
	"../../testdata/captures/office-morning.pcap",
	"../../testdata/captures/office-afternoon.pcapng",
	"../../testdata/captures/dmz.pcap.gz",
}

// made are packets that captures rarely have: tags, fragments, short ones.
func made() [][]byte {
	eth := func(tags ...uint16) []byte {
		b := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1}
		for i, t := range tags {
			kind := []byte{0x81, 0x00}
			if i < len(tags)-1 {
				kind = []byte{0x88, 0xa8}
			}
			b = append(append(b, kind...), byte(t>>8), byte(t))
		}
		return b
	}
	ip4 := func(proto, fragment byte, options int, payload ...byte) []byte {
		b := []byte{8, 0, 0x45 + byte(options), 0, 0, 80, 0, 1, 0, fragment, 64, proto, 0, 0, 10, 20, 1, 10, 10, 20, 1, 1}
		return append(append(b, make([]byte, 4*options)...), payload...)
	}
	ip6 := func(next byte, payload ...byte) []byte {
		b := append([]byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, next, 255}, make([]byte, 32)...)
		b[10], b[26] = 0xfe, 0xff
		return append(b, payload...)
	}
	tcp := append([]byte{0xc0, 0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0}, "GET / HTTP/1.1"...)
	udp := append([]byte{0xc0, 1, 0, 53, 0, 20, 0, 0}, "\x00\x01abcdefgh"...)
	arp := append([]byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, []byte{2, 0, 0, 0, 0, 1, 10, 20, 1, 1, 0, 0, 0, 0, 0, 0, 10, 20, 1, 10}...)
	var out [][]byte
	for _, tags := range [][]uint16{nil, {10}, {20}, {0}, {10, 20}, {20, 10}, {1, 2, 3}} {
		for _, rest := range [][]byte{
			ip4(6, 0, 0, tcp...), ip4(6, 0, 3, tcp...), ip4(17, 0, 0, udp...), ip4(17, 5, 0, udp...), ip4(17, 0, 10, udp...),
			ip4(1, 0, 0, 8, 0, 0, 0), ip4(132, 0, 0, tcp...), ip4(2, 0, 1, 0x11, 0), ip4(47, 0, 0), ip4(50, 0, 0, 1, 2, 3, 4),
			ip6(6, tcp...), ip6(17, udp...), ip6(58, 135, 0), ip6(44, append([]byte{6, 0, 0, 0, 0, 0, 0, 1}, tcp...)...), ip6(44, 58, 0), ip6(0),
			arp, {8, 6}, {8, 0, 0x45}, {0x86}, nil, {0x80, 0x35, 0, 1},
		} {
			out = append(out, append(eth(tags...), rest...))
		}
	}
	return out
}

func packets(t *testing.T) [][]byte {
	out := made()
	for _, path := range captures {
		r, err := pcap.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var rec pcap.Record
		for n := 0; n < 20000; n++ {
			err := r.Next(&rec)
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			if rec.Link == tables.LinkEthernet {
				out = append(out, bytes.Clone(rec.Data))
			}
		}
		r.Close()
	}
	return out
}

// compiled is tcpdump's program for an expression.
func compiled(t *testing.T, link, text string) []bpf.RawInstruction {
	t.Helper()
	out, err := exec.Command("tcpdump", "-y", link, "-s", "262144", "-ddd", text).Output()
	if err != nil {
		t.Errorf("tcpdump does not take %q: %v", text, err)
		return []bpf.RawInstruction{{Op: 6}}
	}
	var list []bpf.RawInstruction
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n")[1:] {
		var n [4]uint64
		for i, f := range strings.Fields(line) {
			if n[i], err = strconv.ParseUint(f, 10, 32); err != nil {
				t.Fatal(err)
			}
		}
		list = append(list, bpf.RawInstruction{Op: uint16(n[0]), Jt: uint8(n[1]), Jf: uint8(n[2]), K: uint32(n[3])})
	}
	return list
}

func machine(t *testing.T, program []bpf.RawInstruction) *bpf.VM {
	t.Helper()
	list, ok := bpf.Disassemble(program)
	if !ok {
		t.Fatalf("a program that is none: %v", program)
	}
	vm, err := bpf.NewVM(list)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func passes(t *testing.T, vm *bpf.VM, packet []byte) bool {
	t.Helper()
	n, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// TestAsTcpdump runs the programs of expressions beside tcpdump's own, over
// packets with their tags in them.
func TestAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("no tcpdump to compare with")
	}
	list := packets(t)
	for _, text := range expressions {
		if text == "" {
			continue
		}
		ours, err := compile(text, tables.LinkEthernet, 262144, target{})
		if err != nil {
			t.Error(err)
			continue
		}
		a, b := machine(t, ours), machine(t, compiled(t, "EN10MB", text))
		yes := 0
		for _, packet := range list {
			got, want := passes(t, a, packet), passes(t, b, packet)
			if want {
				yes++
			}
			if got != want {
				t.Errorf("%s: %v, tcpdump says %v of %x", text, got, want, packet[:min(len(packet), 90)])
				break
			}
		}
		t.Logf("%6d of %d: %s", yes, len(list), text)
	}
}

// TestRaw does it for packets that begin with their IP header.
func TestRaw(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("no tcpdump to compare with")
	}
	for _, text := range []string{"tcp", "port 80", "host 10.20.1.10", "net fe80::/10", "udp or icmp6", "ip[8] = 64", "tcp[13] = 2", "ip6 multicast"} {
		ours, err := compile(text, tables.LinkRaw, 262144, target{})
		if err != nil {
			t.Error(err)
			continue
		}
		a, b := machine(t, ours), machine(t, compiled(t, "RAW", text))
		for _, packet := range made() {
			if len(packet) < 34 || packet[12] != 8 && packet[12] != 0x86 {
				continue
			}
			if got, want := passes(t, a, packet[14:]), passes(t, b, packet[14:]); got != want {
				t.Errorf("%s: %v, tcpdump says %v of %x", text, got, want, packet[14:])
			}
		}
	}
}

// TestRefused has expressions that are no filters: some are tcpdump's too.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"tpc port 80":                  `filter "tpc port 80": "tpc" is no address (names are not resolved) at character 1`,
		"port 80 and":                  `filter "port 80 and": it ends too early at character 12`,
		"port 80000":                   `filter "port 80000": "80000" is no port at character 6`,
		"host www.example.com":         `filter "host www.example.com": "www.example.com" is no address (names are not resolved) at character 6`,
		"(tcp":                         `filter "(tcp": it ends too early at character 5`,
		"tcp)":                         `filter "tcp)": ")" is not expected at character 4`,
		"net 10.0.0.1/8":               `filter "net 10.0.0.1/8": 10.0.0.1/8 has bits that are not of its net, 10.0.0.0/8, at character 5`,
		"tcp host 10.0.0.1":            `filter "tcp host 10.0.0.1": "tcp" has no addresses of IPv4 of its own: and host 10.0.0.1 at character 10`,
		"mpls":                         `filter "mpls": "mpls" is not known here at character 1`,
		"gateway 10.0.0.1":             `filter "gateway 10.0.0.1": "gateway" is not known here at character 1`,
		"tcp[13":                       `filter "tcp[13": it ends too early at character 7`,
		"tcp[13:3] = 1":                `filter "tcp[13:3] = 1": "3" is not expected: sizes are 1, 2 and 4 at character 8`,
		"ip[0] / 0 = 1":                `filter "ip[0] / 0 = 1": a division by zero at character 7`,
		"vlan 5000":                    `filter "vlan 5000": "5000" is no VLAN at character 6`,
		"ether host 10.0.0.1":          `filter "ether host 10.0.0.1": "10.0.0.1" is no address of Ethernet at character 12`,
		"tcp port 80 $":                `filter "tcp port 80 $": '$' is not expected at character 13`,
		"ip6 host 10.0.0.1":            `filter "ip6 host 10.0.0.1": "ip6" has no addresses of IPv4 of its own: and host 10.0.0.1 at character 10`,
		"ether":                        `filter "ether": "ether" says nothing alone at character 1`,
		strings.Repeat("not ", 200):    "it nests too deep",
		strings.Repeat("(", 300):       "it nests too deep",
		strings.Repeat("tcp or ", 9e3): "it is too long",
		"ip[" + strings.Repeat("ip[", 150) + "0" + strings.Repeat("]", 151) + " = 1": "it nests too deep",
	} {
		_, err := Compile(text, tables.LinkEthernet, 262144)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %s", text, err, want)
		}
	}
	if _, err := Compile("tcp", 127, 262144); err == nil {
		t.Error("a filter of 802.11")
	}
}

// TestLong compiles a filter whose jumps go further than a condition can.
func TestLong(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("no tcpdump to compare with")
	}
	var hosts []string
	for i := range 120 {
		hosts = append(hosts, "host 10.20.1."+strconv.Itoa(i+5))
	}
	text := "udp and not (" + strings.Join(hosts, " or ") + ") or arp"
	ours, err := compile(text, tables.LinkEthernet, 262144, target{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := machine(t, ours), machine(t, compiled(t, "EN10MB", text))
	for _, packet := range packets(t) {
		if got, want := passes(t, a, packet), passes(t, b, packet); got != want {
			t.Fatalf("%v, tcpdump says %v of %x", got, want, packet)
		}
	}
}

// FuzzCompile: no text takes the compiler down, and every program it makes is
// one the kernel would take and that ends on any packet.
func FuzzCompile(f *testing.F) {
	for _, text := range expressions {
		f.Add(text)
	}
	list := made()
	f.Fuzz(func(t *testing.T, text string) {
		for _, live := range []bool{true, false} {
			program, err := compile(text, tables.LinkEthernet, 100, target{live: live})
			if err != nil {
				continue
			}
			if len(program) > maxProgram {
				t.Fatalf("%d instructions", len(program))
			}
			if !live {
				vm := machine(t, program)
				for _, packet := range list[:20] {
					passes(t, vm, packet)
				}
			}
		}
	})
}
