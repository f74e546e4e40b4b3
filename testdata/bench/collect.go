package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// collector measures the collector beside nfcapd, nfdump and goflow2 with the
// datagrams of testdata/exporter, sent to 127.0.0.1 only.
func (b *bench) collector(only string) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	for _, tool := range []string{"nfcapd", "nfdump"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: make deps", tool)
		}
	}
	c := &collect{bench: b, exporter: filepath.Join(b.dir, "exporter")}
	build := exec.Command("go", "build", "-o", c.exporter, "./testdata/exporter")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the exporter: %w: %s", err, out)
	}
	log.Printf("receive buffers are limited to %s bytes (net.core.rmem_max)", limit("net/core/rmem_max"))
	parts := []struct {
		name string
		run  func() error
	}{
		{"receive", c.receive},
	}
	for _, p := range parts {
		if only != "" && !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		if err := p.run(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// collect is the benchmarks' bench.
type collect struct {
	*bench
	exporter string // the sender
}

// limit reads a number below /proc/sys.
func limit(name string) string {
	text, err := os.ReadFile(filepath.Join("/proc/sys", name))
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// sent is what the exporter says it sent.
type sent struct {
	datagrams.Counts
	datagrams.Pace
	CPU float64 `json:"cpu"`
}

// rate is flows a second, as it came out.
func (s *sent) rate() float64 { return float64(s.Flows) / s.Seconds }

// send runs the exporter to its end.
func (c *collect) send(args ...string) (*sent, error) {
	cmd := exec.Command(c.exporter, args...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("exporter %s: %w: %s", strings.Join(args, " "), err, complaint.String())
	}
	var s sent
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return nil, fmt.Errorf("exporter %s: %w: %s", strings.Join(args, " "), err, out.String())
	}
	return &s, nil
}

// child is a program that listens.
type child struct {
	cmd *exec.Cmd
	log *os.File
}

// listen starts a program and waits until it has a UDP socket at port.
func (c *collect) listen(port int, name string, args ...string) (*child, error) {
	f, err := os.Create(filepath.Join(c.dir, filepath.Base(name)+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		f.Close()
		return nil, err
	}
	p := &child{cmd: cmd, log: f}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if listening(port) {
			return p, nil
		}
	}
	p.stop()
	return nil, fmt.Errorf("%s %s does not listen at %d, see %s", name, strings.Join(args, " "), port, f.Name())
}

// listening tells whether a UDP socket is bound to port.
func listening(port int) bool {
	text, err := os.ReadFile("/proc/net/udp")
	return err == nil && strings.Contains(string(text), fmt.Sprintf(":%04X 00000000:0000", port))
}

// stop ends the program as a service manager would and returns what it cost.
func (p *child) stop() (usage, error) {
	defer p.log.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return usage{}, err
	}
	err := p.cmd.Wait()
	s := p.cmd.ProcessState
	u := usage{cpu: s.UserTime() + s.SystemTime(), rss: maxRSS(s)}
	if err != nil {
		return u, fmt.Errorf("%s: %w, see %s", p.cmd.Path, err, p.log.Name())
	}
	return u, nil
}

// cpu is what the program has used so far, user and system apart.
func (p *child) cpu() (user, system time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	// The name in parentheses may have spaces; utime and stime are fields 14
	// and 15 in ticks of 10 ms (proc(5), USER_HZ).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %q", p.cmd.Process.Pid, text)
	}
	ticks := func(s string) time.Duration {
		n, _ := strconv.ParseInt(s, 10, 64)
		return time.Duration(n) * 10 * time.Millisecond
	}
	return ticks(fields[11]), ticks(fields[12]), nil
}

// freePort is a UDP port nobody has.
func freePort() (int, error) {
	l, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.LocalAddr().(*net.UDPAddr).Port, nil
}

// nfdumpFacts are totals `nfdump -I` prints of files.
type nfdumpFacts struct{ flows, packets, bytes, failures int64 }

var factLine = regexp.MustCompile(`(?m)^(Flows|Packets|Bytes|Sequence failures): (\d+)`)

// facts sums up all files of a directory of nfcapd's, which need not have
// ended their interval.
func facts(dir string) (f nfdumpFacts, size int64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "nfcapd.*"))
	if err != nil || len(files) == 0 {
		return f, 0, fmt.Errorf("no files of nfcapd in %s", dir)
	}
	for _, file := range files {
		st, err := os.Stat(file)
		if err != nil {
			return f, 0, err
		}
		size += st.Size()
		out, err := exec.Command("nfdump", "-I", "-r", file).CombinedOutput()
		if err != nil {
			return f, 0, fmt.Errorf("nfdump -I -r %s: %w: %s", file, err, out)
		}
		for _, m := range factLine.FindAllSubmatch(out, -1) {
			n, _ := strconv.ParseInt(string(m[2]), 10, 64)
			switch string(m[1]) {
			case "Flows":
				f.flows += n
			case "Packets":
				f.packets += n
			case "Bytes":
				f.bytes += n
			default:
				f.failures += n
			}
		}
	}
	return f, size, nil
}
