package hunt

import (
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parameter is a value a hunt may be given, or must be: its Default is then
// Required.
type Parameter struct {
	Name    string
	Type    Type
	Default string
	Doc     string
}

// maxValue bounds a text that a hunt is given, in bytes.
const maxValue = 64 << 10

// ParameterText is the parameters, a line each.
func (h *Hunt) ParameterText() string {
	lines := make([]string, len(h.Parameters))
	for i := range h.Parameters {
		lines[i] = h.Parameters[i].String()
	}
	return strings.Join(lines, "\n")
}

// Required is the default of a parameter that must be given.
const Required = "?"

// Asks tells whether the hunt can't run without a value of somebody's.
func (h *Hunt) Asks() bool {
	return slices.ContainsFunc(h.Parameters, func(p Parameter) bool { return p.Default == Required })
}

// Compares tells whether the hunt compares with the time before the one hunted
// through.
func (h *Hunt) Compares() bool { return h.parameter("history") != nil }

// Type is what values of a parameter are.
type Type string

// The types of parameters.
const (
	Int      Type = "int"      // a whole number that is not negative
	Number   Type = "number"   // one that is not negative
	Text     Type = "text"     // any text
	Interval Type = "interval" // 90 SECOND, 30 MINUTE, 1 DAY
)

// From and To are parameters of every hunt: the ends of the time it is about.
const (
	From = "from"
	To   = "to"
)

// Range is a time hunted through, both ends included, as expressions of SQL.
type Range struct{ From, To string }

var (
	parameterLine = regexp.MustCompile(`^([a-z][a-z0-9_]*) (interval|int|number|text) ?(.*?): (.+)$`)
	intValue      = regexp.MustCompile(`^[0-9]{1,18}$`)
	numberValue   = regexp.MustCompile(`^[0-9]{1,18}(\.[0-9]{1,9})?$`)
	intervalValue = regexp.MustCompile(`(?i)^([0-9]{1,6}) ?(second|minute|hour|day|week|month)s?$`)
)

// String is the parameter as the header of a hunt has it.
func (p *Parameter) String() string {
	return fmt.Sprintf("%s %s %s: %s", p.Name, p.Type, p.Default, p.Doc)
}

// ParseParameter reads NAME TYPE DEFAULT: MEANING.
func ParseParameter(s string) (*Parameter, error) {
	m := parameterLine.FindStringSubmatch(s)
	if m == nil {
		return nil, fmt.Errorf("a parameter is NAME TYPE DEFAULT: MEANING, with a type of int, number, text, interval")
	}
	p := &Parameter{Name: m[1], Type: Type(m[2]), Default: m[3], Doc: m[4]}
	if slices.Contains([]string{From, To, Since}, p.Name) {
		return nil, fmt.Errorf("every hunt has a parameter %s", p.Name)
	}
	if slices.Contains([]string{"every", "late", "pin", "notify"}, p.Name) {
		return nil, fmt.Errorf("%s is an option of a schedule", p.Name)
	}
	if p.Default == Required {
		return p, nil
	}
	_, err := p.literal(p.Default)
	return p, err
}

// Since is how long before its end the time hunted through begins.
const Since = "since"

// literal is a value as SQL writes it.
func (p *Parameter) literal(value string) (string, error) {
	value = strings.TrimSpace(value)
	switch {
	case p.Type == Int && intValue.MatchString(value), p.Type == Number && numberValue.MatchString(value):
		return value, nil
	case p.Type == Text && len(value) <= maxValue:
		return Quote(value), nil
	case p.Type == Interval:
		return Duration(value)
	}
	if len(value) > 64 {
		return "", fmt.Errorf("parameter %s is of type %s: what is given has %d bytes", p.Name, p.Type, len(value))
	}
	return "", fmt.Errorf("parameter %s is of type %s: %q is none", p.Name, p.Type, value)
}

// Duration is a length of time, such as 90 seconds or 1 DAY, as SQL writes it.
func Duration(value string) (string, error) {
	m := intervalValue.FindStringSubmatch(strings.TrimSpace(value))
	if m == nil {
		return "", fmt.Errorf("%q is no interval: write it as 90 SECOND, 30 MINUTE, 12 HOUR, 1 DAY", value)
	}
	return "INTERVAL " + m[1] + " " + strings.ToUpper(m[2]), nil
}

// Quote is a text as a constant of SQL, whatever the session's sql_mode.
func Quote(s string) string {
	if strings.ContainsAny(s, "\\\x00") {
		return "_utf8mb4 x'" + hex.EncodeToString([]byte(s)) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// Statement is the hunt's statement with its values in it; what values lacks has
// its default.
func (h *Hunt) Statement(r Range, values map[string]string) (string, error) {
	literals := map[string]string{From: r.From, To: r.To}
	for i := range h.Parameters {
		p := &h.Parameters[i]
		value, ok := values[p.Name]
		if !ok {
			if value = p.Default; value == Required {
				return "", fmt.Errorf("hunt %s needs %s: %s", h.Name, p.Name, p.Doc)
			}
		}
		text, err := p.literal(value)
		if err != nil {
			return "", err
		}
		literals[p.Name] = text
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if h.parameter(name) == nil {
			return "", fmt.Errorf("hunt %s has no parameter %s: it has %s", h.Name, name, strings.Join(h.names(), ", "))
		}
	}
	return replace(h.SQL, literals), nil
}

func (h *Hunt) names() []string {
	out := []string{Since, From, To}
	for _, p := range h.Parameters {
		out = append(out, p.Name)
	}
	return out
}

// Follow is the statement that goes on to the packets of a row, given as texts
// by the names of its columns; empty where there is none, or where the row
// lacks a value it needs.
func (h *Hunt) Follow(row map[string]*string) string {
	literals := map[string]string{}
	for _, p := range places(h.Packets) {
		name := h.Packets[p.from+1 : p.to]
		switch value := row[name]; {
		case value != nil:
			literals[name] = Quote(*value)
		case strings.HasSuffix(h.Packets[:p.from], "<=> "):
			literals[name] = "NULL"
		default:
			return ""
		}
	}
	return replace(h.Packets, literals)
}

// span is a place in a text.
type span struct{ from, to int }

// places finds each :name of a statement, outside of texts, quoted names and
// comments.
func places(s string) (out []span) {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == '\'' || c == '"' || c == '`':
			for i++; i < len(s) && s[i] != c; i++ {
				if s[i] == '\\' && c != '`' {
					i++
				}
			}
			i++
		case strings.HasPrefix(s[i:], "-- "), c == '#':
			for i < len(s) && s[i] != '\n' {
				i++
			}
		case strings.HasPrefix(s[i:], "/*"):
			if n := strings.Index(s[i:], "*/"); n >= 0 {
				i += n + 2
			} else {
				i = len(s)
			}
		case c == ':':
			end := i + 1
			for end < len(s) && (s[end] == '_' || s[end] >= 'a' && s[end] <= 'z' || end > i+1 && s[end] >= '0' && s[end] <= '9') {
				end++
			}
			if end > i+1 {
				out = append(out, span{i, end})
			}
			i = end
		default:
			i++
		}
	}
	return out
}

func replace(s string, literals map[string]string) string {
	var b strings.Builder
	at := 0
	for _, p := range places(s) {
		b.WriteString(s[at:p.from])
		b.WriteString(literals[s[p.from+1:p.to]])
		at = p.to
	}
	b.WriteString(s[at:])
	return b.String()
}

var lengths = map[string]time.Duration{"SECOND": time.Second, "MINUTE": time.Minute, "HOUR": time.Hour, "DAY": 24 * time.Hour, "WEEK": 7 * 24 * time.Hour}

// Length is a length of time, such as 90 seconds or 1 DAY: a month has none.
func Length(value string) (time.Duration, error) {
	m := intervalValue.FindStringSubmatch(strings.TrimSpace(value))
	if m == nil || lengths[strings.ToUpper(m[2])] == 0 {
		return 0, fmt.Errorf("%q is no length of time: write it as 90 SECOND, 30 MINUTE, 12 HOUR, 1 DAY", value)
	}
	n, err := strconv.Atoi(m[1])
	return time.Duration(n) * lengths[strings.ToUpper(m[2])], err
}
