package pcap

import "io"

const (
	// aheadChunk is read at a time, and aheadChunks wait to be taken.
	aheadChunk  = 256 << 10
	aheadChunks = 4
)

// readAhead reads a stream, and unpacks and hashes it, in a goroutine of its own.
type readAhead struct {
	full chan chunkAhead
	free chan []byte
	quit chan struct{}
	done chan struct{}
	now  chunkAhead // what is left of the chunk at hand
	buf  []byte     // its memory
}

type chunkAhead struct {
	bytes []byte
	err   error
}

// newReadAhead reads src until its end or until close. passed, if not nil, is called
// with what was read, by the goroutine until an error was read.
func newReadAhead(src io.Reader, passed func([]byte)) *readAhead {
	a := &readAhead{full: make(chan chunkAhead, aheadChunks), free: make(chan []byte, aheadChunks+1), quit: make(chan struct{}), done: make(chan struct{})}
	for range aheadChunks {
		a.free <- make([]byte, aheadChunk)
	}
	go func() {
		defer close(a.done)
		for {
			var buf []byte
			select {
			case buf = <-a.free:
			case <-a.quit:
				return
			}
			n, err := src.Read(buf)
			if passed != nil {
				passed(buf[:n])
			}
			select {
			case a.full <- chunkAhead{buf[:n], err}:
			case <-a.quit:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return a
}

// Read implements io.Reader. Errors are sticky.
func (a *readAhead) Read(b []byte) (int, error) {
	if len(a.now.bytes) == 0 && a.now.err == nil {
		if a.buf != nil {
			a.free <- a.buf
		}
		a.now = <-a.full
		a.buf = a.now.bytes[:cap(a.now.bytes)]
	}
	n := copy(b, a.now.bytes)
	if a.now.bytes = a.now.bytes[n:]; len(a.now.bytes) > 0 {
		return n, nil
	}
	return n, a.now.err
}

// close ends the goroutine.
func (a *readAhead) close() {
	close(a.quit)
	<-a.done
}
