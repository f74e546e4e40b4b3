package pcap

import "io"

const (
	// aheadChunk is read at a time, and aheadChunks are on their way.
	aheadChunk  = 256 << 10
	aheadChunks = 8
	// aheadRoom is in front of each chunk for what is left of the one before: the
	// beginning of a record, of nearly all.
	aheadRoom = 64 << 10
)

// readAhead reads a stream, and unpacks and hashes it, in a goroutine of its own.
type readAhead struct {
	full chan chunkAhead
	free chan []byte // of aheadRoom + aheadChunk
	quit chan struct{}
	done chan struct{}
}

// chunkAhead is n bytes behind the room of a buffer, and what came after them.
type chunkAhead struct {
	buf []byte
	n   int
	err error
}

// newReadAhead reads src until its end or until close. passed, if not nil, is called
// with what was read, by the goroutine until an error was read.
func newReadAhead(src io.Reader, passed func([]byte)) *readAhead {
	a := &readAhead{full: make(chan chunkAhead, aheadChunks), free: make(chan []byte, aheadChunks), quit: make(chan struct{}), done: make(chan struct{})}
	for range aheadChunks {
		a.free <- make([]byte, aheadRoom+aheadChunk)
	}
	go func() {
		defer close(a.done)
		for {
			var c chunkAhead
			select {
			case c.buf = <-a.free:
			case <-a.quit:
				return
			}
			c.n, c.err = fillFrom(src, c.buf[aheadRoom:])
			if passed != nil {
				passed(c.buf[aheadRoom : aheadRoom+c.n])
			}
			a.full <- c // there is room for all there are
			if c.err != nil {
				return
			}
		}
	}()
	return a
}

// fillFrom reads until b is full or an error.
func fillFrom(src io.Reader, b []byte) (n int, err error) {
	for idle := 0; n < len(b) && err == nil; {
		var got int
		got, err = src.Read(b[n:])
		if n += got; got > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

// close ends the goroutine.
func (a *readAhead) close() {
	close(a.quit)
	<-a.done
}

// next is need of a stream that is read ahead: it goes on in the next chunk.
func (s *stream) next(n int) {
	for s.w-s.r < n && s.err == nil {
		left, at, before := s.buf[s.r:s.w], s.base+int64(s.r), s.chunk
		c := <-s.ahead.full
		s.err = c.err
		if len(left) <= aheadRoom {
			s.chunk, s.buf, s.w = c.buf, c.buf, aheadRoom+c.n
			s.r = aheadRoom - len(left)
			copy(s.buf[s.r:], left)
		} else {
			if before != nil || cap(left) < n+aheadChunk {
				left = append(make([]byte, 0, n+aheadChunk), left...)
			}
			s.chunk, s.buf, s.r = nil, append(left, c.buf[aheadRoom:aheadRoom+c.n]...), 0
			s.w = len(s.buf)
			s.ahead.free <- c.buf
		}
		s.base = at - int64(s.r)
		switch {
		case before == nil:
		case s.spent != nil:
			s.spent(before)
		default:
			s.ahead.free <- before
		}
	}
}
