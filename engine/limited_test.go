package engine

import "testing"

func TestLimitedStatements(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1": true, " (select 1) UNION (SELECT 2)": true, "/* a */ -- b\nWITH x AS (SELECT 1) SELECT * FROM x": true, "TABLE flows": true,
		"EXECUTE s": true, "((SELECT 1))": true, "# c\nVALUES ROW(1)": true, "EXPLAIN ANALYZE SELECT 1": true,
		"SHOW WARNINGS": false, "SET @a = (SELECT 1)": true, "SET max_execution_time = 0": false, "SHOW VARIABLES WHERE a > ( SELECT 1)": true, "CALL hunt('x')": true, "SELECTED": false, "KILL QUERY 5": false, "/* SELECT */ SHOW TABLES": false, "": false,
	} {
		if got := limited.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
