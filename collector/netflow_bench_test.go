//go:build unix

package collector

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"
)

// cpuSeconds is the processor time used since start: what a core does in a
// second, also when it is not ours alone.
func cpuSeconds(start float64) float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano()+u.Stime.Nano()).Seconds() - start
}

// BenchmarkIPFIX decodes messages of 20 records of 20 fields. No conversation
// comes twice, so that the Community ID of each is hashed.
func BenchmarkIPFIX(b *testing.B) {
	d, err := NewDecoder(Config{}, &discard{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	template, data := benchIPFIX(20)
	record := benchRecord(0)
	d.Datagram(testExporter, testTime, template)
	b.ReportAllocs()
	start := cpuSeconds(0)
	n := uint32(0)
	for b.Loop() {
		binary.BigEndian.PutUint32(data[8:], n)
		for r := data[20:]; len(r) > 0; r = r[len(record):] {
			binary.BigEndian.PutUint32(r, n) // the source address
			n++
		}
		if o := d.Datagram(testExporter, testTime, data); o != Decoded {
			b.Fatal(o)
		}
	}
	b.ReportMetric(float64(b.N)*20/cpuSeconds(start)/1e6, "Mflows/cpu-s")
}

// BenchmarkV5 decodes datagrams of 30 records, no conversation twice.
func BenchmarkV5(b *testing.B) {
	d, err := NewDecoder(Config{}, &discard{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	data := v5Datagram(0, 30)
	b.ReportAllocs()
	start := cpuSeconds(0)
	n := uint32(0)
	for b.Loop() {
		binary.BigEndian.PutUint32(data[16:], n)
		for r := data[v5Header:]; len(r) > 0; r = r[v5Record:] {
			binary.BigEndian.PutUint32(r, n) // the source address
			n++
		}
		if o := d.Datagram(testExporter, testTime, data); o != Decoded {
			b.Fatal(o)
		}
	}
	b.ReportMetric(float64(b.N)*30/cpuSeconds(start)/1e6, "Mflows/cpu-s")
}
