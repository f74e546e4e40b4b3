package capture

import (
	"errors"
	"io"
	"net/netip"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Datagram is a UDP datagram of a capture.
type Datagram struct {
	From netip.AddrPort
	TS   tables.Time
	Data []byte // its payload, valid during the call
}

// DatagramsReport sums up what Datagrams read.
type DatagramsReport struct {
	ContentID string // see pcap.Reader.ContentID
	// Incomplete counts the datagrams that began like those wanted and of which
	// a fragment is missing.
	Incomplete int64
	Damage     *pcap.DamageError // where the file stops making sense, or nil
}

// Datagrams calls fn for each UDP datagram in a capture that is wanted by the
// port it was sent to and its payload. Those in IP fragments are put together.
// Now and then it calls tell with how much of the file is read. An error of
// either ends it.
func Datagrams(path string, wanted func(port uint16, data []byte) bool, fn func(Datagram) error, tell func(consumed int64) error) (report DatagramsReport, err error) {
	r, err := pcap.Open(path)
	if err != nil {
		return report, err
	}
	defer r.Close()
	var rec pcap.Record
	var h tables.Header
	var parts assembly
	for n := 1; ; n++ {
		if n%4096 == 0 {
			if err := tell(r.Consumed()); err != nil {
				return report, err
			}
		}
		err := r.Next(&rec)
		if errors.As(err, &report.Damage) || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return report, err
		}
		tables.Decode(rec.Link, rec.Data, rec.Length, &h)
		if !h.IP || h.Protocol != tables.ProtocolUDP {
			continue
		}
		first, data := &h, []byte(nil)
		switch {
		case h.Fragment:
			data, first = parts.add(&h, rec.Data[min(h.L3Offset, len(rec.Data)):], wanted)
		case h.PayloadOffset > 0 && h.PayloadOffset < len(rec.Data):
			data = rec.Data[h.PayloadOffset:min(h.PayloadOffset+h.PayloadLength, len(rec.Data))]
		}
		if data == nil || !wanted(first.DstPort, data) {
			continue
		}
		if err := fn(Datagram{netip.AddrPortFrom(first.Src.Netip(), first.SrcPort), tables.Time(rec.TS / 1000), data}); err != nil {
			return report, err
		}
	}
	parts.end()
	report.Incomplete, report.ContentID = parts.incomplete, r.ContentID()
	return report, nil
}
