#!/bin/bash
# Records testdata/exports: what softflowd exports of testdata/captures, as
# NetFlow v5, v9 and IPFIX, captured in a private network namespace.
#
#   sudo testdata/exports/record.sh    # a few seconds; replaces the captures beside it
#
# Needs root, ip, tcpdump and softflowd. Nothing leaves the namespace.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# By a short name: softflowd exports the capture's as that of an interface.
cd "$here/../.."
captures=testdata/captures
work=$(mktemp -d)
space=exports$$
sniffer=

cleanup() {
	[ -z "$sniffer" ] || kill "$sniffer" 2>/dev/null || true
	wait 2>/dev/null || true
	ip netns del "$space" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ip netns add "$space"
ip -n "$space" link set lo mtu 1500 up
zcat "$captures/dmz.pcap.gz" >"$work/dmz.pcap"

# (softflowd waits at its control socket for ever when it has one: -c none.)
# record NAME CAPTURE ARGUMENT... exports a capture to the port 2055 nobody
# listens on; the ICMP errors that follow are not captured.
record() {
	local name=$1 capture=$2
	shift 2
	ip netns exec "$space" tcpdump -q -U --immediate-mode -i lo -w "$work/$name.pcap" -Z root udp port 2055 2>"$work/log" &
	sniffer=$!
	until grep -q 'listening on' "$work/log"; do sleep 0.05; done
	ip netns exec "$space" timeout 20 softflowd -d -r "$capture" -n 127.0.0.1:2055 -p "$work/pid" -c none "$@" >/dev/null 2>&1
	sleep 1
	kill "$sniffer"
	wait "$sniffer" || true
	sniffer=
	mv "$work/$name.pcap" "$here/$name.pcap"
}

record v5 "$captures/office-morning.pcap" -v 5
record v9 "$captures/office-morning.pcap" -v 9
record ipfix "$captures/office-morning.pcap" -v 10 -b
record dmz-v9 "$work/dmz.pcap" -v 9
