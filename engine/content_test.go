package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// talks are the conversations of a capture, by their ends.
func talks(t *testing.T, path string) map[string][]heard {
	t.Helper()
	in, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	all := map[string][]heard{}
	var rec pcap.Record
	for id := tables.ID(1); ; id++ {
		if err := in.Next(&rec); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if p, ok := hear(id, &rec); ok {
			low, high := p.from, p.to
			if low.compare(high) > 0 {
				low, high = high, low
			}
			key := fmt.Sprint(low, high, p.proto)
			all[key] = append(all[key], p)
		}
	}
}

// A file of which any packet is missing is told of as not whole, or is the same without it; in
// whatever order they come it is the same.
func TestFilesNeverSilentlyPartial(t *testing.T) {
	const limit = 1 << 20
	files := map[string]int{}
	for _, path := range []string{"../testdata/files/files.pcap", "../testdata/smb/smb.pcap", "../testdata/captures/office-morning.pcap"} {
		for _, packets := range talks(t, path) {
			p := packets[0]
			protocol, server := tables.FileFTP, min(p.from.port, p.to.port)
			switch {
			case server == 21 || p.proto != tables.ProtocolTCP && path != "../testdata/files/files.pcap":
				continue
			case p.proto == tables.ProtocolUDP:
				protocol = tables.FileTFTP
			case server == 445:
				protocol = tables.FileSMB2
			case server == 80 || server == 8080:
				protocol = tables.FileHTTP
			case path != "../testdata/files/files.pcap":
				continue
			}
			begins := []tables.ID{0}
			if protocol == tables.FileSMB2 || protocol == tables.FileHTTP {
				begins = nil
				for _, p := range packets {
					if len(p.payload) > 0 && p.to.port == server {
						begins = append(begins, p.id)
					}
				}
			}
			for _, begin := range begins {
				f := fileID{protocol: protocol, begin: begin}
				whole, err := carve(t.Context(), packets, f, limit)
				if err != nil || len(whole.data) == 0 {
					continue
				}
				if files[protocol]++; len(whole.lacks) > 0 {
					t.Errorf("%s of %s: %q", protocol, p.from, whole.lacks)
				}
				if len(packets) > 150 {
					continue
				}
				for i := range packets {
					less := slices.Delete(slices.Clone(packets), i, i+1)
					if c, err := carve(t.Context(), less, f, limit); err == nil && len(c.lacks) == 0 && !bytes.Equal(c.data, whole.data) {
						t.Errorf("%s of %s without packet %d of %d: %d bytes of %d, and nothing is told", protocol, p.from, i, len(packets), len(c.data), len(whole.data))
					}
					cut := slices.Clone(packets)
					if n := len(cut[i].payload) / 2; n > 0 {
						cut[i].payload, cut[i].lost = cut[i].payload[:n], cut[i].lost+len(cut[i].payload)-n
						if c, err := carve(t.Context(), cut, f, limit); err == nil && len(c.lacks) == 0 && !bytes.Equal(c.data, whole.data) {
							t.Errorf("%s of %s with packet %d of %d cut: nothing is told", protocol, p.from, i, len(packets))
						}
					}
				}
				if protocol == tables.FileTFTP {
					continue
				}
				late := slices.Clone(packets)
				slices.SortStableFunc(late, func(a, b heard) int { return cmp.Compare(a.id%3, b.id%3) })
				if c, err := carve(t.Context(), append(late, late[:5]...), f, limit); err != nil || !bytes.Equal(c.data, whole.data) {
					t.Errorf("%s of %s in another order: %v", protocol, p.from, err)
				}
			}
		}
	}
	for _, protocol := range []string{tables.FileFTP, tables.FileTFTP, tables.FileHTTP, tables.FileSMB2} {
		if files[protocol] < 3 {
			t.Errorf("%d files of %s", files[protocol], protocol)
		}
	}
	t.Log(files)
}

func FuzzContent(f *testing.F) {
	f.Add([]byte("GET /a HTTP/1.1\r\n\r\n"), []byte("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"), uint32(0))
	f.Add([]byte("\x00\x00\x00\x50\xfeSMB"), []byte("\x00\x00\x00\x50\xfeSMB"), uint32(9))
	f.Fuzz(func(t *testing.T, asks, answers []byte, jump uint32) {
		client, server := end{tables.AddrFrom4([]byte{10, 0, 0, 1}), 40000}, end{tables.AddrFrom4([]byte{10, 0, 0, 2}), 80}
		half := len(answers) / 2
		packets := []heard{{id: 1, from: client, to: server, proto: tables.ProtocolTCP, flags: tables.TCPSyn, payload: asks},
			{id: 2, from: server, to: client, proto: tables.ProtocolTCP, payload: answers[:half]},
			{id: 3, from: server, to: client, proto: tables.ProtocolTCP, seq: uint32(half) + jump, payload: answers[half:], lost: int(jump % 7)}}
		for _, protocol := range contentProtocols {
			c, err := carve(t.Context(), packets, fileID{protocol: protocol, begin: 1}, 1<<20)
			if err == nil && len(c.data) > 4<<20 {
				t.Errorf("%s: %d bytes", protocol, len(c.data))
			}
		}
	})
}
