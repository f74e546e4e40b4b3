package main

import (
	"bufio"
	"crypto/sha1"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"
)

// rawClient sends what no driver sends, and reads what is answered byte by
// byte.
type rawClient struct {
	t        testing.TB
	conn     net.Conn
	in       *bufio.Reader
	sequence byte
	modern   bool // results end as CLIENT_DEPRECATE_EOF has it
	id       uint32
	last     uint32 // statement prepared last
	binary   []byte // types of the columns of the cursor that was opened last
}

const (
	rawBasic   = 1 | 4 | 8 | 512 | 8192 | 1<<15 | 1<<17 | 1<<19 // long passwords … plugins
	rawMulti   = 1 << 16
	rawModern  = 1 << 24
	rawSSL     = 1 << 11
	rawOld     = 1 << 9 // the protocol of 4.1 is not spoken
	rawCharset = 45
)

// dialRaw logs in: with caching_sha2_password in TLS, or as MariaDB has it.
func dialRaw(t testing.TB, s *target, more uint32) *rawClient {
	t.Helper()
	c, reply := loginRaw(t, s, more, s.user, s.password)
	if reply != "OK" {
		t.Fatalf("%s: login: %s", s.name, reply)
	}
	return c
}

func loginRaw(t testing.TB, s *target, more uint32, user, password string) (*rawClient, string) {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(s.host, s.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	c := &rawClient{t: t, conn: conn, in: bufio.NewReader(conn), modern: more&rawModern != 0}
	hello := c.packet()
	rest := hello[1+strings.IndexByte(string(hello[1:]), 0)+1:]
	c.id = binary.LittleEndian.Uint32(rest)
	salt := append(append([]byte{}, rest[4:12]...), rest[31:43]...)
	head := binary.LittleEndian.AppendUint32(nil, (rawBasic|more)&^(more&rawOld))
	head = append(binary.LittleEndian.AppendUint32(head, 1<<24), rawCharset)
	head = append(head, make([]byte, 23)...)
	if s.tls && more&rawSSL != 0 {
		c.write(head)
		secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
		c.conn, c.in = secure, bufio.NewReader(secure)
	}
	plugin, scramble := "mysql_native_password", nativeScramble(salt, password)
	if s.tls {
		plugin, scramble = "caching_sha2_password", make([]byte, 32)
	}
	body := append(append(head, user...), 0, byte(len(scramble)))
	body = append(append(append(body, scramble...), "wiresql\x00"...), plugin...)
	c.write(append(body, 0))
	return c, c.authenticated(password)
}

func nativeScramble(salt []byte, password string) []byte {
	one := sha1.Sum([]byte(password))
	two := sha1.Sum(one[:])
	three := sha1.Sum(append(append([]byte{}, salt...), two[:]...))
	for i := range one {
		one[i] ^= three[i]
	}
	return one[:]
}

// authenticated answers until the server is content or not.
func (c *rawClient) authenticated(password string) string {
	for {
		p := c.packet()
		switch {
		case p[0] == 1 && len(p) == 2 && p[1] == 4:
			c.write(append([]byte(password), 0))
		case p[0] == 0xfe && strings.HasPrefix(string(p[1:]), "mysql_native_password"):
			c.write(nativeScramble(p[23:43], password))
		case p[0] == 0xfe:
			c.write(make([]byte, 32))
		default:
			return replyOf(p)
		}
	}
}

func (c *rawClient) write(p []byte) {
	c.t.Helper()
	n := len(p)
	if _, err := c.conn.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), c.sequence}, p...)); err != nil {
		c.t.Fatal(err)
	}
	c.sequence++
}

func (c *rawClient) packet() []byte {
	c.t.Helper()
	head := make([]byte, 4)
	if _, err := io.ReadFull(c.in, head); err != nil {
		c.t.Fatalf("no answer: %v", err)
	}
	if head[3] != c.sequence {
		c.t.Errorf("packet %d has number %d", c.sequence, head[3])
	}
	c.sequence = head[3] + 1
	p := make([]byte, int(head[0])|int(head[1])<<8|int(head[2])<<16)
	if _, err := io.ReadFull(c.in, p); err != nil {
		c.t.Fatal(err)
	}
	return p
}

func replyOf(p []byte) string {
	switch {
	case p[0] == 0xff:
		return fmt.Sprintf("error %d %s", binary.LittleEndian.Uint16(p[1:]), p[4:9])
	case p[0] == 0:
		return "OK"
	}
	return fmt.Sprintf("%x", p)
}

// command sends one; ask also reads one packet.
func (c *rawClient) command(command byte, rest string) {
	c.sequence = 0
	c.write(append([]byte{command}, rest...))
}

func (c *rawClient) ask(command byte, rest string) string {
	c.command(command, rest)
	return replyOf(c.packet())
}

// query asks in text, results asks a command and reads all its results.
func (c *rawClient) query(text string) string { return c.results(3, text) }

func (c *rawClient) results(command byte, rest string) string {
	c.command(command, rest)
	var out []string
	for more := true; more; {
		var one string
		one, more = c.result(false)
		out = append(out, one)
	}
	return strings.Join(out, "; ")
}

// result reads one result.
func (c *rawClient) result(isBinary bool) (text string, more bool) {
	p := c.packet()
	if p[0] == 0 || p[0] == 0xff {
		return replyOf(p), p[0] == 0 && len(p) >= 5 && p[3]&8 != 0
	}
	types := c.columns(int(p[0]))
	if !c.modern {
		if p := c.packet(); p[0] != 0xfe {
			c.t.Errorf("after the columns: %x", p)
		}
	}
	rows, flags := c.rows(types, isBinary)
	return rows, flags&8 != 0
}

func (c *rawClient) columns(n int) (types []byte) {
	for range n {
		p := c.packet()
		types = append(types, p[len(p)-6])
	}
	return types
}

// rows reads up to an end, and gives its flags.
func (c *rawClient) rows(types []byte, isBinary bool) (string, uint16) {
	var rows []string
	for {
		p := c.packet()
		switch {
		case p[0] == 0xff:
			return strings.Join(append(rows, replyOf(p)), ", "), 0
		case p[0] == 0xfe && len(p) < 9: // flags are where they are, either way
			return "[" + strings.Join(rows, ", ") + "]", binary.LittleEndian.Uint16(p[3:])
		case isBinary:
			rows = append(rows, binaryRow(types, p))
		default:
			rows = append(rows, textRow(len(types), p))
		}
	}
}

func textRow(n int, p []byte) string {
	var cells []string
	for range n {
		if p[0] == 0xfb {
			cells, p = append(cells, "NULL"), p[1:]
			continue
		}
		cells, p = append(cells, string(p[1:1+p[0]])), p[1+p[0]:]
	}
	return strings.Join(cells, "|")
}

func binaryRow(types, p []byte) string {
	nulls := p[1:]
	p = p[1+(len(types)+9)/8:]
	take := func(n int) []byte { b := p[:n]; p = p[n:]; return b }
	var cells []string
	for i, t := range types {
		if nulls[(i+2)/8]&(1<<((i+2)%8)) != 0 {
			cells = append(cells, "NULL")
			continue
		}
		switch t {
		case 1:
			cells = append(cells, fmt.Sprint(int8(take(1)[0])))
		case 2:
			cells = append(cells, fmt.Sprint(int16(binary.LittleEndian.Uint16(take(2)))))
		case 3, 9:
			cells = append(cells, fmt.Sprint(int32(binary.LittleEndian.Uint32(take(4)))))
		case 8:
			cells = append(cells, fmt.Sprint(int64(binary.LittleEndian.Uint64(take(8)))))
		case 5:
			cells = append(cells, fmt.Sprint(math.Float64frombits(binary.LittleEndian.Uint64(take(8)))))
		case 7, 10, 11, 12:
			cells = append(cells, hex.EncodeToString(take(int(take(1)[0]))))
		default:
			cells = append(cells, string(take(int(take(1)[0]))))
		}
	}
	return strings.Join(cells, "|")
}

// prepare gives the counts of parameters and columns, or the error.
func (c *rawClient) prepare(text string) string {
	c.command(0x16, text)
	p := c.packet()
	if p[0] != 0 {
		return replyOf(p)
	}
	c.last = binary.LittleEndian.Uint32(p[1:])
	columns, params := binary.LittleEndian.Uint16(p[5:]), binary.LittleEndian.Uint16(p[7:])
	for _, n := range []uint16{params, columns} {
		c.columns(int(n))
		if n > 0 && !c.modern {
			c.packet()
		}
	}
	return fmt.Sprintf("%d parameters, %d columns", params, columns)
}

// bound is a parameter: its type, and its bytes; nil for NULL.
type bound struct {
	typ   byte
	value []byte
}

func le(n uint64, size int) []byte { return binary.LittleEndian.AppendUint64(nil, n)[:size] }

// rawDate and rawClock are times of some number of bytes.
func rawDate(typ byte, size int, parts ...uint64) bound {
	b := append(le(parts[0], 2), byte(parts[1]), byte(parts[2]), byte(parts[3]), byte(parts[4]), byte(parts[5]))
	return bound{typ, append([]byte{byte(size)}, append(b, le(parts[6], 4)...)[:size]...)}
}

func rawClock(size int, negative byte, days uint64, h, m, s byte, us uint64) bound {
	b := append(append([]byte{negative}, le(days, 4)...), h, m, s)
	return bound{11, append([]byte{byte(size)}, append(b, le(us, 4)...)[:size]...)}
}

func rawText(typ byte, s string) bound { return bound{typ, append([]byte{byte(len(s))}, s...)} }

// executed is the message that executes a statement; types are told or not.
func (c *rawClient) executed(statement uint32, flags byte, tell bool, params []bound) string {
	body := append(binary.LittleEndian.AppendUint32(nil, statement), flags, 1, 0, 0, 0)
	if len(params) > 0 {
		nulls := make([]byte, (len(params)+7)/8)
		var types, values []byte
		for i, p := range params {
			if p.value == nil {
				nulls[i/8] |= 1 << (i % 8)
			}
			types, values = append(types, p.typ, 0), append(values, p.value...)
		}
		body = append(body, nulls...)
		if tell {
			body = append(append(body, 1), types...)
		} else {
			body = append(body, 0)
		}
		body = append(body, values...)
	}
	return string(body)
}

func (c *rawClient) execute(tell bool, params ...bound) string {
	c.command(0x17, c.executed(c.last, 0, tell, params))
	text, _ := c.result(true)
	return text
}

// open executes with a cursor, fetch takes rows from it.
func (c *rawClient) open(statement uint32, params ...bound) string {
	c.command(0x17, c.executed(statement, 1, true, params))
	p := c.packet()
	if p[0] == 0 || p[0] == 0xff {
		return replyOf(p)
	}
	c.binary = c.columns(int(p[0]))
	text, flags := c.rows(nil, true)
	if text != "[]" {
		return text // MariaDB tells an error after the columns
	}
	return fmt.Sprintf("cursor %v", flags&64 != 0)
}

func (c *rawClient) fetch(statement uint32, n uint64) string {
	c.command(0x1c, string(append(le(uint64(statement), 4), le(n, 4)...)))
	rows, flags := c.rows(c.binary, true)
	return fmt.Sprintf("%s more %v last %v", rows, flags&64 != 0, flags&128 != 0)
}

func (c *rawClient) long(statement uint32, param uint64, text string) {
	c.command(0x18, string(append(le(uint64(statement), 4), le(param, 2)...))+text)
}

const threeRows = "SELECT n + 0 AS n FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) t ORDER BY n"

// conversations are the same for every server: what each step answers is
// compared.
var conversations = map[string]func(c *rawClient) []string{
	"commands": func(c *rawClient) []string {
		return []string{
			c.ask(14, ""), c.ask(2, "wiresql"), c.ask(2, "nowhere"), c.query("SELECT DATABASE()"),
			c.ask(0, ""), c.ask(11, ""), c.ask(15, ""), c.ask(16, ""), c.ask(29, ""), c.ask(0x60, ""),
			c.ask(7, "\x01"), c.ask(13, ""), c.query("SELECT 'alive'"),
			c.ask(12, "\xff\xff\xff\x7f"), c.query("SELECT 1, NULL, 'x'"),
		}
	},
	"several statements": func(c *rawClient) []string {
		out := []string{c.query("SELECT 1; SELECT 2"), c.ask(27, "\x00\x00")[:2]}
		out = append(out, c.query("SELECT 1; SELECT 2, 3; SET @a = 7; SELECT @a"), c.query("SELECT 1; SELECT nothing; SELECT 3"), c.query("SELECT 4;"),
			c.ask(27, "\x01\x00")[:2], c.query("SELECT 1; SELECT 2"), c.ask(27, "\x02\x00"))
		return append(out, c.prepare("SELECT 1; SELECT 2"))
	},
	"reset": func(c *rawClient) []string {
		out := []string{c.prepare("SELECT ?"), c.query("SET @a = 5"), c.ask(31, ""), c.query("SELECT @a, DATABASE()")}
		return append(out, c.execute(true, bound{8, le(5, 8)}))
	},
	"parameters": func(c *rawClient) []string {
		out := []string{c.prepare("SELECT CAST(? AS CHAR), ? IS NULL")}
		both := func(p bound) { out = append(out, c.execute(true, p, p)) }
		for _, p := range []bound{
			rawDate(12, 11, 2026, 6, 12, 10, 15, 0, 48000), rawDate(12, 7, 2026, 6, 12, 10, 15, 1, 0), rawDate(12, 4, 2026, 6, 12, 0, 0, 0, 0),
			rawDate(7, 11, 2026, 12, 31, 23, 59, 59, 999999), rawDate(7, 7, 2024, 2, 29, 0, 0, 1, 0), rawDate(10, 4, 2024, 2, 29, 0, 0, 0, 0),
			rawDate(12, 11, 1970, 1, 1, 0, 0, 0, 1), rawDate(12, 7, 9999, 12, 31, 23, 59, 59, 0),
			rawClock(0, 0, 0, 0, 0, 0, 0), rawClock(8, 0, 0, 10, 15, 1, 0), rawClock(8, 1, 0, 10, 15, 1, 0), rawClock(12, 1, 1, 2, 3, 4, 500),
			rawClock(12, 0, 34, 22, 59, 59, 0), rawClock(12, 0, 0, 0, 0, 0, 1), rawClock(8, 0, 3, 0, 0, 0, 0),
			{1, []byte{0x80}}, {2, le(0xfffe, 2)}, {3, le(0xfffffffd, 4)}, {8, le(1<<63, 8)},
			{4, le(uint64(math.Float32bits(-0.5)), 4)}, {5, le(math.Float64bits(1e100), 8)}, {6, nil}, {8, nil},
			rawText(0, "12.50"), rawText(246, "-0.10"), rawText(15, "é"), rawText(253, ""), rawText(254, "x"), rawText(252, "blob"), rawText(249, ""),
		} {
			both(p)
		}
		return out
	},
	"null bits": func(c *rawClient) []string {
		out := []string{c.prepare("SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?")}
		for _, pattern := range []uint{0, 1 << 8, 1 << 17, 0x2aaaa, 0x15555, 0x3ffff, 0x0ff00} {
			params := make([]bound, 18)
			for i := range params {
				if params[i].typ = 8; pattern&(1<<i) == 0 {
					params[i].value = le(uint64(i), 8)
				}
			}
			out = append(out, c.execute(true, params...))
		}
		return out
	},
	"types are kept": func(c *rawClient) []string {
		out := []string{c.prepare("SELECT CONCAT(?, '/', ?)"), c.execute(false, bound{8, le(5, 8)}, rawText(254, "a"))}
		out = append(out, c.execute(true, bound{8, le(5, 8)}, rawText(254, "a")), c.execute(false, bound{8, le(6, 8)}, rawText(254, "b")),
			c.execute(false, bound{8, nil}, rawText(254, "b")), c.execute(true, rawText(254, "now text"), bound{2, le(9, 2)}), c.execute(false, rawText(254, "z"), bound{2, le(9, 2)}))
		return out
	},
	"long data": func(c *rawClient) []string {
		out := []string{c.prepare("SELECT HEX(?), CAST(? AS CHAR)")}
		a := c.last
		c.long(a, 0, "ab")
		c.long(a, 1, "first ")
		c.long(a, 1, "")
		c.long(a, 1, "second")
		out = append(out, c.execute(true, bound{252, []byte{}}, bound{254, []byte{}}))
		// It is for one execution.
		out = append(out, c.execute(true, rawText(252, "c"), rawText(254, "d")))
		c.long(a, 0, "lost")
		out = append(out, c.ask(26, string(le(uint64(a), 4))), c.execute(true, rawText(252, "c"), rawText(254, "d")))
		c.long(a, 0, "")
		out = append(out, c.execute(true, bound{252, []byte{}}, rawText(254, "e")))
		c.long(4711, 0, "nobody's")
		out = append(out, c.query("SELECT 'alive'"), c.ask(26, "\x99\x99\x00\x00"), c.ask(23, "\x99\x99\x00\x00\x00\x01\x00\x00\x00"))
		c.command(25, string(le(uint64(a), 4)))
		c.command(25, "\x99\x99\x00\x00")
		return append(out, c.execute(true, rawText(252, "c"), rawText(254, "d")))
	},
	"cursors": func(c *rawClient) []string {
		out := []string{c.prepare(threeRows)}
		a := c.last
		out = append(out, c.prepare("SELECT CAST(? AS CHAR) AS v, n FROM (SELECT 1 AS n UNION ALL SELECT 2) t ORDER BY n DESC"))
		b := c.last
		out = append(out, c.fetchError(a), c.open(a))
		ofA := c.binary
		out = append(out, c.open(b, rawText(254, "v")))
		ofB := c.binary
		for _, step := range []struct {
			id   uint32
			cols []byte
			n    uint64
		}{{a, ofA, 2}, {b, ofB, 1}, {a, ofA, 1}, {b, ofB, 5}, {a, ofA, 4}} {
			c.binary = step.cols
			out = append(out, c.fetch(step.id, step.n))
		}
		out = append(out, c.fetchError(a), c.fetchError(b), c.fetchError(4711))
		// Text beside an open cursor; executed again while it is open; reset.
		out = append(out, c.open(a), c.query("SELECT 'between'"), c.open(a))
		out = append(out, c.fetch(a, 1), c.ask(26, string(le(uint64(a), 4))), c.fetchError(a))
		out = append(out, c.open(a), c.fetch(a, 0), c.fetch(a, 100))
		// Without rows, without columns, with an error.
		out = append(out, c.prepare("SELECT n FROM (SELECT 1 AS n) t WHERE n = 2"), c.open(c.last), c.fetch(c.last, 1))
		out = append(out, c.prepare("SET @a = 1"), c.open(c.last))
		out = append(out, c.prepare("SELECT 9223372036854775807 + n AS v FROM (SELECT 0 AS n UNION ALL SELECT 0 UNION ALL SELECT 5) t"), c.open(c.last), c.query("SELECT 'alive'"))
		return out
	},
	"broken messages": func(c *rawClient) []string {
		out := []string{c.prepare("SELECT ?, ?")}
		whole := c.executed(c.last, 0, true, []bound{{8, le(5, 8)}, rawText(254, "text")})
		for _, n := range []int{9, 10, 11, 13, 15, 20, len(whole) - 2} {
			c.command(23, whole[:n])
			text, _ := c.result(true)
			out = append(out, text)
		}
		return append(out, c.query("SELECT 'alive'"))
	},
	"wrong number": func(c *rawClient) []string {
		c.sequence = 5
		c.write([]byte("\x03SELECT 1"))
		c.sequence = 0
		return []string{replyOf(c.packet()), c.closed()}
	},
}

func (c *rawClient) fetchError(statement uint32) string {
	return c.ask(0x1c, string(append(le(uint64(statement), 4), le(1, 4)...)))
}

// closed tells whether the server has hung up.
func (c *rawClient) closed() string {
	_, err := c.in.ReadByte()
	return fmt.Sprint("closed ", err != nil)
}

// otherwise is where MySQL 8 and MariaDB answer differently. MySQL's
// parse_packet (sql/protocol_classic.cc) tells every message that is too short
// that it is malformed.
var otherwise = map[string]map[int]string{"broken messages": {1: malformed, 2: malformed, 5: malformed, 6: malformed, 7: malformed}}

const malformed = "error 1835 HY000"

// TestProtocol has the same conversations with wiresql and with MariaDB, with
// both ways a result can end.
func TestProtocol(t *testing.T) {
	wire, maria := typeServers(t)
	maria.user, maria.password = "reader", "reader"
	for name, talk := range conversations {
		for _, flags := range []uint32{0, rawModern} {
			g := talk(dialRaw(t, wire, flags|rawSSL))
			w := talk(dialRaw(t, maria, flags))
			for i := range w {
				if want, ok := otherwise[name][i]; ok {
					w[i] = want
				}
				if i >= len(g) || g[i] != w[i] {
					t.Errorf("%s, step %d: %s, MariaDB says %s", name, i, g[i], w[i])
				}
			}
		}
	}
}

var statistics = regexp.MustCompile(`^Uptime: \d+  Threads: \d+  Questions: \d+  Slow queries: \d+  Opens: \d+ .*Open tables: \d+  Queries per second avg: \d+\.\d+$`)

// TestLoginOnTheWire has the ways in that no client takes.
func TestLoginOnTheWire(t *testing.T) {
	wire, _ := serveOnly(t)
	login := func(flags uint32, user, password string) string {
		_, reply := loginRaw(t, wire, flags, user, password)
		return reply
	}
	for name, c := range map[string]struct{ got, want string }{
		"right":        {login(rawSSL, wire.user, wire.password), "OK"},
		"wrong":        {login(rawSSL, wire.user, "wrong"), "error 1045 28000"},
		"without TLS":  {login(0, wire.user, wire.password), "error 3159 HY000"},
		"a long name":  {login(rawSSL, strings.Repeat("n", 60<<10), wire.password), "error 1045 28000"},
		"no password":  {login(rawSSL, wire.user, ""), "error 1045 28000"},
		"not even 4.1": {login(rawOld, wire.user, wire.password), "error 1043 08S01"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", name, c.got, c.want)
		}
	}
	c := dialRaw(t, wire, rawSSL)
	c.command(9, "")
	if text := string(c.packet()); !statistics.MatchString(text) {
		t.Errorf("statistics: %s", text)
	}
	// Another user: the session is new, also that of the same. The wrong password
	// changes nothing.
	c.query("SET @a = 1")
	change := func(password, schema string) string {
		c.command(17, wire.user+"\x00\x00"+schema+"\x00\x2d\x00mysql_native_password\x00")
		return c.authenticated(password)
	}
	for _, step := range []struct{ got, want string }{
		{change("wrong", "ops"), "error 1045 28000"}, {c.query("SELECT @a, DATABASE()"), "[1|wiresql]"},
		{change(wire.password, "nowhere"), "error 1049 42000"}, {c.query("SELECT @a, DATABASE()"), "[1|wiresql]"},
		{change(wire.password, "ops"), "OK"}, {c.query("SELECT @a, DATABASE()"), "[NULL|ops]"},
	} {
		if step.got != step.want {
			t.Errorf("%s, want %s", step.got, step.want)
		}
	}
}
