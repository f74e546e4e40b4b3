package engine

import "testing"

func TestOpenComments(t *testing.T) {
	for text, want := range map[string]string{
		"SELECT 1":                                "SELECT 1",
		"SHOW /*!50002 GLOBAL */ STATUS":          "SHOW   GLOBAL   STATUS",
		"/*!40101 SET NAMES utf8 */":              "  SET NAMES utf8  ",
		"SELECT 1 /*! + 1 */":                     "SELECT 1   + 1  ",
		"SELECT 1 /*!99999 + 1 */":                "SELECT 1 ",
		"SELECT 1 /*!080100 + 1 */":               "SELECT 1 ",
		"/*!100100 SET @@MAX_STATEMENT_TIME=0 */": "",
		"/*M!100616 SET NOTE_VERBOSITY=0 */":      "",
		"SELECT '/*!50000 a */', `/*!b*/`":        "SELECT '/*!50000 a */', `/*!b*/`",
		"SELECT 'it''s \\' /*!50000 a */'":        "SELECT 'it''s \\' /*!50000 a */'",
		"SELECT 1 /* /*!50000 */ + 1":             "SELECT 1 /* /*!50000 */ + 1",
		"SELECT 1 -- /*!50000\n+ 1 /*!50000 +1*/": "SELECT 1 -- /*!50000\n+ 1   +1 ",
		"SELECT /*!50000 '*/' */":                 "SELECT   '*/'  ",
		"SELECT 1 /*!50000":                       "SELECT 1  ",
	} {
		if got := OpenComments(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}
