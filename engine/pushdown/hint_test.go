package pushdown

import (
	"testing"
	"time"
)

func TestTimeHint(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"SELECT 1": 0,
		"SELECT /*+ MAX_EXECUTION_TIME(300) */ 1":                                                    300,
		"select/*+ BKA(*) max_execution_time ( 300 ) */1":                                            300,
		"-- a\n# b\n((SELECT /*+ NO_ICP(c)\nMAX_EXECUTION_TIME(7) NO_ICP(d) */ 1) UNION SELECT 2)":   7,
		"SELECT /*+ MAX_EXECUTION_TIME(300) MAX_EXECUTION_TIME(7) */ 1":                              300,
		"WITH c (x) AS (SELECT (1)), d AS (SELECT 2) SELECT /*+ MAX_EXECUTION_TIME(300) */ * FROM c": 300,
		"WITH c AS (SELECT /*+ MAX_EXECUTION_TIME(7) */ 1) SELECT * FROM c":                          0,
		"WITH c AS (SELECT 1) (SELECT /*+ MAX_EXECUTION_TIME(300) */ * FROM c)":                      300,
		"EXPLAIN SELECT /*+ MAX_EXECUTION_TIME(300) */ 1":                                            300,
		"/* a */ EXPLAIN ANALYZE FORMAT=TREE (SELECT /*+ MAX_EXECUTION_TIME(300) */ 1)":              300,
		"DESC WITH c AS (SELECT 1) SELECT /*+ MAX_EXECUTION_TIME(300) */ 1":                          300,
		"SELECT 1 UNION SELECT /*+ MAX_EXECUTION_TIME(7) */ 2":                                       0,
		"SELECT * FROM (SELECT /*+ MAX_EXECUTION_TIME(7) */ 2) AS t":                                 0,
		"SELECT '/*+ MAX_EXECUTION_TIME(7) */'":                                                      0,
		"SELECT /* MAX_EXECUTION_TIME(7) */ 2":                                                       0,
		"SELECT /*+ BKA() */ 2 /*+ MAX_EXECUTION_TIME(7) */":                                         0,
		"SET @a = (SELECT /*+ MAX_EXECUTION_TIME(7) */ 2)":                                           0,
		"SELECT /*+ MAX_EXECUTION_TIME(7) */":                                                        0,
		"SELECT /*+ MAX_EXECUTION_TIME(-7) */ 1":                                                     0,
		"SELECT /*+ MAX_EXECUTION_TIME(4294967295) */ 1":                                             4294967295,
	} {
		if got := TimeHint(text); got != want*time.Millisecond {
			t.Errorf("%s: %v, not %v", text, got, want*time.Millisecond)
		}
	}
}
