package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// transcript is an output several processes write to.
type transcript struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *transcript) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(b)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// await polls until something holds.
func await(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", limit, what)
		}
	}
}

// up starts wiresql up and returns where it records, and what asks it.
func up(t *testing.T, dir string, args ...string) (d *daemon, address string, ask func(statement string) (string, error)) {
	t.Helper()
	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Fatal("the mariadb client is not installed: make deps")
	}
	d = start(t, append([]string{"up", "--data", dir, "--netflow", "127.0.0.1:0", "--sflow=", "--listen", "127.0.0.1:0"}, args...)...)
	address = d.says(`recording udp (\S+) into`)
	port := d.says(`serving .* -P (\d+) `)
	password, err := os.ReadFile(filepath.Join(dir, "serve", "password"))
	if err != nil {
		t.Fatal(err)
	}
	return d, address, func(statement string) (string, error) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, client, "--no-defaults", "--ssl", "--skip-ssl-verify-server-cert", "-h", "127.0.0.1", "-P", port,
			"-u", "wiresql", "--batch", "--skip-column-names", "wiresql", "-e", statement)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+strings.TrimSpace(string(password)))
		out, err := cmd.Output()
		return strings.TrimSpace(string(out)), err
	}
}

// children are the processes whose parent is pid, by the command they run.
func children(t *testing.T, pid int) map[string]int {
	t.Helper()
	found := map[string]int{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		line, err2 := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if err != nil || err2 != nil {
			continue // it has ended
		}
		var state string
		var parent int
		// The name before them may hold anything, parentheses too.
		if _, err := fmt.Sscan(string(stat[bytes.LastIndexByte(stat, ')')+1:]), &state, &parent); err != nil {
			t.Fatal(err)
		}
		if words := strings.Split(string(line), "\x00"); parent == pid && len(words) > 1 {
			found[words[1]], err = strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// alive tells whether a process runs; one that ended and was not waited for,
// because its parent was killed, does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state := strings.TrimSpace(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	return !strings.HasPrefix(state, "Z")
}

// TestUp: one command, a real exporter, a real client; and what dies is
// started again.
func TestUp(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	dir := t.TempDir()
	d, address, ask := up(t, dir)
	if n := strings.Count(d.out.String(), ", password "); n != 1 {
		t.Errorf("the password is on the terminal %d times:\n%s", n, d.out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "softflowd", "-d", "-a", "-r", "testdata/captures/office-morning.pcap", "-n", address, "-v", "10", "-b",
		"-p", filepath.Join(t.TempDir(), "pid"), "-c", "none").CombinedOutput() // it may wait for ever at a control socket
	if err != nil {
		t.Fatalf("softflowd (make deps): %v: %s", err, out)
	}
	exported := time.Now()
	var answer string
	await(t, 20*time.Second, "the flows", func() bool {
		answer, err = ask("SELECT observer, COUNT(*) > 100, SUM(total_bytes) > 100000 FROM flows WHERE source_type = 'ipfix' GROUP BY observer")
		return err == nil && answer != ""
	})
	visible := time.Since(exported)
	t.Logf("visible %v after the export", visible.Round(time.Millisecond))
	// Two seconds are promised; a machine that runs all tests at once may
	// take its time.
	if visible > 10*time.Second {
		t.Errorf("visible %v after the export", visible)
	}
	if answer != "127.0.0.1\t1\t1" {
		t.Errorf("the flows: %q", answer)
	}
	await(t, 20*time.Second, "the account of the socket", func() bool {
		answer, err := ask("SELECT SUM(decoded) = SUM(sent), SUM(sent) > 0 FROM ops.sockets")
		return err == nil && answer == "1\t1"
	})

	was := children(t, d.cmd.Process.Pid)
	for _, name := range []string{"record", "compact", "serve"} {
		if was[name] == 0 {
			t.Fatalf("no process %s: %v", name, was)
		}
		if err := syscall.Kill(was[name], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"record", "compact", "serve"} {
		d.says(name + ` died after \S+ \(signal: killed\); starting it again in 1s`)
		d.says(name + ` started again, process (\d+)`)
	}
	if code := d.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d:\n%s", code, d.out)
	}
}

// TestUpDiesWhole: nothing is left when up is killed.
func TestUpDiesWhole(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux ends children with their parent")
	}
	d, _, _ := up(t, t.TempDir())
	was := children(t, d.cmd.Process.Pid)
	if len(was) != 3 {
		t.Fatalf("children: %v", was)
	}
	d.stop(syscall.SIGKILL)
	await(t, 20*time.Second, "its children to end", func() bool {
		for _, pid := range was {
			if alive(pid) {
				return false
			}
		}
		return true
	})
}

// TestUpWithATakenPort ends at once, with the reason.
func TestUpWithATakenPort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	d := start(t, "up", "--data", t.TempDir(), "--netflow", "127.0.0.1:0", "--sflow=", "--listen", taken.Addr().String())
	d.says("bind: address already in use")
	d.says("serve cannot start as configured; giving up")
	select {
	case <-d.end:
	case <-time.After(40 * time.Second):
		t.Fatalf("it goes on:\n%s", d.out)
	}
	if code := d.cmd.ProcessState.ExitCode(); code != exitConfiguration {
		t.Errorf("exit code %d:\n%s", code, d.out)
	}
}

func script(name, script string) process {
	return process{name: name, command: []string{"/bin/sh", "-c", script}}
}

// supervise runs processes and returns their transcript, what stops them, and
// what waits for the exit code.
func supervise(processes ...process) (log *transcript, stop func(), code func() int) {
	log = &transcript{}
	s := supervisor{processes: processes, stdout: log, stderr: log,
		least: 20 * time.Millisecond, most: 80 * time.Millisecond, settled: time.Hour, patience: 300 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- s.run(ctx) }()
	return log, cancel, func() int { return <-done }
}

const (
	obedient = "trap 'kill $!; exit 0' TERM; sleep 100 & wait"
	stubborn = "trap '' TERM; while :; do sleep 0.05; done"
)

func TestSupervisorStartsAgain(t *testing.T) {
	count := filepath.Join(t.TempDir(), "count")
	// Dies five times, by exit codes and by a signal, the sixth time it stays.
	dying := script("fickle", `echo x >> `+count+`; n=$(wc -l < `+count+`); echo start $n
		[ $n = 2 ] && exit 2; [ $n = 3 ] && kill -9 $$; [ $n -lt 6 ] && exit 7; `+obedient)
	log, stop, code := supervise(dying, script("steady", "echo steady; "+obedient))
	await(t, 10*time.Second, "the sixth start", func() bool { return strings.Contains(log.String(), "start 6") })
	stop()
	if c := code(); c != 0 {
		t.Errorf("exit code %d", c)
	}
	text := log.String()
	for _, want := range []string{"(exit status 7); starting it again in 20ms", "(exit status 2); starting it again in 40ms",
		"(signal: killed); starting it again in 80ms", "(exit status 7); starting it again in 80ms", "fickle started again, process "} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing said %q:\n%s", want, text)
		}
	}
	if strings.Count(text, "steady\n") != 1 || strings.Contains(text, "steady died") {
		t.Errorf("the other process did not just run:\n%s", text)
	}
}

func TestSupervisorBackOffStartsAnew(t *testing.T) {
	log := &transcript{}
	s := supervisor{processes: []process{script("lasting", "sleep 0.05; exit 1")}, stdout: log, stderr: log,
		least: time.Millisecond, most: time.Hour, settled: 40 * time.Millisecond, patience: time.Second}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- s.run(ctx) }()
	await(t, 10*time.Second, "the fourth death", func() bool { return strings.Count(log.String(), "starting it again in 1ms") >= 4 })
	stop()
	<-done
}

// TestSupervisorGivesUp when a process can't start as configured: waiting
// would not help, and the others would hide it.
func TestSupervisorGivesUp(t *testing.T) {
	log, _, code := supervise(script("wrong", "echo port taken >&2; exit 2"), script("steady", obedient))
	if c := code(); c != exitConfiguration {
		t.Errorf("exit code %d: %s", c, log)
	}
	if text := log.String(); !strings.Contains(text, "port taken") || !strings.Contains(text, "wrong cannot start as configured") {
		t.Errorf("said %q", text)
	}
}

func TestSupervisorKillsTheStubborn(t *testing.T) {
	log, stop, code := supervise(script("stubborn", "echo ready; "+stubborn), script("steady", obedient))
	await(t, 10*time.Second, "the start", func() bool { return strings.Contains(log.String(), "ready") })
	began := time.Now()
	stop()
	if c := code(); c != 1 || !strings.Contains(log.String(), "stubborn did not end well: signal: killed") {
		t.Errorf("exit code %d: %s", c, log)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
}

// TestFlagsFor: each process gets the flags that are for it, as they were
// meant.
func TestFlagsFor(t *testing.T) {
	flags := newFlagSet("up", upCommand())
	if err := flags.Parse([]string{"--data", "d", "--listen=127.0.0.1:1", "--netflow", "127.0.0.1:2", "--netflow=127.0.0.1:3", "--sflow=",
		"--exporters", `10.0.0.0/8,"name=the ""old"" one, mostly",sampling=10`}); err != nil {
		t.Fatal(err)
	}
	given, err := loadConfig(flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{flags: flags}
	for name, want := range map[string][]string{
		"record":  {"--data=d", "--netflow=127.0.0.1:2,127.0.0.1:3", "--sflow=", `--exporters=10.0.0.0/8,"name=the ""old"" one, mostly",sampling=10`},
		"compact": {"--data=d"},
		"serve":   {"--data=d", "--listen=127.0.0.1:1"},
	} {
		got := p.flagsFor(name)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
		flags := newFlagSet(name, commands()[name])
		if err := flags.Parse(got); err != nil {
			t.Error(err)
			continue
		}
		c, err := loadConfig(flags, nil)
		if err != nil {
			t.Error(err)
		}
		if name == "record" && !reflect.DeepEqual(c.Collector, given.Collector) {
			t.Errorf("record is configured\n%+v, up was\n%+v", c.Collector, given.Collector)
		}
	}
}

// TestSettingsHaveNamesOfTheirOwn: a flag is named without its section where
// no other has one of that name, and never as one that a command uses for
// something else.
func TestSettingsHaveNamesOfTheirOwn(t *testing.T) {
	c := DefaultConfig()
	taken := map[string]string{}
	for _, s := range settings(&c) {
		taken[s.flag] = s.key
	}
	for name, cmd := range commands() {
		bare := newFlagSet(name, &command{flags: cmd.flags})
		if cmd.flags == nil {
			continue
		}
		for flag, key := range taken {
			if name == "import" && key == "capture.cutoff" {
				continue // it is that setting, the only one of capture that holds for captures
			}
			if strings.Contains(key, ".") && bare.Lookup(flag) != nil {
				t.Errorf("wiresql %s has a flag --%s, which is the setting %s", name, flag, key)
			}
		}
	}
	type section struct {
		Workers int `key:"workers"`
		Listen  int `key:"listen"`
	}
	var two struct {
		One   section `key:"one"`
		Other struct {
			Workers int `key:"workers"`
		} `key:"other"`
	}
	var flags []string
	for _, s := range leaves(reflect.ValueOf(&two).Elem()) {
		flags = append(flags, s.flag)
	}
	if want := []string{"one.workers", "listen", "other.workers"}; !slices.Equal(flags, want) {
		t.Errorf("flags %q, want %q", flags, want)
	}
}
