package web

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

//go:embed templates
var files embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"to": to, "seen": seen}).ParseFS(files, "templates/*.html"))

// write shows a whole page that is no view.
func write(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	templates.ExecuteTemplate(w, name, data) // who has left gets nothing
}

// view writes the answer to a request: a head, then a piece for each answer as
// soon as it is known, so that a slow one does not hold up the others.
type view struct {
	w        http.ResponseWriter
	r        *http.Request
	control  *http.ResponseController
	who      *session
	sessions *sessions
}

// head is what all views begin with.
type head struct {
	Title  string
	User   string
	Form   string
	Search string
	Here   string
}

// about is the time that a view is about, and Keep what else its address holds.
type about struct {
	Here string
	When span
	Keep url.Values
	// Wrong says what of a time that was given is none.
	Wrong []string
}

// begin writes the head of a view.
func (v *view) begin(title string) {
	v.write("head", head{Title: title, User: v.who.user, Form: v.who.form, Here: v.r.URL.Path})
}

// beginAt writes the head of a view that is about a time, which can be changed. What
// time that is may have to be asked for: the browser has styles and scripts to load
// meanwhile.
func (v *view) beginAt(title string) span {
	v.begin(title)
	h := about{Here: v.r.URL.Path, When: v.span(), Keep: url.Values{}}
	for key, values := range v.r.URL.Query() {
		if key != "from" && key != "to" && key != "after" && key != "shown" {
			h.Keep[key] = values
		}
	}
	for _, key := range []string{"from", "to"} {
		if text := strings.TrimSpace(v.r.FormValue(key)); text != "" && given(text) == "" {
			h.Wrong = append(h.Wrong, key+": "+text+" is no time like 2026-06-12 10:15:00, and is left out.")
		}
	}
	if from, to := given(v.r.FormValue("from")), given(v.r.FormValue("to")); from != "" && to != "" && to < from {
		h.Wrong = append(h.Wrong, "This time ends before it begins: nothing is in it.")
	}
	v.write("when", h)
	return h.When
}

// write writes a piece, and lets the browser show it.
func (v *view) write(name string, data any) {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.patient()
	if err := templates.ExecuteTemplate(v.w, name, data); err != nil {
		panic(err) // the browser has left, or the template is wrong
	}
	v.control.Flush()
}

// patient gives the browser writeTime for the next piece.
func (v *view) patient() { v.control.SetWriteDeadline(time.Now().Add(writeTime)) }

// end writes the foot of a view.
func (v *view) end() { v.write("foot", nil) }

// part is an answer within a view.
type part struct {
	ID, Title string
	Note      string // how to read it
	Empty     string // what it means that there are no rows
	*answer
	Chart *chart
	// Tall shows the columns of one row below each other.
	Tall bool
	// Packets leads to the packets of the rows.
	Packets string
}

// ask writes the answer to a statement as a part of the view.
func (v *view) ask(p part, text string, when span) *answer {
	p.answer = v.who.ask(v.context(), text).linked(when)
	v.write("part", p)
	return p.answer
}

// asked is an answer that may not be there yet.
type asked chan *answer

// soon asks a statement and does not wait: the parts of a view are written in order,
// but found at the same time.
func (v *view) soon(text string) asked {
	a := make(asked, 1)
	go func() { a <- v.who.ask(v.context(), text) }()
	return a
}

// trusted tells whether the request was made by somebody who saw the page, or
// typed an address: not by a link of another site, whose statement nobody has
// read.
func (v *view) trusted() bool {
	return v.r.Header.Get("Sec-Fetch-Site") != "cross-site"
}

// fail answers a request that is no question.
func (v *view) fail(status int, text string) {
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	v.begin(http.StatusText(status))
	v.write("failure", text)
	v.end()
}
