//go:build !linux

package capture

import (
	"errors"
	"log/slog"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Device is an interface packets are recorded from: on Linux.
type Device struct{}

// OpenDevice says that this is not Linux.
func OpenDevice(Interface, *slog.Logger) ([]*Device, error) {
	return nil, errors.New("packets are recorded from interfaces on Linux only")
}

// Next implements Source.
func (*Device) Next(*pcap.Record) error { return ErrIdle }

// Loss implements Source.
func (*Device) Loss() (received, dropped uint64) { return 0, 0 }

// LinkType implements Source.
func (*Device) LinkType() tables.LinkType { return tables.LinkEthernet }

// Close implements Source.
func (*Device) Close() error { return nil }

// State tells how the interface is.
func (*Device) State() DeviceState { return DeviceGone }

// Interface is what the Device records.
func (*Device) Interface() Interface { return Interface{} }

// Worker is which of the interface's workers it is.
func (*Device) Worker() int { return 0 }
