package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// captured is an interface that record takes packets from, for as long as it
// runs, or a worker's share of it.
type captured struct {
	of     capture.Interface
	device *capture.Device
	failed atomic.Int64

	mu          sync.Mutex
	before, now capture.LiveStats // up to the last failure, and since
}

// steady is a source that goes on when recording begins again: what is lost
// meanwhile counts then.
type steady struct {
	*capture.Device
	before, told [2]uint64 // received and dropped
}

func (l *steady) Loss() (received, dropped uint64) {
	l.told[0], l.told[1] = l.Device.Loss()
	return l.told[0] - l.before[0], l.told[1] - l.before[1]
}

func (*steady) Close() error { return nil }

// openInterfaces begins to take packets of the configured interfaces. One that
// is not there may come, unless all are missing, which looks like a mistake.
func openInterfaces(p *program) ([]*captured, error) {
	list, err := p.config.Capture.List()
	if err != nil {
		return nil, err
	}
	if _, err := capture.ParseCutoffs(p.config.Capture.Cutoff); err != nil {
		return nil, err
	}
	var out []*captured
	missing := 0
	for _, i := range list {
		devices, err := capture.OpenDevice(i, p.log)
		if errors.Is(err, capture.ErrNoInterface) {
			missing++
			fmt.Fprintf(p.stderr, "wiresql record: warning: %v; it is captured when it comes\n", err)
		} else if err != nil {
			closeInterfaces(out)
			return nil, err
		}
		for _, d := range devices {
			out = append(out, &captured{of: i, device: d})
		}
	}
	if missing > 0 && missing == len(list) {
		closeInterfaces(out)
		return nil, fmt.Errorf("%w: %s; there are %s", capture.ErrNoInterface, list[0].Name, strings.Join(capture.Interfaces(), ", "))
	}
	return out, nil
}

func closeInterfaces(list []*captured) {
	for _, c := range list {
		// Nothing is written by it.
		_ = c.device.Close()
	}
}

// keep records the interface until ctx ends. What ends recording, as a disk that
// fails, is tried again; the other interfaces don't notice.
func (c *captured) keep(ctx context.Context, p *program, a *archive.Archive) error {
	cutoffs, err := capture.ParseCutoffs(p.config.Capture.Cutoff)
	if err != nil {
		return err
	}
	source := &steady{Device: c.device}
	source.Loss()
	for wait := time.Second; ; wait = min(2*wait, time.Minute) {
		began := time.Now()
		source.before = source.told
		err := capture.Live(ctx, a, source, capture.LiveOptions{
			Sensor: c.of.Sensor, Site: c.of.Site, Interface: c.of.Name, Worker: c.device.Worker(), Logger: p.log,
			Meter: capture.Config{Cutoffs: cutoffs},
			Progress: func(s capture.LiveStats) {
				c.mu.Lock()
				c.now = s
				c.mu.Unlock()
			},
		})
		if ctx.Err() != nil {
			return err
		}
		c.failed.Add(1)
		c.mu.Lock()
		c.before = c.sum()
		c.now = capture.LiveStats{}
		c.mu.Unlock()
		if time.Since(began) > time.Minute {
			wait = time.Second
		}
		p.log.Error("packets are not recorded", "interface", c.of.Name, "again in", wait, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// capture records the interfaces until ctx ends, and says what is going on for
// wiresql status.
func (p *program) capture(ctx context.Context, a *archive.Archive, recorder *archive.Recorder, list []*captured) error {
	errs := make([]error, len(list))
	var all sync.WaitGroup
	for i, c := range list {
		all.Go(func() { errs[i] = c.keep(ctx, p, a) })
	}
	p.report(ctx, a, recorder, list)
	all.Wait()
	return errors.Join(errs...)
}

// sum is what was recorded since the process began.
func (c *captured) sum() capture.LiveStats {
	s := c.before
	s.Packets += c.now.Packets
	s.Bytes += c.now.Bytes
	s.Rows += c.now.Rows
	s.Unread += c.now.Unread
	s.GivenUp += c.now.GivenUp
	s.Watermark = max(s.Watermark, c.now.Watermark)
	return s
}

// counts are the interface's since the process began.
func (c *captured) counts() capture.LiveStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sum()
	s.Received, s.Dropped = c.device.Loss()
	return s
}

var captureLabels = []string{"interface", "sensor", "worker"}

// captureQuantities are what is watched of each interface.
var captureQuantities = []*collector.Quantity{
	{Name: "wiresql_capture_packets_total", Help: "packets recorded and durable", Labels: captureLabels},
	{Name: "wiresql_capture_bytes_total", Help: "their bytes on the wire", Labels: captureLabels},
	{Name: "wiresql_capture_flow_rows_total", Help: "flow rows of them that are durable", Labels: captureLabels},
	{Name: "wiresql_capture_received_total", Help: "packets the kernel handed over, having passed the filter", Labels: captureLabels},
	{Name: "wiresql_capture_dropped_total", Help: "packets the kernel had no room for (ring-bytes): they are lost", Labels: captureLabels},
	{Name: "wiresql_capture_unread_total", Help: "packets that broke a reader of names and transactions, whose rows lack: please report it", Labels: captureLabels},
	{Name: "wiresql_capture_given_up_total", Help: "queries, requests and streams that were given up, because too many were open: rows of dns, tls, http and the like lack what came later", Labels: captureLabels},
	{Name: "wiresql_capture_failures_total", Help: "times recording of the interface failed and was begun again; the log says why", Labels: captureLabels},
	{Name: "wiresql_capture_up", Help: "1 if the interface is up, 0 if it is down or gone", Gauge: true, Labels: captureLabels},
	{Name: "wiresql_capture_watermark_age_seconds", Help: "age of the last packet that is durable and seen by queries", Gauge: true, Labels: captureLabels},
}

// captureMetrics has the metrics of interfaces.
type captureMetrics []*captured

func (captureMetrics) Quantities() []*collector.Quantity { return captureQuantities }

func (list captureMetrics) Metrics() (out []collector.Metric) {
	for _, c := range list {
		s, up := c.counts(), 0.0
		if c.device.State() == capture.DeviceUp {
			up = 1
		}
		values := []float64{float64(s.Packets), float64(s.Bytes), float64(s.Rows), float64(s.Received), float64(s.Dropped),
			float64(s.Unread), float64(s.GivenUp), float64(c.failed.Load()), up, age(s.Watermark)}
		for i, q := range captureQuantities {
			if values[i] >= 0 {
				out = append(out, collector.Metric{Quantity: q, Labels: []string{c.of.Name, c.of.Sensor, strconv.Itoa(c.device.Worker() + 1)}, Value: values[i]})
			}
		}
	}
	return out
}

// age is how long ago something was, in seconds; -1 if it never was.
func age(t tables.Time) float64 {
	if t <= 0 {
		return -1
	}
	return max(0, time.Since(time.UnixMicro(int64(t))).Seconds())
}
