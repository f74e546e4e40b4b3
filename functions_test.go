package main

import (
	"strings"
	"testing"

	"github.com/wiresql/wiresql/functions"
)

// wiresql's own functions, by statements of one value.

// evaluate runs a statement of one value and returns it as clients see it.
func evaluate(t *testing.T, query string) (string, string) {
	t.Helper()
	got := askEngine(demoEngine(t).NewSession(), query)
	return strings.Join(got.rows, "\n"), got.err
}

func TestExamples(t *testing.T) {
	for _, f := range functions.All {
		if len(f.Examples) == 0 || f.Doc == "" {
			t.Errorf("%s has no examples or no documentation", f.Name)
		}
		for _, e := range f.Examples {
			if got, err := evaluate(t, e.SQL); err != "" || got != strings.ReplaceAll(e.Result, "\n", `\n`) {
				t.Errorf("%s\n got %s (%v)\nwant %s", e.SQL, got, err, e.Result)
			}
		}
	}
}

// What is wrong is an error when the statement is planned, with its reason.
func TestRefusals(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT ip_in('10.1.2.3', 'ten')":                  `"ten" is not a network: write it as '10.0.0.0/8'`,
		"SELECT ip_in('host.example', '10.0.0.0/8')":       `"host.example" is a name, not an address`,
		"SELECT ip_network('10.1.2.3', 200)":               "200 is not a prefix length",
		"SELECT time_bucket('1 month', '2026-06-12')":      `"1 month" is not a width`,
		"SELECT time_bucket(0, '2026-06-12')":              "not between a microsecond and 100 years",
		"SELECT time_bucket('5m', 'yesterday')":            `"yesterday" is not a time: write it as '2026-06-12 10:15:00'`,
		"SELECT overlaps('2026-06-12', '2026-06-12', 'x')": "overlaps",
		"SELECT is_private()":                              "is_private",
		"SELECT contains(1, 'x')":                          "neither text nor bytes",
	} {
		got, err := evaluate(t, query)
		if err == "" || !strings.Contains(strings.ToLower(err), strings.ToLower(want)) {
			t.Errorf("%s\n got %s, %v\nwant error with %s", query, got, err, want)
		}
	}
}

func TestNulls(t *testing.T) {
	for query, want := range map[string]string{
		"SELECT ip_in(NULL, '10.0.0.0/8')":                                   "NULL",
		"SELECT ip_in('10.0.0.1', NULL)":                                     "NULL",
		"SELECT contains(NULL, 'x')":                                         "NULL",
		"SELECT hexdump(NULL)":                                               "NULL",
		"SELECT hexdump('')":                                                 "",
		"SELECT overlaps('2026-01-02', '2026-01-03', NULL, '2026-01-01')":    "0",
		"SELECT overlaps('2026-01-02', '2026-01-03', NULL, '2026-02-01')":    "NULL",
		"SELECT overlaps('2026-01-02', NULL, '2026-01-01', '2026-02-01')":    "NULL",
		"SELECT service_name(443, NULL)":                                     "NULL",
		"SELECT tcp_flags_text(512)":                                         "NULL",
		"SELECT ip_network('10.1.2.3', 24) = ip_network('10.1.2.99', 24, 1)": "1",
	} {
		if got, err := evaluate(t, query); err != "" || got != want {
			t.Errorf("%s: got %q (%v), want %q", query, got, err, want)
		}
	}
}

// Each text of GROUP_CONCAT that is cut is warned of once.
func TestCutTexts(t *testing.T) {
	s := demoEngine(t).NewSession()
	got := askEngine(s, `SELECT g, LENGTH(GROUP_CONCAT(x)) FROM (SELECT 1 AS g, REPEAT('a', 800) AS x UNION ALL SELECT 1, REPEAT('b', 800)
		UNION ALL SELECT 2, 'c' UNION ALL SELECT 3, REPEAT('d', 2000) UNION ALL SELECT 4, REPEAT('e', 1500)) t GROUP BY g ORDER BY g`)
	if rows := strings.Join(got.rows, " "); got.err != "" || rows != "1\t1024 2\t1 3\t1024 4\t1024" {
		t.Errorf("rows %q, %s", rows, got.err)
	}
	warnings := strings.Join(askEngine(s, "SHOW WARNINGS").rows, "\n")
	for _, n := range []string{"1", "2", "3"} {
		if want := "1260\tRow " + n + " was cut by GROUP_CONCAT()"; strings.Count(warnings, want) != 1 {
			t.Errorf("%q is not there once:\n%s", want, warnings)
		}
	}
}
