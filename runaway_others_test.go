package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/wiresql/wiresql/testdata/runaways"
)

// Runaway statements that come another way than from a client's connection: saved
// hunts, those that stand, the page, assistants, the shell.

// endlessHunts writes saved hunts that do not end, one of each kind of runaway and
// with -run-all all of them; it names them.
func endlessHunts(t *testing.T, dir string) (names []string) {
	t.Helper()
	seen := map[string]bool{}
	for i, r := range allOf() {
		first, _, _ := strings.Cut(r.Text, "(")
		// One value, so that the time can stand beside it.
		if !slices.Contains([]string{"SELECT COUNT", "SELECT MAX", "SELECT SUM", "SELECT LENGTH"}, first) || len(r.Text) > 30_000 || seen[r.Kind] && !*allRunaways {
			continue
		}
		seen[r.Kind] = true
		name := fmt.Sprintf("endless_%d", i)
		text := "-- title: " + r.Name + "\n-- question: when does it end?\n-- severity: low\n-- reads: packets\n-- result: none\n-- empty: none\n" +
			"SELECT (" + r.Text + ") x, :from f, :to t\n"
		if err := os.WriteFile(filepath.Join(dir, name+".sql"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// TestRunawayHunts ends saved hunts, called and scheduled, as any statement.
func TestRunawayHunts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	demo, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	dir, hunts, spill := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(demo)); err != nil { // the demo's is everybody's
		t.Fatal(err)
	}
	names := endlessHunts(t, hunts)
	s := serveProcess(t, dir, "--memory-limit", strconv.Itoa(1<<30), "--spill-directory", spill, "--hunts", hunts)
	s.answers()
	opened := s.descriptors()
	var took []time.Duration
	for i, name := range names {
		for w, way := range ways {
			if !*allRunaways && w != i%len(ways) {
				continue
			}
			t.Run(name+"/"+way.name, func(t *testing.T) {
				s.t = t
				took = append(took, s.ends("CALL hunt('"+name+"', 'since', 'all')", false, time.Duration(300+137*i%700)*time.Millisecond, way.number, way.end)...)
			})
			s.t = t
		}
	}
	for i, way := range []string{"KILL QUERY", "KILL", "unscheduled"} {
		name := names[i%len(names)]
		schedule := fmt.Sprintf("stands_%d", i)
		s.exec(fmt.Sprintf("CALL schedule('%s', '%s', 'every', '1 HOUR')", schedule, name))
		id := s.standing()
		time.Sleep(300 * time.Millisecond) // in the midst of it
		began := time.Now()
		if way == "unscheduled" {
			s.exec("CALL unschedule('" + schedule + "')")
		} else {
			s.exec(fmt.Sprintf("%s %d", way, id))
		}
		await(t, endsWithin, "the end of a scheduled run", func() bool { return s.listed(id) == "" })
		took = append(took, time.Since(began))
		if way == "unscheduled" {
			continue
		}
		var said string
		await(t, endsWithin, "a row of the run", func() bool {
			return s.second.QueryRow("SELECT error FROM hunt.runs WHERE schedule = ?", schedule).Scan(&said) == nil
		})
		if !strings.Contains(said, "interrupted") {
			t.Errorf("%s: the run says %q", way, said)
		}
	}
	slices.Sort(took)
	t.Logf("%d ended: median %v, at most %v", len(took), took[len(took)/2], took[len(took)-1])
	s.settled(opened, spill)
	s.exec(fmt.Sprintf("CALL schedule('last', '%s', 'every', '1 HOUR')", names[0]))
	s.standing()
	if code := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if left, err := os.ReadDir(spill); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// standing waits for a run of a scheduled hunt, and is its number.
func (s *served) standing() (id int) {
	s.t.Helper()
	await(s.t, 20*time.Second, "a scheduled run", func() bool {
		return s.second.QueryRow("SELECT id FROM information_schema.processlist WHERE id > 2147483647 AND command = 'Query'").Scan(&id) == nil
	})
	return id
}

// busy is how many statements run besides the one that asks.
func (s *served) busy() (n int) {
	s.t.Helper()
	if err := s.second.QueryRow("SELECT COUNT(*) - 1 FROM information_schema.processlist WHERE command = 'Query'").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// TestRunawayPage ends what the page asks: the browser leaves, the session ends, or
// the statement is killed.
func TestRunawayPage(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	hunts, spill := t.TempDir(), t.TempDir()
	names := endlessHunts(t, hunts)
	s := serveProcess(t, dir, "--memory-limit", strconv.Itoa(1<<30), "--spill-directory", spill, "--hunts", hunts, "--http", "127.0.0.1:0")
	page := strings.TrimSuffix(s.says(`page: (\S+)`), "/")
	s.answers()
	opened := s.descriptors()
	var paths []string
	for _, name := range names {
		paths = append(paths, "/hunt?run=1&since=all&name="+name)
	}
	for _, kind := range []string{"scan", "window", "callback", "fetch", "streaming"} {
		i := slices.IndexFunc(runaways.Usual, func(r runaways.Statement) bool { return r.Kind == kind })
		q := url.QueryEscape(runaways.Usual[i].Text)
		paths = append(paths, "/sql?q="+q, "/csv?q="+q)
	}
	var took []time.Duration
	for i, path := range paths {
		browser := s.logsIn(page)
		ctx, leave := context.WithCancel(t.Context())
		over := make(chan string, 1)
		go func() {
			over <- func() string {
				q, err := http.NewRequestWithContext(ctx, "GET", page+path, nil)
				if err != nil {
					return err.Error()
				}
				r, err := browser.Do(q)
				if err != nil {
					return err.Error()
				}
				defer r.Body.Close()
				if strings.HasPrefix(path, "/csv") { // of which somebody reads as much as he likes
					<-ctx.Done()
				}
				text, _ := io.ReadAll(r.Body) // as far as it comes
				return string(text)
			}()
		}()
		await(t, 10*time.Second, "a statement of the page", func() bool { return s.busy() > 0 })
		time.Sleep(200 * time.Millisecond) // in the midst of it
		began, killed := time.Now(), false
		switch i % 3 {
		case 0:
			leave()
		case 1:
			s.logsOut(page, browser)
		case 2:
			var id int // 0 for one that came to its own end
			if err := s.second.QueryRow("SELECT COALESCE(MIN(id), 0) FROM information_schema.processlist WHERE command = 'Query' AND id <> CONNECTION_ID()").Scan(&id); err != nil {
				t.Fatal(err)
			}
			if killed = id > 0; killed {
				s.exec(fmt.Sprintf("KILL QUERY %d", id))
			}
		}
		await(t, endsWithin, "the end of "+path, func() bool { return s.busy() == 0 })
		took = append(took, time.Since(began))
		leave()
		if said := <-over; killed && strings.HasPrefix(path, "/hunt") && !strings.Contains(said, "interrupted") {
			t.Errorf("%s, killed: the page says %s", path, said)
		}
		browser.CloseIdleConnections()
	}
	slices.Sort(took)
	t.Logf("%d ended: median %v, at most %v", len(took), took[len(took)/2], took[len(took)-1])
	// Sessions of the page have connections, for a while.
	s.settled(opened+2*len(paths), spill)
	browser := s.logsIn(page)
	go func() { _, _ = browser.Get(page + paths[0]) }() // broken off
	await(t, 10*time.Second, "a statement of the page", func() bool { return s.busy() > 0 })
	if code := s.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// logsIn is a browser with a session of the page.
func (s *served) logsIn(page string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, Transport: &http.Transport{}}
	r, err := browser.PostForm(page+"/login", url.Values{"user": {"wiresql"}, "password": {s.password}, "next": {"/static/style.css"}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	if text, _ := io.ReadAll(r.Body); len(jar.Cookies(r.Request.URL)) == 0 {
		s.t.Fatalf("no session: %s, %s", r.Status, text)
	}
	return browser
}

var formToken = regexp.MustCompile(`name="form" value="([^"]+)"`)

// logsOut ends a session of the page.
func (s *served) logsOut(page string, browser *http.Client) {
	s.t.Helper()
	r, err := browser.Get(page + "/sql")
	if err != nil {
		s.t.Fatal(err)
	}
	text, _ := io.ReadAll(r.Body)
	r.Body.Close()
	m := formToken.FindSubmatch(text)
	if m == nil {
		s.t.Fatalf("no form in %s", text)
	}
	if r, err = browser.PostForm(page+"/logout", url.Values{"form": {string(m[1])}}); err != nil {
		s.t.Fatal(err)
	}
	r.Body.Close()
}

// TestRunawayAssistants ends what an assistant asks: it gives the question up, the
// time is over, or it is gone.
func TestRunawayAssistants(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	hunts := t.TempDir()
	names := endlessHunts(t, hunts)
	spill := t.TempDir()
	begin := func(args ...string) (*mcp.ClientSession, *exec.Cmd) {
		cmd := exec.Command(binary, append([]string{"mcp", "--data", dir, "--hunts", hunts, "--spill-directory", spill}, args...)...)
		cmd.Env = append(os.Environ(), runAsProgram+"=1")
		cmd.Stderr = os.Stderr
		client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
		session, err := client.Connect(t.Context(), &mcp.CommandTransport{Command: cmd}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return session, cmd
	}
	s, _ := begin()
	for _, name := range names {
		ctx, giveUp := context.WithCancel(t.Context())
		over := make(chan error, 1)
		go func() {
			_, err := s.CallTool(ctx, &mcp.CallToolParams{Name: "run_hunt", Arguments: map[string]any{"name": name, "parameters": map[string]any{"since": "all"}}})
			over <- err
		}()
		time.Sleep(700 * time.Millisecond) // nothing tells of it
		giveUp()
		if err := <-over; err == nil {
			continue // it came to its own end
		}
		began := time.Now() // the next question has its turn at once
		var rows rowsAnswer
		if failed := call(t, s, "query", map[string]any{"sql": "SELECT COUNT(*) FROM flows"}, &rows); failed != "" {
			t.Errorf("after %s: %s", name, failed)
		}
		if took := time.Since(began); took > endsWithin {
			t.Errorf("after %s the next question took %v", name, took)
		}
	}
	// In the midst of one the client goes, or the process is told to end.
	ask := func(s *mcp.ClientSession) {
		go func() {
			_, _ = s.CallTool(t.Context(), &mcp.CallToolParams{Name: "run_hunt", Arguments: map[string]any{"name": names[len(names)-1], "parameters": map[string]any{"since": "all"}}}) // it is broken off
		}()
		time.Sleep(time.Second) // in the midst of it
	}
	ask(s)
	began := time.Now()
	if err := s.Close(); err != nil {
		t.Errorf("when its client goes it ends with %v", err)
	}
	if took := time.Since(began); took > endsWithin {
		t.Errorf("when its client goes it takes %v to end", took)
	}
	s, cmd := begin()
	ask(s)
	began = time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = s.Wait() // it was broken off
	_ = s.Close()
	if took := time.Since(began); took > endsWithin {
		t.Errorf("after SIGTERM it takes %v to end", took)
	}
	s, _ = begin("--answer-time", "500ms")
	began = time.Now()
	var rows rowsAnswer
	failed := call(t, s, "run_hunt", map[string]any{"name": names[0], "parameters": map[string]any{"since": "all"}}, &rows)
	if took := time.Since(began); took > endsWithin || !strings.Contains(failed, "longer than") {
		t.Errorf("beyond its time: %q after %v", failed, took)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(spill); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// TestRunawayShell: limits of the session, Ctrl-C and SIGTERM end what the shell asks.
func TestRunawayShell(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range runaways.Usual {
		if seen[r.Kind] || r.Kind == "streaming" || r.Kind == "planning" {
			continue
		}
		seen[r.Kind] = true
		spill := t.TempDir()
		for _, text := range []string{"SET max_execution_time = 300;\n" + r.Text + ";\n", strings.Replace(r.Text, "SELECT", "SELECT /*+ MAX_EXECUTION_TIME(300) */", 1) + ";\n"} {
			if strings.HasPrefix(text, "WITH") {
				continue // whose hint stands elsewhere
			}
			d := startWith(t, strings.NewReader("SET cte_max_recursion_depth = 4000000000;\n"+text), "shell", "--data", dir, "--spill-directory", spill)
			began := time.Now()
			select {
			case <-d.end:
			case <-time.After(endsWithin + 15*time.Second): // it starts, too
				t.Fatalf("%s: it goes on after its limit", r.Name)
			}
			if said := d.out.String(); !strings.Contains(said, "maximum statement execution time exceeded") {
				t.Errorf("%s after %v: %s", r.Name, time.Since(began), said)
			}
		}
		for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
			in, keep, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			d := startWith(t, in, "shell", "--data", dir, "--spill-directory", spill)
			in.Close()
			if _, err := keep.WriteString("SELECT 'it runs';\nSET cte_max_recursion_depth = 4000000000;\n" + r.Text + ";\n"); err != nil {
				t.Fatal(err)
			}
			d.says("it runs")
			time.Sleep(700 * time.Millisecond) // in the midst of it
			began := time.Now()
			d.stop(signal)
			if took := time.Since(began); took > endsWithin {
				t.Errorf("%s: %v after %v", r.Name, signal, took)
			}
			keep.Close()
		}
		if left, err := os.ReadDir(spill); err != nil || len(left) > 0 {
			t.Errorf("%s: temporary files are left: %v, %v", r.Name, left, err)
		}
	}
	// A shell that waits for a line ends, too.
	in, keep, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer keep.Close()
	d := startWith(t, in, "shell", "--data", dir)
	in.Close()
	if _, err := keep.WriteString("SELECT 'it waits';\n"); err != nil {
		t.Fatal(err)
	}
	d.says("it waits")
	began := time.Now()
	d.stop(syscall.SIGTERM)
	if took := time.Since(began); took > endsWithin {
		t.Errorf("it ends %v after SIGTERM", took)
	}
}

// startWith starts the program with an input.
func startWith(t *testing.T, in io.Reader, args ...string) *daemon {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), runAsProgram+"=1")
	cmd.Stdin = in
	return launch(t, cmd)
}
