#!/bin/bash
# Records testdata/logins/logins.pcap: logins that succeed and fail, of real programs in two
# private network namespaces. capture/recorded_test.go says which.
#
#   sudo testdata/logins/record.sh
#
# Needs root, ip, ethtool, tcpdump, krb5kdc with kadmin.local, kinit and kvno (Debian: krb5-kdc
# krb5-admin-server krb5-user), sshd, vsftpd, slapd with ldapwhoami, busybox, curl. Nothing leaves
# the namespaces; all processes and namespaces are gone when the script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=log$$-server client=log$$-client
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
	ip -n "$ns" link set eth0 up
	ip -n "$ns" link set lo up
	ip netns exec "$ns" ethtool -K eth0 tx off tso off gso off gro off >/dev/null
done
chmod 755 "$work"

# A KDC whose users are gavin, old, who needs no proof, and a machine; RC4 is allowed.
cat >"$work/krb5.conf" <<END
[libdefaults]
	default_realm = OFFICE.TEST
	dns_lookup_kdc = false
	dns_canonicalize_hostname = false
	rdns = false
	allow_weak_crypto = true
	allow_rc4 = true
[realms]
	OFFICE.TEST = {
		kdc = 10.9.0.1
	}
[logging]
	kdc = FILE:$work/kdc.log
END
sed 's/default_realm/udp_preference_limit = 1\n\tdefault_realm/' "$work/krb5.conf" >"$work/tcp.conf"
cat >"$work/kdc.conf" <<END
[realms]
	OFFICE.TEST = {
		database_name = $work/principal
		key_stash_file = $work/stash
		acl_file = $work/acl
		supported_enctypes = aes256-cts:normal rc4-hmac:normal
	}
END
export KRB5_CONFIG=$work/krb5.conf KRB5_KDC_PROFILE=$work/kdc.conf KRB5CCNAME=FILE:$work/cache
kdb5_util create -s -P master -r OFFICE.TEST >/dev/null
for rule in "gavin +requires_preauth" "old -requires_preauth" "host/laptop.office.test +requires_preauth" "http/new.office.test -requires_preauth"; do
	kadmin.local -q "addprinc -pw right ${rule#* } ${rule% *}" >/dev/null
done
kadmin.local -q "addprinc -pw right -e rc4-hmac:normal mssql/db.office.test" >/dev/null
serve krb5kdc -n

# FTP, SSH, LDAP and HTTP.
mkdir -p "$work/ftp" "$work/empty" "$work/www/secret" "$work/slapd"
echo hello >"$work/www/secret/index.html"
cat >"$work/vsftpd.conf" <<END
listen=YES
anonymous_enable=YES
no_anon_password=NO
anon_root=$work/ftp
secure_chroot_dir=$work/empty
local_enable=YES
ftpd_banner=files.office.test
seccomp_sandbox=NO
END
chown root:root "$work/vsftpd.conf"
serve vsftpd "$work/vsftpd.conf"
ssh-keygen -q -t ed25519 -N '' -f "$work/host"
mkdir -p /run/sshd
serve /usr/sbin/sshd -D -e -f /dev/null -h "$work/host" -o Port=2222 -o PidFile=none -o UsePAM=no
cat >"$work/slapd.conf" <<END
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
directory $work/slapd
suffix "dc=office,dc=test"
rootdn "cn=admin,dc=office,dc=test"
rootpw right
END
serve slapd -d 0 -f "$work/slapd.conf" -h ldap://10.9.0.1/
printf '/secret:gavin:right\n' >"$work/httpd.conf"
serve busybox httpd -f -p 80 -h "$work/www" -c "$work/httpd.conf"
sleep 2

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/logins.pcap" 'tcp or udp' 2>/dev/null &
started+=($!)
sleep 1

# krb USER PASSWORD runs kinit.
krb() { ip netns exec "$client" timeout 20 kinit "$1" >>"$work/clients.log" 2>&1 <<<"$2" || true; }
krb gavin wrong
krb nobody wrong
krb old right
krb gavin right
try kvno http/new.office.test
try kvno mssql/db.office.test
try kvno missing/db.office.test
KRB5_CONFIG=$work/tcp.conf krb host/laptop.office.test right
try curl -s -u anonymous:me@office.test ftp://10.9.0.1/
try curl -s -u nobody-here:wrong ftp://10.9.0.1/
try ssh -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -p 2222 10.9.0.1 true
try ldapwhoami -x -H ldap://10.9.0.1 -D cn=admin,dc=office,dc=test -w wrong
try ldapwhoami -x -H ldap://10.9.0.1 -D cn=admin,dc=office,dc=test -w right
try ldapwhoami -x -H ldap://10.9.0.1
try curl -s -u gavin:wrong http://10.9.0.1/secret/
try curl -s -u gavin:right http://10.9.0.1/secret/
sleep 1
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/logins.pcap" "$here/logins.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" >&2; fi
