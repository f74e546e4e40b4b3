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
	receiveFlows  = 2_000_000
	receiveBuffer = 32 << 20 // asked for; the kernel grants up to rmem_max
)

// receive sends the same flows at two rates into nfcapd and into wiresql
// record: nothing may be lost, and each flow costs CPU.
func (c *collect) receive() error {
	for _, rate := range []float64{500_000, 1_000_000} {
		var peer []time.Duration
		for range c.runs {
			u, err := c.nfcapd(receiveFlows, rate)
			if err != nil {
				return err
			}
			peer = append(peer, u)
		}
		log.Printf("nfcapd at %.1f M flows/s: %v CPU", rate/1e6, median(peer))
	}
	return nil
}

// nfcapd receives flows and returns the CPU it took.
func (c *collect) nfcapd(flows int, rate float64) (time.Duration, error) {
	dir := filepath.Join(c.dir, "nfcapd")
	if err := emptied(dir); err != nil {
		return 0, err
	}
	port, err := freePort()
	if err != nil {
		return 0, err
	}
	p, err := c.listen(port, "nfcapd", "-w", dir, "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "3600", "-B", strconv.Itoa(receiveBuffer), "-y")
	if err != nil {
		return 0, err
	}
	s, err := c.send("-to", fmt.Sprintf("127.0.0.1:%d", port), "-flows", strconv.Itoa(flows), "-rate", fmt.Sprint(rate))
	if err != nil {
		p.stop()
		return 0, err
	}
	time.Sleep(time.Second) // it reads what waits in its socket
	u, err := p.stop()
	if err != nil {
		return 0, err
	}
	f, size, err := facts(dir)
	if err != nil {
		return 0, err
	}
	log.Printf("nfcapd: %d of %d flows at %.2f M/s (sender %.2f s CPU, at most %.1f ms behind), %v CPU, %d MB, %.1f bytes a flow, %d sequence failures",
		f.flows, s.Flows, s.rate()/1e6, s.CPU, 1000*s.Behind, u.cpu, u.rss>>20, float64(size)/float64(f.flows), f.failures)
	if f.flows == s.Flows && (f.packets != int64(s.Packets) || f.bytes != int64(s.Bytes)) {
		return 0, fmt.Errorf("nfcapd has %d packets and %d bytes of %d and %d", f.packets, f.bytes, s.Packets, s.Bytes)
	}
	return u.cpu, nil
}

// emptied makes dir an empty directory.
func emptied(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}
