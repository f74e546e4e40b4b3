//go:build !linux

package archive

import (
	"fmt"
	"os"
	"time"

	"github.com/wiresql/wiresql/tables"
)

var (
	processBegan = time.Now()
	processName  = fmt.Sprintf("process %d of %d", os.Getpid(), processBegan.UnixNano())
)

// readClocks reads the machine's clock, and what passed since the process began.
func readClocks() reading {
	return reading{tables.Time(time.Now().UnixMicro()), processName, time.Since(processBegan)}
}
