#!/bin/bash
# Records testdata/captures from real programs in private network namespaces.
#
#   sudo testdata/record.sh            # about two minutes; replaces the files in testdata/captures
#
# Needs root, ip, ethtool, dnsmasq, busybox udhcpc, nginx, curl, openssl,
# ssh and sshd, ping, tcpdump, editcap, gzip and go. Nothing leaves the
# namespaces and nothing outside them is changed; all processes and
# namespaces are gone when the script ends. captures/README.md says what the
# files hold and why.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$here/captures
work=$(mktemp -d)
tag=rec$$            # prefix of our namespaces, so that two runs cannot meet
stretch=15           # one recorded second becomes 15: 2 s between beacons become 30 s
router=$tag-router servers=$tag-servers visitors=$tag-visitors dmz=$tag-dmz
gavin=$tag-gavin lena=$tag-lena printer=$tag-printer
spaces="$router $servers $visitors $dmz $gavin $lena $printer"
started=()           # pids to end, newest last

say() { printf '%s %s\n' "$(date +%T)" "$*" >&2; }

cleanup() {
	local i ns
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		kill "${started[i]}" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	for ns in $spaces; do
		ip netns del "$ns" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# enter NAMESPACE COMMAND... becomes the command, there, with the namespace's
# own resolv.conf (ip netns exec gives it a mount namespace to bind it in).
enter() {
	local ns=$1
	shift
	touch "$work/$ns.resolv"
	exec ip netns exec "$ns" sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$work/$ns.resolv" "$@"
}

# in_ns NAMESPACE COMMAND... runs the command there and returns.
in_ns() (enter "$@")

# background COMMAND... starts a command that cleanup ends.
background() {
	"$@" &
	started+=($!)
}

# at SECONDS COMMAND... waits until that long after $zero, then runs the
# command; its failure is part of the traffic, not of the script.
at() {
	local wait_for
	wait_for=$(awk -v z="$zero" -v s="$1" -v n="$(date +%s.%N)" 'BEGIN { d = z + s - n; print (d > 0 ? d : 0) }')
	shift
	sleep "$wait_for"
	"$@" >/dev/null 2>>"$work/clients.log" || true
}

# every SECONDS FIRST LAST COMMAND... repeats a command on a steady beat.
every() {
	local step=$1 now=$2 last=$3
	shift 3
	while ((now <= last)); do
		at "$now" "$@"
		now=$((now + step))
	done
}

# --- the network -----------------------------------------------------------

# plug NAMESPACE BRIDGE MAC joins a namespace's eth0 to a bridge of the
# router. Offloads are off, so that checksums and segments are those a wire
# would carry.
plug() {
	local ns=$1 bridge=$2 mac=$3 port=p-${1#"$tag"-}
	ip -n "$router" link add "$port" type veth peer name eth0 address "$mac" netns "$ns"
	ip -n "$router" link set "$port" master "$bridge" up
	ip netns exec "$ns" ethtool -K eth0 tx off rx off gso off gro off tso off >/dev/null
	ip netns exec "$router" ethtool -K "$port" tx off rx off gso off gro off tso off >/dev/null
	ip -n "$ns" link set eth0 up
}

build_network() {
	local ns bridge
	say "making namespaces $spaces"
	for ns in $spaces; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		# Addresses are given below; no autoconfiguration chatter.
		ip netns exec "$ns" sh -c 'for f in all default; do
			echo 0 >/proc/sys/net/ipv6/conf/$f/accept_dad
			echo 0 >/proc/sys/net/ipv6/conf/$f/autoconf
			echo 0 >/proc/sys/net/ipv6/conf/$f/router_solicitations
		done'
	done
	ip netns exec "$router" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	for bridge in office:01 world:02 dmz:03; do
		ip -n "$router" link add "${bridge%:*}" address "02:00:5e:10:00:${bridge#*:}" type bridge forward_delay 0 mcast_snooping 0
		ip netns exec "$router" ethtool -K "${bridge%:*}" tx off gso off gro off tso off >/dev/null
		ip -n "$router" link set "${bridge%:*}" up
	done
	ip -n "$router" addr add 10.20.0.1/24 dev office
	ip -n "$router" addr add 2001:db8:20::1/64 dev office nodad
	ip -n "$router" addr add 198.51.100.1/24 dev world
	ip -n "$router" addr add 203.0.113.1/24 dev world
	ip -n "$router" addr add 2001:db8:100::1/64 dev world nodad
	ip -n "$router" addr add 10.20.1.1/24 dev dmz

	plug "$gavin" office 02:00:5e:20:00:23
	plug "$lena" office 02:00:5e:20:00:31
	plug "$printer" office 02:00:5e:20:00:07
	plug "$servers" world 02:00:5e:30:00:01
	plug "$visitors" world 02:00:5e:30:00:02
	plug "$dmz" dmz 02:00:5e:40:00:01

	local address
	for address in 198.51.100.{10,40,50,80,90} 203.0.113.{20,30,40,60,70}; do
		ip -n "$servers" addr add "$address/24" dev eth0
	done
	ip -n "$servers" addr add 2001:db8:100::10/64 dev eth0 nodad
	ip -n "$servers" route add default via 198.51.100.1
	ip -n "$servers" route add default via 2001:db8:100::1
	ip -n "$visitors" addr add 203.0.113.200/24 dev eth0
	ip -n "$visitors" addr add 198.51.100.201/24 dev eth0
	ip -n "$visitors" route add default via 203.0.113.1
	ip -n "$dmz" addr add 10.20.1.10/24 dev eth0
	ip -n "$dmz" route add default via 10.20.1.1
	ip -n "$gavin" addr add 2001:db8:20::23/64 dev eth0 nodad
	ip -n "$gavin" route add default via 2001:db8:20::1
	echo "nameserver 10.20.1.1" >"$work/$dmz.resolv"
}

# --- the servers -------------------------------------------------------------

make_content() {
	local www=$work/www
	mkdir -p "$www"
	head -c 122880 /dev/urandom >"$www/report.pdf"
	head -c 204800 /dev/urandom >"$www/package.bin"
	head -c 61440 /dev/urandom >"$www/photo.jpg"
	head -c 98304 /dev/urandom >"$www/backup.tar"
	head -c 20480 /dev/urandom | base64 >"$www/firmware.txt"
	printf '<!doctype html><title>Welcome</title><p>Nothing to see here but a page of words.\n%.0s' {1..40} >"$www/index.html"
	echo ok >"$www/ping"
	touch -d '2026-06-01 08:00:00 UTC' "$www"/*
	chmod -R a+rX "$work"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=example.test" \
		-addext "subjectAltName=DNS:*.example.test,DNS:*.office.test" \
		-keyout "$work/tls.key" -out "$work/tls.crt" 2>/dev/null
}

# web NAME NAMESPACE LISTEN... runs one nginx on the given addresses.
web() {
	local name=$1 ns=$2 address
	shift 2
	mkdir -p "$work/$name"
	{
		echo "daemon off; user root; worker_processes 1; pid $work/$name/pid; error_log $work/$name/error.log;"
		echo "events {} http { access_log off; client_body_temp_path $work/$name/body; proxy_temp_path $work/$name/proxy;"
		echo "fastcgi_temp_path $work/$name/fastcgi; uwsgi_temp_path $work/$name/uwsgi; scgi_temp_path $work/$name/scgi;"
		echo "default_type application/octet-stream; server { root $work/www;"
		echo "ssl_certificate $work/tls.crt; ssl_certificate_key $work/tls.key;"
		for address in "$@"; do
			echo "listen $address;"
		done
		# A server slower than the line: the download lasts.
		echo "location = /backup.tar { limit_rate 10k; }"
		echo "location = /collect { return 204; } } }"
	} >"$work/$name/nginx.conf"
	background ip netns exec "$ns" nginx -c "$work/$name/nginx.conf" -e "$work/$name/error.log"
}

shell_server() {
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/host_key"
	ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/user_key"
	cp "$work/user_key.pub" "$work/authorized"
	cat >"$work/sshd.conf" <<-END
		ListenAddress 198.51.100.80
		HostKey $work/host_key
		AuthorizedKeysFile $work/authorized
		PidFile $work/sshd.pid
		StrictModes no
		UsePAM no
		PasswordAuthentication no
		PermitRootLogin prohibit-password
	END
	# sshd insists on its directory in /run: give it one only it sees.
	background ip netns exec "$servers" sh -c 'mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"' - \
		"$(command -v sshd)" -D -f "$work/sshd.conf" -E "$work/sshd.log"
}

start_servers() {
	say "starting nginx and sshd"
	make_content
	web world "$servers" 198.51.100.{10,40}:80 203.0.113.{20,30,40,70}:80 "[2001:db8:100::10]:80" \
		"198.51.100.50:443 ssl" "203.0.113.60:443 ssl" "203.0.113.70:443 ssl"
	web dmzweb "$dmz" 10.20.1.10:80 "10.20.1.10:443 ssl"
	shell_server
}

# names HOST... runs DHCP and DNS for the office; each HOST is MAC,ADDRESS,NAME.
# Option 12 is forced: dnsmasq alone would cut "gavin.reid-machine" at the dot.
names() {
	local host mac address name
	{
		cat <<-END
			keep-in-foreground
			no-resolv
			no-hosts
			no-ping
			bind-interfaces
			interface=office
			interface=dmz
			user=root
			pid-file=$work/dnsmasq.pid
			dhcp-leasefile=$work/leases
			dhcp-range=10.20.0.100,10.20.0.199,255.255.255.0,12h
			dhcp-authoritative
			domain=office.test
			local=/office.test/
			local=/example.test/
			auth-ttl=300
			local-ttl=300
			host-record=intranet.example.test,198.51.100.10
			host-record=updates.example.test,203.0.113.20
			host-record=store.example.test,203.0.113.30
			cname=files.example.test,store.example.test
			host-record=status.example.test,198.51.100.40
			host-record=mail.example.test,198.51.100.50
			host-record=portal.example.test,203.0.113.60
			host-record=news.example.test,203.0.113.70
			host-record=photos.example.test,203.0.113.70
			host-record=build.office.test,198.51.100.80
			host-record=telemetry.example.test,198.51.100.90
			host-record=retired.example.test,198.51.100.99
			host-record=six.example.test,2001:db8:100::10
			host-record=www.office.test,10.20.1.10
		END
		for host in "$@"; do
			IFS=, read -r mac address name <<<"$host"
			echo "dhcp-host=$mac,set:${name%%.*},$address"
			echo "dhcp-option-force=tag:${name%%.*},12,$name"
		done
	} >"$work/dnsmasq.conf"
	rm -f "$work/leases"
	ip netns exec "$router" dnsmasq --conf-file="$work/dnsmasq.conf" --log-facility="$work/dnsmasq.log" &
	names_pid=$!
	started+=("$names_pid")
	sleep 0.5
}

# --- the clients -------------------------------------------------------------

write_dhcp_script() {
	cat >"$work/udhcpc.script" <<-'END'
		#!/bin/sh
		case $1 in
		bound | renew)
			ip -4 addr flush dev "$interface"
			ip addr add "$ip/$mask" dev "$interface"
			ip route replace default via "$router"
			{
				echo "search $domain"
				for server in $dns; do echo "nameserver $server"; done
			} >/etc/resolv.conf
			;;
		deconfig)
			ip -4 addr flush dev "$interface"
			;;
		esac
	END
	chmod +x "$work/udhcpc.script"
}

# lease NAMESPACE HOSTNAME asks for an address as HOSTNAME; ended by TERM the
# client releases it.
lease() {
	enter "$1" udhcpc -f -R -i eth0 -x "hostname:$2" -s "$work/udhcpc.script" >>"$work/clients.log" 2>&1 &
	lease_pid=$!
	started+=("$lease_pid")
}

get() {
	local ns=$1
	shift
	in_ns "$ns" curl -sk -m 40 -o /dev/null "$@"
}

remote() {
	in_ns "$1" ssh -i "$work/user_key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
		-o LogLevel=ERROR -F /dev/null "root@build.office.test" "$2"
}

# --- recording ---------------------------------------------------------------

# record BRIDGE [TCPDUMP OPTION...] captures a bridge of the router into
# $work/BRIDGE.pcap and returns once packets are being taken.
record() {
	local bridge=$1
	shift
	rm -f "$work/$bridge.pcap" "$work/$bridge.log"
	ip netns exec "$router" tcpdump -i "$bridge" -s 0 -U "$@" -w "$work/$bridge.pcap" 2>"$work/$bridge.log" &
	recorders+=($!)
	started+=($!)
	until grep -q 'listening on' "$work/$bridge.log" 2>/dev/null; do sleep 0.05; done
}

stop_recording() {
	sleep 1 # what is on its way arrives
	kill -INT "${recorders[@]}"
	wait "${recorders[@]}" || true
	recorders=()
}

moved() { (cd "$here/.." && go run ./testdata/shift -from "$zero" -to "$1" -stretch $stretch "$2"); }

# Seconds below are recorded seconds; the comment column is the time shown.
morning() {
	say "morning: 68 s, shown as 10:14 to 10:31"
	names 02:00:5e:20:00:23,10.20.0.23,gavin.reid-machine 02:00:5e:20:00:31,10.20.0.31,lena-desk
	record office
	record dmz --time-stamp-precision=nano
	zero=$(date +%s.%N)
	local jobs=() gavin_lease
	at 0.4 true
	lease "$gavin" gavin.reid-machine                                   # 10:14:06
	gavin_lease=$lease_pid
	at 1.4 true
	lease "$lena" lena-desk                                             # 10:14:21

	# gavin.reid-machine
	every 2 2 64 get "$gavin" http://status.example.test/ping &         # 10:14:30 to 10:30:00, each 30 s
	jobs+=($!)
	at 3 get "$gavin" http://news.example.test/ &                       # 10:14:45, before the quarter
	jobs+=($!)
	at 5 get "$gavin" http://intranet.example.test/ &                   # 10:15:15
	jobs+=($!)
	at 7.3 get "$gavin" https://mail.example.test/ &                    # 10:15:49
	jobs+=($!)
	at 9.5 get "$gavin" http://updates.example.test/package.bin &       # 10:16:22
	jobs+=($!)
	at 12.7 get "$gavin" http://files.example.test/report.pdf &         # 10:17:10
	jobs+=($!)
	at 15.2 in_ns "$gavin" ping -c 8 -i 0.067 -s 8 intranet.example.test & # 10:17:48
	jobs+=($!)
	at 17.4 remote "$gavin" 'uname; sleep 2; head -c 20000 /dev/urandom | base64; sleep 3; ls / >/dev/null' & # 10:18:21
	jobs+=($!)
	at 21.6 get "$gavin" http://nosuch.example.test/ &                  # 10:19:24, no such name
	jobs+=($!)
	at 24.3 get "$gavin" https://portal.example.test/report.pdf &       # 10:20:04
	jobs+=($!)
	at 27.1 get "$gavin" http://photos.example.test/photo.jpg &         # 10:20:46
	jobs+=($!)
	at 29.7 get "$gavin" https://news.example.test/ &                   # 10:21:25, the address of photos
	jobs+=($!)
	at 31.4 get "$gavin" http://files.example.test/backup.tar &         # 10:21:51, lasts over two minutes
	jobs+=($!)
	at 33.3 get "$gavin" http://telemetry.example.test:8080/ &          # 10:22:19, refused
	jobs+=($!)
	at 36.6 get "$gavin" http://203.0.113.40/ &                         # 10:23:09, an address nobody named
	jobs+=($!)
	at 39.9 get "$gavin" http://six.example.test/index.html &           # 10:23:58, IPv6
	jobs+=($!)
	at 43.2 get "$gavin" http://intranet.example.test/collect -d 'desk=4&seat=12' & # 10:24:48
	jobs+=($!)
	at 46.8 get "$gavin" http://retired.example.test/ &                 # 10:25:42, nobody answers
	jobs+=($!)
	at 52.5 get "$gavin" http://updates.example.test/ &                 # 10:27:07
	jobs+=($!)
	at 55.1 get "$gavin" http://printer-9.office.test/ &                # 10:27:46, no such name
	jobs+=($!)
	at 59.4 get "$gavin" http://intranet.example.test/ http://intranet.example.test/report.pdf & # 10:28:51, two requests
	jobs+=($!)
	at 65.2 get "$gavin" http://intranet.example.test/ &                # 10:30:18, after the quarter
	jobs+=($!)

	# lena-desk
	every 9 4 60 get "$lena" http://intranet.example.test/ &
	jobs+=($!)
	at 11 get "$lena" https://mail.example.test/photo.jpg &
	jobs+=($!)
	at 25 in_ns "$lena" ping -n -c 4 -i 0.067 -s 8 10.20.0.23 &
	jobs+=($!)

	# the DMZ: visitors from outside, and the server's own update
	every 5 3 63 get "$visitors" --interface 203.0.113.200 --resolve www.office.test:80:10.20.1.10 http://www.office.test/ &
	jobs+=($!)
	at 14 get "$visitors" --interface 198.51.100.201 --resolve www.office.test:443:10.20.1.10 https://www.office.test/photo.jpg &
	jobs+=($!)
	at 20 get "$dmz" http://updates.example.test/firmware.txt &
	jobs+=($!)
	for port in 21 22 23 25 110 143 445 3306 3389 8080; do
		at 40 get "$visitors" --interface 198.51.100.201 "http://10.20.1.10:$port/" &
		jobs+=($!)
	done

	wait "${jobs[@]}"
	at 66.5 kill "$gavin_lease"                                         # 10:30:37, address released
	stop_recording
	kill "$names_pid" "$lease_pid"
	moved 2026-06-12T10:14:00Z "$work/office.pcap" >"$out/office-morning.pcap"
	moved 2026-06-12T10:14:00Z "$work/dmz.pcap" | gzip -9n >"$out/dmz.pcap.gz"
}

afternoon() {
	say "afternoon: 40 s, shown as 14:00 to 14:10"
	names 02:00:5e:20:00:07,10.20.0.23,printer-7 02:00:5e:20:00:23,10.20.0.57,gavin.reid-machine
	record office
	zero=$(date +%s.%N)
	local jobs=()
	at 0.4 true
	lease "$printer" printer-7                                          # 14:00:06
	every 4 3 35 get "$printer" http://status.example.test/collect -d 'toner=61' & # 14:00:45 on, each minute
	jobs+=($!)
	at 5 true
	lease "$gavin" gavin.reid-machine                                   # 14:01:15, at another address now
	at 8 get "$printer" http://updates.example.test/firmware.txt &      # 14:02:00
	jobs+=($!)
	at 17 get "$printer" http://files.example.test/photo.jpg &          # 14:04:15
	jobs+=($!)
	at 13 get "$gavin" http://intranet.example.test/ &                  # 14:03:15
	jobs+=($!)
	at 22 get "$gavin" http://files.example.test/report.pdf &           # 14:05:30
	jobs+=($!)
	at 28 get "$gavin" https://mail.example.test/ &                     # 14:07:00
	jobs+=($!)
	at 31 in_ns "$gavin" ping -n -c 3 -i 0.067 -s 8 10.20.0.23 &           # 14:07:45
	jobs+=($!)

	wait "${jobs[@]}"
	at 38 true
	stop_recording
	moved 2026-06-12T14:00:00Z "$work/office.pcap" >"$work/afternoon.pcap"
	editcap -F pcapng "$work/afternoon.pcap" "$out/office-afternoon.pcapng"
}

recorders=()
mkdir -p "$out"
write_dhcp_script
build_network
start_servers
sleep 1
morning
afternoon
say "written:"
ls -l "$out" >&2
