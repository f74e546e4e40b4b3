package pushdown

import (
	"regexp"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// Words of sql_mode that change how a text is read. Vitess's parser knows the
// default grammar only, so a text of another one is restated in that before
// anything else reads it. What its author typed can be told again: titles are
// of that.

// Mode is the words of sql_mode that change the grammar.
type Mode struct {
	// AnsiQuotes: "…" is a name. NoBackslash: \ is a letter. PipesAsConcat:
	// || joins texts. HighNot: NOT binds as ! does.
	AnsiQuotes, NoBackslash, PipesAsConcat, HighNot bool
}

// ModeOf reads an sql_mode.
func ModeOf(mode string) Mode {
	var m Mode
	for _, word := range strings.Split(strings.ToUpper(mode), ",") {
		switch strings.TrimSpace(word) {
		case "ANSI_QUOTES":
			m.AnsiQuotes = true
		case "NO_BACKSLASH_ESCAPES":
			m.NoBackslash = true
		case "PIPES_AS_CONCAT":
			m.PipesAsConcat = true
		case "HIGH_NOT_PRECEDENCE":
			m.HighNot = true
		}
	}
	return m
}

const (
	// joined stands for || that joins texts: ^ binds as that does, and what
	// stands between two of them is no name anybody gives a variable.
	joined     = " ^ @`||` ^ "
	joinedName = "||"
	// patternBegins and patternEnds stand around what is joined behind LIKE or a
	// ^ of its own: || binds more than these.
	patternBegins, patternEnds = "(/*||*/", "/*||*/)"
	// highNot stands for NOT that binds as ! does.
	highNot = "!/*NOT*/ "
	// quotedName and plainText come before names that stood in double quotes,
	// and before texts in which a backslash was a letter.
	quotedName, plainText = "/*\"*/", "/*\\*/"
)

// Restate writes the first statement of a text in the default grammar; rest is
// what follows its semicolon.
func (m Mode) Restate(text string) (first, rest string) {
	var b strings.Builder
	last := ""             // word before, in capitals
	var ends []int         // of the patterns that are being written
	looks := 4 * len(text) // bytes that may be looked ahead over
	for i := 0; i < len(text); {
		end := lexeme(text, i, m.NoBackslash)
		word := text[i:end]
		switch c := word[0]; {
		case c == ';':
			return b.String(), text[end:]
		case c == '"' && m.AnsiQuotes:
			name := strings.ReplaceAll(strings.TrimSuffix(word[1:], `"`), `""`, `"`)
			if last != "@" {
				b.WriteString(quotedName)
			}
			b.WriteString("`" + strings.ReplaceAll(name, "`", "``") + "`")
			last = ""
		case (c == '\'' || c == '"') && m.NoBackslash && strings.Contains(word, `\`):
			b.WriteString(plainText + strings.ReplaceAll(word, `\`, `\\`))
			last = ""
		case word == "||" && m.PipesAsConcat:
			b.WriteString(joined)
			last = ""
		case m.HighNot && strings.EqualFold(word, "not") && last != "IS" && !m.before(text, end, afterNot):
			b.WriteString(highNot)
			last = ""
		default:
			if m.PipesAsConcat && (word == "^" || strings.EqualFold(word, "like")) && looks > 0 {
				at, joins := m.joinedEnd(text, end)
				if looks -= at - end; joins {
					word, ends = word+" "+patternBegins, append(ends, at)
				}
			}
			if b.WriteString(word); !isSpace(c) && !isComment(word) {
				last = strings.ToUpper(word)
			}
		}
		for i = end; len(ends) > 0 && i == ends[len(ends)-1]; ends = ends[:len(ends)-1] {
			b.WriteString(patternEnds)
		}
	}
	return b.String(), ""
}

// before tells whether one of some words is the next.
func (m Mode) before(text string, from int, words map[string]bool) bool {
	word, _ := m.next(text, from)
	return words[word]
}

// joinedEnd is where operands that || joins end, of which the first follows at
// from; joins is false when there is only one.
func (m Mode) joinedEnd(text string, from int) (end int, joins bool) {
	end = from
	for {
		word, at := m.next(text, end)
		for word == "@" || word == "-" || word == "+" || word == "~" || word == "!" {
			word, at = m.next(text, at)
		}
		if word == "(" {
			at = m.closing(text, at)
		}
		for more := true; more; {
			switch word, after := m.next(text, at); word {
			case ".":
				_, at = m.next(text, after)
			case "(":
				at = m.closing(text, after)
			default:
				more = false
			}
		}
		end = at
		if word, at = m.next(text, end); word != "||" {
			return end, joins
		}
		end, joins = at, true
	}
}

// next is the next word that is no space or comment, in capitals, and where it
// ends; "" at the end of the text.
func (m Mode) next(text string, from int) (word string, end int) {
	for from < len(text) {
		end := lexeme(text, from, m.NoBackslash)
		if word := text[from:end]; !isSpace(word[0]) && !isComment(word) {
			return strings.ToUpper(word), end
		}
		from = end
	}
	return "", len(text)
}

// closing is where the parenthesis ends that was opened before from.
func (m Mode) closing(text string, from int) int {
	for depth := 1; depth > 0; {
		word, end := m.next(text, from)
		switch word {
		case "":
			return end
		case "(":
			depth++
		case ")":
			depth--
		}
		from = end
	}
	return from
}

// isJoin tells the mark of || between two ^.
func isJoin(e sqlparser.Expr) bool {
	v, ok := e.(*sqlparser.Variable)
	return ok && v.Scope == sqlparser.VariableScope && v.Name.String() == joinedName
}

// afterNot are operators of which NOT is a part.
var afterNot = set("IN LIKE BETWEEN REGEXP RLIKE")

func isSpace(c byte) bool { return strings.IndexByte(" \t\r\n\f\v", c) >= 0 }

func isComment(word string) bool {
	return word[0] == '#' || strings.HasPrefix(word, "/*") || strings.HasPrefix(word, "--") && len(word) > 2
}

func isLetter(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// lexeme is where the word ends that begins at i: a quoted text, a comment, a
// run of letters or of spaces, or a sign. Of a comment with a statement in it
// only the beginning is one.
func lexeme(text string, i int, plain bool) int {
	rest := text[i:]
	upTo := func(mark string) int {
		if at := strings.Index(rest, mark); at >= 0 {
			return i + at + len(mark)
		}
		return len(text)
	}
	switch c := rest[0]; {
	case isSpace(c):
		for i < len(text) && isSpace(text[i]) {
			i++
		}
		return i
	case c == '\'' || c == '"' || c == '`':
		for i++; i < len(text); i++ {
			switch {
			case text[i] == '\\' && c != '`' && !plain:
				i++
			case text[i] == c && i+1 < len(text) && text[i+1] == c:
				i++
			case text[i] == c:
				return i + 1
			}
		}
		return len(text)
	case isLetter(c):
		for i < len(text) && isLetter(text[i]) {
			i++
		}
		return i
	case c == '#', strings.HasPrefix(rest, "--") && (len(rest) == 2 || isSpace(rest[2])):
		return upTo("\n")
	case strings.HasPrefix(rest, "/*!"), strings.HasPrefix(rest, "/*+"):
		return i + 3
	case strings.HasPrefix(rest, "/*"):
		return upTo("*/")
	case strings.HasPrefix(rest, "||"):
		return i + 2
	}
	return i + 1
}

var (
	restatedName = regexp.MustCompile("/\\*\"\\*/`((?:[^`]|``)*)`")
	restatedText = regexp.MustCompile(`/\*\\\*/('(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")`)
)

// AsTyped is a piece of a restated text as its author wrote it.
func AsTyped(text string) string {
	if !strings.Contains(text, "*/") && !strings.Contains(text, joined) { // no mark
		return text
	}
	text = strings.NewReplacer(joined, "||", highNot, "NOT", " "+patternBegins, "", patternEnds, "").Replace(text)
	text = restatedText.ReplaceAllStringFunc(text, func(s string) string {
		return strings.ReplaceAll(strings.TrimPrefix(s, plainText), `\\`, `\`)
	})
	return restatedName.ReplaceAllStringFunc(text, func(s string) string {
		name := strings.TrimPrefix(s, quotedName)
		return `"` + strings.ReplaceAll(strings.ReplaceAll(name[1:len(name)-1], "``", "`"), `"`, `""`) + `"`
	})
}
