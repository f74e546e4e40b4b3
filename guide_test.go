package main

import (
	"os/exec"
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

// TestContributingIsTrue: the tests, fuzz targets and targets of make that
// CONTRIBUTING.md names are there, and the commands that are cheap work.
func TestContributingIsTrue(t *testing.T) {
	text := fileText(t, "CONTRIBUTING.md")
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(text, -1) {
		exists(t, "CONTRIBUTING.md", m[1])
	}
	makefile := fileText(t, "Makefile")
	for _, m := range regexp.MustCompile("(?m)(?:`|^)make ([a-z-]+)").FindAllStringSubmatch(text, -1) {
		if !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("make %s is not there", m[1])
		}
	}
	commands := regexp.MustCompile("`go test (\\S+) ([^`]+)`").FindAllStringSubmatch(text, -1)
	if len(commands) < 8 {
		t.Errorf("%d commands", len(commands))
	}
	for _, m := range commands {
		folder, flags := m[1], strings.Fields(strings.ReplaceAll(m[2], "'", ""))
		tests, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, path := range tests {
			all.WriteString(fileText(t, path))
		}
		for i, flag := range flags {
			if (flag == "-run" || flag == "-fuzz") && flags[i+1] != "^$" {
				name, _, _ := strings.Cut(flags[i+1], "/")
				if !strings.Contains(all.String(), "\nfunc "+strings.TrimSuffix(name, "$")) {
					t.Errorf("%s has no %s", folder, name)
				}
			}
		}
		if dear := folder == "." || strings.Contains(m[2], "Kill") || strings.Contains(m[2], "-fuzz"); !dear && !testing.Short() {
			if out, err := exec.Command("go", append([]string{"test", folder}, flags...)...).CombinedOutput(); err != nil || strings.Contains(string(out), "no tests to run") {
				t.Errorf("%s: %v: %s", m[0], err, out)
			}
		}
	}
}

// TestTourNamesEveryFile of the packages, and none that is not there.
func TestTourNamesEveryFile(t *testing.T) {
	tour := fileText(t, "docs/tour.md")
	named := map[string]bool{}
	for _, m := range regexp.MustCompile("`([\\w/]+\\.go)`").FindAllStringSubmatch(tour, -1) {
		named[filepath.Base(m[1])] = true
	}
	there := map[string]bool{}
	for path := range parsed(t, ".") {
		name := filepath.Base(path)
		there[name] = true
		if !strings.HasPrefix(path, "testdata") && !strings.Contains(path, "/testdata/") && !strings.HasPrefix(path, "tables/archive/samples") && !named[name] {
			t.Errorf("docs/tour.md does not name %s", path)
		}
	}
	for name := range named {
		if !there[name] && !strings.HasSuffix(name, "_test.go") {
			t.Errorf("docs/tour.md names %s, which is not there", name)
		}
	}
}
