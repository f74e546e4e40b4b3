package tables

// What compaction decides about rows it settled before: rows of families that are
// read beside those they are about, and folded into them by the next merge.

// Assigned is a row of the family assigned: a row of exports belongs to another
// conversation than it says, or to one of which more was metered since.
type Assigned struct {
	TS     Time `col:"ts"` // of the row
	FlowID ID   `col:"flow_id"`
	// The others stand for those of the row; see Export.
	ConnID     Opt[ID]    `col:"conn_id"`
	Segments   []int32    `col:"segments"`
	CutPackets Opt[int64] `col:"cut_packets"`
}

// Joined is a row of the family joined: a metered row belongs to another
// conversation than it says.
type Joined struct {
	TS     Time `col:"ts"` // of the row
	FlowID ID   `col:"flow_id"`
	// The others stand for those of the row; see Flow.
	ConnID    ID      `col:"conn_id"`
	JoinedID  Opt[ID] `col:"joined_id"`
	MeteredID Opt[ID] `col:"metered_id"`
}

// Replaced is a row of the family replaced: a row of connections counts no
// longer. What is known of its conversation now is in another one.
type Replaced struct {
	TS     Time   `col:"ts"` // of the row
	ConnID ID     `col:"conn_id"`
	Site   string `col:"site"`
}
