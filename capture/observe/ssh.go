package observe

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// SSH (RFC 4253) as far as it is in clear: the banners, and which algorithms each end
// offers. HASSH is MD5 of some of these (https://github.com/salesforce/hassh).

const (
	sshKexInit = 20
	// maxBanner is how long a line may be, or those before it in all, maxSSHPacket a packet
	// (RFC 4253 sections 4.2 and 6.1).
	maxBanner    = 4096
	maxSSHPacket = 35000
)

type sshReader struct {
	Of     Peers
	Row    tables.Login
	Banner [2]bool // was read
	Seen   [2]bool // all that is in clear
	Done   bool
}

func (r *sshReader) over() bool  { return r.Done }
func (r *sshReader) opens() bool { return false }
func (r *sshReader) holds() int  { return 1024 }

func (r *sshReader) end(o *Observer) {
	if r.Done = true; r.Row.Protocol != "" {
		o.writeLogin(&r.Row)
	}
}

func (r *sshReader) lack(o *Observer, side int, rest []byte, n int) { r.seen(o, side) }

// seen ends a direction.
func (r *sshReader) seen(o *Observer, side int) {
	if r.Seen[side] = true; r.Seen[side^1] && !r.Done {
		r.end(o)
	}
}

func (r *sshReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	if r.Row.Protocol == "" {
		r.Row = newLogin(&r.Of, from, tables.LoginSSH)
	}
	for rest := b; !r.Seen[side]; rest = b[used:] {
		if !r.Banner[side] {
			line, after, ok := cutLine(rest)
			if !ok {
				if len(rest) > maxBanner {
					break
				}
				return used
			}
			used = len(b) - len(after)
			if r.Banner[side] = strings.HasPrefix(string(line), "SSH-"); r.Banner[side] {
				r.banner(o, side, plainText(line, maxWord))
			}
			continue
		}
		if len(rest) < 6 {
			return used
		}
		n := int64(binary.BigEndian.Uint32(rest)) + 4
		if n < 6 || n > maxSSHPacket {
			break
		}
		if int64(len(rest)) < n {
			return used
		}
		if rest[5] == sshKexInit {
			r.offers(side, rest[6:n])
			break
		}
		used += int(n)
	}
	r.seen(o, side)
	return len(b)
}

// banner is SSH-version-software.
func (r *sshReader) banner(o *Observer, side int, line string) {
	software := &r.Row.ClientSoftware
	if side == 1 {
		software = &r.Row.ServerSoftware
	}
	*software = line
	if strings.HasPrefix(line, "SSH-1.") && !strings.HasPrefix(line, "SSH-1.99") { // no offers of this kind
		r.seen(o, side)
	}
}

// offers reads the lists of algorithms.
func (r *sshReader) offers(side int, b []byte) {
	m := bytesReader{b, true}
	m.take(16)
	var lists [8]string // of keys, host keys, then ciphers, MACs and compressions there and back
	for i := range lists {
		v := m.vector(4)
		lists[i] = string(v.b)
	}
	if !m.ok {
		return
	}
	sum := md5.Sum([]byte(strings.Join([]string{lists[0], lists[2+side], lists[4+side], lists[6+side]}, ";")))
	if text := hex.EncodeToString(sum[:]); side == 0 {
		r.Row.HASSH = text
	} else {
		r.Row.HASSHServer = text
	}
}
