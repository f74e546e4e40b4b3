package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopacket/gopacket/afpacket"
	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Device is an interface packets are recorded from, or a worker's share of it: a
// Source that lives as long as it is wanted. The interface may go down, vanish and
// come back: Next says ErrIdle meanwhile, and what is known of it stands in State.
type Device struct {
	of     Interface
	worker int
	all    *rings
	log    *slog.Logger
	link   tables.LinkType

	ring   *afpacket.TPacket
	index  int       // the interface's number, which another one of its name has not
	fault  bool      // the socket told of a failure, which it does from then on
	looked time.Time // when the interface was last looked at
	state  atomic.Int32
	tagged []byte        // a packet whose tag was put back
	wait   time.Duration // until the ring is looked at again

	mu                sync.Mutex // guards the counters, and the change of rings
	received, dropped uint64
	last              [2]uint32 // the ring's own counters, which wrap
}

// OpenDevice begins to take packets: there is a Device for each worker of the
// interface. An error that is ErrNoInterface may pass: they are open then, and wait
// for the interface.
func OpenDevice(i Interface, log *slog.Logger) ([]*Device, error) {
	all := &rings{of: i, list: make([]*afpacket.TPacket, max(i.Workers, 1))}
	list := make([]*Device, len(all.list))
	var err error
	for n := range list {
		d := &Device{of: i, worker: n, all: all, log: log,
			wait: min(time.Duration(i.RingBytes)*time.Second/2/fullLine, idleAfter/3)}
		list[n] = d
		d.state.Store(int32(DeviceUp)) // until it is known: to be up is no news
		if err == nil {
			err = d.open()
		}
		if errors.Is(err, ErrNoInterface) {
			d.state.Store(int32(DeviceGone))
		}
	}
	if err != nil && !errors.Is(err, ErrNoInterface) {
		for _, d := range list {
			err = errors.Join(err, d.Close())
		}
		return nil, err
	}
	return list, err
}

// open takes its ring.
func (d *Device) open() error {
	t, err := d.all.take(d.worker)
	if err != nil {
		return err
	}
	if d.index != 0 && t.link != d.link {
		was := d.link
		d.index = 0 // the next Next takes it as it is
		d.all.put(d.worker, t.ring)
		return fmt.Errorf("interface %s came back with link type %d in place of %d", d.of.Name, t.link, was)
	}
	d.release()
	d.mu.Lock()
	d.ring, d.last = t.ring, [2]uint32{}
	d.mu.Unlock()
	d.index, d.link, d.fault = t.index, t.link, false
	d.become(t.state)
	return nil
}

// Next implements Source. It sleeps between looks at the ring rather than wait in
// the kernel: to be woken for each block, and Go's scheduler looking after a thread
// that waits there, is what most of a slow line's cost was.
func (d *Device) Next(rec *pcap.Record) error {
	for slept := time.Duration(0); ; {
		if d.ring == nil {
			time.Sleep(idleAfter)
			return d.look()
		}
		data, info, err := d.ring.ZeroCopyReadPacketData()
		switch {
		case err == nil:
			if len(info.AncillaryData) > 0 && d.link == tables.LinkEthernet && untagged(data, info.AncillaryData[0]) {
				d.tagged = append(append(append(d.tagged[:0], data[:macs]...), 0x81, 0, 0, 0), data[macs:]...)
				data, info.Length = d.tagged, info.Length+len(d.tagged)-len(data)
			}
			*rec = pcap.Record{TS: info.Timestamp.UnixNano(), Length: info.Length, InterfaceName: d.of.Name,
				Link: d.link, Nano: true, Data: data[:min(len(data), d.of.Snaplen)]}
			return nil
		case errors.Is(err, afpacket.ErrTimeout):
			if slept+d.wait > idleAfter {
				return ErrIdle
			}
		case errors.Is(err, afpacket.ErrPoll):
			// The interface went down. The socket says so for ever, and takes
			// packets again when it is up: there is nothing but to look.
			if !d.fault || time.Since(d.looked) > idleAfter {
				d.fault = true
				if err := d.look(); !errors.Is(err, ErrIdle) {
					return err
				}
			}
			if slept+d.wait > idleAfter {
				return d.idle()
			}
		default:
			return fmt.Errorf("interface %s: %w", d.of.Name, err)
		}
		time.Sleep(d.wait)
		slept += d.wait
	}
}

// macs is how long the two addresses are that stand before a tag.
const macs = 12

// untagged tells that a packet's tag, which the kernel took off, was not put
// back: the library does not put back one of priority 0 and VLAN 0.
func untagged(data []byte, tag any) bool {
	vlan, ok := tag.(afpacket.AncillaryVLAN)
	if !ok || vlan.VLAN != 0 || len(data) < macs {
		return false
	}
	if len(data) < macs+4 {
		return true
	}
	switch binary.BigEndian.Uint16(data[macs:]) {
	case 0x8100, 0x88a8: // it was, for its priority; or is the one behind it
		tci := binary.BigEndian.Uint16(data[macs+2:])
		return tci == 0 || tci&0xfff != 0
	}
	return true
}

// look finds out how the interface is, and opens it anew if it is another one.
// It returns ErrIdle, or why the source has to end.
func (d *Device) look() error {
	d.looked = time.Now()
	if d.index != 0 && d.ring != nil {
		if i, err := net.InterfaceByIndex(d.index); err == nil { // by whatever name
			d.become(stateOf(i))
			return d.idle()
		}
		d.become(DeviceGone)
		d.release()
	}
	switch err := d.open(); {
	case err == nil, errors.Is(err, ErrNoInterface), errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO): // it vanished again
		return d.idle()
	default:
		return err
	}
}

// idle is why no packet came.
func (d *Device) idle() error {
	if d.State() == DeviceUp {
		return ErrIdle
	}
	return ErrDown
}

// release closes the ring, having read its counters.
func (d *Device) release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ring != nil {
		d.count()
		d.ring.Close()
		d.ring = nil
	}
}

// become notes a change of state, and reports it.
func (d *Device) become(s DeviceState) {
	switch was := DeviceState(d.state.Swap(int32(s))); {
	case was == s:
	case s == DeviceUp:
		d.log.Warn("packets are recorded again", "interface", d.of.Name, "sensor", d.of.Sensor)
	default:
		d.log.Warn("packets are not recorded: the interface is "+s.String(), "interface", d.of.Name, "sensor", d.of.Sensor)
	}
}

// State tells how the interface is.
func (d *Device) State() DeviceState { return DeviceState(d.state.Load()) }

// Interface is what the Device records.
func (d *Device) Interface() Interface { return d.of }

// Worker is which of the interface's workers it is, from 0.
func (d *Device) Worker() int { return d.worker }

// Loss implements Source: packets that passed the filter, and those of them
// for which the ring had no room. It may be called at any time.
func (d *Device) Loss() (received, dropped uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ring != nil {
		d.count()
	}
	return d.received, d.dropped
}

// count adds what the ring counted since it was last asked. The kernel counts
// what it drops among the packets.
func (d *Device) count() {
	_, s, err := d.ring.SocketStats()
	if err != nil {
		return
	}
	packets, drops := uint32(s.Packets()), uint32(s.Drops())
	d.received += uint64(packets - d.last[0] - (drops - d.last[1]))
	d.dropped += uint64(drops - d.last[1])
	d.last = [2]uint32{packets, drops}
}

// LinkType implements Source. It is Ethernet's while the interface was never
// there.
func (d *Device) LinkType() tables.LinkType {
	if d.index == 0 {
		return tables.LinkEthernet
	}
	return d.link
}

// Close implements Source.
func (d *Device) Close() error {
	d.release()
	d.all.leave(d.worker)
	return nil
}

func stateOf(i *net.Interface) DeviceState {
	if i.Flags&net.FlagUp == 0 {
		return DeviceDown
	}
	return DeviceUp
}

// linkOf tells what packets of an interface begin with, from its hardware type
// (ARPHRD_ numbers of linux/if_arp.h).
func linkOf(name string) (tables.LinkType, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("interface %s: %w", name, err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFHWADDR, request)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %s", ErrNoInterface, name)
	}
	kind := request.Uint16()
	switch kind {
	case unix.ARPHRD_ETHER, unix.ARPHRD_LOOPBACK:
		return tables.LinkEthernet, nil
	case unix.ARPHRD_NONE, unix.ARPHRD_RAWIP, unix.ARPHRD_TUNNEL, unix.ARPHRD_TUNNEL6, unix.ARPHRD_SIT:
		return tables.LinkRaw, nil
	case unix.ARPHRD_IEEE80211:
		return 105, nil
	case unix.ARPHRD_IEEE80211_RADIOTAP:
		return 127, nil
	}
	return 0, fmt.Errorf("interface %s is of a kind (%d) whose packets can't be recorded: Ethernet, tunnels of IP and 802.11 can", name, kind)
}
