// Package web is a page for browsers: hunts as forms, results as tables with
// their times drawn, what a host did, a connection with its packets, and packets
// to take along.
//
// It is a client of the MySQL server and nothing else: every view is the answer
// to statements, which it shows, asked by the account that logged in, over a
// connection of its own. So what is said of any client holds for a browser:
// rights, limits, warnings, cancellation when it leaves, the log of statements.
//
//   - server.go: listening, routes, what each answer's header says.
//   - session.go: logging in and out; who a request is from.
//   - answer.go: a statement and its rows; link.go where values lead to;
//     chart.go their times; span.go the time a view is about.
//   - view.go: how a view is written, a piece as soon as it is known;
//     overview.go, hunts.go, statement.go, host.go, connection.go, capture.go,
//     search.go a view each.
//   - templates, static: HTML, style, the little script there is, and uPlot
//     (static/uplot, version 1.6.32, MIT), which draws.
//
// Texts of packets are hostile: they come into HTML through html/template only,
// and no script runs that is not a file of this package.
package web
