-- title: New machines
-- question: Which machines inside were never seen before?
-- severity: low
-- techniques: T1200
-- references: https://attack.mitre.org/techniques/T1200/
-- reads: host_flows
-- key: ip
-- parameter: history interval 7 DAY: how long before from somebody must have been recorded for "never" to mean something
-- result: each address inside whose first connection lies in this time, though others were recorded as long before it as history says
-- empty: every address was known, or the archive does not reach back as far as history: its first connection is in SELECT MIN(ts) FROM connections
-- false positives: guests, leases of DHCP that come round, addresses that say nothing for months
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM host_flows WHERE ip = :ip) ORDER BY ts LIMIT 1000
SELECT ip, GROUP_CONCAT(DISTINCT host ORDER BY host) AS name, MIN(ts) AS first_seen, COUNT(*) AS connections, COUNT(DISTINCT peer_ip) AS peers, SUM(bytes_out) AS sent
FROM host_flows
WHERE ts <= :to AND is_private(ip) AND (role = 'client' OR bytes_out > 0)
  AND (SELECT MIN(ts) FROM connections) <= :from - :history
GROUP BY ip
HAVING MIN(ts) >= :from
ORDER BY MIN(ts), ip
