package capture

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// ratesOf are the rates of an archive, those of a second and kind added up.
func ratesOf(t testing.TB, a *archive.Archive) (lines []string) {
	t.Helper()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string][5]int64{}
	each(t, c, archive.Rates, func(r *tables.Rate) {
		key := fmt.Sprint(r.TS, r.Protocol, r.Direction)
		s := sums[key]
		for i, n := range []int64{r.Packets, r.Bytes, r.SYNs, r.NewFlows, r.Drops} {
			s[i] += n
		}
		sums[key] = s
	})
	for key, s := range sums {
		lines = append(lines, fmt.Sprint(key, s))
	}
	slices.Sort(lines)
	return lines
}

type rateRows struct {
	collected
	rates []tables.Rate
}

func (c *rateRows) Rate(r *tables.Rate) error { c.rates = append(c.rates, *r); return nil }

// What was counted in each second is what tshark says of it: packets by protocol,
// their bytes, and SYNs.
func TestRatesAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{"../testdata/captures/office-morning.pcap", "../testdata/captures/office-afternoon.pcapng"} {
		out, err := exec.Command("tshark", "-n", "-r", path, "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
			"-T", "fields", "-E", "occurrence=f", "-e", "frame.time_epoch", "-e", "ip.proto", "-e", "ip.len", "-e", "ipv6.nxt", "-e", "ipv6.plen",
			"-e", "frame.len", "-e", "tcp.flags.syn", "-e", "tcp.flags.ack").Output()
		if err != nil {
			t.Fatal(err)
		}
		type second struct{ at, protocol int64 }
		want := map[second][3]int64{}
		for line := range strings.Lines(string(out)) {
			f := strings.Split(strings.TrimRight(line, "\n"), "\t")
			number := func(i int) int64 {
				n, _ := strconv.ParseInt(f[i], 10, 64)
				return n
			}
			at, _, _ := strings.Cut(f[0], ".")
			key := second{protocol: -1}
			key.at, _ = strconv.ParseInt(at, 10, 64)
			bytes := number(5)
			switch {
			case f[1] != "":
				key.protocol, bytes = number(1), number(2)
			case f[3] != "":
				key.protocol, bytes = number(3), number(4)+40
				if key.protocol == 0 { // hop-by-hop options stand before ICMPv6 here
					key.protocol = tables.ProtocolICMPv6
				}
			}
			sum := want[key]
			sum[0], sum[1] = sum[0]+1, sum[1]+bytes
			if flag := func(s string) bool { return s == "1" || s == "True" }; key.protocol == tables.ProtocolTCP && flag(f[6]) && !flag(f[7]) { // of TCP alone: ICMP quotes headers
				sum[2]++
			}
			want[key] = sum
		}
		rows := &rateRows{}
		m := NewMeter(Config{Sensor: "s"}, rows, nil)
		meterPackets(t, m, path)
		got := map[second][3]int64{}
		flows := int64(0)
		for _, r := range rows.rates {
			key := second{int64(r.TS / tables.Second), -1}
			if r.Protocol.Set {
				key.protocol = int64(r.Protocol.V)
			}
			sum := got[key]
			got[key] = [3]int64{sum[0] + r.Packets, sum[1] + r.Bytes, sum[2] + r.SYNs}
			flows += r.NewFlows
		}
		for key := range want {
			if got[key] != want[key] {
				t.Errorf("%s: second %d of protocol %d has packets, bytes, SYNs %v, tshark %v", path, key.at, key.protocol, got[key], want[key])
			}
		}
		if len(got) != len(want) || len(want) < 30 || flows != m.Stats().Conversations {
			t.Errorf("%s: %d seconds, tshark has %d; %d flows of %d", path, len(got), len(want), flows, m.Stats().Conversations)
		}
	}
}
