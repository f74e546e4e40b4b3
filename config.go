package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// Config is every setting of the program. Each package owns its part: the
// struct, the defaults and the words that explain them. A field's `key` is its
// name in the file, in the environment (WIRESQL_SECTION_KEY) and, for the
// sections a command uses, as a flag (--section.key, or --key where no other
// section has it, or the `flag` it names); `doc` is its help, `by` what parts a list
// in the environment where that isn't blanks.
type Config struct {
	Data string `key:"data" doc:"archive directory"`
	Log  string `key:"log" doc:"least level to log: debug, info, warn, error"`

	Capture   capture.DeviceConfig `key:"capture"`
	Collector collector.Config     `key:"collector"`
	Retention archive.Retention    `key:"retention"`
	Compact   compact.Config       `key:"compact"`
	Engine    engine.Config        `key:"engine"`
	Server    sqlserver.Config     `key:"server"`
}

// DefaultConfig is what holds when nothing is set.
func DefaultConfig() Config {
	return Config{Data: "data", Log: "warn", Capture: capture.DefaultDeviceConfig(), Collector: collector.DefaultConfig(), Retention: archive.DefaultRetention(), Compact: compact.DefaultConfig(), Engine: engine.DefaultConfig(), Server: sqlserver.DefaultConfig()}
}

func (c Config) logLevel() slog.Level {
	var l slog.Level
	if l.UnmarshalText([]byte(c.Log)) != nil {
		return slog.LevelWarn
	}
	return l
}

// setting is one leaf of Config.
type setting struct {
	key   string // "server.listen"
	flag  string // "listen", or the key where another section has a "listen"
	doc   string
	by    string // what parts a list in one text, where it isn't blanks
	value reflect.Value
}

func (s setting) section() string {
	section, _, found := strings.Cut(s.key, ".")
	if !found {
		return ""
	}
	return section
}

// name is the setting's within its section.
func (s setting) name() string { return s.key[strings.LastIndexByte(s.key, '.')+1:] }

func (s setting) variable() string {
	return "WIRESQL_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
}

// settings lists the leaves of a configuration, in the order of its structs.
func settings(c *Config) []setting { return leaves(reflect.ValueOf(c).Elem()) }

func leaves(config reflect.Value) []setting {
	var out []setting
	named := map[string]int{}
	var walk func(prefix string, v reflect.Value)
	walk = func(prefix string, v reflect.Value) {
		for i := 0; i < v.NumField(); i++ {
			f := v.Type().Field(i)
			key := f.Tag.Get("key")
			if key == "" {
				continue // not a setting: given by the program
			}
			if prefix != "" {
				key = prefix + "." + key
			}
			if f.Type.Kind() == reflect.Struct {
				walk(key, v.Field(i))
				continue
			}
			s := setting{key: key, flag: f.Tag.Get("flag"), doc: f.Tag.Get("doc"), by: f.Tag.Get("by"), value: v.Field(i)}
			named[s.name()]++
			out = append(out, s)
		}
	}
	walk("", config)
	for i := range out {
		if out[i].flag != "" {
			continue
		}
		if out[i].flag = out[i].name(); named[out[i].flag] > 1 {
			out[i].flag = out[i].key
		}
	}
	return out
}

// addConfigFlags adds --config, the settings that stand in no section, and
// those of the given sections.
func addConfigFlags(flags *pflag.FlagSet, sections []string) {
	c := DefaultConfig()
	flags.String("config", "", "configuration file (YAML, TOML or JSON)")
	short := map[string]string{}
	for _, s := range settings(&c) {
		short[s.key] = s.flag
		in := s.section() == ""
		for _, name := range sections {
			in = in || s.section() == name
		}
		if !in {
			continue
		}
		switch v := s.value.Interface().(type) {
		case string:
			flags.String(s.flag, v, s.doc)
		case bool:
			flags.Bool(s.flag, v, s.doc)
		case int:
			flags.Int(s.flag, v, s.doc)
		case int64:
			flags.Int64(s.flag, v, s.doc)
		case time.Duration:
			flags.Duration(s.flag, v, s.doc)
		case []string:
			flags.StringSlice(s.flag, v, s.doc)
		}
	}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(cmp.Or(short[name], name))
	})
}

// loadConfig puts file, environment and flags together. A key nobody knows is
// an error: a misspelt limit must not silently be no limit.
func loadConfig(flags *pflag.FlagSet, environ []string) (Config, error) {
	c := DefaultConfig()
	all := settings(&c)
	v := viper.New()
	known := map[string]setting{}
	variables := map[string]setting{}
	for _, s := range all {
		v.SetDefault(s.key, s.value.Interface())
		known[s.key] = s
		variables[s.variable()] = s
	}
	if file, _ := flags.GetString("config"); file != "" {
		v.SetConfigFile(file)
		if err := v.ReadInConfig(); err != nil {
			return c, fmt.Errorf("read configuration %s: %w", file, err)
		}
		for _, key := range v.AllKeys() {
			if _, ok := known[key]; !ok {
				return c, fmt.Errorf("configuration %s: unknown key %q; wiresql config prints the known ones", file, key)
			}
		}
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "WIRESQL_") {
			continue
		}
		s, ok := variables[name]
		if !ok {
			return c, fmt.Errorf("environment: unknown setting %s; wiresql config prints the known ones", name)
		}
		v.Set(s.key, value)
	}
	for _, s := range all {
		if f := flags.Lookup(s.flag); f != nil && f.Changed {
			if list, ok := f.Value.(pflag.SliceValue); ok {
				v.Set(s.key, list.GetSlice())
			} else {
				v.Set(s.key, f.Value.String())
			}
		}
	}
	for _, s := range all {
		if err := assign(v, s); err != nil {
			return c, err
		}
	}
	return c, nil
}

func assign(v *viper.Viper, s setting) (err error) {
	given := v.Get(s.key)
	switch s.value.Interface().(type) {
	case string:
		s.value.SetString(v.GetString(s.key))
	case bool:
		err = parseInto(given, "true or false", func(text string) error {
			b, err := parseBool(text)
			s.value.SetBool(b)
			return err
		})
	case int, int64:
		err = parseInto(given, "a whole number", func(text string) error {
			n, err := strconv.ParseInt(text, 10, 64)
			s.value.SetInt(n)
			return err
		})
	case time.Duration:
		err = parseInto(given, "a duration such as 30s", func(text string) error {
			d, err := time.ParseDuration(text)
			s.value.SetInt(int64(d))
			return err
		})
	case []string:
		list := v.GetStringSlice(s.key)
		if text, ok := given.(string); ok && s.by != "" && text != "" {
			list = strings.Split(text, s.by)
		}
		s.value.Set(reflect.ValueOf(list))
	}
	if err != nil {
		return fmt.Errorf("setting %s: %w", s.key, err)
	}
	return nil
}

func parseInto(given any, want string, set func(string) error) error {
	text := fmt.Sprint(given)
	if err := set(text); err != nil {
		return fmt.Errorf("%q is not %s", text, want)
	}
	return nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true", "on", "yes", "1":
		return true, nil
	case "false", "off", "no", "0":
		return false, nil
	}
	return false, fmt.Errorf("not a truth value")
}

func configCommand() *command {
	return &command{
		summary:  "print the effective configuration, in the form a file takes",
		sections: []string{"capture", "collector", "compact", "retention", "engine", "server"},
		run: func(_ context.Context, p *program, _ []string) error {
			return printConfig(p.stdout, p.config)
		},
	}
}

// printConfig writes YAML by hand, so that each value has its comment.
func printConfig(w io.Writer, c Config) error {
	all := settings(&c)
	sort.SliceStable(all, func(i, j int) bool { return all[i].section() < all[j].section() })
	section := ""
	for _, s := range all {
		indent := ""
		if s.section() != "" {
			indent = "  "
			if s.section() != section {
				section = s.section()
				fmt.Fprintf(w, "%s:\n", section)
			}
		}
		var value string
		switch v := s.value.Interface().(type) {
		case string:
			value = fmt.Sprintf("%q", v)
		case []string:
			quoted := make([]string, len(v))
			for i := range v {
				quoted[i] = fmt.Sprintf("%q", v[i])
			}
			value = "[" + strings.Join(quoted, ", ") + "]"
		default:
			value = fmt.Sprint(v)
		}
		fmt.Fprintf(w, "%s# %s (%s)\n%s%s: %s\n", indent, s.doc, s.variable(), indent, s.name(), value)
	}
	return nil
}

// dataDirectory returns the archive's directory, which must exist for
// commands that only read.
func (p *program) dataDirectory() (string, error) {
	st, err := os.Stat(p.config.Data)
	switch {
	case os.IsNotExist(err):
		return "", fmt.Errorf("no archive at %s: make one with wiresql import --data %s FILE…", p.config.Data, p.config.Data)
	case err != nil:
		return "", err
	case !st.IsDir():
		return "", fmt.Errorf("%s is not a directory", p.config.Data)
	}
	return p.config.Data, nil
}
