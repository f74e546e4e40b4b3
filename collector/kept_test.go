package collector

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// TestRunsAreNumbered: each has a number of its own, and a file nobody can
// read is no reason not to record.
func TestRunsAreNumbered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", runFile)
	first, err := nextRun(disk.Real{}, path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		kept string
		want uint32 // 0: any
	}{
		{"", first%maxRun + 1}, {"7\n", 8}, {strconv.Itoa(maxRun), 1}, {strconv.Itoa(maxRun + 1), 0}, {"0", 0}, {"-1", 0}, {"seven", 0},
	} {
		if c.kept != "" {
			if err := os.WriteFile(path, []byte(c.kept), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := nextRun(disk.Real{}, path)
		if err != nil || got < 1 || got > maxRun || c.want != 0 && got != c.want {
			t.Errorf("after %q: run %d, want %d (%v)", c.kept, got, c.want, err)
		}
		kept, err := os.ReadFile(path)
		if err != nil || string(kept) != fmt.Sprintf("%d\n", got) {
			t.Errorf("run %d is kept as %q (%v)", got, kept, err)
		}
	}
}

// TestUnreadableTemplates are left aside, aloud.
func TestUnreadableTemplates(t *testing.T) {
	for _, state := range []string{"{", "[1,2", "\x00\x01\x02"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, templatesFile), []byte(state), 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		c := New(socketConfig(), &gate{}, dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err := c.Start(); err != nil {
			t.Errorf("%q: %v", state, err)
			continue
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "left aside") {
			t.Errorf("%q: not a word in %q", state, log.String())
		}
	}
}

// TestTotals: metrics are the sums of the rows the sink took, and senders
// without end do not make metrics without end.
func TestTotals(t *testing.T) {
	sink := &gate{}
	totals := NewTotals(sink)
	find := func(name string, labels ...string) float64 {
		t.Helper()
		for _, m := range totals.Metrics() {
			if m.Name == name && strings.Join(m.Labels, "|") == strings.Join(labels, "|") {
				return m.Value
			}
		}
		t.Errorf("no %s of %q", name, labels)
		return -1
	}
	for range 3 {
		if err := totals.Socket(&tables.Socket{Socket: "udp a", Received: 5, Decoded: 3, KernelDrops: 1, BufferBytes: 7}); err != nil {
			t.Fatal(err)
		}
	}
	sink.broken = os.ErrPermission
	if err := totals.Socket(&tables.Socket{Socket: "udp a", Received: 100}); err == nil {
		t.Error("the sink's error is gone")
	}
	if got := find("wiresql_socket_received_total", "udp a"); got != 15 {
		t.Errorf("received %v", got)
	}
	if got := find("wiresql_socket_buffer_bytes", "udp a"); got != 7 {
		t.Errorf("buffer %v", got)
	}
	for i := range maxTotals + 10 {
		row := tables.Exporter{Exporter: tables.Addr{Lo: uint64(i)}, Observer: strconv.Itoa(i), SourceType: "ipfix",
			Domain: tables.Some(int64(i)), Records: 2, KnownTemplates: 4}
		if err := totals.Exporter(&row); err != nil {
			t.Fatal(err)
		}
	}
	if got := find("wiresql_exporter_records_total", "::", "other", "", ""); got != 20 {
		t.Errorf("records of all others: %v", got)
	}
	if got := find("wiresql_exporter_records_total", "::5", "5", "ipfix", "5"); got != 2 {
		t.Errorf("records of one: %v", got)
	}
	if n := len(totals.exporters); n != maxTotals+1 {
		t.Errorf("%d streams", n)
	}
	for _, m := range totals.Metrics() {
		if m.Name == "wiresql_exporter_sampling_rate" {
			t.Fatal("a rate nobody reported")
		}
	}
}
