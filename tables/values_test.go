package tables

import (
	"slices"
	"strings"
	"testing"
)

// TestNearest types words as people do.
func TestNearest(t *testing.T) {
	status := Connections.Column("packet_status").Values
	columns := func(r *Relation) (names []string) {
		for _, c := range r.Columns {
			names = append(names, c.Name)
		}
		return names
	}
	for _, c := range []struct {
		word string
		of   []string
		want string
	}{
		{"avaliable", status, "available"},
		{"AVAILABEL", status, "available"},
		{"captured", status, ""},
		{"gone", status, ""},
		{"notcaptured", status, "not_captured"},
		{"sf", connStates, "SF"},
		{"RST0", connStates, "RSTO"},
		{"established", connStates, ""},
		{"outbond", directions, "outbound"},
		{"in", directions, ""},
		{"intern", directions, "internal"},
		{"denied", actions, ""},
		{"allowed", actions, "allow"},
		{"clientip", columns(Connections), "client_ip"},
		{"sever_port", columns(Connections), "server_port"},
		{"reverse_byte", columns(Flows), "reverse_bytes"},
		{"conections", []string{"connections", "flows", "ops.imports"}, "connections"},
		{"imports", []string{"connections", "flows", "ops.imports"}, "ops.imports"},
		{"import", []string{"connections", "flows", "ops.imports"}, "ops.imports"},
		{"x", nil, ""},
		{"", []string{"a", "ops."}, ""},
	} {
		if got := Nearest(c.word, c.of); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

// TestDistance has distances counted by hand.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"same", "same", 0},
		{"kitten", "sitting", 3}, {"ab", "ba", 1}, {"abcd", "badc", 2}, {"ca", "abc", 3}, {"flaw", "lawn", 2},
	} {
		if got := distance(c.a, c.b, 100); got != c.want {
			t.Errorf("distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.a, c.b, 2); got != min(c.want, 2) {
			t.Errorf("distance(%q, %q) up to 2 = %d", c.a, c.b, got)
		}
	}
}

// TestValues holds the lists of columns to what they are for.
func TestValues(t *testing.T) {
	// The columns of which SCHEMA says that their case does not count.
	listed := strings.Fields("conn_state direction service protocol rcode qtype packet_status visibility source_type end_reason action oriented_by")
	fold := map[string]func(string) string{"lower": strings.ToLower, "upper": strings.ToUpper, "": func(s string) string { return s }}
	for _, r := range Relations {
		for _, c := range r.Columns {
			name := r.Name + "." + c.Name
			if want := slices.Contains(listed, c.Name) || c.Kind == HostName; want && !c.NoCase {
				t.Errorf("%s must not depend on case", name)
			}
			if c.NoCase && (c.Values == nil) == (c.Fold == "") {
				t.Errorf("%s: a column without case has either values or a fold", name)
			}
			if c.Values != nil && c.Known != nil {
				t.Errorf("%s has both values and known ones", name)
			}
			f, ok := fold[c.Fold]
			if !ok {
				t.Errorf("%s: fold %q", name, c.Fold)
				continue
			}
			all := slices.Concat(c.Values, c.Known)
			for i, v := range all {
				if f(v) != v || v == "" || len(v) > c.Size {
					t.Errorf("%s can't hold %q", name, v)
				}
				if i := slices.IndexFunc(all[:i], func(w string) bool { return strings.EqualFold(v, w) }); i >= 0 {
					t.Errorf("%s: %q is %q", name, v, all[i])
				}
			}
		}
	}
}

// TestDNSNames is RFC 3597, RFC 6895 and the registry's names.
func TestDNSNames(t *testing.T) {
	for n, want := range map[uint16]string{1: "A", 10: "TYPE10", 28: "AAAA", 65: "HTTPS", 255: "ANY", 65280: "TYPE65280", 0: "TYPE0"} {
		if got := DNSTypeName(n); got != want {
			t.Errorf("type %d is %s, want %s", n, got, want)
		}
	}
	for n, want := range map[uint16]string{0: "NOERROR", 3: "NXDOMAIN", 11: "DSOTYPENI", 12: "RCODE12", 16: "BADVERS", 23: "BADCOOKIE", 4095: "RCODE4095"} {
		if got := DNSRCodeName(n); got != want {
			t.Errorf("code %d is %s, want %s", n, got, want)
		}
	}
	if slices.Contains(knownDNSTypes, "NULL") || slices.Contains(knownDNSRCodes, "NULL") {
		t.Error("a name reads as no value")
	}
}
