#!/bin/bash
# Records testdata/quic/quic.pcap: QUIC of real programs in two private network namespaces.
# capture/recorded_quic_test.go says what is in it.
#
#   sudo testdata/quic/record.sh
#
# Needs root, ip, ethtool, tcpdump, openssl, gtlsserver and gtlsclient (Debian: ngtcp2-server,
# ngtcp2-client), and chromium. Nothing leaves the namespaces; all processes and namespaces are
# gone when the script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=qui$$-server client=qui$$-client
started=()

cleanup() {
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		kill "${started[i]}" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	ip netns del "$server" 2>/dev/null || true
	ip netns del "$client" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# serve COMMAND... runs a server until the script ends.
serve() {
	ip netns exec "$server" "$@" >>"$work/servers.log" 2>&1 &
	started+=($!)
}

# try COMMAND... runs a client, which knows the names of hosts; its failure is part of the traffic.
try() {
	ip netns exec "$client" bash -c 'mount --bind hosts /etc/hosts; exec timeout 20 "$@"' try "$@" >>"$work/clients.log" 2>&1 </dev/null || true
}

ip netns add "$server"
ip netns add "$client"
ip -n "$server" link add eth0 type veth peer name eth0 netns "$client"
for side in "$server 10.9.0.1" "$client 10.9.0.2"; do
	read -r ns addr <<<"$side"
	ip -n "$ns" addr add "$addr/24" dev eth0
	ip -n "$ns" addr add "fd09::${addr##*.}/64" dev eth0 nodad
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link set lo up
	ip netns exec "$ns" ethtool -K eth0 tx off tso off gso off gro off >/dev/null
done

cd "$work"
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=www.office.test -addext subjectAltName=DNS:www.office.test \
	-keyout key.pem -out cert.pem 2>/dev/null
mkdir htdocs
seq 50 >htdocs/index.html
# The namespaces have names of their own, and "ip netns exec" mounts of its own.
for name in one two draft retry better unknown again ticket lost nobody; do echo "10.9.0.1 $name.office.test"; done >hosts
echo "fd09::1 six.office.test" >>hosts
# One that answers at once, one that asks for an address to be proved (Retry), one that prefers
# version 2, and one of chacha20 and another group, which asks for another hello.
serve gtlsserver -q -d htdocs '*' 443 key.pem cert.pem
serve gtlsserver -q -V -d htdocs '*' 4433 key.pem cert.pem
serve gtlsserver -q -d htdocs --preferred-versions=v2draft --other-versions=v2draft,v1 '*' 8443 key.pem cert.pem
serve gtlsserver -q -d htdocs --ciphers='NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305' \
	--groups='-GROUP-ALL:+GROUP-SECP384R1' '*' 50001 key.pem cert.pem
sleep 2

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/quic.pcap" udp 2>/dev/null &
started+=($!)
sleep 1

# get NAME PORT OPTION... asks a server for its page.
get() {
	local name=$1.office.test port=$2
	shift 2
	try gtlsclient -q --no-http-dump --exit-on-all-streams-close --timeout=3s --handshake-timeout=3s --no-pmtud "$@" "$name" "$port" "https://$name/index.html"
}
get one 443
get two 443 --version=v2draft
get draft 443 --version=0xff00001d
get retry 4433
get better 8443 --preferred-versions=v2draft,v1 --other-versions=v2draft,v1
get unknown 443 --version=0x1a2a3a4a --preferred-versions=v1 --other-versions=v1
get again 50001
get ticket 443 --session-file=session --tp-file=tp
get ticket 443 --session-file=session --tp-file=tp
get lost 443 --tx-loss=0.4
get nobody 444
get six 443
hash=$(openssl x509 -in cert.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64)
try chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --host-resolver-rules='MAP * 10.9.0.1' --no-first-run \
	--disable-background-networking --disable-component-update --ignore-certificate-errors-spki-list="$hash" \
	--origin-to-force-quic-on=browser.office.test:443 --dump-dom https://browser.office.test/index.html
sleep 1
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/quic.pcap" "$here/quic.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" >&2; fi
