package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// network runs something in a network namespace of its own, by running this program
// again: there are two interfaces, left and right, of which what one sends the other
// receives.
func (b *bench) network(fn func() error) error {
	const inside = "BENCH_NETWORK"
	if os.Getenv(inside) == "" {
		if os.Getuid() != 0 {
			return errors.New("interfaces are made by root")
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd := exec.Command(self, os.Args[1:]...)
		cmd.Env = append(os.Environ(), inside+"=1")
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		return cmd.Run()
	}
	script := `for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done
		ip link set lo up; ip link add left type veth peer name right; ip link set left up; ip link set right up; sleep 1`
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	return fn()
}

// capture measures capturing beside tcpdump, netsniff-ng and stenotype. Each recorder
// runs alone, over the same packets at the same rates; one that is not installed is
// left out.
func (b *bench) capture(only string) error {
	frames := mixedFrames(20_000)
	switch only {
	case "":
	case "soon":
		return b.soon(frames)
	case "retrieve":
		return b.retrieve(frames)
	default:
		return fmt.Errorf("no part %q of capturing: soon, retrieve", only)
	}
	const most = 600_000 // packets at a rate: what recorders write fits a small disk
	fmt.Println("| packets/s sent | recorder | dropped | CPU a packet, µs (user + system) | to tcpdump | index, bytes a packet |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, rate := range []int{50_000, 100_000, 200_000, 400_000} {
		reference := 0.0
		for _, r := range b.recorders() {
			long := min(5*time.Second, time.Duration(float64(most)/float64(rate)*1e9))
			got, err := b.record(r, frames, rate, long)
			if err != nil {
				log.Printf("%s: %v", r.name, err)
				continue
			}
			if r.name == "tcpdump -w" {
				reference = got.cost
			}
			fmt.Printf("| %d | %s | %d | %.2f | %.2f | %.1f |\n", int(float64(got.sent)/long.Seconds()), r.name, got.dropped, got.cost, got.cost/reference,
				float64(got.index)/float64(got.sent))
		}
	}
	return errors.Join(b.soon(frames), b.retrieve(frames))
}

// recorder is one of those that are compared: its command, what it dropped, by what
// it says, and the bytes it wrote to find packets by, if any.
type recorder struct {
	name    string
	command []string
	dropped func(said string) (int64, error)
	index   func() (int64, error)
}

// account is what a recorder did: packets, µs of CPU a packet, and bytes.
type account struct {
	sent, dropped, index int64
	cost                 float64
}

func (b *bench) recorders() []recorder {
	dir := filepath.Join(b.dir, "captured")
	last := func(pattern string) func(string) (int64, error) {
		re := regexp.MustCompile(pattern)
		return func(said string) (int64, error) {
			m := re.FindAllStringSubmatch(said, -1)
			if m == nil {
				return 0, fmt.Errorf("it does not say what it dropped: %s", said)
			}
			return strconv.ParseInt(m[len(m)-1][1], 10, 64)
		}
	}
	none := func() (int64, error) { return 0, nil }
	return []recorder{
		{"tcpdump -w", []string{"tcpdump", "-i", "left", "-B", "65536", "-Z", "root", "-w", filepath.Join(dir, "tcpdump.pcap")}, last(`(\d+) packets? dropped by kernel`), none},
		{"netsniff-ng", []string{"netsniff-ng", "--in", "left", "--out", filepath.Join(dir, "netsniff.pcap"), "--silent", "--ring-size", "64MiB"},
			last(`\s(\d+)\s+packets? (?:drop|failed filter \(out)`), none},
		{"stenotype", []string{"stenotype", "--iface=left", "--dir=" + dir, "--blocks=64", "--aiops=32", "--uid=nobody", "--gid=nogroup", "--seccomp=none", "--stats_sec=1", "-v"},
			last(` drops=(\d+) `), func() (int64, error) { return bytesBelow(filepath.Join(dir, "IDX0"), "") }},
		b.ours("wiresql", "left"), b.ours("wiresql, two workers", "left workers=2"),
	}
}

// ours is wiresql as a recorder. All rows, once they are merged, are its index.
func (b *bench) ours(name, capture string) recorder {
	dir := filepath.Join(b.dir, "captured", "archive")
	return recorder{name, []string{b.wiresql, "record", "--data", dir, "--netflow=", "--sflow=", "--capture", capture, "--packets-share", "0", "--disk-free", "0"},
		func(string) (int64, error) {
			out, err := exec.Command(b.wiresql, "query", "--data", dir, "--format", "csv", "SELECT COALESCE(SUM(drops), 0) FROM ops.coverage").Output()
			if err != nil {
				return 0, err
			}
			lines := strings.Fields(string(out))
			return strconv.ParseInt(lines[len(lines)-1], 10, 64)
		}, func() (int64, error) {
			if out, err := exec.Command(b.wiresql, "compact", "--data", dir, "--once", "--packets-share", "0", "--disk-free", "0").CombinedOutput(); err != nil {
				return 0, fmt.Errorf("%w: %s", err, out)
			}
			return bytesBelow(dir, "packets")
		}}
}

// bytesBelow adds up the files below a directory, but those of one folder in it.
func bytesBelow(dir, but string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && but != "" && path == filepath.Join(dir, but):
			return filepath.SkipDir
		case e.IsDir():
			return nil
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	return n, err
}

// record runs a recorder while frames are sent.
func (b *bench) record(r recorder, frames [][]byte, rate int, long time.Duration) (got account, err error) {
	dir := filepath.Join(b.dir, "captured")
	if err := os.RemoveAll(dir); err != nil {
		return got, err
	}
	for _, folder := range []string{dir, filepath.Join(dir, "PKT0"), filepath.Join(dir, "IDX0")} { // stenotype makes none, and is nobody
		if err := errors.Join(os.MkdirAll(folder, 0o777), os.Chmod(folder, 0o777)); err != nil {
			return got, err
		}
	}
	defer os.RemoveAll(dir)
	var said bytes.Buffer
	cmd := exec.Command(r.command[0], r.command[1:]...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return got, err
	}
	time.Sleep(2 * time.Second)
	before, err := consumed(cmd.Process.Pid)
	if err != nil {
		return got, err
	}
	if got.sent, err = transmit("right", frames, rate, long); err != nil {
		return got, err
	}
	time.Sleep(2 * time.Second)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return got, err
	}
	if err := cmd.Wait(); err != nil {
		return got, fmt.Errorf("%w: %s", err, said.String())
	}
	u := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	got.cost = float64(time.Duration(u.Utime.Nano()+u.Stime.Nano())-before) / 1000 / float64(got.sent)
	if got.dropped, err = r.dropped(said.String()); err != nil {
		return got, err
	}
	got.index, err = r.index()
	return got, err
}

// consumed is the CPU time a process took so far.
func consumed(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return 0, err
	}
	system, err := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, err
}

// up records what comes to the left interface and serves it: client is the command that
// asks a statement.
func (b *bench) up(dir string) (client func(statement string) *exec.Cmd, stop func(), err error) {
	up := exec.Command(b.wiresql, "up", "--data", dir, "--netflow=", "--sflow=", "--capture", "left", "--listen", "127.0.0.1:33061", "--packets-share", "0", "--disk-free", "0")
	up.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := up.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() {
		_ = up.Process.Signal(os.Interrupt)
		_ = up.Wait()
	}
	client = func(statement string) *exec.Cmd {
		password, _ := os.ReadFile(filepath.Join(dir, "serve", "password"))
		cmd := exec.Command("mariadb", "--no-defaults", "--ssl", "--skip-ssl-verify-server-cert", "-h", "127.0.0.1", "-P", "33061", "-u", "wiresql",
			"-N", "-B", "--raw", "wiresql", "-e", statement)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+strings.TrimSpace(string(password)))
		return cmd
	}
	for began := time.Now(); client("SELECT 1").Run() != nil; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			stop()
			return nil, nil, errors.New("the server does not answer")
		}
	}
	return client, stop, nil
}

// soon measures how long it takes until SQL finds a packet that is sent beside
// others.
func (b *bench) soon(frames [][]byte) error {
	dir := filepath.Join(b.dir, "captured")
	defer os.RemoveAll(dir)
	client, stop, err := b.up(dir)
	if err != nil {
		return err
	}
	defer stop()
	ask := func(statement string) string {
		out, _ := client(statement).Output()
		return strings.TrimSpace(string(out))
	}
	// The server may answer before the recorder listens.
	for began := time.Now(); ask("SELECT COUNT(*) > 0 FROM packets") != "1"; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			return errors.New("nothing is recorded")
		}
		if _, err := transmit("right", frames[1:2], 1, 0); err != nil {
			return err
		}
	}
	var took []time.Duration
	for n := range 100 {
		if n%2 == 1 { // beside much, and alone
			if _, err := transmit("right", frames, 20_000, 300*time.Millisecond); err != nil {
				return err
			}
		}
		marked := slices.Clone(frames[0])
		port := uint16(50_000 + n)
		binary.BigEndian.PutUint16(marked[34:], port)
		if _, err := transmit("right", [][]byte{marked}, 1, 0); err != nil {
			return err
		}
		sent := time.Now()
		for ask(fmt.Sprintf("SELECT COUNT(*) FROM packets WHERE src_port = %d AND ts > NOW() - INTERVAL 1 MINUTE", port)) == "0" {
			if time.Since(sent) > 30*time.Second {
				return errors.New("a packet is not found in 30 seconds")
			}
		}
		took = append(took, time.Since(sent))
	}
	slices.Sort(took)
	fmt.Printf("\nA packet is found by SQL after %v (median of %d), %v (99 of 100), %v at most.\n", took[50].Round(time.Millisecond), len(took),
		took[98].Round(time.Millisecond), took[99].Round(time.Millisecond))
	return nil
}

// mixedFrames are TCP and UDP packets of 1,000 conversations, of 620 bytes on average.
func mixedFrames(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		size := []int{64, 64, 576, 1460, 940}[i%5]
		conversation := uint32(i*7919) % 1000
		proto, header := byte(6), 20
		if conversation%4 == 0 {
			proto, header = 17, 8
		}
		b := make([]byte, 14+20+header+size-54)
		copy(b, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45})
		binary.BigEndian.PutUint16(b[16:], uint16(len(b)-14))
		b[22], b[23] = 64, proto
		binary.BigEndian.PutUint32(b[26:], 0x0a000000+conversation)
		binary.BigEndian.PutUint32(b[30:], 0x0a640000+conversation%50)
		binary.BigEndian.PutUint16(b[34:], uint16(20_000+conversation))
		binary.BigEndian.PutUint16(b[36:], 443)
		if proto == 6 {
			binary.BigEndian.PutUint32(b[38:], uint32(i*1460))
			b[46], b[47] = 0x50, 0x10
		} else {
			binary.BigEndian.PutUint16(b[38:], uint16(len(b)-34))
		}
		out[i] = b
	}
	return out
}

// mmsghdr is what sendmmsg takes.
type mmsghdr struct {
	unix.Msghdr
	n uint32
	_ uint32
}

// transmit sends frames in turn at a rate for some time, or each of them once.
func transmit(iface string, frames [][]byte, rate int, long time.Duration) (sent int64, err error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	index, err := os.ReadFile("/proc/net/dev")
	if err != nil || !bytes.Contains(index, []byte(iface)) {
		return 0, fmt.Errorf("no interface %s", iface)
	}
	links, err := exec.Command("ip", "-j", "link", "show", iface).Output()
	if err != nil {
		return 0, err
	}
	var described []struct{ Ifindex int }
	if err := json.Unmarshal(links, &described); err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: described[0].Ifindex}); err != nil {
		return 0, err
	}
	const batch = 64
	var vectors [batch]unix.Iovec
	var messages [batch]mmsghdr
	most := int64(len(frames))
	if long > 0 {
		most = int64(float64(rate) * long.Seconds())
	}
	for began := time.Now(); sent < most; {
		due := int64(time.Since(began).Seconds()*float64(rate)) + 1
		if long == 0 {
			due = most
		}
		n := int(min(batch, due-sent, most-sent))
		if n <= 0 {
			time.Sleep(100 * time.Microsecond)
			continue
		}
		for i := range n {
			f := frames[(sent+int64(i))%int64(len(frames))]
			vectors[i].Base = &f[0]
			vectors[i].SetLen(len(f))
			messages[i].Iov, messages[i].Iovlen = &vectors[i], 1
		}
		done, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(n), 0, 0, 0)
		if e != 0 && e != unix.ENOBUFS {
			return sent, e
		}
		sent += int64(done)
		if long > 0 && time.Since(began) > 2*long {
			break // it can't be sent so fast
		}
	}
	return sent, nil
}
