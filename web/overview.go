package web

import (
	"fmt"
	"strconv"
	"time"
)

// overview shows what there is: what was recorded and what is missing of it,
// how much went by, who moved most, and the last connections.
func overview(v *view) {
	when := v.beginAt("Overview")
	v.coverage(when)
	v.traffic(when)
	v.ask(part{ID: "talkers", Title: "Who moved most", Note: "By the address and name of the client, in connections that began in this time.",
		Empty: "No connection began in this time."},
		"SELECT client_host, client_ip, COUNT(*) AS connections, COUNT(DISTINCT server_ip) AS servers, SUM(client_bytes) AS sent, SUM(server_bytes) AS received\n"+
			"FROM connections WHERE "+when.between("ts")+"\nGROUP BY client_host, client_ip ORDER BY SUM(bytes) DESC LIMIT 15", when)
	v.ask(part{ID: "last", Title: "Last connections", Empty: "No connection began in this time."},
		"SELECT ts, client_ip, client_host, server_ip, server_name, server_port, service, conn_state, bytes, packet_status, conn_id\n"+
			"FROM connections WHERE "+when.between("ts")+"\nORDER BY ts DESC LIMIT 25", when)
	v.end()
}

// traffic draws what was moved.
func (v *view) traffic(when span) {
	relation, least := "traffic_1h", 3600
	if from, to, ok := when.times(); ok && to.Sub(from) <= 24*time.Hour {
		relation, least = "traffic_1m", 60
	}
	step := max(when.bin(parts), least)
	if from, _, ok := when.times(); ok { // a minute, or hour, that it begins in is shown whole
		when.From = from.Truncate(time.Duration(least) * time.Second).Format(timeLayout)
	}
	text := fmt.Sprintf("SELECT FLOOR(UNIX_TIMESTAMP(ts) / %d) AS bin, SUM(bytes) AS bytes\nFROM %s WHERE %s\nGROUP BY bin ORDER BY bin",
		step, relation, when.between("ts"))
	a := v.who.ask(v.context(), text)
	p := part{ID: "traffic", Title: "Traffic", Empty: "Nothing was moved in this time.", answer: a,
		Chart: a.binned("Bytes in each "+length(step)+", every connection counted once and divided over its time", "bytes", step, when)}
	if p.Chart != nil {
		a.Columns, a.Rows = nil, nil // they are in the chart
	}
	v.write("part", p)
}

// length says a number of seconds.
func length(seconds int) string {
	for _, unit := range []struct {
		n    int
		name string
	}{{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		if seconds%unit.n == 0 {
			if n := seconds / unit.n; n > 1 {
				return strconv.Itoa(n) + " " + unit.name + "s"
			}
			return unit.name
		}
	}
	return ""
}

// strip is when what was recorded, and what was lost.
type strip struct {
	Lanes    []lane
	Recorded *answer
	Lost     *answer
	From, To string
}

// lane is a sensor's interface. Its marks lie between 0 and 1000.
type lane struct {
	Name  string
	Marks []mark
}

type mark struct {
	X, Width float64
	Lost     bool
	Says     string
}

// coverage writes the strip of what was recorded.
func (v *view) coverage(when span) {
	s := strip{From: when.From, To: when.To}
	s.Recorded = v.who.ask(v.context(), "SELECT sensor, interface, ts, ts_end, packets, drops, undecoded, not_kept, lost_rows\nFROM ops.coverage WHERE "+
		when.overlaps()+"\nORDER BY sensor, interface, ts")
	s.Lost = v.who.ask(v.context(), "SELECT COALESCE(observer, socket) AS observer, reason, unit, SUM(lost) AS lost, MIN(ts) AS ts, MAX(ts_end) AS ts_end\nFROM ops.capture_loss WHERE "+
		when.overlaps()+"\nGROUP BY COALESCE(observer, socket), reason, unit ORDER BY lost DESC")
	from, to, ok := when.times()
	if ok && to.After(from) && s.Recorded.Err == "" {
		for _, row := range s.Recorded.Rows {
			begins, err1 := time.Parse(timeLayout, row[2].Text)
			ends, err2 := time.Parse(timeLayout, row[3].Text)
			if err1 != nil || err2 != nil {
				continue
			}
			name := row[0].Text
			if !row[1].Null && row[1].Text != "" {
				name += " " + row[1].Text
			}
			if n := len(s.Lanes); n == 0 || s.Lanes[n-1].Name != name {
				s.Lanes = append(s.Lanes, lane{Name: name})
			}
			l := &s.Lanes[len(s.Lanes)-1]
			whole := to.Sub(from).Seconds()
			x := max(0, begins.Sub(from).Seconds()/whole*1000)
			end := min(1000, ends.Sub(from).Seconds()/whole*1000)
			m := mark{X: x, Width: max(1, end-x), Says: row[2].Text + " to " + row[3].Text + ": " + row[4].Text + " packets"}
			for i, what := range map[int]string{5: "dropped", 6: "not decoded", 7: "not kept", 8: "rows lost"} {
				if !row[i].Null && row[i].Text != "0" {
					m.Lost = true
					m.Says += ", " + row[i].Text + " " + what
				}
			}
			l.Marks = append(l.Marks, m)
		}
	}
	v.write("strip", s)
}
