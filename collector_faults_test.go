//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// A sender of harm from twenty thousand addresses - floods of templates, data
// without any, lies and noise - costs an exporter beside it nothing, invents
// no flow, and makes the recorder grow to a bound and no further.
func TestHostileSender(t *testing.T) {
	const (
		seconds     = 6
		goodRate    = 100  // datagrams a second, of 20 flows
		badRate     = 4000 // datagrams a second
		addresses   = 20_000
		memoryBound = 512 << 20
	)
	dir := t.TempDir()
	recorder, address := record(t, dir, "127.0.0.1:0")
	to := netip.MustParseAddrPort(address)
	good, made := generated(datagrams.NetFlow9, 20*goodRate*seconds, time.Now())

	// The harm, all made before.
	h := datagrams.NewHostile(1)
	var harm [][]byte
	for range badRate * seconds {
		harm = append(harm, h.Datagram(nil, time.Now().UnixMicro()))
	}
	done := make(chan error, 1)
	go func() {
		s, err := datagrams.Dial(netip.MustParseAddrPort("0.0.0.0:0"), to)
		if err != nil {
			done <- err
			return
		}
		defer s.Close()
		_, err = datagrams.Paced(len(harm), badRate, func(from, to int) error {
			for i := from; i < to; i++ {
				n := i % addresses
				if err := s.SendFrom(netip.AddrFrom4([4]byte{127, 7, byte(n >> 8), byte(n)}), harm[i]); err != nil {
					return err
				}
			}
			return nil
		})
		done <- err
	}()
	s, err := datagrams.Dial(netip.MustParseAddrPort("127.0.0.31:0"), to)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	half := int64(0)
	_, err = datagrams.Paced(len(good), goodRate, func(from, to int) error {
		if half == 0 && from > len(good)/2 {
			half = memory(t, recorder, "VmRSS")
		}
		return s.Send(good[from:to]...)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	drained(t, int(to.Port()))
	end, peak := memory(t, recorder, "VmRSS"), memory(t, recorder, "VmHWM")
	recorder.ends(t)

	t.Logf("resident: %d MB after half the harm, %d MB after all, %d MB at most", half>>20, end>>20, peak>>20)
	if peak > memoryBound {
		t.Errorf("%d MB of memory", peak>>20)
	}
	got := numbersOf(t, dir, "SELECT COUNT(*), SUM(packets), SUM(bytes) FROM flows WHERE observer = '127.0.0.31'")
	if want := [3]int64{made.Flows, int64(made.Packets), int64(made.Bytes)}; [3]int64(got) != want {
		t.Errorf("of the good exporter: %v flows, packets and bytes, want %v", got, want)
	}
	if rows := sqlOf(t, dir, "SELECT observer, source_type, COUNT(*) FROM flows WHERE observer <> '127.0.0.31' GROUP BY observer, source_type"); len(rows) > 0 {
		t.Errorf("flows nobody had: %v", rows)
	}
	account := numbersOf(t, dir, "SELECT SUM(sent), SUM(decoded + undecodable + waited + refused + queue_drops + kernel_drops), SUM(kernel_drops), SUM(refused) FROM ops.sockets")
	if sent := int64(len(good) + len(harm)); account[0] != sent || account[1] != sent || account[2] != 0 {
		t.Errorf("sent, accounted and dropped by the kernel: %v of %d", account[:3], sent)
	}
	if account[3] == 0 {
		t.Error("twenty thousand addresses were all taken for exporters")
	}
}

// memory is a line of /proc/PID/status, in bytes.
func memory(t *testing.T, s *daemon, name string) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return number(t, strings.TrimSuffix(strings.TrimSpace(value), " kB")) << 10
		}
	}
	t.Fatalf("no %s in %s", name, text)
	return 0
}
