package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
)

// modeWord is a word of sql_mode.
type modeWord struct {
	word, does string
	refused    bool
}

// modeWords are the words of sql_mode in MySQL's order, and what they do here.
// One that is refused says what to do instead.
var modeWords = []modeWord{
	{"REAL_AS_FLOAT", "`CAST(x AS REAL)` is that of FLOAT, which is not supported", false},
	{"PIPES_AS_CONCAT", "two pipes join texts", false},
	{"ANSI_QUOTES", "`\"…\"` is a name", false},
	{"IGNORE_SPACE", "nothing: a space may always stand before `(`", false},
	{"ONLY_FULL_GROUP_BY", "error 1055 for a column that groups have several of; without it any of them", false},
	{"NO_UNSIGNED_SUBTRACTION", "a difference is signed", false},
	{"NO_DIR_IN_CREATE", "nothing: it is about writing", false},
	{"ANSI", "`REAL_AS_FLOAT`, `PIPES_AS_CONCAT`, `ANSI_QUOTES`, `IGNORE_SPACE`, `ONLY_FULL_GROUP_BY`", false},
	{"NO_AUTO_VALUE_ON_ZERO", "nothing: it is about writing", false},
	{"NO_BACKSLASH_ESCAPES", "a backslash is a letter, also to `LIKE`", false},
	{"STRICT_TRANS_TABLES", "nothing: it is about writing", false},
	{"STRICT_ALL_TABLES", "nothing: it is about writing", false},
	{"NO_ZERO_IN_DATE", "nothing: a day that does not exist is NULL with or without it", false},
	{"NO_ZERO_DATE", "nothing: a day that does not exist is NULL with or without it", false},
	{"ALLOW_INVALID_DATES", "a day that does not exist is NULL", true},
	{"ERROR_FOR_DIVISION_BY_ZERO", "a division by zero gives warning 1365", false},
	{"TRADITIONAL", "the `STRICT_…`, `NO_ZERO_…`, `ERROR_FOR_DIVISION_BY_ZERO` and `NO_ENGINE_SUBSTITUTION`", false},
	{"NO_AUTO_CREATE_USER", "nothing: it is about writing", false},
	{"HIGH_NOT_PRECEDENCE", "`NOT` binds as `!` does", false},
	{"NO_ENGINE_SUBSTITUTION", "nothing: it is about writing", false},
	{"PAD_CHAR_TO_FULL_LENGTH", "nothing: no column is a CHAR", false},
	{"TIME_TRUNCATE_FRACTIONAL", "fractions of seconds are rounded", true},
}

// combined are words that stand for others.
var combined = map[string]string{
	"ANSI": "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI",
	"TRADITIONAL": "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO," +
		"TRADITIONAL,NO_ENGINE_SUBSTITUTION",
}

// modeBit is which bit MySQL has for a word: between some there were others.
func modeBit(word int) int {
	switch {
	case word < 4:
		return word
	case word < 7:
		return word + 1
	}
	return word + 11
}

// modeType is the type of sql_mode: words, once each, in order.
type modeType struct{ sql.SystemVariableType }

// Convert implements sql.Type.
func (t modeType) Convert(_ context.Context, v any) (any, sql.ConvertInRange, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		bits, err := strconv.ParseUint(fmt.Sprint(v), 10, 64)
		if err != nil {
			return nil, sql.OutOfRange, wrongValue("sql_mode", fmt.Sprint(v), "")
		}
		for i, m := range modeWords {
			if bits>>modeBit(i)&1 != 0 {
				text += m.word + ","
				bits &^= 1 << modeBit(i)
			}
		}
		if bits != 0 {
			return nil, sql.OutOfRange, wrongValue("sql_mode", fmt.Sprint(v), "")
		}
	default:
		return nil, sql.OutOfRange, wrongValue("sql_mode", "NULL", "")
	}
	set := map[string]bool{}
	for _, word := range strings.Split(text, ",") {
		typed := strings.TrimSpace(word)
		word = strings.ToUpper(typed)
		if all := combined[word]; all != "" {
			for _, w := range strings.Split(all, ",") {
				set[w] = true
			}
			continue
		}
		at := slices.IndexFunc(modeWords, func(m modeWord) bool { return m.word == word })
		switch {
		case word == "":
		case at < 0:
			return nil, sql.OutOfRange, wrongValue("sql_mode", typed, "")
		case modeWords[at].refused:
			return nil, sql.OutOfRange, wrongValue("sql_mode", word, modeWords[at].does+" here")
		default:
			set[word] = true
		}
	}
	var out []string
	for _, m := range modeWords {
		if set[m.word] {
			out = append(out, m.word)
		}
	}
	return strings.Join(out, ","), sql.InRange, nil
}

// wrongValue is MySQL's error of a value that a variable does not take.
func wrongValue(name, value, why string) error {
	if why != "" {
		why = ": " + why
	}
	return functions.Errorf(1231, "Variable '%s' can't be set to the value of '%s'%s", name, value, why)
}
