package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

func compactCommand() *command {
	return &command{
		summary:  "merge the files a recorder leaves, settle conversations and hold to the budgets of retention, until it is stopped",
		sections: []string{"compact", "retention"},
		flags: func(f *pflag.FlagSet) {
			f.Bool("once", false, "merge what there is, then end")
		},
		run: runCompact,
	}
}

func runCompact(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	if err := p.confine(false); err != nil {
		return startError{err}
	}
	once, _ := p.flags.GetBool("once")
	if err := yieldToOthers(); err != nil {
		p.log.Warn("compaction runs with the priority of others", "error", err)
	}
	debug.SetMemoryLimit(importMemory) // an import merges, too
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log, Retention: &p.config.Retention})
	if err != nil {
		return err
	}
	defer a.Close()
	cfg := p.config.Compact
	cfg.Logger = p.log
	if !once {
		stop, err := p.serveMetrics(cfg.MetricsListen, archiveMetrics{a, &p.config.Retention}, scrubMetrics{a})
		if err != nil {
			return err
		}
		defer stop()
		return compact.Loop(ctx, a, cfg)
	}
	if err := compact.Lock(a); err != nil {
		return err
	}
	stats, err := compact.Round(ctx, a, cfg)
	if err == nil {
		_, err = a.Evict()
	}
	if err == nil {
		fmt.Fprintf(p.stdout, "merged %d files; wrote %d connections\n", stats.Files, stats.Connections)
	}
	return err
}

// Of ioprio_set(2): the class that gets the disk when nobody else wants it.
const (
	ioprioThread = 1
	ioprioIdle   = 3 << 13
)

// yieldToOthers gives recording and queries the processor and the disk first.
// On Linux each thread has priorities of its own, and those that are started
// later take over those of their maker.
func yieldToOthers() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.Setpriority(unix.PRIO_PROCESS, id, 10); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("setpriority: %w", err)
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioThread, uintptr(id), ioprioIdle); errno != 0 && errno != unix.ESRCH {
			return fmt.Errorf("ioprio_set: %w", errno)
		}
	}
	return nil
}
