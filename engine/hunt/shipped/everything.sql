-- title: Everything one machine did
-- question: What did this machine do, in order?
-- severity: info
-- reads: host_flows
-- parameter: host text ?: its name or address
-- parameter: rows int 1000: how many connections
-- result: each connection of the machine in order of time; role tells whether it asked or was asked, peer_name what it asked for
-- empty: nobody had this name or address in this time: SELECT * FROM hosts WHERE name LIKE '%…%' finds names
-- packets: SELECT ts, src_ip, dst_ip, info FROM packets WHERE conn_id = :conn_id ORDER BY ts
SELECT ts, duration, ip, host, role, peer_ip, peer_host, peer_name, peer_port, port, protocol, service, bytes_out, bytes_in, conn_state, packet_status, conn_id
FROM host_flows
WHERE ts BETWEEN :from AND :to
  AND (host = IF(INET6_ATON(:host) IS NULL, :host, NULL) OR ip = INET6_NTOA(INET6_ATON(:host)))
ORDER BY ts
LIMIT :rows
