package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// receiveBuffer is what both collectors ask for, wiresql's default. nfcapd gets
// up to rmem_max of it; ours passes over that where it is privileged.
const receiveBuffer = 16 << 20

// totals are counts and sums over flows.
type totals struct{ flows, packets, bytes int64 }

var factLine = regexp.MustCompile(`(?m)^(Flows|Packets|Bytes|Sequence failures): (\d+)`)

// facts sums up what nfdump -I says of all files of a directory.
func facts(dir string) (t totals, failures, size int64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "nfcapd.*"))
	if err != nil || len(files) == 0 {
		return t, 0, 0, fmt.Errorf("no files of nfcapd in %s", dir)
	}
	for _, file := range files {
		st, err := os.Stat(file)
		if err != nil {
			return t, 0, 0, err
		}
		size += st.Size()
		out, err := exec.Command("nfdump", "-I", "-r", file).CombinedOutput()
		if err != nil {
			return t, 0, 0, fmt.Errorf("nfdump -I -r %s: %w: %s", file, err, out)
		}
		for _, m := range factLine.FindAllSubmatch(out, -1) {
			n, _ := strconv.ParseInt(string(m[2]), 10, 64)
			switch string(m[1]) {
			case "Flows":
				t.flows += n
			case "Packets":
				t.packets += n
			case "Bytes":
				t.bytes += n
			default:
				failures += n
			}
		}
	}
	return t, failures, size, nil
}

// nfcapd receives what the exporter sends with args into dir, with LZ4 as it
// is usually run.
func (c *collect) nfcapd(dir string, args ...string) (*sent, cost, error) {
	if err := emptied(dir); err != nil {
		return nil, cost{}, err
	}
	port, err := freePort()
	if err != nil {
		return nil, cost{}, err
	}
	p, err := c.listen(port, "nfcapd", "-w", dir, "-b", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "3600", "-B", strconv.Itoa(receiveBuffer), "-y")
	if err != nil {
		return nil, cost{}, err
	}
	s, err := c.send(append([]string{"-to", fmt.Sprintf("127.0.0.1:%d", port)}, args...)...)
	time.Sleep(time.Second) // it reads what waits in its socket
	u, stopErr := p.stop()
	if err != nil {
		return nil, u, err
	}
	if stopErr != nil {
		return nil, u, stopErr
	}
	t, failures, size, err := facts(dir)
	if err != nil {
		return nil, u, err
	}
	log.Printf("nfcapd: %d of %d flows at %.2f M/s (at most %.0f ms behind), %s, %.1f bytes a flow, %d sequence failures",
		t.flows, s.Flows, s.rate()/1e6, 1000*s.Behind, u, float64(size)/float64(t.flows), failures)
	if t.flows == s.Flows && t != sums(s) {
		return nil, u, fmt.Errorf("nfcapd has %+v, sent were %+v", t, sums(s))
	}
	s.stored = t.flows
	return s, u, nil
}

func sums(s *sent) totals { return totals{s.Flows, int64(s.Packets), int64(s.Bytes)} }
