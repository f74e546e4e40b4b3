package observe

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

const captures = "../../../shared/captures"

// rows is a sink that keeps everything.
type rows struct {
	dns   []tables.DNS
	names []tables.Name
	tls   []tables.TLS
	http  []tables.HTTP

	answers []tables.DNSAnswer
	logins  []tables.Login
	files   []tables.File
	rpc     []tables.RPC
	mail    []tables.Mail
	arp     []tables.ARP
	icmp    []tables.ICMP
	dhcp    []tables.DHCP
	odd     []tables.Oddity
}

func (r *rows) Row(row any) error {
	switch row := row.(type) {
	case *tables.DNS:
		r.dns = append(r.dns, *row)
	case *tables.Name:
		r.names = append(r.names, *row)
	case *tables.DNSAnswer:
		r.answers = append(r.answers, *row)
	case *tables.HTTP:
		r.http = append(r.http, *row)
	case *tables.Login:
		r.logins = append(r.logins, *row)
	case *tables.TLS:
		r.tls = append(r.tls, *row)
	case *tables.File:
		r.files = append(r.files, *row)
	case *tables.RPC:
		r.rpc = append(r.rpc, *row)
	case *tables.Mail:
		r.mail = append(r.mail, *row)
	case *tables.ARP:
		r.arp = append(r.arp, *row)
	case *tables.ICMP:
		r.icmp = append(r.icmp, *row)
	case *tables.DHCP:
		r.dhcp = append(r.dhcp, *row)
	case *tables.Oddity:
		r.odd = append(r.odd, *row)
	}
	return nil
}

// seen is what an Observer told of a capture, as the expectations spell it.
type seen struct {
	queries, sni, hosts map[string]bool
	// elsewhere are names asked for over multicast DNS and LLMNR, which have
	// no dns rows; gopacket decodes them.
	elsewhere map[string]bool
	names     []tables.Name
	logins    []tables.Login
}

// observeFile hands a capture's packets to an Observer the way the meter does:
// conversations by five-tuple, oriented by SYN, else by the lower port.
func observeFile(t *testing.T, path string) (s seen, ethernet bool, stats Stats) {
	in, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	type tuple struct {
		a, b   tables.Addr
		ap, bp uint16
		proto  uint8
	}
	type half struct {
		id      tables.ID
		client  tuple
		packets [2]int
		done    [2]bool
		follow  bool
	}
	s = seen{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, nil, nil}
	sink := &rows{}
	o := New(sink)
	conversations := map[tuple]*half{}
	for {
		var rec pcap.Record
		if err := in.Next(&rec); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Log(err)
			}
			break
		}
		if rec.Link != tables.LinkEthernet {
			return s, false, stats
		}
		var h tables.Header
		data := rec.Data
		tables.Decode(rec.Link, data, rec.Length, &h)
		if !h.IP || h.PayloadLength == 0 || h.PayloadOffset >= len(data) || h.FragmentOffset > 0 {
			continue
		}
		k := tuple{h.Src, h.Dst, h.SrcPort, h.DstPort, h.Protocol}
		back := tuple{h.Dst, h.Src, h.DstPort, h.SrcPort, h.Protocol}
		c := conversations[k]
		if c == nil || h.TCPFlags&tables.TCPSyn != 0 && h.TCPFlags&tables.TCPAck == 0 {
			c = &half{id: tables.ID(len(conversations) + 1), client: k}
			if h.SrcPort < h.DstPort {
				c.client = back
			}
			conversations[k], conversations[back] = c, c
		}
		payload := data[h.PayloadOffset:min(len(data), h.PayloadOffset+h.PayloadLength)]
		side, fromClient := 1, c.client == k
		if fromClient {
			side = 0
		}
		port53 := h.Protocol == tables.ProtocolUDP && (h.SrcPort == 53 || h.DstPort == 53)
		if h.Protocol == tables.ProtocolUDP && (h.DstPort == 5353 || h.DstPort == 5355) {
			var other layers.DNS
			if other.DecodeFromBytes(payload, gopacket.NilDecodeFeedback) == nil {
				for _, q := range other.Questions {
					s.elsewhere[plain(fmt.Sprint(string(q.Name), " ", uint16(q.Type)))] = true
				}
			}
		}
		if h.Protocol == tables.ProtocolTCP && !c.follow && (c.done[side] || c.packets[side] == MaxPackets) || h.Protocol != tables.ProtocolTCP && h.Protocol != tables.ProtocolUDP {
			continue
		}
		c.packets[side]++
		f := o.Observe(&Packet{TS: rec.TS, Header: &h, Payload: payload, FromClient: fromClient,
			FlowID: c.id, ConnID: c.id, Client: c.client.a, Server: c.client.b, Sensor: "test"})
		c.done[side], c.follow = f.Done, f.Follow
		if f.Over {
			c.done = [2]bool{true, true}
		}
		if f.ServerName != "" {
			if f.FromTLS {
				s.sni[f.ServerName] = true
			} else {
				s.hosts[f.ServerName] = true
			}
		}
		if port53 && o.message.hasQuestion && !o.message.response {
			s.queries[plain(fmt.Sprint(onWire(o.message.raw, o.message.length), " ", o.message.qtype))] = true
		}
	}
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, d := range sink.dns {
		if d.RCode == "" && d.Answers != "" {
			t.Errorf("%s: answers without rcode: %+v", path, d)
		}
	}
	s.names, s.logins = sink.names, sink.logins
	return s, true, o.Stats()
}

// onWire undoes the text of a name whose length on the wire is known: the bytes
// of its labels with dots between them.
func onWire(name string, length int) string {
	var chars []rune
	escaped := false
	for _, c := range name {
		if c == '\\' && !escaped {
			escaped = true
			continue
		}
		escaped, chars = false, append(chars, c)
	}
	if len(chars) != length { // UTF-8
		return string(chars)
	}
	raw := make([]byte, length)
	for i, c := range chars {
		raw[i] = byte(c)
	}
	return string(raw)
}

// plain spells a name the way the expectations do, which hold what a terminal
// shows: what is not UTF-8 replaced; here by one mark a run, since decoders
// differ in how many they write.
func plain(name string) string {
	text := strings.ToValidUTF8(name, "\ufffd")
	for strings.Contains(text, "\ufffd\ufffd") {
		text = strings.ReplaceAll(text, "\ufffd\ufffd", "\ufffd")
	}
	return tables.FoldName(text)
}

// exceptions are names tshark has and the Observer does not, each with its
// reason; * stands for anything.
var exceptions = map[string]string{
	"host *:1900":          "SSDP: HTTP over UDP multicast names a group, not a server",
	"host 203.255.252.194": "HTTP over SCTP",
	"sni www.bing.com":     "inside an IPv4-in-IPv6 tunnel, which counts as its outer tuple",
	"sni www.google.de":    "inside QUIC",
}

// TestCaptures compares what is observed in real captures with what tshark
// found in them.
func TestCaptures(t *testing.T) {
	f, err := os.Open(filepath.Join(captures, "expected.jsonl"))
	if err != nil {
		t.Skip("the shared captures are not here: ", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	var wanted, missed, excused, multicast int
	for lines.Scan() {
		var want struct {
			File       string
			DNSQueries map[string]int `json:"dns_queries"`
			SNI        map[string]int
			HTTPHosts  map[string]int `json:"http_hosts"`
		}
		if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		file, path := want.File, filepath.Join(captures, want.File)
		if len(want.DNSQueries)+len(want.SNI)+len(want.HTTPHosts) == 0 {
			continue
		}
		got, ethernet, stats := observeFile(t, path)
		if !ethernet {
			continue
		}
		if stats.Panics > 0 {
			t.Errorf("%s: %d panics", want.File, stats.Panics)
		}
		seenElsewhere := got.elsewhere
		compare := func(kind string, want map[string]int, got map[string]bool, spell func(string) string) {
			for name := range want {
				wanted++
				switch {
				case got[spell(name)]:
				case kind == "query" && seenElsewhere[plain(name)]:
					multicast++
				case excuse(kind + " " + name), excuse(file + " " + kind + " " + name):
					excused++
				default:
					missed++
					t.Errorf("%s: %s %q not seen", path, kind, name)
				}
			}
		}
		compare("query", want.DNSQueries, got.queries, plain)
		compare("sni", want.SNI, got.sni, tables.FoldName)
		compare("host", want.HTTPHosts, got.hosts, func(s string) string {
			if host, _, err := net.SplitHostPort(s); err == nil {
				s = host
			}
			return tables.FoldName(s)
		})
	}
	t.Logf("%d names: %d asked for by multicast, %d not seen for a known reason, %d missed", wanted, multicast, excused, missed)
	if missed > 0 || wanted < 1000 {
		t.Errorf("%d of %d names missed", missed, wanted)
	}
}

func excuse(name string) bool {
	for pattern := range exceptions {
		start, end, any := strings.Cut(pattern, "*")
		if name == pattern || any && strings.HasPrefix(name, start) && strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}
