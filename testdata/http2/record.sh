#!/bin/bash
# Records testdata/http2/http2.pcap: HTTP/2 in clear, of real programs in two private network
# namespaces. capture/recorded_http2_test.go says what is in it.
#
#   sudo testdata/http2/record.sh
#
# Needs root, ip, ethtool, tcpdump, nginx, nghttpd and nghttp (Debian: nghttp2-server,
# nghttp2-client), nghttpx (nghttp2-proxy) and curl. Nothing leaves the namespaces; all processes
# and namespaces are gone when the script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=htt$$-server client=htt$$-client
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

# try COMMAND... runs a client; its failure is part of the traffic.
try() { ip netns exec "$client" timeout 20 "$@" >>"$work/clients.log" 2>&1 </dev/null || true; }

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
chmod 755 .
mkdir -p htdocs/docs
seq 500 >htdocs/index.html
seq 3000 >htdocs/docs/report.csv
: >htdocs/empty
seq 100 >form
chmod -R a+rX htdocs
# nginx takes HTTP/2 from who knows that it does, nghttpd pushes, and nghttpx takes upgrades for it.
cat >nginx.conf <<END
daemon off;
user root;
pid $work/nginx.pid;
error_log $work/nginx.log;
events {}
http {
	access_log off;
	default_type text/plain;
	types { text/html html; text/csv csv; }
	server {
		listen 80 http2;
		root $work/htdocs;
		location /docs/ { add_header Content-Disposition 'attachment; filename="Report 2026.csv"'; }
		location /secret { auth_basic office; auth_basic_user_file $work/users; }
		location /take { return 204; }
		location /away { return 302 /index.html; }
	}
}
END
echo 'gavin:{PLAIN}secret' >users
: >htdocs/secret
serve nginx -c "$work/nginx.conf"
serve nghttpd --no-tls -d htdocs -p /index.html=/docs/report.csv 8080
serve nghttpx --conf=/dev/null --workers=1 -f '0.0.0.0,3000;no-tls' -b '127.0.0.1,8080;;proto=h2;no-tls' --errorlog-file="$work/nghttpx.log"
sleep 2

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/http2.pcap" tcp 2>/dev/null &
started+=($!)
sleep 1

h2="curl -s -o got --http2-prior-knowledge -A agent/1.0"
try $h2 http://10.9.0.1/index.html
try $h2 -e http://other.office.test/ -H 'Host: docs.office.test' "http://10.9.0.1/docs/report.csv?year=2026" -o got2 http://10.9.0.1/missing
try $h2 -I http://10.9.0.1/empty
try $h2 --data-binary @form http://10.9.0.1/take
try $h2 -u gavin:wrong http://10.9.0.1/secret
try $h2 -u gavin:secret http://10.9.0.1/secret
try $h2 http://10.9.0.1/away
# Several at a time, in one connection; one that is pushed; one with padding and trailers.
try nghttp -n -H 'user-agent: agent/2.0' http://10.9.0.1/index.html http://10.9.0.1/docs/report.csv http://10.9.0.1/empty
try nghttp -n -H 'user-agent: agent/2.0' http://10.9.0.1:8080/index.html
try nghttp -n -b 64 -d form --trailer 'sum: 5' -H 'user-agent: agent/2.0' http://10.9.0.1:8080/docs/report.csv
# An upgrade, by two programs; the second goes on with others.
try curl -s -o got --http2 -A agent/1.0 http://10.9.0.1:3000/index.html -o got2 http://10.9.0.1:3000/empty
try nghttp -n -u -H 'user-agent: agent/2.0' http://10.9.0.1:3000/index.html http://10.9.0.1:3000/docs/report.csv
sleep 1
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/http2.pcap" "$here/http2.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" "$work"/ng*.log >&2; fi
