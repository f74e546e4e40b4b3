package tables

import (
	"strconv"
	"strings"
)

// serviceTable is the ports that tell a server from a client, by the service
// expected there: a curated part of the IANA registry (its names), and the
// usual ports of common software. It is short on purpose: the registry's six
// thousand entries would call many clients' ephemeral ports a service, and of
// the range systems draw those from (32768 up) only ports that are nearly
// always the service are here. Keys are the transports an entry is for.
var serviceTable = map[string]string{
	"tcp udp": `
		7 echo 9 discard 13 daytime 17 qotd 19 chargen 37 time 53 domain 88 kerberos
		111 sunrpc 135 epmap 137 netbios-ns 138 netbios-dgm 139 netbios-ssn 161 snmp 162 snmptrap
		389 ldap 427 svrloc 443 https 445 microsoft-ds 464 kpasswd 500 isakmp 514 shell 554 rtsp
		623 asf-rmcp 631 ipp 636 ldaps 853 domain-s 1194 openvpn 1433 ms-sql-s 1434 ms-sql-m
		1701 l2tp 1812 radius 1813 radius-acct 2049 nfs 3389 ms-wbt-server 3478 stun 3702 ws-discovery
		4500 ipsec-nat-t 5060 sip 5061 sips 5349 stuns 5351 nat-pmp 5353 mdns 5355 llmnr
		6881 bittorrent 7001 afs3-callback 8443 https-alt 11211 memcache`,
	"tcp": `
		20 ftp-data 21 ftp 22 ssh 23 telnet 25 smtp 43 whois 49 tacacs 70 gopher 79 finger
		80 http 81 http-alt 102 iso-tsap 104 dicom 109 pop2 110 pop3 113 ident 119 nntp 143 imap
		179 bgp 194 irc 264 bgmp 318 pkix-timestamp 383 hp-alarm-mgr 444 snpp 465 submissions
		502 modbus 512 exec 513 login 515 printer 540 uucp 543 klogin 544 kshell 548 afpovertcp
		563 nntps 587 submission 593 http-rpc-epmap 601 syslog-conn 639 msdp 646 ldp 666 doom
		749 kerberos-adm 830 netconf-ssh 843 flash-policy 860 iscsi-target 873 rsync 902 ideafarm-door
		989 ftps-data 990 ftps 992 telnets 993 imaps 994 ircs 995 pop3s
		1080 socks 1099 rmiregistry 1110 nfsd-status 1352 lotusnote 1414 ibm-mqseries 1494 ica
		1521 oracle 1527 tlisrv 1723 pptp 1883 mqtt 1935 rtmp 2000 cisco-sccp 2082 cpanel
		2083 cpanel-ssl 2086 whm 2087 whm-ssl 2121 ftp-proxy 2181 zookeeper 2222 ssh-alt 2375 docker
		2376 docker-s 2379 etcd-client 2380 etcd-server 2404 iec-104 2598 citrix-cgp 2628 dict
		3000 http-dev 3128 squid-http 3260 iscsi 3268 msft-gc 3269 msft-gc-ssl 3299 saprouter
		3306 mysql 3310 clamd 3333 dec-notes 3632 distcc 3690 svn 4190 sieve 4222 nats 4369 epmd
		4443 https-dev 4444 krb524 4505 salt-publish 4506 salt-return 4840 opcua 4848 appserv-http
		5000 commplex-main 5001 commplex-link 5044 beats 5201 iperf3 5222 xmpp-client 5223 xmpp-client-s
		5269 xmpp-server 5432 postgresql 5555 adb 5601 kibana 5666 nrpe 5671 amqps 5672 amqp
		5800 vnc-http 5900 vnc 5901 vnc 5984 couchdb 5985 wsman 5986 wsmans 6000 x11 6379 redis
		6443 kubernetes 6514 syslog-tls 6660 irc 6667 irc 6697 ircs 7000 cassandra-node
		7474 neo4j 7687 bolt 8000 http-alt 8005 tomcat-shutdown 8008 http-alt 8009 ajp13
		8080 http-alt 8081 http-alt 8086 influxdb 8088 http-alt 8089 splunkd 8090 http-alt
		8123 clickhouse-http 8140 puppet 8200 vault 8291 winbox 8333 bitcoin 8400 http-alt
		8500 consul 8834 nessus 8880 http-alt 8883 secure-mqtt 8888 http-alt 9000 clickhouse
		9001 tor-orport 9030 tor-dirport 9042 cassandra 9050 tor-socks 9090 prometheus 9092 kafka
		9093 alertmanager 9100 jetdirect 9160 cassandra-thrift 9200 elasticsearch
		9300 elasticsearch-node 9418 git 9443 https-alt 10000 ndmp 10050 zabbix-agent
		10051 zabbix-trapper 10250 kubelet 10443 https-alt 11434 ollama 15672 rabbitmq-http
		20000 dnp3 25565 minecraft 25672 rabbitmq-node 26379 redis-sentinel 27017 mongodb
		27018 mongodb 28017 mongodb-http 32400 plex 44818 ethernet-ip
		61613 stomp 61616 activemq`,
	"udp": `
		67 bootps 68 bootpc 69 tftp 123 ntp 177 xdmcp 319 ptp-event 320 ptp-general
		443 quic 513 who 514 syslog 518 ntalk 520 rip 521 ripng 546 dhcpv6-client
		547 dhcpv6-server 580 sntp-heartbeat 1645 radius-old 1646 radacct-old 1719 h323gatestat
		1720 h323hostcall 1900 ssdp 1985 hsrp 2055 netflow 2056 netflow 2123 gtp-control
		2152 gtp-user 2427 mgcp-gateway 2727 mgcp-callagent 3130 icpv2 3222 glbp 3260 iscsi
		3544 teredo 3784 bfd-control 3785 bfd-echo 4341 lisp-data 4342 lisp-control 4433 quic-dev
		4739 ipfix 4784 bfd-multi-ctl 4789 vxlan 5004 rtp 5005 rtcp 5246 capwap-control
		5247 capwap-data 5683 coap 5684 coaps 6081 geneve 6343 sflow 6635 mpls-udp 8472 otv
		9993 zerotier 9995 netflow 9996 netflow 10001 ubiquiti-discovery 17500 dropbox-lan
		19302 stun 27015 steam 47808 bacnet 51820 wireguard`,
	"sctp": `
		80 http 2904 m2ua 2905 m3ua 3565 m2pa 3868 diameter 5060 sip 5061 sips 9900 iua
		14001 sua 36412 s1-control 36422 x2-control 38412 ng-control 38422 xn-control`,
}

// services maps port and protocol, packed by serviceKey, to the name.
var services = func() map[uint32]string {
	out := make(map[uint32]string, 512)
	for transports, list := range serviceTable {
		words := strings.Fields(list)
		for i := 0; i+1 < len(words); i += 2 {
			port, err := strconv.ParseUint(words[i], 10, 16)
			if err != nil {
				continue // a test holds the table to be well formed
			}
			for _, transport := range strings.Fields(transports) {
				proto, _ := ProtocolNumber(transport)
				key := serviceKey(uint16(port), proto)
				// A line for one transport is more exact than the common one.
				if _, ok := out[key]; !ok || transports == transport {
					out[key] = words[i+1]
				}
			}
		}
	}
	return out
}()

func serviceKey(port uint16, proto uint8) uint32 { return uint32(proto)<<16 | uint32(port) }

// ServiceName is the service usually offered at a port of a transport
// protocol, by its IANA name where it has one; empty when there is none in the
// curated list.
func ServiceName(port uint16, proto uint8) string { return services[serviceKey(port, proto)] }

// Services calls f for each port of the list.
func Services(f func(port uint16, proto uint8, name string)) {
	for key, name := range services {
		f(uint16(key), uint8(key>>16), name)
	}
}
