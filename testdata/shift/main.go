// Command shift moves and stretches the time stamps of a pcap file:
//
//	shift -from 1766000000.25 -to 2026-06-12T10:14:00Z -stretch 15 recorded.pcap > moved.pcap
//
// A packet recorded t seconds after -from appears t x stretch seconds after
// -to; one recorded before -from is dropped. A minute of real traffic so
// becomes a quarter of an hour at a date the tests can rely on. Nothing but
// the record headers changes: no byte of a packet, no length, no order.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"
)

const (
	fileHeaderLength   = 24
	recordHeaderLength = 16
	// longestRecord is the largest snapshot length libpcap writes.
	longestRecord = 262144
)

// A mapping is the linear map from recorded to shown time.
type mapping struct {
	from, to int64 // nanoseconds since 1970
	stretch  int64
}

func (m mapping) apply(ns int64) int64 { return m.to + (ns-m.from)*m.stretch }

func main() {
	from := flag.String("from", "", "recorded time that becomes -to, in seconds since 1970 with a fraction (date +%s.%N)")
	to := flag.String("to", "", "time shown for -from, as in 2026-06-12T10:14:00Z")
	stretch := flag.Int64("stretch", 1, "how many seconds one recorded second becomes")
	flag.Parse()
	if err := run(*from, *to, *stretch, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "shift:", err)
		os.Exit(1)
	}
}

func run(from, to string, stretch int64, files []string) error {
	if len(files) != 1 {
		return errors.New("want one pcap file")
	}
	m, err := parseMapping(from, to, stretch)
	if err != nil {
		return err
	}
	in, err := os.Open(files[0])
	if err != nil {
		return err
	}
	defer in.Close()
	out := bufio.NewWriter(os.Stdout)
	if err := move(out, bufio.NewReader(in), m); err != nil {
		return fmt.Errorf("%s: %w", files[0], err)
	}
	return out.Flush()
}

func parseMapping(from, to string, stretch int64) (mapping, error) {
	seconds, ok := new(big.Rat).SetString(from)
	if !ok {
		return mapping{}, fmt.Errorf("-from %q is not a number of seconds", from)
	}
	ns := seconds.Mul(seconds, big.NewRat(int64(time.Second), 1))
	start, err := time.Parse(time.RFC3339, to)
	if err != nil {
		return mapping{}, fmt.Errorf("-to %q is not a time like 2026-06-12T10:14:00Z", to)
	}
	if stretch < 1 {
		return mapping{}, fmt.Errorf("-stretch %d is below 1", stretch)
	}
	return mapping{
		from:    new(big.Int).Quo(ns.Num(), ns.Denom()).Int64(),
		to:      start.UnixNano(),
		stretch: stretch,
	}, nil
}

// move copies the capture, rewriting the time of every record. It reads what
// tcpdump writes on a machine of either byte order, with microseconds or
// nanoseconds, and keeps both.
func move(out io.Writer, in io.Reader, m mapping) error {
	var header [fileHeaderLength]byte
	if _, err := io.ReadFull(in, header[:]); err != nil {
		return fmt.Errorf("file header: %w", err)
	}
	order, unit, err := readMagic(header[:4])
	if err != nil {
		return err
	}
	if _, err := out.Write(header[:]); err != nil {
		return err
	}
	record := make([]byte, recordHeaderLength+longestRecord)
	offset := int64(fileHeaderLength)
	for {
		if _, err := io.ReadFull(in, record[:recordHeaderLength]); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("record at offset %d: %w", offset, err)
		}
		length := order.Uint32(record[8:])
		if length > longestRecord {
			return fmt.Errorf("record at offset %d claims %d bytes", offset, length)
		}
		whole := record[:recordHeaderLength+int(length)]
		if _, err := io.ReadFull(in, whole[recordHeaderLength:]); err != nil {
			return fmt.Errorf("record at offset %d: %w", offset, err)
		}
		offset += int64(len(whole))

		recorded := int64(order.Uint32(whole))*int64(time.Second) + int64(order.Uint32(whole[4:]))*unit
		if recorded < m.from {
			continue
		}
		shown := m.apply(recorded)
		order.PutUint32(whole, uint32(shown/int64(time.Second)))
		order.PutUint32(whole[4:], uint32(shown%int64(time.Second)/unit))
		if _, err := out.Write(whole); err != nil {
			return err
		}
	}
}

// readMagic returns the byte order of a pcap file and how many nanoseconds
// its sub-second field counts.
func readMagic(magic []byte) (binary.ByteOrder, int64, error) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch order.Uint32(magic) {
		case 0xa1b2c3d4:
			return order, int64(time.Microsecond), nil
		case 0xa1b23c4d:
			return order, 1, nil
		}
	}
	return nil, 0, errors.New("not a pcap file")
}
