package observe

import (
	"bytes"
	"strings"
)

// methods are those of RFC 9110, RFC 5789, WebDAV and UPnP.
var methods = []string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
	"PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "NOTIFY", "SUBSCRIBE"}

// isRequest recognises an HTTP/1 request by its method.
func isRequest(b []byte) bool {
	for _, m := range methods {
		if len(b) > len(m) && b[len(m)] == ' ' && string(b[:len(m)]) == m {
			return true
		}
	}
	return false
}

// httpHost reads the host of a request: the Host header (RFC 9112 section
// 3.2), else the authority of an absolute target. more is set when the head
// ends before it could stand.
func httpHost(b []byte) (host string, more bool) {
	line, rest, ok := cutLine(b)
	if !ok {
		return "", true
	}
	fields := bytes.Fields(line)
	if len(fields) != 3 || !bytes.HasPrefix(fields[2], []byte("HTTP/")) {
		return "", false
	}
	target := authority(fields[1])
	for {
		if line, rest, ok = cutLine(rest); !ok {
			return "", true
		}
		if len(line) == 0 {
			return target, false
		}
		name, value, ok := bytes.Cut(line, []byte{':'})
		if ok && len(name) == 4 && strings.EqualFold(string(name), "host") {
			if host = withoutPort(bytes.TrimSpace(value)); host == "" {
				host = target
			}
			return host, false
		}
	}
}

// cutLine takes one line off, which may end without a carriage return.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	line, rest, ok = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest, ok
}

// authority returns the host of an absolute request target (as proxies get
// it), or "".
func authority(target []byte) string {
	_, after, ok := bytes.Cut(target, []byte("://"))
	if !ok || len(target)-len(after) > len("https://") {
		return ""
	}
	if i := bytes.IndexAny(after, "/?#"); i >= 0 {
		after = after[:i]
	}
	return withoutPort(after)
}

// withoutPort drops the port and the brackets of an IPv6 address.
func withoutPort(b []byte) string {
	if len(b) > 0 && b[0] == '[' {
		if i := bytes.IndexByte(b, ']'); i > 0 {
			return plainName(b[1:i])
		}
		return ""
	}
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		b = b[:i]
	}
	return plainName(b)
}
