package sqlserver

import (
	"regexp"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// quirk is a statement that clients send and go-mysql-server does not know.
// Each is answered truthfully: there is nothing to list, or the answer is
// known here.
type quirk struct {
	match  *regexp.Regexp
	names  []string // columns
	answer func(h *handler, ctx *sql.Context, m []string) []sql.Row
}

func nothing(*handler, *sql.Context, []string) []sql.Row { return nil }

var quirks = []quirk{
	// Metabase and phpMyAdmin ask what they may do.
	{regexp.MustCompile(`^SHOW GRANTS( FOR CURRENT_USER(\(\))?)?$`), []string{"Grants for current user"},
		func(h *handler, ctx *sql.Context, _ []string) (rows []sql.Row) {
			for _, g := range h.grants.show(ctx.Session.Client().User) {
				rows = append(rows, sql.Row{g})
			}
			return rows
		}},
	// The mariadb shell and drivers after each statement.
	{regexp.MustCompile(`^SHOW ERRORS( LIMIT \d+)?$`), []string{"Level", "Code", "Message"}, nothing},
	{regexp.MustCompile(`^SHOW COUNT ?\( ?\* ?\) (WARNINGS|ERRORS)$`), []string{"@@session.count"},
		func(_ *handler, ctx *sql.Context, m []string) []sql.Row {
			n := int64(0)
			if m[1] == "WARNINGS" {
				n = int64(ctx.Session.WarningCount())
			}
			return []sql.Row{{n}}
		}},
	// HeidiSQL, phpMyAdmin.
	{regexp.MustCompile(`^SHOW OPEN TABLES\b`), []string{"Database", "Table", "In_use", "Name_locked"}, nothing},
	{regexp.MustCompile(`^SHOW PROFILES$`), []string{"Query_ID", "Duration", "Query"}, nothing},
	{regexp.MustCompile(`^SHOW (FULL )?TRIGGERS\b`), []string{"Trigger", "Event", "Table", "Statement", "Timing", "Created", "sql_mode", "Definer"}, nothing},
	{regexp.MustCompile(`^HELP\b`), []string{"source_category_name", "name", "is_it_category"}, nothing},
}

// describeColumn is DESC with a column, which the parser does not know.
var describeColumn = regexp.MustCompile("(?i)^\\s*DESC(?:RIBE)?\\s+([\\w.`]+)\\s+['`]?([\\w%]+)['`]?\\s*;?\\s*$")

// namesCollation is SET NAMES with a collation, which go-mysql-server reads
// and forgets.
var namesCollation = regexp.MustCompile(`(?i)^\s*(SET\s+NAMES\s+(?:'\w+'|"\w+"|\w+))\s+COLLATE\s+['"]?(\w+)['"]?\s*(?:,|;?\s*$)`)

// notTables are words that follow DESC or EXPLAIN and are no table.
var notTables = map[string]bool{"SELECT": true, "FORMAT": true, "ANALYZE": true, "EXTENDED": true, "TABLE": true, "PLAN": true}

// answer handles the statements above. It looks only at short texts: none of
// them is long.
func (h *handler) answer(ctx *sql.Context, st *statement) (sql.Schema, []sql.Row, bool) {
	if len(st.text) > 200 || st.prepared {
		return nil, nil, false
	}
	if m := namesCollation.FindStringSubmatch(st.text); m != nil {
		rest := strings.TrimLeft(st.text[len(m[0]):], ", ")
		if st.text = m[1] + ", collation_connection = '" + m[2] + "'"; rest != "" {
			st.text += ", " + rest
		}
		return nil, nil, false
	}
	text := strings.ToUpper(strings.Join(strings.Fields(strings.TrimRight(strings.TrimSpace(st.text), "; ")), " "))
	if strings.Contains(text, ";") {
		return nil, nil, false
	}
	for _, q := range quirks {
		m := q.match.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		schema := make(sql.Schema, len(q.names))
		for i, name := range q.names {
			schema[i] = &sql.Column{Name: name, Type: types.LongText}
		}
		rows := q.answer(h, ctx, m)
		if len(rows) > 0 {
			if _, ok := rows[0][0].(int64); ok {
				schema[0].Type = types.Int64
			}
		}
		return schema, rows, true
	}
	if m := describeColumn.FindStringSubmatch(st.text); m != nil && !notTables[strings.ToUpper(m[1])] {
		st.text = "SHOW COLUMNS FROM " + m[1] + " LIKE '" + m[2] + "'"
	}
	return nil, nil, false
}
