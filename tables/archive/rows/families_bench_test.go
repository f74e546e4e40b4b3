package rows

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// BenchmarkFamilies writes rows of the families that have many, reads them and
// merges two files of them whose rows lie between each other.
func BenchmarkFamilies(b *testing.B) {
	flows := generateFlows(GroupRows)
	var connections []tables.Connection
	var dns []tables.DNS
	for i := range flows {
		f := &flows[i]
		connections = append(connections, tables.Connection{TS: f.TS, TSEnd: f.TSEnd, Sensor: f.Sensor, Client: f.Src, ClientPort: f.SrcPort,
			Server: f.Dst, ServerPort: f.DstPort, Protocol: f.Protocol, ServerName: f.ServerName, Service: f.Service, ConnState: f.ConnState,
			ClientBytes: tables.Some(f.Bytes), ServerBytes: f.ReverseBytes, ClientPackets: tables.Some(f.Packets), ServerPackets: f.ReversePackets,
			Visibility: tables.Clear, SeenBy: f.Sensor, OrientedBy: f.OrientedBy, Pieces: 1, CID: f.CID, ConnID: f.ConnID, Segments: f.Segments})
		dns = append(dns, tables.DNS{TS: f.TS, Sensor: f.Sensor, Client: f.Src, Server: f.Dst, Query: fmt.Sprintf("host%d.example.test", uint64(f.CID)%20_000),
			QType: "A", RCode: "NOERROR", Answers: f.Dst.String(), TTL: tables.Some[int64](300), RTTUs: f.RTTUs, Protocol: 17, FlowID: f.FlowID, ConnID: f.ConnID})
	}
	benchmarkFamily(b, "flows", flows)
	benchmarkFamily(b, "connections", connections)
	benchmarkFamily(b, "dns", dns)
	benchmarkFamily(b, "exports", samples.Exports(GroupRows, 1))
}

func benchmarkFamily[T any](b *testing.B, name string, rows []T) {
	var halves [2][]T
	for i := range rows {
		halves[i%2] = append(halves[i%2], rows[i])
	}
	files := []File{write(b, Options{}, halves[0]), write(b, Options{}, halves[1])}
	run := func(what string, do func() error) {
		b.Run(name+"/"+what, func(b *testing.B) {
			cpu := samples.CPUTime()
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(b.N)/float64(len(rows)), "cpu-ns/row")
		})
	}
	run("write", func() error {
		write(b, Options{}, rows)
		return nil
	})
	run("read", func() error {
		buf := make([]T, 4096)
		for _, f := range files {
			r, err := Open[T](f)
			if err != nil {
				return err
			}
			for err == nil {
				_, err = r.Read(buf)
			}
			if r.Close(); err != io.EOF {
				return err
			}
		}
		return nil
	})
	run("merge", func() error {
		_, err := Merge(context.Background(), newTarget(b), files, Options{}, Edits[T]{})
		return err
	})
}
