package capture

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/testdata/leaks"
)

// TestMain doubles as the import that TestImportKilled kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("WIRESQL_TEST_IMPORT"); dir != "" {
		a, err := archive.Open(filepath.Join(dir, "data"), archive.Options{NoSync: true})
		if err == nil {
			_, err = Import(context.Background(), a, childConfig(filepath.Join(dir, "captures")))
			a.Close()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(leaks.Main(m))
}

func childConfig(captures string) ImportConfig {
	return ImportConfig{Paths: []string{captures}, BatchBytes: 1 << 20}
}

func openArchive(t testing.TB, dir string) *archive.Archive {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func readAll[T any](t testing.TB, a *archive.Archive, family archive.Family) []T {
	t.Helper()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	for _, f := range c.Files(family) {
		r, err := rows.Open[T](f.File)
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]T, 100)
		for {
			n, err := r.Read(buf)
			out = append(out, buf[:n]...)
			if errors.Is(err, io.EOF) || err == nil && n == 0 {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	return out
}

// checkArchive holds the archive to its invariant: each packet of the committed
// imports is posted once. It returns how many packets there are.
func checkArchive(t testing.TB, a *archive.Archive) (packets int64) {
	t.Helper()
	var imported, inRows int64
	for _, i := range readAll[tables.Import](t, a, archive.Imports) {
		imported += i.Packets
	}
	posted := map[tables.ID]bool{}
	post := func(b []byte, want int64) {
		before := len(posted)
		if err := rows.DecodePostings(b, func(id tables.ID) bool { posted[id] = true; return true }); err != nil {
			t.Fatal(err)
		}
		if int64(len(posted)-before) != want {
			t.Fatalf("a row of %d packets posts %d new ones", want, len(posted)-before)
		}
		inRows += want
	}
	for _, r := range readAll[tables.Flow](t, a, archive.Flows) {
		post(r.Postings, r.Packets+r.ReversePackets.V)
	}
	for _, r := range readAll[tables.Other](t, a, archive.Other) {
		post(r.Postings, r.Packets)
	}
	if inRows != imported {
		t.Fatalf("%d packets imported, %d in rows", imported, inRows)
	}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var walked int64
	for _, s := range c.Segments() {
		err := a.Walk(context.Background(), c, uint32(s.Segment.Segment), func(rec *pcap.Record) error {
			if !posted[tables.PacketID(uint32(s.Segment.Segment), rec.Offset)] {
				t.Fatalf("packet at %d of segment %d is in no row", rec.Offset, s.Segment.Segment)
			}
			walked++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if walked != imported {
		t.Fatalf("%d packets imported, %d in segments", imported, walked)
	}
	return imported
}

// flowsOf are the flow rows without what depends on segment numbers, in the
// order of their ids.
func flowsOf(t testing.TB, a *archive.Archive) []string {
	t.Helper()
	rows := readAll[tables.Flow](t, a, archive.Flows)
	slices.SortFunc(rows, func(a, b tables.Flow) int { return cmp.Compare(a.FlowID, b.FlowID) })
	var out []string
	for _, r := range rows {
		r.Postings, r.Segments = nil, nil
		out = append(out, fmt.Sprintf("%+v", r))
	}
	return out
}

// testCapture is a pcap file of n random packets between a few hosts, from a
// time on, ten milliseconds apart.
func testCapture(rng *rand.Rand, start time.Time, n int) []byte {
	var b bytes.Buffer
	le := binary.LittleEndian
	b.Write(le.AppendUint32(nil, 0xa1b2c3d4))
	b.Write([]byte{2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0})
	for i := range n {
		ns := start.Add(time.Duration(i) * 10 * time.Millisecond).UnixNano()
		payload := rng.IntN(400)
		frame := make([]byte, 14+20+20+payload)
		frame[12] = 8
		ip := frame[14:]
		ip[0], ip[8], ip[9] = 0x45, 64, 6
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
		a, z := byte(rng.IntN(20)+1), byte(rng.IntN(3)+100)
		copy(ip[12:], []byte{10, 0, 0, a, 10, 0, 0, z})
		tcp := ip[20:]
		sport, dport := uint16(1000)+uint16(a), uint16(80)
		if rng.IntN(2) == 0 {
			copy(ip[12:], []byte{10, 0, 0, z, 10, 0, 0, a})
			sport, dport = dport, sport
		}
		binary.BigEndian.PutUint16(tcp, sport)
		binary.BigEndian.PutUint16(tcp[2:], dport)
		tcp[12], tcp[13] = 5<<4, 16
		if rng.IntN(50) == 0 {
			frame[12], frame[13] = 8, 6 // ARP, more or less
		}
		b.Write(le.AppendUint32(nil, uint32(ns/1e9)))
		b.Write(le.AppendUint32(nil, uint32(ns%1e9/1e3)))
		b.Write(le.AppendUint32(nil, uint32(len(frame))))
		b.Write(le.AppendUint32(nil, uint32(len(frame))))
		b.Write(frame)
	}
	return b.Bytes()
}

// writeCaptures writes files that follow each other in time, so that their
// conversations go on from one to the next.
func writeCaptures(t testing.TB, dir string, files, packets int) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 3))
	start := time.Unix(1_700_000_000, 0)
	for i := range files {
		// Names do not sort as times do.
		name := filepath.Join(dir, fmt.Sprintf("%02d.pcap", (i*7)%files))
		if err := os.WriteFile(name, testCapture(rng, start, packets), 0o644); err != nil {
			t.Fatal(err)
		}
		start = start.Add(time.Duration(packets) * 10 * time.Millisecond)
	}
}

func TestImportInBatches(t *testing.T) {
	dir := t.TempDir()
	writeCaptures(t, dir, 9, 3000)
	one, many, place := openArchive(t, t.TempDir()), openArchive(t, t.TempDir()), openArchive(t, t.TempDir())

	rep, err := Import(context.Background(), one, ImportConfig{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Imported != 9 || rep.Packets != 27000 || rep.Batches != 1 || !rep.Whole() {
		t.Errorf("report %+v", rep)
	}
	if n := checkArchive(t, one); n != 27000 {
		t.Errorf("%d packets", n)
	}
	for _, f := range readAll[tables.Flow](t, one, archive.Flows) {
		if f.Sensor != DefaultSensor || f.Site != "" {
			t.Fatalf("sensor %q, site %q", f.Sensor, f.Site)
		}
	}

	rep, err = Import(context.Background(), many, ImportConfig{Paths: []string{dir}, BatchBytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Batches != 9 || rep.Packets != 27000 {
		t.Errorf("report %+v", rep)
	}
	checkArchive(t, many)
	if a, b := conversations(t, one), conversations(t, many); !slices.Equal(a, b) {
		t.Errorf("conversations depend on the batches:\n%s\n\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}

	if _, err = Import(context.Background(), place, ImportConfig{Paths: []string{dir}, InPlace: true}); err != nil {
		t.Fatal(err)
	}
	checkArchive(t, place)
	if a, b := flowsOf(t, one), flowsOf(t, place); !slices.Equal(a, b) {
		t.Error("rows of an import in place differ from those of a copy")
	}
}

// conversations are the counters of all conversations: those of their last
// piece.
func conversations(t testing.TB, a *archive.Archive) []string {
	last := map[tables.ID]tables.Flow{}
	for _, r := range readAll[tables.Flow](t, a, archive.Flows) {
		if r.Piece.V >= last[r.ConnID].Piece.V {
			last[r.ConnID] = r
		}
	}
	var out []string
	for id, r := range last {
		p, q := r.Packets, r.ReversePackets.V
		if r.ConnPackets.Set {
			p, q = r.ConnPackets.V, r.ConnReversePackets.V
		}
		out = append(out, fmt.Sprintf("%s %s:%d %s:%d %d/%d %s %d", id, r.Src, r.SrcPort, r.Dst, r.DstPort, p, q, r.ConnState, r.TSEnd))
	}
	slices.Sort(out)
	return out
}

func TestImportKnownFilesChangeNothing(t *testing.T) {
	dir := t.TempDir()
	writeCaptures(t, dir, 3, 500)
	a := openArchive(t, t.TempDir())
	if _, err := Import(context.Background(), a, ImportConfig{Paths: []string{dir}}); err != nil {
		t.Fatal(err)
	}
	before, _ := a.Catalog()

	// The same bytes under another name, compressed, are the same capture.
	plain, err := os.ReadFile(filepath.Join(dir, "00.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(plain)
	w.Close()
	if err := os.WriteFile(filepath.Join(dir, "other.pcap.gz"), z.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Known != 4 || rep.Imported != 0 || rep.Batches != 0 {
		t.Errorf("report %+v", rep)
	}
	after, _ := a.Catalog()
	if before.Version() != after.Version() {
		t.Error("the archive changed")
	}

	// Twice in one command is once.
	b := openArchive(t, t.TempDir())
	rep, err = Import(context.Background(), b, ImportConfig{Paths: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if rep.Known != 1 || rep.Imported != 3 || rep.Packets != 1500 {
		t.Errorf("report %+v", rep)
	}
	if x, y := flowsOf(t, a), flowsOf(t, b); !slices.Equal(x, y) {
		t.Error("a compressed file gives other rows")
	}
}

func TestImportBadFiles(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(1, 1))
	whole := testCapture(rng, time.Unix(1_700_000_000, 0), 100)
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cut.pcap", whole[:len(whole)-5])
	write("empty.pcap", whole[:24])
	write("text.pcap", []byte("this is no capture at all"))
	write("notes.txt", []byte("not even named like one"))
	write("capture-without-a-name", testCapture(rng, time.Unix(1_700_000_100, 0), 50))

	a := openArchive(t, t.TempDir())
	rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{dir, filepath.Join(dir, "missing.pcap")}, Sensor: "tap1"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range rep.Files {
		text := fmt.Sprintf("%s: %s, %d packets", filepath.Base(f.Path), f.State, f.Packets)
		if f.Err != nil {
			text += ": " + strings.ReplaceAll(f.Err.Error(), dir+"/", "")
		}
		got = append(got, text)
	}
	slices.Sort(got)
	for i, want := range []string{
		"capture-without-a-name: imported, 50 packets",
		"cut.pcap: damaged, 99 packets: cut.pcap: at offset ",
		"empty.pcap: imported, 0 packets",
		"missing.pcap: refused, 0 packets: missing.pcap: no such file or directory",
		"text.pcap: refused, 0 packets: text.pcap: at offset 0: ",
	} {
		if i >= len(got) || !strings.HasPrefix(got[i], want) {
			t.Errorf("got %q, want %q", got, want)
			break
		}
	}
	if rep.Whole() || rep.Packets != 149 {
		t.Errorf("report %+v", rep)
	}
	checkArchive(t, a)
	for _, row := range readAll[tables.Import](t, a, archive.Imports) {
		if strings.HasSuffix(row.File, "cut.pcap") != (row.State == "damaged" && row.DamageOffset.Set && row.Damage != "") {
			t.Errorf("row %+v", row)
		}
		if row.Sensor != "tap1" || row.Site != "tap1" {
			t.Errorf("row %+v", row)
		}
	}
}

func TestImportRefusesCompressedInPlace(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(testCapture(rand.New(rand.NewPCG(1, 1)), time.Unix(1_700_000_000, 0), 10))
	w.Close()
	file := filepath.Join(dir, "a.pcap.gz")
	if err := os.WriteFile(file, z.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	a := openArchive(t, t.TempDir())
	rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{file}, InPlace: true})
	if err != nil || rep.Refused != 1 || !strings.Contains(fmt.Sprint(rep.Files[0].Err), "import it by copy") {
		t.Errorf("%v %+v", err, rep)
	}
}

// An import killed at any moment leaves whole batches or nothing; the next one
// goes on and ends with the rows of an import that was never killed.
func TestImportKilled(t *testing.T) {
	dir := t.TempDir()
	captures := filepath.Join(dir, "captures")
	writeCaptures(t, captures, 12, 2500)
	whole := openArchive(t, t.TempDir())
	start := time.Now()
	rep, err := Import(context.Background(), whole, childConfig(captures))
	if err != nil {
		t.Fatal(err)
	}
	usual := time.Since(start)
	if rep.Batches < 4 {
		t.Fatalf("%d batches are too few for this test", rep.Batches)
	}
	want := flowsOf(t, whole)

	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	for round := range 4 {
		data := filepath.Join(dir, "data")
		os.RemoveAll(data)
		killed := 0
		for attempt := 0; ; attempt++ {
			cmd := exec.Command(exe)
			cmd.Env = append(os.Environ(), "WIRESQL_TEST_IMPORT="+dir)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if attempt < 5 {
				time.Sleep(time.Duration(rng.Int64N(int64(usual) + 1))) // killed at any moment
				cmd.Process.Kill()
			}
			if err := cmd.Wait(); err == nil {
				break
			} else if attempt >= 5 {
				t.Fatalf("import after %d kills: %v: %s", killed, err, stderr.String())
			}
			killed++
			a, err := archive.Open(data, archive.Options{NoSync: true})
			if err != nil {
				t.Fatal(err)
			}
			checkArchive(t, a)
			a.Close()
		}
		a, err := archive.Open(data, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		checkArchive(t, a)
		got := flowsOf(t, a)
		if want := ratesOf(t, whole); len(want) == 0 || !slices.Equal(ratesOf(t, a), want) {
			t.Errorf("round %d: other rates after %d kills", round, killed)
		}
		a.Close()
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: %d rows after %d kills differ from the %d of an uninterrupted import", round, len(got), killed, len(want))
		}
		t.Logf("round %d: killed %d times", round, killed)
	}
}

const sharedCaptures = "../../shared/captures"

// Every capture at hand is imported without a panic; packets and bytes are
// those tshark counts.
func TestImportSharedCaptures(t *testing.T) {
	facts, err := os.ReadFile(filepath.Join(sharedCaptures, "expected.jsonl"))
	if err != nil {
		t.Skip("no shared captures: ", err)
	}
	type fact struct {
		File           string
		Packets, Bytes int64
		Damaged        any
	}
	want := map[string]fact{}
	for _, line := range bytes.Split(bytes.TrimSpace(facts), []byte("\n")) {
		var f fact
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		want[f.File] = f
	}
	a := openArchive(t, t.TempDir())
	rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{sharedCaptures}, BatchBytes: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	checkArchive(t, a)
	t.Logf("%d files: %d imported, %d damaged, %d known, %d refused; %d packets, %d rows, %d batches",
		len(rep.Files), rep.Imported, rep.Damaged, rep.Known, rep.Refused, rep.Packets, rep.Rows, rep.Batches)
	// tshark counts a pcapng Custom Block as a packet.
	custom := map[string]int64{"gopacket/le-test102.pcapng": 3, "gopacket/le-test202.pcapng": 3, "made/truncated.pcapng": 2}
	root, _ := filepath.Abs(sharedCaptures)
	root, _ = filepath.EvalSymlinks(root)
	for _, f := range rep.Files {
		name, _ := filepath.Rel(root, f.Path)
		w, ok := want[name]
		if !ok {
			continue
		}
		damaged := w.Damaged != nil && w.Damaged != ""
		if f.State == FileRefused || damaged != (f.State == FileDamaged) || f.Packets != w.Packets-custom[name] {
			t.Errorf("%s: %s, %d packets, want %d: %v", name, f.State, f.Packets, w.Packets-custom[name], f.Err)
		}
	}
}

// A capture that is read in place and was moved is found again when it is imported from
// where it is now, as often as it is moved; its packets keep their ids.
func TestMovedCapture(t *testing.T) {
	a := liveArchive(t)
	dir := t.TempDir()
	b, err := os.ReadFile("../testdata/captures/office-morning.pcap")
	if err != nil {
		t.Fatal(err)
	}
	places := []string{filepath.Join(dir, "one.pcap"), filepath.Join(dir, "two.pcap"), filepath.Join(dir, "three.pcap")}
	if err := os.WriteFile(places[0], b, 0o640); err != nil {
		t.Fatal(err)
	}
	for i, path := range places {
		if i > 0 {
			if err := os.Rename(places[i-1], path); err != nil {
				t.Fatal(err)
			}
			a.Refresh()
			c, err := a.Catalog()
			if err != nil {
				t.Fatal(err)
			}
			if s := c.Segments(); len(s) != 1 || s[0].State != archive.StateMissing {
				t.Fatalf("it is moved: %+v", s)
			}
		}
		if _, err := Import(context.Background(), a, ImportConfig{Paths: []string{path}, InPlace: true}); err != nil {
			t.Fatal(err)
		}
		a.Refresh()
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		if s := c.Segments(); len(s) != 1 || s[0].State != archive.StateAvailable || s[0].AbsPath != path || len(c.Missing()) > 0 {
			t.Fatalf("imported from where it is: %+v, missing %v", s, c.Missing())
		}
		if len(metered(t, a)) == 0 { // each packet in one row
			t.Error("no flows")
		}
		var refs []archive.Ref
		each(t, c, archive.Flows, func(r *tables.Flow) {
			if err := rows.DecodePostings(r.Postings, func(id tables.ID) bool { refs = append(refs, archive.Ref{ID: id}); return true }); err != nil {
				t.Fatal(err)
			}
		})
		slices.SortFunc(refs, func(x, y archive.Ref) int { return cmp.Compare(x.ID, y.ID) })
		if s, err := a.Fetch(context.Background(), c, refs, func(archive.Ref, *pcap.Record) error { return nil }); err != nil || len(s.Missing) > 0 || s.Packets == 0 {
			t.Errorf("read %+v %v", s, err)
		}
	}
}
