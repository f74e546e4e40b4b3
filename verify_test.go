package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables/archive"
)

// verify runs the command; wrong are the lines it prints before its summary.
func verify(t *testing.T, data string) (code int, wrong []string, summary string) {
	t.Helper()
	code, stdout, stderr := runProgram(t, nil, "verify", "--data", data)
	lines, summary, found := strings.Cut("\n"+stdout, "\nrow files: ")
	if !found || stderr != "" {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	return code, strings.Split(lines, "\n")[1:], summary
}

// everyFamily is an archive of captures and exports, with files of most kinds.
func everyFamily(t *testing.T) string {
	t.Helper()
	from, err := observersArchive()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	if err := os.CopyFS(data, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return data
}

// TestVerify: one file of each family, and one of packets, is damaged in turn.
func TestVerify(t *testing.T) {
	t.Parallel()
	data := everyFamily(t)
	if code, wrong, summary := verify(t, data); code != 0 || len(wrong) > 0 || !strings.HasSuffix(summary, "wrong: 0\n") || strings.HasPrefix(summary, "0 ") {
		t.Fatalf("exit code %d: %s %s", code, wrong, summary)
	}
	a, err := archive.Open(data, archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"packets": c.Segments()[0].AbsPath}
	for _, family := range []archive.Family{archive.Flows, archive.Connections, archive.DNS, archive.Names, archive.Imports,
		archive.Segments, archive.Coverage, archive.Exports, archive.Exporters, archive.Sockets, archive.Other} {
		if files := c.Files(family); len(files) > 0 {
			paths[string(family)] = files[len(files)/2].Path
		}
	}
	if len(paths) < 10 {
		t.Errorf("files of %d families", len(paths))
	}
	for family, path := range paths {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		middle := len(whole) / 2
		flipped, zeroed := bytes.Clone(whole), bytes.Clone(whole)
		flipped[middle] ^= 16
		clear(zeroed[middle-min(middle, 4096):])
		for how, content := range map[string][]byte{"flipped": flipped, "zeroed": zeroed, "cut": whole[:middle], "empty": {}, "foreign": []byte("PAR1 not ours PAR1"), "gone": nil} {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if content != nil {
				if err := os.WriteFile(path, content, 0o640); err != nil {
					t.Fatal(err)
				}
			}
			code, wrong, summary := verify(t, data)
			name, _, _ := strings.Cut(filepath.Base(path), ".parquet")
			if code != exitDamaged || len(wrong) != 1 || !strings.HasPrefix(wrong[0], family+" ") || !strings.Contains(wrong[0], name) || !strings.HasSuffix(summary, "wrong: 1\n") {
				t.Errorf("%s %s: exit code %d: %q %s", path, how, code, wrong, summary)
			}
			if err := os.WriteFile(path, whole, 0o640); err != nil {
				t.Fatal(err)
			}
		}
	}
	if code, wrong, _ := verify(t, data); code != 0 || len(wrong) > 0 {
		t.Errorf("all is as it was: exit code %d: %s", code, wrong)
	}
	for _, bad := range [][]string{{"flows"}, {"--data", t.TempDir()}} {
		if code, _, stderr := runProgram(t, nil, append([]string{"verify", "--data", data}, bad...)...); code != 1 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q", bad, code, stderr)
		}
	}
}

// TestVerifyAsJSON: an object for each thing that is wrong, and one of what was
// read.
func TestVerifyAsJSON(t *testing.T) {
	t.Parallel()
	data := everyFamily(t)
	paths, err := filepath.Glob(filepath.Join(data, "flows/*/*/*/*.parquet"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	if err := os.Truncate(paths[0], 1000); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := runProgram(t, nil, "verify", "--json", "--data", data)
	var found, sum map[string]any
	d := json.NewDecoder(strings.NewReader(stdout))
	if err := errors.Join(d.Decode(&found), d.Decode(&sum)); err != nil || d.More() || code != exitDamaged || stderr != "" {
		t.Fatalf("exit code %d, %v: %s%s", code, err, stdout, stderr)
	}
	name, _ := filepath.Rel(data, paths[0])
	rows, _ := found["rows"].(float64)
	from, _ := found["from"].(string)
	if found["family"] != "flows" || found["file"] != name || !strings.HasPrefix(fmt.Sprint(found["reason"]), "at byte 992: ") ||
		rows < 1 || len(from) < len("2006-01-02 15:04:05") || found["nothing_is_missing"] != false {
		t.Errorf("%v", found)
	}
	if sum["wrong"] != 1.0 || sum["row_files"].(float64) < 10 || sum["packet_files"].(float64) < 1 || sum["row_files_without_checksums"] != 0.0 {
		t.Errorf("%v", sum)
	}
}

// TestVerifyBeside a server and imports that merge: nothing is wrong.
func TestVerifyBeside(t *testing.T) {
	t.Parallel()
	data := everyFamily(t)
	d := start(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
	d.says(`serving (\S+):`)
	ended := make(chan bool)
	go func() {
		defer close(ended)
		for _, name := range []string{"v5", "ipfix", "v9", "ovs-sflow"} {
			if code, _, stderr := runProgram(t, nil, "import", "--no-sync", "--data", data, "--exports", exportsOf(name)); code != 0 {
				t.Errorf("%s: exit code %d: %s", name, code, stderr)
			}
		}
	}()
	times := 0
	for running := true; running; times++ {
		select {
		case <-ended:
			running = false
		default:
		}
		if code, wrong, _ := verify(t, data); code != 0 {
			t.Fatalf("exit code %d: %s", code, wrong)
		}
	}
	if times < 3 {
		t.Errorf("verified %d times meanwhile", times)
	}
}

// TestVerifyOlder: files of earlier versions are read as far as they tell.
func TestVerifyOlder(t *testing.T) {
	t.Parallel()
	_, data := keptEngine(t, "testdata/archives/85fd3ef", "demo")
	code, wrong, summary := verify(t, data)
	if code != 0 || len(wrong) > 0 || !strings.Contains(summary, "without checksums") || strings.Contains(summary, " 0 of them") {
		t.Errorf("exit code %d: %s %s", code, wrong, summary)
	}
	paths, err := filepath.Glob(filepath.Join(data, "flows/*/*/*/*.parquet"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	b, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(paths[0], b, 0o640); err != nil {
		t.Fatal(err)
	}
	if code, wrong, _ := verify(t, data); code != exitDamaged || len(wrong) != 1 || !strings.Contains(wrong[0], filepath.Base(paths[0])+": at byte ") {
		t.Errorf("flipped: exit code %d: %q", code, wrong)
	}
}

// TestRepair: each row file that follows from packets, or from flow rows, is damaged
// in turn, and then all at once; its rows come back as they were.
func TestRepair(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	for sensor, path := range map[string]string{"office": "testdata/captures/office-morning.pcap", "dmz": "testdata/captures/dmz.pcap.gz"} {
		if code, _, stderr := runProgram(t, nil, "import", "--no-sync", "--data", data, "--sensor", sensor, path); code != 0 {
			t.Fatal(stderr)
		}
	}
	repairs(t, data)
}

// repairs damages and repairs the files of an archive of imports.
func repairs(t *testing.T, data string) {
	t.Helper()
	ask := []string{"SELECT * FROM flows_wide ORDER BY flow_id", "SELECT * FROM connections ORDER BY conn_id, ts", "SELECT * FROM dns ORDER BY ts, flow_id, query",
		"SELECT * FROM hosts ORDER BY 1, 2, 3, 4", "SELECT * FROM packets ORDER BY packet_id LIMIT 500",
		"SELECT * FROM traffic_1m ORDER BY 1, 2, 3, 4, 5, 6, 7", "SELECT * FROM traffic_1h ORDER BY 1, 2, 3, 4, 5, 6, 7"}
	answers := func() (out []string) {
		e := engineOver(t, data)
		for _, q := range ask {
			got := askEngine(e.NewSession(), q)
			if got.err != "" || len(got.rows) == 0 {
				t.Errorf("%s: %d rows, %s", q, len(got.rows), got.err)
			}
			out = append(out, strings.Join(append(got.rows, got.warnings...), "\n"))
		}
		return out
	}
	want := answers()
	files := func() map[string][]string {
		a, err := archive.Open(data, archive.Options{ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]string{}
		for _, family := range []archive.Family{archive.Flows, archive.Connections, archive.DNS, archive.Names, archive.Other, archive.Traffic, archive.TrafficHour} {
			for _, f := range c.Files(family) {
				out[string(family)] = append(out[string(family)], f.Path)
			}
		}
		return out
	}
	harm := func(path string, i int) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch i % 3 {
		case 0:
			err = os.Remove(path)
		case 1:
			b[len(b)/3] ^= 1
			err = os.WriteFile(path, b, 0o640)
		case 2:
			err = os.WriteFile(path, b[:len(b)/2], 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, harmed int) {
		t.Helper()
		code, stdout, stderr := runProgram(t, nil, "verify", "--repair", "--data", data)
		if code != 0 || stderr != "" || !strings.Contains(stdout, fmt.Sprintf("\nrepaired: %d\nnot repaired: 0\n", harmed)) {
			t.Fatalf("%s: exit code %d: %s%s", what, code, stdout, stderr)
		}
		if code, wrong, _ := verify(t, data); code != 0 {
			t.Errorf("%s, repaired: %q", what, wrong)
		}
		for i, got := range answers() {
			if got != want[i] {
				t.Errorf("%s: %s is another answer than it was", what, ask[i])
			}
		}
	}
	n := 0
	for family, paths := range files() {
		n++
		harm(paths[len(paths)/2], n)
		check(family, 1)
	}
	if n != 7 {
		t.Errorf("files of %d families", n)
	}
	all := 0
	for _, paths := range files() {
		for _, path := range paths {
			harm(path, all)
			all++
		}
	}
	check("all", all)
	if code, stdout, stderr := runProgram(t, nil, "compact", "--once", "--data", data); code != 0 {
		t.Errorf("merging what was repaired: %s%s", stdout, stderr)
	}
	for i, got := range answers() {
		if got != want[i] {
			t.Errorf("merged: %s is another answer than it was", ask[i])
		}
	}
}
