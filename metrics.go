package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wiresql/wiresql/collector"
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

// serveMetrics answers Prometheus at address until the returned function is
// called.
func serveMetrics(address string, x *exposition, log *slog.Logger) (listening net.Addr, stop func() error, err error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(x); err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("metrics: %w", err)
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
	return listener.Addr(), server.Close, nil
}
