-- title: Tunnel through ICMP
-- question: Who sends more in pings than pings hold?
-- severity: high
-- techniques: T1095, T1572
-- references: https://attack.mitre.org/techniques/T1095/
-- reads: connections
-- key: client_ip, server_ip
-- parameter: packets int 50: least packets of a pair
-- parameter: size int 200: least bytes a packet, on the average
-- result: each row is a pair whose pings are larger than ping makes them
-- empty: nobody did where it was recorded
-- false positives: tests of path MTU with large pings
-- packets: SELECT p.ts, p.length, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.protocol LIKE 'icmp%' ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, COUNT(*) AS connections, SUM(packets) AS packets, SUM(bytes) AS bytes,
       SUM(bytes) / SUM(packets) AS bytes_each, MIN(ts) AS first_seen, MAX(ts_end) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND protocol IN ('icmp', 'icmp6') AND direction IN ('outbound', 'inbound', 'internal')
GROUP BY client_ip, server_ip
HAVING SUM(packets) >= :packets AND SUM(bytes) / SUM(packets) >= :size
ORDER BY SUM(bytes) DESC, client_ip, server_ip
