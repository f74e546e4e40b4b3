-- title: Domains not seen before
-- question: Which domains were resolved for the first time, by one or two machines only?
-- severity: low
-- techniques: T1583.001
-- references: https://attack.mitre.org/techniques/T1583/001/
-- reads: dns
-- key: domain
-- parameter: history interval 7 DAY: how long before from must have been recorded for "first" to mean something
-- parameter: clients int 2: most machines that asked
-- result: each domain whose first look-up lies in this time
-- empty: no new domain, or the archive does not reach back as far as history
-- false positives: every new site somebody reads
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM dns WHERE registered_domain(query) = :domain) ORDER BY ts LIMIT 1000
SELECT registered_domain(query) AS domain, MIN(ts) AS first_seen, COUNT(DISTINCT client_ip) AS clients, MIN(client_ip) AS client_ip,
       GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, COUNT(*) AS queries, MAX(answers) AS answers
FROM dns
WHERE ts <= :to AND registered_domain(query) IS NOT NULL AND rcode = 'NOERROR' AND query NOT LIKE '%.arpa'
  AND (SELECT MIN(ts) FROM dns) <= :from - :history
GROUP BY registered_domain(query)
HAVING MIN(ts) >= :from AND COUNT(DISTINCT client_ip) <= :clients
ORDER BY MIN(ts), domain
