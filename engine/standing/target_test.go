package standing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// told gives a target what waits for it once, and says how that stands.
func (b *bench) told(t *testing.T, target *Target) []Delivery {
	t.Helper()
	waiting, err := b.book.waitingFor()
	if err != nil {
		t.Fatal(err)
	}
	if list := waiting[target.Name]; len(list) > 0 {
		if err := b.deliver(t.Context(), target, &patience{}, list); err != nil {
			t.Fatal(err)
		}
	}
	v, err := b.book.View()
	if err != nil {
		t.Fatal(err)
	}
	var out []Delivery
	for _, f := range v.Findings {
		out = append(out, *f.Delivery)
	}
	return out
}

// found is a bench with so many findings that are to be told.
func toldBench(t *testing.T, n int) *bench {
	t.Helper()
	s := beacons()
	s.Notify = "soc"
	b := newBench(t, s)
	for i := range n {
		b.fake.found(fmt.Sprintf("10.0.0.%d", i), "20", "2026-06-12 10:00:00", "2026-06-12 11:50:00")
	}
	b.runs(t, 0)
	return b
}

// A server that refuses, then hangs, then fails, then takes it is told until it has
// each finding, over restarts, and no more; what went wrong is there to see.
func TestWebhook(t *testing.T) {
	b := toldBench(t, 2)
	var mode atomic.Value
	mode.Store("hang")
	got := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		switch mode.Load() {
		case "hang":
			<-r.Context().Done()
		case "move":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "fail":
			http.Error(w, "secret words of the server", http.StatusInternalServerError)
		default:
			var m Message
			if err := json.Unmarshal(body, &m); err != nil || m.ID != r.Header.Get("Idempotency-Key") || r.Method != "POST" || r.Header.Get("Authorization") != "Bearer hidden" {
				t.Errorf("%s %v: %s, %v", r.Method, r.Header, body, err)
			}
			if m.Severity != "high" || m.Schedule != "beacons" || m.First != "2026-06-12T10:00:00Z" || !strings.HasPrefix(string(m.Row), `{"client_ip":"10.0.0.`) {
				t.Errorf("%s", body)
			}
			got[m.ID]++
		}
	}))
	defer server.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	target := &Target{Name: "soc", URL: "http://" + closed.Addr().String() + "/hidden", Headers: map[string]string{"Authorization": "Bearer hidden"}, Seconds: 1}
	closed.Close()
	attempts := 0
	check := func(what, want string) {
		t.Helper()
		list := b.told(t, target)
		attempts++
		failed := 0
		for _, d := range list {
			failed += d.Attempts
			if d.Attempts > 0 && d.At == 0 || d.Done || strings.Contains(d.Error, "hidden") || strings.Contains(d.Error, "secret") {
				t.Errorf("%s: %+v", what, d)
			}
		}
		if failed != attempts || !strings.Contains(list[0].Error+list[1].Error, want) {
			t.Errorf("%s: %+v, want %s", what, list, want)
		}
		b.restart()
	}
	check("nobody listens", "connection refused")
	target.URL = server.URL
	check("it hangs", "no answer within 1s")
	mode.Store("move")
	check("it sends elsewhere", "status 307")
	mode.Store("fail")
	check("it fails", "status 500")
	mode.Store("take")
	for range 3 {
		for _, d := range b.told(t, target) {
			if d.Attempts != 3 && !d.Done {
				t.Errorf("%+v", d)
			}
		}
		b.restart()
	}
	if len(got) != 2 {
		t.Errorf("it got %v", got)
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	for _, d := range b.told(t, target) {
		if !d.Done || d.Error != "" {
			t.Errorf("%+v", d)
		}
	}
}

// Nobody is told for ever.
func TestGivenUp(t *testing.T) {
	b := toldBench(t, 1)
	target := &Target{Name: "soc", Command: []string{"/bin/false"}}
	for n := 1; n <= maxAttempts+2; n++ {
		d := b.told(t, target)[0]
		if d.Attempts != min(n, maxAttempts) || d.Over != (n >= maxAttempts) || d.Error != "the command ended with exit status 1" {
			t.Fatalf("after %d: %+v", n, d)
		}
	}
}

// A command reads the finding, has nothing of the server's environment, and ends in
// time with all it started.
func TestCommand(t *testing.T) {
	b := toldBench(t, 1)
	dir := t.TempDir()
	t.Setenv("WIRESQL_SECRET", "x")
	out := filepath.Join(dir, "out")
	target := &Target{Name: "soc", Command: []string{"/bin/sh", "-c", `cat > "$1"; env >> "$1"`, "sh", out}}
	if d := b.told(t, target)[0]; !d.Done || d.Attempts != 1 {
		t.Fatalf("%+v", d)
	}
	text, err := os.ReadFile(out)
	if err != nil || !strings.HasPrefix(string(text), `{"id":"`) || !strings.Contains(string(text), `"client_ip":"10.0.0.0"`) || strings.Contains(string(text), "WIRESQL") {
		t.Errorf("%s, %v", text, err)
	}
	slow := &Target{Name: "soc", Command: []string{"/bin/sh", "-c", "sleep 1000 & wait"}, Seconds: 1}
	began := time.Now()
	if err := slow.Tell(context.Background(), "x", nil); err == nil || err.Error() != "no answer within 1s" {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	if err := (&Target{Command: []string{filepath.Join(dir, "none")}}).Tell(context.Background(), "x", nil); err == nil || strings.Contains(err.Error(), dir) {
		t.Error(err)
	}
}

func TestTargetsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "targets")
	for _, c := range []struct {
		text string
		mode os.FileMode
		want string
	}{
		{`[{"name": "soc", "url": "https://127.0.0.1/x"}, {"name": "ticket", "command": ["/bin/true", "a b"]}]`, 0o600, "<nil>"},
		{`[]`, 0o644, "can be read by others"},
		{`{`, 0o600, "unexpected EOF"},
		{`[{"name": "soc"}]`, 0o600, "a url or a command"},
		{`[{"name": "soc", "url": "http://x", "command": ["y"]}]`, 0o600, "a url or a command"},
		{`[{"name": "soc", "url": "file:///etc/passwd"}]`, 0o600, "none of http"},
		{`[{"name": "SOC", "url": "http://x"}]`, 0o600, "lower case"},
		{`[null]`, 0o600, "lower case"},
		{`[{"name": "soc", "url": "http://x", "retries": 3}]`, 0o600, "unknown field"},
		{`[{"name": "soc", "url": "http://x"}, {"name": "soc", "url": "http://y"}]`, 0o600, "twice"},
		{`[{"name": "soc", "url": "http://x", "timeout_seconds": 100000}]`, 0o600, "timeout_seconds"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, c.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Targets(file); !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: %v, want %s", c.text, err, c.want)
		}
	}
	if list, err := Targets(""); err != nil || len(list) > 0 {
		t.Error(list, err)
	}
}

// A target that is taken out of the file, a file that can't be read and none at all are
// reasons, of each finding that waits, and no attempt; they go when the target is back.
func TestTargetThatIsNotThere(t *testing.T) {
	b := toldBench(t, 2)
	file := filepath.Join(t.TempDir(), "targets")
	b.config.Targets = file
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.deliverAll(ctx)
	}()
	defer func() {
		stop()
		<-ended
	}()
	waits := func(what string, is func(Delivery) bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) { // until it was looked again
			v, err := b.book.View()
			if err != nil {
				t.Fatal(err)
			}
			if len(v.Findings) == 2 && is(*v.Findings[0].Delivery) && is(*v.Findings[1].Delivery) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %+v %+v", what, v.Findings[0].Delivery, v.Findings[1].Delivery)
			}
		}
	}
	because := func(why string) func(Delivery) bool {
		return func(d Delivery) bool { return !d.Done && !d.Over && d.Attempts == 0 && strings.Contains(d.Error, why) }
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	waits("there is no file", because("can't be read"))
	write(`[{"name": "other", "command": ["/bin/true"]}]`)
	waits("the file lacks it", because("there is no target soc"))
	size := b.book.notebook.Size()
	time.Sleep(2 * lookEvery) // it looks again, and has nothing more to say
	if now := b.book.notebook.Size(); now != size {
		t.Errorf("the notebook grows from %d to %d while nothing changes", size, now)
	}
	write(`[{"name": "soc", "command": ["/bin/true"]}]`)
	waits("it is back", func(d Delivery) bool { return d.Done && d.Attempts == 1 && d.Error == "" })
}

// What a command leaves behind when it ends well ends with it.
func TestCommandLeavesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	target := &Target{Name: "soc", Command: []string{"/bin/sh", "-c", `yes & echo $! > "$1"; yes | head -c 10000000; exit 0`, "sh", file}}
	if err := target.Tell(t.Context(), "x", nil); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) { // until it is killed
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a process that was started goes on: %s", state)
		}
	}
}

// fullBook is a notebook that can't be written to while it is full.
type fullBook struct {
	Notebook
	full atomic.Bool
}

func (b *fullBook) Write(take func(bool, []byte), next func() ([][]byte, bool, error)) error {
	if b.full.Load() {
		return errors.New("no space left on device")
	}
	return b.Notebook.Write(take, next)
}

// While nothing can be written down a finding that was told is told again, later each
// time, and not as often as it is looked.
func TestToldOnFullDisk(t *testing.T) {
	b := toldBench(t, 1)
	disk := &fullBook{Notebook: b.book.notebook}
	b.book.notebook = disk
	disk.full.Store(true)
	dir := t.TempDir()
	target := &Target{Name: "soc", Command: []string{"/bin/sh", "-c", `echo told >> "$1"`, "sh", filepath.Join(dir, "out")}}
	file := filepath.Join(dir, "targets")
	text, err := json.Marshal([]*Target{target})
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(`"url":"",`, "", `"headers":null,`, "").Replace(string(text)))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	b.config.Targets = file
	ctx, stop := context.WithTimeout(t.Context(), 9*time.Second) // looked at four times, told at 0, 2 and 6
	defer stop()
	b.deliverAll(ctx)
	told, err := os.ReadFile(filepath.Join(dir, "out"))
	if n := strings.Count(string(told), "told"); err != nil || n < 1 || n > 4 {
		t.Errorf("told %d times, %v", n, err)
	}
	disk.full.Store(false)
	if d := b.told(t, target)[0]; !d.Done {
		t.Errorf("%+v", d)
	}
}
