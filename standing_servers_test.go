package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Of the servers of an archive one runs the hunts that stand; when it ends, however it
// does, another one goes on, and what was found is found once.
func TestStandingServers(t *testing.T) {
	dir := t.TempDir()
	noon := time.Date(2026, 6, 12, 12, 0, 0, 0, time.UTC)
	hunted := func(n int) {
		t.Helper()
		made := newTraffic()
		for i := range n { // those of before go on
			made.beacon(noon.Add(time.Duration(n)*time.Hour), fmt.Sprintf("10.1.1.%d", 1+i), 30)
		}
		for _, args := range [][]string{{"import", "--data", dir, made.write(t)}, {"query", "--data", dir, "CALL schedule('beacons', 'beaconing', 'every', '1 DAY', 'since', '2 DAY')"}} {
			if code, _, said := runProgram(t, nil, args...); code != 0 {
				t.Fatalf("%v: exit %d: %s", args, code, said)
			}
		}
	}
	found := func(n int) {
		t.Helper()
		ask := func(statement string) string { return strings.Join(sqlOf(t, dir, statement)[0], " ") }
		await(t, 2*time.Minute, fmt.Sprintf("run %d", n), func() bool { return ask("SELECT COUNT(*) FROM hunt.runs") == fmt.Sprint(n) })
		want := fmt.Sprintf("%d %d %d 0", n, n, n*(n+1)/2)
		if got := ask("SELECT COUNT(*), COUNT(DISTINCT finding_key), SUM(times), (SELECT SUM(outcome = 'failed') FROM hunt.runs) FROM hunt.results"); got != want {
			t.Errorf("found in %d runs: %s, want %s", n, got, want)
		}
	}
	begin := func() *daemon {
		d := start(t, "serve", "--data", dir, "--listen", "127.0.0.1:0")
		d.says(`serving`)
		return d
	}
	hunted(1)
	one := begin()
	found(1)
	for n, ending := range []os.Signal{os.Kill, syscall.SIGTERM, os.Interrupt} {
		two := begin()
		two.says(`standing hunts are not run by this process`)
		one.stop(ending)
		two.says(`standing hunts are run by this process from now on`)
		hunted(n + 2)
		found(n + 2)
		one = two
	}
}
