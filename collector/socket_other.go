//go:build !linux

package collector

import (
	"net"
	"net/netip"
	"syscall"
	"time"
)

// Elsewhere than on Linux one datagram is received at a time, one socket has
// the port, and the system doesn't tell what it dropped: for trying things
// out on a developer's machine.

type socketControl = syscall.RawConn

const portSharers = 1

func prepareSocket(_ socketControl, buffer int, _ bool) (granted int, err error) { return buffer, nil }

func kernelDrops(*net.UDPConn) (uint32, bool) { return 0, false }

func refuseAll(*net.UDPConn) error { return nil }

type batch struct {
	conn   *net.UDPConn
	memory []byte
	n      int
	from   netip.AddrPort
}

// newBatch makes room for one datagram and a byte, to see that one was cut.
func newBatch(_, room int) *batch { return &batch{memory: make([]byte, room+1)} }

func (b *batch) attach(conn *net.UDPConn) error {
	b.conn = conn
	return conn.SetReadBuffer(datagramRoom)
}

func (b *batch) receive() (n int, err error) {
	b.n, b.from, err = b.conn.ReadFromUDPAddrPort(b.memory)
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// receiveNow takes what comes within a millisecond.
func (b *batch) receiveNow() (n int, err error) {
	if err := b.conn.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return 0, err
	}
	if n, err = b.receive(); err != nil {
		return 0, nil
	}
	return n, nil
}

func (b *batch) datagram(int) (data []byte, from netip.AddrPort, whole bool) {
	return b.memory[:b.n], netip.AddrPortFrom(b.from.Addr().Unmap().WithZone(""), b.from.Port()), b.n < len(b.memory)
}

func (b *batch) dropped(int) (uint32, bool) { return 0, false }
