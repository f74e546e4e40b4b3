package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"os/exec"
	"testing"
	"time"
)

func TestTypesScratch(t *testing.T) {
	wire, maria := typeServers(t)
	list := questions()
	start := time.Now()
	w := one(wire, list, func(s []string) []told { return goClient(t, wire, s) })
	t.Log("wire", time.Since(start), len(list))
	start = time.Now()
	m := one(maria, list, func(s []string) []told { return goClient(t, maria, s) })
	t.Log("maria", time.Since(start))
	f, _ := os.Create("/tmp/types.out")
	defer f.Close()
	var ok []question
	for _, q := range list {
		a, b := w[q], m[q]
		if a[0].err != a[1].err || a[0].column != a[1].column || !slices.Equal(a[0].values, a[1].values) {
			fmt.Fprintf(f, "PROTO %s | %v | %v\n", q.text, a[0], a[1])
		}
		if a[0].err == "" {
			ok = append(ok, q)
		}
		for p := range a {
			a, b := a[p], b[p]
			switch {
			case a.err != "" && b.err != "":
				fmt.Fprintf(f, "BOTH %d %s | %s | %s\n", p, q.text, a.err, b.err)
			case a.err != "":
				fmt.Fprintf(f, "ERR %d %s | %s | %s %v\n", p, q.text, a.err, b.column, b.values)
			case b.err != "":
				fmt.Fprintf(f, "MERR %d %s | %s %v | %s\n", p, q.text, a.column, a.values, b.err)
			case a.column != b.column:
				fmt.Fprintf(f, "TYPE %d %s | %s %v | %s %v\n", p, q.text, a.column, a.values, b.column, b.values)
			case !slices.Equal(a.values, b.values):
				fmt.Fprintf(f, "VAL %d %s | %s %v | %v\n", p, q.text, a.column, a.values, b.values)
			default:
				fmt.Fprintf(f, "OK %d %s | %s %v\n", p, q.text, a.column, a.values)
			}
		}
	}
	f2, _ := os.Create("/tmp/clients.out")
	defer f2.Close()
	dir := t.TempDir()
	exec.Command("cp", "testdata/clients/mysql2/client.js", "testdata/clients/mysql2/package.json", "testdata/clients/mysql2/package-lock.json", dir).Run()
	c := exec.Command("npm", "ci", "--no-audit", "--no-fund"); c.Dir = dir
	if b, err := c.CombinedOutput(); err != nil { t.Fatal(string(b)) }
	for name, command := range map[string][]string{"pymysql": {"/usr/bin/python3", "testdata/clients/pymysql/client.py"}, "mysql2": {"node", filepath.Join(dir, "client.js")},
		"connectorj": {"java", "-cp", "/usr/share/java/mariadb-java-client.jar", "testdata/clients/connectorj/Client.java"}} {
		start := time.Now()
		got := one(wire, ok, func(s []string) []told { return outside(t, wire, s, command...) })
		t.Log(name, time.Since(start))
		for _, q := range ok {
			for p, g := range got[q] {
				want := w[q][p]
				switch {
				case g.err != "":
					fmt.Fprintf(f2, "ERR %s %d %s | %s | %s %v\n", name, p, q.text, g.err, want.column, want.values)
				case g.column != want.column:
					fmt.Fprintf(f2, "TYPE %s %d %s | %s %v | %s %v\n", name, p, q.text, g.column, g.values, want.column, want.values)
				case !slices.Equal(g.values, want.values):
					fmt.Fprintf(f2, "VAL %s %d %s | %s %v | %v\n", name, p, q.text, g.column, g.values, want.values)
				default:
					fmt.Fprintf(f2, "OK %s %d %s\n", name, p, q.text)
				}
			}
		}
	}
}
