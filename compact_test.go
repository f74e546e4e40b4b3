package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// compactArgs is set for the process that TestCompact starts: the command
// lowers the priority of its process.
const compactArgs = "WIRESQL_TEST_COMPACT"

// TestCompact: one process merges at a time, with a low priority, until it is
// told to stop.
func TestCompact(t *testing.T) {
	if args := os.Getenv(compactArgs); args != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, strings.Fields(args), nil, os.Stdout, os.Stderr))
	}
	dir := t.TempDir()
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	r, err := archive.NewRecorder(a, archive.RecorderOptions{Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	put := func() {
		t.Helper()
		at := tables.Time(time.Now().Add(-5 * time.Minute).UnixMicro())
		if err := r.Exports([]tables.Export{{TS: at, TSEnd: at, Observer: "r1"}}); err != nil {
			t.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	levels := func() (s string) {
		t.Helper()
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range c.Files(archive.Exports) {
			s += f.Level
		}
		return s
	}
	start := func(args string) *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestCompact$")
		c.Env = append(os.Environ(), compactArgs+"="+args+" --data "+dir)
		return c
	}

	put()
	put()
	if got := levels(); got != "mm" {
		t.Fatal(got)
	}
	if out, err := start("compact --once").CombinedOutput(); err != nil || !strings.Contains(string(out), "merged") {
		t.Fatalf("%v: %s", err, out)
	}
	if got := levels(); got != "t" {
		t.Errorf("levels %q", got)
	}

	put()
	c := start("compact")
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	for i := 0; levels() != "tt"; i++ {
		if i > 1000 {
			t.Fatalf("levels %q", levels())
		}
		time.Sleep(10 * time.Millisecond)
	}
	// The kernel counts down from 20.
	if n, err := unix.Getpriority(unix.PRIO_PROCESS, c.Process.Pid); err != nil || n != 20-10 {
		t.Errorf("priority %d, %v", n, err)
	}
	if out, err := start("compact --once").CombinedOutput(); err == nil || !strings.Contains(string(out), "another process") {
		t.Errorf("%v: %s", err, out)
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
