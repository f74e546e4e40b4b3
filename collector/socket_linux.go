package collector

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketControl is what a net.ListenConfig hands to its Control.
type socketControl = syscall.RawConn

// portSharers is how many sockets may share a port.
const portSharers = 256

// prepareSocket sets what must be set before bind, and returns the receive
// buffer granted. The kernel doubles what it is asked for, to make room for
// its own structures, and reports the double.
func prepareSocket(c socketControl, buffer int, shared bool) (granted int, err error) {
	control := func(fd uintptr) error {
		s := int(fd)
		if shared {
			if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
				return os.NewSyscallError("setsockopt SO_REUSEPORT", err)
			}
		}
		// The first needs CAP_NET_ADMIN and passes over rmem_max.
		if unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffer) != nil {
			if err := unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF, buffer); err != nil {
				return os.NewSyscallError("setsockopt SO_RCVBUF", err)
			}
		}
		got, err := unix.GetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUF)
		if err != nil {
			return os.NewSyscallError("getsockopt SO_RCVBUF", err)
		}
		granted = got / 2
		return os.NewSyscallError("setsockopt SO_RXQ_OVFL", unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1))
	}
	var inner error
	if err := c.Control(func(fd uintptr) { inner = control(fd) }); err != nil {
		return 0, err
	}
	return granted, inner
}

// kernelDrops reads how many datagrams the kernel dropped at a socket since it
// was opened, modulo 2^32: for want of buffer, for a wrong checksum, and those
// refuseAll turned away.
func kernelDrops(conn *net.UDPConn) (uint32, bool) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false
	}
	var info [unix.SK_MEMINFO_VARS]uint32
	size := uint32(unsafe.Sizeof(info))
	var errno syscall.Errno
	if err := raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	}); err != nil || errno != 0 {
		return 0, false
	}
	return info[unix.SK_MEMINFO_DROPS], true
}

// refuseAll makes the kernel drop, and count, all further datagrams: a filter
// that accepts no byte. What is in the receive buffer stays.
func refuseAll(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	none := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	program := unix.SockFprog{Len: uint16(len(none)), Filter: &none[0]}
	var inner error
	if err := raw.Control(func(fd uintptr) {
		inner = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program)
	}); err != nil {
		return err
	}
	return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", inner)
}

// mmsghdr is struct mmsghdr of recvmmsg(2); Go pads it as C does.
type mmsghdr struct {
	unix.Msghdr
	length uint32
}

// spread keeps the rooms of a batch from starting a power of two apart: all of
// them would fall into the same few sets of the processor's cache.
const spread = 1536

// batch is the memory of one recvmmsg(2), set up once: receiving allocates
// nothing. It is used by one goroutine.
type batch struct {
	raw      syscall.RawConn
	room     int
	stride   int
	messages []mmsghdr
	vectors  []unix.Iovec
	names    []unix.RawSockaddrInet6 // room for either family
	controls [][controlRoom]byte
	memory   []byte

	// wait is the system call as a function of the descriptor, made once: a
	// closure made per call would be allocated per call.
	wait  func(fd uintptr) bool
	n     int
	errno syscall.Errno
}

// controlRoom holds one control message with 32 bits, aligned as the kernel
// writes it.
const controlRoom = 32

func newBatch(size, room int) *batch {
	b := &batch{
		room: room, stride: room + spread,
		messages: make([]mmsghdr, size), vectors: make([]unix.Iovec, size),
		names: make([]unix.RawSockaddrInet6, size), controls: make([][controlRoom]byte, size),
	}
	b.memory = make([]byte, size*b.stride)
	for i := range b.messages {
		b.vectors[i].Base = &b.memory[i*b.stride]
		b.vectors[i].SetLen(room)
		m := &b.messages[i]
		m.Iov = &b.vectors[i]
		m.SetIovlen(1)
		m.Name = (*byte)(unsafe.Pointer(&b.names[i]))
		m.Control = &b.controls[i][0]
		b.reset(i)
	}
	b.wait = func(fd uintptr) bool {
		b.call(fd)
		return b.errno != unix.EAGAIN
	}
	return b
}

// reset gives a message the lengths the kernel overwrote.
func (b *batch) reset(i int) {
	m := &b.messages[i]
	m.Namelen = unix.SizeofSockaddrInet6
	m.SetControllen(controlRoom)
	m.Flags = 0
}

func (b *batch) attach(conn *net.UDPConn) (err error) {
	b.raw, err = conn.SyscallConn()
	return err
}

func (b *batch) call(fd uintptr) {
	for i := range b.n {
		b.reset(i)
	}
	b.n = 0
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&b.messages[0])), uintptr(len(b.messages)), unix.MSG_DONTWAIT, 0, 0)
	if b.errno = errno; errno == 0 {
		b.n = int(n)
	}
}

// receive waits for datagrams and takes as many as there are and fit. The
// error is os.ErrDeadlineExceeded once the socket's deadline has passed.
func (b *batch) receive() (int, error) {
	return b.received(b.raw.Read(b.wait))
}

// receiveNow takes what is there and doesn't wait: n is 0 when nothing is.
func (b *batch) receiveNow() (int, error) {
	return b.received(b.raw.Control(b.call))
}

func (b *batch) received(err error) (int, error) {
	switch {
	case err != nil:
		return 0, err
	case b.errno == 0 || b.errno == unix.EAGAIN || b.errno == unix.EINTR:
		return b.n, nil
	}
	return 0, os.NewSyscallError("recvmmsg", b.errno)
}

// datagram returns the bytes of one, who sent it, and whether it is whole. The
// bytes are good until the next receive.
func (b *batch) datagram(i int) (data []byte, from netip.AddrPort, whole bool) {
	m := &b.messages[i]
	start := i * b.stride
	n := min(int(m.length), b.room)
	return b.memory[start : start+n : start+n], sender(&b.names[i]), m.Flags&unix.MSG_TRUNC == 0
}

// sender reads a socket address of either family; IPv4 mapped into IPv6 comes
// out as IPv4, a zone is left out.
func sender(name *unix.RawSockaddrInet6) netip.AddrPort {
	// The port is in network order whatever the machine's.
	port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&name.Port))[:])
	if name.Family == unix.AF_INET {
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(name))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(name.Addr).Unmap(), port)
}

// dropped returns the kernel's count of drops as it stood when the last of n
// datagrams was queued; ok is false when nothing was dropped before it.
func (b *batch) dropped(n int) (count uint32, ok bool) {
	m := &b.messages[n-1]
	if m.Controllen < unix.SizeofCmsghdr+4 {
		return 0, false
	}
	control := &b.controls[n-1]
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	if h.Level != unix.SOL_SOCKET || h.Type != unix.SO_RXQ_OVFL {
		return 0, false
	}
	return binary.NativeEndian.Uint32(control[unix.SizeofCmsghdr:]), true
}
