package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"go.yaml.in/yaml/v3"
)

// The dashboards of deploy/grafana, asked as Grafana asks: its macros expanded as
// its MySQL data source does, over the wire, through the driver it uses.

// The time the dashboards show, in seconds: it begins in the middle of the first minute, and
// of the first quarter of one, in which the demo has packets, and ends in the last.
const (
	grafanaFrom = 1781259250 // 2026-06-12 10:14:10
	grafanaTo   = 1781273340 // 2026-06-12 14:09:00
)

// grafanaTotals are the panels whose series add up to a number that is known otherwise: what
// is shown at the ends is whole, although the range cuts it.
var grafanaTotals = map[string]struct {
	total string
	// perSecond: values are rates, and this many times what was counted.
	perSecond float64
}{
	"Connections begun":                    {"SELECT COUNT(*) FROM host_flows WHERE host = 'gavin.reid-machine'", 0},
	"Bytes of connections, at their begin": {"SELECT SUM(bytes_in + bytes_out) FROM host_flows WHERE host = 'gavin.reid-machine'", 0},
	"Packets a second":                     {"SELECT SUM(packets) FROM ops.imports", 1},
	"SYNs and new flows a second":          {"SELECT COUNT(*) + (SELECT COUNT(*) FROM packets WHERE tcp_flags = 'S') FROM connections", 1},
	"Traffic by direction":                 {"SELECT SUM(bytes) FROM connections", 8},
	"Traffic by service":                   {"SELECT SUM(bytes) FROM connections", 8},
	"New connections":                      {"SELECT COUNT(*) FROM connections", 1},
	"Packets by observer":                  {"SELECT SUM(packets) FROM connections", 1},
}

// grafanaMacro is a macro and its arguments, as Grafana finds them.
var grafanaMacro = regexp.MustCompile(`\$(__[_a-zA-Z0-9]+)\b(?:\(([^\)]*)\))?`)

// grafanaText replaces Grafana's variables, then its macros.
func grafanaText(t *testing.T, text string, interval time.Duration, variables map[string]string) string {
	t.Helper()
	for name, value := range variables {
		quoted := "'" + strings.ReplaceAll(value, "'", "''") + "'" // what :sqlstring does
		text = strings.ReplaceAll(text, "${"+name+":sqlstring}", quoted)
	}
	text = strings.ReplaceAll(text, "$__interval_ms", strconv.FormatInt(interval.Milliseconds(), 10))
	text = strings.ReplaceAll(text, "$__unixEpochFrom()", strconv.Itoa(grafanaFrom))
	text = strings.ReplaceAll(text, "$__unixEpochTo()", strconv.Itoa(grafanaTo))
	text = strings.ReplaceAll(text, "$__interval", fmt.Sprintf("%ds", int(interval.Seconds())))
	if strings.Contains(text, "${") {
		t.Errorf("a variable is left in %s", text)
	}
	return grafanaMacro.ReplaceAllStringFunc(text, func(found string) string {
		m := grafanaMacro.FindStringSubmatch(found)
		args := strings.Split(m[2], ",")
		for i := range args {
			args[i] = strings.TrimSpace(args[i])
		}
		switch m[1] {
		case "__timeFilter":
			return fmt.Sprintf("%s BETWEEN FROM_UNIXTIME(%d) AND FROM_UNIXTIME(%d)", args[0], grafanaFrom, grafanaTo)
		case "__timeFrom":
			return fmt.Sprintf("FROM_UNIXTIME(%d)", grafanaFrom)
		case "__timeTo":
			return fmt.Sprintf("FROM_UNIXTIME(%d)", grafanaTo)
		case "__timeGroupAlias":
			d, err := time.ParseDuration(strings.Trim(args[1], "'"))
			if err != nil {
				t.Errorf("%s: %v", found, err)
			}
			return fmt.Sprintf(`UNIX_TIMESTAMP(%s) DIV %d * %d AS "time"`, args[0], int(d.Seconds()), int(d.Seconds()))
		}
		t.Errorf("%s is no macro that is used here", found)
		return found
	})
}

// grafanaPanel is the part of a panel that is asked.
type grafanaPanel struct {
	ID       int
	Title    string
	Type     string
	Interval string
	Targets  []struct{ Format, RawSQL string }
}

// grafanaAnnotation is what marks times in the panels of a dashboard.
type grafanaAnnotation struct {
	Name   string
	Target struct{ RawSQL string }
}

func TestGrafana(t *testing.T) {
	c, _ := serveOnly(t)
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr, cfg.DBName = c.user, c.password, "tcp", c.host+":"+c.port, "wiresql"
	cfg.Collation, cfg.ParseTime, cfg.Loc, cfg.TLSConfig = "utf8mb4_unicode_ci", true, time.UTC, "skip-verify"
	cfg.Params = map[string]string{"time_zone": "'+00:00'"}
	db := openConfig(t, cfg)
	files, err := filepath.Glob("deploy/grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	// What the demo has nothing of: nothing was lost, evicted or exported there.
	compared := 0
	empty := []string{"Datagrams that came", "Lost", "Exporters", "Evicted"}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			checkDashboard(t, text)
			var d struct {
				Annotations struct {
					List []grafanaAnnotation
				}
				Panels     []grafanaPanel
				Templating struct {
					List []struct{ Name, Type, Query string }
				}
			}
			if err := json.Unmarshal(text, &d); err != nil {
				t.Fatal(err)
			}
			variables := map[string]string{"host": "gavin.reid-machine", "hunt": "beaconing"}
			for _, v := range d.Templating.List {
				if v.Type != "query" {
					continue
				}
				if !strings.Contains(v.Query, "LIMIT") {
					t.Errorf("variable %s has no LIMIT", v.Name)
				}
				if list := askGrafana(t, db, v.Name, grafanaText(t, v.Query, time.Minute, variables)); len(list.rows) == 0 {
					t.Errorf("variable %s has no values", v.Name)
				} else if variables[v.Name] == "" {
					variables[v.Name] = fmt.Sprintf("%s", list.rows[0][0])
				}
			}
			for _, a := range d.Annotations.List {
				got := askGrafana(t, db, a.Name, grafanaText(t, a.Target.RawSQL, time.Minute, variables))
				var names []string
				for _, c := range got.columns {
					names = append(names, c.Name()+" "+c.DatabaseTypeName())
				}
				if want := "time DATETIME, timeend DATETIME, text VARCHAR, tags VARCHAR"; strings.Join(names, ", ") != want {
					t.Errorf("%s has %s, want %s", a.Name, names, want)
				}
			}
			ids := map[int]bool{}
			for _, p := range d.Panels {
				if ids[p.ID] || p.ID == 0 {
					t.Errorf("%s has id %d, as another has", p.Title, p.ID)
				}
				ids[p.ID] = true
				interval := 15 * time.Second
				if p.Interval == "1m" {
					interval = time.Minute
				}
				for _, target := range p.Targets {
					got := askGrafana(t, db, p.Title, grafanaText(t, target.RawSQL, interval, variables))
					if len(got.rows) == 0 && !slices.Contains(empty, p.Title) {
						t.Errorf("%s shows nothing: %s", p.Title, target.RawSQL)
					}
					if target.Format != "time_series" {
						continue
					}
					shown := got.isSeries(t, p.Title)
					if known, ok := grafanaTotals[p.Title]; ok {
						compared++
						want := grafanaNumber(t, askGrafana(t, db, p.Title, known.total).rows[0][0])
						if known.perSecond > 0 {
							want *= known.perSecond / interval.Seconds()
						}
						if math.Abs(shown-want) > want/1e4 { // a rate has four places
							t.Errorf("%s: its points add up to %f, %s says %f", p.Title, shown, known.total, want)
						}
					}
				}
			}
		})
	}
	if compared != len(grafanaTotals) {
		t.Errorf("%d panels were added up", compared)
	}
}

// checkDashboard holds a dashboard to Grafana's schema.
func checkDashboard(t *testing.T, text []byte) {
	t.Helper()
	plugins.RegisterDefaultPlugins()
	// Of the target of an annotation the schema knows only what Grafana's own source
	// takes; others have what their queries have.
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for _, a := range all["annotations"].(map[string]any)["list"].([]any) {
		delete(a.(map[string]any), "target")
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 what Grafana reads of provisioned files before version 12, and still; the second schema is its API's
	var known dashboard.Dashboard
	var mistakes cog.BuildErrors // an empty list of them stands for none
	if err := known.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &mistakes) || len(mistakes) > 0) {
		t.Errorf("not of Grafana's schema: %v", err)
		return
	}
	if err := known.Validate(); err != nil {
		t.Errorf("not of Grafana's schema: %v", err)
	}
}

// grafanaRows is an answer as the data source sees it.
type grafanaRows struct {
	columns []*sql.ColumnType
	rows    [][]any
}

func askGrafana(t *testing.T, db *sql.DB, what, text string) (out grafanaRows) {
	t.Helper()
	rows, err := db.Query(text)
	if err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
		return out
	}
	defer rows.Close()
	if out.columns, err = rows.ColumnTypes(); err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row := make([]any, len(out.columns))
		to := make([]any, len(row))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		out.rows = append(out.rows, row)
	}
	if err := rows.Err(); err != nil {
		t.Errorf("%s: %v\n%s", what, err, text)
	}
	return out
}

// isSeries checks what Grafana needs of a series: a column time of seconds,
// ascending, a text at the most that names the series, and numbers, which it adds up.
func (r grafanaRows) isSeries(t *testing.T, what string) (sum float64) {
	t.Helper()
	var numbers []int
	for i, c := range r.columns {
		kind := c.DatabaseTypeName()
		switch {
		case i == 0 && c.Name() == "time" && kind == "BIGINT":
		case c.Name() == "metric" && strings.Contains("VARCHAR TEXT", kind):
		case slices.Contains([]string{"INT", "BIGINT", "DECIMAL", "DOUBLE"}, kind):
			numbers = append(numbers, i)
		default:
			t.Errorf("%s: column %s of type %s", what, c.Name(), kind)
		}
	}
	if len(numbers) == 0 {
		t.Errorf("%s: no number", what)
	}
	last := 0.0
	for _, row := range r.rows {
		at := grafanaNumber(t, row[0])
		if at < last {
			t.Errorf("%s: time %v after %f", what, row[0], last)
		}
		last = at
		for _, i := range numbers {
			sum += grafanaNumber(t, row[i])
		}
	}
	return sum
}

// grafanaNumber reads a number as the driver gives it.
func grafanaNumber(t *testing.T, v any) float64 {
	t.Helper()
	text := fmt.Sprint(v)
	if b, ok := v.([]byte); ok {
		text = string(b)
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Errorf("%v: %v", v, err)
	}
	return n
}

// TestGrafanaProvisioning: the files are what Grafana reads, and name what the
// dashboards and the server's documents name.
func TestGrafanaProvisioning(t *testing.T) {
	var sources struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, Access, URL, User string
			JSONData                           map[string]any    `yaml:"jsonData"`
			SecureJSONData                     map[string]string `yaml:"secureJsonData"`
		}
	}
	strictYAML(t, "deploy/grafana/provisioning/datasources/wiresql.yaml", &sources)
	if s := sources.Datasources; sources.APIVersion != 1 || len(s) != 1 || s[0].Type != "mysql" || s[0].UID != "wiresql" || s[0].JSONData["timeInterval"] != "1s" {
		t.Errorf("%+v", sources)
	}
	var providers struct {
		APIVersion int `yaml:"apiVersion"`
		Providers  []struct {
			Name, Folder, Type string
			AllowUIUpdates     bool `yaml:"allowUiUpdates"`
			Options            map[string]string
		}
	}
	strictYAML(t, "deploy/grafana/provisioning/dashboards/wiresql.yaml", &providers)
	if p := providers.Providers; len(p) != 1 || p[0].Type != "file" || p[0].Options["path"] == "" {
		t.Errorf("%+v", providers)
	}
}

func strictYAML(t *testing.T, file string, into any) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		t.Fatal(err)
	}
}
