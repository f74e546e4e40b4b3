package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/chromedp/chromedp"
)

// page opens the view of a machine with many events in a real browser.
func (h *hunts) page(dir string) error {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return err
	}
	cmd := exec.Command(h.wiresql, "serve", "--data", dir, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}()
	address := ""
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		if at, ok := strings.CutPrefix(lines.Text(), "page: "); ok {
			address = strings.TrimSuffix(at, "/")
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	password, err := os.ReadFile(filepath.Join(dir, "serve", "password"))
	if err != nil {
		return err
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(2*time.Minute))
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, stop = chromedp.NewContext(ctx)
	defer stop()
	ctx, stop = context.WithTimeout(ctx, 10*time.Minute)
	defer stop()
	if err := chromedp.Run(ctx, chromedp.Navigate(address+"/login"), chromedp.SendKeys("[name=user]", "wiresql"), chromedp.SendKeys("[name=password]", strings.TrimSpace(string(password))),
		chromedp.Submit("[name=password]"), chromedp.WaitVisible(".out"), chromedp.WaitVisible("footer")); err != nil {
		return err
	}
	var first, usable, whole []time.Duration
	for run := range h.runs + 1 {
		var t struct{ First, Usable, Whole, Rows, Charts float64 }
		// Usable: what happened stands there, with the time to choose another; the rest
		// comes behind it or before it, in the order of the page.
		if err := chromedp.Run(ctx, chromedp.Navigate("about:blank"), chromedp.Navigate(address+"/host?name="+busyName), chromedp.WaitVisible("footer"), chromedp.Evaluate(`(() => {
			const t = performance.getEntriesByType("navigation")[0]
			return {First: t.responseStart - t.requestStart, Usable: t.domContentLoadedEventEnd - t.startTime, Whole: t.loadEventEnd - t.startTime,
				Rows: document.querySelectorAll("#timeline tbody tr").length, Charts: document.querySelectorAll("#activity canvas").length}
		})()`, &t)); err != nil {
			return err
		}
		if t.Rows != 250 || t.Charts != 1 {
			return fmt.Errorf("%v rows and %v charts are shown", t.Rows, t.Charts)
		}
		if run > 0 { // the first opens files
			millis := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
			first, usable, whole = append(first, millis(t.First)), append(usable, millis(t.Usable)), append(whole, millis(t.Whole))
		}
	}
	log.Printf("first byte %v, usable %v, loaded %v", first, usable, whole)
	h.add(fmt.Sprintf("page of a host of %d events: first byte", busyEvents), ms(median(first)), "300 ms", ratio(median(first), 300*time.Millisecond), "≤ 1x")
	h.add("the same: usable, with all its parts", ms(median(usable)), "1 s", ratio(median(usable), time.Second), "≤ 1x")
	return nil
}
