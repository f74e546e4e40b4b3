package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// axe is the text of axe-core, which looks at a page as WCAG asks.
var axe = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "axe")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join("testdata/clients/axe", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
		if err != nil {
			return "", err
		}
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--silent", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules/axe-core/axe.min.js"))
	return string(text), err
})

// fit insists that everybody can use a view, by light and in the dark: what axe-core
// calls serious or critical is a mistake. A view of the same parts is looked at once.
func (b *tab) fit(where string) {
	b.Helper()
	shape := b.text(`location.pathname + [...document.querySelectorAll("section[id], form[class], .warning, .error, .empty, figure, pre, dl, .next")].map(e => e.tagName + e.id + e.className).sort().join()`)
	if b.fits[shape] {
		return
	}
	if b.fits == nil {
		b.fits = map[string]bool{}
	}
	b.fits[shape] = true
	for _, scheme := range []string{"light", "dark"} {
		if found := b.unfit(scheme); found != "" {
			b.Errorf("%s, %s: %s", where, scheme, found)
		}
	}
	b.do(emulation.SetEmulatedMedia().WithFeatures(nil))
}

// unfit is what axe-core finds in a view by a scheme of colours: by dark only what
// depends on it, and of a table its first rows, as which the others are.
func (b *tab) unfit(scheme string) (found string) {
	b.Helper()
	code, err := axe()
	if err != nil {
		b.Fatal(err)
	}
	only := ""
	if scheme == "dark" {
		only = `, runOnly: ["color-contrast"]`
	}
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
		chromedp.Evaluate("if (!window.axe) {"+code+"\n}", nil),
		chromedp.Evaluate(`(async () => {
				const closed = [...document.querySelectorAll("details:not([open])")];
				closed.forEach(d => d.open = true);
				const found = await axe.run({exclude: [["tbody tr:nth-child(n+6)"]]}, {resultTypes: ["violations", "passes"]`+only+`});
				closed.forEach(d => d.open = false);
				if (found.passes.length === 0) return "nothing was looked at";
				return found.violations.filter(v => v.impact === "serious" || v.impact === "critical").map(v =>
					v.impact + ": " + v.id + ": " + v.help + "\n" + v.nodes.slice(0, 5).map(n => "\t" + n.html + "\n\t" + n.failureSummary).join("\n")).join("\n");
			})()`, &found, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return found
}

// TestPageByKeys goes through the page without a mouse: TAB reaches all that can be
// used, in the order in which it is read, always visibly; nothing holds it; and the
// first stop leads past the head.
func TestPageByKeys(t *testing.T) {
	address, password := servePage(t, demoEngine(t))
	inBrowser(t, address, func(b *tab) {
		b.do(chromedp.Navigate(address+"/login"), chromedp.WaitVisible("[name=password]"))
		b.fit("/login")
		// What is wrong is found, by each scheme.
		b.text(`(() => {
			const p = document.querySelector("form p"), field = document.createElement("input");
			p.style.color = "light-dark(#ddd, #333)";
			p.after(field);
			window.undo = () => { p.style.color = ""; field.remove(); };
		})()`)
		if light, dark := b.unfit("light"), b.unfit("dark"); !strings.Contains(light, "critical: label") || !strings.Contains(light, "serious: color-contrast") || !strings.Contains(dark, "serious: color-contrast") {
			t.Errorf("nothing is found where something is wrong: %s, %s", light, dark)
		}
		b.text("window.undo()")
		// The account's field has the focus.
		b.do(chromedp.KeyEvent("hunter\t"+password+"\t\r"), chromedp.WaitVisible(".out"), chromedp.WaitVisible("footer"))
		for _, path := range []string{"/hunt?name=beaconing&run=1&since=all", "/findings", "/sql?q=SELECT+ts,+conn_id+FROM+connections+LIMIT+3"} {
			b.at(path)
			var stops []string
			for len(stops) < 300 {
				b.do(chromedp.KeyEvent("\t"))
				stop := b.text(`(() => {
					const e = document.activeElement;
					if (e === document.body) return "";
					window.stops = window.stops ?? [];
					const wrong = [];
					const box = e.getBoundingClientRect(), style = getComputedStyle(e);
					if (box.width < 2 || box.height < 2) wrong.push("is not seen");
					if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) wrong.push("does not show the focus");
					const over = document.elementFromPoint(box.left + Math.min(box.width, innerWidth) / 2, box.top + Math.min(box.height, 8) / 2);
					if (box.top >= 0 && box.top < innerHeight && over && !e.contains(over) && !over.contains(e) && over.closest("header") && !e.closest("header")) wrong.push("is below the head");
					if (window.stops.includes(e)) wrong.push("holds the focus");
					const last = window.stops.at(-1);
					if (last && !(last.compareDocumentPosition(e) & Node.DOCUMENT_POSITION_FOLLOWING)) wrong.push("comes before what is read before it");
					window.stops.push(e);
					return wrong.length ? "!" + wrong.join(", ") + ": " + e.outerHTML.slice(0, 200) : e.tagName + "#" + e.id;
				})()`)
				if stop == "" {
					break
				}
				if strings.HasPrefix(stop, "!") {
					t.Errorf("%s: stop %d %s", path, len(stops)+1, stop[1:])
					break
				}
				stops = append(stops, stop)
				if len(stops) == 1 { // past the head
					if got := b.text(`document.activeElement.className + document.activeElement.hash`); got != "skip#main" {
						t.Errorf("%s: the first stop is %s", path, got)
					}
				}
			}
			missed := b.text(`[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")].filter(e => e.checkVisibility() && !window.stops.includes(e)).map(e => e.outerHTML.slice(0, 100)).join("\n")`)
			if missed != "" {
				t.Errorf("%s: not reached after %d stops: %s", path, len(stops), missed)
			}
		}
	})
}
