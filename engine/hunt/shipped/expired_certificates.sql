-- title: Expired certificates
-- question: Which servers show a certificate that is over, or not yet valid?
-- severity: low
-- techniques: T1587.003
-- references: https://attack.mitre.org/techniques/T1587/003/
-- reads: tls
-- key: server_ip, server_port, cert_sha256
-- result: each row is a server with its certificate
-- empty: no such certificate was seen; from TLS 1.3 on certificates are encrypted
-- false positives: forgotten devices; a sensor whose clock is wrong
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM tls WHERE cert_sha256 = :cert_sha256) ORDER BY ts LIMIT 1000
SELECT server_ip, server_port, MAX(server_name) AS server_name, subject, issuer, cert_sha256, not_before AS valid_from, not_after AS valid_until,
       COUNT(DISTINCT client_ip) AS clients, COUNT(*) AS handshakes, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM tls
WHERE ts BETWEEN :from AND :to AND (not_after < ts OR not_before > ts)
  AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
GROUP BY server_ip, server_port, subject, issuer, cert_sha256, not_before, not_after
ORDER BY COUNT(*) DESC, server_ip, server_port
