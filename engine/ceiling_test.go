package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
)

// The statement that ran while the memory grew ends, not the one that came
// later; and the process when that does not help.
func TestCeiling(t *testing.T) {
	used, reason := int64(100<<20), ""
	c := &ceiling{limit: 1000 << 20, read: func() int64 { return used }, fatal: func(why string) { reason = why }, running: map[*charge]struct{}{}}
	now := time.Now()
	step := func(d time.Duration, bytes int64) {
		now, used = now.Add(d), bytes<<20
		c.sample(now)
	}
	step(0, 100)
	large, endLarge := c.begin(sql.NewEmptyContext())
	defer endLarge()
	step(sampleEvery, 800)
	small, endSmall := c.begin(sql.NewEmptyContext())
	defer endSmall()
	step(sampleEvery, 1000)
	if large.Err() != nil || small.Err() != nil {
		t.Fatal("ended at the ceiling, not above it")
	}
	step(sampleEvery, 1001)
	var e *functions.SQLError
	if !errors.As(context.Cause(large), &e) || e.Number != 1041 {
		t.Errorf("the large statement: %v", context.Cause(large))
	}
	if small.Err() != nil {
		t.Errorf("the small statement: %v", context.Cause(small))
	}
	step(sampleEvery, 1200)
	if small.Err() != nil {
		t.Error("the next one was ended before the first could give back anything")
	}
	step(time.Second, 900)
	step(5*time.Second, 900)
	if reason != "" {
		t.Errorf("the process ends though it helped: %s", reason)
	}
	step(sampleEvery, 1100)
	if small.Err() == nil {
		t.Error("above it again, nothing was ended")
	}
	step(time.Second, 1100)
	if reason != "" {
		t.Errorf("after a second: %s", reason)
	}
	step(2*time.Second, 1100)
	if reason == "" {
		t.Error("nothing helps, and the process goes on")
	}
}

// A statement that finds no memory has the one ended that took most, unless that
// is itself; and goes on when that one has ended.
func TestMakeRoom(t *testing.T) {
	used := int64(100 << 20)
	c := &ceiling{limit: 1000 << 20, read: func() int64 { return used }, running: map[*charge]struct{}{}}
	old, endOld := c.begin(sql.NewEmptyContext())
	defer endOld()
	c.sample(time.Now())
	used = 600 << 20
	late, endLate := c.begin(sql.NewEmptyContext()) // it was not there while memory was taken
	c.sample(time.Now())
	if c.makeRoom(old) || late.Err() != nil || old.Err() != nil {
		t.Fatal("another one ended for the one that took most")
	}
	context.AfterFunc(old, endOld)
	if !c.makeRoom(late) || late.Err() != nil {
		t.Fatal("no room was made")
	}
	var e *functions.SQLError
	if !errors.As(context.Cause(old), &e) || e.Number != 1041 {
		t.Errorf("the one that took most: %v", context.Cause(old))
	}
	if c.makeRoom(late) {
		t.Error("it is alone, and room was made")
	}
	later, endLater := c.begin(sql.NewEmptyContext()) // neither of the two grew
	defer endLater()
	if c.makeRoom(late) {
		t.Error("the one that came later ended")
	}
	context.AfterFunc(late, endLate)
	if !c.makeRoom(later) {
		t.Error("no room was made for the one that came later")
	}
	// What a larger one gave back by itself is room, once.
	latest, endLatest := c.begin(sql.NewEmptyContext())
	defer endLatest()
	endLater()
	if !c.makeRoom(latest) || c.makeRoom(latest) {
		t.Error("a larger one ended by itself: once there is room")
	}
	if c.makeRoom(t.Context()) {
		t.Error("room was made for no statement")
	}
}

// Memory that no statement holds ends the process too.
func TestCeilingOfNobody(t *testing.T) {
	used, reason := int64(900), ""
	c := &ceiling{limit: 1000, read: func() int64 { return used }, fatal: func(why string) { reason = why }, running: map[*charge]struct{}{}}
	now := time.Now()
	for _, s := range []struct {
		used  int64
		after time.Duration
		ends  bool
	}{{1100, time.Second, false}, {900, time.Second, false}, {1100, 5 * time.Second, false}, {1100, time.Second, false}, {1100, 2 * time.Second, true}} {
		used, now = s.used, now.Add(s.after)
		if c.sample(now); (reason != "") != s.ends {
			t.Errorf("%d bytes: %q", s.used, reason)
		}
	}
}

func TestCeilingOfTheMachine(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing known", nil, 4 << 30},
		{"the machine's", map[string]string{"proc/meminfo": "MemFree: 5 kB\nMemTotal:       10485760 kB\n"}, 6 << 30},
		{"of a group", map[string]string{"proc/meminfo": "MemTotal: 10485760 kB\n", "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/memory.max": "1073741824\n",
			"sys/fs/cgroup/a/b/memory.max": "max\n"}, 1 << 30 / 5 * 3},
		{"of a group of the first version", map[string]string{"proc/self/cgroup": "9:cpu:/\n4:memory:/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "2147483648\n"}, 2 << 30 / 5 * 3},
		{"hardly any", map[string]string{"proc/meminfo": "MemTotal: 65536 kB\n"}, LeastMemory},
	} {
		root := t.TempDir()
		for name, text := range c.files {
			name = filepath.Join(root, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		if got := ceilingOf(root); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// The collector does not run all the time: neither while little is in use nor
// when what is in use has come to its share.
func TestCollector(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
	told := func(c *collector, share int64) (percent int, limit int64) {
		runtime.GC() // which counts what is in use
		c.adapt(share)
		percent = debug.SetGCPercent(100)
		debug.SetGCPercent(percent)
		return percent, debug.SetMemoryLimit(-1)
	}
	c := &collector{}
	if percent, limit := told(c, 1<<30); percent < 200 || limit != 1<<30 {
		t.Errorf("with little in use: %d %%, limit %d", percent, limit)
	}
	held := make([]byte, 100<<20)
	if percent, limit := told(c, 64<<20); percent != 100 || limit < 150<<20 {
		t.Errorf("with more in use than its share: %d %%, limit %d", percent, limit)
	}
	runtime.KeepAlive(held)
	if percent, limit := told(c, 64<<20); percent < 200 || limit != 64<<20 {
		t.Errorf("afterwards: %d %%, limit %d", percent, limit)
	}
}
