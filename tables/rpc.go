package tables

// RPC is a row of the family rpc: a call of DCE/RPC with what came of it.
type RPC struct {
	TS         Time   `col:"ts"`
	Sensor     string `col:"sensor"`
	Site       string `col:"site"`
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`

	UUID      string `col:"interface_uuid"` // NULL when the bind was not seen
	Interface string `col:"interface"`
	Opnum     int32  `col:"opnum"`
	Operation string `col:"operation"`
	Pipe      string `col:"named_pipe"` // folded; NULL over TCP
	Username  string `col:"username"`   // folded
	Status    string `col:"status"`     // RPCAnswered, or the fault; NULL without an answer

	PacketID Opt[ID] `col:"packet_id"`
	FlowID   ID      `col:"flow_id"`
	ConnID   ID      `col:"conn_id"`
}

// RPCAnswered is the status of a call that was answered by other than a fault.
const RPCAnswered = "ok"

// RPCRelation is calls of DCE/RPC.
var RPCRelation = &Relation{Schema: Main, Name: "rpc",
	Doc: "calls of DCE/RPC over TCP and named pipes of SMB: who had whom do what, by the names of Windows' documents",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the request"},
		colClient, colClientAt, colAsker, colServer, colServerAt,
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the server's address had at ts"},
		{Name: "interface", Kind: Text, Size: 64, Doc: "interface by its name: svcctl, ITaskSchedulerService, samr, drsuapi, …; NULL of one that is not listed, or when the bind was not seen", Source: "Zeek dce_rpc endpoint"},
		{Name: "interface_uuid", Kind: Text, Size: 36, NoCase: true, Fold: "lower", Doc: "its UUID; NULL when the bind was not seen"},
		{Name: "operation", Kind: Text, Size: 64, Doc: "operation by its name: CreateServiceW, DRSGetNCChanges, …; NULL of one that is not listed", Source: "Zeek dce_rpc operation"},
		{Name: "opnum", Kind: Int, NotNull: true, Doc: "its number in the interface"},
		{Name: "named_pipe", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "pipe that it came over, in lower case; NULL over TCP", Source: "Zeek dce_rpc named_pipe"},
		{Name: "username", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "who was logged in, in lower case, where that was seen"},
		{Name: "status", Kind: Text, Size: 32, NoCase: true, Fold: "lower", Doc: "ok for an answer (what the operation itself returned is not read), the fault by name or number, NULL without an answer"},
		colSensor, colPacketID, colFlowID, colSeenConn,
	}}
