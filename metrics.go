package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// metricSource has numbers to watch: those of quantities, as they are when
// asked.
type metricSource interface {
	Quantities() []*collector.Quantity
	Metrics() []collector.Metric
}

// recorderQuantities are what the archive made of the rows.
var recorderQuantities = []*collector.Quantity{
	{Name: "wiresql_recorder_rows_total", Help: "flow records written and durable"},
	{Name: "wiresql_recorder_batches_total", Help: "batches written and durable"},
	{Name: "wiresql_recorder_write_errors_total", Help: "attempts to write a batch that failed; the batch is tried again"},
	{Name: "wiresql_recorder_lost_rows_total", Help: "flow records that were received and could not be kept"},
	{Name: "wiresql_recorder_lost_accounts_total", Help: "rows of accounts that could not be kept"},
	{Name: "wiresql_recorder_watermark_age_seconds", Help: "age of the durable watermark: all that came before it is durable", Gauge: true},
}

// recorderMetrics has the metrics of a recorder.
type recorderMetrics struct{ *archive.Recorder }

func (r recorderMetrics) Quantities() []*collector.Quantity { return recorderQuantities }

func (r recorderMetrics) Metrics() []collector.Metric {
	s := r.Stats()
	values := []float64{float64(s.Rows), float64(s.Batches), float64(s.Failed), float64(s.Lost), float64(s.LostAccounts), -1}
	if mark := r.Watermark(); mark > 0 {
		values[5] = time.Since(time.UnixMicro(int64(mark))).Seconds()
	}
	var out []collector.Metric
	for i, q := range recorderQuantities {
		if values[i] >= 0 { // the first batch is not written yet
			out = append(out, collector.Metric{Quantity: q, Value: values[i]})
		}
	}
	return out
}

// scrubQuantities are how far the reading of the archive's files is, which
// compaction does, as its state says.
var scrubQuantities = []*collector.Quantity{
	{Name: "wiresql_scrub_age_seconds", Help: "time since all files of the archive were last read and compared with their checksums", Gauge: true},
	{Name: "wiresql_scrub_round_files", Help: "files read in the last round, or in the one under way", Gauge: true},
	{Name: "wiresql_scrub_round_bytes", Help: "their bytes", Gauge: true},
	{Name: "wiresql_scrub_damaged_files", Help: "files in which something was found that is not as it was written; ops.damage names them", Gauge: true},
}

// scrubMetrics has the metrics of the scrubber of an archive.
type scrubMetrics struct{ *archive.Archive }

func (s scrubMetrics) Quantities() []*collector.Quantity { return scrubQuantities }

func (s scrubMetrics) Metrics() (out []collector.Metric) {
	now, ok := s.Scrubbed()
	if !ok {
		return nil
	}
	values := []float64{-1, float64(now.Files), float64(now.Bytes), float64(len(now.Found))}
	if now.Whole > 0 {
		values[0] = time.Since(time.UnixMicro(int64(now.Whole))).Seconds()
	}
	for i, q := range scrubQuantities {
		if values[i] >= 0 { // no round ended yet
			out = append(out, collector.Metric{Quantity: q, Value: values[i]})
		}
	}
	return out
}

// archiveQuantities are how much an archive holds, and what retention made of it.
var archiveQuantities = []*collector.Quantity{
	{Name: "wiresql_archive_bytes", Help: "bytes of packets, or of a family of rows", Gauge: true, Labels: []string{"family"}},
	{Name: "wiresql_archive_files", Help: "their files", Gauge: true, Labels: []string{"family"}},
	{Name: "wiresql_archive_oldest_age_seconds", Help: "age of the first packet or row, by its own time", Gauge: true, Labels: []string{"family"}},
	{Name: "wiresql_archive_fill_bytes", Help: "bytes that came a second, mean of the last day", Gauge: true, Labels: []string{"family"}},
	{Name: "wiresql_retention_budget_bytes", Help: "bytes they may take: then the oldest go", Gauge: true, Labels: []string{"family"}},
	{Name: "wiresql_retention_keeps_seconds", Help: "how long what comes at this rate stays", Gauge: true, Labels: []string{"family"}},
	{Name: "wiresql_retention_evicted_files", Help: "files evicted so far, as ops.evictions has them", Labels: []string{"family", "reason"}},
	{Name: "wiresql_retention_evicted_bytes", Help: "their bytes", Labels: []string{"family", "reason"}},
	{Name: "wiresql_disk_size_bytes", Help: "size of the disk the archive is on", Gauge: true},
	{Name: "wiresql_disk_free_bytes", Help: "bytes free on it", Gauge: true},
	{Name: "wiresql_damaged_files", Help: "files that are gone or not as they were written: ops.damage", Gauge: true},
}

// archiveMetrics has the metrics of an archive and its retention.
type archiveMetrics struct {
	*archive.Archive
	retention *archive.Retention
}

func (archiveMetrics) Quantities() []*collector.Quantity { return archiveQuantities }

func (m archiveMetrics) Metrics() (out []collector.Metric) {
	c, err := m.Catalog()
	if err != nil {
		return nil // the log of what fails has it
	}
	add := func(q int, value float64, labels ...string) {
		if value >= 0 { // else it is not known
			out = append(out, collector.Metric{Quantity: archiveQuantities[q], Labels: labels, Value: value})
		}
	}
	size, free, err := diskSpace(m.Dir())
	if err != nil {
		return nil
	}
	kept, err := m.Kept(m.retention)
	if err != nil {
		return nil
	}
	for _, k := range kept {
		budget := float64(k.Limit)
		if k.Limit == 0 {
			budget = -1
		}
		for i, value := range []float64{float64(k.Bytes), float64(k.Files), age(k.Oldest), k.Rate, budget, k.Keeps} {
			add(i, value, k.Family)
		}
	}
	for _, e := range c.Evictions() {
		add(6, float64(e.Files), e.Family, e.Reason)
		add(7, float64(e.Bytes), e.Family, e.Reason)
	}
	add(8, float64(size))
	add(9, float64(free))
	add(10, float64(len(c.Damage())))
	return out
}

// serveQuantities are what became of clients' statements.
var serveQuantities = []*collector.Quantity{
	{Name: "wiresql_serve_statements_total", Help: "statements that are over"},
	{Name: "wiresql_serve_failed_total", Help: "of these, that ended with an error"},
	{Name: "wiresql_serve_cancelled_total", Help: "of these, that were ended from outside: killed, for their time, or as their client went"},
	{Name: "wiresql_serve_seconds_total", Help: "time they took"},
	{Name: "wiresql_serve_rows_total", Help: "rows sent to clients"},
	{Name: "wiresql_serve_packets_total", Help: "packets read for them"},
	{Name: "wiresql_serve_packet_bytes_total", Help: "bytes of packets read"},
	{Name: "wiresql_serve_file_bytes_total", Help: "bytes of row files that the process read"},
	{Name: "wiresql_serve_connections", Help: "clients connected", Gauge: true},
	{Name: "wiresql_serve_running", Help: "statements that run", Gauge: true},
	{Name: "wiresql_hunt_schedules", Help: "hunts that run by themselves", Gauge: true},
	{Name: "wiresql_hunt_failing", Help: "of these, whose last run failed", Gauge: true},
	{Name: "wiresql_hunt_runs_total", Help: "their runs, by what became of them", Labels: []string{"outcome"}},
	{Name: "wiresql_hunt_waiting", Help: "findings that a target has to be told still", Gauge: true},
	{Name: "wiresql_hunt_deliveries_total", Help: "attempts to tell one, by what became of them", Labels: []string{"outcome"}},
}

// engineMetrics has the metrics of an engine that answers clients.
type engineMetrics struct{ *engine.Engine }

func (engineMetrics) Quantities() []*collector.Quantity { return serveQuantities }

func (m engineMetrics) Metrics() (out []collector.Metric) {
	s := m.Stats()
	for i, value := range []float64{float64(s.Statements), float64(s.Failed), float64(s.Cancelled), s.Duration.Seconds(), float64(s.Rows),
		float64(s.Packets), float64(s.PacketBytes), float64(s.FileBytes), float64(s.Connections), float64(s.Running)} {
		out = append(out, collector.Metric{Quantity: serveQuantities[i], Value: value})
	}
	h, err := m.HuntStats()
	if err != nil {
		return out // the log of what fails has it
	}
	add := func(q int, value int64, labels ...string) {
		out = append(out, collector.Metric{Quantity: serveQuantities[10+q], Labels: labels, Value: float64(value)})
	}
	add(0, int64(h.Schedules))
	add(1, int64(h.Failing))
	add(2, h.Found, tables.RunFound)
	add(2, h.Nothing, tables.RunNothing)
	add(2, h.Truncated, tables.RunTruncated)
	add(2, h.Failed, tables.RunFailed)
	add(3, int64(h.Waiting))
	add(4, h.Delivered, tables.DeliveryDone)
	add(4, h.DeliveryFailed-h.GivenUp, "failed")
	add(4, h.GivenUp, tables.DeliveryGivenUp)
	return out
}

// exposition hands metrics to Prometheus's library.
type exposition struct {
	sources []metricSource
	about   map[string]*prometheus.Desc
}

func newExposition(sources ...metricSource) *exposition {
	x := &exposition{sources: sources, about: map[string]*prometheus.Desc{}}
	for _, s := range sources {
		for _, q := range s.Quantities() {
			x.about[q.Name] = prometheus.NewDesc(q.Name, q.Help, q.Labels, nil)
		}
	}
	return x
}

// Describe implements prometheus.Collector.
func (x *exposition) Describe(to chan<- *prometheus.Desc) {
	for _, d := range x.about {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (x *exposition) Collect(to chan<- prometheus.Metric) {
	for _, s := range x.sources {
		for _, m := range s.Metrics() {
			kind := prometheus.CounterValue
			if m.Gauge {
				kind = prometheus.GaugeValue
			}
			metric, err := prometheus.NewConstMetric(x.about[m.Name], kind, m.Value, m.Labels...)
			if err != nil {
				metric = prometheus.NewInvalidMetric(x.about[m.Name], err)
			}
			to <- metric
		}
	}
}

// serveMetrics answers Prometheus at address, unless that is empty, until the returned
// function is called.
func (p *program) serveMetrics(address string, sources ...metricSource) (stop func(), err error) {
	if address == "" {
		return func() {}, nil
	}
	log := p.log
	registry := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{newExposition(sources...), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector()} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, startError{fmt.Errorf("metrics: %w", err)}
	}
	fmt.Fprintf(p.stdout, "metrics at http://%s/metrics\n", listener.Addr())
	if !loopback(listener.Addr().String()) {
		fmt.Fprintf(p.stderr, "wiresql %s: warning: metrics are served at %s to everybody who can reach it\n", p.flags.Name(), listener.Addr())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError), ErrorHandling: promhttp.ContinueOnError,
		MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Error("metrics", "error", err)
		}
	}()
	// Nothing is lost with it.
	return func() { _ = server.Close() }, nil
}
