package shell

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/wiresql/wiresql/sqlserver/output"
)

const (
	// progressAfter is how long a statement runs before it is told what it does.
	progressAfter = 500 * time.Millisecond
	progressEvery = 250 * time.Millisecond
)

// progress is a line that says what a statement does, until it has an answer.
type progress struct {
	end  context.CancelFunc
	gone chan struct{}
}

// showProgress begins it; state is asked again and again.
func showProgress(out io.Writer, width int, state func(context.Context) string) *progress {
	ctx, cancel := context.WithCancel(context.Background())
	p := &progress{cancel, make(chan struct{})}
	began := time.Now()
	go func() {
		defer close(p.gone)
		wait := time.NewTimer(progressAfter)
		defer wait.Stop()
		shown := false
		for {
			select {
			case <-ctx.Done():
				if shown {
					io.WriteString(out, "\r\x1b[K")
				}
				return
			case <-wait.C:
			}
			said := state(ctx)
			if ctx.Err() == nil {
				line := fmt.Sprintf("%.1f s  %s", time.Since(began).Seconds(), output.Visible(said))
				if n := width - 1; utf8.RuneCountInString(line) > n {
					line = string([]rune(line)[:max(n, 0)])
				}
				io.WriteString(out, "\r"+line+"\x1b[K")
				shown = true
			}
			wait.Reset(progressEvery)
		}
	}()
	return p
}

// stop takes the line away; it may be called again.
func (p *progress) stop() {
	p.end()
	<-p.gone
}

// interrupts hands Ctrl-C to the statement that runs.
type interrupts struct {
	mu     sync.Mutex
	cancel context.CancelFunc
}

func (i *interrupts) set(cancel context.CancelFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.cancel = cancel
}

func (i *interrupts) happened() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.cancel != nil {
		i.cancel()
	}
}
