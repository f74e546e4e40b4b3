package capture

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestRecordedFiles: testdata/files has what its script made of vsftpd and tftpd, step by step;
// how long lists are is what tshark shows.
func TestRecordedFiles(t *testing.T) {
	const want = `
ftp read /pub/ Report.csv , 23893 read, 0 written, size {23893 true}, 226 by anonymous
ftp read /pub/ Report.csv , 23893 read, 0 written, size {23893 true}, 226 by anonymous
ftp read /pub/ Report.csv , 23893 read, 0 written, size {23893 true}, 226 by anonymous
ftp list /pub/ . , 131 read, 0 written, size {0 false}, 226 by anonymous
ftp write /pub/ Notes.txt , 0 read, 3005 written, size {0 false}, 226 by anonymous
ftp read /pub/ empty , 0 read, 0 written, size {0 true}, 226 by anonymous
ftp create /pub/ new , 0 read, 0 written, size {0 false}, 257 by anonymous
ftp rename /pub/ Notes.txt new/Old.txt, 0 read, 0 written, size {0 false}, 250 by anonymous
ftp list /pub/new/ . , 65 read, 0 written, size {0 false}, 226 by anonymous
ftp delete /pub/new/ Old.txt , 0 read, 0 written, size {0 false}, 250 by anonymous
ftp delete /pub/ new , 0 read, 0 written, size {0 false}, 250 by anonymous
ftp delete /pub/ missing , 0 read, 0 written, size {0 false}, 550 by anonymous
ftp read /pub/ Report.csv , 23893 read, 0 written, size {23893 true}, 226 by anonymous
ftp write /pub/ again.txt , 0 read, 3005 written, size {0 false}, 226 by anonymous
ftp delete /pub/ again.txt , 0 read, 0 written, size {0 false}, 250 by anonymous
tftp read / boot.img , 12000 read, 0 written, size {12000 true}, complete by 
tftp read / boot.img , 12000 read, 0 written, size {0 false}, complete by 
tftp write / upload , 0 read, 3005 written, size {3005 true}, complete by 
tftp read / missing , 0 read, 0 written, size {0 false}, file not found by 
tftp read / boot.img , 12000 read, 0 written, size {0 false}, complete by 
`
	rows := meterFile(t, "../testdata/files/files.pcap")
	slices.SortStableFunc(rows.Files, func(a, b tables.File) int { return cmp.Compare(a.TS, b.TS) })
	services := map[tables.ID]string{}
	for _, f := range rows.flows {
		services[f.ConnID] = f.Service
	}
	got := "\n"
	for i := range rows.Files {
		r := &rows.Files[i]
		bytes := fmt.Sprint(r.BytesRead.V, " read, ", r.BytesWritten.V, " written")
		if !r.BytesRead.Set {
			bytes = "unknown"
		}
		// What moved bytes is of the conversation that carries them, by their ends as they are.
		service := services[r.ConnID]
		if carried := r.BytesRead.V+r.BytesWritten.V > 0; r.Protocol == "ftp" && service != map[bool]string{true: "ftp-data", false: "ftp"}[carried] || r.Protocol == "tftp" && service != "tftp" {
			t.Errorf("%+v is of %s", r, service)
		}
		if r.ServerPort != map[string]int32{"ftp": 21, "tftp": 69}[r.Protocol] || !r.PacketID.Set || r.TSEnd < r.TS || r.ClientPort == 0 {
			t.Errorf("%+v", r)
		}
		got += fmt.Sprintf("%s %s %s/ %s %s, %s, size %v, %s by %s\n", r.Protocol, r.Action, r.Share, r.Name, r.NewName, bytes, r.Size, r.Status, r.Username)
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
