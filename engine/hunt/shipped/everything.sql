-- title: Everything one machine did
-- question: What did this machine do, and what was done with it, in order?
-- severity: info
-- reads: timeline
-- key: ts, kind, ip, peer_ip, conn_id
-- parameter: host text ?: its name or address
-- parameter: rows int 1000: how many rows
-- result: connections, look-ups, TLS handshakes, HTTP requests, log-ins, files and names of the machine in order of time; role tells whether it asked (→) or was asked (←), summary what
-- empty: nobody had this name or address in this time: SELECT * FROM hosts WHERE name LIKE '%…%' finds names
-- packets: SELECT ts, src_ip, dst_ip, info FROM packets WHERE conn_id = :conn_id ORDER BY ts
SELECT ts, kind, role, ip, host, peer_ip, peer_host, peer_port, summary, bytes_out, bytes_in, packet_status, conn_id
FROM timeline
WHERE ts BETWEEN :from AND :to
  AND (host = IF(INET6_ATON(:host) IS NULL, :host, NULL) OR ip = INET6_NTOA(INET6_ATON(:host)))
ORDER BY ts, kind, conn_id
LIMIT :rows
