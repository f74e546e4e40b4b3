package archive

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
)

// systemStart is bootID, which does not change.
var systemStart = sync.OnceValue(bootID)

// readClocks reads the machine's clocks. The one that counts from its start goes on
// while it sleeps.
func readClocks() reading {
	r := reading{wall: tables.Time(time.Now().UnixMicro()), boot: systemStart()}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		r.boot = "" // nothing but the clock tells what passes
	}
	r.up = time.Duration(up.Nano())
	return r
}
