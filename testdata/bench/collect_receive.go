package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const receiveFlows = 2_000_010 // datagrams of 30

// receive sends the same flows at two rates into nfcapd and into wiresql
// record, in turn: nothing may be lost, and each flow costs CPU.
func (c *collect) receive() error {
	for _, rate := range []float64{500_000, 1_000_000} {
		args := []string{"-flows", strconv.Itoa(receiveFlows), "-rate", fmt.Sprint(rate)}
		var ours, peer []time.Duration
		var ourLoss, peerLoss int64
		slowest := rate
		for range c.runs {
			s, u, err := c.nfcapd(filepath.Join(c.dir, "nfcapd"), args...)
			if err != nil {
				return err
			}
			peer = append(peer, u.cpu())
			peerLoss += s.Flows - s.stored
			slowest = min(slowest, s.rate())
			r, err := c.record(filepath.Join(c.dir, "record"), args...)
			if err != nil {
				return err
			}
			ours = append(ours, r.cpu())
			ourLoss += r.sent.Flows - r.stored
			slowest = min(slowest, r.sent.rate())
		}
		each := func(d time.Duration, lost int64) string {
			return fmt.Sprintf("%.2f µs, %d lost", float64(d.Nanoseconds())/1e3/receiveFlows, lost)
		}
		o, p := median(ours), median(peer)
		c.add(fmt.Sprintf("CPU per v5 flow at %.1f M flows/s (the slowest run had %.2f)", rate/1e6, slowest/1e6),
			each(o, ourLoss), "nfcapd "+each(p, peerLoss), ratio(o, p), "≤ 3x, no loss")
	}
	return nil
}

// recorded is a run of wiresql record.
type recorded struct {
	cost
	sent   *sent
	stored int64 // flows that can be queried
	lost   int64 // datagrams counted as dropped by the kernel or in the queue
}

// record receives what the exporter sends with args into an archive, stops,
// and checks that each flow is there or counted as lost.
func (c *collect) record(archive string, args ...string) (*recorded, error) {
	if err := emptied(archive); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, err := c.listen(port, c.wiresql, "record", "--data", archive, "--log", "info",
		"--netflow", fmt.Sprintf("127.0.0.1:%d", port), "--sflow", "", "--receive-buffer", strconv.Itoa(receiveBuffer))
	if err != nil {
		return nil, err
	}
	s, err := c.send(append([]string{"-to", fmt.Sprintf("127.0.0.1:%d", port)}, args...)...)
	time.Sleep(time.Second)
	u, stopErr := p.stop()
	if err != nil {
		return nil, err
	}
	if stopErr != nil {
		return nil, stopErr
	}
	r := &recorded{cost: u, sent: s}
	return r, c.account(archive, r)
}

// account compares an archive with what was sent: the flows and the datagrams
// must add up, and without loss the sums must be equal.
func (c *collect) account(archive string, r *recorded) error {
	got, err := c.numbers(archive, "SELECT COUNT(*), SUM(packets), SUM(bytes) FROM flows")
	if err != nil {
		return err
	}
	sockets, err := c.numbers(archive, "SELECT SUM(received), SUM(decoded), SUM(undecodable), SUM(waited), SUM(refused), SUM(queue_drops), SUM(kernel_drops) FROM ops.sockets")
	if err != nil {
		return err
	}
	t := totals{got[0], got[1], got[2]}
	received, decoded, queue, kernel := sockets[0], sockets[1], sockets[5], sockets[6]
	r.stored, r.lost = t.flows, queue+kernel
	s := r.sent
	log.Printf("record: %d of %d flows at %.2f M/s (at most %.0f ms behind), %s; %d datagrams dropped by the kernel, %d by the queue",
		t.flows, s.Flows, s.rate()/1e6, 1000*s.Behind, r.cost, kernel, queue)
	switch each := s.Flows / s.Datagrams; {
	case received+kernel != s.Datagrams:
		return fmt.Errorf("%d datagrams received, %d dropped by the kernel, %d sent", received, kernel, s.Datagrams)
	case received != decoded+queue:
		return fmt.Errorf("of %d datagrams %d were decoded and %d dropped; ops.sockets: %v", received, decoded, queue, sockets)
	case t.flows+each*r.lost != s.Flows:
		return fmt.Errorf("%d flows stored and %d counted as lost, %d sent", t.flows, each*r.lost, s.Flows)
	case r.lost == 0 && t != sums(s):
		return fmt.Errorf("stored are %+v, sent were %+v", t, sums(s))
	}
	return nil
}

const burstFlows = 5_000_010

// burst sends a million flows a second for five seconds, and then as many as
// fast as the kernel takes them: what is not stored must be counted.
func (c *collect) burst() error {
	archive := filepath.Join(c.dir, "burst")
	for _, rate := range []string{"1e6", "0"} {
		r, err := c.record(archive, "-flows", strconv.Itoa(burstFlows), "-rate", rate)
		if err != nil {
			return err
		}
		loss, err := c.numbers(archive, "SELECT SUM(lost) FROM ops.capture_loss WHERE reason IN ('kernel', 'queue')")
		if err != nil {
			return err
		}
		missing, err := c.numbers(archive, "SELECT SUM(missing) FROM ops.exporters")
		if err != nil {
			return err
		}
		if loss[0] != r.lost {
			return fmt.Errorf("ops.capture_loss has %d datagrams, ops.sockets %d", loss[0], r.lost)
		}
		// The exporter's sequence does not show what is missing at its end.
		if missing[0] > 30*r.lost {
			return fmt.Errorf("%d flows are missing in the exporter's sequence, %d were lost", missing[0], 30*r.lost)
		}
		log.Printf("burst: %d flows missing in the exporter's sequence", missing[0])
		c.rows = append(c.rows, row{fmt.Sprintf("burst of %.1f s at %.2f M flows/s", r.sent.Seconds, r.sent.rate()/1e6),
			fmt.Sprintf("%d stored + %d lost", r.stored, 30*r.lost), fmt.Sprintf("%d sent", r.sent.Flows), "equal", "exactly"})
	}
	return os.RemoveAll(archive)
}
