package main

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestExtendingIsTrue: what docs/extending.md lists for a change of a kind are
// the files that name its example, no more and no less; tests and generated
// files do not count.
func TestExtendingIsTrue(t *testing.T) {
	sources := map[string]string{}
	for path := range parsed(t, ".") {
		if text := fileText(t, path); !strings.HasPrefix(path, "testdata") && !strings.HasPrefix(text, "// Code generated") {
			sources[path] = text
		}
	}
	listed, word := regexp.MustCompile("(?m)^- `([^`]+\\.go)`"), regexp.MustCompile("`([^`]+)`")
	sections := strings.Split(fileText(t, "docs/extending.md"), "\n## ")[1:]
	for _, s := range sections {
		title, rest, _ := strings.Cut(s, "\n")
		_, rest, found := strings.Cut(rest, "\nExample: ")
		if !found {
			t.Errorf("%s: no example", title)
			continue
		}
		example, list, _ := strings.Cut(rest, "\n")
		var names []string
		for _, m := range word.FindAllStringSubmatch(example, -1) {
			names = append(names, m[1])
		}
		var want, got []string
		for _, m := range listed.FindAllStringSubmatch(list, -1) {
			want = append(want, m[1])
		}
		for path, text := range sources {
			if slices.ContainsFunc(names, func(name string) bool { return strings.Contains(text, name) }) {
				got = append(got, path)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s: the page lists\n\t%s\n%s is named in\n\t%s", title, strings.Join(want, " "), example, strings.Join(got, " "))
		}
		for _, m := range word.FindAllStringSubmatch(list, -1) {
			exists(t, "docs/extending.md", m[1])
		}
	}
	if len(sections) < 10 {
		t.Errorf("%d sections", len(sections))
	}
}

// exists checks a name in backticks that is a path of the tree.
func exists(t *testing.T, page, name string) {
	t.Helper()
	if !regexp.MustCompile(`^[\w/*.-]+\.(go|test|md|sh|txt)$`).MatchString(name) {
		return
	}
	if found, err := filepath.Glob(name); err != nil || len(found) == 0 {
		t.Errorf("%s names %s, which is not there", page, name)
	}
}
