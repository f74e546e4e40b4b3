package main

import (
	"bytes"
	"crypto/tls"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/tables/archive/pcap"
)

const (
	soakRate   = 25_000 // packets a second
	soakBudget = 2_200_000_000
	soakTurn   = 5 * time.Second // conversations are others then
)

// soak runs all of wiresql for a while, in a network of its own: traffic comes,
// hunts and other statements are asked without end, and packets are evicted as the
// budget wants it. It prints what each process takes meanwhile, which must not
// grow, and how many statements failed.
func (b *bench) soak(long time.Duration) error {
	frames := mixedFrames(20_000)
	real, err := framesOf("testdata/captures/office-morning.pcap")
	if err != nil {
		return err
	}
	dir := filepath.Join(b.dir, "soaked")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	up := exec.Command(b.wiresql, "up", "--data", dir, "--netflow=", "--sflow=", "--capture", "left", "--listen", "127.0.0.1:33061",
		"--packets-share", "0", "--disk-free", "0", "--packets-bytes", strconv.Itoa(soakBudget))
	listen := map[string]string{}
	up.Env = os.Environ()
	for i, section := range []string{"collector", "compact", "server"} {
		process := []string{"record", "compact", "serve"}[i]
		listen[process] = fmt.Sprintf("127.0.0.1:910%d", i)
		up.Env = append(up.Env, fmt.Sprintf("WIRESQL_%s_METRICS_LISTEN=%s", strings.ToUpper(section), listen[process]))
	}
	up.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := up.Start(); err != nil {
		return err
	}
	defer func() {
		_ = up.Process.Signal(os.Interrupt)
		_ = up.Wait()
	}()
	db, err := soakServer(dir)
	if err != nil {
		return err
	}
	defer db.Close()
	for process, address := range listen { // each listens when it is ready
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
			if _, err = metricsAt(address); err == nil {
				break
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s: %w", process, err)
			}
		}
	}
	end := time.Now().Add(long)
	sending := make(chan error, 1)
	go func() { sending <- keepSending(frames, real, end) }()
	asking := make(chan string, 1)
	go func() { asking <- asked(db, end) }()
	var samples []map[string]taken
	for began := time.Now(); time.Now().Before(end); time.Sleep(5 * time.Second) {
		sample := map[string]taken{}
		for process, address := range listen {
			if sample[process], err = metricsAt(address); err != nil {
				return fmt.Errorf("%s after %v: %w", process, time.Since(began), err)
			}
		}
		samples = append(samples, sample)
	}
	if err := <-sending; err != nil {
		return err
	}
	answer := <-asking
	fmt.Println("| process | at 20 % | 40 % | 60 % | 80 % | end |\n|---|---|---|---|---|---|")
	for _, process := range []string{"record", "compact", "serve"} {
		fmt.Printf("| %s |", process)
		for part := range 5 { // medians of a fifth
			fmt.Printf(" %s |", medianOf(samples[len(samples)*part/5:len(samples)*(part+1)/5], process))
		}
		fmt.Println()
	}
	var evicted, packets, drops sql.NullInt64
	if err := db.QueryRow("SELECT SUM(bytes) FROM ops.evictions WHERE family = 'packets'").Scan(&evicted); err != nil {
		return err
	}
	if err := db.QueryRow("SELECT SUM(packets), SUM(drops) FROM ops.coverage").Scan(&packets, &drops); err != nil {
		return err
	}
	fmt.Printf("\n%v: %d packets, %d dropped; of packets %.1f budgets were evicted. %s\n", long, packets.Int64, drops.Int64,
		float64(evicted.Int64)/soakBudget, answer)
	return nil
}

// framesOf are the packets of a capture.
func framesOf(path string) (out [][]byte, err error) {
	r, err := pcap.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	for {
		var rec pcap.Record
		switch err := r.Next(&rec); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return nil, err
		}
		out = append(out, bytes.Clone(rec.Data))
	}
}

// keepSending sends until then: many conversations, which are others every few seconds,
// and such as hunts find something in.
func keepSending(frames, real [][]byte, end time.Time) error {
	for turn := uint16(1); time.Now().Before(end); turn++ {
		for _, f := range frames {
			binary.BigEndian.PutUint16(f[34:], 20_000+(binary.BigEndian.Uint16(f[34:])-20_000+1000)%40_000)
		}
		if _, err := transmit("right", frames, soakRate, soakTurn); err != nil {
			return err
		}
		if _, err := transmit("right", real, 5000, time.Duration(len(real))*time.Second/5000); err != nil {
			return err
		}
	}
	return nil
}

// soakServer waits for the server.
func soakServer(dir string) (*sql.DB, error) {
	password, err := waitForPassword(dir, "127.0.0.1:33061")
	if err != nil {
		return nil, err
	}
	if err := mysql.RegisterTLSConfig("soak", &tls.Config{InsecureSkipVerify: true}); err != nil {
		return nil, err
	}
	return sql.Open("mysql", fmt.Sprintf("wiresql:%s@tcp(127.0.0.1:33061)/wiresql?tls=soak", password))
}

// asked asks all hunts and some more, again and again, and says what became of it.
func asked(db *sql.DB, end time.Time) string {
	statements := []string{
		"SELECT server_ip, COUNT(*), SUM(bytes) FROM connections WHERE ts > NOW() - INTERVAL 5 MINUTE GROUP BY 1 ORDER BY 3 DESC LIMIT 10",
		"SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = '10.0.0.7' AND c.ts > NOW() - INTERVAL 2 MINUTE LIMIT 2000",
		"SELECT COUNT(*), SUM(length) FROM packets WHERE dst_port = 443 AND ts > NOW() - INTERVAL 10 SECOND",
		"SELECT ts, SUM(bytes) FROM traffic_1m GROUP BY ts ORDER BY ts",
		"SELECT family, reason, COUNT(*), SUM(bytes) FROM ops.evictions GROUP BY 1, 2",
		"SELECT packet_status, COUNT(*) FROM flows GROUP BY 1",
	}
	given := map[string]string{"alert_context": ", 'community', '1:LQU9qZlK+B5F3KDmev6m5PMibrg='", "everything": ", 'host', '10.0.0.7'",
		"ioc_sweep": ", 'indicators', '10.0.0.7,example.com'", "who_resolved": ", 'name', 'example.com'"}
	hunts, err := db.Query("SELECT name FROM hunt.hunts")
	if err != nil {
		return err.Error()
	}
	for hunts.Next() {
		var name string
		if err := hunts.Scan(&name); err != nil {
			return err.Error()
		}
		statements = append(statements, "CALL hunt('"+name+"'"+given[name]+")")
	}
	if err := hunts.Err(); err != nil {
		return err.Error()
	}
	times, failed, rows := 0, 0, 0
	for time.Now().Before(end) {
		for _, s := range statements {
			if time.Now().After(end) {
				break
			}
			n, err := drain(db, s)
			rows += n
			if times++; err != nil {
				failed++
				log.Printf("%s: %v", s, err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	return fmt.Sprintf("%d statements, of which %d are hunts, were asked %d times and gave %d rows; %d failed.", len(statements), len(statements)-6, times, rows, failed)
}

func drain(db *sql.DB, statement string) (n int, err error) {
	rows, err := db.Query(statement)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			n++
		}
	}
	return n, rows.Err()
}

// taken is what a process takes.
type taken struct{ memory, files, goroutines float64 }

func metricsAt(address string) (t taken, err error) {
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return t, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	for name, value := range map[string]*float64{"process_resident_memory_bytes": &t.memory, "process_open_fds": &t.files, "go_goroutines": &t.goroutines} {
		m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
		if m == nil {
			return t, errors.Join(err, fmt.Errorf("no metric %s", name))
		}
		*value, _ = strconv.ParseFloat(string(m[1]), 64)
	}
	return t, err
}

func medianOf(samples []map[string]taken, process string) string {
	middle := func(of func(taken) float64) float64 {
		var list []float64
		for _, s := range samples {
			list = append(list, of(s[process]))
		}
		if len(list) == 0 {
			return 0
		}
		slices.Sort(list)
		return list[len(list)/2]
	}
	return fmt.Sprintf("%.0f MB, %.0f files, %.0f goroutines", middle(func(t taken) float64 { return t.memory / 1e6 }),
		middle(func(t taken) float64 { return t.files }), middle(func(t taken) float64 { return t.goroutines }))
}
