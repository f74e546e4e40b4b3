package main

import (
	"context"
	"flag"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	goruntime "runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/web"
)

// screens is where pictures of the views are written for the manual.
var screens = flag.String("screens", "", "directory to write pictures of the page's views to")

// everything are the rights of an account that may see bytes; headers of one
// that may not.
var (
	everything = []string{"wiresql.*", "ops.*", "hunt.*", "hunt"}
	headers    = []string{"wiresql.connections", "wiresql.flows", "wiresql.packets", "wiresql.packets_wide", "wiresql.hosts", "wiresql.host_flows", "wiresql.timeline",
		"wiresql.dns", "wiresql.tls", "wiresql.http", "wiresql.traffic_1m", "wiresql.traffic_1h", "ops.*", "hunt.*"}
)

// servePage serves an engine's page to the accounts hunter and clerk.
func servePage(t *testing.T, e *engine.Engine) (address, password string) {
	t.Helper()
	server, password := serverFor(t, e, map[string][]string{"hunter": everything, "clerk": headers})
	p := web.New(web.Config{Listen: "127.0.0.1:0", TLS: server.TLS(), Dial: server.Dial}, nil)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return strings.TrimSuffix(p.URL(), "/"), password
}

// tab is one of a real browser.
type tab struct {
	*testing.T
	ctx     context.Context
	address string
	files   string // where it puts what it downloads
	wrong   []string
	fits    map[string]bool // the shapes of views that were looked at
}

// inBrowser goes a way through the page.
func inBrowser(t *testing.T, address string, way func(*tab)) {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("the page is tested in Chromium, which is not installed")
	}
	// The browser is killed when the thread ends that started it, not only with the process; and
	// threads of the engine's do end.
	goruntime.LockOSThread()
	defer goruntime.UnlockOSThread()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.WindowSize(1280, 900), chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	defer stop()
	ctx, stop = chromedp.NewContext(ctx)
	defer stop()
	ctx, stop = context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	b := &tab{T: t, ctx: ctx, address: address, files: t.TempDir()}
	// What a script throws, and what the page's policy forbids, is a mistake.
	chromedp.ListenTarget(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			b.wrong = append(b.wrong, event.ExceptionDetails.Error())
		case *runtime.EventConsoleAPICalled:
			if event.Type == runtime.APITypeError {
				b.wrong = append(b.wrong, fmt.Sprint(event.Args))
			}
		}
	})
	if err := chromedp.Run(ctx); err != nil { // the browser lives as long as this context
		t.Fatal(err)
	}
	b.do(browser.SetDownloadBehavior(browser.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(b.files).WithEventsEnabled(true))
	way(b)
}

func (b *tab) do(actions ...chromedp.Action) {
	b.Helper()
	ctx, stop := context.WithTimeout(b.ctx, 3*time.Minute)
	defer stop()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var where, text string
		chromedp.Run(b.ctx, chromedp.Location(&where), chromedp.Evaluate("document.body.innerText", &text))
		b.Fatalf("%v, at %s: %s", err, where, text)
	}
}

// press follows a link or a button, as somebody without a mouse does.
func press(element string) chromedp.Action {
	return chromedp.Tasks{chromedp.Focus(element, chromedp.ByQuery), chromedp.KeyEvent("\r")}
}

// at goes to a view.
func (b *tab) at(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.address+path), chromedp.WaitVisible("footer"))
	b.sound(path)
}

// sound insists on what holds of every view.
func (b *tab) sound(where string) {
	b.Helper()
	for _, rule := range []struct{ what, script string }{
		{"fields without a label", `[...document.querySelectorAll("input:not([type=hidden]), textarea, button")].filter(e => !(e.labels?.length || e.textContent.trim())).map(e => e.outerHTML).join()`},
		{"scripts and styles that stand in the page", `[...document.querySelectorAll("script:not([src]), style, main [style]:not(.u-wrap, .u-wrap *, .uplot, .uplot *)")].map(e => e.outerHTML.slice(0, 100)).join()`},
		{"elements that were not meant", `[...document.querySelectorAll("main img, main iframe, main object, main script, main b[onclick]")].map(e => e.outerHTML).join()`},
		{"tables without heads", `[...document.querySelectorAll("table:not(.uplot table)")].filter(e => !e.querySelector("th[scope]")).length || ""`},
		{"a script of others that ran", `window.hacked || ""`},
	} {
		if got := b.text(rule.script); got != "" {
			b.Errorf("%s: %s: %s", where, rule.what, got)
		}
	}
	for _, wrong := range b.wrong {
		b.Errorf("%s: %s", where, wrong)
	}
	b.wrong = nil
	b.fit(where)
}

// text is what an expression of the page's gives.
func (b *tab) text(script string) (out string) {
	b.Helper()
	b.do(chromedp.Evaluate("String("+script+")", &out))
	return out
}

func (b *tab) login(user, password string) {
	b.Helper()
	b.do(chromedp.Navigate(b.address+"/login"), chromedp.SendKeys("[name=user]", user), chromedp.SendKeys("[name=password]", password),
		chromedp.Submit("[name=password]"), chromedp.WaitVisible(".out"))
}

// picture writes one for the manual, if that was asked for.
func (b *tab) picture(name string) {
	b.Helper()
	if *screens == "" {
		return
	}
	var png []byte
	b.do(emulation.SetDeviceMetricsOverride(1280, 900, 1, false), chromedp.Sleep(300*time.Millisecond), chromedp.CaptureScreenshot(&png)) // sleeps: the chart is drawn
	if err := os.WriteFile(filepath.Join(*screens, name+".png"), png, 0o644); err != nil {
		b.Fatal(err)
	}
}

// downloaded waits for a file.
func (b *tab) downloaded(name string) string {
	b.Helper()
	path := filepath.Join(b.files, name)
	for b.ctx.Err() == nil {
		if st, err := os.Stat(path); err == nil && st.Size() > 0 {
			if rest, _ := filepath.Glob(filepath.Join(b.files, "*.crdownload")); len(rest) == 0 {
				return path
			}
		}
		time.Sleep(50 * time.Millisecond) // until the browser has written it
	}
	b.Fatalf("%s was not downloaded", name)
	return ""
}

// TestPage goes the way of somebody who was told a name, in a real browser: logs in,
// hunts, looks at the host and at one of its connections, and takes the packets
// along, which tshark counts.
func TestPage(t *testing.T) {
	address, password := servePage(t, demoEngine(t))
	inBrowser(t, address, func(b *tab) { toldAName(b, password) })
}

func toldAName(b *tab, password string) {
	t, address := b.T, b.address
	b.do(chromedp.Navigate(address + "/hunts"))
	if got := b.text("location.pathname + document.forms[0].elements.next.value"); got != "/login/hunts" {
		t.Fatalf("who has not logged in is at %s", got)
	}
	b.do(chromedp.SendKeys("[name=user]", "hunter"), chromedp.SendKeys("[name=password]", "wrong"), chromedp.Submit("[name=password]"), chromedp.WaitVisible(".error"))
	if got := b.text(`document.querySelector(".error").textContent`); !strings.Contains(got, "Access denied") {
		t.Errorf("a wrong password: %s", got)
	}
	b.do(chromedp.SendKeys("[name=password]", password), chromedp.Submit("[name=password]"), chromedp.WaitReady(".hunts", chromedp.ByQuery))
	if n := b.text(`document.querySelectorAll(".hunts li a").length`); len(n) < 2 {
		t.Errorf("%s hunts", n)
	}
	b.sound("/hunts")
	b.picture("hunts")

	b.do(press(`a[href="/hunt?name=beaconing"]`), chromedp.WaitVisible("[name='p.jitter']"),
		chromedp.SendKeys("[name='p.jitter']", "0.1"), chromedp.Submit("[name='p.jitter']"), chromedp.WaitVisible("#found .count"))
	b.sound("/hunt")
	if got := b.text(`[...document.querySelectorAll("#found tbody td")].slice(1, 5).map(c => c.innerText).join(" ")`); got != "10.20.0.23 gavin.reid-machine,printer-7 198.51.100.40 status.example.test" {
		t.Errorf("found: %s", got)
	}
	b.picture("hunt")
	b.do(press("#found tbody tr:first-child td:first-child a"), chromedp.WaitVisible("#answer .count"))
	b.sound("the packets of a finding")

	b.do(chromedp.SendKeys("#search", "gavin.reid-machine\r"), chromedp.WaitVisible("#timeline .count"))
	b.sound("/host")
	if got := b.text(`document.querySelectorAll("#activity canvas").length + " " + document.querySelectorAll("#coverage svg").length`); got != "1 1" {
		t.Errorf("charts and lanes: %s", got)
	}
	if got := b.text(`[...document.querySelectorAll("#names tbody td")].map(c => c.innerText).join(" ")`); !strings.Contains(got, "gavin.reid-machine 10.20.0.23") {
		t.Errorf("names: %s", got)
	}
	b.picture("host")

	// The connection of the founding question with most packets.
	b.do(chromedp.SendKeys("#search", "SELECT conn_id, client_port, packets FROM connections WHERE client_host = 'gavin.reid-machine' AND server_port = 80 ORDER BY packets DESC LIMIT 1\r"),
		chromedp.WaitVisible("#answer .count"))
	b.sound("/sql")
	port := b.text(`document.querySelector("#answer tbody td:nth-child(2)").innerText`)
	id := b.text(`document.querySelector("#answer tbody td").innerText`)
	b.picture("sql")
	b.do(press("#answer tbody a"), chromedp.WaitVisible("#stream"), chromedp.WaitVisible("footer"))
	b.sound("/connection")
	if got := b.text(`document.querySelector("#stream pre").textContent`); !strings.Contains(got, "\n→ GET /") || !strings.Contains(got, "\n← HTTP/1.1 200 OK") {
		t.Errorf("it was said %q", got)
	}
	b.picture("connection")
	b.do(press(`#packets a[download]`))
	file := b.downloaded(id + ".pcapng")
	want, have := 0, tsharkLines(t, file, "")
	for _, capture := range []string{"office-morning.pcap", "office-afternoon.pcapng"} {
		want += tsharkLines(t, "testdata/captures/"+capture, "ip.addr == 10.20.0.23 && tcp.port == "+port+" && tcp.port == 80")
	}
	if shown := b.text(`document.querySelectorAll("#packets tbody tr").length`); have != want || shown != fmt.Sprint(want) || want == 0 {
		t.Errorf("%d packets downloaded, %s shown: tshark finds %d", have, shown, want)
	}
	b.do(press(`#packets tbody tr:nth-child(4) a[href^="/packet"]`), chromedp.WaitVisible("#bytes pre"), chromedp.WaitVisible("footer"))
	b.sound("/packet")
	if got := b.text(`document.querySelector("#bytes pre").textContent`); !strings.Contains(got, "0000") || !strings.Contains(got, "GET /") {
		t.Errorf("the bytes of a packet: %s", got)
	}
	b.picture("packet")

	b.at("/")
	if got := b.text(`document.querySelectorAll("#traffic canvas").length + " " + (document.querySelectorAll("#talkers tbody tr").length > 5) + " " + document.querySelectorAll("#last tbody tr").length`); got != "1 true 25" {
		t.Errorf("overview: %s", got)
	}
	b.picture("overview")
	b.do(chromedp.KeyEvent("/"))
	if got := b.text("document.activeElement.id"); got != "search" {
		t.Errorf("/ leads to %q", got)
	}
	b.at("/host?name=nobody-at-all")
	if got := b.text(`document.querySelector("#peers .warning").innerText`); !strings.Contains(got, "nobody-at-all") {
		t.Errorf("nothing is said of a name that was never seen: %s", got)
	}
	for _, path := range []string{"/connection?id=0000000000000", "/sql?q=SELECT+nosuch+FROM+connections", "/sql?q=SHOW+TABLES", "/hunt?name=nosuch", "/packet?id=0000000000000", "/host?name="} {
		b.at(path)
	}
	b.do(press(".out button"), chromedp.WaitVisible("[name=password]"), chromedp.Navigate(address+"/"), chromedp.WaitVisible("[name=password]"))

	// Who may not read bytes gets none.
	b.login("clerk", password)
	b.at("/connection?id=" + id)
	if got := b.text(`document.querySelector("#stream").innerText`); !strings.Contains(got, "denied") {
		t.Errorf("the stream, without the right to bytes: %s", got)
	}
	if got := b.text(`document.querySelectorAll("#packets tbody tr").length`); got != fmt.Sprint(want) {
		t.Errorf("%s headers of packets, without the right to bytes: %d", got, want)
	}
	b.at("/pcap?conn=" + id)
	if got := b.text("document.body.innerText"); !strings.Contains(got, "Forbidden") || !strings.Contains(got, "denied") {
		t.Errorf("packets to take along, without the right to bytes: %s", got)
	}
}

// tsharkLines counts packets of a capture.
func tsharkLines(t *testing.T, file, filter string) int {
	t.Helper()
	out, err := exec.Command("tshark", "-n", "-r", file, "-Y", filter).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(out), "\n")
}

// TestPageStaysText: whatever names and payloads are, in a browser they are
// text.
func TestPageStaysText(t *testing.T) {
	const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'"--></textarea></title></table>`
	tr := newTraffic()
	tr.tcp(monday, "10.1.0.7", "203.0.113.9", 80, "SF", []byte("GET /"+evil+" HTTP/1.1\r\nHost: <b>"+evil[:40]+"\r\nUser-Agent: "+evil+"\r\n\r\n"), 400, 900)
	tr.tcp(monday.Add(time.Second), "10.1.0.7", "203.0.113.9", 8081, "SF", []byte(evil), 0, 900)
	tr.dns(monday.Add(2*time.Second), "10.1.0.7", `<img src=x onerror="window.hacked=3">.<script>window.hacked=4</script>.test`, 1, 0, "203.0.113.9")
	dir := t.TempDir()
	var out, said strings.Builder
	if code := run(t.Context(), []string{"import", "--data", dir, tr.write(t)}, nil, &out, &said); code != 0 {
		t.Fatalf("import: code %d, %s", code, said.String())
	}
	hunting := t.TempDir()
	if err := os.WriteFile(filepath.Join(hunting, "evil.sql"), []byte("-- title: "+evil+"\n-- question: "+evil+"\n-- severity: low\n-- reads: connections\n-- parameter: x text "+
		"<script>window.hacked=5</script>: "+evil+"\n-- result: "+evil+"\n-- empty: "+evil+"\n-- references: javascript:window.hacked=6\nSELECT ts, :x AS said FROM connections WHERE ts BETWEEN :from AND :to\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := engine.DefaultConfig()
	cfg.Hunts = hunting
	address, password := servePage(t, engineWith(t, dir, cfg))
	inBrowser(t, address, func(b *tab) { staysText(b, password, evil) })
}

func staysText(b *tab, password, evil string) {
	t, address := b.T, b.address
	b.login("hunter", password)
	b.at("/host?name=10.1.0.7")
	if got := b.text("document.body.innerText"); !strings.Contains(got, `<script>window.hacked=4</script>`) || !strings.Contains(got, `onerror="window.hacked=1"`) {
		t.Errorf("the names are not told: %s", got)
	}
	for _, path := range []string{"/", "/hunts", "/hunt?name=evil&run=1", "/hunt?name=evil&run=1&p.x=" + url.QueryEscape(evil), "/sql?q=" + url.QueryEscape("SELECT ts, uri, host, user_agent, conn_id FROM http"),
		"/sql?q=" + url.QueryEscape("SELECT '"+strings.ReplaceAll(evil, "'", "''")+"' AS `"+evil+"`"), "/host?name=" + url.QueryEscape(evil), "/search?q=" + url.QueryEscape(evil),
		"/hunt?name=" + url.QueryEscape(evil), "/host?name=10.1.0.7&from=" + url.QueryEscape(`"><script>window.hacked=7</script>`), "/sql?q=" + url.QueryEscape("</textarea><script>window.hacked=8</script>")} {
		b.at(path)
	}
	b.at("/sql?q=" + url.QueryEscape("SELECT conn_id FROM connections ORDER BY ts LIMIT 1"))
	b.do(press("#answer tbody a"), chromedp.WaitVisible("#stream"), chromedp.WaitVisible("footer"))
	b.sound("/connection")
	if got := b.text(`document.querySelector("#stream pre").textContent`); !strings.Contains(got, "<script>window.hacked=2</script>") {
		t.Errorf("the payload is not told: %s", got)
	}
	b.do(chromedp.Navigate(address+"/login?next="+url.QueryEscape(`javascript:window.hacked=9`)), chromedp.WaitVisible("[name=password]"))
	if got := b.text("document.forms[0].elements.next.value"); got != "/" {
		t.Errorf("next: %s", got)
	}
}

// TestPageIsGuarded asks as other sites and programs would.
func TestPageIsGuarded(t *testing.T) {
	e := demoEngine(t)
	address, password := servePage(t, e)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, form string, headers ...string) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		got, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		body, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		return got.StatusCode, got.Header, string(body)
	}
	for _, path := range []string{"/", "/hunts", "/sql?q=SELECT+1", "/pcap?conn=0000000000000", "/csv?q=SELECT+1", "/host?name=a", "/packet?id=0"} {
		if status, h, _ := ask("GET", path, ""); status != http.StatusSeeOther || !strings.HasPrefix(h.Get("Location"), "/login") {
			t.Errorf("%s without a login: %d %s", path, status, h.Get("Location"))
		}
	}
	secret := "user=hunter&password=" + password
	if status, _, _ := ask("POST", "/login", secret, "Sec-Fetch-Site", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a login that another site sends: %d", status)
	}
	for _, next := range []string{"//evil.test/", `/\evil.test`, "https://evil.test/", "javascript:1", "\t//evil.test"} {
		if _, h, _ := ask("POST", "/login", secret+"&next="+url.QueryEscape(next)); h.Get("Location") != "/" {
			t.Errorf("next %s leads to %s", next, h.Get("Location"))
		}
	}
	// A login at another port of this machine leaves this one alone.
	here := address
	var other string
	address, other = servePage(t, e)
	if status, _, _ := ask("POST", "/login", "user=hunter&password="+other); status != http.StatusSeeOther {
		t.Errorf("a login at another port: %d", status)
	}
	address = here
	status, h, body := ask("GET", "/sql?q=SELECT+42+AS+n", "")
	if status != 200 || !strings.Contains(body, ">42<") || !strings.Contains(h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'") || h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("%d %v %s", status, h, body)
	}
	form := body[strings.Index(body, `name="form" value="`)+19:]
	form = form[:strings.IndexByte(form, '"')]
	const pins = "q=CALL+pin('x','TRUE')"
	for _, x := range []struct {
		what, method, path, form, site string
		status                         int
		holds                          string
	}{
		{"a statement that another site links to", "GET", "/sql?q=SELECT+42+AS+n", "", "cross-site", 200, "came with a link of another site"},
		{"a hunt that another site links to", "GET", "/hunt?name=beaconing&run=1", "", "cross-site", 200, "came with a link of another site"},
		{"packets that another site links to", "GET", "/pcap?by=conn_id&q=SELECT+conn_id+FROM+connections", "", "cross-site", 403, "link of another site"},
		{"rows that another site links to", "GET", "/csv?q=SELECT+1", "", "cross-site", 400, ""},
		{"a link that is no question", "GET", "/sql?" + pins, "", "", 200, "more than a question"},
		{"a form without a session's word", "POST", "/sql", pins, "", 403, "another session"},
		{"a form with a wrong word", "POST", "/sql", pins + "&form=" + strings.Repeat("A", len(form)), "", 403, "another session"},
		{"a form that another site sends", "POST", "/sql", pins + "&form=" + form, "cross-site", 403, ""},
		{"a form", "POST", "/sql", "q=DO+1&form=" + form, "same-origin", 200, "Done."},
		{"a form that sets something", "POST", "/sql", "q=USE+ops&form=" + form, "same-origin", 200, "Done."},
		{"what comes behind it", "GET", "/sql?q=SELECT+COUNT(*)+FROM+connections", "", "same-origin", 200, "1 row"},
		{"a link that hides what it calls", "GET", "/sql?q=" + url.QueryEscape("/* */ CALL pin('x', 'TRUE') -- */ SELECT"), "", "none", 200, "more than a question"},
		{"a time that is none", "GET", "/?from=yesterday", "", "same-origin", 200, "yesterday is no time"},
		{"a time that ends first", "GET", "/host?name=a&from=2026-06-13&to=2026-06-12", "", "same-origin", 200, "ends before it begins"},
		{"an id of no connection", "GET", "/connection?id=SERVERNAME123", "", "same-origin", 200, "/host?name=SERVERNAME123"},
		{"packets of a statement with a comment behind", "GET", "/pcap?by=conn_id&q=SELECT+conn_id+FROM+connections+LIMIT+1+--+a", "", "same-origin", 200, "\x0a\x0d\x0d\x0a"},
		{"a view that is none", "GET", "/nosuch", "", "same-origin", 404, "There is no such view"},
		{"a folder of files", "GET", "/static/", "", "same-origin", 404, "There is no such view"},
		{"a folder in it", "GET", "/static/uplot/", "", "same-origin", 404, "There is no such view"},
		{"too long a form", "POST", "/sql", "form=" + form + "&q=" + strings.Repeat("x", 2<<20), "same-origin", 403, ""},
		{"all rows", "GET", "/csv?q=SELECT+conn_id+FROM+connections", "", "same-origin", 200, "conn_id\n"},
		{"packets of a statement", "GET", "/pcap?by=conn_id&q=SELECT+conn_id+FROM+connections+LIMIT+1", "", "same-origin", 200, "\x0a\x0d\x0d\x0a"},
		{"a statement in place of rows", "GET", "/pcap?by=conn_id&q=" + url.QueryEscape("SELECT 'x') AS a, packets) --"), "", "same-origin", 400, "error 1064"},
	} {
		status, _, body := ask(x.method, x.path, x.form, "Sec-Fetch-Site", x.site)
		if status != x.status || !strings.Contains(body, x.holds) {
			t.Errorf("%s: %d %.300s", x.what, status, body)
		}
	}
	_, _, rows := ask("GET", "/csv?q=SELECT+conn_id+FROM+connections", "")
	_, _, count := ask("GET", "/csv?q=SELECT+COUNT(*)+FROM+connections", "")
	if n := fmt.Sprintf("COUNT(*)\n%d\n", strings.Count(rows, "\n")-1); count != n {
		t.Errorf("all rows are %q, COUNT(*) says %q", n, count)
	}
	sleeps := func(ctx context.Context) (done chan struct{}) {
		r, err := http.NewRequestWithContext(ctx, "GET", address+"/sql?q=SELECT+SLEEP(300)", nil)
		if err != nil {
			t.Fatal(err)
		}
		done = make(chan struct{})
		go func() {
			defer close(done)
			if got, err := c.Do(r); err == nil {
				io.Copy(io.Discard, got.Body)
				got.Body.Close()
			}
		}()
		return done
	}
	running := func() bool {
		_, _, list := ask("GET", "/csv?q=SELECT+COUNT(*)+FROM+information_schema.processlist+WHERE+info+LIKE+'SELECT+SLEEP%25'", "")
		return !strings.HasSuffix(list, "\n0\n")
	}
	wait := func(what string, until func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !until(); time.Sleep(20 * time.Millisecond) { // until the server has noticed
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	// All of a timeline is on its pages, each row once.
	_, _, want := ask("GET", "/csv?q="+url.QueryEscape("SELECT COUNT(*) FROM timeline WHERE host = 'gavin.reid-machine'"), "")
	shown, pages := 0, 0
	for next := "/host?name=gavin.reid-machine"; next != ""; pages++ {
		_, _, body := ask("GET", next, "")
		_, list, _ := strings.Cut(body, `<section id="timeline"`)
		list, rest, _ := strings.Cut(list, "</section>")
		shown += strings.Count(list, "<tr>") - 1
		_, rest, more := strings.Cut(rest, `class="next" href="`)
		if next = ""; more {
			next, _, _ = strings.Cut(rest, `"`)
			next, _, _ = strings.Cut(html.UnescapeString(next), "#")
		}
	}
	if want != fmt.Sprintf("COUNT(*)\n%d\n", shown) || pages < 2 {
		t.Errorf("%d rows on %d pages, COUNT(*) says %q", shown, pages, want)
	}
	// The chart of all that was recorded adds up to all that was moved.
	_, _, want = ask("GET", "/csv?q="+url.QueryEscape("SELECT SUM(bytes) FROM connections"), "")
	_, _, body = ask("GET", "/", "")
	_, drawn, _ := strings.Cut(body, `<section id="traffic"`)
	drawn, _, _ = strings.Cut(drawn, "</section>")
	sum := 0
	for _, m := range regexp.MustCompile(`<td class="n">(\d+)</td>`).FindAllStringSubmatch(drawn, -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	if want != fmt.Sprintf("SUM(bytes)\n%d\n", sum) {
		t.Errorf("the chart adds up to %d, SUM(bytes) says %q", sum, want)
	}
	// A statement ends when the browser leaves.
	ctx, leave := context.WithCancel(t.Context())
	done := sleeps(ctx)
	wait("the statement does not run", running)
	leave()
	<-done
	wait("a statement runs on whose browser has left", func() bool { return !running() })
	// And with its session.
	done = sleeps(t.Context())
	wait("the statement does not run", running)
	_, _, body = ask("GET", "/sql", "")
	form = body[strings.Index(body, `name="form" value="`)+19:]
	form = form[:strings.IndexByte(form, '"')]
	if status, _, _ := ask("POST", "/logout", "form="+form); status != http.StatusSeeOther {
		t.Errorf("logging out: %d", status)
	}
	<-done
	ask("POST", "/login", secret, "Sec-Fetch-Site", "same-origin")
	wait("a statement runs on whose session has ended", func() bool { return !running() })
}

// TestPageFindings: what a hunt that stands has found is looked at, said something of and
// noted about, by who may; and whatever its rows hold stays text.
func TestPageFindings(t *testing.T) {
	const evil = `<img src=x onerror="window.hacked=1"><script>window.hacked=2</script>'"--></td></table>`
	dir, hunting := t.TempDir(), t.TempDir()
	made := newTraffic()
	made.beacon(monday.Add(12*time.Hour), "10.1.1.10", 30)
	runs := func(args ...string) {
		t.Helper()
		if code, _, said := runProgram(t, nil, args...); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, said)
		}
	}
	runs("import", "--data", dir, made.write(t))
	if err := os.WriteFile(filepath.Join(hunting, "evil.sql"), []byte("-- title: "+evil+"\n-- question: x\n-- severity: low\n-- reads: connections\n-- key: client_ip, said\n-- result: x\n-- empty: x\n"+
		"SELECT DISTINCT client_ip, '"+strings.ReplaceAll(evil, "'", "''")+"' AS said, NULL AS nothing, 12345678901234567 AS large FROM connections WHERE ts BETWEEN :from AND :to\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, call := range []string{"CALL schedule('beacons', 'beaconing', 'since', '2 DAY')", "CALL schedule('evil', 'evil', 'since', '2 DAY')"} {
		runs("query", "--data", dir, "--hunts", hunting, call)
	}
	d := start(t, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--hunts", hunting)
	await(t, 2*time.Minute, "both to run", func() bool { return len(sqlOf(t, dir, "SELECT finding FROM hunt.results")) == 2 })
	d.stop(os.Interrupt)
	cfg := engine.DefaultConfig()
	cfg.Hunts = hunting
	address, password := servePage(t, engineWith(t, dir, cfg))
	inBrowser(t, address, func(b *tab) { saysOfFindings(b, password, evil) })
}

func saysOfFindings(b *tab, password, evil string) {
	t := b.T
	b.login("hunter", password)
	b.do(press(`nav a[href="/findings"]`), chromedp.WaitVisible("#untold"), chromedp.WaitVisible("footer"))
	b.sound("/findings")
	if got := b.text(`[...document.querySelectorAll("#list tbody tr")].map(r => [...r.cells].map(c => c.innerText).slice(1, 4).join(" ")).join("|")`); got != "high Beacons beacons|low "+evil+" evil" {
		t.Errorf("findings: %s", got)
	}
	b.picture("findings")
	b.do(press("#list tbody tr:nth-child(2) a"), chromedp.WaitVisible("#told"), chromedp.WaitVisible("footer"))
	b.sound("/finding")
	if got := b.text(`[...document.querySelectorAll("#row dd")].map(e => e.innerText).join("|")`); got != "10.1.1.10|"+evil+"|12345678901234567" {
		t.Errorf("a row that is no HTML: %s", got)
	}
	b.at("/findings")
	b.do(press("#list tbody tr a"), chromedp.WaitVisible("#told"), chromedp.WaitVisible("footer"))
	here := b.text("location.pathname + location.search")
	if got := b.text(`document.querySelector("#row").innerText`); !strings.Contains(got, "203.0.113.50") {
		t.Errorf("its row: %s", got)
	}
	// A note, which is text, and what it comes to.
	b.do(chromedp.SendKeys("[name=tags]", "c2"), chromedp.SendKeys("[name=note]", evil), press("form:has([name=note]) button"), chromedp.WaitVisible("#notes tbody"))
	b.sound("a note")
	if got := b.text(`[...document.querySelectorAll("#notes tbody td")].slice(1).map(e => e.innerText).join("|") + location.pathname + location.search`); !strings.HasPrefix(got, "hunter|beacons/") || !strings.HasSuffix(got, "|c2|"+evil+here) {
		t.Errorf("noted: %s", got)
	}
	b.do(chromedp.SetValue("[name=status]", "confirmed"), press("form:has([name=status]) button"), chromedp.WaitReady("option[selected]:not(:first-child)", chromedp.ByQuery), chromedp.WaitVisible("footer"))
	if got := b.text(`document.querySelector("#state").innerText`); !strings.Contains(got, "confirmed") || !strings.Contains(got, "hunter") {
		t.Errorf("its state: %s", got)
	}
	b.picture("finding")
	b.at("/findings")
	if got := b.text(`document.querySelectorAll("#list tbody tr").length`); got != "1" {
		t.Errorf("%s are open", got)
	}
	b.at("/findings?status=confirmed&schedule=beacons")
	if got := b.text(`document.querySelectorAll("#list tbody tr").length`); got != "1" {
		t.Errorf("%s are confirmed", got)
	}
	for _, path := range []string{"/finding?id=b1c236fe504788eec3ac07b6", "/finding?id=%3Cb%3E", "/findings?status=nosuch&schedule=%27%3Cb%3E"} {
		b.at(path)
	}
	// A link changes nothing, nor does a form of elsewhere.
	b.at(here + "&status=benign&note=x&case=y")
	if got := b.text(`document.querySelector("#state").innerText + document.querySelectorAll("#notes tbody tr").length`); !strings.Contains(got, "confirmed") || !strings.HasSuffix(got, "1") {
		t.Errorf("after a link: %s", got)
	}
	b.do(chromedp.Evaluate(`document.querySelector("form:has([name=status]) [name=form]").value = "x"`, nil), press("form:has([name=status]) button"), chromedp.WaitVisible("body"))
	if got := b.text("document.body.innerText"); !strings.Contains(got, "another session") {
		t.Errorf("with a form of another session: %s", got)
	}
	// Who may only look.
	b.do(chromedp.Navigate(b.address+"/"), chromedp.WaitVisible("footer"), press(".out button"), chromedp.WaitVisible("[name=password]"))
	b.login("clerk", password)
	b.at(here)
	if got := b.text(`document.body.innerText`); !strings.Contains(got, "denied") {
		b.do(chromedp.SetValue("[name=status]", "benign"), press("form:has([name=status]) button"), chromedp.WaitVisible(".error"))
		if got := b.text(`document.querySelector(".error").innerText + document.querySelector("#state").innerText`); !strings.Contains(got, "1370") || !strings.Contains(got, "confirmed") {
			t.Errorf("without the right: %s", got)
		}
	}
}
