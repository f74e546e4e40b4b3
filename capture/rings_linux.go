package capture

import (
	"errors"
	"fmt"
	"net"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/gopacket/gopacket/afpacket"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/capture/filter"
	"github.com/wiresql/wiresql/tables"
)

// rings are those of an interface's workers. They are opened together: what the
// kernel gives to whom depends on how many they are.
type rings struct {
	of Interface

	mu    sync.Mutex
	list  []*afpacket.TPacket // by worker; nil where it is taken
	about taken
}

// taken is a ring, and what the interface was when it was opened.
type taken struct {
	ring  *afpacket.TPacket
	index int
	link  tables.LinkType
	state DeviceState
}

// take hands over the ring of a worker. One that has taken its own already asks
// since that is of an interface that is gone, and the others' with it.
func (r *rings) take(worker int) (taken, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.list[worker] == nil {
		r.close()
		if err := r.open(); err != nil {
			r.close()
			return taken{}, err
		}
	}
	t := r.about
	t.ring, r.list[worker] = r.list[worker], nil
	return t, nil
}

// put gives a ring back.
func (r *rings) put(worker int, ring *afpacket.TPacket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list[worker] = ring
}

// leave closes the ring of a worker that ends, if it was not taken.
func (r *rings) leave(worker int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ring := r.list[worker]; ring != nil {
		ring.Close()
		r.list[worker] = nil
	}
}

func (r *rings) close() {
	for i, ring := range r.list {
		if ring != nil {
			ring.Close()
		}
		r.list[i] = nil
	}
}

// open makes the rings and attaches the filter.
func (r *rings) open() error {
	i, err := net.InterfaceByName(r.of.Name)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrNoInterface, r.of.Name)
	}
	link, err := linkOf(r.of.Name)
	if err != nil {
		return err
	}
	r.about = taken{index: i.Index, link: link, state: stateOf(i)}
	program, err := filter.Compile(r.of.Filter, link, r.of.Snaplen)
	if err != nil {
		return fmt.Errorf("interface %s: %w", r.of.Name, err)
	}
	if i.Flags&net.FlagLoopback != 0 {
		program = filter.Incoming(program)
	}
	for n := range r.list {
		r.list[n], err = afpacket.NewTPacket(afpacket.OptInterface(r.of.Name), afpacket.TPacketVersion3,
			afpacket.OptFrameSize(4096), afpacket.OptBlockSize(ringBlock), afpacket.OptNumBlocks(int(r.of.RingBytes/ringBlock)),
			afpacket.OptBlockTimeout(ringDelay), afpacket.OptPollTimeout(0), afpacket.OptAddVLANHeader(true))
		switch {
		case errors.Is(err, os.ErrPermission):
			return fmt.Errorf("interface %s: packets are for root, or a process with CAP_NET_RAW", r.of.Name)
		case err != nil:
			return fmt.Errorf("interface %s: %w", r.of.Name, err)
		}
	}
	err = r.attach(program)
	if err == nil && r.of.Promiscuous {
		for _, ring := range r.list {
			err = errors.Join(err, ring.SetPromiscuous(true))
		}
	}
	if err != nil {
		return fmt.Errorf("interface %s: %w", r.of.Name, err)
	}
	return nil
}

// attach sets the filter of rings that are open already: whatever came before is
// thrown away, as it passed no filter, and came to each of them.
func (r *rings) attach(program []bpf.RawInstruction) error {
	nothing, err := bpf.Assemble([]bpf.Instruction{bpf.RetConstant{}})
	if err != nil {
		return err
	}
	for _, ring := range r.list {
		if err := ring.SetBPF(nothing); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
	}
	for read := true; read; { // until no block is handed over any more
		time.Sleep(idleAfter)
		read = false
		for _, ring := range r.list {
			for err = nil; err == nil; read = read || err == nil {
				_, _, err = ring.ZeroCopyReadPacketData()
			}
		}
	}
	if len(r.list) > 1 {
		if err := r.share(); err != nil {
			return fmt.Errorf("%d workers: %w", len(r.list), err)
		}
	}
	for _, ring := range r.list {
		if err := ring.SetBPF(program); err != nil {
			return fmt.Errorf("filter: %w", err)
		}
		if err := ring.InitSocketStats(); err != nil {
			return err
		}
	}
	return nil
}

// share makes the rings a group of which each packet comes to one. The group has a
// number that no other has, whoever captures from the interface beside.
func (r *rings) share() error {
	group := unix.PACKET_FANOUT_FLAG_UNIQUEID << 16
	for n, ring := range r.list {
		fd, err := descriptor(ring)
		if err != nil {
			return err
		}
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT, group|unix.PACKET_FANOUT_CBPF<<16); err != nil {
			return os.NewSyscallError("PACKET_FANOUT", err)
		}
		if n > 0 {
			continue
		}
		if group, err = unix.GetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_FANOUT); err != nil {
			return os.NewSyscallError("PACKET_FANOUT", err)
		}
		group &= 0xffff
		if err := spread(fd, filter.Spread(r.about.link)); err != nil {
			return os.NewSyscallError("PACKET_FANOUT_DATA", err)
		}
	}
	return nil
}

// spread sets the program that says whose a packet is.
func spread(fd int, program []bpf.RawInstruction) error {
	list := make([]unix.SockFilter, len(program))
	for i, in := range program {
		list[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_PACKET, unix.PACKET_FANOUT_DATA, &unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]})
}

// descriptor is a ring's socket, which the library has no method for, nor for a
// group's program and its number.
func descriptor(ring *afpacket.TPacket) (int, error) {
	fd := reflect.ValueOf(ring).Elem().FieldByName("fd")
	if !fd.IsValid() || !fd.CanInt() {
		return 0, errors.New("the library's ring has no socket")
	}
	return int(fd.Int()), nil
}
