package shell

import (
	"slices"
	"strings"
	"unicode"

	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/tables"
)

// keywords are the words of statements that are typed most.
var keywords = strings.Fields(`SELECT FROM WHERE AND OR NOT IN IS NULL LIKE BETWEEN REGEXP EXISTS AS DISTINCT JOIN LEFT RIGHT INNER CROSS ON
 USING GROUP BY HAVING ORDER ASC DESC LIMIT OFFSET UNION ALL EXCEPT INTERSECT WITH RECURSIVE ROLLUP CASE WHEN THEN ELSE END INTERVAL
 SECOND MINUTE HOUR DAY WEEK MONTH OVER PARTITION ROWS RANGE PRECEDING FOLLOWING CURRENT ROW UNBOUNDED EXPLAIN ANALYZE SHOW TABLES
 DATABASES COLUMNS WARNINGS PROCESSLIST STATUS VARIABLES DESCRIBE CALL SET USE KILL QUERY TRUE FALSE CAST DATE DATETIME`)

// word is a piece of a statement.
type word struct {
	text   string
	quoted byte // its quote, 0 for none
}

// words cuts a text: names with what qualifies them, quoted texts without their
// quotes, other characters one by one. open tells that the last is a quoted text
// without its end.
func words(text string) (out []word, open bool) {
	for i := 0; i < len(text); {
		end, unfinished := skip(text, i)
		switch c := text[i]; {
		case end > i && (c == '\'' || c == '"' || c == '`'):
			if open = unfinished != 0; open {
				out = append(out, word{text[i+1:], c})
			} else {
				out = append(out, word{text[i+1 : end-1], c})
			}
			i = end
		case end > i: // a comment
			i = end
		case isName(rune(c)):
			end := i
			for end < len(text) && (isName(rune(text[end])) || text[end] == '.') {
				end++
			}
			out = append(out, word{text[i:end], 0})
			i = end
		case c <= ' ':
			i++
		default:
			out = append(out, word{text[i : i+1], 0})
			i++
		}
	}
	return out, open
}

func isName(r rune) bool {
	return r == '_' || r == '$' || r == '@' || r >= 0x80 || unicode.IsLetter(r) || unicode.IsDigit(r)
}

// offer is what may stand at a place: what begins there is replaced.
type offer struct {
	from int // in the text before the cursor
	list []string
}

// completer knows what may be typed next.
type completer struct {
	*catalogue
	functions []string
}

// offers are what may follow a text; after is what stands behind the cursor.
func (c *completer) offers(before, after string) offer {
	if strings.HasPrefix(before, `\`) {
		return c.ofCommand(before)
	}
	list, open := words(before)
	if open {
		typed := list[len(list)-1]
		at := len(before) - len(typed.text)
		quote := string(typed.quoted)
		if strings.HasPrefix(after, quote) {
			quote = ""
		}
		return matching(at, typed.text, c.quotable(list[:len(list)-1], before+after), quote)
	}
	typed := ""
	if n := len(list); n > 0 && list[n-1].quoted == 0 && strings.HasSuffix(before, list[n-1].text) && isName([]rune(list[n-1].text)[0]) {
		typed = list[n-1].text
		list = list[:n-1]
	}
	at := len(before) - len(typed)
	named := c.relationsOf(before + after)
	previous := ""
	if len(list) > 0 {
		previous = strings.ToUpper(list[len(list)-1].text)
	}
	if qualifier, part, ok := lastCut(typed); ok {
		var candidates []string
		for _, n := range named {
			if strings.EqualFold(n.alias, qualifier) || strings.EqualFold(n.relation.called(), qualifier) {
				candidates = append(candidates, n.relation.columns...)
			}
		}
		for _, r := range c.relations {
			if strings.EqualFold(r.schema, qualifier) {
				candidates = append(candidates, r.name)
			}
		}
		return matching(len(before)-len(part), part, candidates, "")
	}
	switch previous {
	case "FROM", "JOIN", "DESCRIBE", "DESC", "TABLE":
		return matching(at, typed, c.relationNames(), " ")
	case "CALL":
		return matching(at, typed, []string{"hunt('"}, "")
	case "USE":
		return matching(at, typed, c.schemas(), "")
	case ",":
		if inFrom(list) {
			return matching(at, typed, c.relationNames(), " ")
		}
	}
	if typed == "" && len(named) == 0 && len(list) > 0 {
		return offer{}
	}
	var candidates []string
	for _, n := range named {
		if n.alias != "" {
			candidates = append(candidates, n.alias+".")
		}
		candidates = append(candidates, n.relation.columns...)
	}
	if len(named) == 0 { // FROM is typed later
		for i := range c.relations {
			if c.relations[i].schema == tables.Main {
				candidates = append(candidates, c.relations[i].columns...)
			}
		}
	}
	columns := matching(at, typed, candidates, "")
	if typed == "" && len(named) > 0 {
		return columns
	}
	lower := typed == strings.ToLower(typed)
	cased := func(words []string, end string) []string {
		out := make([]string, len(words))
		for i, w := range words {
			if out[i] = w + end; lower {
				out[i] = strings.ToLower(w) + end
			}
		}
		return out
	}
	others := matching(at, typed, cased(keywords, ""), " ")
	if len(list) > 0 { // a function begins no statement
		others.list = append(others.list, matching(at, typed, cased(c.functions, "("), "").list...)
	}
	columns.list = append(columns.list, others.list...)
	if len(columns.list) > 1 { // then nothing can follow yet
		for i := range columns.list {
			columns.list[i] = strings.TrimRight(columns.list[i], " ")
		}
	}
	return columns
}

// matching are the candidates that begin as was typed. end is appended.
func matching(at int, typed string, candidates []string, end string) offer {
	o := offer{from: at}
	for _, c := range candidates {
		if len(c) >= len(typed) && strings.EqualFold(c[:len(typed)], typed) {
			o.list = append(o.list, c+end)
		}
	}
	slices.Sort(o.list)
	o.list = slices.Compact(o.list)
	return o
}

func lastCut(typed string) (before, after string, ok bool) {
	i := strings.LastIndexByte(typed, '.')
	if i <= 0 {
		return "", typed, false
	}
	return typed[:i], typed[i+1:], true
}

// inFrom tells whether the list that goes on is that of relations.
func inFrom(list []word) bool {
	for _, w := range slices.Backward(list) {
		switch upper := strings.ToUpper(w.text); {
		case w.quoted != 0:
		case upper == "FROM" || upper == "JOIN":
			return true
		case w.text == "(" || w.text == ")" || upper == "SELECT" || upper == "WHERE" || upper == "BY" || upper == "ON":
			return false
		}
	}
	return false
}

// source is a relation as a statement names it.
type source struct {
	*relation
	alias string
}

// relationsOf are those that a statement names.
func (c *completer) relationsOf(statement string) (out []source) {
	list, _ := words(statement)
	for i, w := range list {
		if i == 0 || w.quoted != 0 && w.quoted != '`' {
			continue
		}
		switch strings.ToUpper(list[i-1].text) {
		case "FROM", "JOIN", ",":
		default:
			continue
		}
		r := c.named(w.text)
		if r == nil {
			continue
		}
		n := source{relation: r}
		rest := list[i+1:]
		if len(rest) > 0 && strings.EqualFold(rest[0].text, "as") {
			rest = rest[1:]
		}
		if len(rest) > 0 && isName([]rune(rest[0].text + " ")[0]) && !slices.Contains(keywords, strings.ToUpper(rest[0].text)) {
			n.alias = rest[0].text
		}
		out = append(out, n)
	}
	return out
}

// quotable are the texts that can stand in quotes behind what was typed: names
// of hunts and of their parameters, and values of the column they are compared
// with.
func (c *completer) quotable(list []word, statement string) []string {
	n := len(list)
	if n == 0 {
		return nil
	}
	for i, w := range list { // CALL hunt ( … , or CALL hunt . hunt ( …
		if w.text != "(" || i < 2 || !strings.EqualFold(list[i-2].text, "CALL") {
			continue
		}
		if name := strings.ToLower(list[i-1].text); name != "hunt" && name != "hunt.hunt" {
			return nil
		}
		given := 0
		for _, w := range list[i+1:] {
			if w.quoted == 0 && w.text == "," {
				given++
			}
		}
		switch {
		case given == 0:
			return c.huntNames()
		case given%2 == 1:
			return c.parameters(list[i+1].text)
		}
		return nil
	}
	i := n - 1
	for i >= 0 && (list[i].quoted != 0 || list[i].text == ",") { // IN ('a', 'b', …
		i--
	}
	switch {
	case i >= 1 && list[i].text == "(" && strings.EqualFold(list[i-1].text, "in"):
		if i -= 2; i >= 0 && strings.EqualFold(list[i].text, "not") {
			i--
		}
	case i == n-1 && strings.EqualFold(list[i].text, "like"):
		if i--; i >= 0 && strings.EqualFold(list[i].text, "not") {
			i--
		}
	default:
		for i == n-1 || i >= 0 && strings.ContainsAny(list[i].text, "=<>!") {
			if !strings.ContainsAny(list[i].text, "=<>!") {
				return nil
			}
			i--
		}
	}
	if i < 0 {
		return nil
	}
	_, column, _ := lastCut(list[i].text)
	var out []string
	for _, s := range c.relationsOf(statement) {
		out = append(out, c.values(s.relation, column)...)
	}
	return out
}

func (c *completer) relationNames() (out []string) {
	for i := range c.relations {
		if r := &c.relations[i]; slices.Contains([]string{tables.Main, tables.Ops, tables.Hunt}, r.schema) {
			out = append(out, r.called())
		}
	}
	return out
}

func (c *completer) schemas() (out []string) {
	for _, r := range c.relations {
		out = append(out, r.schema)
	}
	return out
}

func (c *completer) huntNames() (out []string) {
	for _, h := range c.hunts {
		out = append(out, h.name)
	}
	return out
}

func (c *completer) parameters(hunt string) []string {
	for _, h := range c.hunts {
		if h.name == hunt {
			return h.parameters
		}
	}
	return huntTimes
}

// ofCommand completes a command that begins with a backslash.
func (c *completer) ofCommand(before string) offer {
	at := strings.LastIndexAny(before, " \t") + 1
	typed := before[at:]
	done := strings.Fields(before[:at])
	if len(done) == 0 {
		var names []string
		for _, x := range commands {
			names = append(names, `\`+x.name)
		}
		o := matching(at, typed, names, "")
		if len(o.list) == 1 {
			o.list[0] += " "
		}
		return o
	}
	switch done[0] {
	case `\d`:
		return matching(at, typed, c.relationNames(), "")
	case `\format`:
		return matching(at, typed, append([]string{autoFormat}, output.Formats...), "")
	case `\h`, `\hunt`:
		if len(done) == 1 {
			return matching(at, typed, c.huntNames(), "")
		}
		if done[0] == `\hunt` && len(done)%2 == 0 {
			return matching(at, typed, c.parameters(done[1]), "")
		}
	case `\timing`:
		return matching(at, typed, []string{"on", "off"}, "")
	}
	return offer{}
}
