-- title: Programs by mail
-- question: Which messages brought programs, scripts, or what hides them?
-- severity: medium
-- techniques: T1566.001
-- references: https://attack.mitre.org/techniques/T1566/001/
-- reads: mail
-- key: conn_id
-- parameter: endings text exe|scr|com|pif|bat|cmd|ps1|vbs|vbe|js|jse|wsf|hta|lnk|msi|jar|iso|img|vhd|vhdx|one|chm|reg|dll|cpl|docm|xlsm|pptm|xll|sh: endings of names, as of a regular expression
-- result: each message with an attachment of such a name, whether the server took it or not
-- empty: no attachment had such a name where mail was in clear; those in archives have no names here, and most servers talk in TLS
-- false positives: colleagues who mail scripts
-- packets: SELECT ts, info FROM packets WHERE conn_id = :conn_id ORDER BY ts LIMIT 1000
SELECT ts, client_ip, client_host, server_ip, mail_from, rcpt_to, header_from, subject, attachments, outcome, conn_id
FROM mail
WHERE ts BETWEEN :from AND :to AND LOWER(attachments) REGEXP CONCAT('[.](', :endings, ')(,|$)')
ORDER BY ts, conn_id
