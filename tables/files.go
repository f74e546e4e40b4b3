package tables

// File is a row of the family files: from the open of a file on a server to its close,
// a transfer, or what else was done to a file by name.
type File struct {
	TS         Time   `col:"ts"`     // of the request
	TSEnd      Time   `col:"ts_end"` // of the last packet of it
	Sensor     string `col:"sensor"`
	Site       string `col:"site"`
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`

	Protocol string `col:"protocol"` // smb1, smb2, smb3, ftp, tftp, nfs3
	Share    string `col:"share"`    // folded, without the server
	Name     string `col:"name"`     // below the share, as it was sent
	NewName  string `col:"new_name"` // after a rename
	Action   string `col:"action"`   // what matters most of what was done: see FileActions
	Username string `col:"username"` // folded
	// Bytes of the file, as far as the server said that it sent or took them.
	BytesRead    Opt[int64] `col:"bytes_read"`
	BytesWritten Opt[int64] `col:"bytes_written"`
	Size         Opt[int64] `col:"size"`   // the last that was told of it
	Status       string     `col:"status"` // NTSTATUS by name, NFS's status likewise

	PacketID Opt[ID] `col:"packet_id"` // where it begins
	FlowID   ID      `col:"flow_id"`   // of the conversation that carries the bytes
	ConnID   ID      `col:"conn_id"`
}

// FileActions are values of action in files: of several that were done between open
// and close, the one that is listed last.
var FileActions = []string{FileOpened, FileListed, FileRead, FileCreated, FileWritten, FileRenamed, FileDeleted}

// Values of action in files.
const (
	FileOpened  = "open"
	FileListed  = "list"
	FileRead    = "read"
	FileCreated = "create"
	FileWritten = "write"
	FileRenamed = "rename"
	FileDeleted = "delete"
	FileSealed  = "encrypted" // what was done is not seen
)

// Values of protocol in files.
const (
	FileSMB1 = "smb1"
	FileSMB2 = "smb2"
	FileSMB3 = "smb3"
	FileHTTP = "http"
	FileFTP  = "ftp"
	FileTFTP = "tftp"
	FileNFS3 = "nfs3"
)

var (
	fileProtocols = []string{FileSMB1, FileSMB2, FileSMB3, FileHTTP, FileFTP, FileTFTP, FileNFS3}
	fileActions   = append(FileActions, FileSealed)
)

// FilesRelation is what was done to files on servers.
var FilesRelation = &Relation{Schema: Main, Name: "files",
	Doc: "files that were read, written, renamed, deleted or looked for on servers, over SMB, NFS, HTTP, FTP and TFTP: a row from open to close, a transfer, or what one did with a file until it was left alone for a minute",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the request to open, fetch or store it"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "time of the last packet of it: close, end of the transfer, refusal; of HTTP that of the request"},
		colClient, colClientAt, colAsker, colServer, colServerAt,
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the server's address had at ts"},
		{Name: "protocol", Kind: Text, Size: 8, Values: fileProtocols, NoCase: true, Doc: "smb1, smb2, smb3 (by the dialect that was agreed on), http, ftp, tftp, nfs3; of ftp and tftp conn_id is the conversation that carried the bytes, the ports those of the one that asked"},
		{Name: "share", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "share it is on, without the server: data, admin$; ipc$ has named pipes; of NFS the folder that was mounted, if that was seen. Of HTTP the host that was asked for, of FTP the server's current folder, in lower case, once one was told"},
		{Name: "name", Kind: Text, Size: 1024, Doc: "its path below the share as it was sent; \\ is the share itself. Of FTP and TFTP as it was asked for, . for the current folder; of HTTP the name that Content-Disposition gives, else the last part of the path. NULL where the open was not seen", Source: "Zeek smb_files name"},
		{Name: "new_name", Kind: Text, Size: 1024, Doc: "its path after a rename", Source: "Zeek smb_files name, where prev_name is the old one"},
		{Name: "action", Kind: Text, Size: 16, NotNull: true, Values: fileActions, NoCase: true, Doc: "of what was done between open and close the one that comes last here: open (and nothing more), list (of a folder), read, create, write, rename, delete; encrypted where it is not seen, a row for the conversation. Of FTP and TFTP what was asked for, done or not (status says)", Source: "Zeek smb_files action"},
		{Name: "username", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "who was logged in, in lower case, where that was seen; of NFS the number that the client gave (AUTH_SYS)"},
		{Name: "bytes_read", Kind: BigInt, Unit: "bytes", Doc: "bytes the client got of it; of encrypted ones all that the server sent. NULL where that is not known: of FTP when the conversation with the data was not seen"},
		{Name: "bytes_written", Kind: BigInt, Unit: "bytes", Doc: "bytes the server took; likewise"},
		{Name: "size", Kind: BigInt, Unit: "bytes", Doc: "its size as the server last told; of FTP, where a transfer begins within the file (REST, APPE), at least up to the end of what was moved", Source: "Zeek smb_files size"},
		{Name: "status", Kind: Text, Size: 64, Doc: "what the server answered: STATUS_SUCCESS, STATUS_ACCESS_DENIED, … (of the open, or of what failed after it); NFS3_OK, NFS3ERR_ACCES, …; the code of HTTP and FTP; of TFTP complete, or the error in words; NULL without an answer"},
		colSensor, colPacketID, colFlowID, colSeenConn,
		{Name: "file_id", Kind: Text, Size: 32, Doc: "the file for file_bytes and wiresql export --files: protocol, conn_id and packet_id, of what moved bytes; NULL where these are not kept or not seen (smb1, nfs3, encrypted, pipes)"},
	}}
