-- title: Uploads to cloud storage
-- question: Who uploads to file sharing and cloud storage?
-- severity: medium
-- techniques: T1567.002
-- references: https://attack.mitre.org/techniques/T1567/002/
-- reads: connections
-- key: client_ip, server_name
-- parameter: least int 10000000: least bytes sent to one of them
-- parameter: domains text dropbox.com,dropboxapi.com,mega.nz,mega.co.nz,wetransfer.com,box.com,onedrive.com,1drv.com,drive.google.com,storage.googleapis.com,amazonaws.com,s3.amazonaws.com,windows.net,blob.core.windows.net,backblazeb2.com,pcloud.com,transfer.sh,file.io,anonfiles.com,gofile.io,pastebin.com: registered domains and names, comma-joined
-- result: each row is a machine and a name, the most bytes sent first
-- empty: nobody did under these names; names that are encrypted (ECH) are not seen
-- false positives: the storage the company pays for: leave it out of domains
-- packets: SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip AND c.server_name = :server_name ORDER BY p.ts LIMIT 1000
SELECT client_ip, GROUP_CONCAT(DISTINCT client_host ORDER BY client_host) AS client, server_name, COUNT(*) AS connections, SUM(client_bytes) AS sent, SUM(server_bytes) AS received,
       MIN(ts) AS first_seen, MAX(ts_end) AS last_seen
FROM connections
WHERE ts BETWEEN :from AND :to AND direction = 'outbound'
  AND server_name IN (SELECT server_name FROM connections WHERE ts BETWEEN :from AND :to AND direction = 'outbound' GROUP BY server_name
    HAVING FIND_IN_SET(MAX(server_name), :domains) OR FIND_IN_SET(registered_domain(MAX(server_name)), :domains)
      OR FIND_IN_SET(SUBSTRING_INDEX(MAX(server_name), '.', -2), :domains))
GROUP BY client_ip, server_name
HAVING SUM(client_bytes) >= :least
ORDER BY SUM(client_bytes) DESC, client_ip, server_name
