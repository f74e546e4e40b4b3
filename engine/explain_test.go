package engine

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What is slow is said where it is, with the numbers of the archive: 60 files
// of 4,000 rows, one for every two seconds.
func TestSlowness(t *testing.T) {
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	a, _ := recordedArchive(t, at, 10, 60, 4000)
	e := openEngine(t, a)
	span := fmt.Sprintf("ts >= '%s' AND ts < '%s'", at.Add(-20*time.Second).UTC().Format(time.DateTime), at.UTC().Format(time.DateTime))
	const meets = "each of up to 240,000 rows of flows meets each of up to 240,000 rows of flows"
	for _, c := range []struct {
		statement    string
		want, absent []string
	}{
		{"SELECT SUM(bytes) FROM flows", []string{"reads    60 of 60 files", "flows: 60 of 60 files, 240,000 rows", "slow     every file of flows is read: nothing bounds its time", "add ts >= '…' AND ts < '…'"}, []string{meets, "row at a time"}},
		{"SELECT SUM(bytes) FROM flows WHERE " + span, []string{"reads    10 of 60 files", "flows: 10 of 60 files, 40,000 rows"}, []string{"slow"}},
		{"SELECT COUNT(*) FROM flows WHERE SOUNDEX(observer) = 'x'", []string{"SOUNDEX is computed a row at a time, for up to 240,000 rows", "add conditions that leave fewer rows"}, nil},
		{"SELECT COUNT(*) FROM flows WHERE SOUNDEX(observer) = 'x' AND " + span, nil, []string{"slow"}},
		{"SELECT COUNT(*) FROM flows WHERE UPPER(observer) = 'CORE'", nil, []string{"row at a time"}},
		{"SELECT COUNT(*) FROM flows a, flows b", []string{meets + ": nothing", "add a condition with ="}, nil},
		{"SELECT COUNT(*) FROM flows a JOIN flows b ON a.bytes < b.bytes", []string{meets}, []string{"nothing joins"}},
		{"SELECT COUNT(*) FROM flows a JOIN flows b ON a.flow_id = b.flow_id", nil, []string{meets}},
		{"SELECT COUNT(*) FROM flows a, hosts h", nil, []string{"meets"}},
	} {
		rows, err := e.Query(t.Context(), "EXPLAIN "+c.statement)
		if err != nil {
			t.Fatal(c.statement, err)
		}
		all, err := rows.All()
		if err != nil {
			t.Fatal(c.statement, err)
		}
		var text strings.Builder
		for _, row := range all { // a fact may take more than a line
			line := row[0].(string)
			if strings.HasPrefix(line, "             ") {
				line = " " + strings.TrimSpace(line)
			} else {
				line = "\n" + line
			}
			text.WriteString(line)
		}
		for _, w := range c.want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s: no %q in%s", c.statement, w, text.String())
			}
		}
		for _, w := range c.absent {
			if strings.Contains(text.String(), w) {
				t.Errorf("%s: %q in%s", c.statement, w, text.String())
			}
		}
	}
}
