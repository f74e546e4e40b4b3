package engine

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestTimes compares with package time, over all days of MySQL's years and
// random times of day.
func TestTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for at := first; at.Year() < 10000; at = at.AddDate(0, 0, 1) {
		days := at.Unix() / 86400
		if at.Unix() < 0 {
			days = (at.Unix() - 86399) / 86400
		}
		if got, want := string(appendDate(nil, days)), at.Format("2006-01-02"); got != want {
			t.Fatalf("day %d is %s, not %s", days, got, want)
		}
		us := days*microsOfDay + r.Int64N(microsOfDay)
		want := time.UnixMicro(us).UTC().Format("2006-01-02 15:04:05.000000")
		if got := string(appendTime(nil, us, 6)); got != want {
			t.Fatalf("%d is %s, not %s", us, got, want)
		}
		if got, ok := parseTime(want); !ok || got != us {
			t.Fatalf("%s is %d, not %d", want, got, us)
		}
	}
	for text, want := range map[string]int64{"1970-01-02": microsOfDay, "1969-12-31 23:59:59.5": -500_000, "2024-02-29 00:00:00": 1709164800_000_000} {
		if got, ok := parseTime(text); !ok || got != want {
			t.Errorf("%s is %d %v, not %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "0000-00-00", "0000-00-00 00:00:00", "2023-02-29", "2023-13-01", "2023-01-01 24:00:00", "2023-01-01 1:00:00", "2023-01-01 00:00:00.1234567", "+999-01-01"} {
		if got, ok := parseTime(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}
