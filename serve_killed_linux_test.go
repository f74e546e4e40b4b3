package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Servers that are killed, again and again, cost no packet that is captured meanwhile.
func TestServeKilledBesideCapture(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	const loops, kills = 3, 3
	dir := filepath.Join(t.TempDir(), "archive")
	d, _, _ := up(t, dir, "--capture", "left")
	d.says(`recording packets of (left)`)
	replay := exec.Command("tcpreplay", "-q", "-p", "900", "--loop", fmt.Sprint(loops), "-i", "right", officeMorning)
	if err := replay.Start(); err != nil {
		t.Fatal(err)
	}
	killed := map[int]bool{}
	await(t, 3*time.Minute, "servers to be killed", func() bool {
		pid, serves := children(t, d.cmd.Process.Pid)["serve"]
		if serves && !killed[pid] {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			killed[pid] = true
		}
		return len(killed) >= kills
	})
	if err := replay.Wait(); err != nil {
		t.Fatal(err)
	}
	want := int64(loops * packetsOf(t, officeMorning))
	await(t, 2*time.Minute, "the packets to be durable", func() bool {
		s := status(t, dir).Recorder
		return s != nil && s.Interfaces[0].Packets == want
	})
	if s := status(t, dir).Recorder; s.Interfaces[0].Dropped != 0 || s.Interfaces[0].Failures != 0 {
		t.Errorf("%+v", s.Interfaces[0])
	}
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("code %d", code)
	}
	for _, statement := range []string{"SELECT COUNT(*) FROM packets WHERE ABS(length) > 0", "SELECT SUM(packets) FROM ops.coverage"} {
		if got := numbersOf(t, dir, statement)[0]; got != want {
			t.Errorf("%s: %d, %d were sent", statement, got, want)
		}
	}
	if rows := sqlOf(t, dir, "SELECT * FROM ops.damage"); len(rows) > 0 {
		t.Error(strings.Join(rows[0], " "))
	}
}
