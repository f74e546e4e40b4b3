package capture

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// fileSource gives the packets of a capture file. After each it may stop: the
// context is cancelled, or a wait comes.
type fileSource struct {
	r     *pcap.Reader
	n     int
	after func(n int) error // of the packet with this number; an error is what Next returns then
}

func openSource(t testing.TB, path string, skip int, after func(n int) error) *fileSource {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &fileSource{r: r, after: after}
	var rec pcap.Record
	for range skip {
		if err := r.Next(&rec); err != nil {
			t.Fatal(err)
		}
		s.n++
	}
	return s
}

func (s *fileSource) Next(rec *pcap.Record) error {
	if s.after != nil {
		if err := s.after(s.n); err != nil {
			return err
		}
	}
	err := s.r.Next(rec)
	if err != nil {
		return io.EOF // damage, too: all before it counts
	}
	s.n++
	return nil
}

func (s *fileSource) Loss() (received, dropped uint64) { return uint64(s.n), 0 }
func (s *fileSource) LinkType() tables.LinkType        { return tables.LinkEthernet }
func (s *fileSource) Close() error                     { return s.r.Close() }

// metered are the rows of an archive, without what is another's in each: ids and
// positions.
func metered(t testing.TB, a *archive.Archive) map[archive.Family][]string {
	t.Helper()
	all := map[archive.Family][]string{}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Damage())+len(c.Missing()) > 0 {
		t.Fatalf("damage %+v, missing %v", c.Damage(), c.Missing())
	}
	conns := map[tables.ID]string{}
	packets := map[tables.ID]bool{}
	each(t, c, archive.Flows, func(r *tables.Flow) {
		if r.Piece.V == 1 {
			conns[r.ConnID] = fmt.Sprint(r.TS, r.Src, r.SrcPort, r.Dst, r.DstPort)
		}
	})
	postings := func(b []byte) (n int) {
		if err := rows.DecodePostings(b, func(id tables.ID) bool {
			if packets[id] {
				t.Fatalf("packet %v is in two rows", id)
			}
			packets[id] = true
			n++
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	each(t, c, archive.Flows, func(r *tables.Flow) {
		f := *r
		of := conns[f.ConnID]
		if of == "" {
			t.Errorf("a row of a conversation without a first: %+v", f)
		}
		n := postings(f.Postings)
		f.Postings, f.Segments, f.FlowID, f.ConnID, f.Sensor, f.Site = nil, nil, 0, 0, "", ""
		all[archive.Flows] = append(all[archive.Flows], fmt.Sprintf("%s %d %+v", of, n, f))
	})
	each(t, c, archive.Other, func(r *tables.Other) {
		o := *r
		n := postings(o.Postings)
		o.Postings, o.Segments, o.Sensor, o.Site = nil, nil, "", ""
		all[archive.Other] = append(all[archive.Other], fmt.Sprintf("%d %+v", n, o))
	})
	each(t, c, archive.DNS, func(r *tables.DNS) {
		d := *r
		d.FlowID, d.ConnID, d.QueryPacketID.V, d.AnswerPacketID.V, d.Sensor, d.Site = 0, 0, 0, 0, "", ""
		all[archive.DNS] = append(all[archive.DNS], fmt.Sprintf("%+v", d))
	})
	each(t, c, archive.Names, func(r *tables.Name) {
		n := *r
		n.Sensor, n.Site = "", ""
		all[archive.Names] = append(all[archive.Names], fmt.Sprintf("%+v", n))
	})
	each(t, c, archive.TLS, func(r *tables.TLS) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.TLS] = append(all[archive.TLS], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.DNSAnswers, func(r *tables.DNSAnswer) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.DNSAnswers] = append(all[archive.DNSAnswers], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.HTTP, func(r *tables.HTTP) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.HTTP] = append(all[archive.HTTP], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.FileAccess, func(r *tables.File) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.FileAccess] = append(all[archive.FileAccess], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.Mail, func(r *tables.Mail) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.Mail] = append(all[archive.Mail], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.RPC, func(r *tables.RPC) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.RPC] = append(all[archive.RPC], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.ARP, func(r *tables.ARP) {
		l := *r
		l.FlowID.V, l.ConnID.V, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.ARP] = append(all[archive.ARP], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.ICMP, func(r *tables.ICMP) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.InnerConnID.V, l.Sensor, l.Site = 0, 0, 0, 0, "", ""
		all[archive.ICMP] = append(all[archive.ICMP], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.DHCP, func(r *tables.DHCP) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.DHCP] = append(all[archive.DHCP], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.Oddities, func(r *tables.Oddity) {
		l := *r
		l.FlowID.V, l.ConnID.V, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.Oddities] = append(all[archive.Oddities], fmt.Sprintf("%+v", l))
	})
	each(t, c, archive.Logins, func(r *tables.Login) {
		l := *r
		l.FlowID, l.ConnID, l.PacketID.V, l.Sensor, l.Site = 0, 0, 0, "", ""
		all[archive.Logins] = append(all[archive.Logins], fmt.Sprintf("%+v", l))
	})
	all[archive.Rates] = ratesOf(t, a)
	for _, l := range all {
		slices.Sort(l)
	}
	return all
}

func each[T any](t testing.TB, c *archive.Catalog, family archive.Family, fn func(*T)) {
	t.Helper()
	for _, f := range c.Files(family) {
		list, err := rows.ReadAll[T](f.File)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			fn(&list[i])
		}
	}
}

func liveArchive(t testing.TB) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true, SegmentBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// captures are the files that Live and Import are compared by.
func captures(t testing.TB) (list []string) {
	for _, dir := range []string{"../testdata/captures", "../testdata/mail", "../testdata/quic", "../testdata/http2", "../testdata/nfs", "../testdata/files", "../testdata/smb", "../testdata/logins", "../../shared/captures/realistic", "../../shared/captures/wireshark", "../../shared/captures/zeek"} {
		for _, ext := range []string{"*.pcap", "*.pcapng", "*.cap"} {
			found, _ := filepath.Glob(filepath.Join(dir, ext))
			list = append(list, found...)
		}
	}
	if testing.Short() && len(list) > 14 {
		list = list[:14]
	}
	return list
}

// What is captured live is what an import of the same packets gives, whether it is
// stopped in between or not, and whether all of them is kept or not.
func TestLiveIsImported(t *testing.T) {
	liveIsImported(t, captures(t), Config{}, 0, 3) // the second of three is in the middle
	few := []string{"../testdata/captures/office-morning.pcap", "../testdata/captures/office-afternoon.pcapng", "../testdata/cases/fragrev.pcap", "../testdata/cases/erspan2.pcap"}
	liveIsImported(t, few, Config{Cutoffs: cutoffs(t, "udp port 53 or icmp=headers", "tcp port 443=300", "tcp=2k", "=40")}, 2)
}

func liveIsImported(t *testing.T, paths []string, mc Config, stopped ...int) {
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			imported := liveArchive(t)
			rep, err := Import(context.Background(), imported, ImportConfig{Paths: []string{path}, Meter: mc})
			if err != nil || rep.Refused > 0 {
				t.Skip("it can't be imported:", err)
			}
			want := metered(t, imported)
			for _, stops := range stopped {
				a := liveArchive(t)
				at := 0
				for i := range stops {
					ctx, cancel := context.WithCancel(context.Background())
					until := int(rep.Packets) * (i + 1) / (stops + 1)
					src := openSource(t, path, at, func(n int) error {
						if n >= until {
							cancel()
							return ErrIdle
						}
						return nil
					})
					if err := Live(ctx, a, src, LiveOptions{Sensor: "dmz", Interface: "eth1", Meter: mc}); err != nil {
						t.Fatal(err)
					}
					cancel()
					at = src.n
				}
				if err := Live(context.Background(), a, openSource(t, path, at, nil), LiveOptions{Sensor: "dmz", Interface: "eth1", Meter: mc}); err != nil {
					t.Fatal(err)
				}
				compareRows(t, stops, metered(t, a), want)
			}
		})
	}
}

func compareRows(t *testing.T, stops int, haves, wants map[archive.Family][]string) {
	t.Helper()
	for _, what := range []archive.Family{archive.Flows, archive.Other, archive.DNS, archive.DNSAnswers, archive.Names, archive.TLS, archive.HTTP, archive.FileAccess, archive.RPC, archive.Mail, archive.ARP, archive.ICMP, archive.DHCP, archive.Oddities, archive.Logins, archive.Rates} {
		got, want := haves[what], wants[what]
		for i := range max(len(got), len(want)) {
			switch {
			case i >= len(got):
				t.Errorf("stopped %d times: %s lack %s", stops, what, want[i])
			case i >= len(want):
				t.Errorf("stopped %d times: %s have too much: %s", stops, what, got[i])
			case got[i] != want[i]:
				t.Errorf("stopped %d times: %s have\n%s, import has\n%s", stops, what, got[i], want[i])
			default:
				continue
			}
			break
		}
	}
}

// A packet is found, and its row, soon after it came, though nothing follows; and
// its row ends with time alone.
func TestLiveQuiet(t *testing.T) {
	a := liveArchive(t)
	ctx, cancel := context.WithCancel(context.Background())
	src := openSource(t, "../testdata/captures/office-morning.pcap", 0, func(n int) error {
		if n < 3 {
			return nil
		}
		time.Sleep(10 * time.Millisecond) // as an idle line does
		return ErrIdle
	})
	done := make(chan error)
	go func() {
		done <- Live(ctx, a, src, LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: 50 * time.Millisecond,
			Meter: Config{IdleTCP: time.Second, IdleOther: time.Second}})
	}()
	live, over := false, false
	for start := time.Now(); time.Since(start) < 20*time.Second && !over; time.Sleep(20 * time.Millisecond) {
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		each(t, c, archive.Flows, func(r *tables.Flow) {
			if n++; r.EndReason == "" {
				live = true
			} else if r.EndReason == tables.EndIdle {
				over = true
			}
		})
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if !live || !over {
		t.Errorf("live %v, over %v", live, over)
	}
}

// The time between a recorder's end and the next one's start is not covered, though
// no packet tells when that was: the line is idle before and after.
func TestLiveStoppedOnAnIdleLine(t *testing.T) {
	a := liveArchive(t)
	live := func(packets int) (began, last, ended tables.Time) {
		t.Helper()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		began = tables.TimeOf(time.Now().UnixNano())
		src := &presentSource{openSource(t, "../testdata/captures/office-morning.pcap", 0, func(n int) error {
			switch {
			case n < packets:
				last = tables.TimeOf(time.Now().UnixNano())
				return nil
			case tables.TimeOf(time.Now().UnixNano()) > began+1_000_000:
				cancel()
			}
			time.Sleep(10 * time.Millisecond) // as an idle line does
			return ErrIdle
		})}
		if err := Live(ctx, a, src, LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: 50 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		return began, last, tables.TimeOf(time.Now().UnixNano())
	}
	_, last, stopped := live(3)
	// The recorder's clock is as late as it took notice of the last packet, which it
	// may have done at its end: nobody records for longer than that.
	time.Sleep(time.Duration(stopped-last)*time.Microsecond + 100*time.Millisecond) // in which nobody records
	again, _, _ := live(0)
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	before, after := 0, 0
	each(t, c, archive.Coverage, func(r *tables.Coverage) {
		switch {
		case r.TSEnd <= stopped:
			before++
		case r.TS > stopped:
			after++
		default:
			t.Errorf("covered from %d to %d: stopped at %d, begun again at %d", r.TS, r.TSEnd, stopped, again)
		}
	})
	if before == 0 || after == 0 {
		t.Errorf("%d times are covered before, %d after", before, after)
	}
}

// presentSource gives packets the time at which they are taken.
type presentSource struct{ *fileSource }

func (s *presentSource) Next(rec *pcap.Record) error {
	err := s.fileSource.Next(rec)
	if err == nil {
		rec.TS = time.Now().UnixNano()
	}
	return err
}

// However the clock is set while packets are captured, each is in the log and in one
// row, no row and no time that is covered reaches across, and the log is read again.
func TestLiveClockIsSet(t *testing.T) {
	const path = "../testdata/captures/office-morning.pcap"
	for _, set := range []time.Duration{time.Hour, -time.Hour, 10 * 365 * 24 * time.Hour, -10 * 365 * 24 * time.Hour} {
		a := liveArchive(t)
		live := func(from, to int) {
			t.Helper()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			src := &setSource{openSource(t, path, from, func(n int) error {
				if n == to {
					cancel()
					return ErrIdle
				}
				if n%100 == 0 {
					time.Sleep(3 * time.Millisecond) // packets come over time
				}
				return nil
			}), set}
			if err := Live(ctx, a, src, LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		}
		live(0, 700) // with the clock set at 600
		live(700, 1300)
		live(1300, -1) // to the end
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		if d := c.Damage(); len(d) > 0 {
			t.Errorf("%v: damage %+v", set, d)
		}
		const minute = tables.Time(60e6)
		packets, covered, positions := int64(0), int64(0), map[tables.ID]int{}
		count := func(postings []byte) {
			if err := rows.DecodePostings(postings, func(id tables.ID) bool { positions[id]++; return true }); err != nil {
				t.Error(err)
			}
		}
		each(t, c, archive.Flows, func(r *tables.Flow) {
			packets += r.Packets + r.ReversePackets.V
			count(r.Postings)
			if r.TSEnd < r.TS || r.TSEnd-r.TS > 2*minute {
				t.Errorf("%v: a row of %d to %d", set, r.TS, r.TSEnd)
			}
		})
		each(t, c, archive.Other, func(r *tables.Other) {
			packets += r.Packets
			count(r.Postings)
		})
		each(t, c, archive.Coverage, func(r *tables.Coverage) {
			covered += r.Packets
			if r.TSEnd < r.TS || r.TSEnd-r.TS > 90*minute {
				t.Errorf("%v: covered from %d to %d", set, r.TS, r.TSEnd)
			}
		})
		if packets != 1805 || covered != 1805 || len(positions) != 1805 {
			t.Errorf("%v: of 1805 packets %d are in rows, %d covered, %d have positions", set, packets, covered, len(positions))
		}
		refs := make([]archive.Ref, 0, len(positions))
		for id, n := range positions {
			if refs = append(refs, archive.Ref{ID: id}); n != 1 {
				t.Errorf("%v: packet %v is in %d rows", set, id, n)
			}
		}
		slices.SortFunc(refs, func(x, y archive.Ref) int { return cmp.Compare(x.ID, y.ID) })
		if s, err := a.Fetch(context.Background(), c, refs, func(archive.Ref, *pcap.Record) error { return nil }); err != nil || len(s.Missing) > 0 || s.Packets != 1805 {
			t.Errorf("%v: read %+v %v", set, s, err)
		}
	}
}

// setSource has its clock set between packets 600 and 1200.
type setSource struct {
	*fileSource
	by time.Duration
}

func (s *setSource) Next(rec *pcap.Record) error {
	err := s.fileSource.Next(rec)
	if err == nil && s.n > 600 && s.n <= 1200 {
		rec.TS += int64(s.by)
	}
	return err
}

// A process that captures and is killed at any time leaves what another goes on
// from: in the end there is what an import of the packets gives.
func TestLiveKilled(t *testing.T) {
	const path = "../testdata/captures/office-morning.pcap"
	if dir := os.Getenv("LIVE_KILLED"); dir != "" {
		a, err := archive.Open(dir, archive.Options{SegmentBytes: 64 << 10})
		if err != nil {
			t.Fatal(err)
		}
		l, err := a.OpenLog(archive.LogOptions{Sensor: "dmz", Interface: "eth1"})
		if err != nil {
			t.Fatal(err)
		}
		at := int(l.Packets())
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := Live(context.Background(), a, openSource(t, path, at, func(n int) error {
			if n%20 == 0 {
				time.Sleep(time.Millisecond) // packets come over time
			}
			return nil
		}), LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: 10 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		return
	}
	imported := liveArchive(t)
	if _, err := Import(context.Background(), imported, ImportConfig{Paths: []string{path}}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	kills, early := 0, 0
	for {
		child := exec.Command(os.Args[0], "-test.run=TestLiveKilled$")
		child.Env = append(os.Environ(), "LIVE_KILLED="+dir)
		var out bytes.Buffer
		child.Stdout, child.Stderr = &out, &out
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if kills == 8 {
			if err := child.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, out.Bytes())
			}
			break
		}
		// As soon as it wrote something, or a little later.
		marked := func() string {
			b, _ := os.ReadFile(filepath.Join(dir, "state", archive.LogWriter("dmz", "eth1", 0)+".watermark"))
			return string(b)
		}
		before := marked()
		for start := time.Now(); marked() == before && time.Since(start) < 20*time.Second; {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(r.IntN(60)) * time.Millisecond) // killed at any moment
		child.Process.Kill()
		child.Wait()
		if kills++; child.ProcessState.ExitCode() < 0 {
			early++
		}
	}
	if early < 2 {
		t.Errorf("%d of %d were killed before they were done", early, kills)
	}
	a, err := archive.Open(dir, archive.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want := metered(t, imported)
	compareRows(t, kills, metered(t, a), want)
}

var errGone = errors.New("the interface is gone")

// An interface that goes away ends Live with its error, and the next goes on.
func TestLiveInterfaceGone(t *testing.T) {
	a := liveArchive(t)
	src := openSource(t, "../testdata/captures/office-morning.pcap", 0, func(n int) error {
		if n == 5 {
			return errGone
		}
		return nil
	})
	if err := Live(context.Background(), a, src, LiveOptions{}); !errors.Is(err, errGone) {
		t.Fatal(err)
	}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	packets := int64(0)
	each(t, c, archive.Flows, func(r *tables.Flow) { packets += r.Packets + r.ReversePackets.V })
	if packets != 5 {
		t.Errorf("%d packets of 5", packets)
	}
}

// A recorder that ended when one packet was all its time had is told of it.
func TestLiveOnePacket(t *testing.T) {
	a := liveArchive(t)
	l, err := a.OpenLog(archive.LogOptions{Sensor: "dmz", Interface: "eth1"})
	if err != nil {
		t.Fatal(err)
	}
	rec := pcap.Record{TS: 5_000_000, Length: 60, Link: tables.LinkEthernet, Nano: true, Data: make([]byte, 60)}
	if _, _, err := l.Append(&rec); err != nil {
		t.Fatal(err)
	}
	m, err := l.Mark(0)
	if err != nil {
		t.Fatal(err)
	}
	covered := tables.Coverage{Sensor: "dmz", Interface: "eth1", TS: 5000, TSEnd: 5000, Packets: 1, Bytes: 60}
	if err := errors.Join(l.Commit(m, &archive.LogBatch{Covered: covered, Arrived: 1, Until: 2}), l.Close()); err != nil {
		t.Fatal(err)
	}
	if err := Live(context.Background(), a, openSource(t, "../testdata/captures/office-morning.pcap", 0, func(int) error { return io.EOF }), LiveOptions{Sensor: "dmz", Interface: "eth1"}); err != nil {
		t.Fatal(err)
	}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	packets := int64(0)
	each(t, c, archive.Coverage, func(r *tables.Coverage) { packets += r.Packets })
	if packets != 1 {
		t.Errorf("%d packets are told of, of 1", packets)
	}
}
