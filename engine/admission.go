package engine

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/metadata"
	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Which statement runs when: each account has so many at a time, the processors
// work for a few, and of those that wait the one that reads least is next. So a
// look-up is answered at once while others read all there is.

// Limits bound what an account's statements take. 0 is no limit.
type Limits struct {
	// Statements run at a time; the next ones wait.
	Statements int `json:"statements,omitempty"`
	// Rows are those of one result (error 1226).
	Rows int64 `json:"rows,omitempty"`
	// Bytes are what one statement reads of row files and packets (error 1226),
	// as EXPLAIN says.
	Bytes int64 `json:"bytes,omitempty"`
}

// over is l, and where it says nothing what all accounts have.
func (l Limits) over(all Limits) Limits {
	if l.Statements <= 0 {
		l.Statements = all.Statements
	}
	if l.Rows <= 0 {
		l.Rows = all.Rows
	}
	if l.Bytes <= 0 {
		l.Bytes = all.Bytes
	}
	return l
}

const (
	// turnsPerCore is how many statements a processor works for at a time: one
	// waits for the disk while another computes.
	turnsPerCore = 2
	// littleBytes is up to what a statement is short: these may take as many
	// turns again, and never those that longer ones wait for.
	littleBytes = 16 << 20
	// longWait is after how long what reads much is no longer passed over.
	longWait = 3 * time.Second
	// maxWaiting bounds an account's statements that wait: each holds memory.
	maxWaiting = 256
)

// admission hands out turns.
type admission struct {
	mu      sync.Mutex
	limits  map[string]Limits
	all     Limits
	turns   int            // that long statements may take at a time
	long    int            // turns they have
	short   int            // turns that short ones have
	running map[string]int // statements of each account
	waiting []*waiter      // in the order they came
}

// waiter is a statement that wants a turn.
type waiter struct {
	account string
	bytes   int64
	since   time.Time
	// behind is what runs by itself: it leaves one turn free, and is passed over
	// by whoever waits.
	behind bool
	turn   chan struct{} // closed when it has one
}

func newAdmission(all Limits) *admission {
	return &admission{limits: map[string]Limits{}, all: all, turns: turnsPerCore * runtime.GOMAXPROCS(0), running: map[string]int{}}
}

// Limit sets what an account may take, also for those of its statements that
// wait already.
func (e *Engine) Limit(account string, l Limits) {
	a := e.admission
	a.leave(func() { a.limits[account] = l.over(a.all) })
}

// of are an account's limits.
func (a *admission) of(account string) Limits {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ofLocked(account)
}

func (a *admission) ofLocked(account string) Limits {
	if l, ok := a.limits[account]; ok {
		return l
	}
	return a.all
}

// admitted is a statement's place. Both must be given back: the turn when its
// first rows are there (the client decides when it takes the others), the place
// at its end.
type admitted struct {
	turn, place func()
}

// enter waits for the turn of a statement that reads so many bytes.
func (a *admission) enter(ctx context.Context, account string, bytes int64, behind bool) (admitted, error) {
	w := &waiter{account: account, bytes: bytes, since: time.Now(), behind: behind, turn: make(chan struct{})}
	a.mu.Lock()
	waiting := 0
	for _, o := range a.waiting {
		if o.account == account {
			waiting++
		}
	}
	if waiting >= maxWaiting {
		a.mu.Unlock()
		return admitted{}, exceeded(account, "statements waiting", maxWaiting)
	}
	a.waiting = append(a.waiting, w)
	a.next()
	a.mu.Unlock()
	out := admitted{turn: sync.OnceFunc(func() { a.leave(func() { *a.turnsOf(w)-- }) }),
		place: sync.OnceFunc(func() {
			a.leave(func() {
				if a.running[account]--; a.running[account] == 0 {
					delete(a.running, account)
				}
			})
		})}
	select {
	case <-w.turn:
		return out, nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	i := slices.Index(a.waiting, w)
	if i >= 0 {
		a.waiting = slices.Delete(a.waiting, i, i+1)
	}
	a.mu.Unlock()
	if i < 0 { // it came at the same moment
		out.end()
	}
	return admitted{}, context.Cause(ctx)
}

// end gives back what is held.
func (a admitted) end() {
	if a.turn != nil {
		a.turn()
		a.place()
	}
}

// turnsOf are the turns of statements as short or as long.
func (a *admission) turnsOf(w *waiter) *int {
	if w.bytes <= littleBytes {
		return &a.short
	}
	return &a.long
}

// leave changes what is taken, and gives turns to those who may have them now.
func (a *admission) leave(give func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	give()
	a.next()
}

// next gives turns to those who wait, as far as there are any.
func (a *admission) next() {
	for {
		best := -1
		now := time.Now()
		for i, w := range a.waiting {
			free := a.turns - a.long
			if w.bytes <= littleBytes {
				free += a.turns - a.short
			}
			if w.behind {
				free--
			}
			if most := a.ofLocked(w.account).Statements; free <= 0 || most > 0 && a.running[w.account] >= most {
				continue
			}
			if !w.behind && now.Sub(w.since) > longWait {
				best = i
				break
			}
			if best < 0 || a.waiting[best].behind && !w.behind || a.waiting[best].behind == w.behind && w.bytes < a.waiting[best].bytes {
				best = i
			}
		}
		if best < 0 {
			return
		}
		w := a.waiting[best]
		a.waiting = slices.Delete(a.waiting, best, best+1)
		*a.turnsOf(w)++
		a.running[w.account]++
		close(w.turn)
	}
}

// exceeded is MySQL's ER_USER_LIMIT_REACHED.
func exceeded(account, what string, limit int64) error {
	return functions.Errorf(1226, "User '%s' has exceeded the '%s' resource (current value: %d)", account, what, limit)
}

// admit waits until a statement may run. What reads nothing of the archive runs
// at once: it is what one looks with for what goes on.
func (e *Engine) admit(ctx *sql.Context, s *statement) (admitted, error) {
	account := ctx.Session.Client().User
	bytes := s.snap.bytesRead(s.plan.AllScans())
	if most := e.admission.of(account).Bytes; most > 0 && bytes > most {
		return admitted{}, exceeded(account, "bytes read by a statement", most)
	}
	if bytes == 0 {
		if !slices.ContainsFunc(s.plan.AllScans(), func(s *pushdown.ScanPlan) bool { return pushdown.IsPackets(s.Relation) }) {
			return admitted{}, nil
		}
		bytes = s.snap.packetBytes() // nothing says which are read
	}
	return e.admission.enter(ctx, account, bytes, standsBack(ctx))
}

// shareRead is the share of a file's row groups that may hold what is asked for.
func shareRead(f archive.File, b pushdown.Bounds) float64 {
	least := 1.0
	for _, values := range b.Equal {
		one := 0.0
		for _, v := range values {
			one += rows.ShareOf(f.File, v.Column, v.Value)
		}
		least = min(least, one)
	}
	return least
}

// bytesRead are about those of the row files that scans read.
func (s *snapshot) bytesRead(scans []*pushdown.ScanPlan) (bytes int64) {
	for _, scan := range scans {
		if pushdown.IsPackets(scan.Relation) || metadata.Describes(scan.Relation.Schema) {
			continue
		}
		for _, family := range pushdown.Families(scan.Relation) {
			for _, f := range s.catalog.Files(archive.Family(family)) {
				if s.matters(f, scan.Bounds) {
					bytes += int64(float64(f.Bytes) * shareRead(f, scan.Bounds))
				}
			}
		}
	}
	return bytes
}

// packetBytes are those of all packets there are.
func (s *snapshot) packetBytes() (bytes int64) {
	for _, one := range s.catalog.Segments() {
		if one.State == archive.StateAvailable {
			bytes += one.Bytes
		}
	}
	return bytes
}

// counted is a result of at most so many rows.
type counted struct {
	Columnar
	account    string
	most, rows int64
}

func (c *counted) source() *run { return c.Columnar.(interface{ source() *run }).source() }

// NextChunk implements Columnar.
func (c *counted) NextChunk(ctx *sql.Context) (Chunk, error) {
	chunk, err := c.Columnar.NextChunk(ctx)
	if err != nil {
		return nil, err
	}
	return chunk, c.count(int64(chunk.Len()))
}

// Next implements sql.RowIter.
func (c *counted) Next(ctx *sql.Context) (sql.Row, error) {
	row, err := c.Columnar.Next(ctx)
	if err != nil {
		return nil, err
	}
	return row, c.count(1)
}

func (c *counted) count(n int64) error {
	if c.rows += n; c.rows > c.most {
		return exceeded(c.account, "rows of a result", c.most)
	}
	return nil
}
