package tables

import (
	"reflect"
	"slices"
)

// Family is a kind of rows as they rest: each has files of its own, in a folder
// of its name. The column ts orders the rows of a file, where it is never NULL.
//
// What there is to say of a family stands here, and what of a column in the
// field of its row: adding one is that line and what fills it.
type Family struct {
	Name string
	Row  reflect.Type
	// Writer is the part of the program that its rows come from; compaction
	// merges those of all.
	Writer string
	// Ladder are the levels its files climb when they are merged, step by step.
	// Rows of exports and flows go from e to t when their conversations are
	// known, which is no step.
	Ladder []Step
	// Blooms are the stored columns with bloom filters: those by which people
	// look up single values.
	Blooms []string
	// Of is the family whose rows it has decisions about, if it has.
	Of string
	// Kept families are never evicted: what the archive says of itself.
	Kept bool
	// Sparse families have many columns of which most files fill few: a file
	// lacks those nobody filled.
	Sparse bool
	// Rare are columns of other families of which that is true.
	Rare []string
}

// MayLack tells whether a file lacks an optional column when nobody filled it.
func (f *Family) MayLack(column string) bool { return f.Sparse || slices.Contains(f.Rare, column) }

// Step is a merge of files of a level to one of the next or, where both are the
// same, to a larger one.
type Step struct{ From, To string }

// Writers of rows; see Family.Writer.
const (
	Importer  = "import"
	Collector = "collector"
	Retainer  = "retain"
	Compactor = "compact"
)

// Families lists the families of an archive.
var Families = []*Family{
	{Name: "flows", Row: reflect.TypeFor[Flow](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"t", "t"}, {"h", "h"}, {"d", "d"}},
		Blooms: []string{"cid", "flow_id", "conn_id", "src_lo", "dst_lo"}, Rare: []string{"joined_id", "metered_id"}},
	{Name: "connections", Row: reflect.TypeFor[Connection](), Writer: Compactor, Ladder: []Step{{"t", "t"}, {"h", "h"}, {"d", "d"}},
		Blooms: []string{"cid", "conn_id", "client_lo", "server_lo"}},
	// What conversations moved, by time: written with the connections.
	{Name: "traffic_1m", Row: reflect.TypeFor[Traffic](), Writer: Compactor, Ladder: []Step{{"t", "t"}}},
	{Name: "traffic_1h", Row: reflect.TypeFor[HourlyTraffic](), Writer: Compactor, Ladder: []Step{{"t", "t"}}},
	{Name: "other", Row: reflect.TypeFor[Other](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}}},
	{Name: "dns", Row: reflect.TypeFor[DNS](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "query"}},
	{Name: "dns_answers", Row: reflect.TypeFor[DNSAnswer](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "query", "address_lo"}},
	{Name: "names", Row: reflect.TypeFor[Name](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}}},
	{Name: "tls", Row: reflect.TypeFor[TLS](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "server_name", "ja3", "ja4", "cert_sha256"}},
	{Name: "http", Row: reflect.TypeFor[HTTP](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "host"}},
	{Name: "logins", Row: reflect.TypeFor[Login](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "username", "hassh"}},
	{Name: "files", Row: reflect.TypeFor[File](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "name"}},
	{Name: "rpc", Row: reflect.TypeFor[RPC](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "operation"}},
	{Name: "mail", Row: reflect.TypeFor[Mail](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "mail_from", "message_id"}},
	{Name: "arp", Row: reflect.TypeFor[ARP](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}}, Blooms: []string{"mac", "ip_lo"}},
	{Name: "icmp", Row: reflect.TypeFor[ICMP](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "src_lo", "dst_lo", "inner_conn_id"}},
	{Name: "dhcp", Row: reflect.TypeFor[DHCP](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "mac", "client_lo", "name"}},
	{Name: "oddities", Row: reflect.TypeFor[Oddity](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}},
		Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo"}},
	{Name: "rates", Row: reflect.TypeFor[Rate](), Writer: Importer, Ladder: []Step{{"m", "e"}, {"e", "t"}, {"t", "t"}}},
	{Name: "imports", Row: reflect.TypeFor[Import](), Writer: Importer, Kept: true},
	{Name: "segments", Row: reflect.TypeFor[Segment](), Writer: Importer, Kept: true},
	{Name: "coverage", Row: reflect.TypeFor[Coverage](), Writer: Importer, Ladder: []Step{{"m", "t"}, {"t", "t"}}, Kept: true},
	{Name: "evictions", Row: reflect.TypeFor[Eviction](), Writer: Retainer, Ladder: []Step{{"e", "t"}, {"t", "t"}}, Kept: true},
	{Name: "exports", Row: reflect.TypeFor[Export](), Writer: Collector, Ladder: []Step{{"m", "e"}, {"t", "h"}, {"h", "d"}, {"d", "d"}},
		Blooms: []string{"cid", "conn_id", "src_lo", "dst_lo"}, Sparse: true},
	{Name: "exporters", Row: reflect.TypeFor[Exporter](), Writer: Collector, Ladder: []Step{{"m", "e"}, {"e", "h"}, {"h", "d"}, {"d", "d"}}},
	{Name: "sockets", Row: reflect.TypeFor[Socket](), Writer: Collector, Ladder: []Step{{"m", "e"}, {"e", "h"}, {"h", "d"}, {"d", "d"}}},
	{Name: "carried", Row: reflect.TypeFor[Carried](), Writer: Compactor, Kept: true}, // open conversations
	{Name: "assigned", Row: reflect.TypeFor[Assigned](), Writer: Compactor, Of: "exports", Blooms: []string{"conn_id"}},
	{Name: "joined", Row: reflect.TypeFor[Joined](), Writer: Compactor, Of: "flows", Blooms: []string{"conn_id"}},
	{Name: "replaced", Row: reflect.TypeFor[Replaced](), Writer: Compactor, Of: "connections"},
}

// FamilyOf finds the family of a type of rows, or returns nil.
func FamilyOf(row reflect.Type) *Family {
	for _, f := range Families {
		if f.Row == row {
			return f
		}
	}
	return nil
}

// FamilyNamed finds a family by its name, or returns nil.
func FamilyNamed(name string) *Family {
	for _, f := range Families {
		if f.Name == name {
			return f
		}
	}
	return nil
}
