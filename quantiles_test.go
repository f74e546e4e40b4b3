package main

import (
	"fmt"
	"testing"
)

// MariaDB has medians and PERCENTILE_CONT over windows only, and no MAD, which
// is made of two medians there.
func TestQuantiles(t *testing.T) {
	o := newOracle(t, "observers")
	const percentile = "SELECT DISTINCT %[2]s AS k, PERCENTILE_CONT(%[3]s) WITHIN GROUP (ORDER BY %[1]s) OVER (PARTITION BY %[2]s) AS v FROM connections"
	for _, x := range []string{"bytes", "client_packets", "bytes / 4", "duration", "NULLIF(server_packets, 0)", "client_port - 40000", "1"} {
		for _, by := range []string{"protocol", "service", "server_ip", "sensor IS NULL"} {
			for ours, theirs := range map[string]string{
				"MEDIAN(%s)":         fmt.Sprintf(percentile, x, by, "0.5"),
				"quantile(%s, 0.9)":  fmt.Sprintf(percentile, x, by, "0.9"),
				"quantile(%s, 1e-1)": fmt.Sprintf(percentile, x, by, "0.1"),
				"quantile(%s, 0)":    fmt.Sprintf("SELECT %[2]s AS k, MIN(%[1]s) AS v FROM connections GROUP BY k", x, by),
				"quantile(%s, 1)":    fmt.Sprintf("SELECT %[2]s AS k, MAX(%[1]s) AS v FROM connections GROUP BY k", x, by),
				"mad(%s)": fmt.Sprintf("SELECT DISTINCT k, MEDIAN(ABS(x - m)) OVER (PARTITION BY k) AS v FROM ("+
					"SELECT %[2]s AS k, %[1]s AS x, MEDIAN(%[1]s) OVER (PARTITION BY %[2]s) AS m FROM connections) AS t", x, by),
			} {
				theirs = "SELECT k, v + 0e0 AS v FROM (" + theirs + ") AS t"
				ours = "SELECT " + by + " AS k, " + fmt.Sprintf(ours, x) + " AS v FROM connections GROUP BY k"
				want, got := ask(o.maria, theirs), ask(o.wire, ours)
				if want.err != nil {
					t.Fatalf("%s: %v", theirs, want.err)
				}
				if diff := differs(want, got, false); diff != "" {
					t.Errorf("%s: %s", ours, diff)
				}
			}
		}
	}
}
