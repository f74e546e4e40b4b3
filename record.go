package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/tables/archive"
)

// stateFolder holds what recording needs to remember, in the archive.
const stateFolder = "state"

// recordInterval leaves half a second to write a batch and to ask for it: what
// comes is durable and visible within two.
const recordInterval = 1500 * time.Millisecond

// recordMemory, and interfaceMemory for each interface, are how far the heap may grow
// before it is collected more often than by default, which lets garbage double what
// is in use: what half a million live conversations of an interface take.
const (
	recordMemory    = 700 << 20
	interfaceMemory = 500 << 20
)

func recordCommand() *command {
	return &command{
		summary:  "receive NetFlow, IPFIX and sFlow, and packets of interfaces, into an archive",
		sections: []string{"capture", "collector", "retention"},
		run:      runRecord,
	}
}

// runRecord records until ctx ends. Then it stops receiving, decodes what the
// kernel has taken in, and writes it.
func runRecord(ctx context.Context, p *program, args []string) (err error) {
	if len(args) > 0 {
		return startError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	if err := p.confine(true); err != nil {
		return startError{err}
	}
	interfaces, err := openInterfaces(p)
	if err != nil {
		return startError{err}
	}
	defer closeInterfaces(interfaces)
	debug.SetMemoryLimit(recordMemory + int64(len(interfaces))*interfaceMemory)
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log, Retention: &p.config.Retention})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	recorder, err := archive.NewRecorder(a, archive.RecorderOptions{Logger: p.log, Interval: recordInterval})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, recorder.Close()) }()
	totals := collector.NewTotals(recorder)
	cfg := p.config.Collector
	c := collector.New(cfg, totals, filepath.Join(p.config.Data, stateFolder), p.log)
	if err := c.Start(); err != nil {
		return startError{err}
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	stop, err := p.serveMetrics(cfg.MetricsListen, totals, recorderMetrics{recorder}, captureMetrics(interfaces), scrubMetrics{a}, archiveMetrics{a, &p.config.Retention})
	if err != nil {
		return err
	}
	defer stop()
	for _, address := range c.Addresses() {
		fmt.Fprintf(p.stdout, "recording %s into %s\n", address, p.config.Data)
	}
	if open := openAddresses(c.Addresses()); len(open) > 0 && len(cfg.Exporters) == 0 {
		fmt.Fprintf(p.stderr, "wiresql record: warning: %s takes flows from anybody who can reach it: name your exporters in collector.exporters (--exporters)\n", open[0])
	}
	for _, i := range interfaces {
		if i.device.Worker() == 0 {
			fmt.Fprintf(p.stdout, "recording packets of %s into %s\n", i.of.Name, p.config.Data)
		}
	}
	return p.capture(ctx, a, recorder, interfaces)
}

// openAddresses are those, such as "udp 0.0.0.0:2055", that other machines
// can reach.
func openAddresses(addresses []string) []string {
	var open []string
	for _, a := range addresses {
		if !loopback(a[len("udp "):]) {
			open = append(open, a)
		}
	}
	return open
}

// loopback tells whether only this machine reaches a listening address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
