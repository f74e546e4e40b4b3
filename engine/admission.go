package engine

import (
	"context"
	"maps"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"strconv"
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
// work for a few, and of those that wait the next one is of who had least lately, an
// account first and then a connection; of those alike the one that reads least. So a
// look-up is answered at once while others read all there is, or ask for a little
// without end.

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
	// halfLife is after how long half of what somebody had is forgotten.
	halfLife = time.Second
	// fewTurns is how much one may have had that counts as nothing: a turn for so
	// long. Twice as much, and again, is one step more.
	fewTurns = 50 * time.Millisecond
	// muchTurns is how much an account had that asks more than one thing at a time,
	// all the time: a turn is forgotten as fast as it is had at 1.4 s.
	muchTurns = 1500 * time.Millisecond
	// maxHad bounds those of whom it is known.
	maxHad = 4096
)

// had is how long somebody had turns lately.
type had struct {
	time time.Duration
	at   time.Time
}

func (h had) now(at time.Time) time.Duration {
	return time.Duration(float64(h.time) * math.Exp2(-float64(at.Sub(h.at))/float64(halfLife)))
}

// admission hands out turns.
type admission struct {
	mu      sync.Mutex
	limits  map[string]Limits
	all     Limits
	turns   int               // that long statements may take at a time
	long    int               // turns they have
	short   int               // turns that short ones have
	running map[string]int    // statements of each account
	waiting []*waiter         // in the order they came
	had     [2]map[string]had // by account, and by connection
}

// whose a statement is.
type whose struct {
	account    string
	connection uint32
}

// keys are an account and a connection of it, whose turns are counted.
func (w whose) keys() [2]string {
	return [2]string{w.account, w.account + "\x00" + strconv.FormatUint(uint64(w.connection), 10)}
}

// waiter is a statement that wants a turn.
type waiter struct {
	whose
	bytes int64
	since time.Time
	began time.Time // its turn
	// behind is what runs by itself: it leaves one turn free, and is passed over
	// by whoever waits.
	behind bool
	turn   chan struct{} // closed when it has one
}

func newAdmission(all Limits) *admission {
	return &admission{limits: map[string]Limits{}, all: all, turns: turnsPerCore * runtime.GOMAXPROCS(0), running: map[string]int{}, had: [2]map[string]had{{}, {}}}
}

// count adds a turn to what its account and its connection had.
func (a *admission) count(w *waiter) {
	now := time.Now()
	for i, key := range w.keys() {
		all := a.had[i]
		if len(all) > maxHad {
			maps.DeleteFunc(all, func(_ string, h had) bool { return h.now(now) < fewTurns })
			if len(all) > maxHad {
				clear(all)
			}
		}
		all[key] = had{all[key].now(now) + now.Sub(w.began), now}
	}
}

// much tells whether an account asks so much that others, if there are any, go
// before it.
func (a *admission) much(account string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.muchLocked(account, time.Now())
}

func (a *admission) muchLocked(account string, now time.Time) bool {
	accounts := a.had[0]
	if accounts[account].now(now) <= muchTurns {
		return false
	}
	for other, h := range accounts {
		if other != account && now.Sub(h.at) < 10*halfLife {
			return true
		}
	}
	return false
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
func (a *admission) enter(ctx context.Context, who whose, bytes int64, behind bool) (admitted, error) {
	account := who.account
	w := &waiter{whose: who, bytes: bytes, since: time.Now(), behind: behind, turn: make(chan struct{})}
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
	out := admitted{turn: sync.OnceFunc(func() { a.leave(func() { *a.turnsOf(w)--; a.count(w) }) }),
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
	for len(a.waiting) > 0 {
		best := -1
		var bestRank rank
		now := time.Now()
		for i, w := range a.waiting {
			free := a.turns - a.long
			if w.bytes <= littleBytes {
				free += a.turns - a.short
			}
			if w.behind || a.muchLocked(w.account, now) {
				free-- // for somebody who comes
			}
			if most := a.ofLocked(w.account).Statements; free <= 0 || most > 0 && a.running[w.account] >= most {
				continue
			}
			if !w.behind && now.Sub(w.since) > longWait {
				best = i
				break
			}
			if r := a.rank(w, now); best < 0 || r.before(bestRank) {
				best, bestRank = i, r
			}
		}
		if best < 0 {
			return
		}
		w := a.waiting[best]
		a.waiting = slices.Delete(a.waiting, best, best+1)
		*a.turnsOf(w)++
		a.running[w.account]++
		w.began = now
		close(w.turn)
	}
}

// rank says who of those that wait is next: the one with the lower number in the
// first place that differs.
type rank [4]int64

func (a *admission) rank(w *waiter, now time.Time) (r rank) {
	if w.behind {
		r[0] = 1
	}
	for i, key := range w.keys() {
		r[1+i] = int64(bits.Len64(uint64(a.had[i][key].now(now) / fewTurns)))
	}
	r[3] = w.bytes
	return r
}

func (r rank) before(o rank) bool { return slices.Compare(r[:], o[:]) < 0 }

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
	return e.admission.enter(ctx, whose{account, ctx.Session.ID()}, bytes, standsBack(ctx))
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
