package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/engine/standing"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Hunts that stand: CALL schedule makes one, which whoever serves the archive runs,
// with the rights of the account that made it (package standing). CALL
// finding_status and case_note are what people say about what was found.

// now is what the clock shows.
func now() tables.Time { return tables.Time(time.Now().UnixMicro()) }

// mayHunt tells whether the session's account may make schedules and notes.
func (e *Engine) mayHunt(ctx *sql.Context) bool { return e.mayExecute(ctx, tables.Hunt) }

// author is the name of the session's account, empty where there are none.
func (e *Engine) author(ctx *sql.Context) string {
	if !e.sql.Analyzer.Catalog.MySQLDb.Enabled() {
		return ""
	}
	return ctx.Session.Client().User
}

// schedule is CALL schedule(name, hunt, option, value, …).
func (e *Engine) schedule(ctx *sql.Context, args []string) error {
	if len(args) < 2 || len(args)%2 != 0 {
		return userError("CALL schedule takes a name and a hunt, then options and values in turn: CALL schedule('beacons', 'beaconing', 'every', '1 HOUR', 'since', '1 DAY')")
	}
	s := standing.Schedule{Name: args[0], Hunt: args[1], Values: map[string]string{}, Account: e.author(ctx), Made: now()}
	if s.Name == "" || len(s.Name) > tables.MaxName {
		return userError("the name of a schedule has 1 to %d characters", tables.MaxName)
	}
	own := map[string]*string{"every": &s.Every, hunt.Since: &s.Since, "late": &s.Late, "notify": &s.Notify}
	for i := 2; i < len(args); i += 2 {
		name := strings.ToLower(args[i])
		switch to := own[name]; {
		case name == hunt.From || name == hunt.To:
			return userError("a schedule has no %s: each run ends where everything is recorded, and begins where the last one ended, or since before that", name)
		case name == "pin":
			if s.Pin = args[i+1] == "1"; !s.Pin && args[i+1] != "0" {
				return userError("pin is 1, to pin the packets of new findings, or 0")
			}
		case to != nil:
			*to = args[i+1]
		default:
			s.Values[name] = args[i+1]
		}
	}
	if err := s.Check(); err != nil {
		return userError("%v", err)
	}
	most := tables.HuntSchedules.Column("parameters").Size
	if text, err := json.Marshal(s.Values); err != nil || len(text) > most {
		return userError("the parameters of a schedule have %d bytes at most", most)
	}
	if s.Pin && !e.mayPin(ctx) {
		return e.mayNot(ctx, tables.Ops, "pin")
	}
	if s.Notify != "" {
		targets, err := standing.Targets(e.cfg.Targets)
		if err != nil {
			e.log.Warn("targets of standing hunts", "error", err)
			return userError("the file of targets can't be read: the server's log says why")
		}
		if targets[s.Notify] == nil {
			return userError("there is no target '%s': who runs the server names them in a file (--targets)", s.Notify)
		}
	}
	h, text, err := e.huntOver(s.Hunt, hunt.Range{From: "NOW(6)", To: "NOW(6)"}, s.Values)
	if err != nil {
		return err
	}
	s.Hunt = h.Name
	// The account must have the right to what the hunt reads, and its rows the key.
	schema, _, err := e.Prepare(ctx, text)
	if err != nil {
		return err
	}
	for _, name := range h.Key {
		if !slices.ContainsFunc(schema, func(c *sql.Column) bool { return c.Name == name }) {
			return userError("the key of hunt %s names %s, which its rows lack", h.Name, name)
		}
	}
	return told(e.book.Schedule(s))
}

// told is an error of a book as a client is told.
func told(err error) error {
	var full standing.Full
	if errors.As(err, &full) {
		return userError("%v", full)
	}
	return err
}

// caseNote is CALL case_note(case, note, about, tags); the last two may be left out.
func (e *Engine) caseNote(ctx *sql.Context, args []string) error {
	if len(args) < 2 || len(args) > 4 {
		return userError("CALL case_note takes a case and a note, and may take what it is about, and tags: CALL case_note('case-17', 'she opened it at 10:15', 'a finding or a conn_id', 'phishing, mail')")
	}
	args = append(args, "", "")
	for i, column := range []string{"case_name", "note", "about", "tags"} {
		if most := tables.HuntCases.Column(column).Size; len(args[i]) > most || i < 2 && args[i] == "" {
			return userError("%s has %d to %d bytes", column, max(0, 1-i/2), most)
		}
	}
	tags := strings.FieldsFunc(args[3], func(r rune) bool { return r == ',' || r == ' ' })
	return told(e.book.Note(standing.Note{Case: args[0], Text: args[1], About: args[2], Tags: strings.Join(tags, ", "), Account: e.author(ctx), At: now()}))
}

// huntCall runs a procedure that writes down.
func (e *Engine) huntCall(ctx *sql.Context, name string, c *sqlparser.CallProc, params Parameters) error {
	args, err := e.arguments(ctx, c, params)
	if err != nil {
		return err
	}
	known := true
	switch name {
	case "schedule":
		return e.schedule(ctx, args)
	case "unschedule":
		if known, err = e.book.Unschedule(args[0]); err == nil && !known {
			err = userError("there is no schedule '%s': see hunt.schedules", args[0])
		}
		if k := e.keeper.Load(); k != nil {
			k.Stop(args[0])
		}
	case "finding_status":
		if !slices.Contains(tables.FindingStatuses, strings.ToLower(args[1])) {
			return userError("the status of a finding is one of %s", strings.Join(tables.FindingStatuses, ", "))
		}
		v := standing.Verdict{ID: args[0], Status: strings.ToLower(args[1]), Account: e.author(ctx), At: now()}
		if known, err = e.book.Judge(v); err == nil && !known {
			err = userError("there is no finding '%s': see hunt.results", args[0])
		}
	case "case_note":
		return e.caseNote(ctx, args)
	}
	return err
}

// standAgain is how often a process asks whether the one that runs standing hunts has
// ended.
const standAgain = 2 * time.Second

// Stand runs what is scheduled until ctx ends, as soon as no other process does; wait
// returns when it is over. What is wrong with the file of targets is an error at once.
func (e *Engine) Stand(ctx context.Context) (wait func(), err error) {
	if _, err := standing.Targets(e.cfg.Targets); err != nil {
		return nil, err
	}
	var keeping sync.WaitGroup
	keeping.Go(func() {
		release := e.keepStanding(ctx)
		if release == nil {
			return
		}
		defer release()
		k := standing.NewKeeper(e.book, huntRunner{e}, standing.Config{Time: e.cfg.HuntTime, Rows: e.cfg.HuntRows, Targets: e.cfg.Targets}, e.log)
		e.keeper.Store(k)
		k.Keep(ctx)
	})
	return keeping.Wait, nil
}

// keepStanding makes this process the one that runs standing hunts, when no other one
// does any more; nil if ctx ends before.
func (e *Engine) keepStanding(ctx context.Context) (release func()) {
	said := false
	for {
		release, err := e.archive.KeepStanding()
		if err == nil {
			if said {
				e.log.Warn("standing hunts are run by this process from now on")
			}
			return release
		}
		if !said {
			said = true
			e.log.Warn("standing hunts are not run by this process", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(standAgain):
		}
	}
}

// huntRunner runs standing hunts.
type huntRunner struct{ *Engine }

// Recorded implements standing.Engine.
func (e huntRunner) Recorded(context.Context) (end tables.Time, err error) {
	c, err := e.archive.Catalog()
	if err != nil {
		return 0, err
	}
	for _, family := range []archive.Family{archive.Connections, archive.Flows, archive.Exports, archive.Coverage} {
		for _, f := range c.Files(family) {
			end = max(end, f.MaxTS)
		}
	}
	return end, nil
}

// session begins one with the rights of a schedule's account.
func (e huntRunner) session(s *standing.Schedule) *Session {
	// Numbers beyond those of clients' connections.
	base := sql.NewBaseSessionWithClientServer("in-process", sql.Client{User: s.Account, Address: "localhost"}, 1<<31|e.sessions.Add(1))
	base.SetCurrentDatabase(tables.Main)
	return &Session{e.Engine, &session{BaseSession: base, behind: true}}
}

// errKilled is the end of a run that KILL ended.
var errKilled = functions.Errorf(1317, "Query execution was interrupted")

// listed has a run in the list of processes, where its account sees it and may end
// it, until done is called.
func (e huntRunner) listed(ctx context.Context, s sql.Session, text string) (_ context.Context, done func(), err error) {
	list := e.sql.ProcessList
	list.AddConnection(s.ID(), s.Client().Address)
	list.ConnectionReady(s)
	begun, err := list.BeginQuery(sql.NewContext(ctx, sql.WithSession(s), sql.WithPid(uint64(s.ID()))), text)
	if err != nil {
		list.RemoveConnection(s.ID())
		return nil, nil, err
	}
	killable, end := context.WithCancelCause(ctx)
	stop := context.AfterFunc(begun, func() { end(errKilled) })
	return killable, func() {
		stop()
		end(nil)
		list.EndQuery(begun)
		list.RemoveConnection(s.ID())
	}, nil
}

// Hunt implements standing.Engine.
func (e huntRunner) Hunt(ctx context.Context, s *standing.Schedule, from, to tables.Time, most int) (*standing.Answer, error) {
	constant := func(t tables.Time) string { return "TIMESTAMP'" + timeText(t) + "+00:00'" }
	h, text, err := e.huntOver(s.Hunt, hunt.Range{From: constant(from), To: constant(to)}, s.Values)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	session := e.session(s)
	ctx, done, err := e.listed(ctx, session.session, text)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := session.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	a := &standing.Answer{Title: h.Title, Severity: h.Severity, Key: h.Key}
	for i, c := range rows.Schema {
		a.Columns = append(a.Columns, standing.Column{Name: c.Name, Number: rows.IsNumber(i)})
	}
	for {
		row, err := rows.Text()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && len(a.Rows) == most {
			a.Truncated = true
			break
		}
		if err != nil {
			e.Log(rows.ctx, Logged{Start: began, Duration: time.Since(began), Text: text, Rows: len(a.Rows), Error: 1105})
			return nil, err
		}
		texts := make([]*string, len(row))
		for i, cell := range row {
			if cell != nil {
				text := string(cell)
				texts[i] = &text
			}
		}
		a.Rows = append(a.Rows, texts)
	}
	a.Warnings = rows.Warnings()
	e.Log(rows.ctx, Logged{Start: began, Duration: time.Since(began), Text: text, Rows: len(a.Rows)})
	return a, nil
}

// Pin implements standing.Engine.
func (e huntRunner) Pin(ctx context.Context, s *standing.Schedule, name string, a *standing.Answer, f *standing.Finding, from, to tables.Time) ([]string, error) {
	pinned := func() (bool, error) {
		pins, err := e.archive.Pins()
		return slices.ContainsFunc(pins, func(p archive.Pin) bool { return p.Case == name }), err
	}
	if done, err := pinned(); done || err != nil {
		return nil, err // by a run that was interrupted
	}
	condition, err := ofConnection(f.Row, a.Key)
	if err != nil {
		return nil, err
	}
	session := e.session(s)
	c := sql.NewContext(ctx, sql.WithSession(session.session), sql.WithPid(uint64(session.session.ID())))
	defer e.ended(session.session.ID())
	if s.Account != "" && !e.mayPin(c) {
		return nil, e.mayNot(c, tables.Ops, "pin")
	}
	said, err := e.pin(c, name, condition, timeText(from), timeText(to))
	if err != nil {
		return nil, err
	}
	if done, err := pinned(); !done || err != nil {
		return nil, cmp.Or(err, errors.New("no connection matches it"))
	}
	return said, nil
}

// ofConnection is the condition on the connections of a finding: its own, or those
// that have what its key says.
func ofConnection(row json.RawMessage, key []string) (string, error) {
	var values map[string]any
	in := json.NewDecoder(strings.NewReader(string(row)))
	in.UseNumber()
	if err := in.Decode(&values); err != nil {
		return "", err
	}
	if id, ok := values["conn_id"].(string); ok {
		return "c.conn_id = " + functions.Quote(id), nil
	}
	var parts []string
	for _, name := range key {
		if tables.Connections.Column(name) == nil {
			continue
		}
		switch v := values[name].(type) {
		case string:
			parts = append(parts, "c."+name+" = "+functions.Quote(v))
		case json.Number:
			parts = append(parts, "c."+name+" = "+v.String())
		case nil:
			parts = append(parts, "c."+name+" IS NULL")
		}
	}
	if len(parts) == 0 {
		return "", errors.New("it names no connections")
	}
	return strings.Join(parts, " AND "), nil
}

// HuntStats are how standing hunts go: those of runs and messages since the process
// began.
type HuntStats struct {
	Schedules, Failing, Waiting                                           int
	Found, Nothing, Truncated, Failed, Delivered, DeliveryFailed, GivenUp int64
}

// HuntStats says how standing hunts go.
func (e *Engine) HuntStats() (s HuntStats, err error) {
	v, err := e.book.View()
	if err != nil {
		return s, err
	}
	s.Schedules = len(v.Schedules)
	for i := range v.Schedules {
		if v.Schedules[i].Failures > 0 {
			s.Failing++
		}
	}
	for i := range v.Findings {
		if d := v.Findings[i].Delivery; d != nil && !d.Done && !d.Over {
			s.Waiting++
		}
	}
	if k := e.keeper.Load(); k != nil {
		s.Found, s.Nothing, s.Truncated, s.Failed = k.Stats.Found.Load(), k.Stats.Nothing.Load(), k.Stats.Truncated.Load(), k.Stats.Failed.Load()
		s.Delivered, s.DeliveryFailed, s.GivenUp = k.Stats.Delivered.Load(), k.Stats.DeliveryFailed.Load(), k.Stats.GivenUp.Load()
	}
	return s, nil
}

// HuntTrouble is a schedule that does not do what it should.
type HuntTrouble struct {
	Schedule string      `json:"schedule"`
	Failures int         `json:"failures"`           // of its last runs
	Error    string      `json:"error,omitempty"`    // of the last
	Due      tables.Time `json:"due_since,omitzero"` // a while ago, if nobody runs it
}

// dueFor is how long a schedule may be due before somebody is told.
const dueFor = tables.Time(15 * 60e6)

// HuntTroubles are the schedules of an archive that fail, or that nobody runs.
func HuntTroubles(a *archive.Archive) (out []HuntTrouble, err error) {
	v, err := standing.NewBook(a.Notebook(), DefaultConfig().ResultsAge).View()
	if err != nil {
		return nil, err
	}
	for i := range v.Schedules {
		s := &v.Schedules[i]
		t := HuntTrouble{Schedule: s.Name, Failures: s.Failures, Error: s.Error}
		if due := s.Due(now()); due < now()-dueFor {
			t.Due = due
		}
		if t.Failures > 0 || t.Due > 0 {
			out = append(out, t)
		}
	}
	return out, nil
}

// standingFeed has the rows of a relation about standing hunts.
func standingFeed(rel *tables.Relation, v *standing.View) (feed, error) {
	var list [][]any
	row := func(cells ...any) { list = append(list, cells) }
	when := func(t tables.Time) any {
		if t == 0 {
			return nil
		}
		return int64(t)
	}
	switch rel {
	case tables.HuntSchedules:
		found := map[string]int64{}
		for i := range v.Findings {
			found[v.Findings[i].Schedule]++
		}
		for i := range v.Schedules {
			s := &v.Schedules[i]
			values := ""
			if len(s.Values) > 0 {
				text, err := json.Marshal(s.Values)
				if err != nil {
					return nil, err
				}
				values = string(text)
			}
			row(s.Name, s.Hunt, s.Every, s.Since, s.Late, values, s.Pin, s.Notify, s.Account, int64(s.Made),
				when(s.Begun), int64(s.Due(now())), when(s.Until), found[s.Name], int64(s.Failures), s.Error)
		}
	case tables.HuntRuns:
		for i := range v.Runs {
			r := &v.Runs[i]
			outcome := tables.RunNothing
			switch {
			case r.Error != "":
				outcome = tables.RunFailed
			case r.Truncated:
				outcome = tables.RunTruncated
			case r.Rows > 0:
				outcome = tables.RunFound
			}
			to := when(r.To)
			if r.From == 0 {
				to = nil
			}
			row(int64(r.Begun), r.Duration, r.Schedule, r.Hunt, when(r.From), to, outcome, int64(r.Rows), int64(r.New), r.Error, strings.Join(r.Warnings, "\n"))
		}
	case tables.HuntResults:
		for i := range v.Findings {
			f := &v.Findings[i]
			said := standing.Verdict{Status: tables.FindingStatuses[0]}
			if f.Verdict != nil {
				said = *f.Verdict
			}
			row(f.ID, f.Schedule, f.Hunt, f.Severity, f.Title, string(f.Key), int64(f.First), int64(f.Last), int64(f.Found), int64(f.Times),
				said.Status, said.Account, when(said.At), f.Case, string(f.Row))
		}
	case tables.HuntDeliveries:
		for i := range v.Findings {
			f := &v.Findings[i]
			d := f.Delivery
			if d == nil {
				continue
			}
			state := tables.DeliveryWaiting
			if d.Done {
				state = tables.DeliveryDone
			} else if d.Over {
				state = tables.DeliveryGivenUp
			}
			row(f.ID, f.Schedule, d.Target, state, int64(d.Attempts), when(d.At), d.Error)
		}
	case tables.HuntCases:
		for i := range v.Notes {
			n := &v.Notes[i]
			row(int64(n.At), n.Case, n.Account, n.About, n.Tags, n.Text)
		}
	}
	return cellsFeed(rel, list), nil
}

// cellsFeed is a feed of rows given cell by cell; an empty text is NULL.
func cellsFeed(rel *tables.Relation, list [][]any) feed {
	return &listFeed{
		cols: columnsOf(rel),
		rows: len(list),
		write: func(i int, to func(int) *vectorWriter, at int) {
			for col, cell := range list[i] {
				switch v := cell.(type) {
				case nil:
					to(col).setNull(at)
				case string:
					to(col).setTextOrNull(at, v)
				case int64:
					put(to(col), at, v)
				case float64:
					put(to(col), at, v)
				case bool:
					put(to(col), at, v)
				}
			}
		},
	}
}
