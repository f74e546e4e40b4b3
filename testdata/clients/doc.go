// Package clients has programs that ask a server through the drivers people
// use, for tests of what the wire tells: a mock of a driver proves nothing.
//
// Each takes HOST PORT USER PASSWORD TLS FILE. TLS is 1 or 0 (a certificate is
// not verified), FILE has a statement per line. It prints a JSON object per
// statement and protocol:
//
//	{"binary": false, "columns": [{"name", "type", "scale", "unsigned"}], "rows": [[…]], "error": "…"}
//
// PyMySQL adds "warnings", their number as the end of the rows tells it.
//
// libmariadb and python hold conversations instead: they take no FILE and print
// a line per step, which is the same whichever server they speak with. axe names what
// looks at the page in a browser.
//
// type is the driver's name or number of the type. Values are text, null for
// NULL; bytes are "0x" and hex.
package clients
