package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// keepPiece is how long one run of the exporter sends: it has all its datagrams
	// in memory.
	keepPiece = 20 * time.Second
	// keepAsks is how often it is asked how far connections are.
	keepAsks = 15 * time.Second
	// keepAsked is how far the newest of the connections is behind that began their
	// life two minutes ago or earlier: those are settled, not put together for the
	// question alone.
	keepAsked = `SELECT TIMESTAMPDIFF(SECOND, MAX(ts_end), NOW(6)) FROM connections
		WHERE ts > NOW() - INTERVAL 30 MINUTE AND ts_end < NOW(6) - INTERVAL 2 MINUTE`
)

// keep records at a steady rate with compaction beside it, and asks all the while
// how far connections are behind.
func (c *collect) keep() error {
	dir := filepath.Join(c.dir, "keep")
	if err := emptied(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	port, err := freePort()
	if err != nil {
		return err
	}
	recorder, err := c.listen(port, c.wiresql, "record", "--data", dir, "--log", "info",
		"--netflow", fmt.Sprintf("127.0.0.1:%d", port), "--sflow", "", "--receive-buffer", strconv.Itoa(receiveBuffer))
	if err != nil {
		return err
	}
	settler, err := c.start("compact", c.wiresql, "compact", "--data", dir, "--log", "debug")
	if err != nil {
		recorder.stop()
		return err
	}
	begin := time.Now()
	sending := make(chan error, 1)
	var flows int64
	go func() {
		for i := 0; time.Since(begin) < c.keepFor; i++ {
			s, err := c.send("-to", fmt.Sprintf("127.0.0.1:%d", port), "-rate", fmt.Sprint(c.keepRate),
				"-flows", fmt.Sprint(int(c.keepRate*keepPiece.Seconds())), "-seed", strconv.Itoa(i))
			if err != nil {
				sending <- err
				return
			}
			flows += s.Flows
		}
		sending <- nil
	}()
	var worst int64
	ask := func() error {
		got, err := c.numbers(dir, keepAsked)
		if err != nil {
			return err
		}
		past := time.Since(begin)
		log.Printf("keep: after %.0f s connections are %d s behind", past.Seconds(), got[0])
		if got[0] == 0 { // none is two minutes old
			got[0] = int64(past.Seconds())
		}
		worst = max(worst, got[0])
		return nil
	}
	for done := false; !done && err == nil; {
		select {
		case err = <-sending:
			done = true
		case <-time.After(keepAsks):
			err = ask()
		}
	}
	sent := time.Since(begin)
	if err == nil {
		err = ask()
	}
	recorded, stopErr := recorder.stop()
	settled, settleErr := settler.stop()
	for _, e := range []error{stopErr, settleErr} {
		if err == nil {
			err = e
		}
	}
	if err != nil {
		return err
	}
	each := func(u cost) string {
		return fmt.Sprintf("%.2f µs a flow, %d MB", u.cpu().Seconds()*1e6/float64(flows), u.rss>>20)
	}
	log.Printf("keep: record %s; compact %s", each(recorded), each(settled))
	c.rows = append(c.rows, row{fmt.Sprintf("`record` and `compact` at %.0f flows/s for %.0f s: connections behind at most", float64(flows)/sent.Seconds(), sent.Seconds()),
		fmt.Sprintf("%d s (CPU %s)", worst, each(settled)), "", "", "≤ 180 s"})
	return nil
}
