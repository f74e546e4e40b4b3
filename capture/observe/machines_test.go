package observe

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/wiresql/wiresql/tables"
)

// nbShown is how tshark writes a NetBIOS name: its text and the sixteenth
// character in hex.
var nbShown = regexp.MustCompile(`^(.*)<([0-9a-f]{2})>`)

// TestMachineNames compares the names machines give themselves, in real
// captures, with what tshark shows of the same messages.
func TestMachineNames(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("tshark is not here")
	}
	total := map[string]int{}
	for _, file := range []string{"arkime/nbns.pcap", "ndpi/netbios.pcap", "zeek/smb2.pcap", "zeek/smb2readwrite.pcap",
		"realistic/smb_deletefile.pcap", "zeek/kinit.pcap"} {
		path := filepath.Join(captures, file)
		if _, err := os.Stat(path); err != nil {
			t.Skip("the shared captures are not here: ", err)
		}
		fields := func(filter string, names ...string) (rows [][]string) {
			args := []string{"-n", "-r", path, "-Y", filter, "-T", "fields", "-E", "aggregator=|"}
			for _, name := range names {
				args = append(args, "-e", name)
			}
			out, err := exec.Command("tshark", args...).Output()
			if err != nil {
				t.Fatalf("%s: tshark: %v", file, err)
			}
			for line := range strings.Lines(string(out)) {
				rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
			}
			return rows
		}
		last := func(s string) string { return s[strings.LastIndex(s, "|")+1:] }
		var want []string
		for _, row := range fields("ntlmssp.messagetype == 3 || ntlmssp.messagetype == 2", "ip.src", "ntlmssp.auth.hostname",
			"ntlmssp.challenge.target_info.dns_computer_name", "ntlmssp.challenge.target_info.nb_computer_name") {
			name := row[1]
			if name == "" || name == "NULL" {
				if name = row[2]; name == "" {
					name = row[3]
				}
			}
			if name != "" {
				want = append(want, "ntlm "+row[0]+" "+tables.FoldName(name))
			}
		}
		for _, row := range fields("nbns.addr && (nbns.flags.response == 1 || nbns.flags.opcode > 4)", "nbns.name", "nbns.addr", "nbns.nb_flags.group") {
			name := nbShown.FindStringSubmatch(last(row[0]))
			if last(row[2]) == "0" && (name[2] == "00" || name[2] == "20") {
				want = append(want, "netbios "+last(row[1])+" "+tables.FoldName(name[1]))
			}
		}
		for _, row := range fields("nbns.number_of_names", "ip.src", "nbns.netbios_name", "nbns.name_flags.group") {
			for i, shown := range strings.Split(row[1], "|") {
				if strings.Split(row[2], "|")[i] == "0" { // the first that is no group's is the machine's
					want = append(want, "netbios "+row[0]+" "+tables.FoldName(shown))
					break
				}
			}
		}
		seen, _, stats := observeFile(t, path)
		if stats.Panics > 0 {
			t.Errorf("%s: %d panics", file, stats.Panics)
		}
		var got []string
		for _, n := range seen.names {
			if n.Source == tables.SourceNTLM || n.Source == tables.SourceNetBIOS {
				got = append(got, n.Source+" "+n.Addr.String()+" "+n.Name)
				total[n.Source]++
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", file, got, want)
		}
	}
	if total[tables.SourceNTLM] < 2 || total[tables.SourceNetBIOS] < 10 {
		t.Errorf("names compared: %v", total)
	}
}

// nbEncoded is a name of sixteen characters as RFC 1001, section 14.1, encodes
// it.
func nbEncoded(name string, suffix byte) string {
	raw := append([]byte(name), strings.Repeat(" ", nbName)...)
	raw[nbName-1] = suffix
	var out []byte
	for _, c := range raw[:nbName] {
		out = append(out, 'A'+c>>4, 'A'+c&15)
	}
	return string(out)
}

func utf16Bytes(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// ntlmAnswer is an AUTHENTICATE_MESSAGE ([MS-NLMP] section 2.2.1.3) from a
// workstation.
func ntlmAnswer(workstation string) []byte {
	name := utf16Bytes(workstation)
	b := append([]byte(ntlmSignature), ntlmAuthenticate, 0, 0, 0)
	b = append(b, make([]byte, 32)...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = binary.LittleEndian.AppendUint32(b, 64)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, ntlmUnicode)
	return append(b, name...)
}

// ntlmAsk is a CHALLENGE_MESSAGE ([MS-NLMP] section 2.2.1.2) of a server.
func ntlmAsk(netbios, dns string) []byte {
	var list []byte
	for id, name := range map[uint16]string{ntlmNetBIOSComputer: netbios, ntlmDNSComputer: dns} {
		value := utf16Bytes(name)
		list = binary.LittleEndian.AppendUint16(list, id)
		list = append(binary.LittleEndian.AppendUint16(list, uint16(len(value))), value...)
	}
	list = append(list, 0, 0, 0, 0)
	b := append([]byte(ntlmSignature), ntlmChallenge, 0, 0, 0)
	b = append(b, make([]byte, 28)...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(list)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(list)))
	b = binary.LittleEndian.AppendUint32(b, 48)
	return append(b, list...)
}

func TestNTLMNames(t *testing.T) {
	for want, message := range map[string][]byte{
		"gavin":            ntlmAnswer("GAVIN"),
		"rené":             ntlmAnswer(`\\rené`),
		"srv.example.test": ntlmAsk("SRV", "srv.Example.test"),
		"srv":              ntlmAsk("SRV", ""),
		"":                 ntlmAnswer("a\x00b"),
	} {
		name := func(b []byte) string {
			m := readNTLM(b)
			return machineName(m.workstation + m.server)
		}
		if got := name(message); got != want {
			t.Errorf("%q; want %q", got, want)
		}
		for n := range message { // cut anywhere
			if got := name(message[:n]); got != "" && got != want && !strings.HasPrefix(want, got) {
				t.Errorf("cut at %d: %q", n, got)
			}
		}
	}
}

func TestNetBIOSNames(t *testing.T) {
	address := "\x0a\x00\x00\x17"
	registration := func(name string, suffix byte, flags, opcode string) string {
		return "\x00\x01" + opcode + "\x00\x01\x00\x00\x00\x00\x00\x01 " + nbEncoded(name, suffix) + "\x00\x00\x20\x00\x01" +
			"\xc0\x0c\x00\x20\x00\x01\x00\x00\x1c\x20\x00\x06" + flags + address
	}
	for want, message := range map[string]string{
		"gavin 10.0.0.23 7200": registration("GAVIN", 0, "\x00\x00", "\x29\x10"),
		"files 10.0.0.23 7200": registration("FILES", 0x20, "\x60\x00", "\x40\x10"),  // a refresh
		"":                     registration("WORKGROUP", 0, "\x80\x00", "\x29\x10"), // a group's
	} {
		sink := &rows{}
		o := New(sink)
		h := tables.Header{Protocol: tables.ProtocolUDP, SrcPort: 137, DstPort: 137, Src: tables.AddrFrom4([]byte(address))}
		for n := range len(message) + 1 {
			o.Observe(&Packet{TS: 1e18, Header: &h, Payload: []byte(message[:n])})
		}
		got := ""
		for _, n := range sink.names {
			got = fmt.Sprint(n.Name, " ", n.Addr, " ", (n.ValidUntil-n.TS)/1e6)
		}
		if got != want || len(sink.names) > 1 || o.Stats().Panics > 0 {
			t.Errorf("%q of %d, want %q", got, len(sink.names), want)
		}
	}
}
