package main

import (
	"bytes"
	"context"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
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

func shell(name, script string) process {
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
	dying := shell("fickle", `echo x >> `+count+`; n=$(wc -l < `+count+`); echo start $n
		[ $n = 2 ] && exit 2; [ $n = 3 ] && kill -9 $$; [ $n -lt 6 ] && exit 7; `+obedient)
	log, stop, code := supervise(dying, shell("steady", "echo steady; "+obedient))
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
	s := supervisor{processes: []process{shell("lasting", "sleep 0.05; exit 1")}, stdout: log, stderr: log,
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
	log, _, code := supervise(shell("wrong", "echo port taken >&2; exit 2"), shell("steady", obedient))
	if c := code(); c != exitConfiguration {
		t.Errorf("exit code %d: %s", c, log)
	}
	if text := log.String(); !strings.Contains(text, "port taken") || !strings.Contains(text, "wrong cannot start as configured") {
		t.Errorf("said %q", text)
	}
}

func TestSupervisorKillsTheStubborn(t *testing.T) {
	log, stop, code := supervise(shell("stubborn", "echo ready; "+stubborn), shell("steady", obedient))
	await(t, 10*time.Second, "the start", func() bool { return strings.Contains(log.String(), "ready") })
	began := time.Now()
	stop()
	if c := code(); c != 1 || !strings.Contains(log.String(), "stubborn did not end well: signal: killed") {
		t.Errorf("exit code %d: %s", c, log)
	}
	if took := time.Since(began); took > 5*time.Second {
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

// TestSettingsHaveNamesOfTheirOwn: flags are named without their section, so
// that no two sections may have a setting of the same name, nor one that a
// command uses for something else.
func TestSettingsHaveNamesOfTheirOwn(t *testing.T) {
	c := DefaultConfig()
	taken := map[string]string{}
	for _, s := range settings(&c) {
		if other, twice := taken[s.flag()]; twice {
			t.Errorf("settings %s and %s have the same flag", s.key, other)
		}
		taken[s.flag()] = s.key
	}
	for name, cmd := range commands() {
		bare := newFlagSet(name, &command{flags: cmd.flags})
		if cmd.flags == nil {
			continue
		}
		for flag, key := range taken {
			if strings.Contains(key, ".") && bare.Lookup(flag) != nil {
				t.Errorf("wiresql %s has a flag --%s, which is the setting %s", name, flag, key)
			}
		}
	}
}
