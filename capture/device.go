package capture

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/wiresql/wiresql/capture/filter"
	"github.com/wiresql/wiresql/tables"
)

// DeviceConfig says which interfaces packets are recorded from, and how. What
// it says of all interfaces holds for those that say nothing else.
type DeviceConfig struct {
	Interfaces  []string `key:"interfaces" by:"," flag:"capture" doc:"interfaces to record packets from, each NAME or, with settings of its own, 'NAME [sensor=N] [site=S] [snaplen=BYTES] [promiscuous=BOOL] [workers=N] [filter=EXPRESSION]'; none by default"`
	Filter      string   `key:"filter" doc:"which packets the kernel hands over, as tcpdump takes it ('not port 22'); empty for all"`
	Snaplen     int      `key:"snaplen" doc:"bytes recorded of each packet at most"`
	Promiscuous bool     `key:"promiscuous" doc:"take packets that are not for this machine, as a mirror port brings them"`
	RingBytes   int64    `key:"ring-bytes" doc:"bytes of kernel buffer per interface and worker, for what comes while we are busy"`
	Workers     int      `key:"workers" flag:"capture-workers" doc:"how many share an interface's packets, by their addresses, each with a buffer, a thread and a log of its own"`
	Cutoff      []string `key:"cutoff" by:"," doc:"how much of whose payload is kept, each 'FILTER=BYTES' (64k, 1m; headers for none): of all conversations of the filter the first so many bytes and the headers of the rest; the first filter that holds counts. Also of imported packets"`
	User        string   `key:"user" doc:"account to run as, when started by root: nothing is kept of root's rights but opening interfaces (CAP_NET_RAW); empty to stay"`
}

// DefaultDeviceConfig is what holds when nothing is set.
func DefaultDeviceConfig() DeviceConfig {
	return DeviceConfig{Snaplen: maxSnaplen, Promiscuous: true, RingBytes: 64 << 20, Workers: 1}
}

const (
	// maxSnaplen is what tcpdump takes without -s: more than any frame, those
	// that the kernel or the card put together (GRO, LRO) included.
	maxSnaplen = 262144
	maxWorkers = 64
	minRing    = 8 * ringBlock
	maxRing    = 4 << 30
	// ringBlock is what the kernel fills and hands over at a time: it takes a
	// frame of maxSnaplen bytes.
	ringBlock = 512 << 10
	// ringDelay is how long a packet waits for its block to fill. What counts
	// against the ring of a slow line are blocks, not bytes: 128 of them, each
	// handed over after this time, are eight seconds in which we may be busy.
	ringDelay = 64 * time.Millisecond
	// fullLine is the bytes a second that fill half a ring until it is looked at
	// again: 10 Gbit/s.
	fullLine = 1_250_000_000
	// idleAfter is the longest that Next waits.
	idleAfter = 100 * time.Millisecond
)

// Interface is one that packets are recorded from.
type Interface struct {
	Name string
	// Sensor is the observer's name in all rows, the interface's if none is
	// given; Site the conversation space, empty for the common one.
	Sensor, Site string
	Filter       string
	Snaplen      int
	Promiscuous  bool
	RingBytes    int64
	// Workers share its packets: each has those of some pairs of addresses.
	Workers int
}

// List reads the interfaces of a configuration and checks what is said of
// each; of a filter whether it can be compiled.
func (c DeviceConfig) List() ([]Interface, error) {
	var out []Interface
	names, sensors := map[string]bool{}, map[string]string{}
	for _, text := range c.Interfaces {
		i, err := c.parse(text)
		if err != nil {
			return nil, fmt.Errorf("interface %q: %w", text, err)
		}
		if names[i.Name] {
			return nil, fmt.Errorf("interface %s is named twice", i.Name)
		}
		if other := sensors[i.Sensor]; other != "" {
			return nil, fmt.Errorf("interfaces %s and %s are one sensor, %s: what each of them saw could not be told", other, i.Name, i.Sensor)
		}
		names[i.Name], sensors[i.Sensor] = true, i.Name
		out = append(out, i)
	}
	return out, nil
}

func (c DeviceConfig) parse(text string) (Interface, error) {
	name, rest, _ := strings.Cut(strings.TrimSpace(text), " ")
	i := Interface{Name: name, Sensor: name, Filter: c.Filter, Snaplen: c.Snaplen, Promiscuous: c.Promiscuous, RingBytes: c.RingBytes, Workers: c.Workers}
	switch {
	case name == "":
		return i, errors.New("no name")
	case strings.ContainsAny(name, "=/"):
		return i, fmt.Errorf("%s is no interface: settings stand behind its name", name)
	case name == "any":
		return i, errors.New("packets of all interfaces at once are not recorded: name those that matter")
	}
	for rest = strings.TrimSpace(rest); rest != ""; rest = strings.TrimSpace(rest) {
		key, value, ok := strings.Cut(rest, "=")
		if !ok {
			return i, fmt.Errorf("%q is no setting: it is sensor, site, snaplen, promiscuous, workers or filter, = and a value", rest)
		}
		if key != "filter" { // which is the last, and may hold anything
			value, rest, _ = strings.Cut(value, " ")
		} else {
			rest = ""
		}
		var err error
		switch key {
		case "sensor":
			i.Sensor = value
		case "site":
			i.Site = value
		case "snaplen":
			if i.Snaplen, err = strconv.Atoi(value); err != nil {
				return i, fmt.Errorf("snaplen %q is not a number", value)
			}
		case "promiscuous":
			if i.Promiscuous, err = strconv.ParseBool(value); err != nil {
				return i, fmt.Errorf("promiscuous is true or false, not %q", value)
			}
		case "workers":
			if i.Workers, err = strconv.Atoi(value); err != nil {
				return i, fmt.Errorf("workers %q is not a number", value)
			}
		case "filter":
			i.Filter = value
		default:
			return i, fmt.Errorf("unknown setting %q: there are sensor, site, snaplen, promiscuous, workers and filter", key)
		}
	}
	switch {
	case i.Sensor == "":
		return i, errors.New("an empty sensor")
	case i.Snaplen < 64 || i.Snaplen > maxSnaplen:
		return i, fmt.Errorf("snaplen %d is not between 64 and %d", i.Snaplen, maxSnaplen)
	case i.Workers < 1 || i.Workers > maxWorkers:
		return i, fmt.Errorf("workers %d is not between 1 and %d", i.Workers, maxWorkers)
	case i.RingBytes < minRing || i.RingBytes > maxRing:
		return i, fmt.Errorf("ring-bytes %d is not between %d and %d", i.RingBytes, int64(minRing), int64(maxRing))
	}
	_, err := filter.Compile(i.Filter, tables.LinkEthernet, i.Snaplen)
	return i, err
}

// DeviceState is how an interface is.
type DeviceState int32

// The states of an interface.
const (
	DeviceUp   DeviceState = iota // packets come if there are any
	DeviceDown                    // it is there, and not up
	DeviceGone                    // there is none of this name
)

func (s DeviceState) String() string {
	return [...]string{"up", "down", "gone"}[s]
}

// ErrNoInterface is that there is no interface of a name.
var ErrNoInterface = errors.New("no such interface")

// Interfaces lists the names of this machine's interfaces.
func Interfaces() []string {
	list, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var out []string
	for _, i := range list {
		out = append(out, i.Name)
	}
	return out
}
