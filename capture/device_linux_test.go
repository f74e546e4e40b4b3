package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/testdata/network"
)

// inNetwork tells that the test runs in a network of its own.
func inNetwork(t *testing.T) bool {
	t.Helper()
	return network.Inside(t, "tcpdump", "tcpreplay", "ethtool")
}

var sh = network.Sh

// open opens a device with the settings of text.
func open(t *testing.T, text string) *Device { return openAll(t, text)[0] }

// openAll opens the devices of an interface's workers.
func openAll(t *testing.T, text string) []*Device {
	t.Helper()
	c := DefaultDeviceConfig()
	c.Interfaces = []string{text}
	list, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	d, err := OpenDevice(list[0], slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, d := range d {
			d.Close()
		}
	})
	return d
}

// drained reads what comes, until nothing does and there are n, or nothing did
// for two seconds.
func drained(t *testing.T, d *Device, n int) []pcap.Record {
	t.Helper()
	var out []pcap.Record
	for quiet := time.Now(); time.Since(quiet) < 2*time.Second; {
		var rec pcap.Record
		switch err := d.Next(&rec); {
		case err == nil:
			rec.Data = bytes.Clone(rec.Data)
			out = append(out, rec)
			quiet = time.Now()
		case !errors.Is(err, ErrIdle):
			t.Fatal(err)
		case len(out) >= n:
			return out
		}
	}
	return out
}

// tcpdump captures beside, until the returned function is called: it reads
// what tcpdump wrote.
func tcpdump(t *testing.T, iface string, args ...string) func() []pcap.Record {
	t.Helper()
	file := filepath.Join(t.TempDir(), "beside.pcap")
	cmd := exec.Command("tcpdump", append([]string{"-i", iface, "-U", "--immediate-mode", "-B", "65536", "-Z", "root", "--time-stamp-precision=nano", "-w", file}, args...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for b := make([]byte, 512); !bytes.Contains(text, []byte("listening")); {
		n, err := said.Read(b)
		if text = append(text, b[:n]...); err != nil {
			t.Fatalf("tcpdump: %v %s", err, text)
		}
	}
	read := make(chan bool)
	go func() {
		rest, _ := io.ReadAll(said)
		t.Logf("tcpdump: %s", rest)
		close(read)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-read
	})
	return func() []pcap.Record {
		for size := int64(-1); ; { // until nothing more comes
			time.Sleep(200 * time.Millisecond)
			st, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if st.Size() == size {
				break
			}
			size = st.Size()
		}
		cmd.Process.Signal(os.Interrupt)
		<-read
		cmd.Wait()
		return readCapture(t, file)
	}
}

func readCapture(t *testing.T, path string) []pcap.Record {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out []pcap.Record
	for {
		var rec pcap.Record
		switch err := r.Next(&rec); {
		case err == nil:
			rec.Data = bytes.Clone(rec.Data)
			out = append(out, rec)
		case errors.Is(err, io.EOF):
			return out
		default:
			t.Fatal(err)
		}
	}
}

// apart is how much times of a packet that is sent may differ: each socket that
// sees it takes its own. One that is received has one time.
const apart = int64(10 * time.Millisecond)

// same compares what we have with what tcpdump has of the same packets: in
// their order if they have one time, else in any, since of what is sent on one
// processor and received on another two sockets may hear in different orders.
func same(t *testing.T, got, want []pcap.Record, apart int64) {
	t.Helper()
	if apart > 0 {
		got, want = slices.Clone(got), slices.Clone(want)
		for _, side := range [][]pcap.Record{got, want} {
			slices.SortStableFunc(side, func(a, b pcap.Record) int { return bytes.Compare(a.Data, b.Data) })
		}
	}
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%d packets, tcpdump has %d", len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		if d := got[i].TS - want[i].TS; d < -apart || d > apart || got[i].Length != want[i].Length || got[i].Link != want[i].Link || !bytes.Equal(got[i].Data, want[i].Data) {
			t.Fatalf("packet %d: time %d, length %d, link %d, %x\ntcpdump: time %d, length %d, link %d, %x", i+1,
				got[i].TS, got[i].Length, got[i].Link, got[i].Data, want[i].TS, want[i].Length, want[i].Link, want[i].Data)
		}
	}
}

func replay(t *testing.T, args ...string) {
	t.Helper()
	sh(t, "tcpreplay -q "+strings.Join(args, " "))
}

const morning = "../testdata/captures/office-morning.pcap"

// send puts frames on an interface.
func send(t *testing.T, iface string, frames ...[]byte) {
	t.Helper()
	i, err := net.InterfaceByName(iface)
	for range 100 { // until the kernel has seen that the other side is up
		if err != nil || i.Flags&net.FlagRunning != 0 {
			break
		}
		time.Sleep(20 * time.Millisecond) // nothing tells of it
		i, err = net.InterfaceByName(iface)
	}
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for _, f := range frames {
		if err := unix.Sendto(fd, f, 0, &unix.SockaddrLinklayer{Ifindex: i.Index}); err != nil {
			t.Fatal(err)
		}
	}
}

// frame is a UDP datagram in Ethernet, behind tags (type, then number and
// priority).
func frame(size int, tags ...uint16) []byte {
	b := []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	for _, t := range tags {
		b = binary.BigEndian.AppendUint16(b, t)
	}
	b = append(b, 8, 0, 0x45, 0, byte((size+28)>>8), byte(size+28), 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
		0x30, 0x39, 0x30, 0x3a, byte((size+8)>>8), byte(size+8), 0, 0)
	return append(b, make([]byte, size)...)
}

// TestDevice: real traffic, replayed, is captured as tcpdump captures it.
func TestDevice(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	d := open(t, "left")
	beside := tcpdump(t, "left")
	replay(t, "-p", "3000", "-i", "right", morning)
	sent := len(readCapture(t, morning))
	got := drained(t, d, sent)
	same(t, got, beside(), 0)
	if len(got) != sent {
		t.Errorf("%d packets, of %d sent", len(got), sent)
	}
	if received, dropped := d.Loss(); received != uint64(len(got)) || dropped != 0 {
		t.Errorf("received %d, dropped %d", received, dropped)
	}
	if d.LinkType() != tables.LinkEthernet || d.State() != DeviceUp {
		t.Errorf("link type %d, %v", d.LinkType(), d.State())
	}
}

// TestDeviceTags: tags that the kernel took off are in the packets again.
func TestDeviceTags(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	const q, ad = 0x8100, 0x88a8
	frames := [][]byte{
		frame(10), frame(10, q, 5), frame(10, q, 0xe005), frame(10, ad, 5), frame(10, ad, 100, q, 5), frame(10, q, 100, q, 5),
		frame(10, q, 0xe000), frame(10, q, 0, q, 5), frame(10, q, 0xe000, q, 0xe000), frame(10, q, 0), frame(10, 0x9100, 7),
		frame(10, q, 1, q, 2, q, 3), frame(10, ad, 0x6000),
	}
	for _, side := range []string{"left", "right"} { // what comes in, and what goes out
		d, cut := open(t, side), open(t, side+" snaplen=64 sensor=cut")
		beside, besideCut := tcpdump(t, side), tcpdump(t, side, "-s", "64")
		send(t, "right", frames...)
		send(t, "right", frame(500, q, 5))
		got := drained(t, d, len(frames)+1)
		same(t, got, beside(), apart)
		same(t, drained(t, cut, len(got)), besideCut(), apart)
		for i, f := range frames {
			if i < len(got) && !bytes.Equal(got[i].Data, f) {
				t.Errorf("%s: %x is captured as %x", side, f, got[i].Data)
			}
		}
	}
}

// TestDeviceFilter: the kernel takes what tcpdump's filter takes.
func TestDeviceFilter(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	filters := []string{
		"tcp port 80 or udp port 53", "not tcp", "vlan", "vlan 5", "vlan 5 and udp", "not vlan", "host 10.0.0.2", "vlan and vlan",
		"vlan 100 and vlan 5 and host 10.0.0.2", "udp or (vlan and udp port 12346)", "tcp[tcpflags] & tcp-syn != 0 or vlan and udp[2:2] = 12346",
		"vlan and ip[8] = 64 and udp[0:2] + 1 = udp[2:2]", "arp or ip6", "greater 1000",
	}
	devices, besides := make([]*Device, len(filters)), make([]func() []pcap.Record, len(filters))
	for i, f := range filters {
		devices[i] = open(t, fmt.Sprintf("left sensor=s%d filter=%s", i, f))
		besides[i] = tcpdump(t, "left", f)
	}
	replay(t, "-p", "3000", "-L", "1500", "-i", "right", morning)
	send(t, "right", frame(10), frame(10, 0x8100, 5), frame(10, 0x88a8, 100, 0x8100, 5), frame(10, 0x8100, 7), frame(1200, 0x8100, 5))
	for i, f := range filters {
		t.Run(f, func(t *testing.T) {
			want := besides[i]()
			same(t, drained(t, devices[i], len(want)), want, 0)
		})
	}
}

// TestDeviceLarge: frames are whole, also those of 9,000 bytes and those that
// the stack has not cut yet, or has put together.
func TestDeviceLarge(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	sh(t, `ip link set left mtu 9000; ip link set right mtu 9000
		ethtool -K left gro on tso on gso on; ethtool -K right gro on tso on gso on`)
	peer := other(t)
	d := open(t, "left")
	beside := tcpdump(t, "left", "-s", "66000") // its ring has a place for each packet, of twice the length it keeps
	served := peer.serve(t)
	sh(t, "curl -s -o /dev/null http://10.9.0.2:8000/"+served)
	want := beside()
	got := drained(t, d, len(want))
	same(t, got, want, apart)
	longest := 0
	for _, rec := range got {
		longest = max(longest, rec.Length)
		if rec.Length != len(rec.Data) {
			t.Fatalf("%d bytes of %d", len(rec.Data), rec.Length)
		}
	}
	if longest <= 9014 {
		t.Errorf("no frame is longer than %d: nothing was put together", longest)
	}
	t.Logf("%d packets, the longest of %d bytes", len(got), longest)
}

// namespace is another one, to which right was moved.
type namespace struct{ pid string }

// other moves right to another namespace and gives both ends an address, so
// that they speak with each other over the wire.
func other(t *testing.T) namespace {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	n := namespace{strconv.Itoa(cmd.Process.Pid)}
	sh(t, "ip link set right netns "+n.pid+"; ip addr add 10.9.0.1/24 dev left")
	sh(t, n.enter()+"sh -ec 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done; ip link set lo up; ip link set right up; ip addr add 10.9.0.2/24 dev right'")
	return n
}

func (n namespace) enter() string { return "nsenter -t " + n.pid + " -n " }

// serve has a web server serve a file of 4 MB.
func (n namespace) serve(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "large"), make([]byte, 4<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("nsenter", "-t", n.pid, "-n", "python3", "-m", "http.server", "-d", dir, "8000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Skip("needs python3")
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", "10.9.0.2:8000"); err == nil {
			c.Close()
			return "large"
		}
		time.Sleep(100 * time.Millisecond) // nothing tells that a server listens
	}
	t.Fatal("the web server does not answer")
	return ""
}

// datagrams sends some by a socket.
func datagrams(t *testing.T, to string, n int) {
	t.Helper()
	for range n {
		c, err := net.Dial("udp", to)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// TestDeviceLoopback: each packet of the loopback interface is captured once.
func TestDeviceLoopback(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	d := open(t, "lo")
	beside := tcpdump(t, "lo")
	datagrams(t, "127.0.0.1:9", 5)
	want := beside()
	got := drained(t, d, len(want))
	same(t, got, want, apart)
	if len(got) != 10 { // nobody listens, which each is answered with
		t.Errorf("%d packets of five datagrams and answers", len(got))
	}
}

// TestDeviceRaw: a tunnel's packets begin with their IP header.
func TestDeviceRaw(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	sh(t, `ip tuntap add dev tun0 mode tun 2>/dev/null || exit 0; ip addr add 10.8.0.1/24 dev tun0; ip link set tun0 up`)
	if _, err := net.InterfaceByName("tun0"); err != nil {
		t.Skip("no tun devices here")
	}
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0) // who holds it is its other end
	if err != nil {
		t.Skip("no tun devices here")
	}
	defer f.Close()
	request, err := unix.NewIfreq("tun0")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(int(f.Fd()), unix.TUNSETIFF, request); err != nil {
		t.Fatal(err)
	}
	d := open(t, "tun0 filter=udp")
	beside := tcpdump(t, "tun0", "udp")
	datagrams(t, "10.8.0.2:9", 3)
	want := beside()
	got := drained(t, d, len(want))
	for i := range want {
		if want[i].Link == 12 { // what BSD and libpcap call LINKTYPE_RAW on disk
			want[i].Link = tables.LinkRaw
		}
	}
	same(t, got, want, apart)
}

// TestDeviceComesBack: an interface that goes down, vanishes and comes back
// goes on being captured.
func TestDeviceComesBack(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	d := open(t, "left")
	expect := func(what string, state DeviceState, frames int) {
		t.Helper()
		for n := range 100 { // it is looked at ten times a second
			if n > 3 && d.State() == state {
				break
			}
			var rec pcap.Record
			if err := d.Next(&rec); err != nil && !errors.Is(err, ErrIdle) {
				t.Fatal(what, err)
			}
		}
		for n := range frames {
			send(t, "right", frame(n))
		}
		got := drained(t, d, frames)
		if d.State() != state || len(got) != frames {
			t.Errorf("%s: %v, and %d packets; want %v and %d", what, d.State(), len(got), state, frames)
		}
	}
	expect("at first", DeviceUp, 3)
	sh(t, "ip link set left down")
	expect("down", DeviceDown, 0)
	sh(t, "ip link set left up")
	expect("up again", DeviceUp, 4)
	sh(t, "ip link set left down; ip link set left up")
	expect("down and up at once", DeviceUp, 5)
	sh(t, "ip link set left down; ip link set left name renamed; ip link set renamed up")
	expect("by another name", DeviceUp, 2)
	sh(t, "ip link del renamed")
	expect("deleted", DeviceGone, 0)
	sh(t, "ip link add left type veth peer name right; ip link set right up")
	expect("another one, down", DeviceDown, 0)
	sh(t, "ip link set left up")
	expect("another one, up", DeviceUp, 6)
	sh(t, "ip link del left; ip link add left type veth peer name right; ip link set right up; ip link set left up")
	expect("replaced at once", DeviceUp, 7)
	if received, dropped := d.Loss(); received != 3+4+5+2+6+7 || dropped != 0 {
		t.Errorf("received %d, dropped %d over all of it", received, dropped)
	}
	sh(t, "ip link del left; ip tuntap add dev left mode tun; ip link set left up")
	for range 50 {
		var rec pcap.Record
		if err := d.Next(&rec); !errors.Is(err, ErrIdle) {
			if !strings.Contains(fmt.Sprint(err), "came back with link type 101") {
				t.Errorf("of another link type: %v", err)
			}
			return
		}
	}
	t.Error("an interface of another link type is captured as if it was the same")
}

// TestDeviceMissing: one that is not there may come.
func TestDeviceMissing(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	c := DefaultDeviceConfig()
	c.Interfaces = []string{"later"}
	list, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	devices, err := OpenDevice(list[0], slog.New(slog.DiscardHandler))
	if !errors.Is(err, ErrNoInterface) {
		t.Fatal(err)
	}
	d := devices[0]
	defer d.Close()
	var rec pcap.Record
	if err := d.Next(&rec); !errors.Is(err, ErrIdle) || d.State() != DeviceGone {
		t.Fatal(err, d.State())
	}
	sh(t, "ip link set left down; ip link set left name later; ip link set later up")
	for d.State() != DeviceUp {
		if err := d.Next(&rec); !errors.Is(err, ErrIdle) {
			t.Fatal(err)
		}
	}
	send(t, "right", frame(1))
	if got := drained(t, d, 1); len(got) != 1 {
		t.Errorf("%d packets", len(got))
	}
}

// TestDeviceLoss: what is sent is received or dropped, and the drops are
// counted, as many as there are.
func TestDeviceLoss(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	c := DefaultDeviceConfig()
	c.Interfaces, c.RingBytes = []string{"left filter=udp"}, minRing
	list, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	devices, err := OpenDevice(list[0], slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d := devices[0]
	defer d.Close()
	const sent = 20000
	f := frame(1000)
	send(t, "right", slices.Repeat([][]byte{f}, sent)...) // 20 MB into 4
	got := drained(t, d, 1)
	received, dropped := d.Loss()
	if received+dropped != sent || dropped == 0 || received != uint64(len(got)) {
		t.Errorf("sent %d, received %d and read %d, dropped %d", sent, received, len(got), dropped)
	}
	// And when there is room again, it goes on.
	send(t, "right", slices.Repeat([][]byte{f}, 100)...)
	if got := drained(t, d, 100); len(got) != 100 {
		t.Errorf("%d packets of 100", len(got))
	}
	if r, l := d.Loss(); r != received+100 || l != dropped {
		t.Errorf("received %d, dropped %d", r, l)
	}
}

// TestDeviceSoon: a packet alone is there as soon as many are.
func TestDeviceSoon(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	d := open(t, "left")
	for range 20 {
		time.Sleep(50 * time.Millisecond) // one packet at a time
		send(t, "right", frame(1))
		began := time.Now()
		var rec pcap.Record
		for d.Next(&rec) != nil {
		}
		if took := time.Since(began); took > 500*time.Millisecond {
			t.Errorf("%v until a packet was there", took)
		}
	}
}

// TestDeviceSettings has settings that are wrong, and what is said of them.
func TestDeviceSettings(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "no name",
		"any":                     "packets of all interfaces at once",
		"sensor=a":                "sensor=a is no interface",
		"eth1 sensor":             `"sensor" is no setting`,
		"eth1 sensors=a":          `unknown setting "sensors"`,
		"eth1 sensor=":            "an empty sensor",
		"eth1 snaplen=12":         "snaplen 12 is not between 64 and 262144",
		"eth1 snaplen=x":          `snaplen "x" is not a number`,
		"eth1 workers=0":          "workers 0 is not between 1 and 64",
		"eth1 workers=two":        `workers "two" is not a number`,
		"eth1 promiscuous=2":      `promiscuous is true or false, not "2"`,
		"eth1 filter=port eighty": `"eighty" is no port at character 6`,
	} {
		c := DefaultDeviceConfig()
		c.Interfaces = []string{text}
		if _, err := c.List(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	c := DefaultDeviceConfig()
	c.Filter = "not port 22"
	c.Interfaces = []string{" eth1 ", "eth2 sensor=dmz site=b snaplen=128 promiscuous=false filter=tcp port 80 or port=1"}
	if _, err := c.List(); err == nil {
		t.Error("a filter that is none")
	}
	c.Interfaces[1] = "eth2 sensor=dmz site=b snaplen=128 promiscuous=false workers=3 filter=tcp port 80 and ip[8] = 1"
	list, err := c.List()
	want := []Interface{
		{Name: "eth1", Sensor: "eth1", Filter: "not port 22", Snaplen: maxSnaplen, Promiscuous: true, RingBytes: 64 << 20, Workers: 1},
		{Name: "eth2", Sensor: "dmz", Site: "b", Filter: "tcp port 80 and ip[8] = 1", Snaplen: 128, RingBytes: 64 << 20, Workers: 3},
	}
	if err != nil || !slices.Equal(list, want) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, twice := range [][]string{{"eth1", "eth1"}, {"eth1 sensor=a", "eth2 sensor=a"}} {
		c.Interfaces = twice
		if _, err := c.List(); err == nil {
			t.Errorf("%v are taken", twice)
		}
	}
}
