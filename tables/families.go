package tables

import "reflect"

// Family is a kind of rows as they rest: each has files of its own, in a folder
// of its name.
type Family struct {
	Name string
	Row  reflect.Type
	// Blooms are the stored columns with bloom filters: those by which people
	// look up single values.
	Blooms []string
	// Of is the family whose rows it has decisions about, if it has.
	Of string
	// Sparse families have many columns of which most files fill few: a file
	// lacks those nobody filled.
	Sparse bool
}

// Families lists the families of an archive.
var Families = []*Family{
	{Name: "flows", Row: reflect.TypeFor[Flow](), Blooms: []string{"cid", "flow_id", "conn_id", "src_lo", "dst_lo"}},
	{Name: "connections", Row: reflect.TypeFor[Connection](), Blooms: []string{"cid", "conn_id", "client_lo", "server_lo"}},
	{Name: "other", Row: reflect.TypeFor[Other]()},
	{Name: "dns", Row: reflect.TypeFor[DNS](), Blooms: []string{"flow_id", "conn_id", "client_lo", "server_lo", "query"}},
	{Name: "names", Row: reflect.TypeFor[Name]()},
	{Name: "imports", Row: reflect.TypeFor[Import]()},
	{Name: "segments", Row: reflect.TypeFor[Segment]()},
	{Name: "coverage", Row: reflect.TypeFor[Coverage]()},
	{Name: "exports", Row: reflect.TypeFor[Export](), Blooms: []string{"cid", "conn_id", "src_lo", "dst_lo"}, Sparse: true},
	{Name: "exporters", Row: reflect.TypeFor[Exporter]()},
	{Name: "sockets", Row: reflect.TypeFor[Socket]()},
	{Name: "carried", Row: reflect.TypeFor[Carried]()}, // open conversations; compaction's own
	{Name: "assigned", Row: reflect.TypeFor[Assigned](), Blooms: []string{"conn_id"}, Of: "exports"},
	{Name: "replaced", Row: reflect.TypeFor[Replaced](), Of: "connections"},
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
