package collector

import (
	"fmt"
	"strings"
	"testing"
)

func TestStateOutlivesTheProcess(t *testing.T) {
	d, _ := newTestDecoder(t, Config{}, nil)
	if _, changed := d.State(); changed {
		t.Error("changed before anything came")
	}
	send(d,
		ipfixMessage(0, 1, set(2, templateOf(256, append([]ie{{0, 10, 4}, {0, 14, 4}, {0, 95, 4}, {0, 234, 4}, {penReverse, 1, 4}, {0, 96, variable}}, plainFields...)...))),
		ipfixMessage(0, 1, set(3, ipfixOptions(300, 1, ie{0, 10, 4}, ie{0, 82, 4})), set(300, be(nil, 4, 7), []byte("eth0"))),
		ipfixMessage(1, 1, set(3, ipfixOptions(301, 1, ie{0, 95, 4}, ie{0, 96, 4})), set(301, be(nil, 4, 0x03000050), []byte("http"))),
		ipfixMessage(2, 1, set(3, ipfixOptions(302, 1, ie{0, 234, 4}, ie{0, 236, 4})), set(302, be(nil, 4, 3), []byte("blue"))),
		ipfixMessage(3, 1, set(3, ipfixOptions(303, 1, ie{0, 302, 4}, ie{0, 34, 4}, ie{0, 160, 8})), set(303, be(be(be(nil, 4, 1), 4, 100), 8, millis-10_000))),
		v9Datagram(0, 9, set(1, v9Options(300, []ie{{0, scopeInterface, 4}}, ie{0, 34, 4})), set(300, be(be(nil, 4, 7), 4, 10))),
		v9Datagram(1, 9, set(0, templateOf(256, ie{0, 10, 4}))),
		v9Datagram(2, 10, set(1, v9Options(300, []ie{{0, 1, 4}}, ie{0, 34, 4})), set(300, be(be(nil, 4, 7), 4, 55)), set(0, templateOf(256, ie{0, 4, 1}))),
	)
	state, changed := d.State()
	if !changed {
		t.Error("not changed by templates")
	}
	if _, changed := d.State(); changed {
		t.Error("changed twice")
	}
	again, s := newTestDecoder(t, Config{}, state)
	if reread, changed := again.State(); string(reread) != string(state) || changed {
		t.Errorf("state differs when read again:\n%s\n%s", state, reread)
	}
	record := append(be(be(be(be(be(nil, 4, 7), 4, 8), 4, 0x03000050), 4, 3), 4, 99), append([]byte("\x00"), plainOf(1)...)...)
	if o := send(again, ipfixMessage(50, 1, set(256, record)), v9Datagram(5, 9, set(256, be(nil, 4, 7))), v9Datagram(5, 10, set(256, []byte{6}))); o != "decoded decoded decoded" {
		t.Fatal(o)
	}
	want := `src=10.0.0.1 dst=192.168.1.1 src_port=1001 dst_port=53 protocol_number=17 bytes=301 packets=3 reverse_bytes=99 sampling_rate=100 in_if=7 out_if=8 in_if_name=eth0 vrf_in=3 time_quality=received extra={"applicationId":"3..80","ingressVRFname":"blue"}
sampling_rate=10 in_if=7 time_quality=received
protocol_number=6 sampling_rate=55 time_quality=received`
	if got := showAll(s.rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again.Close(testTime + 1)
	if c := s.sum(); c.Gaps+c.Resets != 0 {
		t.Errorf("a new run counts from where it began: %+v", c)
	}
	if got := again.exporters[s.rows[0].Exporter].streams[streamKey{source: sourceIPFIX, domain: 1}].options.boot; got != testTime-10e6 {
		t.Errorf("the device started at %d", got-testTime)
	}
}

// TestStateOfStrangers reads files State did not write.
func TestStateOfStrangers(t *testing.T) {
	for _, c := range []struct{ state, err string }{
		{"x", "templates of the last run: invalid character 'x' looking for beginning of value"},
		{"{}", "templates of the last run: version 0, known is 1"},
		{`{"version":2}`, "templates of the last run: version 2, known is 1"},
		{`{"version":1,"exporters":7}`, "templates of the last run: json: cannot unmarshal number into Go struct field savedState.exporters of type []collector.savedExporter"},
	} {
		if _, err := NewDecoder(Config{}, &sink{}, []byte(c.state)); err == nil || err.Error() != c.err {
			t.Errorf("%s: %v, want %s", c.state, err, c.err)
		}
	}
	stream := func(s string) string {
		return `{"version":1,"exporters":[{"address":"192.0.2.1","streams":[` + s + `]}]}`
	}
	template := func(s string) string {
		return stream(`{"source":"ipfix","domain":1,"templates":[` + s + `]}`)
	}
	for _, c := range []struct {
		name, state string
		templates   int64
	}{
		{"as written", template(`{"id":256,"count":1,"fields":"AAgABA=="}`), 1},
		{"no address", strings.Replace(template(`{"id":256,"count":1,"fields":"AAgABA=="}`), "192.0.2.1", "router", 1), 0},
		{"unknown source", strings.Replace(template(`{"id":256,"count":1,"fields":"AAgABA=="}`), "ipfix", "netflow7", 1), 0},
		{"number below 256", template(`{"id":2,"count":1,"fields":"AAgABA=="}`), 0},
		{"more fields than there are", template(`{"id":256,"count":2,"fields":"AAgABA=="}`), 0},
		{"fewer fields than there are", template(`{"id":256,"count":0,"fields":"AAgABA=="}`), 0},
		{"a negative count", template(`{"id":256,"count":-1,"fields":"AAgABA=="}`), 0},
		{"a field without octets", template(`{"id":256,"count":1,"fields":"AAgAAA=="}`), 0},
		{"negative scopes", template(`{"id":256,"count":1,"options":true,"scopes":-1,"fields":"AAgABA=="}`), 0},
		{"more scopes than fields", template(`{"id":256,"count":1,"options":true,"scopes":2,"fields":"AAgABA=="}`), 0},
		{"scopes without options", template(`{"id":256,"count":1,"scopes":1,"fields":"AAgABA=="}`), 0},
		{"twice", template(`{"id":256,"count":1,"fields":"AAgABA=="},{"id":256,"count":1,"fields":"AAgABA=="}`), 1},
		{"a stream twice", stream(strings.Repeat(`{"source":"ipfix","templates":[{"id":256,"count":1,"fields":"AAgABA=="}]},`, 2) + `{"source":"x"}`), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, []byte(c.state))
			if n := d.templates.Load(); n != c.templates {
				t.Errorf("%d templates, want %d", n, c.templates)
			}
			send(d, ipfixMessage(0, 1, set(256, make([]byte, 8))))
			if err := d.Close(testTime + 1); err != nil || len(s.rows) > 2 {
				t.Errorf("%v, %d rows", err, len(s.rows))
			}
		})
	}
	// As many templates, exporters and names as anybody can write down.
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, `{"address":"10.0.%d.%d","streams":[{"source":"ipfix","interfaces":{"1":"%s"},"samplers":{"1":-5,"2":9999999999},"templates":[`, i>>8, i&255, strings.Repeat("x", 9000))
		for id := 256; id < 300; id++ {
			fmt.Fprintf(&b, `{"id":%d,"count":1,"fields":"AAgABA=="},`, id)
		}
		b.WriteString(`{"id":256}]}]},`)
	}
	d, _ := newTestDecoder(t, Config{MaxExporters: 100, MaxTemplates: 10}, []byte(`{"version":1,"exporters":[`+b.String()+`{}]}`))
	if len(d.exporters) != 100 || d.templates.Load() != 1000 || d.options.Load() > 100*2000 {
		t.Errorf("%d exporters, %d templates, %d bytes of options", len(d.exporters), d.templates.Load(), d.options.Load())
	}
}
