package pushdown

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever text a statement holds, it changes nothing of the SQL but its own
// literal: user text reaches DuckDB through one quoting function.
func FuzzQuoting(f *testing.F) {
	for _, s := range []string{"a", "'", "\\", "''; DROP TABLE x; --", "{{scan 0}}", "{{packets 0}}", "{{keys}}", "$1", "?", "%s", "\x00", "é😀", "`", "\"", "/* x */", "--", "\n", "c1", "#"} {
		f.Add(s)
	}
	shapes := []string{
		"SELECT CONCAT(%[1]s, server_name) FROM connections WHERE sensor = %[1]s",
		"SELECT COUNT(*) FROM flows WHERE observer IN (%[1]s, 'b') OR src_host = %[1]s",
		"SELECT CASE WHEN seen_by = %[1]s THEN %[1]s ELSE sensor END FROM connections GROUP BY 1",
		"SELECT GROUP_CONCAT(sensor SEPARATOR %[1]s) FROM connections",
		"SELECT p.ts FROM connections c JOIN packets p USING (conn_id) WHERE c.sensor = %[1]s",
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 1000 {
			return
		}
		for _, shape := range shapes {
			want, err := compileText(t, fmt.Sprintf(shape, "'plain'"), testEnv())
			if err != nil {
				t.Fatal(err)
			}
			got, err := compileText(t, fmt.Sprintf(shape, mysqlLiteral(s)), testEnv())
			if err != nil {
				t.Fatalf("%q: %v", s, err)
			}
			texts := func(p *Plan) string {
				all := p.SQL
				for _, k := range p.Packets {
					all += "\n" + k.Keys.Shown() + "\n" + k.ByKey.Shown()
				}
				return withoutLiterals(all)
			}
			if a, b := texts(want), texts(got); a != b {
				t.Fatalf("%q changes the statement:\n%s\ninstead of\n%s", s, b, a)
			}
		}
	})
}

// mysqlLiteral writes a string literal of MySQL.
func mysqlLiteral(s string) string {
	return "'" + strings.NewReplacer("'", "''", "\\", "\\\\", "\x00", "\\0").Replace(s) + "'"
}

// withoutLiterals replaces each string literal of a DuckDB statement by 'L';
// one with a NUL is several, joined.
func withoutLiterals(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\'' {
			b.WriteByte(text[i])
			continue
		}
		for i++; i < len(text); i++ {
			if text[i] == '\'' {
				if i+1 < len(text) && text[i+1] == '\'' {
					i++
					continue
				}
				break
			}
		}
		b.WriteString("'L'")
	}
	out := b.String()
	for {
		joined := strings.ReplaceAll(out, "'L' || chr(0) || 'L'", "'L'")
		joined = strings.ReplaceAll(joined, "('L')", "'L'")
		if joined == out {
			return out
		}
		out = joined
	}
}
