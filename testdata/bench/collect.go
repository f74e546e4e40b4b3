package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// collector measures the collector beside nfcapd, nfdump and goflow2 with the
// datagrams of testdata/exporter, sent to 127.0.0.1 only. A part that gives a
// wrong answer fails the run when all others are done.
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
	var wrong []error
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"receive", c.receive},
		{"burst", c.burst},
		{"decode", c.decode},
		{"storage", c.storage},
		{"queries", c.questions},
		{"keep", c.keep},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		if err := p.run(); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			log.Print(err)
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

// collect is the bench of these measurements.
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

	stored int64 // flows the receiver has
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
	cmd   *exec.Cmd
	log   *os.File
	start cost // until it listened
}

// listen starts a program and waits until it has a UDP socket at port.
func (c *collect) listen(port int, name string, args ...string) (*child, error) {
	p, err := c.start(filepath.Base(name), name, args...)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if listening(port) {
			p.start, err = used(p.cmd.Process.Pid)
			return p, err
		}
	}
	_, err = p.stop()
	return nil, fmt.Errorf("%s %s does not listen at %d, see %s (%v)", name, strings.Join(args, " "), port, p.log.Name(), err)
}

// start starts a program that logs to a file.
func (c *collect) start(what, name string, args ...string) (*child, error) {
	f, err := os.Create(filepath.Join(c.dir, what+".log"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		f.Close()
		return nil, err
	}
	return &child{cmd: cmd, log: f}, nil
}

// listening tells whether a UDP socket is bound to port.
func listening(port int) bool {
	text, err := os.ReadFile("/proc/net/udp")
	return err == nil && strings.Contains(string(text), fmt.Sprintf(":%04X 00000000:0000", port))
}

// stop ends the program as a service manager would and returns what it cost
// since it listened: a daemon starts once.
func (p *child) stop() (cost, error) {
	defer p.log.Close()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return cost{}, err
	}
	err := p.cmd.Wait()
	s := p.cmd.ProcessState
	u := cost{user: s.UserTime() - p.start.user, system: s.SystemTime() - p.start.system, rss: maxRSS(s)}
	if err != nil {
		return u, fmt.Errorf("%s: %w, see %s", p.cmd.Path, err, p.log.Name())
	}
	return u, nil
}

// cost is the CPU time and memory of a program.
type cost struct {
	user, system time.Duration
	rss          int64 // bytes
}

func (u cost) cpu() time.Duration { return u.user + u.system }

func (u cost) String() string {
	return fmt.Sprintf("%.2f s user, %.2f s system, %d MB", u.user.Seconds(), u.system.Seconds(), u.rss>>20)
}

// used is what a running process has used so far.
func used(pid int) (u cost, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	// The name in parentheses may have spaces; utime and stime are fields 14
	// and 15, in ticks of 10 ms (proc(5), USER_HZ).
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return u, fmt.Errorf("/proc/%d/stat: %q", pid, text)
	}
	for i, into := range []*time.Duration{&u.user, &u.system} {
		n, err := strconv.ParseInt(fields[11+i], 10, 64)
		if err != nil {
			return u, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		*into = time.Duration(n) * 10 * time.Millisecond
	}
	return u, nil
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

// emptied makes dir an empty directory.
func emptied(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o755)
}

// ask asks `wiresql query` for one row of numbers.
func (c *collect) numbers(archive, statement string) ([]int64, error) {
	var complaint bytes.Buffer
	cmd := exec.Command(c.wiresql, "query", "--data", archive, "--format", "csv", statement)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("query %s: %w: %s", statement, err, complaint.String())
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != 2 {
		return nil, fmt.Errorf("query %s: %q", statement, out)
	}
	var values []int64
	for _, text := range strings.Split(lines[1], ",") {
		n := 0.0
		if text != "" {
			if n, err = strconv.ParseFloat(text, 64); err != nil {
				return nil, fmt.Errorf("query %s: %w", statement, err)
			}
		}
		values = append(values, int64(n))
	}
	return values, nil
}
