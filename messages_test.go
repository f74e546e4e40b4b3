package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/functions"
)

// inward are words of what the server is built of, which no message says.
var inward = regexp.MustCompile(`cannot parse JSON|unparsed tail|error: |int64|Binder Error|Conversion Error|Invalid Input|Out of Range Error|Catalog Error|Parser Error|INTERNAL|strconv|runtime error|goroutine|mysql_[a-z]|panic|VARCHAR_|UINT64|INT128|duckdb|invalid syntax|%!`)

// TestMessages calls every function of the table with every kind of odd
// argument, as a constant and from a column: a message is MySQL's or ours.
func TestMessages(t *testing.T) {
	odd := []string{"NULL", "''", "1e308", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1.5", "'abc'", "x'ff'", "'{\"a\": 1'",
		"REPEAT('long ', 3000)", "DATE '2024-02-29'", "TIMESTAMP '9999-12-31 23:59:59.999999'", "TIME '-838:59:59'", "'fe80::1%eth0'", "TRUE"}
	s := demoEngine(t).NewSession()
	try := func(statement string) {
		if got := askEngine(s, statement); inward.MatchString(got.err) {
			t.Errorf("%s\n\t%.300s", statement, got.err)
		}
	}
	asked := 0
	for _, e := range functions.Entries() {
		if e.Name[0] < 'a' || e.Name[0] > 'z' || strings.Contains(e.Name, " ") {
			continue
		}
		least := e.Least
		for i, a := range odd {
			args := make([]string, least)
			for j := range args {
				args[j] = odd[(i+j*5)%len(odd)]
			}
			if least > 0 {
				args[0] = a
			}
			columns := make([]string, least)
			for j := range columns {
				columns[j] = fmt.Sprintf("%s AS a%d", args[j], j)
			}
			names := strings.Join(strings.Fields("a0 a1 a2 a3 a4 a5")[:least], ", ")
			try("SELECT " + e.Name + "(" + strings.Join(args, ", ") + ")")
			if least > 0 {
				try("SELECT " + e.Name + "(" + names + ") FROM (SELECT " + strings.Join(columns, ", ") + " FROM connections LIMIT 1) t")
			}
			asked += 2
		}
	}
	for _, name := range strings.Fields("count sum avg min max any_value bit_and bit_or bit_xor std stddev_samp variance var_samp group_concat") {
		for _, a := range odd {
			try("SELECT " + name + "(a) FROM (SELECT " + a + " AS a FROM connections LIMIT 3) t")
			try("SELECT " + name + "(" + a + ") FROM connections")
			asked += 2
		}
	}
	t.Log(asked, "calls")
}
