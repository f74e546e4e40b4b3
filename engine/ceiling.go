package engine

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
)

// One ceiling for the memory of the process. DuckDB counts what it sorts, joins
// and groups, and continues on disk; Go collects earlier as its share fills. What
// neither counts (texts, states of aggregates, what allocators keep) is seen in
// what the kernel says is resident: above the ceiling the statement that grew
// most ends, and if that does not help, the process.

const (
	// LeastMemory is the lowest ceiling: an idle process takes half of it.
	LeastMemory = 256 << 20

	// sampleEvery is how often it is looked while statements run, idleEvery else.
	sampleEvery = 50 * time.Millisecond
	idleEvery   = time.Second
	trimEvery   = 500 * time.Millisecond
	// helpTime is how long after the first statement was ended, or with none
	// to end, the process may stay above the ceiling.
	helpTime = 2 * time.Second
)

// ceiling watches the memory of the process.
type ceiling struct {
	limit int64
	read  func() int64 // resident bytes that are no file's
	fatal func(reason string)

	begun chan struct{} // holds one when a statement has begun

	mu      sync.Mutex
	running map[*charge]struct{}
	ending  map[*charge]struct{} // that were ended, or have, and hold memory yet
	last    int64                // bytes at the last sample

	trimmed, ended, since time.Time

	collector collector
}

// collector is what Go's garbage collector was told.
type collector struct {
	percent int
	limit   int64
}

// leastGarbage is how much Go's heap may have of what nobody uses.
const leastGarbage = 64 << 20

// adapt keeps the collector from what others would wait for: collecting all the
// time, since little is in use or since what is in use has come to its limit.
// share is the heap's, past which it collects earlier. (The collector takes a
// quarter of the places Go has, and those are more than there are processors.)
func (g *collector) adapt(share int64) {
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	live := max(int64(sample[0].Value.Uint64()), 1<<20)
	percent := 100 * max(1, int(min(leastGarbage, share)/live))
	limit := max(share, min(live/4*6, 3*share))
	// Either setting stops everything for a moment.
	if percent > 2*g.percent || percent < g.percent/2 || percent == 100 && g.percent > 100 {
		debug.SetGCPercent(percent)
		g.percent = percent
	}
	if limit > g.limit || limit < g.limit && limit == share {
		debug.SetMemoryLimit(limit)
		g.limit = limit
	}
}

// charge is what a running statement is held to have grown the process by.
type charge struct {
	bytes  int64
	behind bool // what runs by itself, and ends first
	began  time.Time
	seen   bool // by a sample
	freed  bool // a larger one has ended meanwhile
	cancel context.CancelCauseFunc
	of     *ceiling
	// holders are the statement and its calls into DuckDB that go on: the last of
	// them gives the memory back.
	holders atomic.Int32
	over    chan struct{} // closed then
}

type chargeKey struct{}

// before tells whether x ends rather than y.
func (x *charge) before(y *charge) bool {
	if x.behind != y.behind {
		return x.behind
	}
	if x.bytes != y.bytes {
		return x.bytes > y.bytes
	}
	return x.began.Before(y.began) // what came later met what was full
}

// largest is whose end helps most; nil when nothing runs.
func (c *ceiling) largest() (largest *charge) {
	for one := range c.running {
		if largest == nil || one.before(largest) {
			largest = one
		}
	}
	return largest
}

// makeRoom ends the statement that took most for another one, which found no
// memory, and waits for what it gives back; false when that is the one itself, and no
// larger one gives back anything.
func (c *ceiling) makeRoom(ctx context.Context) bool {
	own, ok := ctx.Value(chargeKey{}).(*charge)
	if !ok {
		return false
	}
	c.mu.Lock()
	freed := own.freed
	own.freed = false
	var larger *charge
	for one := range c.ending {
		if one.before(own) {
			larger = one
		}
	}
	if !freed && larger == nil {
		if larger = c.largest(); larger == own {
			larger = nil
		}
		if larger != nil {
			c.end(larger, functions.Errorf(1041,
				"Out of memory: others found none (the server's ceiling is %s, --memory-limit), and this statement took the most; ask for less at a time", byteText(c.limit)))
		}
	}
	c.mu.Unlock()
	if freed || larger == nil {
		return freed
	}
	if !within(larger.over, helpTime) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	own.freed = false
	return true
}

// end ends a statement that runs; the lock is held.
func (c *ceiling) end(one *charge, cause error) {
	one.cancel(cause)
	c.leaves(one)
}

// leaves makes a statement one that can't be ended any more; the lock is held.
func (c *ceiling) leaves(one *charge) {
	delete(c.running, one)
	if one.holders.Load() > 0 {
		if c.ending == nil {
			c.ending = map[*charge]struct{}{}
		}
		c.ending[one] = struct{}{}
	}
}

// begin charges a statement from now until the function it returns is called,
// and makes it one that can be ended.
func (c *ceiling) begin(ctx *sql.Context) (*sql.Context, func()) {
	inner, cancel := context.WithCancelCause(ctx.Context)
	one := &charge{behind: standsBack(ctx), began: time.Now(), cancel: cancel, of: c, over: make(chan struct{})}
	one.holders.Store(1)
	c.mu.Lock()
	c.running[one] = struct{}{}
	c.mu.Unlock()
	select {
	case c.begun <- struct{}{}:
	default:
	}
	return ctx.WithContext(context.WithValue(inner, chargeKey{}, one)), sync.OnceFunc(func() {
		c.mu.Lock()
		c.leaves(one)
		c.mu.Unlock()
		cancel(nil)
		one.release()
	})
}

// held makes a call into DuckDB one that holds memory for the statement of a context,
// until release is called.
func held(ctx context.Context) *charge {
	one, _ := ctx.Value(chargeKey{}).(*charge)
	if one != nil {
		one.holders.Add(1)
	}
	return one
}

// release is the end of one that holds memory.
func (x *charge) release() {
	if x == nil || x.holders.Add(-1) > 0 {
		return
	}
	c := x.of
	c.mu.Lock()
	delete(c.running, x)
	delete(c.ending, x)
	for other := range c.running {
		other.freed = other.freed || x.before(other)
	}
	c.mu.Unlock()
	close(x.over)
}

// watch samples until ctx ends.
func (c *ceiling) watch(ctx context.Context) {
	next := time.Now().Add(idleEvery)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.begun:
			if soon := time.Now().Add(sampleEvery); soon.Before(next) {
				next = soon
			}
		case now := <-time.After(time.Until(next)):
			c.sample(now)
			c.collector.adapt(c.limit / 4)
			if next = now.Add(sampleEvery); c.idle() {
				next = now.Add(idleEvery)
			}
		}
	}
}

// sample looks at the memory once. Growth is shared by the statements that have
// run since the sample before, if there are any, else by all: one that is alone
// while it grows has it all, and it is not taken off when others give memory back.
func (c *ceiling) sample(now time.Time) {
	used := c.read()
	if used > c.limit/2 && now.Sub(c.trimmed) > trimEvery && (used > c.limit || used > c.last+c.limit/8 || c.idle()) {
		trimMemory()
		c.trimmed, used = now, c.read()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := 0
	for one := range c.running {
		if one.seen {
			seen++
		}
	}
	grown := max(used-c.last, 0) / int64(max(cmp.Or(seen, len(c.running)), 1))
	for one := range c.running {
		if one.seen || seen == 0 {
			one.bytes += grown
		}
		one.seen = true
	}
	c.last = used
	if used <= c.limit {
		c.since = time.Time{}
		return
	}
	if len(c.running) == 0 && c.since.IsZero() {
		c.since = now // what holds it is nobody's who could be ended
	}
	if now.Sub(c.ended) > trimEvery {
		if largest := c.largest(); largest != nil {
			c.end(largest, functions.Errorf(1041,
				"Out of memory: the server holds %s, its ceiling is %s (--memory-limit), and this statement took the most; ask for less at a time",
				byteText(used), byteText(c.limit)))
			c.ended = now
			if c.since.IsZero() {
				c.since = now
			}
		}
	}
	if !c.since.IsZero() && now.Sub(c.since) > helpTime {
		c.fatal(fmt.Sprintf("%s of memory are held, the ceiling is %s, and there is no statement left whose end would help", byteText(used), byteText(c.limit)))
	}
}

func (c *ceiling) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.running) == 0
}

// residentBytes is the memory of this process that is not a file's; 0 where the
// kernel does not tell.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(text)
	if len(f) < 3 {
		return 0
	}
	resident, _ := strconv.ParseInt(string(f[1]), 10, 64)
	shared, _ := strconv.ParseInt(string(f[2]), 10, 64)
	return (resident - shared) * int64(os.Getpagesize())
}

// ceilingOf is the ceiling when none is set: 60 % of the machine's memory, or of
// the control group's; 4 GiB where neither is known.
func ceilingOf(root string) int64 {
	least := int64(0)
	take := func(n int64) {
		if n > 0 && (least == 0 || n < least) {
			least = n
		}
	}
	if text, err := os.ReadFile(filepath.Join(root, "proc/meminfo")); err == nil {
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) >= 2 && f[0] == "MemTotal:" {
				kb, _ := strconv.ParseInt(f[1], 10, 64)
				take(kb << 10)
			}
		}
	}
	text, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) < 3 || f[1] != "" && f[1] != "memory" {
			continue
		}
		base, name := "sys/fs/cgroup", "memory.max"
		if f[1] == "memory" {
			base, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		}
		// A group's limit holds for those inside it; in a container the path
		// may be that of outside, and the group is the root.
		for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
			if text, err := os.ReadFile(filepath.Join(root, base, dir, name)); err == nil {
				n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
				take(n)
			}
			if dir == "/" {
				break
			}
		}
	}
	if least == 0 {
		return 4 << 30
	}
	return max(least/5*3, LeastMemory)
}

// morePlaces is for DuckDB's threads, which are Go's while they call back: others
// must find a place.
var morePlaces = sync.OnceFunc(func() { runtime.GOMAXPROCS(3 * runtime.GOMAXPROCS(0)) })

// Guard makes the engine end what takes too much: statements above the ceiling,
// and, by fatal, the process when that does not help or when a statement that
// was ended does not come to its end. fatal must not return. It is for a process
// whose only engine this is, and lasts until Close.
func (e *Engine) Guard(fatal func(reason string)) {
	end := func(reason string) {
		os.RemoveAll(e.duck.spill)
		fatal(reason)
	}
	e.ceiling.collector.adapt(e.cfg.MemoryLimit / 4)
	morePlaces()
	e.ceiling.limit, e.ceiling.read, e.ceiling.fatal = e.cfg.MemoryLimit, residentBytes, end
	e.duck.stuck = func(text string) {
		e.log.Error("a statement goes on after its end", "statement", text[:min(len(text), 2000)])
		end(fmt.Sprintf("a statement that was ended %v ago still runs", lost))
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.unguard = cancel
	go e.ceiling.watch(ctx)
}
