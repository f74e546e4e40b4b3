package capture

import (
	"context"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// On a disk without room packets are lost, and counted: those of the time without
// room, and no others, also when recording ends meanwhile.
func TestLiveOnAFullDisk(t *testing.T) {
	const path = "../testdata/captures/office-morning.pcap"
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var times []tables.Time
	var rec pcap.Record
	for r.Next(&rec) == nil {
		times = append(times, tables.TimeOf(rec.TS))
	}
	const fullAt, freeAt = 300, 1200
	for _, stops := range []bool{false, true} {
		var full atomic.Bool
		dir := t.TempDir()
		a, err := archive.Open(dir, archive.Options{SegmentBytes: 64 << 10, Disk: disk.Watch(disk.Real{NoSync: true}, func(o disk.Op) error {
			// What has its room already may be written over.
			if full.Load() && (o.Kind == disk.OpCreate || o.Kind == disk.OpWrite && !strings.Contains(o.Path, "/state/")) && strings.HasPrefix(o.Path, dir) {
				return disk.Short{Err: syscall.ENOSPC}
			}
			return nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		live := func(ctx context.Context, skip int) error {
			src := openSource(t, path, skip, func(n int) error {
				switch {
				case n == fullAt:
					full.Store(true)
				case n == freeAt && skip == 0 && stops:
					cancel()
					return ErrIdle
				case n == freeAt && full.Swap(false):
					time.Sleep(300 * time.Millisecond) // the disk is tried again only then
				}
				return nil
			})
			return Live(ctx, a, src, LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: 50 * time.Millisecond})
		}
		if err := live(ctx, 0); (err != nil) != stops {
			t.Fatalf("stopped %v: %v", stops, err)
		}
		if full.Store(false); stops {
			for range 2 { // what was lost is told once
				if err := live(context.Background(), freeAt); err != nil {
					t.Fatal(err)
				}
			}
		}
		cancel()
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		var came, kept, notKept, lostRows int64
		for _, s := range c.Segments() {
			kept += s.Packets
		}
		each(t, c, archive.Coverage, func(r *tables.Coverage) {
			came += r.Packets
			notKept += r.NotKept.V
			lostRows += r.LostRows.V
			if r.NotKept.V > 0 && (r.TS < times[0] || !stops && (r.TS < times[fullAt-1] || r.TSEnd > times[freeAt])) {
				t.Errorf("packets are lost from %d to %d, the disk was full from %d to %d", r.TS, r.TSEnd, times[fullAt], times[freeAt])
			}
		})
		sent := int64(len(times))
		if stops {
			sent += sent - freeAt
		}
		if came != sent || kept+notKept != sent || notKept == 0 || (lostRows > 0) != stops {
			t.Errorf("stopped %v: of %d packets %d came, %d are kept, %d lost, with %d rows", stops, sent, came, kept, notKept, lostRows)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
