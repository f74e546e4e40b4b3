//go:build !unix

package sqlserver

import (
	"errors"
	"net"
)

func socketPair() (a, b *net.UnixConn, err error) {
	return nil, nil, errors.New("there are no pairs of sockets on this system")
}
