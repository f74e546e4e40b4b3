package main

import (
	"database/sql"
	"errors"
	"fmt"
)

// besideBefore runs the packet queries of make bench with the binary of the
// commit before SQL was bound here, on the same archive and in turn.
func (s *sqls) besideBefore() error {
	if s.before == "" {
		return errors.New("-before names no binary to compare with")
	}
	large, err := s.corpus("large", s.large, 0)
	if err != nil {
		return err
	}
	if err := s.ensureArchive(large); err != nil {
		return err
	}
	then := *s.bench
	then.wiresql = s.before
	return s.withServer(large, func(db *sql.DB) error {
		return then.withServer(large, func(old *sql.DB) error {
			low, high, err := portsOfThousand(db)
			if err != nil {
				return err
			}
			for _, q := range []struct{ what, query string }{
				{"one connection, warm", "SELECT " + packetColumns + " FROM connections c JOIN packets p USING (conn_id) WHERE " + large.needle.where()},
				{"1,000 connections, warm", fmt.Sprintf("SELECT %s FROM connections c JOIN packets p USING (conn_id) WHERE c.client_port BETWEEN %d AND %d AND c.packets < 1000",
					packetColumns, low, high)},
				{"top 20 dst_port over all packets", topPorts},
			} {
				m, err := s.besideTimes(s.runs*warmRuns, wire(db, q.query, s.serverCPU), wire(old, q.query, then.serverCPU))
				if err != nil {
					return err
				}
				if m[0].rows != m[1].rows {
					return fmt.Errorf("%s: %d rows, before %d", q.what, m[0].rows, m[1].rows)
				}
				ours, peer := m[0].spent(), m[1].spent()
				s.add(q.what, ours.String(), "the commit before "+peer.String(), ratio(ours.wall, peer.wall), "≤ 1.05x")
			}
			return nil
		})
	})
}
