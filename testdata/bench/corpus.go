package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// corpus is a generated capture and the archive made from it.
type corpus struct {
	name    string
	pcap    string
	archive string
	bytes   int64
	needle  needle
}

// needle is the connection the generator hides and tells of.
type needle struct {
	Client     string `json:"client"`
	ClientPort int    `json:"client_port"`
	Server     string `json:"server"`
	ServerPort int    `json:"server_port"`
	Packets    int    `json:"packets"`
}

// filter is the needle in tcpdump's language; tagged packets need it twice.
func (n needle) filter() string {
	f := fmt.Sprintf("tcp and host %s and host %s and port %d and port %d", n.Client, n.Server, n.ClientPort, n.ServerPort)
	return fmt.Sprintf("(%s) or (vlan and %s)", f, f)
}

// where is the needle in SQL.
func (n needle) where() string {
	return fmt.Sprintf("c.client_ip = '%s' AND c.client_port = %d AND c.server_ip = '%s' AND c.server_port = %d AND c.protocol = 'tcp'",
		n.Client, n.ClientPort, n.Server, n.ServerPort)
}

func (b *bench) corpus(name string, size int64, flows int) (*corpus, error) {
	c := &corpus{name: name, pcap: filepath.Join(b.dir, name+".pcap"), archive: filepath.Join(b.dir, name+".archive")}
	side := c.pcap + ".json"
	if _, err := os.Stat(side); err != nil {
		args := []string{"run", "./testdata/generate", "-o", c.pcap, "-seed", "1"}
		if flows > 0 {
			args = append(args, "-small", "-flows", strconv.Itoa(flows))
		} else {
			args = append(args, "-bytes", strconv.FormatInt(size, 10))
		}
		log.Printf("generate %s", c.pcap)
		cmd := exec.Command("go", args...)
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("generate %s: %w: %s", c.pcap, err, said.String())
		}
		if err := os.WriteFile(side, said.Bytes(), 0o644); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(side)
	if err != nil {
		return nil, err
	}
	var made struct{ Needle needle }
	if err := json.Unmarshal(text, &made); err != nil {
		return nil, fmt.Errorf("%s: %w", side, err)
	}
	c.needle = made.Needle
	st, err := os.Stat(c.pcap)
	if err != nil {
		return nil, err
	}
	c.bytes = st.Size()
	return c, nil
}

// usage is what a command cost.
type usage struct {
	wall, cpu time.Duration
	rss       int64 // bytes
}

func timed(name string, args ...string) (usage, error) {
	cmd := exec.Command(name, args...)
	var errText strings.Builder
	cmd.Stderr = &errText
	start := time.Now()
	err := cmd.Run()
	u := usage{wall: time.Since(start)}
	if err != nil {
		return u, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, errText.String())
	}
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	u.rss = maxRSS(cmd.ProcessState)
	return u, nil
}

func maxRSS(p *os.ProcessState) int64 {
	if u, ok := p.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss << 10
	}
	return 0
}

func (b *bench) importArgs(c *corpus) []string {
	return []string{"import", "--data", c.archive, "--no-sync", c.pcap}
}

// importing measures import by copy against tcpdump copying the same file, in
// turns. Neither syncs to disk.
func (b *bench) importing(c *corpus) error {
	u, t, err := b.besideTcpdump(c)
	if err != nil {
		return err
	}
	b.add("import by copy with index and merge, CPU", fmt.Sprintf("%.1f s, %d MB RSS", u.cpu.Seconds(), u.rss>>20),
		fmt.Sprintf("tcpdump -r -w %.1f s", t.cpu.Seconds()), t.ratio(u), "≤ 1.3x, RSS ≤ 1 GB")
	return nil
}

// manyFlows measures the import of a capture of small flows, whose rows cost more
// than its packets.
func (b *bench) manyFlows(c *corpus) error {
	u, t, err := b.besideTcpdump(c)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("import of %d small flows, CPU", manyFlows), fmt.Sprintf("%.1f s, %.1f µs a flow", u.cpu.Seconds(), float64(u.cpu.Microseconds())/manyFlows),
		fmt.Sprintf("tcpdump -r -w %.1f s", t.cpu.Seconds()), t.ratio(u), "≤ 3x, ≤ 8 µs")
	b.rows = append(b.rows, row{"the same, clock beside CPU", fmt.Sprintf("%.1f s", u.wall.Seconds()), fmt.Sprintf("CPU %.1f s", u.cpu.Seconds()),
		fmt.Sprintf("%.2fx", u.wall.Seconds()/u.cpu.Seconds()), "≤ 0.6x"})
	return nil
}

// manyFlows are as many as the capture of small flows has.
const manyFlows = 1_000_000

// ratio is the other's CPU in terms of u's.
func (u usage) ratio(other usage) float64 { return other.cpu.Seconds() / u.cpu.Seconds() }

// besideTcpdump imports a capture and has tcpdump copy it, some times in turns;
// it returns the medians, and the most memory.
func (b *bench) besideTcpdump(c *corpus) (ours, peer usage, err error) {
	var cpu, wall, copying []time.Duration
	copied := filepath.Join(b.dir, "copy.pcap")
	defer os.Remove(copied)
	for range b.runs {
		if err := os.RemoveAll(c.archive); err != nil {
			return ours, peer, err
		}
		u, err := timed(b.wiresql, b.importArgs(c)...)
		if err != nil {
			return ours, peer, err
		}
		os.Remove(copied)
		t, err := timed("tcpdump", "-r", c.pcap, "-w", copied)
		if err != nil {
			return ours, peer, err
		}
		log.Printf("import: wiresql %v cpu, %v wall, %d MB; tcpdump copy %v cpu, %v wall", u.cpu, u.wall, u.rss>>20, t.cpu, t.wall)
		cpu, wall, copying = append(cpu, u.cpu), append(wall, u.wall), append(copying, t.cpu)
		ours.rss = max(ours.rss, u.rss)
	}
	ours.cpu, ours.wall, peer.cpu = median(cpu), median(wall), median(copying)
	return ours, peer, nil
}

func (b *bench) ensureArchive(c *corpus) error {
	if _, err := os.Stat(c.archive); err == nil {
		return nil
	}
	log.Printf("import %s", c.pcap)
	u, err := timed(b.wiresql, b.importArgs(c)...)
	log.Printf("import %s: %v wall, %v cpu, %d MB", c.name, u.wall, u.cpu, u.rss>>20)
	return err
}

// size compares the rows that index packets with the packets.
func (b *bench) size(c *corpus) error {
	var index int64
	for _, family := range []string{"flows", "connections", "other"} {
		err := filepath.WalkDir(filepath.Join(c.archive, family), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.Contains(path, ".parquet") {
				return err
			}
			info, err := d.Info()
			if err == nil {
				index += info.Size()
			}
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	b.rows = append(b.rows, row{"flows + connections + other, bytes of the capture",
		fmt.Sprintf("%.1f MB", float64(index)/1e6), fmt.Sprintf("pcap %.0f MB", float64(c.bytes)/1e6),
		fmt.Sprintf("%.2f %%", 100*float64(index)/float64(c.bytes)), "≤ 0.8 %"})
	return nil
}

// forget drops the files below path from the page cache.
func forget(path string) error {
	unix.Sync()
	return filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	})
}

func median(d []time.Duration) time.Duration {
	s := append([]time.Duration(nil), d...)
	sort.Slice(s, func(i, j int) bool { return s[i] < s[j] })
	return s[len(s)/2]
}

func machine() string {
	model := "unknown CPU"
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for _, line := range strings.Split(string(text), "\n") {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, %s, %s", runtime.NumCPU(), model, runtime.Version(), time.Now().Format("2006-01-02"))
}
