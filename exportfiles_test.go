package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/engine"
)

// lines are what seq prints.
func lines(from, to int) string {
	var b strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintln(&b, n)
	}
	return b.String()
}

// TestExportFiles: what passed over HTTP, SMB and TFTP is what tshark exports, over FTP what the
// script that recorded it made.
func TestExportFiles(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip(err)
	}
	captures := []string{"testdata/files/files.pcap", "testdata/smb/smb.pcap", "testdata/captures/office-morning.pcap", "testdata/http2/http2.pcap"}
	dir := t.TempDir()
	archive, out := filepath.Join(dir, "archive"), filepath.Join(dir, "out")
	command := func(args ...string) (string, error) {
		var said, complaint bytes.Buffer
		if code := run(t.Context(), args, nil, &said, &complaint); code != 0 {
			return "", fmt.Errorf("exit %d: %s", code, complaint.String())
		}
		return said.String(), nil
	}
	if _, err := command(append([]string{"import", "--data", archive}, captures...)...); err != nil {
		t.Fatal(err)
	}
	const some = "bytes_read + bytes_written > 50 AND file_id IS NOT NULL" // of those of HTTP, most are of 3 bytes
	said, err := command("export", "--data", archive, "--json", "--files", out, "SELECT file_id FROM files WHERE "+some)
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Files []engine.File }
	if err := json.Unmarshal([]byte(said), &list); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(filepath.Join(out, "files.json")); err != nil || string(kept) != said {
		t.Errorf("files.json is another than what was said: %v", err)
	}
	theirs := map[string]bool{}
	exported := map[string]int{}
	for _, capture := range captures {
		for _, kind := range []string{"http", "smb", "tftp"} {
			to := t.TempDir()
			if out, err := exec.Command("tshark", "-n", "-q", "-r", capture, "--export-objects", kind+","+to).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			names, _ := os.ReadDir(to)
			for _, name := range names {
				b, err := os.ReadFile(filepath.Join(to, name.Name()))
				if err != nil {
					t.Fatal(err)
				}
				theirs[fmt.Sprintf("%s %x", kind[:3], sha256.Sum256(b))] = true
				exported[kind]++
			}
		}
	}
	for _, text := range []string{lines(1, 5000), lines(2000, 2600)} {
		theirs[fmt.Sprintf("ftp %x", sha256.Sum256([]byte(text)))] = true
	}
	// tshark 4.0 has nothing of HTTP/2.
	for _, text := range []string{lines(1, 500), lines(1, 3000)} {
		theirs[fmt.Sprintf("htt %x", sha256.Sum256([]byte(text)))] = true
	}
	got := map[string]int{}
	for _, f := range list.Files {
		b, err := os.ReadFile(f.Path)
		if err != nil || len(f.Lacks) > 0 || len(b) != f.Bytes || fmt.Sprintf("%x", sha256.Sum256(b)) != f.SHA256 {
			t.Errorf("%+v: %v", f, err)
		}
		if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o400 || filepath.Dir(f.Path) != out {
			t.Errorf("%s: %v, %v", f.Path, info.Mode(), err)
		}
		protocol := f.ID[:strings.IndexByte(f.ID, '-')]
		if got[protocol]++; *f.Action != "list" && !theirs[protocol[:3]+" "+f.SHA256] && !theirs[map[string]string{"tftp": "tft"}[protocol]+" "+f.SHA256] {
			t.Errorf("%s of %s is none that was there", f.ID, *f.Name)
		}
	}
	// tshark has SMB1's as well, and what HTTP moves without a name.
	if got["tftp"] != exported["tftp"] || got["smb3"] != exported["smb"]-1 || got["ftp"] != 8 || got["http"] < 5 || exported["http"] < got["http"] {
		t.Errorf("%v, tshark %v", got, exported)
	}

	// file_bytes gives the same, and says what lacks; a name is none of a path, a folder is not used twice.
	session := func(statement string) string {
		text, err := command("query", "--data", archive, "--format", "csv", statement)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var want []string
	for _, f := range list.Files {
		want = append(want, f.ID+","+f.SHA256)
	}
	hashes := strings.Fields(session("SELECT file_id, SHA2(file_bytes(file_id), 256) AS hash FROM files WHERE " + some))[1:]
	slices.Sort(hashes)
	if slices.Sort(want); !slices.Equal(hashes, want) {
		t.Errorf("file_bytes gives\n%s\nwant\n%s", strings.Join(hashes, "\n"), strings.Join(want, "\n"))
	}
	if _, err := command("export", "--data", archive, "--files", out, "SELECT file_id FROM files"); err == nil || !strings.Contains(err.Error(), "new folder") {
		t.Errorf("a folder that was there: %v", err)
	}
	for name, want := range map[string]string{`..\..\etc/passwd`: "passwd", "../..": "..", "a b\x00ü.exe": "a_b__.exe", strings.Repeat("x", 300): strings.Repeat("x", 80)} {
		if got := plainFileName(name); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}

	// Without a packet in the middle a file is not whole, and its name says so.
	less := filepath.Join(dir, "less.pcap")
	if out, err := exec.Command("editcap", "-F", "pcap", captures[0], less, frameOf(t, captures[0], "tcp.srcport == 20 && tcp.len > 1000")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	archive = filepath.Join(dir, "less")
	if _, err := command("import", "--data", archive, less); err != nil {
		t.Fatal(err)
	}
	said, err = command("export", "--data", archive, "--files", filepath.Join(dir, "partial"), "SELECT file_id FROM files WHERE name = 'Report.csv'")
	if err != nil || !strings.Contains(said, "-Report.csv.partial: 23893 bytes") || !strings.Contains(said, "1 of them not whole") {
		t.Errorf("%v: %s", err, said)
	}
}

// frameOf is the number of a frame in the middle of those that a filter lets through.
func frameOf(t *testing.T, capture, filter string) string {
	t.Helper()
	out, err := exec.Command("tshark", "-n", "-r", capture, "-Y", filter, "-T", "fields", "-e", "frame.number").Output()
	numbers := strings.Fields(string(out))
	if err != nil || len(numbers) < 3 {
		t.Fatalf("%v: %s", err, out)
	}
	return numbers[len(numbers)/2]
}
