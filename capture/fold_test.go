package capture

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// floodCapture is a capture of a flood among other things.
func floodCapture(t testing.TB, n string, more ...string) string {
	path := filepath.Join(t.TempDir(), "flood.pcap")
	if out, err := exec.Command("go", append([]string{"run", "../testdata/generate", "-o", path, "-flood", n}, more...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// A flood is a row beyond the first of its conversations; what was answered, went on
// or came to other servers has its own, and every packet is in one.
func TestFloodIsFolded(t *testing.T) {
	floodIsFolded(t, floodCapture(t, "6000"), tables.ProtocolTCP, 80)
}

// So is one of datagrams.
func TestFloodOfDatagramsIsFolded(t *testing.T) {
	floodIsFolded(t, floodCapture(t, "6000", "-udp"), tables.ProtocolUDP, 27015)
}

func floodIsFolded(t *testing.T, path string, protocol, port int32) {
	t.Helper()
	a := liveArchive(t)
	rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{path}, Meter: Config{FoldAfter: 50}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	var packets, folded, folds, alone, answered, scans int64
	posted := map[tables.ID]bool{}
	each(t, c, archive.Flows, func(f *tables.Flow) {
		packets += f.Packets + f.ReversePackets.V
		if err := rows.DecodePostings(f.Postings, func(id tables.ID) bool { posted[id] = true; return true }); err != nil {
			t.Error(err)
		}
		switch {
		case f.FlowsFolded.Set:
			folds++
			folded += f.FlowsFolded.V
			if f.Src.String() != "0.0.0.0" || f.SrcPort != 0 || f.Dst.String() != "10.9.0.80" || f.Protocol != protocol || f.TCPFlags.Set != (protocol == tables.ProtocolTCP) || f.DstPort != port || f.Packets != f.FlowsFolded.V || f.ConnState != "S0" || f.TSEnd-f.TS >= tables.Minute {
				t.Errorf("%+v", f)
			}
		case f.DstPort == 22:
			scans++
		case f.DstPort == port && f.ReversePackets.V > 0:
			answered++
		case f.DstPort == port:
			alone++
		}
	})
	if packets != rep.Packets || int64(len(posted)) != rep.Packets {
		t.Errorf("%d packets in rows and %d posted, want %d", packets, len(posted), rep.Packets)
	}
	if folds != 3 || alone != 150 || folded != 6000*94/100-150 || answered != 6000*4/100 || scans != 6000*2/100 {
		t.Errorf("%d folds of %d, %d alone, %d answered, %d of a scan", folds, folded, alone, answered, scans)
	}
	for _, f := range c.Files(archive.Flows) {
		if !f.Origin.Folds {
			t.Errorf("%s does not say that it has folds", f.Path)
		}
	}
	liveIsImported(t, []string{path}, Config{FoldAfter: 50}, 0, 1, 4)
}
