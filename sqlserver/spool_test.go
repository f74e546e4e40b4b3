package sqlserver

import (
	"database/sql"
	"testing"
)

// Two million rows of two columns over TLS to the Go driver, which needs more
// CPU than the server does.
func BenchmarkRows(b *testing.B) {
	db := serveBenchmark(b)
	for b.Loop() {
		rows, err := db.Query("SELECT * FROM large")
		if err != nil {
			b.Fatal(err)
		}
		var n, text sql.RawBytes
		for rows.Next() {
			if err := rows.Scan(&n, &text); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(2e6*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// What a statement costs before it does anything.
func BenchmarkSmallest(b *testing.B) {
	db := serveBenchmark(b)
	for b.Loop() {
		var n int
		if err := db.QueryRow("SELECT 1").Scan(&n); err != nil {
			b.Fatal(err)
		}
	}
}

func serveBenchmark(b *testing.B) *sql.DB {
	r := start(b, newFakeEngine(), nil)
	return r.open("")
}
