package hunt

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const head = `-- title: A
-- question: B?
-- severity: low
-- reads: connections
-- result: R
-- empty: E
`

// headLine is where head has a key.
func headLine(key string) int {
	before, _, _ := strings.Cut(head, "-- "+key+":")
	return strings.Count(before, "\n") + 1
}

const statement = "SELECT 1 FROM connections WHERE ts BETWEEN :from AND :to"

// Mistakes are found at their line.
func TestMistakes(t *testing.T) {
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{head + statement, 0, ""},
		{head + "\n" + statement + ";\n", 0, ""},
		{"", 1, "the header lacks title"},
		{head, 6, "there is no statement behind the header"},
		{"-- title A\n", 1, "a key, a colon and a value"},
		{strings.Replace(head, "low", "awful", 1) + statement, 3, `severity "awful" is none of`},
		{head + "-- title: again\n" + statement, 7, "title is said twice"},
		{strings.Replace(head, "reads: ", "reads: dns, nosuch ", 1) + statement, headLine("reads"), `"nosuch" is no relation`},
		{head + statement + "\n-- \xff", 8, "not UTF-8"},
		{head + "-- colour: red\n" + statement, 7, `there is no key "colour"`},
		{head + "-- techniques: T1071, 1071\n" + statement, 7, `"1071" is no technique`},
		{head + "-- parameter: n int x: how many\n" + statement, 7, `parameter n is of type int: "x" is none`},
		{head + "-- parameter: n int 1: how many\n" + statement, 8, "parameter n is not used"},
		{head + "-- parameter: n date 1: how many\n" + statement, 7, "with a type of int, number, text, interval"},
		{head + "-- parameter: since int 1: how many\n" + statement, 7, "every hunt has a parameter since"},
		{head + "SELECT :n FROM connections WHERE ts BETWEEN :from AND :to", 7, "the statement has :n, which is no parameter"},
		{head + "SELECT 1 FROM connections", 7, "must keep to the time from :from to :to"},
		{head + "\n\nSELECT FROM WHERE ts BETWEEN :from AND :to", 9, "the statement can't be read"},
		{head + "DELETE FROM connections WHERE ts BETWEEN :from AND :to", 7, "a hunt is a statement that asks"},
		{head + statement + "; " + statement, 7, "the statement can't be read"},
		{head + statement + strings.Repeat(" ", maxFile), 1, "bytes at most"},
	} {
		_, err := Parse("x.sql", "x", c.text)
		var mistake *Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.text, err)
		case c.want == "":
		case !errors.As(err, &mistake) || mistake.Line != c.line || !strings.Contains(mistake.Text, c.want):
			t.Errorf("%s\n%v; want line %d: %s", c.text, err, c.line, c.want)
		}
	}
	if _, err := Parse("X.sql", "X", head+statement); err == nil {
		t.Error("the name of a hunt has capitals")
	}
}

// Values stand in the statement as constants, whatever they hold.
func TestStatement(t *testing.T) {
	h, err := Parse("x.sql", "x", head+`-- parameter: n int 3: how many
-- parameter: s text ?: a text
-- parameter: d interval 5 minutes: a time
`+"SELECT ':n', `:n`, \":n\\\":n\", :n /* :n */, :s -- :n\n FROM t WHERE ts BETWEEN :from - :d AND :to LIMIT :n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Statement(Range{"F", "T"}, map[string]string{"s": `it's :n \ ?`})
	want := "SELECT ':n', `:n`, \":n\\\":n\", 3 /* :n */, _utf8mb4 x'69742773203a6e205c203f' -- :n\n FROM t WHERE ts BETWEEN F - INTERVAL 5 MINUTE AND T LIMIT 3"
	if err != nil || got != want {
		t.Errorf("%v\n%s\n%s", err, got, want)
	}
	for values, want := range map[[2]string]string{
		{"n", "3; DROP"}:   "parameter n is of type int",
		{"n", "-1"}:        "parameter n is of type int",
		{"d", "1 YEAR; x"}: "is no interval",
		{"x", "1"}:         "hunt x has no parameter x: it has since, from, to, n, s, d",
	} {
		if _, err := h.Statement(Range{}, map[string]string{"s": "", values[0]: values[1]}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", values, err, want)
		}
	}
	if _, err := h.Statement(Range{}, nil); err == nil || err.Error() != "hunt x needs s: a text" {
		t.Error(err)
	}
}

// What a file is, is what it was when it was read last.
func TestLibrary(t *testing.T) {
	dir := t.TempDir()
	l := NewLibrary(dir)
	put := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(len(text)) * time.Second) // another time than before
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	put("mine.sql", head+statement)
	put("bad.sql", "nothing")
	put("note.txt", "nothing")
	put("beaconing.sql", strings.Replace(head, "title: A", "title: Ours", 1)+statement)
	list, err := l.List()
	if err != nil || len(list) != len(Shipped())+2 {
		t.Fatalf("%d hunts, %v", len(list), err)
	}
	if h, err := l.Find("MINE"); err != nil || h.Title != "A" || h.File != filepath.Join(dir, "mine.sql") {
		t.Errorf("%+v %v", h, err)
	}
	if h, err := l.Find("beaconing"); err != nil || h.Title != "Ours" {
		t.Errorf("the directory's does not stand before the shipped one: %+v %v", h, err)
	}
	if _, err := l.Find("bad"); err == nil || !strings.Contains(err.Error(), "bad.sql, line 1: the header lacks title") {
		t.Error(err)
	}
	put("bad.sql", head+statement+" LIMIT 1")
	if _, err := l.Find("bad"); err != nil {
		t.Errorf("mended, and still %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "mine.sql")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Find("mine"); err == nil {
		t.Error("it is gone, and still found")
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	list, err = l.List()
	at := slices.IndexFunc(list, func(e Entry) bool { return e.File == dir && e.Err != nil })
	if err != nil || len(list) != len(Shipped())+1 || at < 0 {
		t.Errorf("a directory that is gone is told among the shipped hunts: %d, %v", len(list), err)
	}
	if h, err := l.Find("beaconing"); err != nil || h.File != "" {
		t.Errorf("a shipped hunt is gone with the directory: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, h := range Shipped() {
		f.Add(h.SQL, h.Packets)
	}
	f.Add(head+statement, ":a ':b' \"\\\"")
	f.Fuzz(func(t *testing.T, text, follow string) {
		h, err := Parse("x.sql", "x", text)
		if err != nil {
			h = &Hunt{SQL: text}
		}
		h.Packets = follow
		value := "'; \\"
		row := map[string]*string{}
		for _, p := range places(follow) {
			row[follow[p.from+1:p.to]] = &value
		}
		if next := h.Follow(row); len(places(next)) > 0 && len(places(follow)) == 0 {
			t.Errorf("%q became %q", follow, next)
		}
	})
}
