package capture

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// What is not decoded is named by the import, in its row and in the coverage of
// its interfaces; what is known to be no IP is not.
func TestImportNamesWhatIsNotDecoded(t *testing.T) {
	ether := func(etherType string) string {
		return strings.Repeat("\x02", 12) + etherType + strings.Repeat("\x00", 46)
	}
	wifi := "\x08\x41" + strings.Repeat("\x02", 30)
	for _, c := range []struct {
		link    uint32
		packets []string
		want    string
	}{
		{253, []string{"netlink", "netlink"}, "2 of 2 packets have link type 253 (NETLINK), not decoded"},
		{155, []string{"user"}, "1 of 1 packets have link type 155 (USER8), not decoded"},
		{999, []string{"none"}, "1 of 1 packets have link type 999, not decoded"},
		{1, []string{ether("\x12\x34"), ether("\x88\xcc"), ether("\x12\x34"), ether("\xab\xcd")},
			"2 of 4 packets have EtherType 0x1234, not decoded; 1 of 4 packets have EtherType 0xabcd, not decoded"},
		{1, []string{ether("\x88\xcc"), ether("\x08\x06")}, ""},
		{105, []string{wifi, wifi, "\x80\x00" + strings.Repeat("\x02", 30)}, "2 of 3 packets of link type 105 (IEEE802_11) are encrypted, not decoded"},
		{9, []string{"\x00\xfdcompressed"}, "1 of 1 packets have an unknown protocol in link type 9 (PPP), not decoded"},
		{1, []string{ether("\x88\x47\x00\x06\x41\x40\x45\x00\x00\x99\x00\x01\x00\x00\x40\x06")}, "1 of 1 packets have an unknown protocol in EtherType 0x8847 (MPLS), not decoded"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "x.pcap")
		b := binary.LittleEndian.AppendUint32([]byte("\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00"), c.link)
		for i, p := range c.packets {
			for _, v := range []int{1 + i, 0, len(p), len(p)} {
				b = binary.LittleEndian.AppendUint32(b, uint32(v))
			}
			b = append(b, p...)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		a := openArchive(t, filepath.Join(dir, "data"))
		for range 2 { // the second time the file is known
			rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{path}})
			if err != nil {
				t.Fatal(err)
			}
			if got := rep.Files[0].NotDecoded; got != c.want || rep.Decoded() != (c.want == "") {
				t.Errorf("the import says %q, want %q", got, c.want)
			}
		}
		imports, err := Imports(a)
		if err != nil {
			t.Fatal(err)
		}
		catalog, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		coverage, err := rows.ReadAll[tables.Coverage](catalog.Files(archive.Coverage)[0].File)
		if err != nil {
			t.Fatal(err)
		}
		if imports[0].NotDecoded != c.want || coverage[0].NotDecoded != c.want || imports[0].Undecoded != coverage[0].Undecoded || (imports[0].Undecoded.V > 0) != (c.want != "") {
			t.Errorf("rows say %q and %q of %v packets, want %q", imports[0].NotDecoded, coverage[0].NotDecoded, imports[0].Undecoded, c.want)
		}
	}
	many := undecoded{}
	for i := range 1000 {
		many.add(tables.LinkEthernet, &tables.Header{Err: tables.ErrEtherType, EtherType: uint16(0xa000 + i)})
	}
	if text := many.text(1000); many.total() != 1000 || len(text) > maxNotDecoded || !strings.HasSuffix(text, "kinds more") ||
		!strings.HasPrefix(text, "936 of 1000 packets have other EtherTypes, not decoded; ") {
		t.Errorf("%d: %s", many.total(), text)
	}
}
