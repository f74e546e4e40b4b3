package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// A session that does nothing for wait_timeout is told why and closed (MySQL 8.0.24
// and later: error 4031, before anything is asked). One that waits for its own
// statement is busy. Half a command is waited for as long as net_read_timeout says.
func TestIdleSessions(t *testing.T) {
	wire, _ := serveOnly(t)
	idle, busy, half := dialRaw(t, wire, rawSSL), dialRaw(t, wire, rawSSL), dialRaw(t, wire, rawSSL)
	for c, set := range map[*rawClient]string{idle: "SET wait_timeout = 1", busy: "SET wait_timeout = 1", half: "SET wait_timeout = 100, net_read_timeout = 1"} {
		if got := c.query(set); !strings.HasPrefix(got, "OK") {
			t.Fatalf("%s: %s", set, got)
		}
	}
	if got := busy.query("SELECT SLEEP(2.5)"); !strings.Contains(got, "0") {
		t.Errorf("the busy session: %s", got)
	}
	if got := busy.query("SELECT 1"); !strings.Contains(got, "1") {
		t.Errorf("the busy session after its statement: %s", got)
	}
	idle.sequence = 0
	const want = "\xff\xbf\x0f#HY000The client was disconnected by the server because of inactivity. " +
		"See wait_timeout and interactive_timeout for configuring this behavior."
	if got := string(idle.packet()); got != want {
		t.Errorf("the idle session: %q", got)
	}
	if _, err := idle.in.ReadByte(); err != io.EOF {
		t.Errorf("after that: %v", err)
	}
	began := time.Now()
	if _, err := half.conn.Write([]byte{9, 0, 0, 0, 3, 'S'}); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(half.in); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("half a command: %v after %v", err, time.Since(began))
	}
}
