package engine

import (
	"errors"
	"strings"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Errors of DuckDB that are the statement's, as MySQL words and numbers them.

// duckMistakes are known by what they say.
var duckMistakes = []struct {
	text   string
	number int
	result string
}{
	{"More than one row returned by a subquery", 1242, "Subquery returns more than 1 row"},
	{"for the destination type UINT64", 1690, "BIGINT UNSIGNED value is out of range"},
	{"DOUBLE value is out of range", 1690, "DOUBLE value is out of range"},
	{"Out of Range Error: STDDEV_", 1690, "DOUBLE value is out of range"},
	{"Out of Range Error: VAR", 1690, "DOUBLE value is out of range"},
	{"BIGINT value is out of range", 1690, "BIGINT value is out of range"},
	{" of DECIMAL(", 1690, "DECIMAL value is out of range"},
	{" of INT128 (", 1690, "DECIMAL value is out of range"},
	{"Failed to cast decimal value", 1690, "DECIMAL value is out of range"},
	{"Overflow in ", 1690, "BIGINT value is out of range"},
	{"Overflow on ", 1690, "BIGINT value is out of range"},
	{"is out of range for the destination type INT64", 1690, "BIGINT value is out of range"},
	{"Could not cast value", 1690, "DECIMAL value is out of range"},
	{"Data too long for column", 1406, ""},
	{"Out of range value for column", 1264, ""},
	{"Recursive query aborted after", 3636, ""},
	{"non-inner join on", 1235, "This version of wiresql doesn't yet support 'a subquery about both sides of an outer join, or of IN'; join its table instead"},
	{"Not implemented Error", 1235, "This version of wiresql doesn't yet support 'a subquery about its outer query' in this place; join its table instead"},
	{"window expression is not supported", 1235, "This version of wiresql doesn't yet support 'a window function about the outer query'"},
	{"Out of Memory Error", 1041, noRoom},
}

const noRoom = "Out of memory: this statement holds more than fits and can't go on on disk (--memory-limit, --spill-directory); ask for less at a time"

// foundNoRoom tells whether DuckDB had no memory for a statement, which need not
// be the one that holds it.
func foundNoRoom(err error) bool {
	var e *functions.SQLError
	return errors.As(err, &e) && e.Number == 1041 && e.Message == noRoom
}

// userMessage makes an error of DuckDB's message.
func userMessage(message string) error {
	if err := calledError(message); err != nil {
		return err
	}
	if damage := rows.DamageIn(errors.New(message)); len(damage) > 0 {
		return damage[0]
	}
	line, _, _ := strings.Cut(message, "\n")
	for _, m := range duckMistakes {
		if !strings.Contains(line, m.text) {
			continue
		}
		text := m.result
		if text == "" {
			text = line[max(0, strings.Index(line, m.text)):]
		}
		return &functions.SQLError{Number: m.number, Message: text}
	}
	return &duckError{Message: message}
}
