package capture

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestRecordedHTTP2: testdata/http2 has what its script made of nginx, nghttpd, nghttpx, curl and nghttp, request by
// request: bodies are as long as the files, and what else is here is what tshark shows.
func TestRecordedHTTP2(t *testing.T) {
	const want = `
2 80 GET 10.9.0.1/index.html 200, 0 asked, 1892 answered, text/html, "agent/1.0" "" "" ""
2 80 GET docs.office.test/docs/report.csv?year=2026 200, 0 asked, 13893 answered, text/csv, "agent/1.0" "http://other.office.test/" "Report 2026.csv" ""
2 80 HEAD 10.9.0.1/empty 200, 0 asked, 0 answered, text/plain, "agent/1.0" "" "" ""
2 80 POST 10.9.0.1/take 204, 0 asked, 0 answered, application/x-www-form-urlencoded, "agent/1.0" "" "" ""
2 80 GET 10.9.0.1/secret 401, 0 asked, 179 answered, text/html, "agent/1.0" "" "" "gavin"
2 80 GET 10.9.0.1/secret 200, 0 asked, 0 answered, text/plain, "agent/1.0" "" "" "gavin"
2 80 GET 10.9.0.1/away 302, 0 asked, 145 answered, text/html, "agent/1.0" "" "" ""
2 80 GET 10.9.0.1/index.html 200, 0 asked, 1892 answered, text/html, "agent/2.0" "" "" ""
2 80 GET 10.9.0.1/docs/report.csv 200, 0 asked, 13893 answered, text/csv, "agent/2.0" "" "Report 2026.csv" ""
2 80 GET 10.9.0.1/empty 200, 0 asked, 0 answered, text/plain, "agent/2.0" "" "" ""
2 8080 GET 10.9.0.1/index.html 200, 0 asked, 1892 answered, text/html, "agent/2.0" "" "" ""
2 8080 GET 10.9.0.1/docs/report.csv 200, 0 asked, 13893 answered, text/csv, "" "" "" ""
2 8080 POST 10.9.0.1/docs/report.csv 200, 292 asked, 13893 answered, text/csv, "agent/2.0" "" "" ""
1.1 3000 GET 10.9.0.1/index.html 200, 0 asked, 1892 answered, text/html, "agent/1.0" "" "" ""
2 3000 GET 10.9.0.1/empty 200, 0 asked, 0 answered, , "agent/1.0" "" "" ""
1.1 3000 GET 10.9.0.1/index.html 200, 0 asked, 1892 answered, text/html, "agent/2.0" "" "" ""
2 3000 GET 10.9.0.1/docs/report.csv 200, 0 asked, 13893 answered, text/csv, "" "" "" ""
2 3000 GET 10.9.0.1/docs/report.csv 200, 0 asked, 13893 answered, text/csv, "agent/2.0" "" "" ""
http_basic gavin failure 401
http_basic gavin success 
`
	rows := meterFile(t, "../testdata/http2/http2.pcap")
	slices.SortStableFunc(rows.HTTP, func(a, b tables.HTTP) int { return cmp.Compare(a.TS, b.TS) })
	flows := map[tables.ID]tables.Flow{}
	for _, f := range rows.flows {
		flows[f.ConnID] = f
	}
	got := "\n"
	for i := range rows.HTTP {
		r := &rows.HTTP[i]
		got += fmt.Sprintf("%s %d %s %s%s %d, %d asked, %d answered, %s, %q %q %q %q\n", r.Version, r.ServerPort, r.Method, r.Host, r.URI, r.Status.V,
			r.RequestLength.V, r.ResponseLength.V, r.ContentType, r.UserAgent, r.Referer, r.FileName, r.Username)
		if f := flows[r.ConnID]; f.Service != "http" || f.ServerName != r.Host && r.Host != "docs.office.test" || !r.PacketID.Set || r.Client != f.Src {
			t.Errorf("%+v of %+v", r, f)
		}
	}
	for i := range rows.Logins {
		l := &rows.Logins[i]
		got += fmt.Sprintln(l.Protocol, l.Username, l.Outcome, l.Error)
	}
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
