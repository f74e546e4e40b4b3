package collector

import (
	"fmt"
	"net/netip"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// Config is the settings of the collector. Fields without a key are given by
// the program.
type Config struct {
	NetFlow        []string      `key:"netflow" doc:"UDP addresses to receive NetFlow v5, v9 and IPFIX on"`
	SFlow          []string      `key:"sflow" doc:"UDP addresses to receive sFlow v5 on"`
	IPFIXTCP       []string      `key:"ipfix-tcp" doc:"TCP addresses to receive IPFIX on; none by default"`
	TCPConnections int           `key:"tcp-connections" doc:"TCP connections at a time"`
	TCPIdle        time.Duration `key:"tcp-idle" doc:"close a TCP connection that sends nothing for so long"`
	Workers        int           `key:"workers" flag:"workers" doc:"sockets and goroutines per UDP address; 0 means one per core, at most 4"`
	ReceiveBuffer  int           `key:"receive-buffer" doc:"bytes of kernel buffer to ask for, per socket"`
	MetricsListen  string        `key:"metrics-listen" flag:"metrics-listen" doc:"address to serve Prometheus metrics of recording on; none by default"`

	Exporters    []string      `key:"exporters" doc:"the exporters to take records from, each ADDR[/BITS][,name=N][,site=S][,sampling=R]; without any, all"`
	MaxExporters int           `key:"max-exporters" doc:"exporters known at a time; datagrams of more are refused and counted"`
	MaxStreams   int           `key:"max-streams" doc:"observation domains known of one exporter at a time"`
	MaxTemplates int           `key:"max-templates" doc:"templates kept of one exporter"`
	TemplateTTL  time.Duration `key:"template-ttl" doc:"forget templates not announced for so long"`
	WaitBytes    int           `key:"wait-bytes" doc:"bytes of data sets kept per exporter until their template comes"`
	WaitTime     time.Duration `key:"wait-time" doc:"how long they are kept"`
	MaxAge       time.Duration `key:"max-age" doc:"flow times older than this at arrival are replaced by the time of arrival, and flagged"`

	// Stream names this run or import: the upper 24 bits of every flow id.
	Stream uint32
}

// DefaultConfig listens on loopback.
func DefaultConfig() Config {
	return Config{
		NetFlow:        []string{"127.0.0.1:2055"},
		SFlow:          []string{"127.0.0.1:6343"},
		TCPConnections: 256,
		TCPIdle:        10 * time.Minute,
		ReceiveBuffer:  16 << 20,
		MaxExporters:   10_000,
		MaxStreams:     256,
		MaxTemplates:   4096,
		TemplateTTL:    24 * time.Hour,
		WaitBytes:      4 << 20,
		WaitTime:       30 * time.Minute,
		MaxAge:         30 * 24 * time.Hour,
	}
}

// withDefaults fills in the limits that were left zero, so that a Config made
// by hand is bounded too.
func (c Config) withDefaults() Config {
	d := DefaultConfig()
	for _, f := range []struct{ have, def *int }{
		{&c.MaxExporters, &d.MaxExporters}, {&c.MaxStreams, &d.MaxStreams},
		{&c.MaxTemplates, &d.MaxTemplates}, {&c.WaitBytes, &d.WaitBytes},
	} {
		if *f.have <= 0 {
			*f.have = *f.def
		}
	}
	for _, f := range []struct{ have, def *time.Duration }{
		{&c.TemplateTTL, &d.TemplateTTL}, {&c.WaitTime, &d.WaitTime}, {&c.MaxAge, &d.MaxAge},
	} {
		if *f.have <= 0 {
			*f.have = *f.def
		}
	}
	return c
}

// listed is what the configuration says of an exporter.
type listed struct {
	name     string
	site     string
	sampling int64 // 0: as the exporter says
}

// allowList finds the longest configured prefix of an address.
type allowList struct {
	entries map[netip.Prefix]listed
	bits    []int // the prefix lengths in use, longest first; of the 128-bit form
}

// parseExporters reads the entries of Config.Exporters. A flag splits its
// value at commas, so a piece without an equals sign starts an entry and the
// pieces after it belong to it, however they were cut up.
func parseExporters(entries []string) (*allowList, error) {
	l := &allowList{entries: map[netip.Prefix]listed{}}
	var at netip.Prefix
	var have bool
	for _, piece := range strings.Split(strings.Join(entries, ","), ",") {
		piece = strings.TrimSpace(piece)
		if piece == "" {
			continue
		}
		key, value, option := strings.Cut(piece, "=")
		if !option {
			p, err := parsePrefix(piece)
			if err != nil {
				return nil, fmt.Errorf("exporters: %q is neither an address nor a prefix", piece)
			}
			if _, twice := l.entries[p]; twice {
				return nil, fmt.Errorf("exporters: %s stands there twice", piece)
			}
			at, have = p, true
			l.entries[p] = listed{}
			continue
		}
		if !have {
			return nil, fmt.Errorf("exporters: %q comes before any address", piece)
		}
		if utf8.RuneCountInString(value) > tables.MaxName {
			return nil, fmt.Errorf("exporters: %s %q is longer than %d characters", key, value, tables.MaxName)
		}
		e := l.entries[at]
		switch key {
		case "name":
			e.name = value
		case "site":
			e.site = value
		case "sampling":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil || n == 0 {
				return nil, fmt.Errorf("exporters: sampling %q is not a number from 1 to 4294967295", value)
			}
			e.sampling = int64(n)
		default:
			return nil, fmt.Errorf("exporters: %q: known are name, site and sampling", piece)
		}
		l.entries[at] = e
	}
	seen := map[int]bool{}
	for p := range l.entries {
		if !seen[p.Bits()] {
			seen[p.Bits()] = true
			l.bits = append(l.bits, p.Bits())
		}
	}
	sort.Sort(sort.Reverse(sort.IntSlice(l.bits)))
	return l, nil
}

// parsePrefix reads an address or a prefix into its 128-bit form.
func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("address %q", s)
		}
		return netip.PrefixFrom(netip.AddrFrom16(a.As16()), 128), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	return netip.PrefixFrom(netip.AddrFrom16(p.Addr().As16()), bits).Masked(), nil
}

// find returns the entry of an address. ok is false when the list has entries
// and none is for it.
func (l *allowList) find(addr tables.Addr) (e listed, ok bool) {
	if len(l.entries) == 0 {
		return listed{}, true
	}
	a := netip.AddrFrom16(addr.As16())
	for _, bits := range l.bits {
		if e, ok = l.entries[netip.PrefixFrom(a, bits).Masked()]; ok {
			return e, true
		}
	}
	return listed{}, false
}
