package capture

import (
	"fmt"
	"strings"
	"testing"
)

// TestRecordedLogins: testdata/logins has what its script made of real programs, try by try;
// kinit asks without proof first. The fingerprints are those that tshark shows.
func TestRecordedLogins(t *testing.T) {
	const want = `
kerberos_as gavin@office.test krbtgt/office.test - - unknown KDC_ERR_PREAUTH_REQUIRED without
kerberos_as gavin@office.test krbtgt/office.test - - failure KDC_ERR_PREAUTH_FAILED proof
kerberos_as nobody@office.test krbtgt/office.test - - failure KDC_ERR_C_PRINCIPAL_UNKNOWN without
kerberos_as old@office.test krbtgt/office.test aes aes success - without
kerberos_as gavin@office.test krbtgt/office.test - - unknown KDC_ERR_PREAUTH_REQUIRED without
kerberos_as gavin@office.test krbtgt/office.test aes aes success - proof
kerberos_tgs gavin@office.test http/new.office.test aes aes success -
kerberos_tgs gavin@office.test mssql/db.office.test rc4-hmac aes success -
kerberos_tgs gavin@office.test missing/db.office.test - - failure KDC_ERR_S_PRINCIPAL_UNKNOWN
kerberos_tgs gavin@office.test missing/db.office.test - - failure KDC_ERR_S_PRINCIPAL_UNKNOWN
kerberos_as host/laptop.office.test@office.test krbtgt/office.test - - unknown KDC_ERR_PREAUTH_REQUIRED without
kerberos_as host/laptop.office.test@office.test krbtgt/office.test aes aes success - proof
ftp anonymous@ - - - success - clear
ftp nobody-here@ - - - failure 530 clear
ssh @ - - - unknown -
ldap_simple cn=admin,dc=office,dc=test@ - - - failure invalidCredentials clear
ldap_simple cn=admin,dc=office,dc=test@ - - - success - clear
http_basic gavin@ - - - failure 401 clear
http_basic gavin@ - - - success - clear
`
	rows := meterFile(t, "../testdata/logins/logins.pcap")
	got := "\n"
	or := func(s string) string {
		switch s {
		case "":
			return "-"
		case "aes256-cts-hmac-sha1-96":
			return "aes"
		}
		return s
	}
	for _, r := range rows.Logins {
		got += fmt.Sprintf("%s %s@%s %s %s %s %s %s", r.Protocol, r.Username, r.Domain, or(r.Service), or(r.TicketEtype), or(r.ReplyEtype), r.Outcome, or(r.Error))
		switch {
		case r.Preauth.V:
			got += " proof"
		case r.Preauth.Set:
			got += " without"
		case r.Cleartext.V:
			got += " clear"
		}
		got += "\n"
		if r.Client.String() != "10.9.0.2" || r.Server.String() != "10.9.0.1" || r.TS == 0 || r.ConnID == 0 || !r.PacketID.Set {
			t.Errorf("%+v", r)
		}
		if r.Protocol == "ssh" && (r.HASSH != "472b5de333ad665af5cbf10ff892c4df" || r.HASSHServer != "425d29fe50d8e4f5e37efb6e24bcf660" || !strings.HasPrefix(r.ServerSoftware, "SSH-2.0-OpenSSH")) {
			t.Errorf("%+v", r)
		}
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if len(rows.Names) != 1 || rows.Names[0].Name != "laptop.office.test" || rows.Names[0].Addr.String() != "10.9.0.2" || rows.Names[0].Source != "kerberos" {
		t.Errorf("%+v", rows.Names)
	}
}
