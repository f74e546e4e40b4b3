package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// pcapBytes is a capture: µs, little-endian, Ethernet.
func pcapBytes(records ...[]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0)
	return append(b, bytes.Join(records, nil)...)
}

// pcapRecord is a record whose header says caplen and length, with these data.
func pcapRecord(seconds, caplen, length uint32, data []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, seconds)
	for _, v := range []uint32{0, caplen, length} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, data...)
}

// udpFrame is Ethernet, IPv4, UDP from 10.0.0.1 to 10.0.0.2.
func udpFrame() []byte {
	return append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,
		0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x30, 0x39, 0, 54, 0, 12, 0, 0}, "data"...)
}

// ngBlock is a pcapng block that says it is total bytes long at both ends.
func ngBlock(kind, total uint32, body []byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, kind)
	b = append(binary.LittleEndian.AppendUint32(b, total), body...)
	return binary.LittleEndian.AppendUint32(b, total)
}

// pcapngBytes is a capture with an Ethernet interface.
func pcapngBytes(blocks ...[]byte) []byte {
	section := []byte{0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	b := append(ngBlock(0x0a0d0d0a, 28, section), ngBlock(1, 20, []byte{1, 0, 0, 0, 0, 0, 0, 0})...)
	return append(b, bytes.Join(blocks, nil)...)
}

// ngPacket is an enhanced packet block.
func ngPacket(frame []byte) []byte {
	padded := (len(frame) + 3) / 4 * 4
	body := make([]byte, 20+padded)
	binary.LittleEndian.PutUint32(body[12:], uint32(len(frame)))
	binary.LittleEndian.PutUint32(body[16:], uint32(len(frame)))
	copy(body[20:], frame)
	return ngBlock(6, uint32(len(body)+12), body)
}

func writeTemp(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runTimed runs wiresql in-process, and fails if that takes too long.
func runTimed(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint bytes.Buffer
	start := time.Now()
	code = run(t.Context(), args, nil, &out, &complaint)
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("wiresql %v took %v", args, took)
	}
	return code, out.String(), complaint.String()
}

// archived is what a query answers as CSV without its header.
func archived(t *testing.T, data, statement string) string {
	t.Helper()
	code, out, complaint := runTimed(t, "query", "--data", data, "--format", "csv", statement)
	if code != 0 {
		t.Fatalf("%s: %d: %s", statement, code, complaint)
	}
	_, rows, _ := strings.Cut(out, "\n")
	return strings.ReplaceAll(strings.TrimSpace(rows), "\r", "")
}

// A file that can't be imported, or not to its end, gives one line that names
// it and the offset; what came before the damage is there.
func TestBadInput(t *testing.T) {
	frame := udpFrame()
	n := uint32(len(frame))
	good := pcapRecord(1_700_000_000, n, n, frame)
	second := 24 + int64(len(good)) // offset of the second record
	first := int64(28 + 20)         // offset of the first block after the interface
	ngSecond := first + int64(len(ngPacket(frame)))
	for name, c := range map[string]struct {
		data    []byte
		code    int
		packets int
		offset  int64
	}{
		"wrong magic":                {[]byte("this is no capture at all"), 1, 0, 0},
		"empty file":                 {nil, 1, 0, 0},
		"truncated file header":      {pcapBytes()[:13], 1, 0, 0},
		"truncated record header":    {pcapBytes(good, good[:7]), 3, 1, second},
		"truncated packet":           {pcapBytes(good, good[:30]), 3, 1, second},
		"absurd captured length":     {pcapBytes(good, pcapRecord(1, math.MaxUint32, 60, frame)), 3, 1, second},
		"absurd packet length":       {pcapBytes(good, pcapRecord(1, n, math.MaxUint32, frame)), 3, 1, second},
		"large length, little data":  {pcapBytes(good, pcapRecord(1, 1<<17, 1<<17, frame)), 3, 1, second},
		"damage before any packet":   {pcapBytes(pcapRecord(1, math.MaxUint32, 60, frame)), 1, 0, 24},
		"pcapng truncated section":   {pcapngBytes()[:20], 1, 0, 0},
		"pcapng absurd section":      {ngBlock(0x0a0d0d0a, 0xfffffff0, []byte{0x4d, 0x3c, 0x2b, 0x1a}), 1, 0, 0},
		"pcapng block of no length":  {pcapngBytes(ngPacket(frame), ngBlock(6, 0, nil)), 3, 1, ngSecond},
		"pcapng block of 8 bytes":    {pcapngBytes(ngPacket(frame), ngBlock(6, 8, nil)), 3, 1, ngSecond},
		"pcapng absurd packet block": {pcapngBytes(ngPacket(frame), ngBlock(6, 0xfffffff0, frame)), 3, 1, ngSecond},
		"pcapng absurd other block":  {pcapngBytes(ngPacket(frame), ngBlock(0x99, 0xfffffff0, frame)), 3, 1, ngSecond},
	} {
		t.Run(name, func(t *testing.T) {
			path, data := writeTemp(t, "bad.pcap", c.data), t.TempDir()
			code, _, complaint := runTimed(t, "import", "--data", data, "--no-sync", path)
			if code != c.code {
				t.Errorf("exit %d, want %d", code, c.code)
			}
			if strings.Count(complaint, "\n") != 1 || !strings.Contains(complaint, fmt.Sprintf("%s: at offset %d: ", path, c.offset)) {
				t.Errorf("no single line that names file and offset %d:\n%s", c.offset, complaint)
			}
			if got := archived(t, data, "SELECT COUNT(*) FROM packets"); got != fmt.Sprint(c.packets) {
				t.Errorf("%s packets, want %d", got, c.packets)
			}
			if c.code == 3 {
				want := fmt.Sprintf("damaged,%d", c.offset)
				if got := archived(t, data, "SELECT state, damage_offset FROM ops.imports"); got != want {
					t.Errorf("ops.imports: %s, want %s", got, want)
				}
			}
		})
	}
}

// What is no readable file is named, and the rest is imported.
func TestUnreadable(t *testing.T) {
	frame := udpFrame()
	whole := writeTemp(t, "whole.pcap", pcapBytes(pcapRecord(1_700_000_000, uint32(len(frame)), uint32(len(frame)), frame)))
	// Root may read any file; this one fails for everyone.
	locked := "/proc/self/mem"
	if os.Geteuid() != 0 {
		locked = writeTemp(t, "locked.pcap", pcapBytes())
		if err := os.Chmod(locked, 0); err != nil {
			t.Fatal(err)
		}
	}
	for name, path := range map[string]string{
		"missing":                filepath.Join(t.TempDir(), "missing.pcap"),
		"folder without capture": t.TempDir(),
		"unreadable":             locked,
	} {
		t.Run(name, func(t *testing.T) {
			code, _, complaint := runTimed(t, "import", "--data", t.TempDir(), "--no-sync", path)
			if code != 1 || strings.Count(complaint, "\n") != 1 || !strings.Contains(complaint, path) {
				t.Errorf("exit %d, want 1 and one line that names %s:\n%s", code, path, complaint)
			}
			data := t.TempDir()
			code, _, complaint = runTimed(t, "import", "--data", data, "--no-sync", path, whole)
			if code != 3 || strings.Count(complaint, "\n") != 1 {
				t.Errorf("with a good file: exit %d, want 3 and one line:\n%s", code, complaint)
			}
			if got := archived(t, data, "SELECT COUNT(*) FROM packets"); got != "1" {
				t.Errorf("%s packets, want the good file's", got)
			}
		})
	}
}

// Odd but whole captures are imported, and a second time change nothing.
func TestOddInput(t *testing.T) {
	frame := udpFrame()
	n := uint32(len(frame))
	const year2100 = 4102444800
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"header only": {pcapBytes(), "0,,,"},
		"1970 and 2100": {pcapBytes(pcapRecord(0, n, n, frame), pcapRecord(year2100, n, n, frame)),
			"2,1970-01-01 00:00:00.000000,2100-01-01 00:00:00.000000,92"},
		"caplen over length": {pcapBytes(pcapRecord(1, n, n-4, frame)), "1,1970-01-01 00:00:01.000000,1970-01-01 00:00:01.000000,42"},
		"caplen 0":           {pcapBytes(pcapRecord(1, 0, n, nil)), "1,1970-01-01 00:00:01.000000,1970-01-01 00:00:01.000000,46"},
	} {
		t.Run(name, func(t *testing.T) {
			path, data := writeTemp(t, "odd.pcap", c.data), t.TempDir()
			if code, _, complaint := runTimed(t, "import", "--data", data, "--no-sync", path); code != 0 || complaint != "" {
				t.Fatalf("exit %d: %s", code, complaint)
			}
			const totals = "SELECT COUNT(*), MIN(ts), MAX(ts), SUM(length) FROM packets"
			if got := archived(t, data, totals); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			imports := archived(t, data, "SELECT * FROM ops.imports")
			before := tree(t, data)
			code, out, complaint := runTimed(t, "import", "--data", data, "--no-sync", path)
			if code != 0 || complaint != "" || !strings.Contains(out, path+": already imported\n") {
				t.Errorf("again: exit %d: %s%s", code, out, complaint)
			}
			if code, out, _ := runTimed(t, "import", "--data", data, "--no-sync", "--sensor", "dmz", path); code != 0 || !strings.Contains(out, path+": already imported, for the sensor import: ") {
				t.Errorf("for another sensor: exit %d: %s", code, out)
			}
			if after := tree(t, data); after != before {
				t.Errorf("a known file changed the archive:\n%s\nbefore:\n%s", after, before)
			}
			if got := archived(t, data, "SELECT * FROM ops.imports"); got != imports {
				t.Errorf("a known file changed ops.imports: %s", got)
			}
		})
	}
}

// TestKnownDamage: a damaged file that is known is still a damaged file.
func TestKnownDamage(t *testing.T) {
	frame := bytes.Repeat([]byte{0xaa}, 46)
	whole := pcapBytes(pcapRecord(1, 46, 46, frame), pcapRecord(2, 46, 46, frame))
	path, data := writeTemp(t, "cut.pcap", whole[:len(whole)-7]), t.TempDir()
	for _, state := range []string{"damaged", "already imported"} {
		code, out, complaint := runTimed(t, "import", "--data", data, "--no-sync", path)
		if code != exitDamaged || !strings.Contains(complaint, state+": "+path+": at offset ") {
			t.Errorf("%s: exit %d: %s%s", state, code, out, complaint)
		}
	}
}

// TestImportWithoutIP: a capture that leads to no connection says so and why, and
// so does the statement it names.
func TestImportWithoutIP(t *testing.T) {
	frame := bytes.Repeat([]byte{0xaa}, 46)
	tagged := pcapBytes(pcapRecord(1, 46, 46, frame))
	strange := bytes.Clone(tagged)
	strange[20] = 253
	for want, c := range map[string]struct {
		data []byte
		why  string
	}{
		"43690,ethertype not decoded,1": {tagged, "EtherType 0xaaaa"},
		",link type not known,1":        {strange, "link type 253 (NETLINK)"},
	} {
		path, dir := writeTemp(t, "odd.pcap", c.data), t.TempDir()
		code, out, complaint := runTimed(t, "import", "--data", dir, "--no-sync", path)
		_, statement, said := strings.Cut(out, "no packet of them is IP that can be read: ")
		if code != exitDamaged || complaint != path+": 1 of 1 packets have "+c.why+", not decoded\n" || !said {
			t.Fatalf("exit %d: %s%s", code, out, complaint)
		}
		if got := archived(t, dir, strings.TrimSpace(statement)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// tree lists the files below a folder with their sizes.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, st os.FileInfo, err error) error {
		if err == nil && st.Mode().IsRegular() {
			fmt.Fprintln(&b, path, st.Size())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A full disk ends the import with a line that says so; what was stored before
// stays readable.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("a small disk takes the right to mount one: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	frame := udpFrame()
	n := uint32(len(frame))
	small := writeTemp(t, "small.pcap", pcapBytes(pcapRecord(1_700_000_000, n, n, frame)))
	large := writeTemp(t, "large.pcap", pcapBytes(bytes.Repeat(pcapRecord(1_700_000_100, n, n, frame), 100_000)))
	data := filepath.Join(disk, "data")
	if code, _, complaint := runTimed(t, "import", "--data", data, small); code != 0 {
		t.Fatalf("exit %d: %s", code, complaint)
	}
	code, _, complaint := runTimed(t, "import", "--data", data, large)
	if code != 1 || strings.Count(complaint, "\n") != 1 || !strings.Contains(complaint, "no space left on device") || !strings.Contains(complaint, large) {
		t.Errorf("exit %d, want 1 and one line that says why:\n%s", code, complaint)
	}
	if got := archived(t, data, "SELECT COUNT(*), SUM(length) FROM packets"); got != fmt.Sprintf("1,%d", n) {
		t.Errorf("after the failure the archive has %s packets and bytes", got)
	}
}
