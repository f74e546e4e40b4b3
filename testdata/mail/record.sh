#!/bin/bash
# Records testdata/mail/mail.pcap: mail that real programs hand to a real server, and that it
# hands on, in two private network namespaces. capture/recorded_mail_test.go says which.
#
#   sudo testdata/mail/record.sh
#
# Needs root, ip, ethtool, tcpdump, curl, openssl, postfix with its smtp-sink, swaks and s-nail
# (Debian: postfix swaks s-nail). Nothing leaves the namespaces; all processes and namespaces
# are gone when the script ends.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=mail$$-server client=mail$$-client
started=()

cleanup() {
	local i
	ip netns exec "$server" postfix -c "$work/etc" stop >/dev/null 2>&1 || true
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

# try COMMAND... runs a client; its failure is part of the traffic.
try() { ip netns exec "$client" timeout 30 "$@" >>"$work/clients.log" 2>&1 </dev/null || true; }

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

# A server that knows gavin and anna, refuses a subject, speaks TLS to who asks, and hands on
# over LMTP to the other side.
mkdir -p "$work/etc" "$work/queue" "$work/data"
chown postfix "$work/data"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" -days 30 -subj /CN=mx.office.test 2>/dev/null
echo '/^Subject: forbidden/ REJECT 5.7.1 not here' >"$work/etc/header_checks"
printf 'gavin.reid@office.test x\nanna@office.test x\n' >"$work/etc/users"
cat >"$work/etc/main.cf" <<END
compatibility_level = 3.6
queue_directory = $work/queue
data_directory = $work/data
maillog_file = $work/postfix.log
maillog_file_prefixes = $work
inet_interfaces = all
inet_protocols = ipv4
myhostname = mx.office.test
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = office.test
virtual_mailbox_maps = texthash:$work/etc/users
virtual_transport = lmtp:inet:[10.9.0.2]:24
disable_dns_lookups = yes
smtp_dns_support_level = disabled
header_checks = regexp:$work/etc/header_checks
smtpd_tls_cert_file = $work/cert.pem
smtpd_tls_key_file = $work/key.pem
smtpd_tls_security_level = may
END
cat >"$work/etc/master.cf" <<END
smtp       inet n - n - - smtpd
submission inet n - n - - smtpd
pickup     unix n - n 60 1 pickup
cleanup    unix n - n - 0 cleanup
qmgr       unix n - n 300 1 qmgr
tlsmgr     unix - - n 1000? 1 tlsmgr
rewrite    unix - - n - - trivial-rewrite
bounce     unix - - n - 0 bounce
defer      unix - - n - 0 bounce
trace      unix - - n - 0 bounce
flush      unix n - n 1000? 0 flush
proxymap   unix - - n - - proxymap
lmtp       unix - - n - - lmtp
smtp       unix - - n - - smtp
error      unix - - n - - error
retry      unix - - n - - error
discard    unix - - n - - discard
anvil      unix - - n - 1 anvil
scache     unix - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
END
ip netns exec "$server" postfix -c "$work/etc" start >>"$work/servers.log" 2>&1
ip netns exec "$client" smtp-sink -L -u nobody 10.9.0.2:24 10 >>"$work/servers.log" 2>&1 &
started+=($!)
sleep 2

ip netns exec "$client" tcpdump -i eth0 -U -s 0 -w "$work/mail.pcap" tcp 2>/dev/null &
started+=($!)
sleep 1

# What people's programs send: names with other letters, in text and of files.
head -c 3000 /dev/zero | tr '\0' a >"$work/Rechnung März.pdf"
seq 200 >"$work/table, old.csv"
export LC_ALL=C.UTF-8 HOME=$work
try s-nail -:/ -S mta=smtp://10.9.0.1 -S smtp-auth=none -S hostname=laptop.office.test -S from='Zoë Reid <zoe@office.test>' \
	-s 'Grüße aus Köln, und eine lange Betreffzeile, die gefaltet werden muss: € 1.000' -a "$work/Rechnung März.pdf" -a "$work/table, old.csv" \
	-c anna@office.test gavin.reid@office.test
sleep 1
mail() { try swaks --server 10.9.0.1 --helo Laptop.office.test --from Zoe@Office.test --header-Message-Id '<0@laptop.office.test>' "$@"; }
mail --to gavin.reid@office.test --header 'Subject: plain' --body "$(printf 'one\n.two\n..\n')"
mail --to gavin.reid@office.test,nobody@office.test --pipeline --header 'Subject: one of two'
mail --to nobody@office.test
mail --to someone@elsewhere.test
mail --to anna@office.test --header 'Subject: forbidden fruit'
mail --to anna@office.test --from '<>' --header 'Subject: undelivered'
mail --to anna@office.test --port 587 --header 'Subject: submitted' --add-header 'X-Originating-IP: 192.0.2.7' --attach-type text/x-sh --attach-name run.sh --attach '#!/bin/sh'
printf 'Subject: nobody sees\r\n\r\nthis\r\n' >"$work/sealed"
try curl -s --ssl-reqd -k smtp://10.9.0.1/Laptop.office.test --mail-from zoe@office.test --mail-rcpt anna@office.test -T "$work/sealed"
# In chunks, all sent at once, by hand: no client of Debian's does.
try bash -c 'exec 3<>/dev/tcp/10.9.0.1/25 && read -r -u 3 && printf "EHLO chunks.test\r\n" >&3 && sleep 0.5 &&
	printf "MAIL FROM:<zoe@office.test>\r\nRCPT TO:<anna@office.test>\r\nBDAT 18\r\nSubject: chunked\r\nBDAT 7 LAST\r\n\r\nabc\r\nQUIT\r\n" >&3 && timeout 5 cat <&3'
sleep 3
kill "${started[-1]}"
wait "${started[-1]}" 2>/dev/null || true
cp "$work/mail.pcap" "$here/mail.pcap"
if [[ -n ${DEBUG:-} ]]; then cat "$work/clients.log" "$work/servers.log" "$work/postfix.log" >&2; fi
