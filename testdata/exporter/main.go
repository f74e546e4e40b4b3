// Command exporter sends flows the way routers do, at a steady pace, and says
// exactly what it sent, as one JSON object on standard output.
//
//	go run ./testdata/exporter -to 127.0.0.1:2055 [-protocol v5] [-flows 2000000] [-rate 500000] [-seed 1]
//	go run ./testdata/exporter -pcap FILE ...      write them to a capture instead
//
// The flows are those of a seed (package datagrams): the same ones whatever
// the protocol. All datagrams are made before the first is sent, so that
// sending costs little beside the program it feeds. -rate is in flows a
// second, 0 is as fast as the kernel takes them. With -exporters N they come
// in turn from N addresses, 127.1.0.1 and up, each a stream of its own.
// -hostile sends that many datagrams that mean harm instead of flows.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// options are the flags.
type options struct {
	to        string
	pcap      string
	protocol  string
	flows     int
	rate      float64
	seed      uint64
	six       int
	sampling  int
	exporters int
	epoch     int64
	hostile   int
	spread    time.Duration
}

// said is what is printed.
type said struct {
	Protocol string `json:"protocol"`
	datagrams.Counts
	datagrams.Pace
	CPU float64 `json:"cpu"` // seconds of sending
}

func main() {
	var o options
	flag.StringVar(&o.to, "to", "127.0.0.1:2055", "where datagrams go")
	flag.StringVar(&o.pcap, "pcap", "", "write a capture of them instead")
	flag.StringVar(&o.protocol, "protocol", "v5", "v5, v9, ipfix or sflow")
	flag.IntVar(&o.flows, "flows", 2_000_000, "how many")
	flag.Float64Var(&o.rate, "rate", 500_000, "flows a second; with -hostile, datagrams a second; 0 is as fast as possible")
	flag.Uint64Var(&o.seed, "seed", 1, "other seeds give other flows")
	flag.IntVar(&o.six, "six", 0, "percent of IPv6 (not in v5)")
	flag.IntVar(&o.sampling, "sampling", 0, "packet sampling the exporter reports, one in so many")
	flag.IntVar(&o.exporters, "exporters", 1, "addresses that send")
	flag.Int64Var(&o.epoch, "epoch", 0, "seconds since 1970 of the first datagram; 0 is now")
	flag.IntVar(&o.hostile, "hostile", 0, "send so many datagrams that mean harm instead")
	flag.DurationVar(&o.spread, "spread", 0, "time the flows' ends cover up to the first datagram's; 0: as they are sent")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "exporter:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	start := time.Now().UnixMicro()
	if o.epoch != 0 {
		start = o.epoch * 1e6
	}
	made := plan{start: start}
	if err := made.fill(o); err != nil {
		return err
	}
	result := said{Protocol: o.protocol, Counts: made.counts}
	if o.pcap != "" {
		if err := made.write(o); err != nil {
			return err
		}
	} else {
		before := cpu()
		pace, err := made.send(o)
		if err != nil {
			return err
		}
		result.Pace, result.CPU = pace, cpu()-before
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// plan is all that will be sent, in order.
type plan struct {
	start     int64 // microseconds since 1970
	perSecond float64
	bytes     []byte
	ends      []int // of each datagram in bytes
	from      []int // which exporter sends it
	counts    datagrams.Counts
}

func (p *plan) add(exporter int, b []byte) {
	p.bytes = b
	p.ends = append(p.ends, len(b))
	p.from = append(p.from, exporter)
}

func (p *plan) datagram(i int) []byte {
	at := 0
	if i > 0 {
		at = p.ends[i-1]
	}
	return p.bytes[at:p.ends[i]]
}

// source is the address of an exporter.
func source(exporter int) netip.Addr {
	n := exporter + 1
	return netip.AddrFrom4([4]byte{127, byte(1 + n>>16), byte(n >> 8), byte(n)})
}

// fill makes the datagrams for the times at which they will be sent.
func (p *plan) fill(o options) error {
	if o.exporters < 1 || o.exporters > 1<<20 {
		return fmt.Errorf("-exporters %d", o.exporters)
	}
	if o.hostile > 0 {
		h := datagrams.NewHostile(o.seed)
		p.perSecond = o.rate
		for i := range o.hostile {
			p.add(i/datagrams.Burst%o.exporters, h.Datagram(p.bytes, p.start))
			p.counts.Datagrams++
			p.counts.DatagramBytes += int64(len(p.datagram(i)))
		}
		return nil
	}
	protocol, err := datagrams.ParseProtocol(o.protocol)
	if err != nil {
		return err
	}
	if protocol == datagrams.NetFlow5 {
		o.six = 0
	}
	batch := protocol.Batch()
	exporters := make([]datagrams.Exporter, o.exporters)
	for i := range exporters {
		exporters[i] = datagrams.Exporter{Protocol: protocol, Domain: 1, Boot: p.start - 86_400_000_000, Sampling: o.sampling}
		if protocol == datagrams.NetFlow9 || protocol == datagrams.IPFIX {
			p.add(i, exporters[i].Templates(p.bytes, p.start))
		}
	}
	p.perSecond = o.rate / float64(batch)
	flows := datagrams.NewSource(o.seed, o.six)
	buf := make([]datagrams.Flow, batch)
	for done, i := 0, 0; done < o.flows; i++ {
		n := min(batch, o.flows-done)
		now := p.start
		if o.rate > 0 {
			now += int64(float64(done) / o.rate * 1e6)
		}
		ended := now
		if o.spread > 0 {
			ended = p.start - int64(float64(o.spread.Microseconds())*(1-float64(done)/float64(o.flows)))
		}
		for j := range buf[:n] {
			flows.Next(&buf[j], ended)
		}
		// Datagrams of one exporter come in bursts, as they are sent.
		who := i / datagrams.Burst % o.exporters
		p.add(who, exporters[who].Datagram(p.bytes, buf[:n], now))
		done += n
	}
	for i := range exporters {
		p.counts.Add(exporters[i].Made)
	}
	return nil
}

// write writes the datagrams as a capture, each at the time it would have been
// sent. Exporters are 10.200.0.1 and up.
func (p *plan) write(o options) (err error) {
	to, err := netip.ParseAddrPort(o.to)
	if err != nil {
		return fmt.Errorf("-to: %w", err)
	}
	f, err := os.Create(o.pcap)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	pcap, err := datagrams.NewPcap(w)
	if err != nil {
		return err
	}
	for i := range p.ends {
		at := p.start
		if p.perSecond > 0 {
			at += int64(float64(i) / p.perSecond * 1e6)
		}
		n := p.from[i] + 1
		from := netip.AddrFrom4([4]byte{10, byte(200 + n>>16), byte(n >> 8), byte(n)})
		if err := pcap.UDP(at, netip.AddrPortFrom(from, 50000), to, p.datagram(i)); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (p *plan) send(o options) (datagrams.Pace, error) {
	to, err := netip.ParseAddrPort(o.to)
	if err != nil {
		return datagrams.Pace{}, fmt.Errorf("-to: %w", err)
	}
	senders := make([]*datagrams.Sender, o.exporters)
	for i := range senders {
		from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
		if o.exporters > 1 {
			from = netip.AddrPortFrom(source(i), 0)
		}
		if senders[i], err = datagrams.Dial(from, to); err != nil {
			return datagrams.Pace{}, err
		}
		defer senders[i].Close()
	}
	var burst [datagrams.Burst][]byte
	return datagrams.Paced(len(p.ends), p.perSecond, func(from, to int) error {
		for from < to {
			n := 0
			for from+n < to && p.from[from+n] == p.from[from] {
				burst[n] = p.datagram(from + n)
				n++
			}
			if err := senders[p.from[from]].Send(burst[:n]...); err != nil {
				return err
			}
			from += n
		}
		return nil
	})
}
