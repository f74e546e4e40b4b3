package archive

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// captures is a collection of real and damaged capture files with facts about
// them computed by tshark; it is not part of the repository.
const captures = "../../../shared/captures"

type expected struct {
	File     string
	Kind     string
	Packets  int64
	Bytes    int64
	Caplen   int64
	First    string `json:"first"`
	Last     string `json:"last"`
	Damaged  any
	Size     int64
	Protocol map[string]int64
}

func expectations(t testing.TB) []expected {
	f, err := os.Open(filepath.Join(captures, "expected.jsonl"))
	if err != nil {
		t.Skip("the shared captures are not here: ", err)
	}
	defer f.Close()
	var out []expected
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var e expected
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == "capture" {
			out = append(out, e)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// tshark shows each custom block (types 0xbad and 0x40000bad) as a frame of the
// block's data; they are no packets.
var notPackets = map[string]struct{ blocks, bytes int64 }{
	"gopacket/le-test102.pcapng": {3, 116},
	"gopacket/le-test202.pcapng": {3, 116},
	"made/truncated.pcapng":      {2, 84},
}

// untimed captures have Simple Packet Blocks, whose packets come without a
// time: 0 here, none in tshark.
var untimed = map[string]bool{
	"gopacket/be-test010.pcapng": true,
	"gopacket/le-test102.pcapng": true,
	"gopacket/le-test202.pcapng": true,
	"made/truncated.pcapng":      true,
}

func TestReaderAgreesWithTshark(t *testing.T) {
	for _, e := range expectations(t) {
		t.Run(e.File, func(t *testing.T) {
			r, err := OpenCapture(filepath.Join(captures, e.File))
			if err != nil {
				var d *DamageError
				if e.Damaged != nil && e.Packets == 0 && errors.As(err, &d) {
					t.Log(err)
					return
				}
				t.Fatal(err, e.Damaged)
			}
			defer r.Close()
			var rec Record
			var caplen int64
			for {
				if err = r.Next(&rec); err != nil {
					break
				}
				caplen += int64(len(rec.Data))
			}
			s := r.Stats()
			if x, ok := notPackets[e.File]; ok {
				e.Packets, e.Bytes, e.Caplen = e.Packets-x.blocks, e.Bytes-x.bytes, e.Caplen-x.bytes
			}
			if untimed[e.File] {
				e.First = "0.000000000"
				if e.Last == "" {
					e.Last = e.First
				}
			}
			if e.Damaged != nil {
				t.Log(e.Damaged, " / ", err)
				var d *DamageError
				if !errors.As(err, &d) {
					t.Error("no damage reported")
				}
			} else if err != io.EOF {
				t.Error(err)
			}
			if s.Packets != e.Packets || s.Bytes != e.Bytes || caplen != e.Caplen {
				t.Errorf("packets, bytes, captured: got %d %d %d, tshark has %d %d %d", s.Packets, s.Bytes, caplen, e.Packets, e.Bytes, e.Caplen)
			}
			first := fmt.Sprintf("%d.%09d", s.First/1e9, s.First%1e9)
			last := fmt.Sprintf("%d.%09d", s.Last/1e9, s.Last%1e9)
			if s.Packets > 0 && (first != e.First || last != e.Last) {
				t.Errorf("times %s %s, tshark has %s %s", first, last, e.First, e.Last)
			}
		})
	}
}
