package main

import (
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// facts of EXPLAIN FORMAT=JSON, as a client reads them.
type explainFacts struct {
	Block struct {
		ID int `json:"select_id"`
	} `json:"query_block"`
	Facts struct {
		Summary []string
		Files   struct {
			Read, All int
			Bytes     int64
			OfBytes   int64 `json:"of_bytes"`
		}
		Packets []struct {
			FlowRows int `json:"flow_rows"`
			Packets  int64
			Segments int
			Bytes    int64
			OfBytes  int64 `json:"of_bytes"`
		}
		Actual *struct{ Rows, Packets, PacketBytes int64 }
	} `json:"wiresql"`
}

// TestExplainIsTrue compares what EXPLAIN says with the folder, with tcpdump,
// and with the bytes that the process then reads.
func TestExplainIsTrue(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	// Files and bytes as they lie in folders.
	size := func(folders ...string) (files int, bytes int64) {
		for _, f := range folders {
			err := filepath.WalkDir(filepath.Join(dir, f), func(path string, d os.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				info, err := d.Info()
				files, bytes = files+1, bytes+info.Size()
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		return files, bytes
	}
	captures, err := filepath.Glob(filepath.Join(demoCaptures, "*.pcap*"))
	if err != nil || len(captures) == 0 {
		t.Fatal("no captures", err)
	}
	for i, path := range captures {
		if strings.HasSuffix(path, ".gz") {
			captures[i] = unzipped(t, path)
		}
	}
	for _, c := range []struct {
		statement, filter string
		families          []string
	}{
		{"SELECT ts, info FROM packets WHERE protocol = 'tcp' AND (src_port = 80 OR dst_port = 80)", "tcp port 80 or (vlan and tcp port 80)", []string{"flows"}},
		{"SELECT ts, length FROM packets WHERE protocol = 'udp' AND (src_port = 53 OR dst_port = 53)", "udp port 53 or (vlan and udp port 53)", []string{"flows"}},
		{"SELECT ts, ttl FROM packets_wide", "", []string{"flows", "other"}},
		{"SELECT SUM(bytes), COUNT(DISTINCT client_ip), COUNT(conn_id) FROM connections", "none", []string{"connections"}},
		{"SELECT * FROM flows_wide", "none", []string{"flows"}},
	} {
		var want int64
		for _, path := range captures {
			if c.filter != "none" {
				want += int64(len(tcpdumpFrames(t, path, c.filter)))
			}
		}
		rows, err := demoEngine(t).Query(t.Context(), "EXPLAIN FORMAT=JSON "+c.statement)
		if err != nil {
			t.Fatal(c.statement, err)
		}
		row, err := rows.Next()
		rows.Close()
		var x explainFacts
		if err == nil {
			err = json.Unmarshal([]byte(row[0].(string)), &x)
		}
		if err != nil {
			t.Fatal(c.statement, err)
		}
		if files, bytes := size(c.families...); x.Facts.Files.All != files || x.Facts.Files.OfBytes != bytes || x.Facts.Files.Read != files {
			t.Errorf("%s: %+v, in the folders %d files of %d bytes", c.statement, x.Facts.Files, files, bytes)
		}
		said := x.Facts.Files.Bytes
		if c.filter != "none" {
			p := x.Facts.Packets[0]
			if _, bytes := size("packets"); p.Packets != want || p.OfBytes != bytes {
				t.Errorf("%s: %+v, tcpdump finds %d packets, the segments have %d bytes", c.statement, p, want, bytes)
			}
			said += p.Bytes
		}
		// An engine of its own, whose memory is empty.
		s := demoEngine(t).NewSession()
		askEngine(s, "SELECT 1")
		before := bytesRead(t)
		if got := askEngine(s, c.statement); got.err != "" || len(got.rows) == 0 {
			t.Fatal(c.statement, got.err)
		}
		// Coverage, names and the catalogue are read beside it. Who reads a file
		// first compares the blocks it touches with their checksums: these files
		// are smaller than a block.
		most := said - x.Facts.Files.Bytes + x.Facts.Files.OfBytes
		if read := bytesRead(t) - before; read < said*4/5 || read > most*5/4+10_000 {
			t.Errorf("%s: says %d bytes, read were %d", c.statement, said, read)
		} else {
			t.Logf("%s: says %d bytes, read were %d", c.statement, said, read)
		}
	}
}

// unzipped is a copy of a file that tcpdump reads.
func unzipped(t *testing.T, path string) string {
	t.Helper()
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	plain, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "plain.pcap")
	if err := os.WriteFile(out, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return out
}

// bytesRead is what the process has read so far, as the kernel counts it.
func bytesRead(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		t.Skip("the kernel does not count: ", err)
	}
	n, err := strconv.ParseInt(regexp.MustCompile(`rchar: (\d+)`).FindStringSubmatch(string(text))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestExplainFits: lines fit into a terminal of 100 columns, the frame of the
// client's table included, whatever was asked; literals alone are not broken.
func TestExplainFits(t *testing.T) {
	s := demoEngine(t).NewSession()
	for _, statement := range []string{
		foundingPackets,
		"SELECT * FROM connections WHERE client_ip IN ('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6', '10.0.0.7') ORDER BY ts DESC LIMIT 5 OFFSET 7",
		"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i, (SELECT COUNT(*) FROM flows f WHERE f.dst_port = n.i * 10 AND f.protocol LIKE 'tc%') FROM n",
		"SELECT service, SUM(bytes) OVER (PARTITION BY service ORDER BY ts), CASE WHEN bytes > 10 THEN 'many' ELSE NULL END FROM connections WHERE NOT (bytes BETWEEN 1 AND 5) AND server_name IS NOT NULL",
		"SELECT DISTINCT a.client_ip FROM connections a JOIN flows b ON a.bytes > b.bytes LEFT JOIN dns d ON d.conn_id = a.conn_id WHERE a.service NOT IN (SELECT service FROM connections WHERE bytes > 1000000) UNION SELECT ip FROM hosts GROUP BY ip WITH ROLLUP",
	} {
		for _, head := range []string{"EXPLAIN ", "EXPLAIN ANALYZE "} {
			got := askEngine(s, head+statement)
			if got.err != "" {
				t.Errorf("%s: %s", statement, got.err)
			}
			for _, line := range got.rows {
				if n := utf8.RuneCountInString(line); n > 96 && !strings.Contains(line, "error('") {
					t.Errorf("%s: a line of %d: %s", statement, n, line)
				}
			}
			text := strings.Join(got.rows, "\n")
			if !strings.HasPrefix(text, "reads    ") || strings.Index(text, "\ntree ") > strings.Index(text, "\nsql ") || strings.Contains(text, "*pushdown") {
				t.Errorf("%s:\n%s", statement, text)
			}
		}
	}
}

// TestExplainTraditional: the columns are those of MySQL 8's manual (10.8.2),
// in their types, and what is not known is NULL.
func TestExplainTraditional(t *testing.T) {
	db := wireDB(t, demoEngine(t))
	rows, err := db.Query("EXPLAIN FORMAT=TRADITIONAL SELECT p.ts, (SELECT MAX(bytes) FROM flows) FROM connections c JOIN packets p USING (conn_id) WHERE c.server_port = 80 ORDER BY p.ts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range types {
		got = append(got, c.Name()+" "+c.DatabaseTypeName())
	}
	const want = "id BIGINT, select_type VARCHAR, table VARCHAR, partitions LONGTEXT, type VARCHAR, possible_keys VARCHAR, key VARCHAR, key_len VARCHAR, " +
		"ref VARCHAR, rows BIGINT, filtered DOUBLE, Extra VARCHAR"
	if text := strings.ReplaceAll(strings.Join(got, ", "), "partitions TEXT", "partitions LONGTEXT"); text != want {
		t.Errorf("columns %s", text)
	}
	var lines []string
	for rows.Next() {
		cells := make([]sql.NullString, len(types))
		to := make([]any, len(cells))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for _, i := range []int{0, 1, 2, 3, 4, 6, 10} {
			if line = append(line, cells[i].String); !cells[i].Valid {
				line[len(line)-1] = "NULL"
			}
		}
		lines = append(lines, strings.Join(line, " "))
	}
	if text := strings.Join(lines, "\n"); text != "1 PRIMARY connections NULL ALL NULL NULL\n1 PRIMARY packets NULL ref flows NULL\n2 SUBQUERY flows NULL ALL NULL NULL" {
		t.Errorf("rows:\n%s", text)
	}
}

var size = regexp.MustCompile(`\d+\.\d KB`)

// TestExplainOfDocs: what the documentation shows is what EXPLAIN says. TestTutorial reads the README's.
func TestExplainOfDocs(t *testing.T) {
	s := demoEngine(t).NewSession()
	shown := 0
	for _, block := range strings.Split(fileText(t, "docs/sql.md"), "```text\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		statement, block, ok := strings.Cut(block, "\n")
		if !ok || !strings.HasPrefix(statement, "> EXPLAIN ") || !strings.HasPrefix(block, "reads  ") {
			continue
		}
		shown++
		block, _, _ = strings.Cut(strings.TrimSpace(block), "\n         …")
		// Row files hold the time of the import: their size is never quite the same.
		if got := explained(t, s, strings.TrimSuffix(statement[2:], ";")); !strings.HasPrefix(size.ReplaceAllString(got, "… KB"), size.ReplaceAllString(block, "… KB")) {
			t.Errorf("docs/sql.md shows\n%s\nEXPLAIN says\n%s", block, got)
		}
	}
	if shown != 1 {
		t.Errorf("docs/sql.md shows %d plans", shown)
	}
}
