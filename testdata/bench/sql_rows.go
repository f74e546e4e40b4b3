package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Rows for the measurements of SQL are made straight into an archive, with the
// writers the importer uses: what is measured is reading them. Each row follows
// from its number, so MariaDB can be given the same ones.

// Of the generated network.
const (
	clientHosts = 4000
	servers     = 60_000
	fileRows    = 1_000_000
	dayMicros   = 86_400_000_000
)

// rowEpoch is 2026-06-01 00:00:00.
const rowEpoch = tables.Time(1_780_272_000_000_000)

// traffic makes the rows of some days.
type traffic struct {
	rows    int
	days    int
	domains []string
	busy    []float64 // how much of the traffic goes to servers up to each
	// segments, when not 0, are as many packet files as the rows say they have
	// packets in; also writes more into the archive.
	segments int
	also     func(*archive.Tx) error
}

func newTraffic(rows int) *traffic {
	t := &traffic{rows: rows, days: 1, domains: make([]string, servers), busy: make([]float64, servers)}
	words := []string{"mail", "cdn", "api", "static", "img", "login", "update", "video", "sync", "metrics", "shop", "news"}
	sum := 0.0
	for i := range t.domains {
		t.domains[i] = fmt.Sprintf("%s%d.example%d.%s", words[i%len(words)], i/97, i%1999, []string{"com", "net", "org", "test"}[i%4])
		sum += 1 / math.Pow(float64(i+10), 1.1)
		t.busy[i] = sum
	}
	for i := range t.busy {
		t.busy[i] /= sum
	}
	return t
}

// server picks one of the servers, few of which have most of the traffic.
func (t *traffic) server(r *rand.Rand) int {
	x := r.Float64()
	lo, hi := 0, len(t.busy)-1
	for lo < hi {
		if mid := (lo + hi) / 2; t.busy[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func clientAddr(i int) tables.Addr {
	return tables.AddrFrom4([]byte{10, byte(i >> 10), byte(i >> 4), byte(i&15 + 10)})
}

func serverAddr(i int) tables.Addr {
	if i%10 == 9 {
		return tables.AddrFrom16([]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 8), byte(i), 0, 0, 0, 0, 0, 0, 0, 0, byte(i >> 4), 1})
	}
	return tables.AddrFrom4([]byte{byte(100 + i%90), byte(i >> 8), byte(i), byte(i%250 + 1)})
}

// clientName is the name of a client's DHCP lease.
func clientName(i int) string { return fmt.Sprintf("desk-%04d", i) }

// flow makes row n.
func (t *traffic) flow(n int, f *tables.Flow) {
	r := rand.New(rand.NewPCG(uint64(n), 41))
	client, server := int(math.Abs(r.NormFloat64())*clientHosts/3)%clientHosts, t.server(r)
	at := rowEpoch + tables.Time(float64(n)/float64(t.rows)*float64(t.days)*dayMicros)
	sent := int64(math.Exp(r.NormFloat64()*1.6 + 6.5))
	got := int64(math.Exp(r.NormFloat64()*2.2 + 7.5))
	packets, reverse := 1+sent/220, 1+got/900
	some := tables.Some[int64]
	*f = tables.Flow{TS: at, TSEnd: at + tables.Time(math.Exp(r.NormFloat64()*2+12)), SourceType: tables.SourcePackets, Sensor: []string{"core", "edge", "branch"}[n%7%3],
		Src: clientAddr(client), Dst: serverAddr(server), SrcPort: int32(32768 + r.IntN(28000)), Protocol: 6,
		Bytes: sent + 40, Packets: packets, ReverseBytes: some(got + 40), ReversePackets: some(reverse),
		WireBytes: some(sent + 54*packets), ReverseWireBytes: some(got + 54*reverse),
		TCPFlags: tables.Some(int32(27)), ReverseTCPFlags: tables.Some(int32(27)), TOS: tables.Some(int32(0)), TTL: tables.Some(int32(64)),
		Fragments: some(0), RTTUs: some(int64(math.Exp(r.NormFloat64() + 9))), ConnState: tables.ConnSF, OrientedBy: tables.BySyn, EndReason: tables.EndSeen,
		Piece: tables.Some(int32(1)), LastPiece: tables.Some(true), ConnTS: tables.Some(at),
		CID: r.Uint64(), FlowID: tables.ID(r.Uint64()), ConnID: tables.ID(r.Uint64())}
	if t.segments > 0 {
		f.Segments = []int32{int32(1 + n%t.segments)}
	}
	switch k := r.IntN(100); {
	case k < 62:
		f.DstPort, f.Service, f.ServerName, f.Encrypted = 443, "https", t.domains[server], tables.Some(true)
	case k < 74:
		f.DstPort, f.Service, f.ServerName = 80, "http", t.domains[server]
	case k < 88:
		f.DstPort, f.Service, f.Protocol, f.EndReason = 53, "domain", 17, tables.EndIdle
		f.TCPFlags, f.ReverseTCPFlags, f.OrientedBy, f.RTTUs = tables.Opt[int32]{}, tables.Opt[int32]{}, tables.ByServicePort, tables.Opt[int64]{}
	case k < 91:
		f.DstPort, f.Service, f.Encrypted = 22, "ssh", tables.Some(true)
	case k < 93:
		f.DstPort, f.Service = 3389, "ms-wbt-server"
	case k < 95:
		f.DstPort, f.ConnState, f.EndReason = int32(1+r.IntN(1024)), tables.ConnS0, tables.EndIdle
		f.TCPFlags, f.ReverseTCPFlags = tables.Some(int32(2)), tables.Some(int32(0))
		f.ReverseBytes, f.ReversePackets = some(0), some(0)
	default:
		f.DstPort = int32(1024 + r.IntN(60000))
	}
}

// connection is the conversation that is one flow.
func connection(f *tables.Flow) tables.Connection {
	return tables.Connection{TS: f.TS, TSEnd: f.TSEnd, Sensor: f.Sensor, Client: f.Src, ClientPort: f.SrcPort, Server: f.Dst, ServerPort: f.DstPort,
		Protocol: f.Protocol, ServerName: f.ServerName, Service: f.Service, ConnState: f.ConnState,
		ClientBytes: tables.Some(f.Bytes), ServerBytes: f.ReverseBytes, ClientPackets: tables.Some(f.Packets), ServerPackets: f.ReversePackets,
		ClientWireBytes: f.WireBytes, ServerWireBytes: f.ReverseWireBytes,
		Visibility: tables.Clear, SeenBy: f.Sensor, OrientedBy: f.OrientedBy, Pieces: 1, CID: f.CID, ConnID: f.ConnID, Segments: f.Segments}
}

// names are the observations that name the clients.
func (t *traffic) names() []tables.Name {
	out := make([]tables.Name, clientHosts)
	for i := range out {
		out[i] = tables.Name{TS: rowEpoch - dayMicros, Name: clientName(i), Addr: clientAddr(i), MAC: tables.Some(int64(0x020000000000 + i)),
			Source: tables.SourceDHCP, ValidUntil: rowEpoch + 2*dayMicros, Sensor: "core"}
	}
	return out
}

// rowArchive makes an archive of so many flows and their conversations, unless
// it is there.
func (b *bench) rowArchive(rows int, connections bool) (string, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("rows-%d.archive", rows))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	start := time.Now()
	t := newTraffic(rows)
	if err := t.write(dir+".part", connections); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir+".part"))
	}
	log.Printf("%d rows of flows made in %v", rows, time.Since(start).Round(time.Second))
	return dir, os.Rename(dir+".part", dir)
}

func (t *traffic) write(dir string, connections bool) (err error) {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	tx, err := a.Begin("import")
	if err != nil {
		return err
	}
	if _, err := archive.WriteRows(tx, "h", t.names()); err != nil {
		return errors.Join(err, tx.Abort())
	}
	for first := 0; first < t.rows; first += fileRows {
		if err := t.file(tx, first, min(first+fileRows, t.rows), connections); err != nil {
			return errors.Join(err, tx.Abort())
		}
	}
	if t.also != nil {
		if err := t.also(tx); err != nil {
			return errors.Join(err, tx.Abort())
		}
	}
	return tx.Commit()
}

// file writes the rows of a file, both families at once.
func (t *traffic) file(tx *archive.Tx, first, end int, connections bool) error {
	flows, err := archive.NewRowFile[tables.Flow](tx, "h")
	if err != nil {
		return err
	}
	var conns *rows.Writer[tables.Connection]
	if connections {
		if conns, err = archive.NewRowFile[tables.Connection](tx, "h"); err != nil {
			return err
		}
	}
	const block = 8192
	rows, also := make([]tables.Flow, block), make([]tables.Connection, block)
	for n := first; n < end; n += block {
		some := rows[:min(block, end-n)]
		for i := range some {
			t.flow(n+i, &some[i])
		}
		var written sync.WaitGroup
		var second error
		if conns != nil {
			written.Go(func() {
				for i := range some {
					also[i] = connection(&some[i])
				}
				second = conns.Write(also[:len(some)])
			})
		}
		first := flows.Write(some)
		written.Wait()
		if err := errors.Join(first, second); err != nil {
			return err
		}
	}
	if conns != nil {
		if _, err := conns.Close(); err != nil {
			return err
		}
	}
	_, err = flows.Close()
	return err
}

// files are an archive's row files of a family.
func files(dir, family string) ([]string, error) {
	list, err := filepath.Glob(filepath.Join(dir, family, "*", "*", "*", "*.parquet*"))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("no files of %s in %s", family, dir)
	}
	return list, err
}

// mariaRows is the statement that makes MariaDB's table of flows, with the
// columns that are asked for; its indexes are made when it is full, as one
// loads a large table.
const (
	mariaRows = `CREATE TABLE flows (ts DATETIME(6) NOT NULL, ts_end DATETIME(6) NOT NULL, duration DOUBLE NOT NULL, observer VARCHAR(64),
  src_ip INET6 NOT NULL, src_port INT NOT NULL, dst_ip INET6 NOT NULL, dst_port INT NOT NULL, protocol VARCHAR(32), service VARCHAR(64),
  bytes BIGINT NOT NULL, packets BIGINT NOT NULL, reverse_bytes BIGINT, reverse_packets BIGINT, total_bytes BIGINT NOT NULL, total_packets BIGINT NOT NULL,
  tcp_flags VARCHAR(9), end_reason VARCHAR(24), server_name VARCHAR(255), conn_id CHAR(13) NOT NULL) ENGINE = InnoDB`
	mariaIndexes = `ALTER TABLE flows ADD KEY (ts), ADD KEY (src_ip, ts), ADD KEY (dst_ip, ts), ADD KEY (dst_port, ts), ADD KEY (conn_id)`
	mariaHosts   = `CREATE TABLE hosts (name VARCHAR(255) NOT NULL, ip INET6 NOT NULL, ts DATETIME(6) NOT NULL, ts_end DATETIME(6) NOT NULL, KEY (ip, ts), KEY (name))`
)

// text writes the rows as LOAD DATA reads them.
func (t *traffic) text(w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	var line []byte
	var f tables.Flow
	stamp := func(at tables.Time) {
		line = append(time.UnixMicro(int64(at)).UTC().AppendFormat(line, "2006-01-02 15:04:05.000000"), '\t')
	}
	word := func(s string) {
		if s == "" {
			s = `\N`
		}
		line = append(append(line, s...), '\t')
	}
	number := func(n int64) { line = append(strconv.AppendInt(line, n, 10), '\t') }
	address := func(a tables.Addr) {
		if a.Is4() { // INET6 has no other text for it
			line = append(line, "::ffff:"...)
		}
		line = append(a.AppendTo(line), '\t')
	}
	for n := range t.rows {
		t.flow(n, &f)
		line = line[:0]
		stamp(f.TS)
		stamp(f.TSEnd)
		line = append(strconv.AppendFloat(line, float64(f.TSEnd-f.TS)/1e6, 'f', 6, 64), '\t')
		word(f.Sensor)
		address(f.Src)
		number(int64(f.SrcPort))
		address(f.Dst)
		number(int64(f.DstPort))
		word(tables.ProtocolName(uint8(f.Protocol)))
		word(f.Service)
		number(f.Bytes)
		number(f.Packets)
		number(f.ReverseBytes.V)
		number(f.ReversePackets.V)
		number(f.Bytes + f.ReverseBytes.V)
		number(f.Packets + f.ReversePackets.V)
		flags := ""
		if f.TCPFlags.Set {
			flags = tables.TCPFlagsText(uint16(f.TCPFlags.V))
		}
		word(flags)
		word(f.EndReason)
		word(f.ServerName)
		line = append(f.ConnID.AppendTo(line), '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	return out.Flush()
}
