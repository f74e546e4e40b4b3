package shell

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/tables"
)

// catalogue is what there is to name.
type catalogue struct {
	relations []relation
	hunts     []savedHunt
	hosts     []string
}

// mostHosts are offered: the first in the alphabet.
const mostHosts = "2000"

type relation struct {
	schema, name string
	columns      []string
}

type savedHunt struct {
	name       string
	parameters []string
}

// huntTimes are the parameters that every hunt has.
var huntTimes = []string{"since", "from", "to"}

// load asks the source what there is, for this account.
func load(ctx context.Context, s Source) (*catalogue, error) {
	c := &catalogue{}
	rows, err := Texts(ctx, s, "SELECT table_schema, table_name, column_name FROM information_schema.columns ORDER BY table_schema, table_name, ordinal_position")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		if n := len(c.relations); n == 0 || c.relations[n-1].schema != r[0] || c.relations[n-1].name != r[1] {
			c.relations = append(c.relations, relation{schema: r[0], name: r[1]})
		}
		last := &c.relations[len(c.relations)-1]
		last.columns = append(last.columns, r[2])
	}
	// Accounts without a right to them have no hunts.
	rows, _ = Texts(ctx, s, "SELECT name, COALESCE(parameters, '') FROM "+tables.Hunt+".hunts WHERE error IS NULL ORDER BY name")
	for _, r := range rows {
		h := savedHunt{name: r[0], parameters: slices.Clone(huntTimes)}
		for line := range strings.Lines(r[1]) {
			if words := strings.Fields(line); len(words) > 0 {
				h.parameters = append(h.parameters, words[0])
			}
		}
		c.hunts = append(c.hunts, h)
	}
	rows, _ = Texts(ctx, s, "SELECT DISTINCT name FROM hosts WHERE name REGEXP '^[-._a-z0-9]+$' ORDER BY name LIMIT "+mostHosts)
	for _, r := range rows {
		c.hosts = append(c.hosts, r[0])
	}
	return c, nil
}

// Texts is the text of an answer's cells.
func Texts(ctx context.Context, s Source, statement string) ([][]string, error) {
	answer, err := s.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	var out [][]string
	for {
		row, err := answer.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		cells := make([]string, len(row))
		for i, v := range row {
			cells[i], _ = output.Text(v)
		}
		out = append(out, cells)
	}
}

// named are the relations of a name, which may have its schema before it. What
// has none is of the main schema, if that has it.
func (c *catalogue) named(name string) *relation {
	schema, table, qualified := strings.Cut(name, ".")
	if !qualified {
		schema, table = tables.Main, name
	}
	for i := range c.relations {
		if r := &c.relations[i]; strings.EqualFold(r.schema, schema) && strings.EqualFold(r.name, table) {
			return r
		}
	}
	return nil
}

// called is how a statement names a relation.
func (r *relation) called() string {
	if r.schema == tables.Main {
		return r.name
	}
	return r.schema + "." + r.name
}

// values are those of a column that has few, and names of hosts.
func (c *catalogue) values(r *relation, column string) []string {
	known := tables.Lookup(r.schema, r.name)
	if known == nil {
		return nil
	}
	col := known.Column(strings.ToLower(column))
	switch {
	case col == nil:
		return nil
	case col.Values != nil:
		return col.Values
	case col.Kind == tables.HostName:
		return c.hosts
	}
	return col.Known
}
