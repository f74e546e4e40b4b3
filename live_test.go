package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/compact"
)

// fileSource gives the packets of a capture file up to a number, and waits then.
type fileSource struct {
	r     *pcap.Reader
	n     int64
	until atomic.Int64 // negative: all, and the end
}

func (s *fileSource) Next(rec *pcap.Record) error {
	if until := s.until.Load(); until >= 0 && s.n >= until {
		time.Sleep(10 * time.Millisecond) // as an idle line does
		return capture.ErrIdle
	}
	err := s.r.Next(rec)
	s.n++
	return err
}

func (s *fileSource) Loss() (received, dropped uint64) { return uint64(s.n), 0 }
func (s *fileSource) LinkType() tables.LinkType        { return tables.LinkEthernet }
func (s *fileSource) Close() error                     { return s.r.Close() }

// startLive captures a file's first packets live into an archive. What it returns
// has the rest captured and ends it.
func startLive(t *testing.T, a *archive.Archive, path string, first int64, o capture.LiveOptions) (end func()) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	src := &fileSource{r: r}
	src.until.Store(first)
	done := make(chan error, 1)
	go func() { done <- capture.Live(context.Background(), a, src, o) }()
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		src.until.Store(-1)
		if err := <-done; err != nil && !errors.Is(err, io.EOF) {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return end
}

// conversationsOf are an engine's connections without ids and who saw them.
func conversationsOf(t *testing.T, e *engine.Engine) []string {
	t.Helper()
	s := e.NewSession()
	got := askEngine(s, `SELECT ts, ts_end, client_ip, client_port, client_host, server_ip, server_port, server_name, protocol, service,
		conn_state, client_bytes, server_bytes, packets, visibility, oriented_by, packet_status, community_id FROM connections`)
	if got.err != "" {
		t.Fatal(got.err)
	}
	slices.Sort(got.rows)
	return got.rows
}

func onlyAnswer(t *testing.T, e *engine.Engine, statement string) string {
	t.Helper()
	s := e.NewSession()
	got := askEngine(s, statement)
	if got.err != "" || len(got.warnings) > 0 {
		t.Fatalf("%s: %s %q", statement, got.err, got.warnings)
	}
	return strings.Join(got.rows, "; ")
}

// Packets that are captured are found by SQL while their flows go on, each once,
// before and after compaction; in the end the connections are those of an import.
func TestLiveSQL(t *testing.T) {
	const path = "testdata/captures/office-morning.pcap"
	dir := t.TempDir()
	a, err := archive.Open(dir, archive.Options{NoSync: true, SegmentBytes: 300 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	began := time.Now()
	end := startLive(t, a, path, 1200, capture.LiveOptions{Sensor: "dmz", Interface: "eth1"})
	e := engineOver(t, dir)
	for onlyAnswer(t, e, "SELECT COUNT(*) FROM ops.coverage") == "0" {
		time.Sleep(20 * time.Millisecond)
	}
	all := func() {
		t.Helper()
		for statement, want := range map[string]string{
			"SELECT COUNT(*), COUNT(DISTINCT packet_id) FROM packets":                                        "1200\t1200",
			"SELECT COUNT(*), COUNT(DISTINCT flow_id), SUM(packets + reverse_packets) FROM flows":            "",
			"SELECT COUNT(*), COUNT(DISTINCT conn_id), SUM(packets) FROM connections":                        "",
			"SELECT COUNT(*) FROM flows JOIN packets USING (flow_id)":                                        "",
			"SELECT COUNT(*), COUNT(DISTINCT p.packet_id) FROM connections c JOIN packets p USING (conn_id)": "",
			"SELECT COUNT(*) FROM packet_bytes WHERE LENGTH(frame) > 0":                                      "1200",
		} {
			if want == "" {
				ip := onlyAnswer(t, e, "SELECT COUNT(*) FROM packets WHERE src_ip IS NOT NULL")
				got := strings.Split(onlyAnswer(t, e, statement), "\t")
				if last := got[len(got)-1]; last != ip || len(got) == 3 && got[0] != got[1] {
					t.Errorf("%s: %q, of %s packets", statement, got, ip)
				}
			} else if got := onlyAnswer(t, e, statement); got != want {
				t.Errorf("%s: %s, want %s", statement, got, want)
			}
		}
	}
	for onlyAnswer(t, e, "SELECT SUM(packets) FROM ops.coverage") != "1200" {
		if time.Since(began) > 20*time.Second {
			t.Fatal("not all packets came: ", onlyAnswer(t, e, "SELECT sensor, interface, ts, ts_end, packets, drops FROM ops.coverage"), onlyAnswer(t, e, "SELECT COUNT(*), SUM(packets + reverse_packets), MAX(ts_end) FROM flows"))
		}
		time.Sleep(20 * time.Millisecond)
	}
	all()
	if got := onlyAnswer(t, e, "SELECT COUNT(*) > 0 FROM flows WHERE end_reason IS NULL"); got != "1" {
		t.Error("no flow is live")
	}
	if _, err := compact.Round(context.Background(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	all()
	end()
	if _, err := compact.Round(context.Background(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	imported, _, _ := archiveOf(t, capture.ImportConfig{Paths: []string{path}})
	want, got := conversationsOf(t, imported), conversationsOf(t, e)
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("%d connections, import has %d; the first that differs:\n%v\n%v", len(got), len(want), got[min(i, len(got)-1)], want[min(i, len(want)-1)])
		}
	}
	if got := onlyAnswer(t, e, "SELECT COUNT(*) FROM flows WHERE end_reason IS NULL"); got != "0" {
		t.Error("flows are live after the end: ", got)
	}
}

// stoppedSource stops the recorder where it waits.
type stoppedSource struct {
	*fileSource
	stop func()
}

func (s *stoppedSource) Next(rec *pcap.Record) error {
	err := s.fileSource.Next(rec)
	if errors.Is(err, capture.ErrIdle) {
		s.stop()
	}
	return err
}

func (s *stoppedSource) Close() error { return nil } // there is more of it

// What is read of packets is, by every relation of it, the same whether they were captured live, by a
// recorder that ended in their midst and another that went on, or imported.
func TestLiveRelations(t *testing.T) {
	var statements []string
	for _, rel := range []*tables.Relation{tables.DNSRelation, tables.DNSAnswers, tables.TLSRelation, tables.HTTPRelation, tables.Logins, tables.FilesRelation,
		tables.RPCRelation, tables.MailRelation, tables.ARPRelation, tables.ICMPRelation, tables.DHCPRelation, tables.Oddities, tables.Notices, tables.Timeline, tables.Hosts} {
		var columns []string
		for _, c := range rel.Columns {
			if c.Kind != tables.Identifier && c.Name != "sensor" && c.Name != "file_id" {
				columns = append(columns, c.Name)
			}
		}
		statements = append(statements, "SELECT "+strings.Join(columns, ", ")+" FROM "+rel.Name)
	}
	rowsIn := func(e *engine.Engine, statement string) []string {
		t.Helper()
		s := e.NewSession()
		got := askEngine(s, statement)
		if got.err != "" || len(got.warnings) > 0 {
			t.Fatalf("%s: %s %q", statement, got.err, got.warnings)
		}
		slices.Sort(got.rows)
		return got.rows
	}
	total := map[string]int{}
	for _, path := range []string{"testdata/captures/office-morning.pcap", "testdata/captures/office-afternoon.pcapng", "testdata/mail/mail.pcap", "testdata/quic/quic.pcap",
		"testdata/http2/http2.pcap", "testdata/nfs/nfs.pcap", "testdata/smb/smb.pcap", "testdata/files/files.pcap", "testdata/logins/logins.pcap"} {
		imported, _, report := archiveOf(t, capture.ImportConfig{Paths: []string{path}})
		dir := t.TempDir()
		a, err := archive.Open(dir, archive.Options{NoSync: true, SegmentBytes: 300 << 10})
		if err != nil {
			t.Fatal(err)
		}
		r, err := pcap.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		src := &stoppedSource{fileSource: &fileSource{r: r}}
		for _, until := range []int64{int64(report.Packets) / 2, -1} {
			ctx, cancel := context.WithCancel(t.Context())
			src.until.Store(until)
			src.stop = cancel
			if err := capture.Live(ctx, a, src, capture.LiveOptions{Sensor: "dmz", Interface: "eth1"}); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			cancel()
		}
		r.Close()
		if _, err := compact.Round(t.Context(), a, compact.Config{}); err != nil {
			t.Fatal(err)
		}
		live := engineOver(t, dir)
		for _, statement := range statements {
			want, got := rowsIn(imported, statement), rowsIn(live, statement)
			total[statement] += len(want)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Errorf("%s: %s: %d rows, import has %d; the first that differs:\n%v\n%v", path, statement, len(got), len(want), got[min(i, len(got)):min(i+1, len(got))], want[min(i, len(want)):min(i+1, len(want))])
					break
				}
			}
		}
		a.Close()
	}
	for _, statement := range statements {
		if total[statement] == 0 && !strings.HasSuffix(statement, " oddities") {
			t.Errorf("no rows of %s", statement)
		}
	}
}
