package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/wiresql/wiresql/tables"
)

func connectCommand() *command {
	return &command{
		summary:  "print how programs connect to the server of a configuration",
		sections: []string{"server"},
		run: func(_ context.Context, p *program, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("unexpected argument %q", args[0])
			}
			host, port, err := net.SplitHostPort(p.config.Server.Listen)
			if err != nil {
				return fmt.Errorf("server.listen: %w", err)
			}
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1" // others write the machine's name
			}
			dir, err := filepath.Abs(filepath.Join(p.config.Data, "serve"))
			if err != nil {
				return err
			}
			certificate := filepath.Join(dir, "tls", "cert.pem")
			if p.config.Server.TLSCert != "" {
				certificate = p.config.Server.TLSCert
			}
			page := ""
			if p.config.Server.HTTP != "" {
				if page, err = pageURL(p.config.Server.HTTP); err != nil {
					return fmt.Errorf("server.http: %w", err)
				}
			}
			return connectText.Execute(p.stdout, map[string]string{"Page": page, "Host": host, "Port": port, "Address": net.JoinHostPort(host, port),
				"CA": certificate, "Password": filepath.Join(dir, "password"), "Database": tables.Main})
		},
	}
}

// pageURL is where the page is that listens at an address: http only where nobody else
// reaches it.
func pageURL(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	scheme, ip := "https", net.ParseIP(host)
	switch {
	case host == "localhost" || ip != nil && ip.IsLoopback():
		scheme = "http"
	case host == "" || ip != nil && ip.IsUnspecified():
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/", nil
}

// shellQuoted and the like write a text as a language has it.
var connectText = template.Must(template.New("").Funcs(template.FuncMap{
	"sh": func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
	"py": func(s string) string { return fmt.Sprintf("%q", s) },
}).Parse(`Account   wiresql, its password in {{.Password}}; others stand in the file accounts beside it
TLS       always; the certificate to check is {{.CA}}
Others    on another machine write this one's name for {{.Host}}, if server.listen is reachable from there

wiresql   wiresql shell --server {{.Address}} --tls-ca {{sh .CA}} --password-file {{sh .Password}}
mariadb   MYSQL_PWD=$(cat {{sh .Password}}) mariadb -h {{.Host}} -P {{.Port}} -u wiresql -D {{.Database}} --ssl-ca={{sh .CA}} --ssl-verify-server-cert
Python    pymysql.connect(host={{py .Host}}, port={{.Port}}, user="wiresql", password=open({{py .Password}}).read().strip(), database="{{.Database}}", ssl={"ca": {{py .CA}}})
Go        wiresql:PASSWORD@tcp({{.Address}})/{{.Database}}?tls=skip-verify&parseTime=true
JDBC      jdbc:mysql://{{.Address}}/{{.Database}}?sslMode=REQUIRED&allowPublicKeyRetrieval=false
          jdbc:mariadb://{{.Address}}/{{.Database}}?sslMode=verify-ca&serverSslCert={{.CA}}
ODBC      Driver={MariaDB Unicode};Server={{.Host}};Port={{.Port}};Database={{.Database}};User=wiresql;Password=PASSWORD;SSLCA={{.CA}};SSLVERIFY=1
Browser   {{with .Page}}{{.}}, the same accounts{{else}}none: wiresql serve --http 127.0.0.1:8080 serves a page{{end}}
Grafana   MySQL data source: host {{.Address}}, database {{.Database}}, CA certificate {{.CA}}, session timezone +00:00, min time interval 1s
`))
