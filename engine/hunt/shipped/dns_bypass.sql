-- title: Around the resolver
-- question: Who asks resolvers outside, by DNS, DNS over TLS or DNS over HTTPS?
-- severity: medium
-- techniques: T1071.004, T1572
-- references: https://attack.mitre.org/techniques/T1572/
-- reads: connections
-- key: client_ip, server_ip, server_port, protocol
-- parameter: resolvers text dns.google,dns.google.com,cloudflare-dns.com,one.one.one.one,mozilla.cloudflare-dns.com,dns.quad9.net,doh.opendns.com,dns.nextdns.io,dns.adguard-dns.com,doh.cleanbrowsing.org: names of public DNS over HTTPS
-- result: each row is a machine inside and a resolver outside
-- empty: everybody inside asks resolvers inside; where the resolver itself stands on a private address, its own questions show up here
-- false positives: the resolver of the network
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_ip = :server_ip AND c.server_port = :server_port ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, MAX(server_name) AS resolver, server_port, protocol, COUNT(*) AS connections,
       SUM(bytes) AS bytes, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound' AND server_bytes > 0
  AND (server_port IN (53, 853) OR server_port = 443 AND FIND_IN_SET(server_name, :resolvers))
GROUP BY client_ip, server_ip, server_port, protocol
ORDER BY COUNT(*) DESC, client_ip, server_ip
