// Package network gives tests a network of their own.
package network

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"syscall"
	"testing"
)

// inside is set in the program that is run again. Its name is none of a setting.
const inside = "TEST_NETWORK"

// Inside runs the test in a network namespace of its own, by running this
// program again: it has two interfaces there, left and right, of which what one
// sends the other receives. It returns false where the test has run.
func Inside(t *testing.T, programs ...string) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		os.Unsetenv(inside)
		Sh(t, `for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done # it speaks by itself
			ip link set lo up
			ip link add left type veth peer name right
			ip link set left up; ip link set right up`)
		return true
	}
	switch {
	case testing.Short():
		t.Skip("takes long")
	case os.Getuid() != 0:
		t.Skip("interfaces are made by root")
	}
	for _, program := range append(programs, "ip") {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("needs " + program)
		}
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // it is killed with the thread that started it
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	switch {
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case bytes.Contains(out, []byte("--- SKIP")):
		t.Skipf("%s", out)
	}
	t.Logf("%s", out)
	return false
}

// Sh runs a script, which must not fail.
func Sh(t *testing.T, script string) {
	t.Helper()
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}
