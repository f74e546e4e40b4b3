package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// exportsOf is a recording of softflowd's exports, see testdata/exports.
func exportsOf(name string) string { return filepath.Join("testdata", "exports", name+".pcap") }

// importOf imports export files; it insists on the exit code.
func importOf(t *testing.T, want int, data string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := runTimed(t, append([]string{"import", "--no-sync", "--data", data, "--exports"}, args...)...)
	if code != want {
		t.Fatalf("import --exports %v: exit code %d, want %d\n%s%s", args, code, want, stdout, stderr)
	}
	return stdout, stderr
}

// What softflowd exports of a capture has all its IP packets and bytes, in each
// protocol: NetFlow v5 those of IPv4.
func TestImportExportsHasAllPackets(t *testing.T) {
	t.Parallel()
	type sums struct{ packets, bytes int64 }
	var four, all, dmz sums
	count := func(path string, four, all *sums) {
		r, err := pcap.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		var rec pcap.Record
		var h tables.Header
		for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
			tables.Decode(rec.Link, rec.Data, rec.Length, &h)
			if !h.IP {
				continue
			}
			all.packets++
			all.bytes += int64(h.L3Length)
			if h.Src.Is4() {
				four.packets++
				four.bytes += int64(h.L3Length)
			}
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	}
	count("testdata/captures/office-morning.pcap", &four, &all)
	count("testdata/captures/dmz.pcap.gz", &sums{}, &dmz)
	for name, want := range map[string]sums{"v5": four, "v9": all, "ipfix": all, "dmz-v9": dmz} {
		data := filepath.Join(t.TempDir(), "data")
		importOf(t, 0, data, exportsOf(name))
		got := archived(t, data, "SELECT SUM(total_packets), SUM(total_bytes) FROM flows")
		if w := fmt.Sprintf("%d,%d", want.packets, want.bytes); got != w {
			t.Errorf("%s: packets and bytes %s, want %s", name, got, w)
		}
	}
}

func TestImportExports(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	stdout, _ := importOf(t, 0, data, exportsOf("v5"), exportsOf("ipfix"))
	if !strings.HasPrefix(stdout, "imported 2 files: 15 datagrams, 406 flows (ipfix 144, netflow5 262), of 1 exporters, ") {
		t.Error(stdout)
	}
	const ids = "SELECT COUNT(*), MIN(flow_id), MAX(flow_id), COUNT(DISTINCT flow_id) FROM flows"
	before := archived(t, data, ids)

	// The same again, and the same content under another name and compressed.
	zipped := filepath.Join(dir, "other.gz")
	gzipped(t, exportsOf("v5"), zipped)
	stdout, _ = importOf(t, 0, data, zipped, exportsOf("ipfix"))
	if want := zipped + ": already imported\n"; !strings.Contains(stdout, want) || strings.Contains(stdout, "imported ") && !strings.Contains(stdout, "already") {
		t.Error(stdout)
	}
	if after := archived(t, data, ids); after != before {
		t.Errorf("known files changed %s to %s", before, after)
	}
	if got := archived(t, data, "SELECT COUNT(*), SUM(packets), SUM(flow_rows), COUNT(sensor) FROM ops.imports"); got != "2,15,406,0" {
		t.Error(got)
	}

	// In another archive the flows have the same ids, whatever is imported
	// beside them.
	other := filepath.Join(dir, "other")
	importOf(t, 0, other, exportsOf("dmz-v9"), exportsOf("ipfix"), exportsOf("v5"))
	const of = " WHERE source_type IN ('netflow5', 'ipfix')"
	if again := archived(t, other, ids+of); again != before {
		t.Errorf("%s, in another archive %s", before, again)
	}

	// The packets of a file are another matter.
	if code, stdout, stderr := runTimed(t, "import", "--no-sync", "--data", data, exportsOf("v5")); code != 0 || !strings.Contains(stdout, "9 packets") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	importOf(t, 0, data, exportsOf("v9"))
	if code, stdout, stderr := runTimed(t, "import", "--no-sync", "--data", data, exportsOf("v9")); code != 0 || strings.Contains(stdout, "already") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if got := archived(t, data, "SELECT source_type, COUNT(*) FROM flows GROUP BY source_type ORDER BY source_type"); got != "ipfix,144\nnetflow5,262\nnetflow9,272\npackets,2" {
		t.Error(got)
	}
}

func gzipped(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), os.WriteFile(to, z.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// payloads are the export datagrams of a recording.
func payloads(t *testing.T, name string) (list [][]byte) {
	t.Helper()
	r, err := pcap.Open(exportsOf(name))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	var h tables.Header
	for r.Next(&rec) == nil {
		tables.Decode(rec.Link, rec.Data, rec.Length, &h)
		data := bytes.Clone(rec.Data[h.PayloadOffset:])
		if !collector.IsExport(h.DstPort, data) {
			t.Fatalf("%s has a packet that is no export datagram", name)
		}
		list = append(list, data)
	}
	if len(list) == 0 {
		t.Fatal("no datagrams")
	}
	return list
}

// Raw files hold one datagram or several; their flows are those of the capture.
func TestImportExportsRaw(t *testing.T) {
	t.Parallel()
	const statement = "SELECT COUNT(*), SUM(total_packets), SUM(total_bytes), MIN(ts), MAX(ts) FROM flows WHERE observer = '%s'"
	for _, name := range []string{"v5", "ipfix", "dmz-v9"} {
		dir := t.TempDir()
		importOf(t, 0, filepath.Join(dir, "a"), exportsOf(name))
		var files []string
		list := payloads(t, name)
		if name != "dmz-v9" { // which does not say where its datagrams end
			list = [][]byte{bytes.Join(list, nil)}
		}
		for i, b := range list {
			files = append(files, writeTemp(t, fmt.Sprintf("%d.dat", i), b))
		}
		stdout, _ := importOf(t, 0, filepath.Join(dir, "b"), append([]string{"--exporter", "192.0.2.7"}, files...)...)
		want := archived(t, filepath.Join(dir, "a"), fmt.Sprintf(statement, "127.0.0.1"))
		if got := archived(t, filepath.Join(dir, "b"), fmt.Sprintf(statement, "192.0.2.7")); got != want || !strings.Contains(stdout, " of 1 exporters") {
			t.Errorf("%s: %s, from the capture %s; %s", name, got, want, stdout)
		}
	}
}

// Data sets that wait for their template are decoded when a later file has it.
// Until then a file of nothing else is not imported, so that it can be.
func TestImportExportsTemplates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	list := payloads(t, "v9")
	first := writeTemp(t, "first.dat", list[0])
	second := writeTemp(t, "second.dat", list[1])

	_, stderr := importOf(t, 1, data, second)
	if !strings.Contains(stderr, "need a template") || strings.Count(stderr, "\n") != 1 {
		t.Error(stderr)
	}
	if got := archived(t, data, "SELECT COUNT(*) FROM ops.imports"); got != "0" {
		t.Errorf("%s imports", got)
	}
	importOf(t, 0, data, second, first)
	flows := archived(t, data, "SELECT COUNT(*), SUM(total_bytes) FROM flows")
	other := filepath.Join(dir, "other")
	importOf(t, 0, other, first, second)
	if got := archived(t, other, "SELECT COUNT(*), SUM(total_bytes) FROM flows"); got != flows || strings.HasPrefix(got, "0") {
		t.Errorf("templates last: %s, first: %s", flows, got)
	}
	if got := archived(t, data, "SELECT SUM(waited) > 0, SUM(waited) = SUM(late), SUM(expired) FROM ops.exporters"); got != "1,1,0" {
		t.Error(got)
	}

	// Files that do no better than that stand in the report, the others are
	// imported.
	third := filepath.Join(dir, "third")
	_, stderr = importOf(t, 3, third, second, exportsOf("v5"))
	if !strings.Contains(stderr, "second.dat: its data sets need a template") {
		t.Error(stderr)
	}
	if got := archived(t, third, "SELECT COUNT(*), COUNT(DISTINCT source_type) FROM flows"); got != "262,1" {
		t.Error(got)
	}
	if got := archived(t, third, "SELECT source_type, datagrams FROM ops.exporters"); got != "netflow5,9" {
		t.Errorf("accounts: %s", got)
	}
}

func TestImportExportsBadFiles(t *testing.T) {
	t.Parallel()
	v5 := payloads(t, "v5")
	whole, err := os.ReadFile(exportsOf("v5"))
	if err != nil {
		t.Fatal(err)
	}
	cut := bytes.Clone(v5[0])[:500]
	for _, c := range []struct {
		name   string
		file   []byte
		code   int
		stderr string
		flows  string
	}{
		{"capture cut", whole[:len(whole)-100], 3, "damaged: ", "239"},
		{"capture without exports", pcapBytes(pcapRecord(1, 46, 46, udpFrame())), 1, "no export datagrams in it", "0"},
		{"capture without packets", pcapBytes(), 1, "no export datagrams in it", "0"},
		{"text", []byte("hello, world, this is no export"), 1, "not a pcap or pcapng capture", "0"},
		{"empty", nil, 1, "0 bytes long", "0"},
		{"datagram cut", cut, 3, "1 datagrams not decoded whole", "9"},
		{"datagram and more", append(bytes.Clone(v5[0]), "more of something else"...), 3, "1 datagrams not decoded whole", "30"},
		{"IPFIX of nothing", []byte{0, 10, 0, 16, 0x65, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}, 0, "", "0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := filepath.Join(t.TempDir(), "data")
			path := writeTemp(t, "file", c.file)
			_, stderr := importOf(t, c.code, data, path)
			if !strings.Contains(stderr, c.stderr) || c.stderr == "" && stderr != "" || strings.Count(stderr, "\n") > 1 {
				t.Errorf("stderr %q, want %q", stderr, c.stderr)
			}
			if got := archived(t, data, "SELECT COUNT(*) FROM flows"); got != c.flows {
				t.Errorf("%s flows, want %s", got, c.flows)
			}
			if code, stdout, again := runTimed(t, "import", "--no-sync", "--data", data, "--exports", path); code != c.code || c.code == 3 && !strings.HasPrefix(again, "already imported: "+path) {
				t.Errorf("again: %d %s%s", code, stdout, again)
			}
			if state := archived(t, data, "SELECT state FROM ops.imports"); (state == "damaged") != (c.code == 3) || (state == "") != (c.code == 1) {
				t.Errorf("state %q", state)
			}
		})
	}
	if _, stderr := importOf(t, 1, filepath.Join(t.TempDir(), "data"), "no/such/file"); !strings.HasSuffix(stderr, "/no/such/file: no such file or directory\n") || strings.Contains(stderr, "stat") {
		t.Error(stderr)
	}
	for _, args := range [][]string{
		{"--exports", "--exporter", "router", exportsOf("v5")},
		{"--exports", "--in-place", exportsOf("v5")},
		{"--exports", "--sensor", "s", exportsOf("v5")},
		{"--exporter", "192.0.2.1", exportsOf("v5")},
		{"--exports"},
	} {
		if code, _, stderr := runTimed(t, append([]string{"import", "--data", filepath.Join(t.TempDir(), "data")}, args...)...); code == 0 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
	}
}

// An export datagram in IP fragments is put together, in any order; one that
// lacks a piece is counted.
func TestImportExportsFragments(t *testing.T) {
	t.Parallel()
	data := payloads(t, "v5")[0]
	udp := make([]byte, 8, 8+len(data))
	binary.BigEndian.PutUint16(udp, 50000)
	binary.BigEndian.PutUint16(udp[2:], 2055)
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(data)))
	udp = append(udp, data...)
	// pieces cuts the datagram into IPv4 fragments of 400 bytes.
	pieces := func(id uint16) (out [][]byte) {
		for at := 0; at < len(udp); at += 400 {
			end := min(at+400, len(udp))
			field := uint16(at / 8)
			if end < len(udp) {
				field |= 0x2000
			}
			b := append([]byte{}, udpFrame()[:34]...)
			binary.BigEndian.PutUint16(b[16:], uint16(20+end-at))
			binary.BigEndian.PutUint16(b[18:], id)
			binary.BigEndian.PutUint16(b[20:], field)
			b = append(b, udp[at:end]...)
			out = append(out, pcapRecord(1_760_000_000, uint32(len(b)), uint32(len(b)), b))
		}
		return out
	}
	one, two, three := pieces(1), pieces(2), pieces(3)
	packets := [][]byte{one[0], two[3], one[1], two[0], one[2], two[2], one[3], two[1], two[1], three[0], three[1], three[3]}
	dir := filepath.Join(t.TempDir(), "data")
	_, stderr := importOf(t, 3, dir, writeTemp(t, "fragments.pcap", pcapBytes(packets...)))
	if !strings.Contains(stderr, "1 datagrams of which a fragment is missing") {
		t.Error(stderr)
	}
	if got := archived(t, dir, "SELECT COUNT(*), MAX(observer) FROM flows"); got != "60,10.0.0.1" {
		t.Error(got)
	}
}

// Folders of others' captures: whatever is in them, what is imported is what
// the decoder makes of them file by file.
func TestImportExportsOfOthers(t *testing.T) {
	t.Parallel()
	const shared = "../shared/captures"
	if _, err := os.Stat(shared); err != nil {
		t.Skip("no shared captures: ", err)
	}
	for _, c := range []struct {
		paths []string
		code  int
		want  string
	}{
		{[]string{"akvorado"}, 0, "ipfix,2,11,979\nnetflow5,29,78,88345\nnetflow9,34,70,64177\nsflow5,7,7,5113"},
		{[]string{"pmacct", "scapy/ipfix.pcap", "ndpi/sflow.pcap"}, 0, "ipfix,13,43,35484\nnetflow9,51,56,4500\nsflow5,1,1,60"},
		{[]string{"communityid", "wireshark"}, 1, ""},
		{[]string{"netflow-dat"}, 0, "ipfix,73,462,202558\nnetflow5,30,230,18684\nnetflow9,22,15,2216"},
	} {
		data := filepath.Join(t.TempDir(), "data")
		var args []string
		for _, p := range c.paths {
			args = append(args, filepath.Join(shared, p))
		}
		importOf(t, c.code, data, args...)
		got := archived(t, data, "SELECT source_type, COUNT(*), SUM(total_packets), SUM(total_bytes) FROM flows GROUP BY source_type ORDER BY source_type")
		if got != c.want {
			t.Errorf("%v: %s", c.paths, got)
		}
	}
}

// The configuration names exporters; for an import it refuses none.
func TestImportExportsNames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ exporters, site, want string }{
		{"127.0.0.1,name=core,site=hq,sampling=10", "", "core,hq,10"},
		{"127.0.0.1,name=core", "lab", "core,lab,1"},
		{"192.0.2.0/24,name=edge,site=hq", "lab", "127.0.0.1,lab,1"},
	} {
		data := filepath.Join(t.TempDir(), "data")
		args := []string{"import", "--no-sync", "--data", data, "--exports", "--site", c.site, exportsOf("dmz-v9")}
		if code, _, stderr := runProgram(t, []string{"WIRESQL_COLLECTOR_EXPORTERS=" + c.exporters}, args...); code != 0 {
			t.Fatal(code, stderr)
		}
		if got := archived(t, data, "SELECT DISTINCT observer, site, sampling_rate FROM flows_wide"); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		if got := archived(t, data, "SELECT observer, site FROM ops.exporters"); got != c.want[:strings.LastIndexByte(c.want, ',')] {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
