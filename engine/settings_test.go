package engine

import (
	"slices"
	"strings"
	"testing"
)

// Every variable that a session can set is told of, once.
func TestSettingsAreTold(t *testing.T) {
	testEngine(t) // which registers those of our own
	told := append(sorted(obeyed), sorted(onlyValues)...)
	for _, g := range unused {
		told = append(told, strings.Fields(g.names)...)
	}
	there := settable()
	for i, name := range told {
		if slices.Contains(told[:i], name) {
			t.Errorf("%s is told of twice", name)
		}
		if !slices.Contains(there, name) {
			t.Errorf("%s can't be set", name)
		}
	}
	for _, name := range there {
		if !slices.Contains(told, name) {
			t.Errorf("nothing is told of %s", name)
		}
	}
}
