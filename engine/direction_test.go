package engine

import (
	"fmt"
	"testing"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// TestDirection asks DuckDB about addresses at the edges of the networks that
// the RFCs name, and the Go side about the same.
func TestDirection(t *testing.T) {
	d := testDuck(t)
	inside := map[string]bool{
		"9.255.255.255": false, "10.0.0.0": true, "10.255.255.255": true, "11.0.0.0": false, // RFC 1918
		"172.15.255.255": false, "172.16.0.0": true, "172.31.255.255": true, "172.32.0.0": false,
		"192.167.255.255": false, "192.168.0.0": true, "192.168.255.255": true, "192.169.0.0": false,
		"169.253.255.255": false, "169.254.0.0": true, "169.254.255.255": true, "169.255.0.0": false, // RFC 3927
		"126.255.255.255": false, "127.0.0.1": true, "127.255.255.255": true, "128.0.0.0": false, // RFC 1122
		"::": false, "::1": true, "::2": false, "fbff:ffff::": false, "fc00::": true, "fdff:ffff::": true, "fe00::": false, // RFC 4193
		"fe7f::": false, "fe80::1": true, "febf:ffff::1": true, "fec0::": false, "2001:db8::a00:1": false,
		"0.0.0.0": false, "8.8.8.8": false,
	}
	many := map[string]bool{
		"223.255.255.255": false, "224.0.0.0": true, "239.255.255.250": true, "240.0.0.0": false,
		"255.255.255.254": false, "255.255.255.255": true, "feff::": false, "ff00::": true, "ff02::fb": true, "ffff:ffff::1": true,
	}
	ask := func(text string) string {
		t.Helper()
		c, err := d.query(t.Context(), text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		defer c.close()
		v, err := c.next()
		if err != nil || v == nil {
			t.Fatalf("%s: no row, %v", text, err)
		}
		return string(v.vectors[0].bytes(0))
	}
	halves := func(text string) (tables.Addr, string) {
		a, err := tables.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		return a, fmt.Sprintf("%d::UBIGINT, %d::UBIGINT", a.Hi, a.Lo)
	}
	_, own := halves("10.20.0.1")
	_, other := halves("198.51.100.1")
	for text, in := range inside {
		a, server := halves(text)
		if functions.Private(a) != in {
			t.Errorf("is_private('%s') is %v", text, !in)
		}
		want := map[bool][2]string{true: {"internal", "inbound"}, false: {"outbound", "external"}}[in]
		for i, client := range []string{own, other} {
			if got := ask("SELECT wiresql_direction(" + client + ", " + server + ")"); got != want[i] {
				t.Errorf("to %s from %s: %s, want %s", text, client, got, want[i])
			}
		}
	}
	for text, is := range many {
		_, server := halves(text)
		for i, client := range []string{own, other} {
			want := []string{"outbound", "external"}[i]
			if is {
				want = "multicast"
			}
			if got := ask("SELECT wiresql_direction(" + client + ", " + server + ")"); got != want {
				t.Errorf("to %s: %s, want %s", text, got, want)
			}
		}
	}
}
