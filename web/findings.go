package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/tables"
)

// findingIDs are ids of findings.
var findingIDs = regexp.MustCompile(`^[0-9a-f]{24}$`)

// findingsView is which findings are listed.
type findingsView struct {
	Status, Schedule string
	Statuses         []string
}

// findings lists what hunts that stand have found, and says whether they are well.
func findings(v *view) {
	page := findingsView{Status: v.r.FormValue("status"), Schedule: strings.TrimSpace(v.r.FormValue("schedule")), Statuses: append(slices.Clone(tables.FindingStatuses), "all")}
	if !slices.Contains(page.Statuses, page.Status) {
		page.Status = tables.FindingStatuses[0]
	}
	var conds []string
	if page.Status != "all" {
		conds = append(conds, "status = "+hunt.Quote(page.Status))
	}
	if page.Schedule != "" {
		conds = append(conds, "schedule = "+hunt.Quote(page.Schedule))
	}
	where := ""
	if conds != nil {
		where = "WHERE " + strings.Join(conds, " AND ") + "\n"
	}
	v.begin("Findings")
	v.write("findings", page)
	v.ask(part{ID: "list", Title: "What was found", Empty: "Nothing of this status was found. Below is which hunts stand, and how far they have come."},
		"SELECT finding, severity, title, schedule, finding_key, first_seen, last_seen, found_at, times, status, status_by\nFROM hunt.results\n"+
			where+"ORDER BY FIELD(severity, 'critical', 'high', 'medium', 'low', 'info'), found_at DESC, finding", span{})
	v.ask(part{ID: "schedules", Title: "Hunts that stand", Empty: "None: CALL schedule('beacons', 'beaconing', 'every', '1 HOUR') has one run by itself."},
		"SELECT schedule, hunt, every, last_run, next_run, hunted_to, findings, failures, error, notify, account\nFROM hunt.schedules\nORDER BY failures DESC, schedule", span{})
	v.ask(part{ID: "untold", Title: "Not told yet", Empty: "Everybody who is to be told was told."},
		"SELECT finding, schedule, target, state, attempts, last_attempt, error\nFROM hunt.deliveries\nWHERE state <> 'delivered'\nORDER BY last_attempt DESC, finding", span{})
	v.end()
}

// findingView is the forms of a finding.
type findingView struct {
	ID, Form, Status, Case string
	Statuses               []string
	Packets                string // leads to the packets of its latest row
	Refused                string // why what was sent was not done
	Note, Tags             string // what was sent then
}

// finding shows one finding, what was noted about it, and forms to say more.
func finding(v *view) {
	id := v.r.FormValue("id")
	if !findingIDs.MatchString(id) {
		v.fail(http.StatusBadRequest, "Which finding? Its id has 24 letters and digits.")
		return
	}
	page := findingView{ID: id, Form: v.who.form, Statuses: tables.FindingStatuses}
	if v.r.Method == http.MethodPost {
		text := ""
		if page.Note = strings.TrimSpace(v.r.PostFormValue("note")); page.Note != "" {
			page.Tags = strings.TrimSpace(v.r.PostFormValue("tags"))
			text = "CALL case_note(" + strings.Join([]string{hunt.Quote(strings.TrimSpace(v.r.PostFormValue("case"))), hunt.Quote(page.Note), hunt.Quote(id), hunt.Quote(page.Tags)}, ", ") + ")"
		} else if status := v.r.PostFormValue("status"); status != "" {
			text = "CALL finding_status(" + hunt.Quote(id) + ", " + hunt.Quote(status) + ")"
		} else {
			page.Refused = "A note has a text."
		}
		if text != "" {
			if page.Refused = v.who.ask(v.context(), text).Err; page.Refused == "" {
				http.Redirect(v.w, v.r, to("/finding", "id", id), http.StatusSeeOther) // loading it again does nothing twice
				return
			}
		}
	}
	is := hunt.Quote(id)
	a := v.who.ask(v.context(), "SELECT title, severity, status, status_by, status_at, schedule, hunt, first_seen, last_seen, found_at, times, case_name, finding_key, row_json\n"+
		"FROM hunt.results WHERE finding = "+is)
	if a.Err != "" || len(a.Rows) == 0 {
		text := a.Err
		if text == "" {
			text = "There is no finding " + id + ": it was forgotten, or never there."
		}
		v.fail(http.StatusNotFound, text)
		return
	}
	row := a.texts(a.Rows[0])
	said := func(name string) string {
		if s := row[name]; s != nil {
			return *s
		}
		return ""
	}
	page.Status, page.Case = said("status"), said("case_name")
	if page.Case == "" {
		page.Case = said("schedule") + "/" + id
	}
	latest := rowOf(said("row_json"))
	if q := v.who.ask(v.context(), "SELECT packets_query FROM hunt.hunts WHERE name = "+hunt.Quote(said("hunt"))); len(q.Rows) > 0 && !q.Rows[0][0].Null {
		values := map[string]*string{}
		for i, c := range latest.Columns {
			if !latest.Rows[0][i].Null {
				values[c.Name] = &latest.Rows[0][i].Text
			}
		}
		if text := (&hunt.Hunt{Packets: q.Rows[0][0].Text}).Follow(values); text != "" {
			page.Packets = to("/sql", "q", text)
		}
	}
	last := len(a.Columns) - 1 // shown by its columns
	a.Columns, a.Rows[0] = a.Columns[:last], a.Rows[0][:last]
	if page.Refused != "" {
		v.w.WriteHeader(http.StatusBadRequest)
	}
	v.begin("Finding: " + said("title"))
	v.write("finding", page)
	v.write("part", part{ID: "state", Title: "State", answer: a.linked(span{}), Tall: true})
	if len(latest.Columns) > 0 {
		latest.SQL = a.SQL
		v.write("part", part{ID: "row", Title: "Its latest row", answer: latest.linked(span{}), Tall: true})
	}
	v.ask(part{ID: "notes", Title: "Notes", Empty: "Nobody noted anything about it."},
		"SELECT ts, account, case_name, tags, note\nFROM hunt.cases WHERE about = "+is+" OR case_name = "+hunt.Quote(page.Case)+"\nORDER BY ts", span{})
	v.ask(part{ID: "told", Title: "Who was told", Empty: "Nobody is to be told of it."},
		"SELECT target, state, attempts, last_attempt, error\nFROM hunt.deliveries WHERE finding = "+is, span{})
	v.end()
}

// rowOf is a row as findings keep it, an object of JSON, in the order of its names.
func rowOf(text string) *answer {
	a := &answer{Rows: [][]cell{nil}}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return a
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			break
		}
		var value any
		if d.Decode(&value) != nil {
			break
		}
		a.Columns = append(a.Columns, column{Name: fmt.Sprint(name)})
		if value == nil {
			a.Rows[0] = append(a.Rows[0], cell{Null: true})
		} else {
			a.Rows[0] = append(a.Rows[0], cell{Text: fmt.Sprint(value)})
		}
	}
	return a
}
