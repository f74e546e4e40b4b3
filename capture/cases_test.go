package capture

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// Captures of testdata/cases, and the conversations that whoever made them
// says are in them.
func TestCaptureCases(t *testing.T) {
	http := []string{"tcp 192.0.2.10 > 198.51.100.20:80 8 packets 401 bytes SF"}
	for name, want := range map[string][]string{
		"eompls_cw": http, "eompls_mac45": http, "eompls_mac60": http,
		"erspan1": http, "erspan2": http,
		"nflog": http, "ppp": http, "raw12": http,
		"etag": http, "vntag": http,
		"lateSyn": http,
		"fragrev": {"udp 192.0.2.10 > 198.51.100.20:2049 4 packets 3098 bytes SF"},
	} {
		var got []string
		for _, r := range meterFile(t, filepath.Join("..", "testdata", "cases", name+".pcap")).flows {
			got = append(got, fmt.Sprintf("%s %s > %s:%d %d packets %d bytes %s", tables.ProtocolName(uint8(r.Protocol)),
				r.Src, r.Dst, r.DstPort, r.Packets+r.ReversePackets.V, r.Bytes+r.ReverseBytes.V, r.ConnState))
			if tunnel := map[string]string{"erspan1": "erspan", "erspan2": "erspan"}[name]; r.TunnelType != tunnel || tunnel != "" && r.OuterSrc.V.String() != "203.0.113.1" {
				t.Errorf("%s: in tunnel %q of %v", name, r.TunnelType, r.OuterSrc)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, want)
		}
	}
}
