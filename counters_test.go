package main

import (
	"encoding/binary"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// hugeFlow is a record as a firewall exports it.
type hugeFlow struct {
	clientPort     uint16
	client, server uint64 // octets
	every          uint32 // IE 34, samplingInterval
}

// hugeFlows is an IPFIX message (RFC 7011) with its template: initiatorOctets
// and responderOctets (231, 232) in eight octets each.
func hugeFlows(at time.Time, flows ...hugeFlow) []byte {
	fields := []uint16{8, 4, 12, 4, 7, 2, 11, 2, 4, 1, 34, 4, 231, 8, 232, 8, 152, 8, 153, 8}
	set := binary.BigEndian.AppendUint16(nil, 300)
	set = binary.BigEndian.AppendUint16(set, uint16(len(fields)/2))
	for _, f := range fields {
		set = binary.BigEndian.AppendUint16(set, f)
	}
	var data []byte
	client, server := netip.MustParseAddr("192.0.2.50").As4(), netip.MustParseAddr("203.0.113.80").As4()
	for _, f := range flows {
		data = append(append(data, client[:]...), server[:]...)
		data = binary.BigEndian.AppendUint16(data, f.clientPort)
		data = binary.BigEndian.AppendUint16(data, 443)
		data = append(data, 6)
		data = binary.BigEndian.AppendUint32(data, f.every)
		data = binary.BigEndian.AppendUint64(data, f.client)
		data = binary.BigEndian.AppendUint64(data, f.server)
		data = binary.BigEndian.AppendUint64(data, uint64(at.UnixMilli()))
		data = binary.BigEndian.AppendUint64(data, uint64(at.Add(10*time.Second).UnixMilli()))
	}
	b := binary.BigEndian.AppendUint16(nil, 10)
	b = binary.BigEndian.AppendUint16(b, uint16(16+4+len(set)+4+len(data)))
	b = binary.BigEndian.AppendUint32(b, uint32(at.Add(20*time.Second).Unix()))
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, 1)
	for id, content := range [][]byte{2: set, 300: data} {
		if content != nil {
			b = binary.BigEndian.AppendUint16(b, uint16(id))
			b = binary.BigEndian.AppendUint16(b, uint16(4+len(content)))
			b = append(b, content...)
		}
	}
	return b
}

// TestHugeCounters: counters near 2^64, as some firewalls export, are cut to
// 2^63-1 and flagged, and so are the sums and products made of them; rows
// beside them are as they would be without.
func TestHugeCounters(t *testing.T) {
	const most = "9223372036854775807"
	at := time.Date(2026, 6, 12, 10, 15, 0, 0, time.UTC)
	for _, c := range []struct {
		name        string
		flows       []hugeFlow
		connections []string // client_port, client_bytes, server_bytes, bytes, sampling_rate
		rows        []string // src_port, bytes, total_bytes, counter_quality
		sum         string   // of connections.bytes
		others      string   // of those of port 50001
		total       string   // of flows.total_bytes
	}{
		{"one", []hugeFlow{{50001, 1000, 2000, 0}, {50002, math.MaxUint64, 62, 0}, {50003, 500, 700, 0}},
			[]string{"50001,1000,2000,3000,", "50002," + most + ",62," + most + ",", "50003,500,700,1200,"},
			[]string{"50001,1000,3000,ok", "50002," + most + "," + most + ",clamped", "50003,500,1200,ok"},
			"9223372036854780007", "3000", "9223372036854780007"}, // 2^63-1 + 3000 + 1200
		{"two of one conversation", []hugeFlow{{50002, math.MaxUint64, math.MaxUint64, 0}, {50002, math.MaxUint64, 62, 0}, {50001, 1, 2, 0}},
			[]string{"50001,1,2,3,", "50002," + most + "," + most + "," + most + ","},
			[]string{"50001,1,3,ok", "50002," + most + "," + most + ",clamped", "50002," + most + "," + most + ",clamped"},
			"9223372036854775810", "3", "18446744073709551617"}, // 2·(2^63-1) + 3
		{"sampled", []hugeFlow{{50002, 1 << 62, 0, 1000}, {50001, 7, 8, 1000}},
			[]string{"50001,7000,8000,15000,1000", "50002," + most + ",0," + most + ",1000"},
			[]string{"50001,7,15,ok", "50002,4611686018427387904,4611686018427387904,ok"},
			"9223372036854790807", "15000", "4611686018427387919"}, // 2^63-1 + 15000; 2^62 + 15
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			importExports(t, dir, "127.0.0.23", [][]byte{hugeFlows(at, c.flows...)}, at)
			ask := func(want []string, statement string) {
				t.Helper()
				var got []string
				for _, row := range sqlOf(t, dir, statement) {
					got = append(got, strings.Join(row, ","))
				}
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					t.Errorf("%s:\n got %q\nwant %q", statement, got, want)
				}
			}
			ask(c.connections, "SELECT client_port, client_bytes, server_bytes, bytes, sampling_rate FROM connections ORDER BY client_port")
			ask(c.rows, "SELECT src_port, bytes, total_bytes, counter_quality FROM flows_wide ORDER BY src_port")
			ask([]string{c.sum}, "SELECT SUM(bytes) FROM connections")
			ask([]string{c.others}, "SELECT SUM(bytes) FROM connections WHERE client_port = 50001")
			ask([]string{c.total}, "SELECT SUM(total_bytes) FROM flows")
			ask([]string{most}, "SELECT MAX(bytes_out + 0) FROM host_flows WHERE role = 'client'")
			ask([]string{"0"}, "SELECT COUNT(*) FROM flows_wide WHERE total_bytes < bytes OR bytes < 0 OR counter_quality IS NULL")
		})
	}
}
