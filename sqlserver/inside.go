package sqlserver

import (
	"errors"
	"net"
)

// inside is the server's end of a connection that begins in this process, for
// somebody who is elsewhere: it is that address which is told in errors, kept
// in the query log, and counted when passwords are wrong.
type inside struct {
	*net.UnixConn // whose socket can be looked at
	remote        net.Addr
}

func (c inside) RemoteAddr() net.Addr { return c.remote }

// Dial opens a connection to the server without a network, for the client at
// remote. Its other end is served as any: limit of connections, TLS, login,
// rights, cancellation by closing.
func (s *Server) Dial(remote net.Addr) (net.Conn, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	c := s.listener.admit(inside{theirs, remote})
	if c == nil {
		return ours, nil // which says that there are too many
	}
	if !s.begin(c) {
		ours.Close()
		return nil, errors.New("the server is closed")
	}
	return ours, nil
}
