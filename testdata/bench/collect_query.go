package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const storedFlows = 5_000_010

// stored gives nfcapd and wiresql the same 5 million flows, of an hour, and
// returns their directories. It does so once.
func (c *collect) stored() (nf, archive string, err error) {
	nf, archive = filepath.Join(c.dir, "stored.nfcapd"), filepath.Join(c.dir, "stored.archive")
	done := filepath.Join(c.dir, "stored.done")
	if _, err := os.Stat(done); err == nil {
		return nf, archive, nil
	}
	flows := []string{"-flows", strconv.Itoa(storedFlows), "-rate", "250000", "-spread", "1h", "-epoch", "1767225600"}
	s, _, err := c.nfcapd(nf, flows...)
	if err != nil {
		return "", "", err
	}
	if s.stored != s.Flows {
		return "", "", fmt.Errorf("nfcapd lost %d flows at a slow pace: try again", s.Flows-s.stored)
	}
	capture := filepath.Join(c.dir, "stored.pcap")
	defer os.Remove(capture)
	if s, err = c.send(append([]string{"-pcap", capture}, flows...)...); err != nil {
		return "", "", err
	}
	if err := os.RemoveAll(archive); err != nil {
		return "", "", err
	}
	u, err := timed(c.wiresql, "import", "--data", archive, "--exports", capture)
	if err != nil {
		return "", "", err
	}
	log.Printf("import --exports: %v CPU, %v, %d MB", u.cpu, u.wall, u.rss>>20)
	got, err := c.numbers(archive, "SELECT COUNT(*), SUM(packets), SUM(bytes) FROM flows")
	if err != nil {
		return "", "", err
	}
	if t := (totals{got[0], got[1], got[2]}); t != sums(s) {
		return "", "", fmt.Errorf("stored are %+v, sent were %+v", t, sums(s))
	}
	return nf, archive, os.WriteFile(done, nil, 0o644)
}

// storage compares the bytes of a flow: settled Parquet against nfdump's LZ4.
// Both hold all that v5 has.
func (c *collect) storage() error {
	nf, archive, err := c.stored()
	if err != nil {
		return err
	}
	_, _, peer, err := facts(nf)
	if err != nil {
		return err
	}
	ours, files, err := familySize(archive, "exports")
	if err != nil {
		return err
	}
	connections, _, err := familySize(archive, "connections")
	if err != nil {
		return err
	}
	log.Printf("storage: %d files; connections take %.1f bytes a flow more", files, float64(connections)/storedFlows)
	o, p := float64(ours)/storedFlows, float64(peer)/storedFlows
	c.add("bytes a flow, settled", fmt.Sprintf("%.1f", o), fmt.Sprintf("nfdump LZ4 %.1f", p), o/p, "≤ 1.3x")
	return nil
}

// familySize adds up the Parquet files of a family.
func familySize(archive, family string) (size int64, files int, err error) {
	err = filepath.WalkDir(filepath.Join(archive, family), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, ".parquet") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
			files++
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, 0, nil
	}
	return size, files, err
}

// question is one question to nfdump and to us. answer turns what nfdump
// prints into the rows of the statement.
type question struct {
	what      string
	repeat    int // times in a row
	nfdump    []string
	statement string
	answer    func(printed []byte) ([]string, error)
}

var questions = []question{
	{"top 10 sources by bytes", 5, []string{"-q", "-N", "-o", "csv", "-s", "srcip/bytes", "-n", "10"},
		"SELECT src_ip, SUM(bytes) AS b FROM flows GROUP BY src_ip ORDER BY b DESC LIMIT 10",
		func(out []byte) ([]string, error) { return csvColumns(out, "ts,", 4, 9) }},
	{"filter: dst port 3389 and bytes > 10000", 20, []string{"-N", "-o", "null", "dst port 3389 and bytes > 10000"},
		"SELECT COUNT(*), SUM(bytes), SUM(packets) FROM flows WHERE dst_port = 3389 AND bytes > 10000",
		func(out []byte) ([]string, error) {
			m := summaryLine.FindSubmatch(out)
			if m == nil {
				return nil, fmt.Errorf("no summary in %q", out)
			}
			return []string{string(bytes.Join(m[1:], []byte(",")))}, nil
		}},
	{"top 10 of source, destination, port", 2, []string{"-q", "-N", "-o", "csv", "-A", "srcip,dstip,dstport", "-O", "bytes", "-n", "10"},
		"SELECT src_ip, dst_ip, dst_port, SUM(bytes) AS b FROM flows GROUP BY src_ip, dst_ip, dst_port ORDER BY b DESC LIMIT 10",
		func(out []byte) ([]string, error) { return csvColumns(out, "ts,", 3, 4, 6, 12) }},
}

var summaryLine = regexp.MustCompile(`total flows: (\d+), total bytes: (\d+), total packets: (\d+)`)

// csvColumns picks columns of each line but the header.
func csvColumns(out []byte, header string, columns ...int) ([]string, error) {
	var rows []string
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if strings.HasPrefix(line, header) {
			continue
		}
		cells := strings.Split(line, ",")
		var row []string
		for _, i := range columns {
			if i >= len(cells) {
				return nil, fmt.Errorf("line %q has no column %d", line, i)
			}
			row = append(row, strings.TrimSpace(cells[i]))
		}
		rows = append(rows, strings.Join(row, ","))
	}
	return rows, nil
}

// questions asks nfdump and a server on the wire about the same flows. What
// counts is user CPU: nfdump's, and the server's from /proc, which has ticks
// of 10 ms, so each statement is asked several times in a row.
func (c *collect) questions() error {
	nf, archive, err := c.stored()
	if err != nil {
		return err
	}
	return c.withProcess(archive, func(db *sql.DB, pid int) error {
		var wrong []error
		for _, q := range questions {
			n := time.Duration(q.repeat)
			var ours, peer, oursAll, peerAll, oursWall, peerWall []time.Duration
			for i := range c.runs + 1 {
				p, want, err := askNfdump(nf, q)
				if err != nil {
					return err
				}
				before, err := used(pid)
				if err != nil {
					return err
				}
				start := time.Now()
				var got []string
				for range q.repeat {
					if got, err = answers(db, q.statement); err != nil {
						return err
					}
				}
				wall := time.Since(start) / n
				after, err := used(pid)
				if err != nil {
					return err
				}
				if strings.Join(got, "\n") != strings.Join(want, "\n") {
					wrong = append(wrong, fmt.Errorf("%s: got\n%s\nnfdump says\n%s", q.what, strings.Join(got, "\n"), strings.Join(want, "\n")))
					break
				}
				if i == 0 {
					continue // opens files and fills caches
				}
				ours, oursAll = append(ours, (after.user-before.user)/n), append(oursAll, (after.cpu()-before.cpu())/n)
				peer, peerAll = append(peer, p.user), append(peerAll, p.cpu())
				oursWall, peerWall = append(oursWall, wall), append(peerWall, p.wall)
			}
			if len(ours) == 0 {
				continue
			}
			log.Printf("%s: with system time %s against %s; wall %s against %s", q.what, ms(median(oursAll)), ms(median(peerAll)), ms(median(oursWall)), ms(median(peerWall)))
			o, p := median(ours), median(peer)
			c.add(fmt.Sprintf("%s of %.1f M flows, user CPU", q.what, storedFlows/1e6), ms(o), "nfdump "+ms(p), ratio(p, o), "≥ 1.5x")
		}
		return errors.Join(wrong...)
	})
}

// asking is what a run of nfdump took.
type asking struct {
	cost
	wall time.Duration
}

func askNfdump(dir string, q question) (a asking, rows []string, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "nfcapd.*"))
	if err != nil || len(files) != 1 {
		return a, nil, fmt.Errorf("%d files of nfcapd in %s (%v)", len(files), dir, err)
	}
	cmd := exec.Command("nfdump", append([]string{"-r", files[0]}, q.nfdump...)...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	start := time.Now()
	out, err := cmd.Output()
	a.wall = time.Since(start)
	if err != nil {
		return a, nil, fmt.Errorf("nfdump %v: %w: %s", q.nfdump, err, complaint.String())
	}
	a.user, a.system = cmd.ProcessState.UserTime(), cmd.ProcessState.SystemTime()
	rows, err = q.answer(out)
	return a, rows, err
}

// answers reads all rows of a statement as text, cells joined by commas.
func answers(db *sql.DB, statement string) ([]string, error) {
	rows, err := db.Query(statement)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statement, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	values := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = wholeNumber(string(v))
		}
		out = append(out, strings.Join(cells, ","))
	}
	return out, rows.Err()
}

// wholeNumber writes a sum that comes as a double the way nfdump does.
func wholeNumber(text string) string {
	if !strings.ContainsAny(text, "eE") || strings.ContainsAny(text, ":") {
		return text
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return text
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}
