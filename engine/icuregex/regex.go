// Package regex stands in for github.com/dolthub/go-icu-regex, which
// go-mysql-server imports for its REGEXP functions: that package compiles ICU
// from WebAssembly whenever a program starts, a third of a second and 20 MB that
// each of our commands would pay for functions that ours have replaced. This one
// does the same by vitess's port of ICU, which the program has anyway.
package regex

import (
	"context"
	"errors"

	"vitess.io/vitess/go/mysql/icuregex"
)

// Regex is an expression and what it is matched against. Positions and
// occurrences count from 1.
type Regex interface {
	SetRegexString(ctx context.Context, expression string, flags RegexFlags) error
	SetMatchString(ctx context.Context, text string) error
	IndexOf(ctx context.Context, start, occurrence int, endIndex bool) (int, error)
	Matches(ctx context.Context, start, occurrence int) (bool, error)
	Replace(ctx context.Context, replacement string, start, occurrence int) (string, error)
	Substring(ctx context.Context, start, occurrence int) (string, bool, error)
	StringBufferSize() uint32
	Close() error
}

// RegexFlags are ICU's.
type RegexFlags uint32

// ICU's numbers.
const (
	RegexFlags_None             RegexFlags = 0
	RegexFlags_Unix_Lines       RegexFlags = 1
	RegexFlags_Case_Insensitive RegexFlags = 2
	RegexFlags_Multiline        RegexFlags = 8
	RegexFlags_Dot_All          RegexFlags = 32
)

var errUnset = errors.New("an expression and a text are needed first")

// CreateRegex makes a Regex; its buffer is of no use here.
func CreateRegex(uint32) Regex { return &matching{} }

// SetRegexLeakHandler has nothing to handle: nothing here must be closed.
func SetRegexLeakHandler(func()) {}

type matching struct {
	pattern *icuregex.Pattern
	text    []rune
	set     bool
}

func (m *matching) SetRegexString(_ context.Context, expression string, flags RegexFlags) (err error) {
	m.pattern, err = icuregex.CompileString(expression, icuregex.RegexpFlag(flags))
	return err
}

func (m *matching) SetMatchString(_ context.Context, text string) error {
	m.text, m.set = []rune(text), true
	return nil
}

// find returns the bounds of an occurrence at or behind a place counted from 0.
func (m *matching) find(start, occurrence int) (from, to int, ok bool, err error) {
	if m.pattern == nil || !m.set {
		return 0, 0, false, errUnset
	}
	if start < 0 || start > len(m.text) {
		return 0, 0, false, nil
	}
	matcher := icuregex.NewMatcher(m.pattern)
	matcher.Reset(m.text[start:])
	for range max(occurrence, 1) {
		if ok, err = matcher.Find(); err != nil || !ok {
			return 0, 0, false, err
		}
	}
	return start + matcher.Start(), start + matcher.End(), true, nil
}

func (m *matching) IndexOf(_ context.Context, start, occurrence int, endIndex bool) (int, error) {
	from, to, ok, err := m.find(start-1, occurrence)
	switch {
	case err != nil || !ok:
		return 0, err
	case endIndex:
		return to + 1, nil
	}
	return from + 1, nil
}

func (m *matching) Matches(_ context.Context, start, occurrence int) (bool, error) {
	_, _, ok, err := m.find(start, occurrence)
	return ok, err
}

// Replace replaces one occurrence, or with 0 all of them.
func (m *matching) Replace(_ context.Context, replacement string, start, occurrence int) (string, error) {
	if m.pattern == nil || !m.set {
		return "", errUnset
	}
	at := min(max(start-1, 0), len(m.text))
	matcher := icuregex.NewMatcher(m.pattern)
	matcher.Reset(m.text[at:])
	out, done := append([]rune(nil), m.text[:at]...), at
	for n := 1; ; n++ {
		ok, err := matcher.Find()
		if err != nil {
			return "", err
		}
		if !ok {
			break
		}
		if occurrence != 0 && n != occurrence {
			continue
		}
		out = append(append(out, m.text[done:at+matcher.Start()]...), []rune(replacement)...)
		if done = at + matcher.End(); occurrence != 0 {
			break
		}
	}
	return string(append(out, m.text[done:]...)), nil
}

func (m *matching) Substring(_ context.Context, start, occurrence int) (string, bool, error) {
	from, to, ok, err := m.find(start-1, occurrence)
	if err != nil || !ok {
		return "", false, err
	}
	return string(m.text[from:to]), true, nil
}

func (m *matching) StringBufferSize() uint32 { return 0 }

func (m *matching) Close() error { return nil }
