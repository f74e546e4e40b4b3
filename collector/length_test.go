package collector

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// TestLengths exports texts longer than their columns: what is stored fits, and
// says that it was cut.
func TestLengths(t *testing.T) {
	long := strings.Repeat("é", 10_000) // 20,000 octets
	d, s := newTestDecoder(t, Config{}, nil)
	template, data := recordOf(num(4, 1, 6), raw(96, long), raw(147, "short"), raw(371, long), raw(460, "last"))
	if o := send(d, ipfixMessage(0, 1, set(2, template), set(256, data))); o != "decoded" || len(s.rows) != 1 {
		t.Fatalf("%s, %d rows", o, len(s.rows))
	}
	r := s.rows[0]
	if want := strings.Repeat("é", 254) + "…"; r.AppName != want {
		t.Errorf("app_name has %d characters", utf8.RuneCountInString(r.AppName))
	}
	var extra map[string]any
	if err := json.Unmarshal([]byte(r.Extra), &extra); err != nil {
		t.Fatal(err)
	}
	if size := tables.FlowsWide.Column("extra").Size; len(r.Extra) > size {
		t.Errorf("extra has %d octets, the column %d characters", len(r.Extra), size)
	}
	if extra["wlanSSID"] != "short" || extra["httpRequestHost"] != "last" || extra["…"] != "cut" || len(extra) != 3 {
		t.Errorf("extra is %s", r.Extra)
	}
	for _, entry := range []string{"192.0.2.1,name=" + strings.Repeat("n", 65), "192.0.2.1,site=" + strings.Repeat("é", 65)} {
		if _, err := parseExporters([]string{entry}); err == nil {
			t.Errorf("%s is accepted", entry)
		}
	}
	if _, err := parseExporters([]string{"192.0.2.1,name=" + strings.Repeat("é", 64)}); err != nil {
		t.Error(err)
	}
}
