package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

const (
	// statusName is what record calls the file in which it says how it is.
	statusName  = "record"
	statusEvery = time.Second
	// statusOld is the age at which it is not believed: the recorder is gone.
	statusOld = 10 * time.Second
	// rates are of this long, the filling of the disk of up to fillOver.
	ratesOver = 10
	fillOver  = 10 * time.Minute
)

// recorderStatus is what a recorder says of itself.
type recorderStatus struct {
	Process    int               `json:"process"`
	Began      time.Time         `json:"began"`
	At         time.Time         `json:"at"`
	Interfaces []interfaceStatus `json:"interfaces"`
	// Records are flow records of exporters since it began.
	Records       int64   `json:"records"`
	RecordsPerSec float64 `json:"records_per_second"`
	LostRecords   int64   `json:"lost_records"`
	FillPerSec    float64 `json:"disk_fill_bytes_per_second"` // of all that is on that disk
	FillKnown     bool    `json:"disk_fill_known"`
	// Retention is as it is configured; times are in nanoseconds.
	Retention archive.Retention `json:"retention"`
}

// interfaceStatus is a worker of an interface since the recorder began.
type interfaceStatus struct {
	Name          string      `json:"interface"`
	Worker        int         `json:"worker"` // from 1
	Sensor        string      `json:"sensor"`
	Filter        string      `json:"filter,omitempty"`
	State         string      `json:"state"`
	Packets       int64       `json:"packets"`
	Bytes         int64       `json:"bytes"`
	Received      uint64      `json:"received"`
	Dropped       uint64      `json:"dropped"`
	Failures      int64       `json:"failures"`
	Durable       tables.Time `json:"durable_to"`
	Lag           float64     `json:"lag_seconds"` // since then, if there is something to record
	PacketsPerSec float64     `json:"packets_per_second"`
	BitsPerSec    float64     `json:"bits_per_second"`
	DropsPerSec   float64     `json:"drops_per_second"`
}

// report says every second how recording goes, until ctx ends.
func (p *program) report(ctx context.Context, a *archive.Archive, recorder *archive.Recorder, list []*captured) {
	type filled struct {
		at   time.Time
		used int64
	}
	var disk []filled
	var before []recorderStatus // of the last seconds
	began := time.Now()
	failing, told := false, false
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		stats := recorder.Stats()
		now := recorderStatus{Process: os.Getpid(), Began: began, At: time.Now(), Records: stats.Rows, LostRecords: stats.Lost,
			Retention: p.config.Retention}
		for _, c := range list {
			s := c.counts()
			now.Interfaces = append(now.Interfaces, interfaceStatus{Name: c.of.Name, Worker: c.device.Worker() + 1, Sensor: c.of.Sensor, Filter: c.of.Filter,
				State: c.device.State().String(), Packets: s.Packets, Bytes: s.Bytes, Received: s.Received, Dropped: s.Dropped,
				Failures: c.failed.Load(), Durable: s.Watermark, Lag: lag(s)})
		}
		if before = append(before, now); len(before) > ratesOver+1 {
			before = before[1:]
		}
		now.rates(before[0])
		if size, free, err := diskSpace(p.config.Data); err == nil && (len(disk) == 0 || now.At.Sub(disk[len(disk)-1].at) >= 10*time.Second) {
			if disk = append(disk, filled{now.At, size - free}); now.At.Sub(disk[0].at) > fillOver {
				disk = disk[1:]
			}
		}
		if !told && now.At.Sub(began) >= tellBudgetsAfter {
			told = true
			p.tellBudgets(a)
		}
		if n := len(disk); n > 1 {
			now.FillKnown = true
			now.FillPerSec = float64(disk[n-1].used-disk[0].used) / disk[n-1].at.Sub(disk[0].at).Seconds()
		}
		if err := a.WriteStatus(statusName, now); (err != nil) != failing {
			if failing = err != nil; failing {
				p.log.Warn("wiresql status can't show how recording goes", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			if err := a.RemoveStatus(statusName); err != nil {
				p.log.Warn("recording ends", "error", err)
			}
			return
		case <-tick.C:
		}
	}
}

// tellBudgetsAfter a start it is said what budgets mean: by then there is a rate.
const tellBudgetsAfter = time.Minute

// tellBudgets says how long what is recorded will be kept.
func (p *program) tellBudgets(a *archive.Archive) {
	kept, err := a.Kept(&p.config.Retention)
	if err != nil {
		return // who writes says so
	}
	var parts []string
	for _, k := range kept {
		if k.Rate > 0 && k.Keeps >= 0 {
			parts = append(parts, fmt.Sprintf("%s for %s (%s at %s a second)", k.Family, durationText(k.Keeps), budgetText(&k), rateText(k.Rate)))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(p.stdout, "at the present rate these are kept: %s; wiresql status shows it, retention sets it\n", strings.Join(parts, ", "))
	}
}

// rates computes what happened a second since then.
func (s *recorderStatus) rates(then recorderStatus) {
	seconds := s.At.Sub(then.At).Seconds()
	if seconds <= 0 {
		return
	}
	s.RecordsPerSec = float64(s.Records-then.Records) / seconds
	for i := range s.Interfaces {
		now, was := &s.Interfaces[i], then.Interfaces[i]
		now.PacketsPerSec = float64(now.Packets-was.Packets) / seconds
		now.BitsPerSec = float64(now.Bytes-was.Bytes) * 8 / seconds
		now.DropsPerSec = float64(now.Dropped-was.Dropped) / seconds
	}
}

// diskSpace tells the size of the disk a directory is on, and what of it is free
// for us.
func diskSpace(dir string) (size, free int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Blocks-s.Bfree+s.Bavail) * int64(s.Bsize), int64(s.Bavail) * int64(s.Bsize), nil
}

// archiveStatus is what wiresql status shows.
type archiveStatus struct {
	Archive  string          `json:"archive"`
	At       time.Time       `json:"at"`
	Recorder *recorderStatus `json:"recorder"` // null when nothing records
	Packets  struct {
		Segments int         `json:"segments"`
		Bytes    int64       `json:"bytes"`
		Oldest   tables.Time `json:"oldest"`
	} `json:"packets"`
	Rows struct {
		Files      int         `json:"files"`
		Bytes      int64       `json:"bytes"`
		OldestFlow tables.Time `json:"oldest_flow"`
	} `json:"rows"`
	Disk struct {
		Size   int64   `json:"size"`
		Free   int64   `json:"free"`
		FullIn float64 `json:"full_in_seconds"` // at the present rate; negative: not
		FullAt string  `json:"full_at,omitempty"`
	} `json:"disk"`
	// Kept are packets and the families of rows, with their budgets.
	Kept []archive.Kept `json:"kept"`
	// Roots are the folders that packets lie in.
	Roots  []archive.Root `json:"roots"`
	Damage int            `json:"damage"`
	// Hunts are the scheduled ones that fail, or that nobody runs.
	Hunts []engine.HuntTrouble `json:"hunts_in_trouble,omitempty"`
}

func statusCommand() *command {
	return &command{
		summary: "show how recording goes: rates, lag, losses, what there is and how long the disk lasts",
		flags: func(f *pflag.FlagSet) {
			f.Bool("json", false, "write JSON, a line each time")
			f.Bool("watch", false, "show it again every two seconds")
		},
		run: runStatus,
	}
}

func runStatus(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return startError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	dir, err := p.dataDirectory()
	if err != nil {
		return err
	}
	a, err := archive.Open(dir, archive.Options{Logger: p.log, ReadOnly: true})
	if err != nil {
		return err
	}
	defer a.Close()
	asJSON, _ := p.flags.GetBool("json")
	watch, _ := p.flags.GetBool("watch")
	for {
		s, err := statusOf(a, p.config.Retention)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if asJSON {
			if err := json.NewEncoder(&out).Encode(s); err != nil {
				return err
			}
		} else {
			if f, ok := p.stdout.(*os.File); ok && watch && term.IsTerminal(int(f.Fd())) {
				out.WriteString("\x1b[H\x1b[2J") // the screen anew
			}
			s.print(&out)
		}
		if _, err := p.stdout.Write(out.Bytes()); err != nil || !watch {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(2 * time.Second):
		}
	}
}

// statusOf looks at an archive and at what its recorder says.
func statusOf(a *archive.Archive, retention archive.Retention) (s archiveStatus, err error) {
	c, err := a.Catalog()
	if err != nil {
		return s, err
	}
	s.Archive, s.At, s.Damage = a.Dir(), time.Now(), len(c.Damage())
	for _, g := range c.Segments() {
		if g.State != archive.StateAvailable {
			continue
		}
		s.Packets.Segments++
		if !g.InPlace {
			s.Packets.Bytes += g.Bytes
		}
		if t := g.TS.V; g.TS.Set && (s.Packets.Oldest == 0 || t < s.Packets.Oldest) {
			s.Packets.Oldest = t
		}
	}
	if s.Hunts, err = engine.HuntTroubles(a); err != nil {
		return s, err
	}
	s.Rows.Files, s.Rows.Bytes = c.Rows()
	for _, f := range []archive.Family{archive.Flows, archive.Exports, archive.Connections} {
		if list := c.Files(f); len(list) > 0 && (s.Rows.OldestFlow == 0 || list[0].MinTS < s.Rows.OldestFlow) {
			s.Rows.OldestFlow = list[0].MinTS
		}
	}
	var r recorderStatus
	if a.ReadStatus(statusName, &r) == nil && time.Since(r.At) < statusOld {
		s.Recorder = &r
	}
	s.Disk.FullIn = -1
	if s.Disk.Size, s.Disk.Free, err = diskSpace(a.Dir()); err != nil {
		return s, err
	}
	if s.Recorder != nil { // which may have been started with others
		retention = s.Recorder.Retention
	}
	if s.Kept, err = a.Kept(&retention); err != nil {
		return s, err
	}
	if s.Roots, err = a.Roots(); err != nil {
		return s, err
	}
	if r := s.Recorder; r != nil && r.FillKnown && r.FillPerSec >= 1 {
		s.Disk.FullIn = float64(s.Disk.Free) / r.FillPerSec
		if s.Disk.FullIn < 10*365*24*3600 {
			s.Disk.FullAt = s.At.Add(time.Duration(s.Disk.FullIn * 1e9)).UTC().Format(time.DateTime)
		}
	}
	return s, nil
}

// print writes it for people.
func (s *archiveStatus) print(out *bytes.Buffer) {
	fmt.Fprintf(out, "archive   %s, at %s UTC\n", s.Archive, s.At.UTC().Format(time.DateTime))
	fmt.Fprintf(out, "packets   %s in %d segments, since %s\n", byteText(s.Packets.Bytes), s.Packets.Segments, timeOrNone(s.Packets.Oldest))
	fmt.Fprintf(out, "rows      %s in %d files; flows since %s\n", byteText(s.Rows.Bytes), s.Rows.Files, timeOrNone(s.Rows.OldestFlow))
	fmt.Fprintf(out, "disk      %s free of %s", byteText(s.Disk.Free), byteText(s.Disk.Size))
	switch r := s.Recorder; {
	case r == nil:
	case !r.FillKnown:
		fmt.Fprint(out, "; how fast it fills is known in some seconds")
	case s.Disk.FullAt != "":
		fmt.Fprintf(out, "; full in %s, at %s UTC, if it goes on to fill by %s a second",
			durationText(s.Disk.FullIn), s.Disk.FullAt, byteText(int64(r.FillPerSec)))
	default:
		fmt.Fprint(out, "; it does not fill")
	}
	fmt.Fprintln(out)
	if s.Damage > 0 {
		fmt.Fprintf(out, "damage    %d files are gone or not as they were written: SELECT * FROM ops.damage\n", s.Damage)
	}
	for _, h := range s.Hunts {
		if h.Failures > 0 {
			fmt.Fprintf(out, "hunts     the last %d runs of %s failed: %s\n", h.Failures, h.Schedule, h.Error)
		}
		if h.Due > 0 {
			fmt.Fprintf(out, "hunts     %s is due since %s UTC: wiresql serve runs it\n", h.Schedule, timeOrNone(h.Due))
		}
	}
	r := s.Recorder
	if r == nil {
		fmt.Fprintln(out, "recorder  none is running")
		s.printKept(out)
		return
	}
	fmt.Fprintf(out, "recorder  process %d, since %s UTC; %.0f flow records of exporters a second (%d in all, %d lost)\n",
		r.Process, r.Began.UTC().Format(time.DateTime), r.RecordsPerSec, r.Records, r.LostRecords)
	s.printKept(out)
	if len(r.Interfaces) == 0 {
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\ninterface\tworker\tsensor\tstate\tpackets/s\tMbit/s\tdrops/s\tpackets\tdropped\tlag\t")
	for _, i := range r.Interfaces {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%.0f\t%.2f\t%.0f\t%d\t%d\t%.1f s\t\n", i.Name, i.Worker, i.Sensor, i.State,
			i.PacketsPerSec, i.BitsPerSec/1e6, i.DropsPerSec, i.Packets, i.Dropped, i.Lag)
	}
	w.Flush()
}

// printKept writes what there is, where, and what budgets make of it.
func (s *archiveStatus) printKept(out *bytes.Buffer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(s.Roots) > 1 {
		fmt.Fprintln(w, "\nroot\tbytes\tfiles\tsince\tfree\tfolder")
		for _, r := range s.Roots {
			free := byteText(r.Free)
			if r.State != archive.StateAvailable {
				free = r.State
			}
			fmt.Fprintf(w, "%d\t%s\t%d\t%s\t%s\t%s\n", r.Number, byteText(r.Bytes), r.Segments, timeOrNone(r.Oldest), free, r.Path)
		}
		w.Flush()
		for _, r := range s.Roots {
			if r.Failing != nil {
				fmt.Fprintf(out, "root %d is not written to since %s: %s\n", r.Number, timeOrNone(r.Failing.Since), r.Failing.Error)
			}
		}
	}
	fmt.Fprintln(w, "\nkept\tbytes\tfiles\tsince\ta second\tbudget\tat this rate")
	for _, k := range s.Kept {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", k.Family, byteText(k.Bytes), k.Files, timeOrNone(k.Oldest), rateText(k.Rate), budgetText(&k), keepsText(&k))
	}
	w.Flush()
}

func rateText(rate float64) string {
	if rate <= 0 {
		return "-"
	}
	return byteText(int64(rate))
}

func budgetText(k *archive.Kept) string {
	var parts []string
	if k.Limit > 0 {
		parts = append(parts, byteText(k.Limit))
	}
	if k.Age > 0 {
		parts = append(parts, durationText(k.Age))
	}
	return cmp.Or(strings.Join(parts, ", "), "none")
}

func keepsText(k *archive.Kept) string {
	switch {
	case k.Keeps < 0:
		return "-"
	case k.In > 0:
		return fmt.Sprintf("kept for %s; the first go in %s", durationText(k.Keeps), durationText(k.In))
	}
	return fmt.Sprintf("kept for %s", durationText(k.Keeps))
}

// lag is how long ago the last packet came that is durable; 0 when all are.
func lag(s capture.LiveStats) float64 {
	if uint64(s.Packets) >= s.Received {
		return 0
	}
	return max(0, age(s.Watermark))
}

func timeOrNone(t tables.Time) string {
	if t == 0 {
		return "-"
	}
	return time.UnixMicro(int64(t)).UTC().Format(time.DateTime)
}

// durationText writes seconds in the unit that suits them.
func durationText(seconds float64) string {
	switch {
	case seconds < 120:
		return fmt.Sprintf("%.0f seconds", seconds)
	case seconds < 2*3600:
		return fmt.Sprintf("%.0f minutes", seconds/60)
	case seconds < 48*3600:
		return fmt.Sprintf("%.0f hours", seconds/3600)
	}
	return fmt.Sprintf("%.0f days", seconds/86400)
}

// byteText writes a number of bytes in the unit that suits it.
func byteText(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	value, u := float64(n), 0
	for ; value >= 1000 && u < len(units)-1; u++ {
		value /= 1000
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.*f %s", cmp.Or(map[bool]int{true: 1}[value < 100], 0), value, units[u])
}
