package pcap

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestAhead: records are the same when the file is read ahead, whatever their sizes,
// and stay so until their buffer is given back.
func TestAhead(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	b := AppendHeader(nil, tables.LinkEthernet, false)
	binary.LittleEndian.PutUint32(b[16:], maxRecord) // its snaplen
	for len(b) < 12<<20 {
		size := r.IntN(2000)
		switch r.IntN(100) {
		case 0:
			size = r.IntN(aheadRoom * 2)
		case 1:
			size = r.IntN(aheadChunk * 5)
		}
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		b = AppendRecord(b, &Record{TS: int64(len(b)) * 1000, Length: size, Data: data}, false)
	}
	path := writeFile(t, "x.pcap", b)
	want, id, _ := readCapture(path)

	in, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	in.Ahead()
	var spent [][]byte
	in.Keep(func(buf []byte) { spent = append(spent, buf) })
	recs := make([]Record, 100)
	var held []byte // what the last records are
	var last []Record
	for {
		n, err := in.Batch(recs)
		if len(spent) > 0 {
			for _, rec := range last {
				if size := RecordHeader + len(rec.Data); !bytes.Equal(held[RecordHeader:size], rec.Data) {
					t.Fatalf("the record at %d has changed", rec.Offset)
				} else {
					held = held[size:]
				}
			}
			last, held = nil, nil
			for _, buf := range spent {
				clear(buf)
				in.Reuse(buf)
			}
			spent = nil
		}
		if err != nil {
			break
		}
		for _, rec := range recs[:n] {
			if at := int(rec.Offset) + RecordHeader; !bytes.Equal(b[at:at+len(rec.Data)], rec.Data) {
				t.Fatalf("the record at %d is another", rec.Offset)
			}
			last = append(last, rec)
			held = AppendRecord(held, &rec, false)
		}
	}
	in.Keep(nil)
	if in.Stats() != want || in.ContentID() != id {
		t.Errorf("%+v and %s, not %+v and %s", in.Stats(), in.ContentID(), want, id)
	}
}
