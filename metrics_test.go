package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// scraped is what a process hands to Prometheus.
func scraped(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, resp.Status, err)
	}
	return string(b)
}

// Each process has its metrics, and those of itself.
func TestMetricsOfEachProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if code, _, stderr := runProgram(t, nil, "import", "--data", dir, "testdata/captures/office-morning.pcap"); code != 0 {
		t.Fatal(code, stderr)
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"compact", "--compact.metrics-listen", "127.0.0.1:0"},
			[]string{`wiresql_archive_files{family="packets"} 1`, `wiresql_archive_bytes{family="connections"} `, `wiresql_retention_budget_bytes{family="packets"} `,
				"wiresql_disk_free_bytes ", "wiresql_damaged_files 0", "process_resident_memory_bytes "}},
		{[]string{"serve", "--listen", "127.0.0.1:0", "--server.metrics-listen", "127.0.0.1:0"},
			[]string{"wiresql_serve_statements_total 0", "wiresql_serve_connections 0", "process_resident_memory_bytes "}},
	} {
		d := start(t, append([]string{c.args[0], "--data", dir}, c.args[1:]...)...)
		url := d.says(`metrics at (\S+)`)
		text := ""
		await(t, time.Minute, "the metrics of "+c.args[0], func() bool {
			text = scraped(t, url)
			for _, want := range c.want {
				if !strings.Contains(text, "\n"+want) {
					return false
				}
			}
			return true
		})
	}
}
