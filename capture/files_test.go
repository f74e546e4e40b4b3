package capture

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestSMBAgainstTshark compares what is opened (who, name), what came of it, and how
// many bytes were read and written in each conversation.
func TestSMBAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "smb", "smb2") {
		var ours, theirs []string
		read, written := map[string]int64{}, map[string]int64{}
		for _, f := range tsharkFields(t, file, "smb2.cmd == 5 || smb2.cmd == 8 || smb2.cmd == 9", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport",
			"smb2.cmd", "smb2.flags.response", "smb2.filename", "smb2.nt_status", "smb2.read_data", "smb2.write.count") {
			who := tsharkEnd(f, "src") + ">" + tsharkEnd(f, "dst")
			if !strings.Contains(f["smb2.flags.response"], "1") {
				for name := range strings.SplitSeq(f["smb2.filename"], "|") {
					if name != "" {
						theirs = append(theirs, fmt.Sprint(who, " ", name))
					}
				}
				continue
			}
			who = tsharkEnd(f, "dst") + ">" + tsharkEnd(f, "src")
			states := strings.Split(f["smb2.nt_status"], "|")
			for i, c := range strings.Split(f["smb2.cmd"], "|") {
				if number, _ := strconv.ParseUint(states[min(i, len(states)-1)], 0, 32); c == "5" && number != 0x103 {
					theirs = append(theirs, fmt.Sprintf("%s %v", who, number == 0))
				}
			}
			for data := range strings.SplitSeq(f["smb2.read_data"], "|") {
				read[who] += int64(len(data) / 2)
			}
			for n := range strings.SplitSeq(f["smb2.write.count"], "|") {
				count, _ := strconv.ParseInt(n, 10, 64)
				written[who] += count
			}
		}
		for _, f := range tsharkFields(t, file, "smb.cmd == 0xa2 && tcp", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport",
			"smb.flags.response", "smb.file", "smb.nt_status") {
			who := tsharkEnd(f, "src") + ">" + tsharkEnd(f, "dst")
			if f["smb.flags.response"] != "1" {
				theirs = append(theirs, fmt.Sprint(who, " ", strings.TrimPrefix(f["smb.file"], `\`)))
				continue
			}
			theirs = append(theirs, fmt.Sprintf("%s>%s %v", tsharkEnd(f, "dst"), tsharkEnd(f, "src"), f["smb.nt_status"] == "0x00000000"))
		}
		for who, n := range read {
			theirs = append(theirs, fmt.Sprint(who, " read ", n))
		}
		for who, n := range written {
			theirs = append(theirs, fmt.Sprint(who, " written ", n))
		}
		hasRead, hasWritten := map[string]int64{}, map[string]int64{}
		for _, r := range meterFile(t, file).Files {
			if !strings.HasPrefix(r.Protocol, "smb") || r.Action == tables.FileSealed {
				continue
			}
			who := fmt.Sprintf("%s:%d>%s:%d", r.Client, r.ClientPort, r.Server, r.ServerPort)
			if r.Name != "" && r.Name != `\` {
				ours = append(ours, fmt.Sprint(who, " ", r.Name))
			}
			if r.Status != "" && r.Name != "" {
				ours = append(ours, fmt.Sprintf("%s %v", who, r.Size.Set || r.Status == "STATUS_SUCCESS" || r.Action != tables.FileOpened || r.Status == "STATUS_NO_SUCH_FILE"))
			}
			if r.Share != "ipc$" {
				hasRead[who] += r.BytesRead.V
			}
			hasWritten[who] += r.BytesWritten.V
		}
		for who := range read {
			ours = append(ours, fmt.Sprint(who, " read ", hasRead[who]), fmt.Sprint(who, " written ", hasWritten[who]))
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestRPCAgainstTshark compares calls: who, operation, and the interface where a bind was seen.
func TestRPCAgainstTshark(t *testing.T) {
	same, all := 0, 0
	for _, file := range capturesWith(t, "dcerpc") {
		var ours, theirs []string
		bound := map[string]int{}
		for _, f := range tsharkFields(t, file, "dcerpc && tcp", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport",
			"dcerpc.pkt_type", "dcerpc.cn_bind_to_uuid", "dcerpc.opnum", "smb2.flags.response") {
			who := tsharkEnd(f, "src") + ">" + tsharkEnd(f, "dst")
			for kind := range strings.SplitSeq(f["dcerpc.pkt_type"], "|") {
				switch kind {
				case "11", "14":
					for uuid := range strings.SplitSeq(f["dcerpc.cn_bind_to_uuid"], "|") {
						bound[who+" "+uuid]++
					}
				case "0":
					if f["smb2.flags.response"] != "1" { // an answer may have the request again
						theirs = append(theirs, who+" "+f["dcerpc.opnum"])
					}
				}
			}
		}
		for _, r := range meterFile(t, file).RPC {
			who := fmt.Sprintf("%s:%d>%s:%d", r.Client, r.ClientPort, r.Server, r.ServerPort)
			ours = append(ours, fmt.Sprint(who, " ", r.Opnum))
			if r.UUID != "" && bound[who+" "+r.UUID] == 0 {
				t.Errorf("%s: %s was not bound by %s", file, r.UUID, who)
			}
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}

// TestFTPAgainstTshark compares commands, and the bytes of the conversations that they moved
// something in. tshark does not always find the command of a conversation.
func TestFTPAgainstTshark(t *testing.T) {
	same, all := 0, 0
	verbs := map[string]string{"RETR": tables.FileRead, "STOR": tables.FileWritten, "LIST": tables.FileListed, "NLST": tables.FileListed,
		"DELE": tables.FileDeleted, "RMD": tables.FileDeleted, "MKD": tables.FileCreated, "RNTO": tables.FileRenamed}
	for _, file := range capturesWith(t, "ftp") {
		var ours, theirs []string
		moved := map[string]int{}
		const data = "tcp.len > 0 && !tcp.analysis.retransmission && !(tcp.port in {21, 53, 80, 443})"
		for _, f := range tsharkFields(t, file, data, "tcp.stream", "tcp.len") {
			n, _ := strconv.Atoi(f["tcp.len"])
			moved[f["tcp.stream"]] += n
		}
		for _, n := range moved {
			theirs = append(theirs, fmt.Sprint(n))
		}
		for _, f := range tsharkFields(t, file, "ftp.request.command", "ftp.request.command", "ftp.request.arg") {
			if action := verbs[f["ftp.request.command"]]; action != "" {
				theirs = append(theirs, strings.TrimSuffix(fmt.Sprint(action, " ", f["ftp.request.arg"]), " "))
			}
		}
		for _, r := range meterFile(t, file).Files {
			if r.Protocol != tables.FileFTP {
				continue
			}
			if n := r.BytesRead.V + r.BytesWritten.V; n > 0 {
				ours = append(ours, fmt.Sprint(n))
			}
			ours = append(ours, strings.TrimSuffix(fmt.Sprint(r.Action, " ", cmp.Or(r.NewName, r.Name)), " ."))
		}
		s, a := tally(t, file, ours, theirs)
		same, all = same+s, all+a
	}
	t.Logf("%d of %d rows are the same", same, all)
	if same*100 < all*99 {
		t.Error("fewer than 99 of 100")
	}
}
