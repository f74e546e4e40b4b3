package standing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/tables"
)

const (
	// firstWait is after how long a target that failed is tried again, doubled up to
	// mostWait.
	firstWait = time.Second
	mostWait  = 10 * time.Minute
	// maxAttempts are made for a finding: with these waits over two hours.
	maxAttempts = 20
)

// Message is what a target is told of a finding, as JSON. A message may come more
// than once: its ID is the same then.
type Message struct {
	ID       string          `json:"id"`
	Schedule string          `json:"schedule"`
	Hunt     string          `json:"hunt"`
	Title    string          `json:"title"`
	Severity string          `json:"severity"`
	First    string          `json:"first_seen"` // RFC 3339, UTC
	Last     string          `json:"last_seen"`
	Found    string          `json:"found_at"`
	Times    int             `json:"times"`
	Case     string          `json:"case,omitempty"` // its packets are pinned for
	Key      json.RawMessage `json:"key"`
	Row      json.RawMessage `json:"row"`
}

func (f *Finding) message() ([]byte, error) {
	when := func(t tables.Time) string { return time.UnixMicro(int64(t)).UTC().Format(time.RFC3339Nano) }
	return json.Marshal(Message{ID: f.ID, Schedule: f.Schedule, Hunt: f.Hunt, Title: f.Title, Severity: f.Severity,
		First: when(f.First), Last: when(f.Last), Found: when(f.Found), Times: f.Times, Case: f.Case, Key: f.Key, Row: f.Row})
}

// patience is how long a target is left alone that failed.
type patience struct {
	busy  atomic.Bool // somebody tells it at the moment
	wait  time.Duration
	until time.Time // of the clock that nobody sets
}

// deliverAll tells targets what waits for them until ctx ends, one finding after the
// other; none waits for another target.
func (k *Keeper) deliverAll(ctx context.Context) {
	tired := map[string]*patience{}
	missed := map[string]bool{} // targets that are not there, and that it was said of
	var all sync.WaitGroup
	defer all.Wait()
	k.every(ctx, "telling of findings", func() error {
		targets, unread := Targets(k.config.Targets)
		next, err := k.book.waitingFor()
		for name, list := range next {
			if tired[name] == nil {
				tired[name] = &patience{}
			}
			p := tired[name]
			if p.busy.Load() || time.Now().Before(p.until) {
				continue
			}
			t := targets[name]
			if t == nil {
				why := "there is no target " + name + ": the server's file of targets lacks it"
				switch {
				case unread != nil:
					why = "the file of targets can't be read"
				case k.config.Targets == "":
					why = "the server has no file of targets"
				case !missed[name]:
					missed[name] = true
					k.log.Warn("findings wait for a target that is not there", "target", name, "findings", len(list))
				}
				err = errors.Join(err, k.book.held(list, why))
				continue
			}
			delete(missed, name)
			p.busy.Store(true)
			all.Go(func() {
				defer p.busy.Store(false)
				next, err := k.book.waitingFor() // by now
				if list := next[t.Name]; err == nil && len(list) > 0 {
					err = k.deliver(ctx, t, p, list)
				}
				if err != nil { // it was told, and is told again: not at once
					p.tire()
					k.log.Warn("a finding was told, and is told again", "target", t.Name, "error", err)
				}
			})
		}
		return errors.Join(unread, err)
	})
}

// tire leaves a target alone for longer than the last time.
func (p *patience) tire() {
	p.wait = min(max(2*p.wait, firstWait), mostWait)
	p.until = time.Now().Add(p.wait)
}

// held writes down why findings are not told, where that is not known yet. It counts
// as no attempt.
func (b *Book) held(list []Finding, why string) error {
	list = slices.DeleteFunc(list, func(f Finding) bool { return f.Delivery.Error == why })
	if len(list) == 0 {
		return nil
	}
	return b.change(func() (records []record, err error) {
		for _, f := range list {
			if now := b.findings[f.ID]; now != nil && now.Delivery != nil && !now.Delivery.Done && !now.Delivery.Over {
				d := *now.Delivery
				d.Error = why
				records = append(records, record{Delivery: &d})
			}
		}
		return records, nil
	})
}

// waitingFor are the findings that targets have to be told, oldest first.
func (b *Book) waitingFor() (map[string][]Finding, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string][]Finding{}
	if err := b.notebook.Follow(b.take); err != nil {
		return nil, err
	}
	for _, f := range b.findings {
		if d := f.Delivery; d != nil && !d.Done && !d.Over {
			out[d.Target] = append(out[d.Target], *f)
		}
	}
	for _, list := range out {
		slices.SortFunc(list, func(x, y Finding) int { return cmp.Compare(x.Found, y.Found) })
	}
	return out, nil
}

// deliver tells a target of findings, those first that were tried least, until one
// can't be told.
func (k *Keeper) deliver(ctx context.Context, t *Target, p *patience, list []Finding) error {
	least := list[0].Delivery.Attempts
	for _, f := range list {
		least = min(least, f.Delivery.Attempts)
	}
	for i := range list {
		f := &list[i]
		if f.Delivery.Attempts > least {
			continue
		}
		message, err := f.message()
		if err != nil {
			return err
		}
		err = t.Tell(ctx, f.ID, message)
		if ctx.Err() != nil {
			return nil // it may have arrived: it is told again
		}
		d := Delivery{ID: f.ID, Target: t.Name, Attempts: f.Delivery.Attempts + 1, At: k.time(), Done: err == nil}
		if err != nil {
			d.Error = cut(err.Error())
			k.Stats.DeliveryFailed.Add(1)
			if d.Over = d.Attempts >= maxAttempts; d.Over {
				k.Stats.GivenUp.Add(1)
			}
			p.tire()
		}
		if failed := k.book.change(func() ([]record, error) { return []record{{Delivery: &d}}, nil }); failed != nil {
			return failed
		}
		if err != nil {
			return nil
		}
		k.Stats.Delivered.Add(1)
		p.wait = 0
	}
	return nil
}
