//go:build linux

package datagrams

import (
	"fmt"
	"net/netip"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Burst is how many datagrams go to the kernel at once.
const Burst = 8

// Sender puts datagrams on the wire from one address. The socket is not
// connected: nobody listening is no error, as it is none for an exporter.
type Sender struct {
	fd       int
	messages [Burst]message
	vectors  [Burst]unix.Iovec
	to       unix.RawSockaddrInet4
}

// message is struct mmsghdr.
type message struct {
	header unix.Msghdr
	sent   uint32
}

// Dial opens a socket at from (port 0 for any; any of 127.0.0.0/8 will do)
// for datagrams to to. Both are IPv4.
func Dial(from, to netip.AddrPort) (*Sender, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: from.Addr().As4(), Port: int(from.Port())}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("bind %s: %w", from, err)
	}
	s := &Sender{fd: fd, to: unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.Addr().As4()}}
	port := (*[2]byte)(unsafe.Pointer(&s.to.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	for i := range s.messages {
		h := &s.messages[i].header
		h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.to)), unix.SizeofSockaddrInet4
		h.Iov = &s.vectors[i]
		h.SetIovlen(1)
	}
	return s, nil
}

// Close closes the socket.
func (s *Sender) Close() error { return unix.Close(s.fd) }

// Send hands datagrams to the kernel, all of them: it waits for room.
func (s *Sender) Send(datagrams ...[]byte) error {
	for len(datagrams) > 0 {
		n := min(len(datagrams), Burst)
		for i, d := range datagrams[:n] {
			s.vectors[i].Base = unsafe.SliceData(d)
			s.vectors[i].SetLen(len(d))
		}
		sent, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.messages[0])), uintptr(n), 0, 0, 0)
		switch {
		case errno == 0:
			datagrams = datagrams[sent:]
		case errno != syscall.EINTR && errno != syscall.ENOBUFS:
			return fmt.Errorf("sendmmsg: %w", errno)
		}
	}
	runtime.KeepAlive(s)
	return nil
}

// Pace is how sending went.
type Pace struct {
	Seconds float64 `json:"seconds"`
	// Behind is the longest a burst left later than planned: the machine had
	// other things to do.
	Behind float64 `json:"behind"` // seconds
}

// catchUp is how much faster than planned a sender that fell behind may be.
const catchUp = 1.5

// Paced calls send for the numbers 0 to n-1 at perSecond, in bursts of at
// most Burst calls that belong to one another (send is given the range). When
// it falls behind, it catches up at one and a half times the speed: never all
// that is due at once, which no exporter would send. perSecond 0 is as fast as
// possible.
func Paced(n int, perSecond float64, send func(from, to int) error) (Pace, error) {
	// Sleeps of microseconds need a thread of their own without timer slack.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return Pace{}, fmt.Errorf("timer slack: %w", err)
	}
	var pace Pace
	start := time.Now()
	interval := time.Duration(0)
	if perSecond > 0 {
		interval = time.Duration(Burst * float64(time.Second) / perSecond)
	}
	var last time.Duration
	for from := 0; from < n; from += Burst {
		due := time.Duration(from/Burst) * interval
		now := time.Since(start)
		pace.Behind = max(pace.Behind, (now - due).Seconds())
		at := max(due, min(last+time.Duration(float64(interval)/catchUp), now+interval))
		if wait := at - now; wait > 0 {
			t := unix.NsecToTimespec(wait.Nanoseconds())
			if err := unix.Nanosleep(&t, nil); err != nil && err != unix.EINTR {
				return pace, fmt.Errorf("nanosleep: %w", err)
			}
		}
		last = time.Since(start)
		if err := send(from, min(n, from+Burst)); err != nil {
			return pace, err
		}
	}
	pace.Seconds = time.Since(start).Seconds()
	if perSecond == 0 {
		pace.Behind = 0
	}
	return pace, nil
}

// SendFrom sends one datagram with any source address this machine has: all of
// 127.0.0.0/8 are. The socket must be bound to 0.0.0.0.
func (s *Sender) SendFrom(source netip.Addr, datagram []byte) error {
	control := unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: source.As4()})
	port := (*[2]byte)(unsafe.Pointer(&s.to.Port))
	to := unix.SockaddrInet4{Addr: s.to.Addr, Port: int(port[0])<<8 | int(port[1])}
	for {
		err := unix.Sendmsg(s.fd, datagram, control, &to, 0)
		if err == nil || err != unix.EINTR && err != unix.ENOBUFS {
			return err
		}
	}
}
