package shell

import "strings"

// statement is the first one of a text.
type statement struct {
	text     string // without what ends it
	rest     string // what follows that
	vertical bool   // it ended with \G
	whole    bool   // its end was there
	open     byte   // the quote, or * of the comment, that the text ends in; 0 for none
}

// cut takes the first statement off a text, up to ; or \g or \G outside of
// quotes and comments.
func cut(text string) statement {
	for i := 0; i < len(text); {
		end, open := skip(text, i)
		if open != 0 {
			return statement{text: text, open: open}
		}
		if end > i {
			i = end
			continue
		}
		switch {
		case text[i] == ';':
			return statement{text: text[:i], rest: text[i+1:], whole: true}
		case text[i] == '\\' && i+1 < len(text) && (text[i+1] == 'G' || text[i+1] == 'g'):
			return statement{text: text[:i], rest: text[i+2:], whole: true, vertical: text[i+1] == 'G'}
		}
		i++
	}
	return statement{text: text}
}

// skip is where the quote or the comment ends that begins at i, or i where none
// does; open tells what it is if the text ends in it.
func skip(text string, i int) (end int, open byte) {
	switch c := text[i]; {
	case c == '\'' || c == '"' || c == '`':
		for j := i + 1; j < len(text); j++ {
			switch {
			case text[j] == '\\' && c != '`':
				j++
			case text[j] == c && j+1 < len(text) && text[j+1] == c:
				j++
			case text[j] == c:
				return j + 1, 0
			}
		}
		return len(text), c
	case strings.HasPrefix(text[i:], "/*"):
		if n := strings.Index(text[i+2:], "*/"); n >= 0 {
			return i + 2 + n + 2, 0
		}
		return len(text), '*'
	case isLineComment(text, i):
		if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
			return i + n, 0
		}
		return len(text), 0
	}
	return i, 0
}

// Asks tells whether a text is one statement that only asks: for rows, for what is
// said about the server, or for what a hunt finds.
func Asks(text string) bool {
	st := cut(text)
	if st.open != 0 || st.whole && !blank(st.rest) {
		return false
	}
	list, _ := words(st.text)
	for len(list) > 0 && list[0].text == "(" && list[0].quoted == 0 {
		list = list[1:]
	}
	if len(list) == 0 || list[0].quoted != 0 || strings.HasPrefix(strings.TrimSpace(uncommented(st.text)), "/*") {
		return false
	}
	switch strings.ToUpper(list[0].text) {
	case "SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "TABLE", "VALUES":
		return true
	case "CALL":
		name := ""
		for _, w := range list[1:] {
			if w.text == "(" && w.quoted == 0 {
				break
			}
			name += w.text
		}
		return strings.EqualFold(name, "hunt") || strings.EqualFold(name, "hunt.hunt")
	}
	return false
}

// isLineComment tells whether a comment to the end of the line begins at i.
func isLineComment(text string, i int) bool {
	return text[i] == '#' || strings.HasPrefix(text[i:], "--") && (i+2 == len(text) || text[i+2] <= ' ')
}

// blank tells whether a text has nothing but blanks and comments.
func blank(text string) bool { return strings.TrimSpace(uncommented(text)) == "" }

// uncommented is a text without comments, but for those that are hints or are
// run.
func uncommented(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		end, _ := skip(text, i)
		switch comment := strings.HasPrefix(text[i:], "/*") && !strings.HasPrefix(text[i:], "/*+") && !strings.HasPrefix(text[i:], "/*!"); {
		case end == i:
			b.WriteByte(text[i])
			i++
			continue
		case comment || isLineComment(text, i):
			b.WriteByte(' ')
		default:
			b.WriteString(text[i:end])
		}
		i = end
	}
	return b.String()
}

// oneLine writes a statement in one line, as the history keeps it: without its
// comments, and with \n for the line ends in quotes.
func oneLine(text string) string {
	text = uncommented(text)
	var b strings.Builder
	for i := 0; i < len(text); {
		end, _ := skip(text, i)
		if end == i {
			c := text[i]
			if c == '\n' || c == '\r' {
				c = ' '
			}
			b.WriteByte(c)
			i++
			continue
		}
		b.WriteString(strings.ReplaceAll(text[i:end], "\n", `\n`))
		i = end
	}
	return strings.TrimSpace(b.String())
}
