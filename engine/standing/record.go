// Package standing keeps hunts that run by themselves: which, when, over which
// time, what they found, who was told, and what people noted. It runs no
// statement and reads no archive: the engine gives it rows and a notebook.
//
//   - record.go: what is written down, a line each; state.go: what all of it says.
//   - schedule.go: when a hunt is due, and which time it then looks through.
//   - keeper.go: one run after the other; finding.go: rows become findings.
//   - target.go, deliver.go: who is told of a finding, until it has arrived.
package standing

import (
	"encoding/json"

	"github.com/wiresql/wiresql/tables"
)

// record is a line of the notebook: one of these.
type record struct {
	Schedule   *Schedule `json:"schedule,omitempty"`
	Unschedule string    `json:"unschedule,omitempty"`
	// Finding counts once the run behind it is there, too.
	Finding  *Finding  `json:"finding,omitempty"`
	Run      *Run      `json:"run,omitempty"`
	Verdict  *Verdict  `json:"verdict,omitempty"`
	Delivery *Delivery `json:"delivery,omitempty"`
	Note     *Note     `json:"note,omitempty"`
	// Kept is a finding as it was when the notebook was written anew.
	Kept *Finding `json:"kept,omitempty"`
	// Days are those on which runs began, as of then: see sureDays.
	Days []int64 `json:"days,omitempty"`
	// Lost are lines that were damaged before it was.
	Lost int64 `json:"lost,omitempty"`
}

// Schedule is a hunt that stands.
type Schedule struct {
	Name string `json:"name,omitempty"`
	Hunt string `json:"hunt,omitempty"`
	// Every is how long after the start of a run the next is due, Since how long
	// the time is that each looks through, Late how late records may come: as
	// hunts take lengths of time.
	Every   string            `json:"every,omitempty"`
	Since   string            `json:"since,omitempty"`
	Late    string            `json:"late,omitempty"`
	Values  map[string]string `json:"values,omitempty"`  // of the hunt's parameters
	Pin     bool              `json:"pin,omitempty"`     // the packets of what is new
	Notify  string            `json:"notify,omitempty"`  // the target that is told of what is new
	Account string            `json:"account,omitempty"` // with whose rights it runs; "" for those who have the archive's files
	Made    tables.Time       `json:"made,omitzero"`

	// What came of it. Until is the end of the time that was looked through,
	// Begun the start of the last run.
	Until    tables.Time `json:"until,omitzero"`
	Begun    tables.Time `json:"begun,omitzero"`
	Failures int         `json:"failures,omitempty"` // runs that failed since one did not
	Error    string      `json:"error,omitempty"`
}

// Finding is a row of a hunt, told apart from others by its key.
type Finding struct {
	ID       string          `json:"id,omitempty"`
	Schedule string          `json:"schedule,omitempty"`
	Hunt     string          `json:"hunt,omitempty"`
	Severity string          `json:"severity,omitempty"`
	Title    string          `json:"title,omitempty"`
	Key      json.RawMessage `json:"key"`
	Row      json.RawMessage `json:"row"`
	// First and Last are the times of what was found, Found that of the run which
	// did first.
	First    tables.Time `json:"first,omitzero"`
	Last     tables.Time `json:"last,omitzero"`
	Found    tables.Time `json:"found,omitzero"`
	Times    int         `json:"times,omitempty"` // runs that found more of it
	Case     string      `json:"case,omitempty"`
	Verdict  *Verdict    `json:"verdict,omitempty"`
	Delivery *Delivery   `json:"delivery,omitempty"`
}

// Verdict is what somebody says of a finding.
type Verdict struct {
	ID      string      `json:"id,omitempty"`
	Status  string      `json:"status,omitempty"`
	Account string      `json:"account,omitempty"`
	At      tables.Time `json:"at,omitzero"`
}

// Delivery is how far telling of a finding is.
type Delivery struct {
	ID       string      `json:"id,omitempty"`
	Target   string      `json:"target,omitempty"`
	Attempts int         `json:"attempts,omitempty"`
	At       tables.Time `json:"at,omitzero"`     // of the last one
	Error    string      `json:"error,omitempty"` // of it
	// Done tells that it arrived, Over that nobody tries any more.
	Done bool `json:"done,omitempty"`
	Over bool `json:"over,omitempty"`
}

// Run is one run of a schedule.
type Run struct {
	Schedule  string      `json:"schedule,omitempty"`
	Hunt      string      `json:"hunt,omitempty"`
	Begun     tables.Time `json:"begun,omitzero"`
	Duration  float64     `json:"duration"` // seconds
	From      tables.Time `json:"from,omitzero"`
	To        tables.Time `json:"to,omitzero"`
	Rows      int         `json:"rows,omitempty"`
	New       int         `json:"new,omitempty"`
	Truncated bool        `json:"truncated,omitempty"`
	Error     string      `json:"error,omitempty"`
	Warnings  []string    `json:"warnings,omitempty"`
	Findings  int         `json:"findings,omitempty"` // lines before this one that are of it
}

// Note is what somebody wrote down about a case.
type Note struct {
	Case    string      `json:"case,omitempty"`
	About   string      `json:"about,omitempty"`
	Tags    string      `json:"tags,omitempty"`
	Text    string      `json:"text,omitempty"`
	Account string      `json:"account,omitempty"`
	At      tables.Time `json:"at,omitzero"`
}

func (r *record) line() ([]byte, error) { return json.Marshal(r) }
