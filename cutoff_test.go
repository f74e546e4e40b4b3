package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// What a cutoff left out is said beside each answer that wanted it, and beside no
// other; rows say it of themselves.
func TestCutoffIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	code, _, stderr := runProgram(t, nil, "import", "--data", dir, "--cutoff", "tcp port 443=300", "--cutoff", "udp port 53=headers",
		"testdata/captures/office-morning.pcap")
	if code != 0 {
		t.Fatal(code, stderr)
	}
	s := engineOver(t, dir).NewSession()
	for _, c := range []struct {
		statement, want string
		warned          bool
	}{
		{"SELECT LENGTH(payload) FROM packet_bytes WHERE dst_port = 53 LIMIT 1", "0", true},
		{"SELECT COUNT(*) FROM packet_bytes WHERE payload LIKE '%example%' AND dst_port = 53", "0", true},
		{"SELECT COUNT(*) FROM packet_bytes WHERE dst_port = 53", "132", false},
		{"SELECT COUNT(*) FROM connections c JOIN packet_bytes p USING (conn_id) WHERE c.server_port = 53 AND p.payload LIKE '%a%'", "0", true},
		{"SELECT SUM(LENGTH(p.frame)) > 0 FROM connections c JOIN packet_bytes p USING (conn_id) WHERE c.server_port = 443", "1", true},
		{"SELECT COUNT(*) FROM connections WHERE EXISTS (SELECT 1 FROM packet_bytes p WHERE p.conn_id = connections.conn_id AND p.payload LIKE '%zz%') AND server_port = 443", "0", true},
		{"SELECT COUNT(*) FROM (SELECT payload FROM packet_bytes WHERE dst_port = 80 UNION ALL SELECT payload FROM packet_bytes WHERE dst_port = 53) u WHERE payload IS NOT NULL", "", true},
		// What was recorded whole is not warned of.
		{"SELECT COUNT(*) FROM packet_bytes WHERE payload LIKE 'GET %' AND dst_port = 80", "", false},
		{"SELECT SUM(length) > SUM(caplen), SUM(truncated) = COUNT(*) FROM packets_wide WHERE dst_port = 53", "1\t1", false},
		{"SELECT COUNT(*) FROM packets_wide WHERE truncated <> (caplen < length)", "0", false},
		{"SELECT COUNT(*) > 0 FROM packets_wide WHERE truncated AND 443 IN (src_port, dst_port)", "1", false},
		{"SELECT DISTINCT visibility, packet_status FROM connections WHERE server_port = 53", "cut\ttruncated", false},
		{"SELECT COUNT(*) FROM connections WHERE (packet_status = 'truncated') <> (visibility = 'cut')", "0", false},
		{"SELECT COUNT(*) FROM connections WHERE packet_status = 'truncated' AND server_port NOT IN (53, 443)", "0", false},
	} {
		got := askEngine(s, c.statement)
		if got.err != "" || c.want != "" && strings.Join(got.rows, "\n") != c.want {
			t.Errorf("%s: %s %q, want %s", c.statement, got.err, got.rows, c.want)
		}
		text := strings.Join(got.warnings, "\n")
		if strings.Contains(text, "are not whole: so much of them was captured") != c.warned || !c.warned && text != "" {
			t.Errorf("%s: warnings %q, should be warned: %v", c.statement, text, c.warned)
		}
	}
	askEngine(s, "SET wiresql_gaps = 'error'")
	if got := askEngine(s, "SELECT payload FROM packet_bytes WHERE dst_port = 53"); !strings.Contains(got.err, "are not whole") {
		t.Errorf("wiresql_gaps = 'error': %q", got.err)
	}
	if got := askEngine(s, "SELECT COUNT(payload) FROM packet_bytes WHERE dst_port = 80"); got.err != "" {
		t.Errorf("wiresql_gaps = 'error': %q", got.err)
	}
}

func TestCutoffFlags(t *testing.T) {
	file := "testdata/captures/office-morning.pcap"
	for _, c := range []struct {
		args []string
		env  []string
		want string
	}{
		{[]string{"--cutoff", "tcp", file}, nil, "FILTER=BYTES"},
		{[]string{"--in-place", "--cutoff", "=headers", file}, nil, "left as they are"},
		{[]string{file}, []string{"WIRESQL_CAPTURE_CUTOFF=tcp port 80=1k,greater 100=5"}, `"greater" is not expected`},
	} {
		code, _, stderr := runProgram(t, c.env, append([]string{"import", "--data", filepath.Join(t.TempDir(), "data")}, c.args...)...)
		if code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v %v: code %d, %q, want %q", c.env, c.args, code, stderr, c.want)
		}
	}
}
