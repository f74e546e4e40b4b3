package collector

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// Collector listens for exporters and hands their records, their accounts and
// those of its sockets to a sink. New is inert, Start listens, Close stops.
type Collector struct {
	cfg       Config
	sink      tables.ExportSink
	state     string // folder
	disk      disk.Disk
	log       *slog.Logger
	decoder   *Decoder
	listeners []listener
	stop      chan struct{}
	ticking   sync.WaitGroup
	failing   bool   // the last tick failed: said once
	unsaved   []byte // templates that are not in the state file yet
}

// listener is one listening address of either kind.
type listener interface {
	label() string
	begin(now tables.Time)
	start()
	close() error
	readDrops()
	tell(sink tables.ExportSink, now tables.Time, last bool) error
}

// New prepares a collector that keeps templates, options and the number of its
// run in the folder state. log may be nil.
func New(cfg Config, sink tables.ExportSink, state string, log *slog.Logger) *Collector {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Collector{cfg: cfg, sink: sink, state: state, disk: disk.Real{}, log: log, stop: make(chan struct{})}
}

// Start takes up the templates of the last run and listens on all configured
// addresses. Either all work or none is open.
func (c *Collector) Start() error {
	cfg := c.cfg
	var err error
	if cfg.Stream, err = nextRun(c.disk, filepath.Join(c.state, runFile)); err != nil {
		return fmt.Errorf("collector: number this run: %w", err)
	}
	if c.decoder, err = c.decoderOf(cfg); err != nil {
		return fmt.Errorf("collector: %w", err)
	}
	for _, address := range append(append([]string{}, cfg.NetFlow...), cfg.SFlow...) {
		l, err := listenUDP(address, cfg.Workers, cfg.ReceiveBuffer, datagramRoom, c.decoder.Datagram, c.log)
		if err != nil {
			c.closeListeners()
			return fmt.Errorf("collector: %w", err)
		}
		c.listeners = append(c.listeners, l)
	}
	for _, address := range cfg.IPFIXTCP {
		l, err := listenTCP(address, cfg.TCPConnections, cfg.TCPIdle, c.decoder.Message, c.log)
		if err != nil {
			c.closeListeners()
			return fmt.Errorf("collector: %w", err)
		}
		c.listeners = append(c.listeners, l)
	}
	now := tables.Time(time.Now().UnixMicro())
	for _, l := range c.listeners {
		l.begin(now)
		l.start()
	}
	c.ticking.Go(c.tick)
	return nil
}

// Addresses are the listening addresses, "udp 127.0.0.1:2055".
func (c *Collector) Addresses() []string {
	names := make([]string, len(c.listeners))
	for i, l := range c.listeners {
		names[i] = l.label()
	}
	return names
}

// Close stops receiving, decodes what the kernel has taken in, tells the
// accounts to the last datagram and keeps the templates.
func (c *Collector) Close() error {
	close(c.stop)
	c.ticking.Wait()
	err := c.closeListeners()
	return errors.Join(err, c.account(time.Now(), true))
}

func (c *Collector) closeListeners() error {
	var errs []error
	for _, l := range c.listeners {
		errs = append(errs, l.close())
	}
	return errors.Join(errs...)
}

// accountEvery is how long a socket's row is, in seconds.
const accountEvery = 2

// tick runs each second until stop, at whole seconds of the clock: an account
// that is a minute's must not hold some of the next.
func (c *Collector) tick() {
	timer := time.NewTimer(untilSecond(time.Now()))
	defer timer.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		err := c.account(now.Round(time.Second), false)
		switch {
		case err != nil && !c.failing:
			c.log.Error("accounts", "error", err)
		case err == nil && c.failing:
			c.log.Info("accounts are written again")
		}
		c.failing = err != nil
		timer.Reset(untilSecond(time.Now()))
	}
}

// untilSecond is the wait for the next whole second, or the one after it when
// that is as good as now.
func untilSecond(now time.Time) time.Duration {
	wait := time.Second - time.Duration(now.Nanosecond())
	if wait < 10*time.Millisecond {
		wait += time.Second
	}
	return wait
}

// account passes on what was counted until now, and keeps templates that
// changed. What fails is tried again the next time.
func (c *Collector) account(now time.Time, last bool) error {
	at := tables.Time(now.UnixMicro())
	report := c.decoder.Tick
	if last {
		report = c.decoder.Close
	}
	errs := []error{report(at)}
	for _, l := range c.listeners {
		l.readDrops()
		if last || now.Unix()%accountEvery == 0 {
			errs = append(errs, l.tell(c.sink, at, last))
		}
	}
	errs = append(errs, c.keepTemplates())
	return errors.Join(errs...)
}
