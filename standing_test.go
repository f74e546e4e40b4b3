package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// receiver takes findings as it is told to.
type receiver struct {
	mu   sync.Mutex
	mode string         // hang, fail, take
	came int            // requests
	took map[string]int // by the machine they are about
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return // its sender was killed
	}
	r.mu.Lock()
	mode := r.mode
	r.came++
	r.mu.Unlock()
	switch mode {
	case "hang":
		<-q.Context().Done()
	case "fail":
		w.WriteHeader(http.StatusInternalServerError)
	case "take":
		var m struct {
			ID, Severity string
			Key          struct {
				Client string `json:"client_ip"`
			}
		}
		if json.Unmarshal(body, &m) != nil || m.Severity != "high" || m.ID != q.Header.Get("Idempotency-Key") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.took[m.Key.Client]++
	}
}

// set says what the receiver does from now on, and how many requests came before.
func (r *receiver) set(mode string) (before int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = mode
	return r.came
}

func (r *receiver) since(before int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.came - before
}

// beacon adds calls of a machine, a minute from each other.
func (t *traffic) beacon(at time.Time, client string, calls int) {
	for n := range calls {
		t.tcp(at.Add(time.Duration(n)*time.Minute), client, "203.0.113.50", 443, "SF", nil, 300, 500)
	}
}

// A hunt stands: what it finds is stored once, told to a server until that has it,
// and its packets are pinned; over runs, over what is imported between them, and over
// servers that are killed.
func TestStandingHunt(t *testing.T) {
	soc := &receiver{mode: "hang", took: map[string]int{}}
	server := httptest.NewServer(soc)
	defer server.Close()
	targets := filepath.Join(t.TempDir(), "targets")
	if err := os.WriteFile(targets, fmt.Appendf(nil, `[{"name": "soc", "url": %q, "headers": {"Authorization": "Bearer hidden"}}]`, server.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	noon := time.Date(2026, 6, 12, 12, 0, 0, 0, time.UTC)
	record := func(plant func(*traffic)) {
		t.Helper()
		made := newTraffic()
		plant(made)
		if code, _, said := runProgram(t, nil, "import", "--data", dir, made.write(t)); code != 0 {
			t.Fatalf("import: exit %d: %s", code, said)
		}
	}
	// Asking again to schedule it makes it due.
	schedule := func() {
		t.Helper()
		if code, _, said := runProgram(t, nil, "query", "--data", dir, "--targets", targets,
			"CALL schedule('beacons', 'beaconing', 'every', '1 DAY', 'since', '2 DAY', 'pin', '1', 'notify', 'soc')"); code != 0 {
			t.Fatalf("schedule: exit %d: %s", code, said)
		}
	}
	text := func(statement string) string {
		t.Helper()
		var lines []string
		for _, row := range sqlOf(t, dir, statement) {
			lines = append(lines, strings.Join(row, " "))
		}
		return strings.Join(lines, "\n")
	}
	ran := func(n int) {
		t.Helper()
		await(t, 2*time.Minute, fmt.Sprintf("run %d", n), func() bool { return text("SELECT COUNT(*) FROM hunt.runs") == fmt.Sprint(n) })
	}
	serve := func() *daemon {
		d := start(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--targets", targets)
		d.says(`serving`)
		return d
	}
	// A beacon, a machine that calls too seldom for one, and an end of the recording.
	record(func(made *traffic) {
		made.beacon(noon, "10.1.1.10", 30)
		made.beacon(noon, "10.1.1.11", 25)
		made.beacon(noon, "10.1.1.12", 5)
	})
	schedule()
	d := serve()
	ran(1)
	await(t, 2*time.Minute, "a finding to be told", func() bool { return soc.since(0) > 0 })
	d.stop(os.Kill)
	const findings = "SELECT finding_key ->> '$.client_ip', times, first_seen, last_seen, severity, status FROM hunt.results ORDER BY 1"
	want := "10.1.1.10 1 2026-06-12 12:00:00.000000 2026-06-12 12:29:00.000000 high open\n" +
		"10.1.1.11 1 2026-06-12 12:00:00.000000 2026-06-12 12:24:00.000000 high open"
	if got := text(findings); got != want {
		t.Errorf("after one run\n%s, want\n%s", got, want)
	}
	if got := text("SELECT state, attempts FROM hunt.deliveries"); got != "waiting 0\nwaiting 0" {
		t.Errorf("told while it hangs: %s", got)
	}
	// It fails at first, then has both.
	before := soc.set("fail")
	d = serve()
	await(t, 2*time.Minute, "a finding to be told again", func() bool { return soc.since(before) > 0 })
	soc.set("take")
	await(t, 4*time.Minute, "both to be told", func() bool {
		return text("SELECT COUNT(*), SUM(state = 'delivered'), MAX(attempts) > 1 FROM hunt.deliveries") == "2 2 1"
	})
	// One goes on, the one that called seldom is one by now, and another begins.
	record(func(made *traffic) {
		made.beacon(noon.Add(30*time.Minute), "10.1.1.10", 60)
		made.beacon(noon.Add(5*time.Minute), "10.1.1.12", 40)
	})
	schedule()
	ran(2)
	// More that is nothing.
	record(func(made *traffic) { made.beacon(noon.Add(3*time.Hour), "10.1.1.99", 3) })
	schedule()
	ran(3)
	// No more at all.
	schedule()
	ran(4)
	want = "10.1.1.10 2 2026-06-12 12:00:00.000000 2026-06-12 13:29:00.000000 high open\n" +
		"10.1.1.11 1 2026-06-12 12:00:00.000000 2026-06-12 12:24:00.000000 high open\n" +
		"10.1.1.12 1 2026-06-12 12:00:00.000000 2026-06-12 12:44:00.000000 high open"
	if got := text(findings); got != want {
		t.Errorf("after all runs\n%s, want\n%s", got, want)
	}
	if got := text("SELECT outcome, row_count, new_findings, warnings LIKE 'nothing was recorded since%' AS none FROM hunt.runs ORDER BY ts"); !strings.HasPrefix(got, "found 2 2 ") ||
		!strings.Contains(got, "\nfound 3 1 ") || !strings.Contains(got, "\nfound 3 0 ") || !strings.HasSuffix(got, "\nnothing 0 0 1") {
		t.Errorf("runs:\n%s", got)
	}
	await(t, 2*time.Minute, "the third to be told", func() bool {
		return text("SELECT COUNT(*), SUM(state = 'delivered') FROM hunt.deliveries") == "3 3"
	})
	soc.mu.Lock()
	if len(soc.took) != 3 || soc.took["10.1.1.10"] < 1 || soc.took["10.1.1.11"] < 1 || soc.took["10.1.1.12"] < 1 {
		t.Errorf("the server was told of %v", soc.took)
	}
	soc.mu.Unlock()
	if got := text("SELECT COUNT(DISTINCT p.case_name), COUNT(DISTINCT r.finding) FROM hunt.results r JOIN ops.pins p USING (case_name) WHERE p.segment IS NOT NULL"); got != "3 3" {
		t.Errorf("pinned: %s", got)
	}
	d.stop(os.Kill)
	// What was written whole is there; what is not whole is neither found nor damage.
	book := filepath.Join(dir, "serve", "hunts")
	whole, err := os.ReadFile(book)
	if err != nil || strings.Contains(string(whole), "hidden") || strings.Contains(string(whole), server.URL) {
		t.Fatalf("%v: secrets are written down", err)
	}
	if err := os.WriteFile(book, append(slices.Clone(whole), `0badbad0 {"finding": {"id`...), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := text(findings) + text("SELECT * FROM ops.damage"); got != want {
		t.Errorf("with half a line:\n%s", got)
	}
	at := strings.Index(string(whole), "10.1.1.11")
	whole[at]++
	if err := os.WriteFile(book, whole, 0o640); err != nil {
		t.Fatal(err)
	}
	if got := text("SELECT file, lost FROM ops.damage"); got != "serve/hunts 1" {
		t.Errorf("damage: %s", got)
	}
	if code, out, _ := runProgram(t, nil, "verify", "--data", dir); code != exitDamaged || !strings.Contains(out, "serve/hunts") {
		t.Errorf("verify: exit %d: %s", code, out)
	}
	if _, _, said := runProgram(t, nil, "query", "--data", dir, "SELECT * FROM hunt.runs"); !strings.Contains(said, "1 lines of what standing hunts found or people noted are damaged") {
		t.Errorf("beside what lacks it: %s", said)
	}
}

// Who may read may not therefore make the server do something: neither run hunts, nor
// write, nor tell anybody.
func TestSchedulesWantTheirRight(t *testing.T) {
	demo, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // the demo's is everybody's
	if err := os.CopyFS(dir, os.DirFS(demo)); err != nil {
		t.Fatal(err)
	}
	e := engineOver(t, dir)
	dbs := servedFrom(t, e, map[string][]string{
		"reader":  {"wiresql.*", "ops.*", "hunt.*"},
		"hunter":  {"wiresql.connections", "hunt.*", "hunt"},
		"analyst": {"wiresql.*", "ops.*", "hunt.*", "hunt"},
	})
	for _, c := range []struct {
		who, statement string
		number         uint16 // 0: it is done
	}{
		{"reader", "CALL schedule('x', 'beaconing')", 1370},
		{"reader", "CALL unschedule('x')", 1370},
		{"reader", "CALL finding_status('x', 'benign')", 1370},
		{"reader", "CALL case_note('case-17', 'nothing')", 1370},
		{"hunter", "CALL schedule('calls', 'beaconing', 'since', '30 DAY')", 0},
		{"hunter", "CALL schedule('sync', 'dcsync')", 1142}, // it reads what this account may not
		{"hunter", "CALL schedule('calls', 'beaconing', 'pin', '1')", 1370},
		{"analyst", "CALL schedule('calls', 'beaconing', 'notify', 'http://127.0.0.1/')", 1064},
		{"analyst", "CALL schedule('calls', 'beaconing', 'command', '/bin/sh')", 1064},
		{"analyst", "CALL schedule('calls', 'beaconing', 'from', '2026-06-12')", 1064},
		{"analyst", "CALL schedule('calls', 'beaconing', 'every', '1 SECOND')", 1064},
		{"analyst", "CALL schedule('calls')", 1064},
		{"analyst", "CALL unschedule('nosuch')", 1064},
		{"analyst", "CALL unschedule('a', 'b')", 1318},
		{"analyst", "CALL finding_status('nosuch', 'benign')", 1064},
		{"analyst", "CALL finding_status('nosuch', 'no status')", 1064},
		{"analyst", "CALL case_note('case-17', 'she opened it at 10:15', 'C5Zt', 'phishing mail')", 0},
		{"analyst", "CALL case_note('case-17', NULL)", 1210},
		{"analyst", "CALL case_note('', 'x')", 1064},
		{"hunter", "CALL case_note('case-17', 'confirmed')", 0},
		{"analyst", "INSERT INTO hunt.cases VALUES (1)", 1290},
		{"analyst", "DELETE FROM hunt.results", 1290},
	} {
		_, err := dbs[c.who].Exec(c.statement)
		var mistake *mysql.MySQLError
		if c.number == 0 && err != nil || c.number != 0 && (!errors.As(err, &mistake) || mistake.Number != c.number) {
			t.Errorf("%s: %s: %v, want error %d", c.who, c.statement, err, c.number)
		}
	}
	// It runs with the rights of who made it, and says who that is.
	wait, err := e.Stand(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wait)
	ask := func(text string) (out string) {
		t.Helper()
		if err := dbs["reader"].QueryRow(text).Scan(&out); err != nil {
			t.Fatal(text, err)
		}
		return out
	}
	await(t, 2*time.Minute, "a run", func() bool { return ask("SELECT COUNT(*) FROM hunt.runs") == "1" })
	if got := ask("SELECT CONCAT_WS(' ', schedule, account, failures, findings > 0) FROM hunt.schedules"); got != "calls hunter 0 1" {
		t.Errorf("it ran as %s", got)
	}
	if got := ask("SELECT GROUP_CONCAT(CONCAT_WS('|', case_name, account, about, tags, note) ORDER BY ts SEPARATOR '; ') FROM hunt.cases"); got !=
		"case-17|analyst|C5Zt|phishing, mail|she opened it at 10:15; case-17|hunter|confirmed" {
		t.Errorf("notes: %s", got)
	}
	// Grafana marks what was found.
	text, err := os.ReadFile("deploy/grafana/dashboards/overview.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Annotations struct {
			List []grafanaAnnotation
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if got := askGrafana(t, dbs["reader"], "annotations", grafanaText(t, board.Annotations.List[0].Target.RawSQL, time.Minute, nil)); fmt.Sprint(len(got.rows)) != ask("SELECT COUNT(*) FROM hunt.results") {
		t.Errorf("annotations: %v", got.rows)
	}
	id := ask("SELECT MIN(finding) FROM hunt.results")
	if _, err := dbs["analyst"].Exec("CALL finding_status(?, 'Benign')", id); err != nil {
		t.Error(err)
	}
	if got := ask("SELECT CONCAT_WS(' ', status, status_by) FROM hunt.results WHERE finding = '" + id + "'"); got != "benign analyst" {
		t.Error(got)
	}
	if _, err := dbs["hunter"].Exec("CALL unschedule('calls')"); err != nil {
		t.Error(err)
	}
	if got := ask("SELECT CONCAT_WS(' ', (SELECT COUNT(*) FROM hunt.schedules), (SELECT COUNT(*) > 0 FROM hunt.results))"); got != "0 1" {
		t.Errorf("after its end: %s", got)
	}
}
