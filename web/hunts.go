package web

import (
	"net/http"
	"strings"

	"github.com/wiresql/wiresql/engine/hunt"
)

const huntColumns = "name, title, question, severity, techniques, parameters, how_to_read, empty_means, false_positives, relations, packets_query, query, reference_urls, error"

// saved is a hunt as hunt.hunts tells of it.
type saved struct {
	Name, Title, Question, Severity, Techniques string
	Parameters                                  []field
	Read, Empty, FalsePositives, Relations      string
	Packets, Query                              string
	References                                  []string
	Err                                         string
}

// field is a parameter of a hunt, and the value it was given.
type field struct {
	hunt.Parameter
	Value string
}

// Given tells whether it must be said.
func (f field) Must() bool { return f.Default == hunt.Required }

// savedOf reads the rows of huntColumns.
func savedOf(a *answer) (out []saved) {
	for _, row := range a.Rows {
		t := func(i int) string { return row[i].Text }
		h := saved{Name: t(0), Title: t(1), Question: t(2), Severity: t(3), Techniques: t(4), Read: t(6), Empty: t(7),
			FalsePositives: t(8), Relations: t(9), Packets: t(10), Query: t(11), References: strings.Fields(strings.ReplaceAll(t(12), ",", " ")), Err: t(13)}
		for line := range strings.Lines(t(5)) {
			if p, err := hunt.ParseParameter(strings.TrimSuffix(line, "\n")); err == nil {
				h.Parameters = append(h.Parameters, field{Parameter: *p})
			}
		}
		out = append(out, h)
	}
	return out
}

// hunts lists the saved hunts.
func hunts(v *view) {
	v.begin("Hunts")
	a := v.who.ask(v.context(), "SELECT "+huntColumns+" FROM hunt.hunts\nORDER BY FIELD(severity, 'critical', 'high', 'medium', 'low', 'info'), name")
	v.write("hunts", struct {
		*answer
		Hunts []saved
	}{a, savedOf(a)})
	v.end()
}

// huntView is one hunt, with its form.
type huntView struct {
	saved
	Since, From, To string
	Refused         bool // a link of elsewhere: somebody must say that it is to run
}

// oneHunt shows a hunt as a form, and what it found.
func oneHunt(v *view) {
	name := v.r.FormValue("name")
	a := v.who.ask(v.context(), "SELECT "+huntColumns+" FROM hunt.hunts WHERE name = "+hunt.Quote(name))
	list := savedOf(a)
	if a.Err != "" || len(list) == 0 {
		text := a.Err
		if text == "" {
			text = "There is no hunt " + name + "."
		}
		v.fail(http.StatusNotFound, text)
		return
	}
	h := huntView{saved: list[0], Since: v.r.FormValue("since"), From: v.r.FormValue("from"), To: v.r.FormValue("to")}
	run := v.r.FormValue("run") != ""
	call := []string{hunt.Quote(h.Name)}
	give := func(key, value string) {
		if value != "" {
			call = append(call, hunt.Quote(key), hunt.Quote(value))
		}
	}
	give(hunt.Since, h.Since)
	give(hunt.From, h.From)
	give(hunt.To, h.To)
	for i := range h.Parameters {
		p := &h.Parameters[i]
		p.Value = v.r.FormValue("p." + p.Name)
		give(p.Name, p.Value)
	}
	h.Refused = run && !v.trusted()
	v.begin(h.Title)
	v.write("hunt", h)
	if run && !h.Refused {
		a := v.who.ask(v.context(), "CALL hunt("+strings.Join(call, ", ")+")")
		h.follow(a)
		p := part{ID: "found", Title: "What was found", Note: h.Read, Empty: h.Empty, answer: a.linked(span{}), Chart: a.timesOf()}
		v.write("part", p)
	}
	v.end()
}

// follow puts in front of each row the way on to its packets.
func (h *saved) follow(a *answer) {
	if h.Packets == "" || a.Err != "" {
		return
	}
	on := hunt.Hunt{Packets: h.Packets}
	for i, row := range a.Rows {
		c := cell{Null: true}
		if text := on.Follow(a.texts(row)); text != "" {
			c = cell{Text: "show", Href: to("/sql", "q", text)}
		}
		a.Rows[i] = append([]cell{c}, row...)
	}
	a.Columns = append([]column{{Name: "packets of it"}}, a.Columns...)
}
