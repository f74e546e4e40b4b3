package collector

import "github.com/wiresql/wiresql/tables"

const (
	// maxAhead is how far an exporter's clock may be ahead of ours.
	maxAhead = tables.Time(60e6)
	// plausible is 2000-01-01: a device whose clock was never set counts from
	// 1970, or from when it was built.
	plausible = tables.Time(946684800e6)
	// maxDuration is the longest flow whose duration is believed when its
	// times are not.
	maxDuration = tables.Time(24 * 3600e6)
)

// sinceBoot turns milliseconds of a device's uptime into milliseconds since
// 1970, given its uptime at export. Uptime is 32 bits and wraps each 50 days:
// the difference is taken modulo that, and may be a little negative, since
// some exporters stamp the header before they fill in the last flows.
func sinceBoot(export int64, uptime, at uint32) tables.Time {
	return tables.Time(export-int64(int32(uptime-at))) * 1000
}

// times sets a row's times to those reported, in microseconds. What can't be
// is put at the time of arrival, and flagged.
func (w *work) times(r *tables.Export, start, end tables.Time, res int32, received tables.Time) {
	oldest := max(received-w.d.maxAge, plausible)
	if start <= end && start >= oldest && end <= received+maxAhead {
		r.TS, r.TSEnd, r.Resolution = start, end+tables.Time(res)-1, res
		return
	}
	duration := end - start
	if duration < 0 || duration > maxDuration {
		duration = 0
	}
	r.TS, r.TSEnd, r.Resolution = received-duration, received, 1
	r.TimeQuality = tables.TimesClamped
}

// clock notes how far an exporter's clock is from ours.
func (s *stream) clock(export, received tables.Time) {
	s.counts.ClockOffsetUs = tables.Some(int64(export - received))
}

// ExportTime returns when a datagram says it was sent, which sFlow's do not.
func ExportTime(data []byte) (t tables.Time, ok bool) {
	if len(data) < 16 || data[0] != 0 {
		return 0, false
	}
	var at int
	switch data[1] {
	case 5, 9:
		at = 8
	case 10:
		at = 4
	default:
		return 0, false
	}
	return tables.Time(number(data[at:at+4])) * 1e6, true
}
