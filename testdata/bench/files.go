package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// What a server costs before anybody asks, in an archive of many files: 5,000
// with rows and 10,000 with packets.

const (
	fileBatches     = 1000 // each has five row files
	batchSegments   = 10
	idleFor         = 30 * time.Second
	settlesIn       = 3 * time.Second // after a statement
	firstStatement  = "SELECT COUNT(*) FROM flows"
	flowsOfOneBatch = 100
)

// manyFiles measures how long a server takes until it has answered a first
// statement, and what it uses while nobody asks.
func (b *bench) manyFiles() error {
	dir := filepath.Join(b.dir, "files.archive")
	if _, err := os.Stat(dir); err != nil {
		log.Printf("make an archive of %d row files and %d segments", 5*fileBatches, fileBatches*batchSegments)
		if err := writeFiles(dir + ".part"); err != nil {
			return errors.Join(err, os.RemoveAll(dir+".part"))
		}
		if err := os.Rename(dir+".part", dir); err != nil {
			return err
		}
	}
	var starts, costs, idles []time.Duration
	for range b.runs {
		start := time.Now()
		err := b.withProcess(dir, func(db *sql.DB, pid int) error {
			if _, _, err := ask(db, firstStatement); err != nil {
				return err
			}
			starts, costs = append(starts, time.Since(start)), append(costs, processCPU(pid))
			if len(idles) > 0 {
				return nil // once is enough: it takes long
			}
			time.Sleep(settlesIn)
			used := processCPU(pid)
			time.Sleep(idleFor)
			idles = append(idles, processCPU(pid)-used)
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.rows = append(b.rows,
		row{"serve of 5,000 row files, from its start to the first answer", fmt.Sprintf("%s (CPU %s)", ms(median(starts)), ms(median(costs))), "", "", "≤ 1 s"},
		row{"serve of 5,000 row files and 10,000 segments while nobody asks, share of a core",
			fmt.Sprintf("%.2f %%", 100*idles[0].Seconds()/idleFor.Seconds()), "", "", "≤ 0.5 %"})
	return nil
}

// writeFiles makes the archive, in as many batches as a year of imports.
func writeFiles(dir string) (err error) {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	a, err := archive.Open(dir, archive.Options{NoSync: true, SegmentBytes: 1}) // a packet each
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	t := newTraffic(fileBatches * flowsOfOneBatch)
	for n := range fileBatches {
		tx, err := a.Begin("import")
		if err != nil {
			return err
		}
		if err := t.batch(tx, n); err != nil {
			return errors.Join(err, tx.Abort())
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
	return nil
}

// batch writes a file of each family an import has, and packets.
func (t *traffic) batch(tx *archive.Tx, n int) error {
	flows, connections := make([]tables.Flow, flowsOfOneBatch), make([]tables.Connection, flowsOfOneBatch)
	dns, names := make([]tables.DNS, flowsOfOneBatch), make([]tables.Name, flowsOfOneBatch)
	for i := range flows {
		f := &flows[i]
		t.flow(n*flowsOfOneBatch+i, f)
		connections[i] = connection(f)
		name := t.domains[(n+i)%len(t.domains)]
		dns[i] = tables.DNS{TS: f.TS, Sensor: f.Sensor, Client: f.Src, Server: f.Dst, Query: name, QType: "A", RCode: "NOERROR",
			Answers: f.Dst.String(), TTL: tables.Some[int64](300), Protocol: 17, FlowID: f.FlowID, ConnID: f.ConnID}
		names[i] = tables.Name{TS: f.TS, Name: name, Addr: f.Dst, Source: tables.SourceDNS, ValidUntil: f.TS + 3_600_000_000, Sensor: f.Sensor}
	}
	_, err := archive.WriteRows(tx, "h", flows)
	for _, write := range []func() error{
		func() error { _, err := archive.WriteRows(tx, "h", connections); return err },
		func() error { _, err := archive.WriteRows(tx, "h", dns); return err },
		func() error { _, err := archive.WriteRows(tx, "h", names); return err },
	} {
		err = errors.Join(err, write())
	}
	if err != nil {
		return err
	}
	w, err := tx.Packets("core", "", tables.LinkEthernet, false)
	if err != nil {
		return err
	}
	for i := range batchSegments {
		if _, _, err := w.Append(&pcap.Record{TS: int64(flows[i].TS) * 1000, Length: 60, Link: tables.LinkEthernet, Data: make([]byte, 60)}); err != nil {
			return err
		}
	}
	return nil
}
