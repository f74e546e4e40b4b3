// Package shell is wiresql's own SQL shell, over whatever answers statements:
// an archive that is read in the same process, or a server.
//
//   - source.go: what it asks. server.go: a server as such.
//   - shell.go: the loop from a line to an answer; command.go: the commands that
//     begin with a backslash, describe.go what \d tells.
//   - statement.go: where a statement ends.
//   - editor.go: lines as they are typed, kept in history.go. complete.go: what
//     TAB offers, catalogue.go: of what.
//   - progress.go, pager.go: what is shown while one waits, and of long answers.
//
// Lines are edited by github.com/peterh/liner: small, maintained, and content
// with a terminal that answers nothing (under script, expect, or in an editor's window). A
// statement of several lines is typed line by line, as in mysql, and comes back from the
// history as one.
package shell
