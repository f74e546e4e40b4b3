package capture

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// collected keeps the rows of a capture.
type collected struct {
	flows []tables.Flow
	archive.Observed
}

func (c *collected) Flow(r *tables.Flow) error { c.flows = append(c.flows, *r); return nil }
func (c *collected) Other(*tables.Other) error { return nil }
func (c *collected) Row(row any) error         { c.Observed.Row(row); return nil }

func meterFile(t *testing.T, path string) *collected {
	t.Helper()
	out := &collected{}
	meterPackets(t, NewMeter(Config{}, out, observe.New(out)), path)
	return out
}

func meterPackets(t *testing.T, m *Meter, path string) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var rec pcap.Record
	var h tables.Header
	for r.Next(&rec) == nil {
		tables.Decode(rec.Link, rec.Data, rec.Length, &h)
		p := Packet{TS: rec.TS, Header: &h, Data: rec.Data, Length: rec.Length, ID: tables.PacketID(1, rec.Offset)}
		if err := m.Packet(&p); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// The Community IDs of flow rows, their packets and bytes on the wire are
// those tshark finds. Rows of fragments are left out: tshark's ID is of the
// reassembled datagram.
func TestMeterAgainstTshark(t *testing.T) {
	facts, err := os.ReadFile(filepath.Join(sharedCaptures, "expected.jsonl"))
	if err != nil {
		t.Skip("no shared captures: ", err)
	}
	// Why IDs of these captures differ.
	known := map[string]string{
		"zeek/Teredo.pcap":                 "tshark gives a bubble the ports of the datagram around it",
		"zeek/fragmented-3.pcap":           "later fragments have the ports of the first",
		"tcpdump/ipv6-srh-ext-header.pcap": "tshark hashes the last segment of a routing header",
	}
	var same int
	for _, line := range bytes.Split(bytes.TrimSpace(facts), []byte("\n")) {
		var f struct {
			File string
			Cids map[string][2]int64
			Kind string
		}
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Kind != "capture" || len(f.Cids) == 0 {
			continue
		}
		got := map[string][2]int64{}
		odd := map[string]bool{}
		for _, r := range meterFile(t, filepath.Join(sharedCaptures, f.File)).flows {
			a, b := uint16(r.SrcPort), uint16(r.DstPort)
			if r.ICMPType.Set {
				a, b = uint16(r.ICMPType.V), uint16(r.ICMPCode.V)
			}
			text := tables.CommunityIDText(r.Src, r.Dst, a, b, uint8(r.Protocol))
			if cid, err := tables.ParseCommunityID(text); err != nil || cid != r.CID {
				t.Errorf("%s: the row's cid %x is not that of %s", f.File, r.CID, text)
			}
			if r.Fragments.V > 0 {
				odd[text] = true
			}
			sum := got[text]
			got[text] = [2]int64{sum[0] + r.Packets + r.ReversePackets.V, sum[1] + r.WireBytes.V + r.ReverseWireBytes.V}
		}
		for id, want := range f.Cids {
			switch {
			case got[id] == want:
				same++
			case odd[id]:
			case known[f.File] != "":
			default:
				t.Errorf("%s: %s has %v packets and bytes, tshark %v", f.File, id, got[id], want)
			}
		}
	}
	t.Logf("%d community ids with equal counts", same)
}
