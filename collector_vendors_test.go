//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Exports of other makers' devices, those with the templates first, give as
// many flows here as in nfcapd, which is sent the same datagrams. Where the two
// differ, note says who is right and why. sFlow is not nfcapd's.
var vendorExports = []struct {
	files []string
	flows int64 // ours
	peer  int64 // nfcapd's
	note  string
}{
	{[]string{"akvorado/data+templates.pcap"}, 21, 10, "its first 11 records stand before their template in the one datagram: we keep them until it has come, nfcapd drops them"},
	{[]string{"akvorado/options-template.pcap", "akvorado/options-data.pcap", "akvorado/template.pcap", "akvorado/data.pcap"}, 4, 4, ""},
	{[]string{"akvorado/mpls.pcap"}, 2, 2, ""},
	{[]string{"akvorado/nat.pcap"}, 9, 9, ""},
	{[]string{"akvorado/nfv5.pcap"}, 29, 29, ""},
	{[]string{"netflow-dat/ipfix_test_mikrotik_tpl.dat", "netflow-dat/ipfix_test_mikrotik_data258.dat", "netflow-dat/ipfix_test_mikrotik_data259.dat"}, 46, 46, ""},
	{[]string{"netflow-dat/ipfix_test_nokia_bras_tpl.dat", "netflow-dat/ipfix_test_nokia_bras_data256.dat"}, 1, 1, ""},
	{[]string{"netflow-dat/ipfix_test_openbsd_pflow_tpl.dat", "netflow-dat/ipfix_test_openbsd_pflow_data.dat"}, 26, 26, ""},
	{[]string{"netflow-dat/netflow5.dat"}, 30, 30, ""},
	{[]string{"netflow-dat/netflow9_test_cisco_asa_1_tpl.dat", "netflow-dat/netflow9_test_cisco_asa_1_data.dat"}, 14, 14, ""},
	{[]string{"netflow-dat/netflow9_test_nprobe_tpl.dat", "netflow-dat/netflow9_test_nprobe_data.dat"}, 1, 1, ""},
	{[]string{"netflow-dat/netflow9_test_softflowd_tpl_data.dat"}, 7, 7, ""},
	{[]string{"pmacct/100-IPFIXv10-CISCO-traffic-00.pcap"}, 12, 12, ""},
	{[]string{"pmacct/101-NFv9-CISCO-cust_primitives-traffic-00.pcap"}, 51, 51, ""},
	{[]string{"scapy/ipfix.pcap"}, 1, 1, ""},
}

// flowCount is a sink that counts rows, and what they count.
type flowCount struct{ rows, packets, bytes int64 }

func (c *flowCount) Exports(rows []tables.Export) error {
	c.rows += int64(len(rows))
	for i := range rows {
		c.packets += rows[i].Packets + rows[i].ReversePackets.V
		c.bytes += rows[i].Bytes + rows[i].ReverseBytes.V
	}
	return nil
}
func (c *flowCount) Exporter(*tables.Exporter) error { return nil }
func (c *flowCount) Socket(*tables.Socket) error     { return nil }

// exportsIn are the export datagrams of a capture or of a raw file.
func exportsIn(t *testing.T, path string) (all [][]byte) {
	t.Helper()
	if strings.HasSuffix(path, ".dat") {
		rest, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for len(rest) > 0 {
			var data []byte
			data, rest = collector.NextDatagram(rest)
			all = append(all, data)
		}
		return all
	}
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	var h tables.Header
	for {
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		tables.Decode(rec.Link, rec.Data, rec.Length, &h)
		end := h.PayloadOffset + h.PayloadLength
		if h.Protocol == tables.ProtocolUDP && h.PayloadOffset > 0 && end <= len(rec.Data) && collector.IsExport(h.DstPort, rec.Data[h.PayloadOffset:end]) {
			all = append(all, append([]byte(nil), rec.Data[h.PayloadOffset:end]...))
		}
	}
}

// bothOf is what datagrams have in them, to us and to nfcapd.
func bothOf(t *testing.T, all [][]byte) (ours flowCount, theirs sumOf) {
	t.Helper()
	d, err := collector.NewDecoder(collector.Config{}, &ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range all {
		d.Datagram(netip.MustParseAddrPort("127.0.0.1:2055"), tables.Time(time.Now().UnixMicro()), data)
	}
	port, out := freeUDP(t), t.TempDir()
	peer := nfcapd(t, out, port)
	replay(t, "127.0.0.1", fmt.Sprintf("127.0.0.1:%d", port), all)
	drained(t, port)
	peer.ends(t)
	return ours, nfdumpOf(t, out).all
}

// What real exporters sent of our own captures has the flows, packets and
// bytes that nfcapd finds in it (testdata/exports).
func TestRecordedAgainstNfcapd(t *testing.T) {
	recorded, err := filepath.Glob("testdata/exports/*.pcap")
	if err != nil || len(recorded) < 10 {
		t.Fatal(recorded, err)
	}
	for _, path := range recorded {
		if strings.HasSuffix(path, "sflow.pcap") {
			continue // not nfcapd's
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			ours, theirs := bothOf(t, exportsIn(t, path))
			if filepath.Base(path) == "ovs-ipfix.pcap" {
				// nfcapd adds up the totals since a flow began, which Open
				// vSwitch sends beside the deltas.
				theirs.packets, theirs.bytes = tsharkSum(t, path, "Packets"), tsharkSum(t, path, "Octets")
			}
			if want := (flowCount{theirs.flows, theirs.packets, theirs.bytes}); ours != want || ours.rows == 0 {
				t.Errorf("%+v, nfcapd %+v", ours, want)
			}
		})
	}
}

// tsharkSum adds up a field of all flows of a capture, by tshark's name of it.
func tsharkSum(t *testing.T, path, field string) (sum int64) {
	t.Helper()
	out, err := exec.Command("tshark", "-r", path, "-d", "udp.port==4739,cflow", "-V").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), field+": "); ok {
			sum += number(t, text)
		}
	}
	return sum
}

func TestVendorsAgainstNfcapd(t *testing.T) {
	if _, err := os.Stat(sharedCaptures); err != nil {
		t.Skip("../shared/captures is absent: it holds exports of other makers' devices")
	}
	for _, c := range vendorExports {
		t.Run(filepath.Base(c.files[len(c.files)-1]), func(t *testing.T) {
			var all [][]byte
			for _, f := range c.files {
				all = append(all, exportsIn(t, filepath.Join(sharedCaptures, f))...)
			}
			count, peer := bothOf(t, all)
			if got := peer.flows; count.rows != c.flows || got != c.peer {
				t.Errorf("%d datagrams: %d flows, nfcapd %d; want %d and %d (%s)", len(all), count.rows, got, c.flows, c.peer, c.note)
			}
		})
	}
}

// The real exporter over TCP gives the flows it gives over UDP.
func TestSoftflowdOverTCP(t *testing.T) {
	path := filepath.Join("testdata", "captures", "office-morning.pcap")
	var over flowCount
	d, err := collector.NewDecoder(collector.Config{}, &over, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, data := range softflowd(t, path, "-v", "10") {
		d.Datagram(netip.MustParseAddrPort("127.0.0.1:2055"), tables.Time(time.Now().UnixMicro()), data)
	}
	dir := t.TempDir()
	recorder := start(t, "record", "--data", dir, "--netflow=", "--sflow=", "--ipfix-tcp", "127.0.0.1:0")
	address := recorder.says(`recording tcp (\S+) into`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "softflowd", "-r", path, "-n", address, "-P", "tcp", "-v", "10", "-d", "-c", "none").CombinedOutput()
	if err != nil {
		t.Fatalf("softflowd: %v: %s", err, out)
	}
	await(t, 10*time.Second, "the flows", func() bool {
		rows, err := tryToAsk(t, dir, "SELECT COUNT(*) FROM flows WHERE source_type = 'ipfix'")
		return err == nil && len(rows) == 1 && rows[0][0] == fmt.Sprint(over.rows)
	})
	recorder.ends(t)
	if got := numbersOf(t, dir, "SELECT SUM(sent) - SUM(decoded), COUNT(DISTINCT socket) FROM ops.sockets"); over.rows == 0 || got[0] != 0 || got[1] != 1 {
		t.Errorf("%d flows over UDP; not decoded and sockets: %v", over.rows, got)
	}
	if got := numbersOf(t, dir, "SELECT records, missing, undecodable FROM ops.exporters"); got[0] != over.rows || got[1] != 0 || got[2] != 0 {
		t.Errorf("records, missing, undecodable: %v", got)
	}
}
