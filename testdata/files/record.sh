#!/bin/bash
# Records testdata/files/files.pcap: files over FTP and TFTP, of real programs in two private
# network namespaces. capture/recorded_files_test.go says which.
#
#   sudo testdata/files/record.sh
#
# Needs root, ip, ethtool, tcpdump, vsftpd, lftp, curl, in.tftpd (Debian: tftpd-hpa) and tftp
# (tftp-hpa). Nothing leaves the namespaces; all processes and namespaces are gone when the
# script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=fil$$-server client=fil$$-client
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
chmod 755 "$work"

# A server whose anonymous users may do everything below pub, and one of TFTP.
mkdir -p "$work/ftp/pub" "$work/empty" "$work/tftp"
seq 5000 >"$work/ftp/pub/Report.csv"
seq 2000 2600 >"$work/notes.txt"
seq 10001 12000 >"$work/tftp/boot.img"
: >"$work/ftp/pub/empty"
: >"$work/tftp/upload"
chmod 777 "$work/ftp/pub"
chmod 666 "$work/tftp/upload"
cat >"$work/vsftpd.conf" <<END
listen=NO
listen_ipv6=YES
anonymous_enable=YES
anon_root=$work/ftp
anon_upload_enable=YES
anon_mkdir_write_enable=YES
anon_other_write_enable=YES
anon_umask=022
write_enable=YES
connect_from_port_20=YES
secure_chroot_dir=$work/empty
seccomp_sandbox=NO
END
chown root:root "$work/vsftpd.conf"
serve vsftpd "$work/vsftpd.conf"
serve in.tftpd -L -a 10.9.0.1:69 -u root -s "$work/tftp"
sleep 2

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/files.pcap" 'tcp or udp' 2>/dev/null &
started+=($!)
sleep 1

cd "$work"
# Passive, active, and both with the commands for IPv6; sessions that enter folders, and one that
# sends commands before the answers to those before.
try curl -s -o got ftp://10.9.0.1/pub/Report.csv
try curl -s -o got -P - --disable-eprt ftp://10.9.0.1/pub/Report.csv
try curl -s -o got -g "ftp://[fd09::1]/pub/Report.csv"
try curl -s -o got -P - -g "ftp://[fd09::1]/pub/"
try curl -s -T notes.txt ftp://10.9.0.1/pub/Notes.txt
try curl -s ftp://10.9.0.1/pub/missing
try curl -s ftp://10.9.0.1/pub/empty
try lftp -c 'open 10.9.0.1; cd pub; mkdir new; mv Notes.txt new/Old.txt; cd new; cls; rm Old.txt; cd ..; rmdir new; rm missing'
try lftp -c 'set ftp:sync-mode off; open 10.9.0.1; cd pub; get Report.csv -o got2; put notes.txt -o again.txt; rm again.txt'
try curl -s -o got tftp://10.9.0.1/boot.img
try curl -s -o got --tftp-no-options tftp://10.9.0.1/boot.img
try curl -s -T notes.txt tftp://10.9.0.1/upload
try curl -s tftp://10.9.0.1/missing
try tftp -m octet 10.9.0.1 -c get boot.img got
sleep 1
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/files.pcap" "$here/files.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" >&2; fi
