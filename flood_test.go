package main

import (
	"errors"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// A flood costs a row a minute beyond its first thousand conversations, and loses no
// packet: what SQL counts of packets is what tcpdump does, by any address, and what
// counts conversations tells of the fold.
func TestFloodAgainstTcpdump(t *testing.T) {
	path := filepath.Join(t.TempDir(), "flood.pcap")
	if out, err := exec.Command("go", "run", "./testdata/generate", "-o", path, "-flood", "9000").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := capture.Import(t.Context(), a, capture.ImportConfig{Paths: []string{path}, InPlace: true}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.DefaultConfig(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	dump := func(filter string) []string {
		out, err := exec.Command("tcpdump", "-nn", "-tt", "-r", path, filter).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	}
	sources := map[string]int{} // of SYNs to the server
	var some []string
	for i, line := range dump("tcp[13] == 2 and dst host 10.9.0.80 and dst port 80") {
		from := strings.Fields(line)[2]
		address := from[:strings.LastIndexByte(from, '.')]
		sources[address]++
		if i%900 == 5 {
			some = append(some, address)
		}
	}
	for _, mode := range []string{"on", "off"} {
		s := e.NewSession()
		askEngine(s, "SET wiresql_pushdown = '"+mode+"'")
		check := func(want any, statement string) {
			t.Helper()
			if got := askEngine(s, statement); got.err != "" || strings.Join(got.rows, ";") != fmt.Sprint(want) {
				t.Errorf("pushdown %s: %s: %v %s, want %v", mode, statement, got.rows, got.err, want)
			}
		}
		all := dump("tcp dst port 80 or tcp src port 80")
		check(len(all), "SELECT COUNT(*) FROM packets WHERE dst_port = 80 OR src_port = 80")
		check(len(all), "SELECT COUNT(*) FROM connections c JOIN packets p USING (conn_id) WHERE c.server_port = 80")
		check(len(sources), "SELECT COUNT(DISTINCT src_ip) FROM packets WHERE dst_port = 80 AND tcp_flags = 'S'")
		for _, from := range some {
			check(len(dump("src host "+from)), "SELECT COUNT(*) FROM packets WHERE src_ip = '"+from+"'")
			check("10.9.0.80\t"+fmt.Sprint(sources[from]), "SELECT dst_ip, COUNT(*) FROM packets WHERE src_ip = '"+from+"' AND tcp_flags = 'S' GROUP BY dst_ip")
			check("S", "SELECT DISTINCT p.tcp_flags FROM packets p JOIN (SELECT community_id FROM packets WHERE src_ip = '"+from+"' LIMIT 1) x USING (community_id)")
		}
		syns := 0
		for _, n := range sources {
			syns += n
		}
		check(syns, "SELECT SUM(COALESCE(flows_folded, 1)) FROM connections WHERE server_port = 80")
		check(syns, "SELECT SUM(COALESCE(flows_folded, 1)) FROM flows WHERE dst_port = 80")
		check(syns, "SELECT SUM(connections) FROM traffic_1m WHERE service = 'http'")
		check(len(dump("tcp[13] == 2 and dst port 22")), "SELECT COUNT(*) FROM connections WHERE server_port = 22")
		check(len(dump("tcp[13] == 17 and src port 80")), "SELECT COUNT(*) FROM connections WHERE server_port = 80 AND conn_state = 'SF'")
		check(3, "SELECT COUNT(*) FROM connections WHERE flows_folded IS NOT NULL AND client_ip = '0.0.0.0'")
		for statement, tells := range map[string]bool{
			"SELECT COUNT(*) FROM connections":                            true,
			"SELECT COUNT(*) FROM flows WHERE src_ip = '" + some[0] + "'": true,
			"SELECT COUNT(*) FROM connections WHERE server_port = 22":     false,
			"SELECT COUNT(*), SUM(flows_folded) FROM connections":         false,
			// What a fold is joined with by what it has tells whether it is in the answer.
			"SELECT COUNT(*) FROM dns d JOIN connections c USING (conn_id)":                                               false,
			"SELECT COUNT(*) FROM dns d LEFT JOIN connections c USING (conn_id)":                                          false,
			"SELECT COUNT(*) FROM connections c LEFT JOIN dns d USING (conn_id)":                                          true,
			"SELECT COUNT(*) FROM connections c JOIN flows f USING (conn_id)":                                             true,
			"SELECT COUNT(*) FROM connections a JOIN connections b ON a.client_ip = b.client_ip WHERE b.server_port = 22": true,
			"SELECT COUNT(*) FROM connections c JOIN flows f USING (community_id) WHERE f.dst_port = 80":                  true,
			"SELECT COUNT(*) FROM connections a JOIN connections b USING (server_ip) WHERE b.server_port = 22":            true,
			"SELECT COUNT(*) FROM connections WHERE server_port = 80 AND ts > '2026-01-01 01:00'":                         false,
			"SELECT COUNT(*) FROM packets WHERE src_ip = '" + some[0] + "'":                                               false,
		} {
			got := askEngine(s, statement)
			if told := strings.Contains(fmt.Sprint(got.warnings), "are folded"); got.err != "" || told != tells && (mode == "on" || !tells) {
				t.Errorf("pushdown %s: %s tells of the fold: %v %s", mode, statement, told, got.err)
			}
		}
		if mode == "off" {
			continue
		}
		for _, statement := range []string{ // once conditions are moved to the rows they are of
			"SELECT COUNT(*) FROM connections c JOIN flows f USING (conn_id) WHERE f.dst_port = 22",
			"SELECT COUNT(*) FROM connections c WHERE conn_id IN (SELECT conn_id FROM tls)",
		} {
			if got := askEngine(s, statement); got.err != "" || len(got.warnings) > 0 {
				t.Errorf("%s: %v %s", statement, got.warnings, got.err)
			}
		}
	}
}

// A flood that a sensor folds and an exporter reports is counted once, as tcpdump
// counts it: while the exporter's rows are young, and once they are settled.
func TestFloodSeenTwice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "flood.pcap")
	if out, err := exec.Command("go", "run", "./testdata/generate", "-o", path, "-flood", "9000").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a, err := archive.Open(filepath.Join(dir, "data"), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	dump, err := exec.Command("tcpdump", "-nn", "-tt", "-r", path, "tcp[13] == 2 and dst host 10.9.0.80 and dst port 80").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []tables.Export
	for _, line := range strings.Split(strings.TrimSuffix(string(dump), "\n"), "\n") {
		var at float64
		var from, to string
		if _, err := fmt.Sscanf(line, "%f IP %s > %s", &at, &from, &to); err != nil {
			t.Fatal(line, err)
		}
		dot := strings.LastIndexByte(from, '.')
		port, err := strconv.Atoi(from[dot+1:])
		src, e := tables.ParseAddr(from[:dot])
		if err = errors.Join(err, e); err != nil {
			t.Fatal(line, err)
		}
		server := tables.AddrFrom4([]byte{10, 9, 0, 80})
		ts := tables.Time(math.Round(at * 1e6))
		list = append(list, tables.Export{TS: ts, TSEnd: ts, SourceType: tables.SourceIPFIX, Observer: "edge", Src: src, Dst: server, SrcPort: int32(port), DstPort: 80,
			Protocol: tables.ProtocolTCP, Packets: 1, Bytes: 40, TCPFlags: tables.Some(int32(tables.TCPSyn)), FlowID: tables.ID(len(list) + 1),
			CID: tables.CID(src, server, uint16(port), 80, tables.ProtocolTCP)})
	}
	syns := len(list)
	report := func() {
		r, err := archive.NewRecorder(a, archive.RecorderOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(r.Exports(list), r.Close()); err != nil {
			t.Fatal(err)
		}
	}
	check := func(when string, settled bool) {
		t.Helper()
		e, err := engine.New(engine.DefaultConfig(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		s := e.NewSession()
		for statement, want := range map[string]any{
			"SELECT SUM(COALESCE(flows_folded, 1)) FROM connections WHERE server_port = 80":                                                                    syns,
			"SELECT SUM(connections) FROM traffic_1m WHERE service = 'http'":                                                                                   syns,
			"SELECT COUNT(*) FROM connections WHERE server_port = 80 AND seen_by = 'edge'":                                                                     0,
			"SELECT COUNT(*) FROM connections WHERE flows_folded IS NOT NULL AND seen_by LIKE '%,edge' OR flows_folded IS NOT NULL AND seen_by LIKE 'edge,%'":  3,
			"SELECT COUNT(*) FROM flows WHERE observer = 'edge'":                                                                                               syns,
			"SELECT COUNT(*) FROM flows f LEFT JOIN connections c USING (conn_id) WHERE f.observer = 'edge' AND c.conn_id IS NULL AND f.conn_id IS NOT NULL":   0,
			"SELECT COUNT(*) FROM connections c JOIN packets p USING (conn_id) WHERE c.flows_folded IS NOT NULL AND p.tcp_flags <> 'S'":                        0,
			"SELECT SUM(c.flows_folded) = (SELECT COUNT(*) FROM connections c JOIN packets p USING (conn_id) WHERE c.flows_folded > 0) FROM connections c":     1,
			"SELECT COUNT(*) FROM flows f JOIN connections c USING (conn_id) WHERE f.observer = 'edge' AND c.client_ip <> f.src_ip AND c.flows_folded IS NULL": 0,
		} {
			got := askEngine(s, statement)
			if got.err != "" || strings.Join(got.rows, ";") != fmt.Sprint(want) {
				t.Errorf("%s: %s: %v %s, want %v", when, statement, got.rows, got.err, want)
			}
		}
		if got := askEngine(s, "SELECT COUNT(*) FROM flows WHERE observer = 'edge' AND conn_id IS NULL"); settled && strings.Join(got.rows, ";") != "0" {
			t.Errorf("%s: rows without a conversation: %v %s", when, got.rows, got.err)
		}
	}
	if _, err := capture.Import(t.Context(), a, capture.ImportConfig{Paths: []string{path}, InPlace: true}); err != nil {
		t.Fatal(err)
	}
	report()
	check("young", false)
	if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	check("settled", true)
}
