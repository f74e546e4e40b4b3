package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// A query must not cost more for history it does not touch: the same rows are
// asked in an archive with little of it and in one with much.

// observedNames are the addresses that names are observed of; each changes its
// name now and then.
const observedNames = 100_000

// history measures point queries with few and with many segments gone, and
// with few and many observations of names.
func (s *sqls) history() error {
	const rows = 1_000_000
	for _, h := range []struct {
		what  string
		query string
		few   func(*archive.Tx) error
		many  func(*archive.Tx) error
	}{
		{"one conversation and its packet_status, 100,000 segments missing against 100",
			"SELECT ts, bytes, packet_status FROM connections WHERE conn_id = '{id}'",
			func(tx *archive.Tx) error { return missingSegments(tx, 100) },
			func(tx *archive.Tx) error { return missingSegments(tx, 100_000) }},
		{"one conversation and its hosts, 10 M observations of names against 1,000",
			"SELECT ts, client_host, server_host, bytes FROM connections WHERE conn_id = '{id}'",
			func(tx *archive.Tx) error { return observations(tx, 1000) },
			func(tx *archive.Tx) error { return observations(tx, 10_000_000) }},
		{"connections of one host by name, 10 M observations of names against 1,000",
			"SELECT COUNT(*), SUM(bytes) FROM connections WHERE client_host = 'desk-0017'",
			func(tx *archive.Tx) error { return observations(tx, 1000) },
			func(tx *archive.Tx) error { return observations(tx, 10_000_000) }},
	} {
		t := newTraffic(rows)
		t.segments = 100
		var f tables.Flow
		t.flow(rows/3, &f)
		few, many := filepath.Join(s.dir, "history-few.archive"), filepath.Join(s.dir, "history-many.archive")
		for dir, add := range map[string]func(*archive.Tx) error{few: h.few, many: h.many} {
			t.also = add
			if err := t.write(dir, true); err != nil {
				return err
			}
		}
		query := strings.ReplaceAll(h.query, "{id}", f.ConnID.String())
		other := *s.bench
		err := s.withProcess(many, func(db *sql.DB, pid int) error {
			return other.withProcess(few, func(less *sql.DB, _ int) error {
				_, first, err := ask(db, query)
				if err != nil {
					return err
				}
				log.Printf("the first statement took %v, then the server has %d MB", first.Round(time.Millisecond), resident(pid)>>20)
				m, err := s.besideTimes(s.runs*warmRuns, wire(db, query, s.serverCPU), wire(less, query, other.serverCPU))
				if err != nil {
					return err
				}
				much, little := m[0].spent(), m[1].spent()
				s.add(h.what, much.String(), "few "+little.String(), ratio(much.wall, little.wall), "≤ 1.3x")
				return nil
			})
		})
		if err := errors.Join(err, os.RemoveAll(few), os.RemoveAll(many)); err != nil {
			return err
		}
	}
	return nil
}

// missingSegments lists packet files that are not there.
func missingSegments(tx *archive.Tx, n int) error {
	rows := make([]tables.Segment, n)
	for i := range rows {
		at := rowEpoch + tables.Time(i)*60_000_000/tables.Time(1+n/1440)
		rows[i] = tables.Segment{Segment: int32(i + 1), Kind: "pcap", Sensor: "core", Path: fmt.Sprintf("packets/core/2026/06/01/%010d.pcap", i+1),
			TS: tables.Some(at), TSEnd: tables.Some(at + 60_000_000), Packets: 1000, Bytes: 1 << 20}
	}
	_, err := archive.WriteRows(tx, "h", rows)
	return err
}

// observations says n times which name an address has.
func observations(tx *archive.Tx, n int) error {
	f, err := archive.NewRowFile[tables.Name](tx, "h")
	if err != nil {
		return err
	}
	const block = 10_000
	rows := make([]tables.Name, 0, block)
	for i := range n {
		who, round := i%observedNames, i/observedNames
		at := rowEpoch - 100*3_600_000_000 + tables.Time(i)*100*3_600_000_000/tables.Time(n)
		rows = append(rows, tables.Name{TS: at, Name: fmt.Sprintf("host%d-%d.example", who, round/10), Source: tables.SourceDNS,
			Addr: tables.AddrFrom4([]byte{172, byte(16 + who>>16), byte(who >> 8), byte(who)}), ValidUntil: at + 4*3_600_000_000, Sensor: "core"})
		if len(rows) == block || i == n-1 {
			if err := f.Write(rows); err != nil {
				return err
			}
			rows = rows[:0]
		}
	}
	_, err = f.Close()
	return err
}
