package capture

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestRecordedSMB: testdata/smb has what its script made of Samba, step by step. What is not in
// the script is what tshark shows: opens of folders and pipes, calls, bytes that are encrypted.
func TestRecordedSMB(t *testing.T) {
	const files = `
smb3 data \ list, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 data \ open, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 data plan.txt read, 5000 read, 0 written, {5000 true} STATUS_SUCCESS
smb3 data notes.txt write, 0 read, 3000 written, {3000 true} STATUS_SUCCESS
smb3 data notes.txt rename old.txt, 0 read, 0 written, {3000 true} STATUS_SUCCESS
smb3 data more create, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 data \ list, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 data old.txt delete, 0 read, 0 written, {3000 true} STATUS_SUCCESS
smb3 data missing.txt open, 0 read, 0 written, {0 false} STATUS_OBJECT_NAME_NOT_FOUND
smb3 c$ tool.exe write, 0 read, 3000 written, {3000 true} STATUS_SUCCESS
smb3 ipc$ lsarpc open, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 ipc$ svcctl open, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 ipc$ samr open, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3 ipc$ lsarpc open, 0 read, 0 written, {0 false} STATUS_SUCCESS
smb3   encrypted, 5915 read, 934 written, {0 false} 
smb1 data plan.txt read, 5000 read, 0 written, {5000 true} STATUS_SUCCESS
`
	const calls = `
lsarpc lsarpc LsarOpenPolicy 6 ok
lsarpc lsarpc LsarQueryInformationPolicy 7 ok
lsarpc lsarpc LsarClose 0 ok
svcctl svcctl OpenSCManagerW 15 ok
svcctl svcctl CreateServiceW 12 op_rng_error
svcctl svcctl CloseServiceHandle 0 ok
samr samr SamrConnect5 64 ok
samr samr SamrEnumerateDomainsInSamServer 6 ok
samr samr SamrLookupDomainInSamServer 5 ok
samr samr SamrOpenDomain 7 ok
samr samr SamrEnumerateUsersInDomain 13 ok
samr samr SamrCloseHandle 1 ok
samr samr SamrCloseHandle 1 ok
lsarpc lsarpc LsarOpenPolicy 6 ok
lsarpc lsarpc LsarLookupNames 14 ok
lsarpc lsarpc LsarClose 0 ok
`
	const login = "ntlm gavin@workgroup laptop files.office.test cifs/10.9.0.1 "
	const logins = "\n" + login + "failure STATUS_LOGON_FAILURE\n" + login + "success \n" + login + "success \n" + login + "success \n" +
		login + "success \n" + login + "success \n" + login + "success \n"

	rows := meterFile(t, "../testdata/smb/smb.pcap")
	slices.SortStableFunc(rows.Files, func(a, b tables.File) int { return cmp.Compare(a.TS, b.TS) }) // they come when they are over
	got := "\n"
	for _, r := range rows.Files {
		action := r.Action
		if r.NewName != "" {
			action += " " + r.NewName
		}
		got += fmt.Sprintf("%s %s %s %s, %d read, %d written, %v %s\n", r.Protocol, r.Share, r.Name, action, r.BytesRead.V, r.BytesWritten.V, r.Size, r.Status)
		if r.Username != "gavin" || r.Client.String() != "10.9.0.2" || r.Server.String() != "10.9.0.1" || r.TS > r.TSEnd || r.ConnID == 0 || !r.PacketID.Set {
			t.Errorf("%+v", r)
		}
	}
	if got != files {
		t.Errorf("files: got %s\nwant %s", got, files)
	}
	got = "\n"
	for _, r := range rows.RPC {
		got += fmt.Sprintf("%s %s %s %d %s\n", r.Pipe, r.Interface, r.Operation, r.Opnum, r.Status)
		if r.Username != "gavin" || r.Client.String() != "10.9.0.2" || r.Server.String() != "10.9.0.1" || r.ConnID == 0 || !r.PacketID.Set {
			t.Errorf("%+v", r)
		}
	}
	if got != calls {
		t.Errorf("calls: got %s\nwant %s", got, calls)
	}
	got = "\n"
	for _, r := range rows.Logins {
		got += fmt.Sprintf("%s %s@%s %s %s %s %s %s\n", r.Protocol, r.Username, r.Domain, r.Workstation, r.ServerName, r.Service, r.Outcome, r.Error)
	}
	if got != logins {
		t.Errorf("logins: got %s\nwant %s", got, logins)
	}
}
