-- title: Odd user agents
-- question: Which program asks over HTTP by a user agent that hardly any other machine has, or by none?
-- severity: low
-- techniques: T1071.001
-- references: https://attack.mitre.org/techniques/T1071/001/
-- reads: http
-- parameter: clients int 1: most machines with such a user agent
-- result: each row is a machine and a user agent; NULL is a request without one
-- empty: each user agent is that of several machines; HTTPS is not seen
-- false positives: tools of administrators, updaters of one device
-- packets: SELECT p.ts, p.info FROM http h JOIN packets p USING (conn_id) WHERE h.client_ip = :client_ip AND h.user_agent <=> :user_agent ORDER BY p.ts LIMIT 1000
SELECT MIN(client_ip) AS client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, user_agent, COUNT(*) AS requests,
       COUNT(DISTINCT server_ip) AS servers, MIN(host) AS a_host, MIN(uri) AS a_uri, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM http
WHERE ts BETWEEN :from AND :to AND method IS NOT NULL AND NOT is_private(server_ip)
GROUP BY user_agent
HAVING user_agent IS NULL OR COUNT(DISTINCT client_ip) <= :clients
ORDER BY COUNT(*) DESC, user_agent
