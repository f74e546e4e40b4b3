package capture

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestRecordedQUIC: testdata/quic has what its script made of ngtcp2 and chromium, try by try: versions 1,
// draft 2 and draft 29, Retry, a server that prefers another version, a client whose version nobody has, a second hello, a
// ticket, packets that were lost, nobody there, IPv6, a browser's hello in two packets. What is not JA4 is what tshark shows,
// which can't read draft 2.
func TestRecordedQUIC(t *testing.T) {
	const want = `
443 one.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
443 two.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
443 draft.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
4433 retry.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
8443 better.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
443 unknown.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
50001 again.office.test h3 TLSv1.3 TLS_CHACHA20_POLY1305_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db d75f9129bb5d05492a65ff78e081bcb2 q13d0415h3_9caa18292e23_84684a673e38
443 ticket.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
443 ticket.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {true true} b625f3825354ef0093a79285d4cd2c8d aa8ccc23f30f490cc666164b60a06354 q13d0417h3_9caa18292e23_b9213f5cc2db
443 lost.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
444 nobody.office.test h3 - - {false false} 4e2f39e9839276fe7bfd283b657fb9db - q13d0415h3_9caa18292e23_84684a673e38
443 six.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} 4e2f39e9839276fe7bfd283b657fb9db eb1d94daa7e0344597e756a1fb6e7054 q13d0415h3_9caa18292e23_84684a673e38
443 browser.office.test h3 TLSv1.3 TLS_AES_128_GCM_SHA256 {false true} fdbb547d4cf8cbd7c4b6572a5b507647 eb1d94daa7e0344597e756a1fb6e7054 q13d0312h3_55b375c5d22e_178839b6cec1
`
	rows := meterFile(t, "../testdata/quic/quic.pcap")
	slices.SortStableFunc(rows.TLS, func(a, b tables.TLS) int { return cmp.Compare(a.TS, b.TS) })
	flows := map[tables.ID]tables.Flow{}
	for _, f := range rows.flows {
		flows[f.ConnID] = f
		if f.Service != "quic" {
			t.Errorf("a conversation of %s %d", f.Service, f.DstPort)
		}
	}
	got := "\n"
	for i := range rows.TLS {
		r := &rows.TLS[i]
		got += fmt.Sprintln(r.ServerPort, r.ServerName, r.ALPN, cmp.Or(r.Version, "-"), cmp.Or(r.Cipher, "-"), r.Resumed, r.JA3, cmp.Or(r.JA3S, "-"), r.JA4)
		if f := flows[r.ConnID]; f.ServerName != r.ServerName || !r.PacketID.Set || r.Protocol != tables.ProtocolUDP || r.Client != f.Src {
			t.Errorf("%+v of %+v", r, f)
		}
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
