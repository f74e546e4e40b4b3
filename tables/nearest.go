package tables

import "strings"

// Nearest finds the word that was meant by one that does not exist: of those
// at the smallest distance the first, regardless of case. Of a qualified name
// (ops.imports) its last part will do. When nothing is as near as a typing
// error, it is the first that begins with the word, or that the word begins
// with, from three letters on; else "".
//
// The distance counts letters put in, left out, changed, and swapped with their
// neighbour (optimal string alignment); one in three may be wrong.
func Nearest(word string, of []string) string {
	if word == "" {
		return ""
	}
	word = strings.ToLower(word)
	best, least := "", max(1, len(word)/3)+1
	for _, name := range of {
		lower := strings.ToLower(name)
		d := distance(word, lower, least)
		if dot := strings.LastIndexByte(lower, '.'); dot >= 0 {
			d = min(d, distance(word, lower[dot+1:], least))
		}
		if d < least {
			best, least = name, d
		}
	}
	if best != "" || len(word) < 3 {
		return best
	}
	for _, name := range of {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, word) || len(lower) >= 3 && strings.HasPrefix(word, lower) {
			return name
		}
	}
	return ""
}

// distance is that between two words in bytes; limit stands for anything from
// limit on.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	// The last three rows of the table of distances of the words' beginnings.
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above, row = above, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}

// DidYouMean ends the error of a table that does not exist: the one that may be
// meant, of another schema or with another spelling. It is empty if there is none.
func DidYouMean(schema, table string) string {
	var names []string
	near := ""
	for _, r := range Relations {
		name := r.Name
		if r.Schema != schema {
			name = r.Schema + "." + name
		}
		if names = append(names, name); near == "" && strings.EqualFold(r.Name, table) {
			near = name
		}
	}
	if near == "" {
		near = Nearest(table, names)
	}
	if near == "" {
		return ""
	}
	return ": did you mean " + near + "?"
}
