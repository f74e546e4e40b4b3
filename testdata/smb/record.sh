#!/bin/bash
# Records testdata/smb/smb.pcap: files that are read, written, renamed, deleted and looked for, and
# calls of DCE/RPC, of real programs in two private network namespaces. capture/recorded_smb_test.go
# says which.
#
#   sudo testdata/smb/record.sh
#
# Needs root, ip, ethtool, tcpdump, unshare, smbd, smbpasswd, smbclient, rpcclient and net (Debian:
# samba samba-common-bin smbclient). Nothing leaves the namespaces; all processes and namespaces are gone when the
# script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=smb$$-server client=smb$$-client
started=()

# unshare takes no other signal, and takes its children along.
cleanup() {
	local i
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		kill -KILL "${started[i]}" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	ip netns del "$server" 2>/dev/null || true
	ip netns del "$client" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

ip netns add "$server"
ip netns add "$client"
ip -n "$server" link add eth0 type veth peer name eth0 netns "$client"
for side in "$server 10.9.0.1" "$client 10.9.0.2"; do
	read -r ns addr <<<"$side"
	ip -n "$ns" addr add "$addr/24" dev eth0
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link set lo up
	ip netns exec "$ns" ethtool -K eth0 tx off tso off gso off gro off >/dev/null
done

# A server called files, with the user gavin, who may do anything.
mkdir -p "$work"/{private,lock,state,cache,pid,ncalrpc,log,data,c}
chmod 755 "$work"
(cat /etc/passwd; echo 'gavin:x:7001:7001::/:/bin/false') >"$work/passwd"
(cat /etc/group; echo 'gavin:x:7001:') >"$work/group"
echo '127.0.0.1 files.office.test files localhost' >"$work/hosts"
cat >"$work/smb.conf" <<END
[global]
workgroup = OFFICE
netbios name = FILES
private dir = $work/private
lock directory = $work/lock
state directory = $work/state
cache directory = $work/cache
pid directory = $work/pid
ncalrpc dir = $work/ncalrpc
log file = $work/log/%m
server min protocol = NT1
load printers = no
printing = bsd
printcap name = /dev/null
smb ports = 445
bind interfaces only = yes
interfaces = 10.9.0.1/24
admin users = gavin
[data]
path = $work/data
read only = no
[C\$]
path = $work/c
read only = no
END
head -c 5000 /dev/zero | tr '\0' p >"$work/data/plan.txt"
head -c 3000 /dev/zero | tr '\0' n >"$work/notes.txt"
echo '[global]' >"$work/client.conf"
unshare --mount --uts --pid --fork --kill-child ip netns exec "$server" bash -euc '
	hostname files
	mount -t proc proc /proc
	for file in passwd group hosts; do mount --bind "$0/$file" "/etc/$file"; done
	printf "right\nright\n" | smbpasswd -c "$0/smb.conf" -s -a gavin
	exec smbd -F --no-process-group -s "$0/smb.conf"' "$work" >>"$work/servers.log" 2>&1 &
started+=($!)
sleep 4

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/smb.pcap" tcp 2>/dev/null &
started+=($!)
sleep 1

# try PROGRAM ARGUMENT... runs a client on a machine called laptop; its failure is part of the traffic.
try() {
	local program=$1
	shift
	unshare --uts ip netns exec "$client" bash -c 'hostname laptop; cd "$0"; exec timeout 20 "$@"' "$work" \
		"$program" -s "$work/client.conf" -n LAPTOP "$@" >>"$work/clients.log" 2>&1 </dev/null || true
}

try smbclient //10.9.0.1/data -U gavin%wrong -c ls
try smbclient //10.9.0.1/data -U gavin%right -c 'ls; get plan.txt got.txt; put notes.txt; rename notes.txt old.txt; mkdir more; del old.txt; get missing.txt'
try smbclient '//10.9.0.1/C$' -U gavin%right -c 'put notes.txt tool.exe'
try net rpc service create tool tool 'c:\tool.exe' -I 10.9.0.1 -U gavin%right
try rpcclient 10.9.0.1 -U gavin%right -c 'enumdomusers; lookupnames gavin'
try smbclient //10.9.0.1/data -U gavin%right --client-protection=encrypt -c 'get plan.txt got.txt'
try smbclient //10.9.0.1/data -U gavin%right -m NT1 --option='client min protocol=NT1' -c 'get plan.txt got.txt'
sleep 1
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/smb.pcap" "$here/smb.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" >&2; fi
