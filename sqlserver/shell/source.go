package shell

import (
	"context"

	"github.com/wiresql/wiresql/sqlserver/output"
)

// Source answers statements, one at a time.
type Source interface {
	// Query begins a statement. It ends, with an error, when ctx does.
	Query(ctx context.Context, statement string) (Answer, error)
	// State says in a few words what the statement that runs does at the moment. Another
	// goroutine than that of Query may ask.
	State(ctx context.Context) string
	// Export writes the packets that a statement's rows name to a new file.
	Export(ctx context.Context, statement, path string) (Exported, error)
	Close() error
}

// Answer is what a statement gives; no columns where that is no rows. It must be
// closed before the next statement.
type Answer interface {
	output.Rows
	// Warnings are the statement's, once its rows are read.
	Warnings() []string
	Close() error
}

// Exported says what was written to a file of packets.
type Exported struct {
	// Said is a line for people.
	Said string
	// Missing says what could not be read.
	Missing []string
}
