package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// Exit codes of import: 0 when all files are whole, 1 when nothing was
// imported, 3 when something was and damage, or packets that are not decoded, are
// reported.
const exitDamaged = 3

// importMemory is how far the heap may grow before it is collected more often
// than by default, which lets garbage double what is in use.
const importMemory = 768 << 20

// summaryMemory is what the queries of the summary may hold before they spill:
// the bound of 1 GB is the whole import's.
const summaryMemory = 320 << 20

func importCommand() *command {
	return &command{
		summary:  "read captures into an archive: pcap and pcapng, also .gz and .zst; folders are searched",
		args:     "FILE|DIR…",
		sections: []string{"retention"},
		flags: func(f *pflag.FlagSet) {
			f.Bool("in-place", false, "index the captures where they lie instead of copying their packets")
			f.StringSlice("cutoff", nil, "how much of whose payload is kept, each FILTER=BYTES or FILTER=headers (see capture.cutoff, wiresql config)")
			f.String("sensor", "", "name of the sensor that saw the packets (default \"import\")")
			f.String("site", "", "space of addresses the packets belong to (default: the sensor's name, if one is given)")
			f.Bool("exports", false, "read flow exports (NetFlow, IPFIX, sFlow): captures that have them in their packets, and raw files of datagrams; in the order named, templates first")
			f.String("exporter", "0.0.0.0", "address of the exporter of raw files")
			f.Bool("no-sync", false, "do not wait for the disk: for benchmarks; a power failure may lose the import")
			f.Bool("unobserved", false, "flows only: for benchmarks of what else is read of packets")
			_ = f.MarkHidden("unobserved")
		},
		run: runImport,
	}
}

func runImport(ctx context.Context, p *program, args []string) error {
	if len(args) == 0 {
		return errors.New("name at least one capture file or folder")
	}
	inPlace, _ := p.flags.GetBool("in-place")
	sensor, _ := p.flags.GetString("sensor")
	site, _ := p.flags.GetString("site")
	for flag, name := range map[string]string{"sensor": sensor, "site": site} {
		if utf8.RuneCountInString(name) > tables.MaxName {
			return fmt.Errorf("--%s %q is longer than %d characters", flag, name, tables.MaxName)
		}
	}
	cutoffs, err := capture.ParseCutoffs(p.config.Capture.Cutoff)
	if err != nil {
		return err
	}
	if inPlace && p.flags.Changed("cutoff") {
		return errors.New("--cutoff and --in-place: captures that are indexed where they lie are left as they are")
	}
	noSync, _ := p.flags.GetBool("no-sync")
	unobserved, _ := p.flags.GetBool("unobserved")
	exports, o, err := p.exportFlags()
	if err != nil {
		return err
	}
	debug.SetMemoryLimit(importMemory)
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log, NoSync: noSync, Retention: &p.config.Retention})
	if err != nil {
		return err
	}
	defer a.Close()
	if exports {
		return p.importExports(ctx, a, args, o)
	}
	report, err := p.importFiles(ctx, a, capture.ImportConfig{Paths: args, InPlace: inPlace, Sensor: sensor, Site: site, Logger: p.log, Unobserved: unobserved, Meter: capture.Config{Cutoffs: cutoffs}})
	if err != nil {
		return err
	}
	if report.Imported+report.Damaged > 0 {
		debug.FreeOSMemory() // the summary's queries take some of their own
		if err := p.summary(ctx, a, report); err != nil {
			return err
		}
	}
	switch {
	case report.Imported+report.Known == 0 && report.Packets == 0:
		return exitError(1)
	case !report.Whole() || !report.Decoded():
		return exitError(exitDamaged)
	}
	return nil
}

// importFiles imports, merges, and says what became of each odd file.
func (p *program) importFiles(ctx context.Context, a *archive.Archive, cfg capture.ImportConfig) (capture.Report, error) {
	var done func()
	cfg.Progress, done = p.progress()
	report, err := capture.Import(ctx, a, cfg)
	done()
	for _, f := range report.Files {
		switch {
		case f.Err != nil:
			fmt.Fprintf(p.stderr, "%s: %v\n", f.State, f.Err)
		case f.State == capture.FileKnown:
			as := ""
			if f.KnownAs != "" {
				as = ", for " + f.KnownAs + ": an archive holds a capture once; for another sensor import it into another archive (--data)"
			}
			fmt.Fprintf(p.stdout, "%s: %s%s\n", f.Path, f.State, as)
		}
		if f.Untimed > 0 {
			fmt.Fprintf(p.stdout, "%s: %d of %d packets have no time of their own but that of their neighbours\n", f.Path, f.Untimed, f.Packets)
		}
		if f.NotDecoded != "" {
			fmt.Fprintf(p.stderr, "%s: %s\n", f.Path, f.NotDecoded)
		}
	}
	if err != nil {
		return report, err
	}
	if _, err = compact.Run(ctx, a, compact.Config{Logger: p.log}); err != nil {
		return report, err
	}
	gone, err := a.Evict()
	if gone.Files > 0 {
		fmt.Fprintf(p.stderr, "evicted %d files of %.1f MB: the budgets of retention leave no room for them (SELECT * FROM ops.evictions)\n", gone.Files, float64(gone.Bytes)/1e6)
	}
	return report, err
}

// progress returns a callback that draws a bar on a terminal and prints a
// line now and then elsewhere, and what to call at the end.
func (p *program) progress() (func(capture.Progress), func()) {
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		bar := progressbar.NewOptions64(-1,
			progressbar.OptionSetWriter(p.stderr),
			progressbar.OptionShowBytes(true),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
			progressbar.OptionThrottle(100*time.Millisecond))
		return func(s capture.Progress) {
				bar.ChangeMax64(s.BytesTotal)
				bar.Describe(fmt.Sprintf("%d/%d files, %d packets", s.Files, s.FilesTotal, s.Packets))
				// The bar writes to a terminal that may have gone.
				_ = bar.Set64(s.Bytes)
			}, func() {
				_ = bar.Finish()
			}
	}
	last := time.Duration(0)
	return func(s capture.Progress) {
		if s.Elapsed-last < 5*time.Second || s.BytesTotal == 0 {
			return
		}
		last = s.Elapsed
		rate := float64(s.Bytes) / s.Elapsed.Seconds()
		left := time.Duration(float64(s.BytesTotal-s.Bytes) / rate * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(p.stderr, "%d of %d files, %d packets, %.0f %% at %.0f MB/s, %v left\n",
			s.Files, s.FilesTotal, s.Packets, 100*float64(s.Bytes)/float64(s.BytesTotal), rate/1e6, left)
	}, func() {}
}

// summary tells what was imported, and what to ask of it.
func (p *program) summary(ctx context.Context, a *archive.Archive, r capture.Report) error {
	cfg := p.config.Engine
	if cfg.MemoryLimit <= 0 || cfg.MemoryLimit > summaryMemory {
		cfg.MemoryLimit = summaryMemory
	}
	e, err := engine.New(cfg, a, p.log)
	if err != nil {
		return err
	}
	defer e.Close()
	span := ""
	if r.Packets > 0 {
		span = fmt.Sprintf(", %s to %s", clock(r.First), clock(r.Last))
	}
	fmt.Fprintf(p.stdout, "imported %d files: %d packets, %d connections%s, in %v\n",
		r.Imported+r.Damaged, r.Packets, r.Conversations, span, r.Elapsed.Round(time.Millisecond))
	if r.Damaged > 0 {
		fmt.Fprintf(p.stdout, "%d files are damaged; everything before the damage is imported: SELECT file, damage_offset, damage FROM ops.imports WHERE state = 'damaged'\n", r.Damaged)
	}
	if r.Packets > 0 && r.Conversations == 0 {
		fmt.Fprintln(p.stdout, "no packet of them is IP that can be read: SELECT ether_type, error, COUNT(*) FROM packets_wide GROUP BY ether_type, error")
	}
	if r.Unread > 0 {
		fmt.Fprintf(p.stdout, "%d packets broke a reader of names and transactions, whose rows lack: please report it\n", r.Unread)
	}
	if r.GivenUp > 0 {
		fmt.Fprintf(p.stdout, "%d queries, requests and streams were given up, because too many were open: rows of dns, tls, http and the like lack what came later\n", r.GivenUp)
	}
	rows, err := queryText(ctx, e, `SELECT host, ip, COUNT(*) AS connections, SUM(bytes_out) AS bytes_out, SUM(bytes_in) AS bytes_in
FROM host_flows WHERE host IS NOT NULL GROUP BY host, ip ORDER BY connections DESC, host LIMIT 5`)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		fmt.Fprintln(p.stdout, "top hosts by name:")
		for _, row := range rows {
			fmt.Fprintf(p.stdout, "  %-30s %-15s %6s connections, %s bytes out, %s in\n", row[0], row[1], row[2], row[3], row[4])
		}
	}
	return p.readyQueries(ctx, e, r, rows)
}

// readyQueries prints three queries with values from the archive.
func (p *program) readyQueries(ctx context.Context, e *engine.Engine, r capture.Report, hosts [][]string) error {
	who, near := "", ""
	for _, host := range hosts { // the first that asked somebody, and whose name can be pasted into a shell
		if strings.ContainsFunc(host[0], func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
		}) {
			continue
		}
		near = fmt.Sprintf(" AND client_ip = '%s'", host[1]) // few rows need names then
		rows, err := queryText(ctx, e, fmt.Sprintf("SELECT 1 FROM connections WHERE client_host = '%s'%s LIMIT 1", host[0], near))
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			who = fmt.Sprintf("client_host = '%s'", host[0])
			break
		}
	}
	if who == "" {
		near = ""
		rows, err := queryText(ctx, e, "SELECT client_ip, COUNT(*) AS n FROM connections GROUP BY client_ip ORDER BY n DESC, client_ip LIMIT 1")
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		who = fmt.Sprintf("client_ip = '%s'", rows[0][0])
	}
	// Its busiest hour: from first to last may be years, when a clock was wrong.
	hour, err := queryText(ctx, e, "SELECT h, h + INTERVAL 1 HOUR FROM (SELECT CAST(DATE_FORMAT(ts, '%Y-%m-%d %H:00:00') AS DATETIME) AS h, COUNT(*) AS n "+
		"FROM connections WHERE "+who+near+" GROUP BY h) t ORDER BY n DESC, h LIMIT 1")
	if err != nil {
		return err
	}
	if len(hour) == 0 {
		return nil
	}
	fmt.Fprintf(p.stdout, `try:
  wiresql query --data %[1]s "SELECT ts, server_name, server_ip, server_port, bytes, packet_status FROM connections WHERE %[2]s AND overlaps(ts, ts_end, '%[3]s', '%[4]s') ORDER BY ts LIMIT 20"
  wiresql query --data %[1]s "SELECT p.ts, p.src_ip, p.dst_ip, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.%[2]s ORDER BY p.ts LIMIT 20"
  wiresql query --data %[1]s "SELECT server_ip, server_name, service, COUNT(*) AS connections, SUM(bytes) AS bytes FROM connections GROUP BY server_ip, server_name, service ORDER BY bytes DESC LIMIT 10"
`, p.config.Data, who, hour[0][0], hour[0][1])
	return nil
}

// queryText runs a statement and returns its rows as text, NULL as "".
func queryText(ctx context.Context, e *engine.Engine, statement string) ([][]string, error) {
	rows, err := e.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out [][]string
	for {
		row, err := rows.Text()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		line := make([]string, len(row))
		for i := range row {
			line[i] = string(row[i])
		}
		out = append(out, line)
	}
}

// clock prints a time as SQL takes it.
func clock(t tables.Time) string {
	return time.UnixMicro(int64(t)).UTC().Format("2006-01-02 15:04:05.999999")
}
