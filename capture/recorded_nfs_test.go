package capture

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestRecordedNFS: testdata/nfs has what its script made of nfs-ganesha and libnfs, program by program. A file that is
// empty is not read, and that one is not there is not told.
func TestRecordedNFS(t *testing.T) {
	const want = `
nfs3 list /mnt/ ., 0 read, 0 written, size {0 false}, NFS3_OK by 0
nfs3 list /mnt/ reports, 0 read, 0 written, size {0 false}, NFS3_OK by 0
nfs3 list /mnt/ reports/2026, 0 read, 0 written, size {0 false}, NFS3_OK by 0
nfs3 read /mnt/reports/2026/ Report.csv, 28893 read, 0 written, size {28893 true}, NFS3_OK by 0
nfs3 read /mnt/ notes.txt, 292 read, 0 written, size {292 true}, NFS3_OK by 1234
nfs3 write /mnt/reports/ Mine.txt, 0 read, 13893 written, size {13893 true}, NFS3_OK by 0
`
	rows := meterFile(t, "../testdata/nfs/nfs.pcap")
	slices.SortStableFunc(rows.Files, func(a, b tables.File) int { return cmp.Compare(a.TS, b.TS) })
	services := map[tables.ID]string{}
	for _, f := range rows.flows {
		services[f.ConnID] = f.Service
	}
	got := "\n"
	for i := range rows.Files {
		r := &rows.Files[i]
		got += fmt.Sprintf("%s %s %s/ %s, %d read, %d written, size %v, %s by %s\n", r.Protocol, r.Action, r.Share, r.Name, r.BytesRead.V, r.BytesWritten.V, r.Size, r.Status, r.Username)
		if r.ServerPort != 2049 || services[r.ConnID] != "nfs" || !r.PacketID.Set || r.TSEnd <= r.TS || r.ClientPort == 0 {
			t.Errorf("%+v of %s", r, services[r.ConnID])
		}
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
