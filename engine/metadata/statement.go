package metadata

import (
	"strings"

	"github.com/wiresql/wiresql/functions"
)

// Kind says what a statement is.
type Kind uint8

const (
	// None is a statement that is not about the server.
	None Kind = iota
	// Query is one that asks: Text is the SELECT to answer instead.
	Query
	// Evaluate is DO: Text is a SELECT whose rows nobody wants.
	Evaluate
	// Done is one that has nothing to do here, such as LOCK TABLES … READ of
	// tables that nobody can write.
	Done
)

// Statement is what a statement about the server comes to.
type Statement struct {
	Kind Kind
	Text string
	// Warnings tells that it asks for the warnings of the one before, which it
	// must leave.
	Warnings bool
}

// Translate reads a statement. None without an error is one for others to
// answer; an error is the statement's.
func Translate(text string, s Server) (Statement, error) {
	first := firstWord(text)
	parse := readers[first]
	if parse == nil {
		return Statement{}, nil
	}
	r := &reader{text: text, tokens: tokens(text)}
	for len(r.tokens) > 0 && r.tokens[len(r.tokens)-1].text == ";" && r.tokens[len(r.tokens)-1].kind == signToken {
		r.tokens = r.tokens[:len(r.tokens)-1]
	}
	r.at = 1
	return parse(r, s)
}

// firstWord is the word a statement begins with, in upper case.
func firstWord(text string) string {
	for i := 0; i < len(text) && i < 64<<10; {
		switch c := text[i]; {
		case isWord(c) || c == '`':
			end := i
			for end < len(text) && isWord(text[end]) {
				end++
			}
			return strings.ToUpper(text[i:end])
		case c <= ' ':
			i++
		default: // a comment, or no statement
			list := tokens(text[i:min(len(text), 64<<10)])
			if len(list) == 0 || list[0].kind != wordToken {
				return ""
			}
			return strings.ToUpper(list[0].text)
		}
	}
	return ""
}

var readers = map[string]func(*reader, Server) (Statement, error){}

func init() {
	for word, read := range map[string]func(*reader, Server) (Statement, error){
		"SHOW": show, "DESC": describe, "DESCRIBE": describe, "EXPLAIN": describe, "HELP": help, "DO": do, "XA": xa,
		"LOCK": lock, "UNLOCK": lock, "CHECK": maintain, "CHECKSUM": maintain, "ANALYZE": maintain, "OPTIMIZE": maintain, "REPAIR": maintain,
		"TABLE": table,
	} {
		readers[word] = read
	}
}

func mistake(number int, format string, args ...any) error {
	return functions.Errorf(number, format, args...)
}

// syntax is MySQL's error of a statement that can't be read from here on.
func (r *reader) syntax() error {
	near := r.text[min(r.peek(0).start, len(r.text)):]
	if len(near) > 80 {
		near = near[:80]
	}
	line := 1 + strings.Count(r.text[:len(r.text)-len(near)], "\n")
	return mistake(1064, "You have an error in your SQL syntax; check the manual for the right syntax to use near '%s' at line %d", near, line)
}

// asked makes a query of a SELECT.
func asked(r *reader, text string) (Statement, error) {
	if !r.ended() {
		return Statement{}, r.syntax()
	}
	return Statement{Kind: Query, Text: text}, nil
}

func done(r *reader) (Statement, error) {
	if !r.ended() {
		return Statement{}, r.syntax()
	}
	return Statement{Kind: Done}, nil
}

// schemaOr is a schema as it was written, or the one that was chosen.
func schemaOr(s Server, schema string) (string, error) {
	if schema == "" {
		if schema = s.Database(); schema == "" {
			return "", mistake(1046, "No database selected")
		}
	}
	schema = strings.ToLower(schema)
	for _, known := range Schemas {
		if known != schema {
			continue
		}
		if !mayEnter(s, schema) {
			user, host := s.User()
			return "", mistake(1044, "Access denied for user '%s'@'%s' to database '%s'", user, host, schema)
		}
		return schema, nil
	}
	return "", mistake(1049, "Unknown database '%s'", schema)
}

// describe is DESCRIBE and EXPLAIN of a table; of a statement it is none of ours.
func describe(r *reader, s Server) (Statement, error) {
	first := r.peek(0)
	if r.is("INSERT") || r.is("UPDATE") || r.is("DELETE") || r.is("REPLACE") {
		return Statement{}, onlyAnswers(strings.ToUpper(first.text))
	}
	if first.kind == wordToken && notTables[strings.ToUpper(first.text)] {
		return Statement{}, nil
	}
	schema, table, ok := r.table()
	if !ok {
		return Statement{}, nil
	}
	where := ""
	switch t := r.peek(0); t.kind {
	case textToken:
		r.at++
		where = " WHERE Field LIKE " + quoted(t.text)
	case wordToken, nameToken:
		r.at++
		where = " WHERE Field LIKE " + quoted(strings.NewReplacer("_", `\_`, "%", `\%`).Replace(t.text))
	}
	return showColumns(r, s, schema, table, false, where)
}

// notTables are words behind EXPLAIN that are no table.
var notTables = map[string]bool{"SELECT": true, "FORMAT": true, "ANALYZE": true, "EXTENDED": true, "PARTITIONS": true, "TABLE": true,
	"WITH": true, "VALUES": true, "FOR": true, "SHOW": true, "SET": true, "CALL": true, "INTO": true}

// help is HELP, which has no texts here.
func help(r *reader, _ Server) (Statement, error) {
	r.next()
	return asked(r, "SELECT name, 'N' AS is_it_category FROM mysql.help_topic LIMIT 0")
}

// do is DO: expressions that are computed for what they do.
func do(r *reader, _ Server) (Statement, error) {
	if r.ended() {
		return Statement{}, r.syntax()
	}
	return Statement{Kind: Evaluate, Text: "SELECT " + r.text[r.peek(0).start:]}, nil
}

// table is TABLE: all columns and rows of one, perhaps in an order.
func table(r *reader, _ Server) (Statement, error) {
	from := r.peek(0).start
	if _, _, ok := r.table(); !ok {
		return Statement{}, r.syntax()
	}
	if !r.ended() && !r.is("ORDER") && !r.is("LIMIT") && !r.is("UNION") && !r.is("INTERSECT") && !r.is("EXCEPT") {
		return Statement{}, r.syntax()
	}
	return Statement{Kind: Query, Text: "SELECT * FROM " + r.text[from:]}, nil
}

// xa lists distributed transactions, of which there are none.
func xa(r *reader, _ Server) (Statement, error) {
	if r.take("RECOVER CONVERT XID", "RECOVER") {
		return asked(r, "SELECT 0 AS formatID, 0 AS gtrid_length, 0 AS bqual_length, '' AS data FROM mysql.help_topic LIMIT 0")
	}
	return Statement{}, onlyAnswers("XA")
}

// lock is LOCK TABLES, which programs that copy tables send: nobody writes what
// they read, so that a lock to read is there already.
func lock(r *reader, s Server) (Statement, error) {
	unlock := strings.EqualFold(r.tokens[0].text, "UNLOCK")
	if unlock && r.take("INSTANCE") || r.take("INSTANCE FOR BACKUP") {
		return done(r)
	}
	if !r.take("TABLES", "TABLE") {
		return Statement{}, r.syntax()
	}
	for !unlock {
		schema, table, ok := r.table()
		if !ok {
			return Statement{}, r.syntax()
		}
		if _, err := readable(s, schema, table); err != nil {
			return Statement{}, err
		}
		if r.take("AS"); !r.is("READ") && !r.is("WRITE") && !r.is("LOW_PRIORITY") {
			if _, ok := r.identifier(); !ok {
				return Statement{}, r.syntax()
			}
		}
		if r.take("WRITE", "LOW_PRIORITY WRITE") {
			return Statement{}, onlyAnswers("LOCK TABLES … WRITE")
		}
		if !r.take("READ LOCAL", "READ") {
			return Statement{}, r.syntax()
		}
		if !r.take(",") {
			break
		}
	}
	return done(r)
}

// maintain is CHECK, CHECKSUM, ANALYZE, OPTIMIZE and REPAIR TABLE, of which tables
// here have no need: that is what MySQL answers for an engine without them.
func maintain(r *reader, s Server) (Statement, error) {
	word := strings.ToUpper(r.tokens[0].text)
	if word == "ANALYZE" && !r.is("TABLE") && !r.is("TABLES") && !r.is("NO_WRITE_TO_BINLOG") && !r.is("LOCAL") {
		return Statement{}, nil // MariaDB's ANALYZE of a statement
	}
	if r.take("NO_WRITE_TO_BINLOG", "LOCAL"); !r.take("TABLE", "TABLES") {
		return Statement{}, r.syntax()
	}
	var rows []string
	for {
		schema, table, ok := r.table()
		if !ok {
			return Statement{}, r.syntax()
		}
		rel, err := readable(s, schema, table)
		if err != nil {
			return Statement{}, err
		}
		full := quoted(rel.Schema + "." + rel.Name)
		if word == "CHECKSUM" {
			rows = append(rows, "SELECT "+full+" AS `Table`, CAST(NULL AS SIGNED) AS Checksum")
		} else {
			op := strings.ToLower(word)
			rows = append(rows, "SELECT "+full+" AS `Table`, '"+op+"' AS Op, 'note' AS Msg_type, "+
				"'The storage engine for the table doesn''t support "+op+"' AS Msg_text")
		}
		if !r.take(",") {
			break
		}
	}
	if word == "ANALYZE" && r.take("UPDATE HISTOGRAM ON", "DROP HISTOGRAM ON") {
		r.at = len(r.tokens) // of which columns, with how many buckets
	}
	for r.take("QUICK", "EXTENDED", "FAST", "MEDIUM", "CHANGED", "FOR UPGRADE", "USE_FRM") {
	}
	return asked(r, strings.Join(rows, " UNION ALL "))
}
