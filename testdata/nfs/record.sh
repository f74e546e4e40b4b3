#!/bin/bash
# Records testdata/nfs/nfs.pcap: files over NFS version 3, of real programs in two private network
# namespaces. capture/recorded_nfs_test.go says what is in it.
#
#   sudo testdata/nfs/record.sh
#
# Needs root, ip, ethtool, tcpdump, rpcbind, ganesha.nfsd with its VFS (Debian: nfs-ganesha,
# nfs-ganesha-vfs), and nfs-cp, nfs-cat and nfs-ls (libnfs-utils). Nothing leaves the namespaces; all
# processes and namespaces are gone when the script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=nfs$$-server client=nfs$$-client
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
mkdir -p export/reports/2026
seq 6000 >export/reports/2026/Report.csv
seq 100 >export/notes.txt
: >export/empty
chmod -R a+rwX export
# Of what the server mounts in its namespace nobody else sees.
seq 3000 >mine
cat >ganesha.conf <<END
NFS_CORE_PARAM { Protocols = 3; NFS_Port = 2049; MNT_Port = 20048; Enable_NLM = false; Enable_RQUOTA = false; mount_path_pseudo = false; }
EXPORT {
	Export_Id = 1;
	Path = /mnt;
	Pseudo = /export;
	Tag = export;
	Protocols = 3;
	Transports = TCP, UDP;
	Access_Type = RW;
	Squash = No_root_squash;
	SecType = sys, none;
	FSAL { Name = VFS; }
}
END
serve rpcbind -f -w
sleep 1
serve bash -c 'mount --bind "$PWD/export" /mnt; exec "$@"' serve ganesha.nfsd -F -f "$work/ganesha.conf" -L "$work/ganesha.log" -p "$work/ganesha.pid"
sleep 6

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/nfs.pcap" 'tcp or udp' 2>/dev/null &
started+=($!)
sleep 1

at="nfs://10.9.0.1/mnt"
try nfs-ls -R "$at/?version=3"
try nfs-cat "$at/reports/2026/Report.csv?version=3"
try nfs-cat "$at/notes.txt?version=3&uid=1234"
try nfs-cat "$at/missing?version=3"
try nfs-cp mine "$at/reports/Mine.txt?version=3"
try nfs-cp "$at/empty?version=3" got
sleep 1
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/nfs.pcap" "$here/nfs.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" "$work/ganesha.log" >&2; fi
