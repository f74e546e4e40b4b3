package capture

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// etypeNumbers are the encryption types that captures have, as IANA numbers them.
var etypeNumbers = map[string]string{"1": "des-cbc-crc", "2": "des-cbc-md4", "3": "des-cbc-md5", "16": "des3-cbc-sha1-kd", "17": "aes128-cts-hmac-sha1-96",
	"18": "aes256-cts-hmac-sha1-96", "23": "rc4-hmac", "24": "rc4-hmac-exp", "25": "camellia128-cts-cmac", "26": "camellia256-cts-cmac",
	"-128": "rc4-md4", "-133": "rc4-hmac-old", "-135": "rc4-hmac-old-exp"}

// errorNumbers likewise of errors (RFC 4120 section 7.5.9).
var errorNumbers = map[string]string{"1": "KDC_ERR_NAME_EXP", "6": "KDC_ERR_C_PRINCIPAL_UNKNOWN", "7": "KDC_ERR_S_PRINCIPAL_UNKNOWN", "13": "KDC_ERR_BADOPTION",
	"14": "KDC_ERR_ETYPE_NOSUPP", "18": "KDC_ERR_CLIENT_REVOKED", "23": "KDC_ERR_KEY_EXPIRED", "31": "KRB_AP_ERR_BAD_INTEGRITY",
	"24": "KDC_ERR_PREAUTH_FAILED", "25": "KDC_ERR_PREAUTH_REQUIRED", "52": "KRB_ERR_RESPONSE_TOO_BIG"}

// TestLoginsAgainstTshark compares what messages of Kerberos, NTLM, SSH and RDP say.
func TestLoginsAgainstTshark(t *testing.T) {
	same, all, kinds := 0, 0, map[string]int{}
	ends := []string{"ip.src", "ipv6.src", "ip.dst", "ipv6.dst", "tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"}
	for _, file := range capturesWith(t, "kerberos", "ntlmssp", "ssh", "rdp") {
		var ours, theirs []string
		end := func(f map[string]string, which string) string {
			f["tcp."+which+"port"] += f["udp."+which+"port"]
			return tsharkEnd(f, which)
		}
		named := func(list, names map[string]string, field string) (out []string) {
			for n := range strings.SplitSeq(list[field], "|") {
				out = append(out, names[n])
			}
			return out
		}
		for _, f := range tsharkFields(t, file, "kerberos", append(ends, "kerberos.msg_type", "kerberos.CNameString", "kerberos.SNameString",
			"kerberos.ENCTYPE", "kerberos.etype", "kerberos.error_code", "kerberos.crealm")...) {
			types, services, etypes := strings.Split(f["kerberos.msg_type"], "|"), strings.Split(f["kerberos.SNameString"], "|"), named(f, etypeNumbers, "kerberos.etype")
			src, dst := end(f, "src"), end(f, "dst")
			user := strings.ReplaceAll(f["kerberos.CNameString"], "|", "/")
			switch types[0] {
			case "12":
				services = services[2:] // that of the ticket it asks with
				fallthrough
			case "10":
				theirs = append(theirs, tables.FoldCase(fmt.Sprint("asks ", src, " ", dst, " ", types[0], " ", user, " ", strings.Join(services, "/"), " ", named(f, etypeNumbers, "kerberos.ENCTYPE"))))
			case "11", "13":
				theirs = append(theirs, tables.FoldCase(fmt.Sprint("gets ", dst, " ", src, " ", user, " ", f["kerberos.crealm"], " ", strings.Join(services, "/"), " ", etypes[len(etypes)-2:])))
			case "30":
				theirs = append(theirs, fmt.Sprint("fails ", dst, " ", src, " ", errorNumbers[f["kerberos.error_code"]]))
			}
		}
		for _, f := range tsharkFields(t, file, "ntlmssp.messagetype == 3", append(ends, "ntlmssp.auth.username", "ntlmssp.auth.domain", "ntlmssp.auth.hostname")...) {
			for _, name := range []string{"username", "domain", "hostname"} {
				f[name] = tables.FoldCase(strings.TrimPrefix(f["ntlmssp.auth."+name], "NULL"))
			}
			theirs = append(theirs, fmt.Sprint("ntlm ", end(f, "src"), " ", f["username"], " ", f["domain"], " ", f["hostname"]))
		}
		for _, f := range tsharkFields(t, file, "ssh.protocol || ssh.kex.hassh || ssh.kex.hasshserver", append(ends, "ssh.protocol", "ssh.kex.hassh", "ssh.kex.hasshserver")...) {
			for _, field := range []string{"ssh.protocol", "ssh.kex.hassh", "ssh.kex.hasshserver"} {
				if f[field] != "" {
					theirs = append(theirs, fmt.Sprint(tsharkEnd(f, "src"), " ", f[field]))
				}
			}
		}
		for _, f := range tsharkFields(t, file, "rdp.rt_cookie", append(ends, "rdp.rt_cookie")...) {
			if name, ok := strings.CutPrefix(f["rdp.rt_cookie"], "Cookie: mstshash="); ok {
				theirs = append(theirs, fmt.Sprint("rdp ", tsharkEnd(f, "src"), " ", tables.FoldCase(name)))
			}
		}
		for _, r := range meterFile(t, file).Logins {
			client, server := fmt.Sprintf("%s:%d", r.Client, r.ClientPort), fmt.Sprintf("%s:%d", r.Server, r.ServerPort)
			kinds[r.Protocol]++
			switch r.Protocol {
			case tables.LoginKerberosAS, tables.LoginKerberosTGS:
				kind, user := "10", r.Username
				if r.Protocol == tables.LoginKerberosTGS {
					kind, user = "12", "" // which only the answer says
				}
				if r.Etypes != "" {
					ours = append(ours, fmt.Sprint("asks ", client, " ", server, " ", kind, " ", user, " ", r.Service, " ", strings.Split(r.Etypes, ",")))
				}
				if r.Error != "" {
					ours = append(ours, fmt.Sprint("fails ", client, " ", server, " ", r.Error))
				} else if r.Outcome == tables.LoginSucceeded {
					ours = append(ours, fmt.Sprint("gets ", client, " ", server, " ", r.Username, " ", r.Domain, " ", r.Service, " ", []string{r.TicketEtype, r.ReplyEtype}))
				}
			case tables.LoginNTLM:
				ours = append(ours, fmt.Sprint("ntlm ", client, " ", r.Username, " ", r.Domain, " ", r.Workstation))
			case tables.LoginSSH:
				if r.ServerPort != 22 {
					continue // tshark knows SSH by its port
				}
				for _, text := range []string{r.ClientSoftware, r.HASSH} {
					ours = append(ours, client+" "+text)
				}
				for _, text := range []string{r.ServerSoftware, r.HASSHServer} {
					ours = append(ours, server+" "+text)
				}
				ours = slices.DeleteFunc(ours, func(s string) bool { return strings.HasSuffix(s, " ") })
			case tables.LoginRDP:
				if r.Username != "" {
					ours = append(ours, fmt.Sprint("rdp ", client, " ", r.Username))
				}
			}
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d are the same; %v", same, all, kinds)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}
