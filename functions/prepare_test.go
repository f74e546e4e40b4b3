package functions

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"vitess.io/vitess/go/mysql/json"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// compute computes an expression of literals and columns as a compiler does:
// arguments first, each call prepared on its own.
func compute(t testing.TB, e sqlparser.Expr, columns map[string]Argument, s *Session) (Argument, error) {
	t.Helper()
	switch n := e.(type) {
	case *sqlparser.ColName:
		return columns[n.Name.Lowered()], nil
	case *sqlparser.NullVal, sqlparser.BoolVal, *sqlparser.Literal:
		return Literal(n, s)
	}
	var args []Argument
	var row []sqltypes.Value
	for _, a := range Arguments(e) {
		v, err := compute(t, a, columns, s)
		if err != nil {
			return v, err
		}
		args, row = append(args, v), append(row, v.Value)
	}
	p, err := Prepare(e, args, s)
	if err != nil {
		return Argument{}, err
	}
	v, err := p.Eval(row)
	if err != nil {
		return Argument{}, err
	}
	if !v.IsNull() {
		again, err := p.Eval(row)
		if err != nil || !Volatile(e) && again.ToString() != v.ToString() {
			t.Errorf("%s is %v and then %v, %v", sqlparser.String(e), v, again, err)
		}
	}
	constant := !Volatile(e)
	for _, a := range args {
		constant = constant && a.Literal
	}
	return Argument{Type: p.Type, Value: v, Literal: constant}, nil
}

// session is that of tests: strict, UTC, at a fixed time.
func session() *Session {
	return &Session{
		Now:       time.Date(2026, 6, 12, 10, 15, 42, 123456000, time.UTC),
		Collation: Bin,
		MaxText:   1 << 20,
	}
}

func parse(t testing.TB, text string) sqlparser.Expr {
	t.Helper()
	e, err := environment().Parser().ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// answer is the text of an expression's value, or its error.
func answer(t testing.TB, text string, s *Session) string {
	t.Helper()
	v, err := compute(t, parse(t, text), nil, s)
	if err != nil {
		return "error: " + err.Error()
	}
	if v.Value, err = Conform(v.Value, v.Type); err != nil {
		return "error: " + err.Error()
	}
	if v.Value.IsNull() {
		return "NULL"
	}
	return v.Value.ToString()
}

// TestSession: what depends on the session, with values of MySQL's manual.
func TestSession(t *testing.T) {
	berlin := FindZone("Europe/Berlin")
	for _, c := range []struct {
		expression, want string
		change           func(s *Session)
	}{
		{"NOW()", "2026-06-12 10:15:42", nil},
		{"NOW(3)", "2026-06-12 10:15:42.123", nil},
		{"SYSDATE(6)", "", nil},
		{"CURDATE()", "2026-06-12", nil},
		{"CURTIME()", "10:15:42", nil},
		{"UTC_TIMESTAMP()", "2026-06-12 10:15:42", func(s *Session) { s.Zone = berlin }},
		{"NOW()", "2026-06-12 12:15:42", func(s *Session) { s.Zone = berlin }},
		{"UNIX_TIMESTAMP()", "1781259342", nil},
		{"UNIX_TIMESTAMP('2026-01-01 00:00:00')", "1767222000", func(s *Session) { s.Zone = berlin }},
		{"FROM_UNIXTIME(1767222000)", "2026-01-01 00:00:00", func(s *Session) { s.Zone = berlin }},
		{"UNIX_TIMESTAMP('3001-01-18 23:59:59')", "32536771199", nil},
		{"UNIX_TIMESTAMP('3001-01-19 00:00:00')", "0", nil},
		{"FROM_UNIXTIME(32536771200)", "NULL", nil},
		{"1/3", "0.333333", func(s *Session) { s.DivPrecision = 6 }},
		{"1/3", "0", func(s *Session) { s.DivPrecision = -1 }},
		{"CAST(5 AS UNSIGNED) - 7", "error: BIGINT UNSIGNED value is out of range in '(5 - 7)'", nil},
		{"REPEAT('a', 2000000)", "NULL", nil},
		{"LPAD('a', 2000000, 'b')", "NULL", nil},
		{"SPACE(2000000)", "NULL", nil},
		{"REPLACE(REPEAT('a', 10000), 'a', REPEAT('b', 10000))", "NULL", nil},
		{"CONCAT(REPEAT('a', 600000), REPEAT('a', 600000))", "NULL", nil},
		{"'a' = 'A'", "1", func(s *Session) { s.Collation = Default }},
		{"'a' LIKE 'A'", "1", func(s *Session) { s.Collation = Default }},
		{"'a\\\\_b' LIKE 'a\\_b'", "1", func(s *Session) { s.SQLMode = "NO_BACKSLASH_ESCAPES" }},
	} {
		s := session()
		if c.change != nil {
			c.change(s)
		}
		if got := answer(t, c.expression, s); got != c.want && c.want != "" {
			t.Errorf("%s is %q, not %q", c.expression, got, c.want)
		}
	}
}

// TestErrors: the numbers of MySQL's errors and warnings.
func TestErrors(t *testing.T) {
	for expression, want := range map[string]int{
		"nosuch(1)":                   1305,
		"substring_indx('a', 'b', 1)": 1305,
		"SUBSTRING_INDEX('a', 'b')":   1582,
		"LOG()":                       1582,
		"9223372036854775807 + 1":     1690,
		"POW(0, -1)":                  1690,
		"EXP(1000)":                   1690,
		"'a' COLLATE nosuch":          1273,
		"'a' REGEXP '('":              3691,
		"CAST(1 AS DECIMAL(70, 2))":   1426,
		"ip_network('10.0.0.1', 'x')": 0,
		"DATE'2024-01-01' = 'x'":      1525,
		"'a' LIKE 'b' ESCAPE 'cd'":    1210,
		"REGEXP_INSTR('a', 'a', 5)":   3686,
		"'a' COLLATE utf8mb4_general_ci = 'b' COLLATE utf8mb4_bin": 1267,
	} {
		_, err := compute(t, parse(t, expression), nil, session())
		var e *SQLError
		switch {
		case err == nil:
			t.Errorf("%s is no error", expression)
		case errors.As(err, &e) && e.Number != want:
			t.Errorf("%s is error %d, %v, not %d", expression, e.Number, err, want)
		case e == nil && want != 0:
			t.Errorf("%s is %T %v", expression, err, err)
		}
	}
	_, err := compute(t, parse(t, "substring_indx('a', 'b', 1)"), nil, session())
	if err == nil || !strings.Contains(err.Error(), "did you mean substring_index?") {
		t.Errorf("no name is near: %v", err)
	}
	for expression, want := range map[string]int{
		"CAST('12abc' AS SIGNED)":                1292,
		"CAST('2020-01-01 a' AS DATETIME)":       1292,
		"CAST('x' AS DATE)":                      1292,
		"1 / 0":                                  1365,
		"'a' + 1":                                1292,
		"'12b' * 2":                              1292,
		"1 < 'x'":                                1292,
		"1 % 0":                                  1365,
		"5 DIV 0":                                1365,
		"LN(0)":                                  3020,
		"REPEAT('a', 2000000)":                   1301,
		"STR_TO_DATE('x', '%Y')":                 1411,
		"DATE_ADD('9999-12-31', INTERVAL 1 DAY)": 1441,
		"YEAR('x')":                              1292,
	} {
		// Without a mode that asks for it a division by zero is no warning.
		for _, mode := range []string{"ERROR_FOR_DIVISION_BY_ZERO", ""} {
			s := session()
			s.SQLMode = mode
			var codes []int
			s.Warn = func(code int, _ string) { codes = append(codes, code) }
			answer(t, expression, s)
			if slices.Contains(codes, want) != (mode != "" || want != 1365) {
				t.Errorf("sql_mode '%s': %s warns of %v, want %d", mode, expression, codes, want)
			}
		}
	}
}

// TestArguments: what is an argument of a node, in its text's order.
func TestArguments(t *testing.T) {
	for expression, want := range map[string]string{
		"SUBSTRING(a FROM b FOR c)":       "a b c",
		"TRIM(LEADING a FROM b)":          "a b",
		"CASE a WHEN b THEN c ELSE d END": "a b c d",
		"a + INTERVAL b HOUR_MINUTE":      "a b",
		"TIMESTAMPDIFF(MONTH, a, b)":      "a b",
		"EXTRACT(YEAR FROM a)":            "a",
		"CAST(a AS DECIMAL(5,2))":         "a",
		"CONVERT(a USING latin1)":         "a",
		"a IN (b, c)":                     "a b c",
		"(a, b) = (c, d)":                 "a b c d",
		"a BETWEEN b AND c":               "a b c",
		"a LIKE b ESCAPE c":               "a b c",
		"a IS NULL":                       "a",
		"INTERVAL(a, b, c)":               "a b c",
		"CHAR(a, b USING utf8mb4)":        "a b",
		"INSERT(a, b, c, d)":              "a b c d",
		"REGEXP_LIKE(a, b, c)":            "a b c",
		"a COLLATE utf8mb4_bin":           "a",
		"NOW(3)":                          "",
		"a AND (b OR c)":                  "a b or c",
		"JSON_OBJECT(a, b)":               "a b",
		"GET_FORMAT(DATE, a)":             "a",
		"ip_in(a, b)":                     "a b",
		"FIELD(a, CONCAT(b, c))":          "a CONCAT(b, c)",
	} {
		var got []string
		for _, a := range Arguments(parse(t, expression)) {
			got = append(got, sqlparser.String(a))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: %q, not %q", expression, g, want)
		}
	}
}

// TestOwn: the functions of ours go by the same door.
func TestOwn(t *testing.T) {
	for _, f := range All {
		for _, e := range f.Examples {
			text := strings.TrimPrefix(e.SQL, "SELECT ")
			if _, err := environment().Parser().ParseExpr(text); err != nil {
				continue // a statement of more
			}
			got := answer(t, text, session())
			if v, err := compute(t, parse(t, text), nil, session()); err == nil && v.Type.Kind == Double && v.Type.Scale > 0 {
				shown, err := show(v.Value, v.Type) // as clients see it
				if err != nil {
					t.Fatal(err)
				}
				got = shown.ToString()
			}
			if got != e.Result {
				t.Errorf("%s is %q, not %q", text, got, e.Result)
			}
		}
	}
	if _, ok := InDuckDB(parse(t, "protocol_name(a)"), []Operand{{Kind: Integer, SQL: "a"}}, Type{Kind: Text}, nil); !ok {
		t.Error("protocol_name has no translation")
	}
}

// TestVolatile: what may not be folded.
func TestVolatile(t *testing.T) {
	for expression, want := range map[string]bool{"RAND()": true, "UUID()": true, "SLEEP(1)": true, "SYSDATE()": true, "NOW()": false, "LOWER('a')": false} {
		if got := Volatile(parse(t, expression)); got != want {
			t.Errorf("%s: %v", expression, got)
		}
	}
}

// TestNothingPanics calls every function with odd arguments of every kind.
func TestNothingPanics(t *testing.T) {
	odd := []string{"NULL", "-1", "0", "9223372036854775807", "18446744073709551615", "-1.5", "1e300", "''", "'abc'", "'2024-02-30'", "x'FF00'",
		"TIMESTAMP'9999-12-31 23:59:59'", "DATE'1000-01-01'", "TIME'-838:59:59'", "'%'", "'-'", "TRUE", "'{\"a\": [1, 2]}'"}
	for _, e := range Entries() {
		if e.Name[0] < 'a' || e.Name[0] > 'z' {
			continue
		}
		for n := range 4 {
			for i := range odd {
				args := make([]string, n)
				for j := range args {
					args[j] = odd[(i+j*(i%5+1))%len(odd)]
				}
				node, err := environment().Parser().ParseExpr(e.Name + "(" + strings.Join(args, ", ") + ")")
				if err != nil {
					continue
				}
				if _, err := compute(t, node, nil, session()); err != nil && strings.Contains(err.Error(), "failed:") {
					t.Errorf("%s: %v", sqlparser.String(node), err)
				}
			}
		}
	}
}

// TestParallel evaluates from several goroutines, as DuckDB's threads do.
func TestParallel(t *testing.T) {
	for _, text := range []string{"CONCAT(s, i)", "i + d", "CONV(i, 10, 16)", "s LIKE 'a%'", "s REGEXP s", "HEX(s)", "d / 3", "INSTR(s, 'b')", "CASE WHEN i > 1 THEN d ELSE i END"} {
		node := parse(t, text)
		var args []Argument
		for _, a := range Arguments(node) {
			columns := map[string]Argument{
				"s": {Type: Type{Kind: Text, Length: 50, Collation: Bin, Coercibility: 2}},
				"i": {Type: Type{Kind: Integer, Bits: 64}},
				"d": {Type: Type{Kind: Decimal, Precision: 10, Scale: 2}},
			}
			for name, c := range columns {
				c.Value = map[string]sqltypes.Value{"s": textValue([]byte("abc")), "i": intValue(1), "d": sqltypes.MakeTrusted(sqltypes.Decimal, []byte("1.00"))}[name]
				columns[name] = c
			}
			v, err := compute(t, a, columns, session())
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, v)
		}
		p, err := Prepare(node, args, session())
		if err != nil {
			t.Fatal(err)
		}
		row := func(n int) []sqltypes.Value {
			out := make([]sqltypes.Value, len(args))
			for i, a := range args {
				switch {
				case a.Literal || a.Type.Kind == Bool:
					out[i] = a.Value
				case a.Type.Kind == Text:
					out[i] = textValue([]byte("abc" + strconv.Itoa(n)))
				case a.Type.Kind == Integer:
					out[i] = intValue(int64(n))
				default:
					out[i] = sqltypes.MakeTrusted(sqltypes.Decimal, []byte(strconv.Itoa(n)+".50"))
				}
			}
			return out
		}
		const values = 200
		want := make([]string, values)
		for n := range want {
			v, err := p.Eval(row(n))
			if err != nil {
				t.Fatal(err)
			}
			want[n] = v.ToString()
		}
		var wait sync.WaitGroup
		for range 4 {
			wait.Go(func() {
				for n := range want {
					v, err := p.Eval(row(n))
					if err != nil || v.ToString() != want[n] {
						t.Errorf("%s of %d is %v, %v, not %s", text, n, v, err, want[n])
					}
				}
			})
		}
		wait.Wait()
	}
}

func BenchmarkPrepare(b *testing.B) {
	node := parse(b, "CASE WHEN 1 > 2 THEN 3 ELSE 4.5 END")
	args := make([]Argument, 3)
	for i, a := range Arguments(node) {
		args[i], _ = compute(b, a, nil, session())
	}
	for b.Loop() {
		if _, err := Prepare(node, args, session()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEval(b *testing.B) {
	columns := map[string]Argument{
		"s": {Type: Type{Kind: Text, Length: 50, Collation: Bin, Coercibility: 2}, Value: textValue([]byte("www.example.com"))},
		"t": {Type: Type{Kind: Time, Scale: 6}, Value: sqltypes.MakeTrusted(sqltypes.Datetime, []byte("2026-06-12 10:15:42.123456"))},
		"i": {Type: Type{Kind: Integer, Bits: 64}, Value: intValue(12345)},
		"d": {Type: Type{Kind: Decimal, Precision: 10, Scale: 2}, Value: sqltypes.MakeTrusted(sqltypes.Decimal, []byte("123.45"))},
	}
	for _, text := range []string{"CRC32(s)", "SUBSTRING_INDEX(s, '.', i)", "SOUNDEX(s)", "REGEXP_REPLACE(s, 'w+', 'x')", "INSERT(s, 2, 3, 'abc')", "CONV(i, 10, 16)",
		"FORMAT(i, 2)", "STR_TO_DATE(s, '%Y')", "TIMEDIFF(t, t)", "DATE_FORMAT(t, s)", "MAKE_SET(i, s, s)", "t + INTERVAL i SECOND", "s LIKE s", "d / 3", "i + d", "WEEK(t, i)"} {
		node := parse(b, text)
		var args []Argument
		var row []sqltypes.Value
		for _, a := range Arguments(node) {
			v, err := compute(b, a, columns, session())
			if err != nil {
				b.Fatal(err)
			}
			args, row = append(args, v), append(row, v.Value)
		}
		p, err := Prepare(node, args, session())
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.Split(text, "(")[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A pattern whose program is too large is refused, whichever way it is written.
func TestLargePatterns(t *testing.T) {
	for _, pattern := range []string{strings.Repeat("a{1000}", 12), "(" + strings.Repeat("[a-z]?", 600) + "){20}"} {
		if p, err := compilePattern(pattern); err != errTooComplex {
			t.Errorf("%.20s…: %d steps, %v", pattern, p.size, err)
		}
	}
}

// What takes long over the texts of one row ends with its statement.
func TestEnded(t *testing.T) {
	as, ended := strings.Repeat("ab", 3000), errors.New("ended")
	list := "[" + strings.Repeat("1,", 3000) + "1]"
	for _, c := range []struct{ call, a, b, want string }{
		{"locate(b, a)", as + "ÄBC", strings.Repeat("aB", 1500) + "äbc", "3001"},
		{"locate(b, a)", as + "ÄBC", strings.Repeat("aB", 1500) + "abc", "0"},
		{"locate(b, a, 3001)", as + "abc", strings.Repeat("aB", 1500) + "abc", "3001"},
		{"locate(b, a, 3002)", as + "abc", strings.Repeat("aB", 1500) + "abc", "0"},
		{"instr(a, b)", as, strings.Repeat("ab", 1500) + "c", "0"},
		{"json_contains(a, b)", list, list, "1"},
		{"json_contains(a, b)", list, strings.Replace(list, "]", ",2]", 1), "0"},
		{"json_overlaps(a, b)", list, strings.ReplaceAll(list, "1", "3"), "0"},
		{"a regexp b", as, "(a|b){100}c{100}d", "0"},
		{"regexp_instr(a, b)", as + "é cab", "\\b(b|c)(a|b){2,200}", "6003"},
		{"regexp_instr(a, b, 3)", as + "é cab", "\\b(b|c)(a|b){2,200}", "6003"},
	} {
		node, err := sqlparser.NewTestParser().ParseExpr(c.call)
		if err != nil {
			t.Fatal(err)
		}
		s := session()
		args, row := []Argument{}, []sqltypes.Value{}
		for _, a := range Arguments(node) {
			v := Argument{Type: Type{Kind: Text, Collation: Default}, Value: textValue([]byte(map[string]string{"a": c.a, "b": c.b}[sqlparser.String(a)]))}
			if n, ok := a.(*sqlparser.Literal); ok {
				if v, err = Literal(n, s); err != nil {
					t.Fatal(err)
				}
			}
			args, row = append(args, v), append(row, v.Value)
		}
		p, err := Prepare(node, args, s)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := p.Eval(row); err != nil || v.ToString() != c.want {
			t.Errorf("%s is %v, %v, not %s", c.call, v, err, c.want)
		}
		s.Ended = func() error { return ended }
		if v, err := p.Eval(row); !errors.Is(err, ended) {
			t.Errorf("%s ended is %v, %v", c.call, v, err)
		}
	}
}

// Numbers of documents are equal by their value, however they are written.
func TestNumbersOfDocuments(t *testing.T) {
	for _, same := range [][]string{{"0", "-0", "0.0", "0e5"}, {"1", "1.0", "10e-1", "0.1e1", "1.00E+0"}, {"-120", "-1.2e2", "-120.0"}, {"1e99", "10e98"}, {"12"}, {"1.2"}, {"120"}, {"true"}, {`"1"`}} {
		for _, other := range []string{"0", "1", "-120", "1e99", "12", "1.2", "120", "true", `"1"`} {
			for _, one := range same {
				var p, q json.Parser
				a, errA := p.Parse(one)
				b, errB := q.Parse(other)
				if err := errors.Join(errA, errB); err != nil {
					t.Fatal(err)
				}
				if got := sameJSON(a, b); got != slices.Contains(same, other) {
					t.Errorf("%s and %s equal: %v", one, other, got)
				}
			}
		}
	}
}
