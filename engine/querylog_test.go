package engine

import (
	"strings"
	"testing"
)

func TestQueryLogIsBounded(t *testing.T) {
	var log queryLog
	for i := range maxLogged + 5 {
		log.add(entry{account: [...]string{"a", "b"}[i%2], connection: uint32(i)})
	}
	all := log.of("", true)
	if len(all) != maxLogged || all[0].connection != 5 || all[maxLogged-1].connection != maxLogged+4 {
		t.Errorf("%d statements, from %d to %d", len(all), all[0].connection, all[len(all)-1].connection)
	}
	for _, x := range log.of("b", false) {
		if x.account != "b" {
			t.Errorf("a statement of %s", x.account)
		}
	}
}

func TestLoggedText(t *testing.T) {
	for text, want := range map[string]string{
		" SELECT 1 ":                                 "SELECT 1",
		"SET PASSWORD FOR a = 'x'":                   "SET PASSWORD …",
		"ALTER USER a IDENTIFIED WITH p AS 0x1":      "ALTER USER a IDENTIFIED …",
		"SELECT passwords FROM t":                    "SELECT passwords FROM t",
		"SELECT '" + strings.Repeat("ü", 2000) + "'": "SELECT '" + strings.Repeat("ü", 496) + " …",
		"SELECT '\xff'":                              "SELECT '\uFFFD'",
	} {
		if got := loggedText(text); got != want {
			t.Errorf("%.40q: %q, want %q", text, got, want)
		}
	}
}

func TestStates(t *testing.T) {
	w := &work{stage: stagePlanning}
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() {}, "planning"},
		{func() { w.at(stageWaiting) }, "waiting for a turn"},
		{func() { w.at(stageFinding); w.wanted.Store(2374) }, "finding packets"},
		{func() { w.at(stageSending); w.packets.Store(1200) }, "fetching packets 1,200 of 2,374"},
		{func() { w.packets.Store(2374) }, "sending rows"},
	} {
		if step.do(); w.state() != step.want {
			t.Errorf("%q, want %q", w.state(), step.want)
		}
	}
}
