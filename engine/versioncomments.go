package engine

import "strings"

// OpenComments opens the comments that MySQL runs, /*! … */ and /*!80000 … */, and
// takes away those of a later version or of MariaDB (/*!100100 … */, /*M! … */):
// MySQL manual, 11.7. Text without such comments is returned as it is.
func OpenComments(text string) string {
	if !strings.Contains(text, "/*!") && !strings.Contains(text, "/*M!") {
		return text
	}
	var b strings.Builder
	open := false
	for i := 0; i < len(text); {
		rest := text[i:]
		switch c := text[i]; {
		case c == '\'' || c == '"' || c == '`':
			end := quotedEnd(text, i)
			b.WriteString(text[i:end])
			i = end
		case strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!"):
			digits := i + strings.IndexByte(rest, '!') + 1
			end := digits
			for end < len(text) && end < digits+6 && text[end] >= '0' && text[end] <= '9' {
				end++
			}
			if n := end - digits; rest[2] == '!' && (n < 5 || text[digits:end] <= serverNumber && n == 5) {
				if n < 5 {
					end = digits
				}
				open = true
				b.WriteByte(' ')
				i = end
				continue
			}
			i = commentEnd(text, digits)
		case open && strings.HasPrefix(rest, "*/"):
			open = false
			b.WriteByte(' ')
			i += 2
		case strings.HasPrefix(rest, "/*"):
			end := commentEnd(text, i+2)
			b.WriteString(text[i:end])
			i = end
		case c == '#' || strings.HasPrefix(rest, "-- "):
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				end = len(rest)
			}
			b.WriteString(rest[:end])
			i += end
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String()
}

// serverNumber is the version that comments are compared with.
const serverNumber = "80033"

func commentEnd(text string, from int) int {
	if end := strings.Index(text[from:], "*/"); end >= 0 {
		return from + end + 2
	}
	return len(text)
}

// quotedEnd is the end of a quoted text that begins at a quote.
func quotedEnd(text string, at int) int {
	quote := text[at]
	for i := at + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quote != '`':
			i++
		case text[i] == quote:
			if i+1 < len(text) && text[i+1] == quote {
				i++
				continue
			}
			return i + 1
		}
	}
	return len(text)
}
