-- title: Self-signed certificates
-- question: Which servers outside show a certificate that they signed themselves?
-- severity: medium
-- techniques: T1573.002, T1587.003
-- references: https://attack.mitre.org/techniques/T1587/003/
-- reads: tls
-- key: client_ip, server_ip, server_port, cert_sha256
-- result: each row is a server with its certificate, and who went there
-- empty: no such certificate was seen; from TLS 1.3 on certificates are encrypted, and those of resumed sessions are not sent
-- false positives: devices, test systems, VPNs
-- packets: SELECT ts, info FROM packets WHERE conn_id IN (SELECT conn_id FROM tls WHERE cert_sha256 = :cert_sha256 AND client_ip = :client_ip) ORDER BY ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_ip, server_port, MAX(server_name) AS server_name,
       subject, cert_sha256, MAX(not_after) AS valid_until, COUNT(*) AS handshakes, MIN(ts) AS first_seen, MAX(ts) AS last_seen
FROM tls
WHERE ts BETWEEN :from AND :to AND self_signed AND NOT is_private(server_ip)
  AND conn_id IN (SELECT conn_id FROM connections WHERE ts <= :to AND ts_end >= :from)
GROUP BY client_ip, server_ip, server_port, subject, cert_sha256
ORDER BY COUNT(*) DESC, client_ip, server_ip, server_port
