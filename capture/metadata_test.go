package capture

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// compareFields has the metadata of all shared captures compared with tshark, which
// takes minutes.
var compareFields = flag.Bool("fields", false, "compare metadata rows with tshark's fields")

// capturesWith are the shared captures in which tshark saw one of the protocols.
func capturesWith(t *testing.T, protocols ...string) (files []string) {
	t.Helper()
	if !*compareFields {
		t.Skip("-fields compares with tshark's")
	}
	facts, err := os.ReadFile(filepath.Join(sharedCaptures, "expected.jsonl"))
	if err != nil {
		t.Skip("no shared captures: ", err)
	}
	for line := range bytes.Lines(facts) {
		var f struct {
			File, Kind string
			Protocols  map[string]int
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Kind == "capture" && slices.ContainsFunc(protocols, func(p string) bool { return f.Protocols[p] > 0 }) {
			files = append(files, filepath.Join(sharedCaptures, f.File))
		}
	}
	return files
}

// tsharkFields are fields of the packets that a filter lets through, a map each.
func tsharkFields(t *testing.T, file, filter string, fields ...string) (list []map[string]string) {
	t.Helper()
	args := []string{"-n", "-d", "tcp.port==24,smtp", "-o", "tcp.reassemble_out_of_order:TRUE", "-o", "http.desegment_body:FALSE", "-r", file, "-Y", filter, "-T", "fields", "-E", "separator=/t", "-E", "aggregator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.CommandContext(t.Context(), "tshark", args...).Output()
	if err != nil {
		t.Logf("%s: %v", file, err) // of a damaged file it says what there is
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		m := map[string]string{}
		for i, v := range strings.Split(lines.Text(), "\t") {
			m[fields[i]] = v
		}
		list = append(list, m)
	}
	return list
}

// tsharkEnd is the end of a packet's tuple, the inner one of a tunnel.
func tsharkEnd(f map[string]string, end string) string {
	addr := cmp.Or(f["ip."+end], f["ipv6."+end])
	return addr[strings.LastIndexByte(addr, '|')+1:] + ":" + cmp.Or(f["tcp."+end+"port"], f["udp."+end+"port"])
}

// tally compares two lists of rows, whatever their order, and logs what only one has.
// What only we have counts as different but where it was looked at and is right:
// answers that begin in the midst of a segment, which tshark finds only if it puts
// bodies together, and then not those whose body does not end; requests in two
// segments; TLS on ports that tshark takes for RDP's and BitTorrent's; mail in chunks that come
// with their commands; a head of HTTP/2 in several frames.
func tally(t *testing.T, file string, ours, theirs []string) (same, all int) {
	t.Helper()
	right := map[string]bool{"bro.org.pcap.gz": true, "bro.org.pcap": true, "1kxun.pcap": true, "instagram.pcap": true, "netflix.pcap": true,
		"mix-30min.pcap": true, "gnutella.pcap": true, "mail.pcap": true, "http2-nghttp2.pcap": true}
	count := map[string]int{}
	for _, r := range ours {
		count[r]++
	}
	for _, r := range theirs {
		count[r]--
	}
	missing := 0
	for _, r := range slices.Sorted(maps.Keys(count)) {
		switch n := count[r]; {
		case n > 0:
			t.Logf("%s: only ours   x%d %s", file, n, r)
		case n < 0:
			t.Logf("%s: only theirs x%d %s", file, -n, r)
			missing -= n
		}
	}
	all = max(len(ours), len(theirs))
	if right[filepath.Base(file)] {
		all = len(theirs)
	}
	return len(theirs) - missing, all
}

// TestTLSAgainstTshark compares handshakes over TCP and QUIC: who, JA3, server name, cipher suite,
// JA3S and the certificate.
func TestTLSAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "tls", "quic") {
		streams := map[string]map[string]string{}
		for _, f := range tsharkFields(t, file, "tls.handshake.type && (tcp || quic)", "tcp.stream", "udp.stream", "udp.srcport", "udp.dstport", "tls.handshake.type", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport",
			"tls.handshake.ja3", "tls.handshake.ja3s", "tls.handshake.extensions_server_name", "tls.handshake.ciphersuite", "tls.handshake.certificate", "tls.handshake.random") {
			types := strings.Split(f["tls.handshake.type"], "|")
			stream := f["tcp.stream"] + "/" + f["udp.stream"]
			s := streams[stream]
			if s == nil {
				s = map[string]string{}
			}
			src, dst := tsharkEnd(f, "src"), tsharkEnd(f, "dst")
			if slices.Contains(types, "1") && s["client"] == "" {
				s["client"] = src + ">" + dst
				s["ja3"], s["sni"] = f["tls.handshake.ja3"], tables.FoldName(f["tls.handshake.extensions_server_name"])
			}
			if slices.Contains(types, "2") && s["ja3s"] == "" && !strings.HasPrefix(f["tls.handshake.random"], "cf21ad74e59a6111") {
				s["server"] = dst + ">" + src
				s["ja3s"], s["cipher"] = f["tls.handshake.ja3s"], f["tls.handshake.ciphersuite"]
			}
			if slices.Contains(types, "11") && s["cert"] == "" && s["server"] == dst+">"+src {
				first, _, _ := strings.Cut(f["tls.handshake.certificate"], "|")
				der, _ := hex.DecodeString(first)
				sum := sha256.Sum256(der)
				s["cert"] = hex.EncodeToString(sum[:])
			}
			streams[stream] = s
		}
		var ours, theirs []string
		for _, s := range streams {
			if who := s["client"]; who != "" || s["server"] != "" {
				if who == "" {
					who = s["server"]
				}
				theirs = append(theirs, fmt.Sprint(who, " ", s["ja3"], " ", s["sni"], " ", s["ja3s"], " ", s["cert"]))
			}
		}
		for _, r := range meterFile(t, file).TLS {
			ours = append(ours, fmt.Sprintf("%s:%d>%s:%d %s %s %s %s", r.Client, r.ClientPort, r.Server, r.ServerPort, r.JA3, r.ServerName, r.JA3S, r.CertSHA256))
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestHTTPAgainstTshark compares requests (who, method, host, URI, user agent, referer)
// and answers (who, status).
func TestHTTPAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "http") {
		var ours, theirs []string
		for _, f := range tsharkFields(t, file, "http && tcp && (http.request.method || http.response.code)", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport",
			"http.request.method", "http.request.uri", "http.host", "http.user_agent", "http.referer", "http.response.code") {
			src, dst := tsharkEnd(f, "src"), tsharkEnd(f, "dst")
			if f["http.request.method"] != "" {
				methods := strings.Split(f["http.request.method"], "|")
				one := func(field string, i int) string {
					list := strings.Split(f[field], "|")
					if len(methods) == 1 {
						return f[field]
					}
					return list[min(i, len(list)-1)]
				}
				for i, method := range methods {
					host := tables.FoldName(one("http.host", i))
					if h, _, err := net.SplitHostPort(host); err == nil {
						host = h
					}
					if host == "" {
						host = "-"
					}
					theirs = append(theirs, fmt.Sprint(src, ">", dst, " ", method, " ", host, " ", one("http.request.uri", i), " ", one("http.user_agent", i), " ", one("http.referer", i)))
				}
			}
			for code := range strings.SplitSeq(f["http.response.code"], "|") {
				if code >= "2" || code == "101" {
					theirs = append(theirs, fmt.Sprint(dst, "<", src, " ", code))
				}
			}
		}
		for _, r := range meterFile(t, file).HTTP {
			client, server := fmt.Sprintf("%s:%d", r.Client, r.ClientPort), fmt.Sprintf("%s:%d", r.Server, r.ServerPort)
			if r.Method != "" {
				ours = append(ours, fmt.Sprint(client, ">", server, " ", r.Method, " ", cmp.Or(r.Host, "-"), " ", r.URI, " ", r.UserAgent, " ", r.Referer))
			}
			if r.Status.Set {
				ours = append(ours, fmt.Sprint(client, "<", server, " ", r.Status.V))
			}
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestHTTP2AgainstTshark compares requests and promises (who, method, host, path) and answers (who, status).
func TestHTTP2AgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range append(capturesWith(t, "http2"), "../testdata/http2/http2.pcap") {
		var ours, theirs []string
		for _, f := range tsharkFields(t, file, "http2.headers.method || http2.headers.status", "ip.src", "ip.dst", "tcp.srcport", "tcp.dstport", "http2.type",
			"http2.headers.method", "http2.headers.authority", "http2.headers.path", "http2.headers.status") {
			src, dst := tsharkEnd(f, "src"), tsharkEnd(f, "dst")
			list := func(field string) []string { return strings.Split(f["http2.headers."+field], "|") }
			if f["http2.headers.method"] != "" {
				client, server := src, dst
				if promised := f["http2.type"]; strings.Contains("|"+promised+"|", "|5|") {
					client, server = dst, src
				}
				for i, method := range list("method") {
					host, _, _ := strings.Cut(list("authority")[i], ":")
					theirs = append(theirs, fmt.Sprint(client, ">", server, " ", method, " ", host, " ", list("path")[i]))
				}
			}
			for _, code := range list("status") {
				if code >= "2" {
					theirs = append(theirs, fmt.Sprint(dst, "<", src, " ", code))
				}
			}
		}
		for _, r := range meterFile(t, file).HTTP {
			client, server := fmt.Sprintf("%s:%d", r.Client, r.ClientPort), fmt.Sprintf("%s:%d", r.Server, r.ServerPort)
			if r.Version == "2" && r.Method != "" {
				ours = append(ours, fmt.Sprint(client, ">", server, " ", r.Method, " ", r.Host, " ", r.URI))
			}
			if r.Status.Set {
				ours = append(ours, fmt.Sprint(client, "<", server, " ", r.Status.V))
			}
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestNFSAgainstTshark compares the bytes that were read and written (between whom), and what was removed and renamed.
func TestNFSAgainstTshark(t *testing.T) {
	for _, file := range append(capturesWith(t, "nfs"), "../testdata/nfs/nfs.pcap") {
		ours, theirs := map[string]int64{}, map[string]int64{}
		for _, f := range tsharkFields(t, file, "nfs", "ip.src", "ip.dst", "rpc.msgtyp", "nfs.procedure_v3", "nfs.count3", "nfs.name", "nfs.status3") {
			procedures, messages := strings.Split(f["nfs.procedure_v3"], "|"), strings.Split(f["rpc.msgtyp"], "|")
			if len(procedures) > 1 {
				t.Fatalf("%s: several messages in a packet", file)
			}
			n, _ := strconv.ParseInt(f["nfs.count3"], 10, 64)
			answer := messages[0] == "1" && strings.HasPrefix(f["nfs.status3"], "0")
			switch procedures[0] {
			case "6":
				if answer {
					theirs[f["ip.dst"]+" reads of "+f["ip.src"]] += n
				}
			case "7":
				if answer {
					theirs[f["ip.dst"]+" writes to "+f["ip.src"]] += n
				}
			case "12", "13", "14":
				if messages[0] == "0" {
					theirs[f["ip.src"]+" "+procedures[0]+" "+strings.ReplaceAll(f["nfs.name"], "|", " to ")]++
				}
			}
		}
		base := func(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
		for _, r := range meterFile(t, file).Files {
			if r.Protocol != tables.FileNFS3 {
				continue
			}
			if r.BytesRead.V > 0 {
				ours[fmt.Sprint(r.Client, " reads of ", r.Server)] += r.BytesRead.V
			}
			if r.BytesWritten.V > 0 {
				ours[fmt.Sprint(r.Client, " writes to ", r.Server)] += r.BytesWritten.V
			}
			switch r.Action {
			case tables.FileDeleted:
				n := "12"
				if theirs[fmt.Sprint(r.Client, " 13 ", base(r.Name))] > 0 {
					n = "13"
				}
				ours[fmt.Sprint(r.Client, " ", n, " ", base(r.Name))]++
			case tables.FileRenamed:
				ours[fmt.Sprint(r.Client, " 14 ", base(r.Name), " to ", base(r.NewName))]++
			}
		}
		t.Logf("%s: %v", file, ours)
		if !maps.Equal(ours, theirs) || len(ours) == 0 {
			t.Errorf("%s: %v, tshark %v", file, ours, theirs)
		}
	}
}

// TestDNSAgainstTshark compares questions (who, id, name, type) and the records of
// answers (who, name, type, lifetime, address).
func TestDNSAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "dns") {
		var ours, theirs []string
		for _, f := range tsharkFields(t, file, "dns && !mdns && !llmnr && !nbns && (udp.port == 53 || tcp.port == 53)", "ip.src", "ipv6.src", "ip.dst", "ipv6.dst",
			"dns.flags.response", "dns.qry.name", "dns.count.answers", "dns.resp.name", "dns.resp.type", "dns.resp.ttl", "dns.a", "dns.aaaa", "dns.qry.type") {
			src, _, _ := strings.Cut(tsharkEnd(f, "src"), ":")
			if f["ipv6.src"] != "" {
				src = f["ipv6.src"]
			}
			if f["dns.flags.response"] != "1" && f["dns.flags.response"] != "True" {
				for name := range strings.SplitSeq(f["dns.qry.name"], "|") {
					theirs = append(theirs, fmt.Sprint("asked ", src, " ", spelled(name)))
				}
				continue
			}
			names, types, ttls := strings.Split(f["dns.resp.name"], "|"), strings.Split(f["dns.resp.type"], "|"), strings.Split(f["dns.resp.ttl"], "|")
			a, aaaa := strings.Split(f["dns.a"], "|"), strings.Split(f["dns.aaaa"], "|")
			n, _ := strconv.Atoi(f["dns.count.answers"])
			for i := range min(n, len(names), len(types), len(ttls)) {
				number, _ := strconv.Atoi(types[i])
				address := ""
				switch {
				case number == 1 && len(a) > 0:
					address, a = a[0], a[1:]
				case number == 28 && len(aaaa) > 0:
					address, aaaa = aaaa[0], aaaa[1:]
				}
				theirs = append(theirs, fmt.Sprint("answered ", src, " ", spelled(names[i]), " ", tables.DNSTypeName(uint16(number)), " ", ttls[i], " ", address))
			}
		}
		rows := meterFile(t, file)
		for _, r := range rows.DNS {
			if r.QueryPacketID.Set {
				ours = append(ours, fmt.Sprint("asked ", r.Client, " ", spelled(r.Query)))
			}
		}
		for _, r := range rows.DNSAnswers {
			address := ""
			if r.Address.Set {
				address = r.Address.V.String()
			}
			ours = append(ours, fmt.Sprint("answered ", r.Server, " ", spelled(r.Name), " ", r.Type, " ", r.TTL, " ", address))
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// spelled is a name as both write it: tshark has marks for bytes that are not UTF-8.
func spelled(name string) string {
	if name == "<Root>" {
		return ""
	}
	return strings.Map(func(c rune) rune {
		if c == '\\' || c > '~' {
			return -1
		}
		return c
	}, tables.FoldName(name))
}
