// Package leaks finds goroutines of the program that outlive its tests.
package leaks

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

const module = "github.com/wiresql/wiresql"

// patience is how long what tests started may take to end.
const patience = 10 * time.Second

// Main runs a package's tests, for its TestMain, and gives the exit code. A
// goroutine that runs code of ours, or was started by it, and is still there
// when the tests are over fails them with its stack.
func Main(m *testing.M) int {
	code := m.Run()
	left := running()
	for end := time.Now().Add(patience); len(left) > 0 && time.Now().Before(end); left = running() {
		time.Sleep(time.Millisecond) // goroutines tell nobody that they end
	}
	if len(left) > 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines outlive the tests:\n\n%s\n", len(left), strings.Join(left, "\n\n"))
		return max(code, 1)
	}
	return code
}

// running are the stacks of goroutines of ours, but for the caller's.
func running() (ours []string) {
	stacks := make([]byte, 16<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	_, others, _ := strings.Cut(string(stacks), "\n\n")
	for _, stack := range strings.Split(others, "\n\n") {
		if strings.Contains(stack, module) {
			ours = append(ours, stack)
		}
	}
	return ours
}
