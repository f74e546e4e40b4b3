-- title: Many TXT answers
-- question: Who fetches much through TXT and NULL records?
-- severity: medium
-- techniques: T1071.004, T1105
-- references: https://attack.mitre.org/techniques/T1071/004/
-- reads: dns
-- key: client_ip, domain
-- parameter: queries int 20: least number of look-ups below one domain
-- result: each row is a machine and a domain; mail servers ask for SPF and DKIM, desktops hardly ever
-- empty: nobody did where DNS was recorded
-- false positives: mail servers
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM dns WHERE client_ip = :client_ip AND registered_domain(query) = :domain) ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, registered_domain(query) AS domain, COUNT(*) AS queries, COUNT(DISTINCT query) AS names,
       SUM(CHAR_LENGTH(answers)) AS fetched, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM dns
WHERE ts BETWEEN :from AND :to AND qtype IN ('TXT', 'NULL') AND registered_domain(query) IS NOT NULL
GROUP BY client_ip, registered_domain(query)
HAVING COUNT(*) >= :queries
ORDER BY COUNT(*) DESC, client_ip, domain
