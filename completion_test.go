package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/sqlserver"
)

func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"sh":                         "shell",
		"help ver":                   "verify version",
		"query --form":               "--format",
		"query --format m":           "markdown",
		"query --log=info --format ": "csv json line markdown parquet table",
		"hunt ":                      "list run show",
		"hunt show beacon":           "beacon_sni beaconing beaconing_jitter",
		"hunt --all run dg":          "dga",
		"query --data ":              "",
		"nosuch x":                   "",
		"completion ":                "bash fish zsh",
	} {
		if got := strings.Join(nextWords(strings.Split(line, " ")), " "); got != want {
			t.Errorf("%q goes on with %q, want %q", line, got, want)
		}
	}
	if code, _, said := runProgram(t, nil, "completion", "tcsh"); code == 0 || !strings.Contains(said, "none for tcsh") {
		t.Errorf("completion for tcsh: %d, %s", code, said)
	}
	// What bash makes of it.
	dir := t.TempDir()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := "#!/bin/sh\n" + runAsProgram + "=1 exec " + binary + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "wiresql"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "--norc", "-c", `eval "$(wiresql completion bash)"; complete -p wiresql
COMP_WORDS=(wiresql hunt run dg); COMP_CWORD=3; _wiresql; echo "found ${COMPREPLY[*]}"`)
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "-F _wiresql wiresql") || !strings.Contains(string(out), "found dga\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestClientGuides: the commands of the pages of mariadb and Python, and what
// connect-info says of them, reach a server as it is after its first start.
func TestClientGuides(t *testing.T) {
	dir := t.TempDir()
	cfg := sqlserver.DefaultConfig()
	cfg.Dir, cfg.Listen = filepath.Join(dir, "archive", "serve"), "127.0.0.1:0"
	server := sqlserver.New(cfg, demoEngine(t), nil)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	_, port, _ := strings.Cut(server.Addr().String(), ":")
	block := regexp.MustCompile("(?ms)^```(sh|python)\n(.*?)^```")
	run := func(page, language, text string) {
		t.Helper()
		name, args := "sh", []string{"-e"}
		if language == "python" {
			name, args = "/usr/bin/python3", nil
		}
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Stdin = dir, strings.NewReader(text)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 {
			t.Errorf("%s: %v: %s\n%s", page, err, text, out)
		}
	}
	for _, page := range []string{"mariadb", "python"} {
		script, language := "", ""
		for _, m := range block.FindAllStringSubmatch(fileText(t, "docs/clients/"+page+".md"), -1) {
			language = m[1]
			script += strings.NewReplacer("-P 3306", "-P "+port, "port=3306", "port="+port).Replace(m[2])
		}
		run(page, language, script)
		capture := filepath.Join(dir, "dns.pcapng")
		if n := countPackets(t, capture, "port 53"); n == 0 || n != countPackets(t, capture, "") {
			t.Errorf("%s: %d packets to port 53", page, n)
		}
		if err := os.Remove(capture); err != nil {
			t.Error(err)
		}
	}
	code, info, said := runProgram(t, nil, "connect-info", "--data", filepath.Join(dir, "archive"), "--listen", "0.0.0.0:"+port)
	if code != 0 {
		t.Fatal(said)
	}
	lines := map[string]string{}
	for _, line := range strings.Split(info, "\n") {
		if name, rest, ok := strings.Cut(line, " "); ok {
			lines[name] = strings.TrimSpace(rest)
		}
	}
	for listen, want := range map[string]string{"": "none: ", "[::1]:8080": "http://[::1]:8080/", ":8443": "https://127.0.0.1:8443/"} {
		if _, info, said := runProgram(t, nil, "connect-info", "--http", listen); !strings.Contains(info, "\nBrowser   "+want) {
			t.Errorf("the page at %q: %s%s", listen, info, said)
		}
	}
	run("connect-info", "sh", lines["mariadb"]+" -e 'SELECT 1'")
	run("connect-info", "python", "import pymysql; print("+lines["Python"]+")")
	pages, err := filepath.Glob("docs/clients/*.md")
	if err != nil || len(pages) < 6 {
		t.Errorf("%v, %v", pages, err)
	}
	for _, page := range pages {
		if !strings.Contains(fileText(t, "docs/serving.md"), "(clients/"+filepath.Base(page)+")") {
			t.Errorf("docs/serving.md does not lead to %s", page)
		}
	}
}

// TestManPage: it names every command, with its flags.
func TestManPage(t *testing.T) {
	for name := range commands() {
		if !regexp.MustCompile(`(?m)^\.SS ` + regexp.QuoteMeta(roff(name))).MatchString(manPage()) {
			t.Errorf("it does not name %s", name)
		}
	}
	if !slices.Contains(strings.Split(manPage(), "\n"), `.B \-\-pcap string`) {
		t.Errorf("it has no flags:\n%s", manPage())
	}
}
