-- title: First contact
-- question: Which names outside were asked for the first time, and by whom?
-- severity: low
-- techniques: T1568
-- references: https://attack.mitre.org/techniques/T1568/
-- reads: connections
-- key: domain
-- parameter: history interval 7 DAY: how long before from must have been recorded for "first" to mean something
-- parameter: clients int 2: most machines that went there
-- result: each registered domain whose first connection lies in this time and that few machines went to
-- empty: no new domain, or the archive does not reach back as far as history
-- false positives: every new site somebody reads; start from those with much sent
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE registered_domain(c.server_name) = :domain ORDER BY p.ts LIMIT 1000
SELECT registered_domain(server_name) AS domain, MIN(ts) AS first_seen, COUNT(DISTINCT client_ip) AS clients, MIN(client_ip) AS client_ip,
       GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(*) AS connections, SUM(client_bytes) AS sent, SUM(server_bytes) AS received
FROM connections
WHERE ts <= :to AND direction = 'outbound' AND server_name IS NOT NULL AND registered_domain(server_name) IS NOT NULL
  AND (SELECT MIN(ts) FROM connections) <= :from - :history
GROUP BY registered_domain(server_name)
HAVING MIN(ts) >= :from AND COUNT(DISTINCT client_ip) <= :clients
ORDER BY SUM(client_bytes) DESC, domain
