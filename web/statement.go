package web

import (
	"database/sql"
	"encoding/csv"
	"encoding/hex"
	"net/http"
	"regexp"
	"strings"
)

// asks are statements that read and change nothing: those that a link may hold.
// What stands before the word must be comments to the server too: one ends where
// it first can, and none is for some versions only.
var asks = regexp.MustCompile(`(?is)^(\s|\(|/\*([^*!]|\*+[^*/])([^*]|\*+[^*/])*\*+/|/\*\*+/|--([ \t][^\n]*)?\n|#[^\n]*\n)*((SELECT|WITH|TABLE|VALUES|SHOW|EXPLAIN|DESC|DESCRIBE)\b|CALL\s+(hunt\s*\.\s*)?hunt\s*\()`)

// statementView is the text that is asked, and why it was not run.
type statementView struct {
	Text, Form string
	Refused    string
}

// statement shows a statement of somebody's own and its answer.
func statement(v *view) {
	text := strings.TrimSpace(v.r.FormValue("q"))
	page := statementView{Text: text, Form: v.who.form}
	switch {
	case text == "" || v.r.Method == http.MethodPost:
	case !asks.MatchString(text):
		page.Refused = "This statement is more than a question. Read it, then run it."
	case !v.trusted():
		page.Refused = "This statement came with a link of another site. Read it, then run it."
	}
	v.begin("SQL")
	v.write("statement", page)
	if text != "" && page.Refused == "" {
		a := v.who.ask(v.context(), text).linked(span{})
		v.write("part", part{ID: "answer", Title: "Answer", Empty: "No rows.", answer: a, Chart: a.timesOf(), Packets: a.packets()})
	}
	v.end()
}

// packets leads to the packets that an answer's rows name.
func (a *answer) packets() string {
	if a.Err != "" || len(a.Rows) == 0 || !asks.MatchString(a.SQL) {
		return ""
	}
	switch strings.ToUpper(strings.TrimLeft(a.SQL, " \t\r\n(")[:4]) {
	case "SELE", "WITH", "TABL":
	default:
		return ""
	}
	names := map[string]bool{}
	for _, c := range a.Columns { // with two of a name they are no table to choose from
		name := strings.ToLower(c.Name)
		if names[name] {
			return ""
		}
		names[name] = true
	}
	for _, name := range []string{"packet_id", "flow_id", "conn_id"} {
		if a.column(name) >= 0 {
			return to("/pcap", "q", strings.TrimRight(a.SQL, "; \t\r\n"), "by", name)
		}
	}
	return ""
}

// values gives all rows of an answer as CSV (RFC 4180), bytes in hex.
func values(v *view) {
	text := v.r.FormValue("q")
	if !asks.MatchString(text) || !v.trusted() {
		v.fail(http.StatusBadRequest, "Only the answer to a question can be taken along.")
		return
	}
	if err := v.values(text); err != nil {
		status := http.StatusBadRequest
		if denied(err) {
			status = http.StatusForbidden
		}
		v.fail(status, told(err))
	}
}

// values writes the rows of a statement. An error before the first is returned;
// one behind it breaks the download off, which the browser tells.
func (v *view) values(text string) error {
	conn, err := v.who.db.Conn(v.context())
	if err != nil {
		return err
	}
	defer conn.Close()
	// Of the connection, which others get later.
	if _, err := conn.ExecContext(v.context(), "SET sql_select_limit = DEFAULT"); err != nil {
		return err
	}
	defer conn.ExecContext(v.context(), selectLimit)
	rows, err := conn.QueryContext(v.context(), text)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := columnsOf(rows)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="wiresql.csv"`)
	out := csv.NewWriter(v.w)
	raw, to, fields := make([]sql.RawBytes, len(columns)), make([]any, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		to[i], fields[i] = &raw[i], c.Name
	}
	out.Write(fields)
	for n := 0; rows.Next(); n++ {
		if n%1000 == 0 {
			v.patient()
		}
		if err := rows.Scan(to...); err != nil {
			panic(err)
		}
		for i, value := range raw {
			if fields[i] = string(value); columns[i].Bytes {
				fields[i] = hex.EncodeToString(value)
			}
		}
		if out.Write(fields) != nil {
			break
		}
	}
	out.Flush()
	if err := rows.Err(); err != nil {
		panic(err)
	}
	return out.Error()
}
