package collector

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// sharedCaptures holds captures of others, which are not part of the project.
const sharedCaptures = "../../shared/captures"

// received is an export datagram out of a file.
type received struct {
	from netip.AddrPort
	at   tables.Time
	data []byte
}

// datagramsOf reads the export datagrams of shared files: classic captures,
// and .dat files that are one datagram each. It skips the test without them.
func datagramsOf(t testing.TB, names ...string) (list []received) {
	t.Helper()
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(sharedCaptures, name))
		if err != nil {
			t.Skip("no shared captures: ", err)
		}
		if strings.HasSuffix(name, ".dat") {
			for len(b) > 0 {
				r := received{from: netip.MustParseAddrPort("192.0.2.1:2055")}
				r.data, b = NextDatagram(b)
				r.at, _ = ExportTime(r.data)
				list = append(list, r)
			}
			continue
		}
		got, err := readPcap(b)
		if err != nil {
			t.Fatal(name, ": ", err)
		}
		list = append(list, got...)
	}
	return list
}

// readPcap finds the export datagrams of a classic capture.
func readPcap(b []byte) (list []received, err error) {
	if len(b) < 24 {
		return nil, fmt.Errorf("no capture")
	}
	var order binary.ByteOrder = binary.LittleEndian
	if b[0] == 0xa1 {
		order = binary.BigEndian
	}
	if m := order.Uint32(b); m != 0xa1b2c3d4 {
		return nil, fmt.Errorf("magic %08x", m)
	}
	link := tables.LinkType(order.Uint32(b[20:]))
	var h tables.Header
	for b = b[24:]; len(b) >= 16; {
		at := tables.Time(order.Uint32(b))*1e6 + tables.Time(order.Uint32(b[4:]))
		n, wire := int(order.Uint32(b[8:])), int(order.Uint32(b[12:]))
		if b = b[16:]; n > len(b) {
			return list, fmt.Errorf("packet cut")
		}
		tables.Decode(link, b[:n], wire, &h)
		end := h.PayloadOffset + h.PayloadLength
		if h.Protocol == tables.ProtocolUDP && h.PayloadOffset > 0 && end <= n && IsExport(h.DstPort, b[h.PayloadOffset:end]) {
			list = append(list, received{netip.AddrPortFrom(h.Src.Netip(), h.SrcPort), at, slices.Clone(b[h.PayloadOffset:end])})
		}
		b = b[n:]
	}
	return list, nil
}

// sflowSeeds are datagrams of real agents for the fuzzer, if they are there.
func sflowSeeds(t testing.TB) (list [][]byte) {
	for _, name := range []string{"akvorado/data-1140.pcap", "akvorado/data-qinq.pcap", "akvorado/data-icmpv6.pcap", "ndpi/sflow.pcap"} {
		b, err := os.ReadFile(filepath.Join(sharedCaptures, name))
		if err != nil {
			continue
		}
		got, err := readPcap(b)
		if err != nil {
			t.Fatal(name, ": ", err)
		}
		for _, r := range got {
			list = append(list, r.data)
		}
	}
	return list
}

// corpus is what is known of each file of export datagrams: the files that
// are read before it (templates), and what comes of it.
//
// The counts are datagrams decoded, undecodable, waiting; then flow rows,
// options records, templates, sets still waiting, and what its sequence
// numbers say is missing. (pmacct/101 lacks 23; its first datagram lies behind
// the numbers that follow, which begin anew after it, and is missed there.)
var corpus = []struct {
	file   string
	before []string
	want   string
}{
	{"akvorado/data+templates.pcap", nil, "0/0/1: 21 rows, 1 options, 2 templates, 0 waiting, 0 missing"},
	{"akvorado/data-1140.pcap", nil, "1/0/0: 5 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"akvorado/data-icmpv6.pcap", nil, "1/0/0: 1 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"akvorado/data-qinq.pcap", nil, "1/0/0: 1 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"akvorado/data.pcap", nil, "0/0/1: 0 rows, 0 options, 0 templates, 1 waiting, 0 missing"},
	{"akvorado/data.pcap", []string{"akvorado/template.pcap"}, "1/0/0: 4 rows, 0 options, 0 templates, 0 waiting, 15 missing"},
	{"akvorado/data.pcap", []string{"akvorado/options-template.pcap", "akvorado/options-data.pcap", "akvorado/template.pcap"}, "1/0/0: 4 rows, 0 options, 0 templates, 0 waiting, 15 missing"},
	{"akvorado/mpls.pcap", nil, "1/0/0: 2 rows, 1 options, 2 templates, 0 waiting, 0 missing"},
	{"akvorado/nat.pcap", nil, "1/0/0: 9 rows, 0 options, 4 templates, 0 waiting, 0 missing"},
	{"akvorado/nfv5.pcap", nil, "1/0/0: 29 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"akvorado/options-data.pcap", nil, "0/0/1: 0 rows, 0 options, 0 templates, 1 waiting, 0 missing"},
	{"akvorado/options-data.pcap", []string{"akvorado/options-template.pcap"}, "1/0/0: 0 rows, 4 options, 0 templates, 0 waiting, 0 missing"},
	{"akvorado/options-template.pcap", nil, "1/0/0: 0 rows, 0 options, 1 templates, 0 waiting, 0 missing"},
	{"akvorado/template.pcap", nil, "1/0/0: 0 rows, 0 options, 1 templates, 0 waiting, 0 missing"},
	{"ndpi/netflowv9.pcap", nil, "0/0/10: 0 rows, 0 options, 0 templates, 23 waiting, 0 missing"},
	{"ndpi/sflow.pcap", nil, "9/0/0: 1 rows, 8 options, 0 templates, 0 waiting, 0 missing"},
	{"netflow-dat/ipfix_test_mikrotik_data258.dat", nil, "0/0/1: 0 rows, 0 options, 0 templates, 1 waiting, 0 missing"},
	{"netflow-dat/ipfix_test_mikrotik_data258.dat", []string{"netflow-dat/ipfix_test_mikrotik_tpl.dat"}, "1/0/0: 28 rows, 0 options, 0 templates, 0 waiting, 45 missing"},
	{"netflow-dat/ipfix_test_mikrotik_data259.dat", []string{"netflow-dat/ipfix_test_mikrotik_tpl.dat"}, "1/0/0: 18 rows, 0 options, 0 templates, 0 waiting, 73 missing"},
	{"netflow-dat/ipfix_test_mikrotik_tpl.dat", nil, "1/0/0: 0 rows, 0 options, 2 templates, 0 waiting, 0 missing"},
	{"netflow-dat/ipfix_test_nokia_bras_data256.dat", []string{"netflow-dat/ipfix_test_nokia_bras_tpl.dat"}, "1/0/0: 1 rows, 0 options, 0 templates, 0 waiting, 3 missing"},
	{"netflow-dat/ipfix_test_nokia_bras_tpl.dat", nil, "1/0/0: 0 rows, 0 options, 2 templates, 0 waiting, 0 missing"},
	{"netflow-dat/ipfix_test_openbsd_pflow_data.dat", []string{"netflow-dat/ipfix_test_openbsd_pflow_tpl.dat"}, "1/0/0: 26 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"netflow-dat/ipfix_test_openbsd_pflow_tpl.dat", nil, "1/0/0: 0 rows, 0 options, 2 templates, 0 waiting, 0 missing"},
	{"netflow-dat/netflow5.dat", nil, "12/0/0: 30 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"netflow-dat/netflow9_test_cisco_asa_1_data.dat", []string{"netflow-dat/netflow9_test_cisco_asa_1_tpl.dat"}, "1/0/0: 14 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"netflow-dat/netflow9_test_cisco_asa_1_tpl.dat", nil, "1/0/0: 0 rows, 0 options, 13 templates, 0 waiting, 0 missing"},
	{"netflow-dat/netflow9_test_nprobe_data.dat", []string{"netflow-dat/netflow9_test_nprobe_tpl.dat"}, "1/0/0: 1 rows, 0 options, 0 templates, 0 waiting, 0 missing"},
	{"netflow-dat/netflow9_test_nprobe_tpl.dat", nil, "1/0/0: 0 rows, 1 options, 3 templates, 0 waiting, 0 missing"},
	{"netflow-dat/netflow9_test_softflowd_tpl_data.dat", nil, "1/0/0: 7 rows, 0 options, 2 templates, 0 waiting, 0 missing"},
	{"pmacct/100-IPFIXv10-CISCO-traffic-00.pcap", nil, "6/0/0: 12 rows, 0 options, 2 templates, 0 waiting, 0 missing"},
	{"pmacct/101-NFv9-CISCO-cust_primitives-traffic-00.pcap", nil, "40/0/0: 51 rows, 0 options, 1 templates, 0 waiting, 24 missing"},
	{"scapy/ipfix.pcap", nil, "3/0/0: 1 rows, 0 options, 2 templates, 0 waiting, 21 missing"},
}

// outcomeOf decodes datagrams and tells what came of them.
func outcomeOf(t *testing.T, before, list []received) (string, *sflowRows) {
	t.Helper()
	s := &sflowRows{}
	d, err := NewDecoder(Config{}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := tables.Time(0)
	for _, r := range before {
		if o := d.Datagram(r.from, r.at, r.data); o != Decoded {
			t.Fatal("before it: ", o)
		}
		last = max(last, r.at)
	}
	if err := d.Close(last); err != nil {
		t.Fatal(err)
	}
	s.rows, s.exporters = nil, nil
	var outcomes [4]int
	for _, r := range list {
		start := time.Now()
		outcomes[d.Datagram(r.from, r.at, r.data)]++
		if took := time.Since(start); took > time.Second {
			t.Errorf("a datagram of %d bytes took %v", len(r.data), took)
		}
		last = max(last, r.at)
	}
	if err := d.Close(last); err != nil {
		t.Fatal(err)
	}
	var sum tables.Exporter
	for i := range s.exporters {
		addCounts(&sum, &s.exporters[i])
		sum.Waiting += s.exporters[i].Waiting
	}
	if int(sum.Datagrams) != len(list) || int(sum.Records) != len(s.rows) {
		t.Errorf("the exporters' rows have %d datagrams and %d records, there were %d and %d", sum.Datagrams, sum.Records, len(list), len(s.rows))
	}
	return fmt.Sprintf("%d/%d/%d: %d rows, %d options, %d templates, %d waiting, %d missing", outcomes[Decoded], outcomes[Undecodable], outcomes[Waiting],
		sum.Records, sum.OptionsRecords, sum.Templates, sum.Waiting, sum.Missing), s
}

func TestCorpus(t *testing.T) {
	for _, c := range corpus {
		name := c.file
		if c.before != nil {
			name += " after " + strings.Join(c.before, ", ")
		}
		t.Run(name, func(t *testing.T) {
			list := datagramsOf(t, c.file)
			got, s := outcomeOf(t, datagramsOf(t, c.before...), list)
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			bytes := 0
			for _, r := range list {
				bytes += len(r.data)
			}
			// The shortest record that has both addresses has eight bytes.
			if len(s.rows) > bytes/8 {
				t.Errorf("%d rows of %d bytes", len(s.rows), bytes)
			}
			for i := range s.rows {
				checkRow(t, &s.rows[i])
			}
		})
	}
}

// checkRow refuses what no exporter can have meant.
func checkRow(t *testing.T, r *tables.Export) {
	t.Helper()
	none := tables.Addr{}
	zero4 := tables.AddrFrom4(make([]byte, 4))
	switch {
	case r.TSEnd < r.TS, r.TS <= 0, r.Bytes < 0, r.Packets < 0,
		r.SrcPort < 0, r.SrcPort > 65535, r.DstPort < 0, r.DstPort > 65535, r.Protocol < 0, r.Protocol > 255,
		(r.Src == none || r.Src == zero4) && (r.Dst == none || r.Dst == zero4) && r.Bytes == 0 && r.Packets == 0:
		t.Errorf("%+v", *r)
	}
}

// TestCorpusIsAll finds files of export datagrams that have no line above.
func TestCorpusIsAll(t *testing.T) {
	if _, err := os.Stat(sharedCaptures); err != nil {
		t.Skip("no shared captures: ", err)
	}
	known := map[string]bool{}
	for _, c := range corpus {
		known[c.file] = true
	}
	err := filepath.Walk(sharedCaptures, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() || info.Size() > 4<<20 {
			return err
		}
		name, err := filepath.Rel(sharedCaptures, path)
		if err != nil || known[name] {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if strings.HasSuffix(name, ".dat") && versionOf(b) != sourceUnknown {
			t.Errorf("%s is not in the table", name)
		}
		if list, _ := readPcap(b); len(list) > 0 {
			t.Errorf("%s has %d export datagrams and is not in the table: version %x of %v", name, len(list), list[0].data[:4], list[0].from)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
