package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// retrieve measures how long the packets of a host take from the recorder to a file:
// a million packets are recorded by stenographer and by wiresql beside it; then each is
// asked, by turns, by a program that begins and ends, and by one that stays connected.
func (b *bench) retrieve(frames [][]byte) error {
	const host, packets = "10.0.0.7", 1_000_000
	steno, stop, err := b.stenographer()
	if err != nil {
		return err
	}
	defer stop()
	dir := filepath.Join(b.dir, "captured")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	client, end, err := b.up(dir)
	if err != nil {
		return err
	}
	defer end()
	time.Sleep(2 * time.Second)
	if _, err := transmit("right", frames, 50_000, packets/50_000*time.Second); err != nil {
		return err
	}
	statement := fmt.Sprintf("SELECT pcap(packet_id) FROM packets WHERE src_ip = '%[1]s' OR dst_ip = '%[1]s'", host)
	sides := []struct {
		name string
		ask  func() *exec.Cmd
		took []time.Duration
	}{
		{"stenographer", func() *exec.Cmd { return steno("host " + host) }, nil},
		{"wiresql", func() *exec.Cmd { return client(statement) }, nil},
	}
	// A file of stenographer's is found in once it is closed. On a busy machine either
	// drops some.
	for _, s := range sides {
		for began := time.Now(); ; time.Sleep(time.Second) {
			out, _ := s.ask().Output()
			count := exec.Command("capinfos", "-T", "-r", "-m", "-M", "-c", "-")
			count.Stdin = bytes.NewReader(out)
			said, _ := count.Output()
			var n int
			if _, err := fmt.Sscanf(string(said), "-,%d", &n); err == nil && n > packets/1000*9/10 && n <= packets/1000 {
				fmt.Printf("%s gives %d packets of %d sent.\n", s.name, n, packets/1000)
				break
			}
			if time.Since(began) > 2*time.Minute {
				return fmt.Errorf("%s does not give the %d packets of %s: %s", s.name, packets/1000, host, said)
			}
		}
	}
	for range 25 {
		for i := range sides {
			began := time.Now()
			out, err := sides[i].ask().Output()
			sides[i].took = append(sides[i].took, time.Since(began))
			if err != nil || len(out) < packets/1000*24 {
				return fmt.Errorf("%s: %w, %d bytes", sides[i].name, err, len(out))
			}
		}
	}
	fmt.Printf("\nThe %d packets of a host of %d, a program's start to its end:", packets/1000, packets)
	compared(sides[0].took, sides[1].took)
	asks, hangUp, err := b.connected(dir, "host "+host, statement)
	if err != nil {
		return err
	}
	defer hangUp()
	var took [2][]time.Duration
	for range 52 { // the first of each connects
		for i, ask := range asks {
			began := time.Now()
			n, err := ask()
			if took[i] = append(took[i], time.Since(began)); err != nil || n < packets/1000*24 {
				return fmt.Errorf("%s: %w, %d bytes", sides[i].name, err, n)
			}
		}
	}
	fmt.Print("On a connection with TLS that is kept:")
	compared(took[0][1:], took[1][1:])
	return nil
}

// compared prints the medians of both sides, and the first's by the second's.
func compared(steno, ours []time.Duration) {
	for i, took := range [][]time.Duration{steno, ours} {
		slices.Sort(took)
		fmt.Printf(" %s %v (%v to %v)", []string{"stenographer", "wiresql"}[i], took[len(took)/2].Round(100*time.Microsecond), took[0].Round(100*time.Microsecond),
			took[len(took)-1].Round(100*time.Microsecond))
	}
	fmt.Printf(": %.2fx as fast\n", float64(steno[len(steno)/2])/float64(ours[len(ours)/2]))
}

// connected asks both from this process, each over one connection: bytes that came.
func (b *bench) connected(dir, query, statement string) (asks [2]func() (int, error), hangUp func(), err error) {
	certs := filepath.Join(b.dir, "stenographer", "certs")
	cert, err := tls.LoadX509KeyPair(filepath.Join(certs, "client_cert.pem"), filepath.Join(certs, "client_key.pem"))
	if err != nil {
		return asks, nil, err
	}
	web := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1, DisableCompression: true,
		TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true}}} // both are ours
	asks[0] = func() (int, error) {
		said, err := web.Post("https://127.0.0.1:33062/query", "text/plain", strings.NewReader(query))
		if err != nil {
			return 0, err
		}
		defer said.Body.Close()
		out, err := io.ReadAll(said.Body)
		return len(out), err
	}
	password, err := os.ReadFile(filepath.Join(dir, "serve", "password"))
	if err != nil {
		return asks, nil, err
	}
	config := mysql.NewConfig()
	config.User, config.Passwd, config.Net, config.Addr, config.DBName, config.TLSConfig = "wiresql", strings.TrimSpace(string(password)), "tcp", "127.0.0.1:33061", "wiresql", "skip-verify"
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return asks, nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	asks[1] = func() (n int, err error) {
		var out []byte
		err = db.QueryRow(statement).Scan(&out)
		return len(out), err
	}
	return asks, func() {
		web.CloseIdleConnections()
		db.Close()
	}, nil
}

// stenographer records what comes to the left interface: query is the command that asks
// it, as its stenoread does.
func (b *bench) stenographer() (query func(string) *exec.Cmd, stop func(), err error) {
	dir := filepath.Join(b.dir, "stenographer")
	if err := os.RemoveAll(dir); err != nil {
		return nil, nil, err
	}
	folder := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"packets", "index", "certs"} {
		if err := errors.Join(os.MkdirAll(folder(name), 0o777), os.Chmod(folder(name), 0o777)); err != nil {
			return nil, nil, err
		}
	}
	if err := certificates(folder("certs")); err != nil {
		return nil, nil, err
	}
	config, err := json.Marshal(map[string]any{
		"Threads":       []map[string]any{{"PacketsDirectory": folder("packets"), "IndexDirectory": folder("index"), "DiskFreePercentage": 1}},
		"StenotypePath": "/usr/sbin/stenotype", "Interface": "left", "Host": "127.0.0.1", "Port": 33062, "CertPath": folder("certs"),
		"Flags": []string{"--blocks=64", "--aiops=32", "--seccomp=none", "--uid=root", "--gid=root", "--fileage_sec=10", "--no_watchdogs"},
	})
	if err != nil {
		return nil, nil, err
	}
	if err := os.WriteFile(folder("config"), config, 0o644); err != nil {
		return nil, nil, err
	}
	server := exec.Command("stenographer", "-config", folder("config"), "-syslog=false")
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := server.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() {
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGTERM) // its stenotype, too
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	return func(text string) *exec.Cmd {
		return exec.Command("curl", "-sS", "--cert", folder("certs/client_cert.pem"), "--key", folder("certs/client_key.pem"), "--cacert", folder("certs/ca_cert.pem"),
			"-d", text, "https://127.0.0.1:33062/query")
	}, stop, nil
}

// certificates writes what stenographer and its client know each other by.
func certificates(dir string) error {
	var ca *x509.Certificate
	var signer *ecdsa.PrivateKey
	for i, name := range []string{"ca", "server", "client"} {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		cert := &x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), BasicConstraintsValid: true, IsCA: i == 0,
			KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		if i == 0 {
			ca, signer = cert, key
		}
		der, err := x509.CreateCertificate(rand.Reader, cert, ca, &key.PublicKey, signer)
		if err != nil {
			return err
		}
		secret, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			return err
		}
		if err := errors.Join(
			os.WriteFile(filepath.Join(dir, name+"_cert.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
			os.WriteFile(filepath.Join(dir, name+"_key.pem"), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret}), 0o600)); err != nil {
			return err
		}
	}
	return nil
}
