package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/tables"
)

// The log of statements, ops.query_log: the last ones of this process, in
// memory. An archive is read here and never written.

// Logged is a statement that is over.
type Logged struct {
	Start    time.Time
	Duration time.Duration
	Text     string
	Rows     int // sent
	Error    int // its number, 0 for none
	// Cancelled tells that it was ended from outside.
	Cancelled bool
}

const (
	// maxLogged is how many statements are kept, maxLoggedText how many bytes
	// of each: 10 MB at most.
	maxLogged     = 10_000
	maxLoggedText = 1000
)

// entry is a row of the log.
type entry struct {
	Logged
	account, client                string
	connection                     uint32
	warnings                       int
	flowRows, packets, packetBytes int64
	files, fileRows, fileBytes     int64
}

// queryLog is a ring of the last statements.
type queryLog struct {
	mu   sync.Mutex
	ring []entry
	next int
	all  Stats
}

// Stats counts the statements of clients since the process began.
type Stats struct {
	Statements, Failed, Cancelled int64 // the latter two of the first
	Duration                      time.Duration
	Rows                          int64 // sent
	Packets, PacketBytes          int64 // read
	FileBytes                     int64 // of row files, read by the process
	Connections, Running          int   // at present, and statements
}

// Stats returns the counters so far.
func (e *Engine) Stats() Stats {
	e.statements.mu.Lock()
	s := e.statements.all
	e.statements.mu.Unlock()
	s.FileBytes = fileBytes()
	s.Connections, s.Running = e.threads()
	return s
}

func (q *queryLog) add(x entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all.Statements++
	if x.Cancelled {
		q.all.Cancelled++
	} else if x.Error != 0 {
		q.all.Failed++
	}
	q.all.Duration += x.Duration
	q.all.Rows += int64(x.Rows)
	q.all.Packets += x.packets
	q.all.PacketBytes += x.packetBytes
	if len(q.ring) < maxLogged {
		q.ring = append(q.ring, x)
		return
	}
	q.ring[q.next] = x
	q.next = (q.next + 1) % maxLogged
}

// of lists an account's statements, or those of all, oldest first.
func (q *queryLog) of(account string, all bool) []entry {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []entry
	for i := range q.ring {
		x := &q.ring[(q.next+i)%len(q.ring)]
		if all || x.account == account {
			out = append(out, *x)
		}
	}
	return out
}

// Log keeps a statement that is over.
func (e *Engine) Log(ctx *sql.Context, l Logged) {
	client, id := ctx.Session.Client(), ctx.Session.ID()
	w := e.ended(id)
	l.Text = loggedText(l.Text)
	e.statements.add(entry{Logged: l, account: client.User, client: client.Address, connection: id, warnings: int(ctx.Session.WarningCount()),
		flowRows: w.flowRows.Load(), packets: w.packets.Load(), packetBytes: w.packetBytes.Load(),
		files: w.files.Load(), fileRows: w.fileRows.Load(), fileBytes: w.fileBytes.Load()})
}

// secret finds where a statement may go on with a password.
var secret = regexp.MustCompile(`(?i)\b(identified|password)\b`)

// loggedText is a statement as it is kept: without passwords, and not longer
// than it helps.
func loggedText(text string) string {
	text = strings.ToValidUTF8(strings.TrimSpace(text), "\uFFFD")
	if at := secret.FindStringIndex(text); at != nil {
		text = text[:at[1]] + " …"
	}
	if len(text) > maxLoggedText {
		text = strings.ToValidUTF8(text[:maxLoggedText], "") + " …"
	}
	return strings.Clone(text)
}

// seesAll tells whether a session may see the statements of every account: the
// right to read the table is its own, not that of all of ops.
func (r *run) seesAll() bool {
	db := r.engine.sql.Analyzer.Catalog.MySQLDb
	if !db.Enabled() {
		return true
	}
	rights := db.UserActivePrivilegeSet(r.ctx)
	return rights.Has(sql.PrivilegeType_Select) ||
		rights.Database(tables.Ops).Table(tables.OpsQueryLog.Name).Has(sql.PrivilegeType_Select)
}

// memoryText feeds a relation that rests in memory to a statement; "" for
// others.
func (r *run) memoryText(rel *tables.Relation) (string, error) {
	switch rel {
	case tables.OpsQueryLog:
		return r.published(logFeed(r.engine.statements.of(r.ctx.Session.Client().User, r.seesAll()))), nil
	case tables.OpsDamage:
		list := slices.Clone(r.snap.catalog.Damage())
		if _, err := r.engine.book.View(); err != nil {
			return "", err
		}
		return r.published(damageFeed(append(list, r.engine.notes.Damage()...))), nil
	case tables.OpsRoots:
		roots, err := r.engine.archive.Roots()
		return r.published(rootsFeed(roots)), err
	case tables.OpsPins:
		pins, err := r.engine.archive.Pins()
		return r.published(pinsFeed(pins)), err
	case tables.HuntSchedules, tables.HuntRuns, tables.HuntResults, tables.HuntDeliveries, tables.HuntCases:
		v, err := r.engine.book.View()
		if err != nil {
			return "", err
		}
		if v.Lost > 0 {
			warn(r.ctx, []string{fmt.Sprintf("%d lines of what standing hunts found or people noted are damaged: see ops.damage", v.Lost)})
		}
		rows, err := standingFeed(rel, &v)
		return r.published(rows), err
	case tables.Hunts:
		hunts, err := r.engine.hunts.List()
		return r.published(huntsFeed(hunts)), err
	}
	return "", nil
}

func logFeed(list []entry) feed {
	return &listFeed{
		cols: columnsOf(tables.OpsQueryLog),
		rows: len(list),
		write: func(row int, to func(int) *vectorWriter, at int) {
			x := &list[row]
			put(to(0), at, x.Start.UnixMicro())
			put(to(1), at, x.Duration.Seconds())
			to(2).setText(at, x.account)
			to(3).setText(at, x.client)
			put(to(4), at, int64(x.connection))
			to(5).setText(at, x.Text)
			outcome := tables.OutcomeAnswered
			switch {
			case x.Cancelled:
				outcome = tables.OutcomeCancelled
			case x.Error != 0:
				outcome = tables.OutcomeFailed
			}
			to(6).setText(at, outcome)
			if x.Error == 0 {
				to(7).setNull(at)
			} else {
				put(to(7), at, int32(x.Error))
			}
			put(to(8), at, int32(x.warnings))
			for i, n := range []int64{int64(x.Rows), x.flowRows, x.packets, x.packetBytes, x.files, x.fileRows, x.fileBytes} {
				put(to(9+i), at, n)
			}
		},
	}
}
