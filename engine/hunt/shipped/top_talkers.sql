-- title: Top talkers
-- question: Who sent and received the most?
-- severity: info
-- reads: host_flows
-- key: ip
-- parameter: rows int 20: how many machines
-- result: a row a machine, the most bytes first; sent and received are layer-3 bytes, multicast is left out
-- empty: nothing was recorded in this time; look at ops.coverage
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM host_flows WHERE ip = :ip) ORDER BY ts LIMIT 1000
SELECT ip, GROUP_CONCAT(DISTINCT host ORDER BY host) AS name, COUNT(*) AS connections, COUNT(DISTINCT peer_ip) AS peers,
       SUM(bytes_out) AS sent, SUM(bytes_in) AS received, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM host_flows
WHERE ts BETWEEN :from AND :to AND NOT (direction = 'multicast' AND role = 'server')
GROUP BY ip
ORDER BY SUM(COALESCE(bytes_out, 0) + COALESCE(bytes_in, 0)) DESC, ip
LIMIT :rows
