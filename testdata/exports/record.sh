#!/bin/bash
# Records testdata/exports: what real exporters send about testdata/captures,
# captured in a private network namespace. README.md says what the files are.
#
#   sudo testdata/exports/record.sh [NAME…]   # a minute; replaces the captures beside it
#
# Needs root, ip, tcpdump, python3, and the exporters: softflowd, pmacct, fprobe
# and openvswitch-switch (Debian's packages). Nothing leaves the namespace.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
space=exports$$
started=()
wanted=("$@")

cleanup() {
	for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait 2>/dev/null || true
	ip netns del "$space" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# Exporters tell the name of the interface, or of the file, they read: it is
# eth0 or eth1 for all of them.
cp "$here/../captures/office-morning.pcap" "$work/eth0"
zcat "$here/../captures/dmz.pcap.gz" >"$work/eth1"
cd "$work"
ip netns add "$space"
ip -n "$space" link set lo mtu 1500 up
ip -n "$space" link add wire type veth peer name eth0
ip -n "$space" link set wire up
ip -n "$space" link set eth0 up

inside() { ip netns exec "$space" "$@"; }

background() {
	ip netns exec "$space" "$@" &
	started+=($!)
}

# A datagram to a port nobody listens on makes an exporter lose the next one.
background python3 -c '
import select, socket
ports = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
for s, port in zip(ports, (2055, 4739, 6343)): s.bind(("127.0.0.1", port))
while True: [s.recv(65535) for s in select.select(ports, [], [])[0]]'

# record NAME COMMAND… captures what a command sends.
record() {
	local name=$1 sniffer
	shift
	rm -f log
	if [ ${#wanted[@]} -gt 0 ] && [[ " ${wanted[*]} " != *" $name "* ]]; then return; fi
	ip netns exec "$space" tcpdump -q -U --immediate-mode -i lo -w out.pcap -Z root udp 2>log &
	sniffer=$!
	until grep -qs 'listening on' log; do sleep 0.05; done
	"$@" >>messages 2>&1
	sleep 1 # what is on its way
	kill "$sniffer"
	wait "$sniffer" || true
	mv out.pcap "$here/$name.pcap"
}

# (softflowd waits at its control socket for ever when it has one: -c none.)
softflow() { inside timeout 20 softflowd -d -n 127.0.0.1:2055 -p pid -c none "$@"; }

pmacct() {
	printf '%s\n' 'daemonize: false' 'pcap_savefile: eth0' 'aggregate: src_host, dst_host, src_port, dst_port, proto, tos, src_mac, dst_mac' "$@" >pmacct.conf
	inside timeout 30 pmacctd -f pmacct.conf
}

# play sends the packets of a capture into the wire whose other end is eth0.
play() {
	inside python3 - "$1" <<-'END'
		import socket, struct, sys, time
		wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
		wire.bind(("wire", 0))
		capture = open(sys.argv[1], "rb").read()
		at = 24
		while at < len(capture):
		    length = struct.unpack_from("<I", capture, at + 8)[0]
		    wire.send(capture[at + 16:at + 16 + length])
		    at += 16 + length
		    time.sleep(0.0005)
	END
}

fprobes() { # it tells only at the next scan what is over
	background fprobe -l 2 -i eth0 -f ip -n 5 -e 5 -d 2 -g 2 -s 1 127.0.0.1:2055
	sleep 1
	play eth0
	sleep 10
}

# vswitch EXPORTER COLUMN=VALUE… has an Open vSwitch look at the wire.
vswitch() {
	local exporter=$1 vsctl
	shift
	export OVS_RUNDIR=$work/ovs OVS_LOGDIR=$work/ovs OVS_DBDIR=$work/ovs OVS_SYSCONFDIR=$work/ovs
	vsctl="ovs-vsctl --db=unix:$work/ovs/db.sock"
	if [ ! -d ovs ]; then
		mkdir ovs
		ovsdb-tool create ovs/conf.db "${OVS_SCHEMA:-/usr/share/openvswitch/vswitch.ovsschema}"
		background ovsdb-server ovs/conf.db --remote="punix:$work/ovs/db.sock" --no-chdir
		until [ -S ovs/db.sock ]; do sleep 0.05; done
		$vsctl --no-wait init
		background ovs-vswitchd "unix:$work/ovs/db.sock" --no-chdir
		$vsctl add-br br0 -- set bridge br0 datapath_type=netdev -- add-port br0 eth0
	fi
	$vsctl -- --id=@x create "$exporter" "$@" -- set bridge br0 "$exporter=@x"
	sleep 1
	play eth1
	sleep 6
	$vsctl clear bridge br0 "$exporter"
}

record v5 softflow -r eth0 -v 5
record v9 softflow -r eth0 -v 9
record ipfix softflow -r eth0 -v 10 -b
record dmz-v9 softflow -r eth1 -v 9
record pmacct-v5 pmacct 'plugins: nfprobe' 'nfprobe_receiver: 127.0.0.1:2055' 'nfprobe_version: 5'
record pmacct-v9 pmacct 'plugins: nfprobe' 'nfprobe_receiver: 127.0.0.1:2055' 'nfprobe_version: 9'
record pmacct-ipfix pmacct 'plugins: nfprobe' 'nfprobe_receiver: 127.0.0.1:2055' 'nfprobe_version: 10'
record pmacct-sflow pmacct 'plugins: sfprobe' 'sfprobe_receiver: 127.0.0.1:6343' 'sfprobe_agentip: 192.0.2.1' 'sampling_rate: 10'
record fprobe-v5 fprobes
record ovs-v5 vswitch netflow 'targets="127.0.0.1:2055"' active_timeout=2
record ovs-ipfix vswitch ipfix 'targets="127.0.0.1:4739"' sampling=1 obs_domain_id=7 obs_point_id=1 cache_active_timeout=2 cache_max_flows=1000
record ovs-sflow vswitch sflow agent=lo 'targets="127.0.0.1:6343"' header=128 sampling=10 polling=2
