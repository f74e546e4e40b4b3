package archive

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// BenchmarkFamilies writes rows of the families that have many, reads them and
// merges two files of them whose rows lie between each other.
func BenchmarkFamilies(b *testing.B) {
	flows := generateFlows(groupRows)
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
	benchmarkFamily(b, "exports", exportRows(groupRows, 1))
}

func benchmarkFamily[T any](b *testing.B, name string, rows []T) {
	a := testArchive(b)
	a.o.NoSync = true
	tx := begin(b, a)
	var halves [2][]T
	for i := range rows {
		halves[i%2] = append(halves[i%2], rows[i])
	}
	for _, half := range halves {
		write(b, tx, "e", half)
	}
	commit(b, tx)
	c, err := codecOf[T]()
	if err != nil {
		b.Fatal(err)
	}
	files := catalog(b, a).Files(c.family)
	run := func(what string, do func(*Tx) error) {
		b.Run(name+"/"+what, func(b *testing.B) {
			tx := begin(b, a)
			cpu := cpuTime()
			for b.Loop() {
				if err := do(tx); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N)/float64(len(rows)), "cpu-ns/row")
			tx.Abort()
		})
	}
	run("write", func(tx *Tx) error {
		_, err := WriteRows(tx, "e", rows)
		return err
	})
	run("read", func(*Tx) error {
		buf := make([]T, 4096)
		for _, f := range files {
			r, err := ReadRows[T](f.Path)
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
	run("merge", func(tx *Tx) error {
		_, err := Merge[T](context.Background(), tx, files, "t")
		return err
	})
}
