package collector

import "github.com/wiresql/wiresql/tables"

// A data source (an interface) numbers its samples, each kind by itself, and
// counts the samples the agent had no room for. Both go on over datagrams, so
// they tell what was lost also where datagrams came in full: an agent that
// drops samples sends no fewer datagrams.

// sflowSourceKey names a count of an agent's data source.
type sflowSourceKey struct {
	class, index uint32
	kind         uint8
}

// sflowCount is where such a count stands.
type sflowCount struct{ sequence, drops uint32 }

// maxSFlowSources bounds the counts kept of one stream; a big chassis has a
// thousand ports, in two kinds. More are not accounted for.
const maxSFlowSources = 4096

// maxSFlowJump is how far a count may step and still be one: beyond, it began
// anew.
const maxSFlowJump = 1 << 24

// sflowSamples is what is known of the samples of one stream.
type sflowSamples struct {
	counts map[sflowSourceKey]sflowCount
	names  map[uint32]string // of ports, by ifIndex
	rate   tables.Opt[int64] // of the last flow sample
	bytes  int64             // taken of what all streams may
}

// Of all streams together: so many bytes, as estimated, half of them for
// exporters that have brought no records yet.
const (
	maxAllSampleBytes = 64 << 20
	countBytes        = 64
)

// roomForSample takes n bytes for something new to remember.
func (w *work) roomForSample(n int64) bool {
	if !reserve(&w.d.samples, maxAllSampleBytes, n, w.e.trusted) {
		return false
	}
	w.s.samples.bytes += n
	return true
}

// accountSamples enters what a datagram's samples say of their sources. Samples that
// come late or twice count neither way: their datagram's number tells of them.
func (w *work) accountSamples(list []sflowSource) {
	a, c := w.s.samples, &w.s.counts
	for i := range list {
		from := &list[i]
		key := sflowSourceKey{from.class, from.index, from.kind}
		last, known := a.counts[key]
		now := sflowCount{from.sequence, from.drops}
		if !known {
			if len(a.counts) >= maxSFlowSources || !w.roomForSample(countBytes) {
				continue
			}
			if a.counts == nil {
				a.counts = map[sflowSourceKey]sflowCount{}
			}
			a.counts[key] = now
			continue
		}
		step := int32(now.sequence - last.sequence)
		if step <= 0 && step > -maxSFlowLate {
			continue
		}
		if step > 1 && step < maxSFlowJump {
			c.SamplesLost += int64(step - 1)
		}
		if drops := now.drops - last.drops; from.kind != sflowCounter && step > 0 && drops < maxSFlowJump {
			c.SamplesDropped += int64(drops)
		}
		a.counts[key] = now
	}
}

// maxSFlowLate is how far back a sample's number may lie and be taken for one
// that comes late, not for a new start.
const maxSFlowLate = 256

// maxPortNames bounds the names of ports kept of one stream.
const maxPortNames = 4096

// learnPorts remembers the names of ports.
func (w *work) learnPorts(list []sflowPortName) {
	a := w.s.samples
	for _, p := range list {
		if a.names[p.index] == p.name {
			continue
		}
		if _, known := a.names[p.index]; !known && len(a.names) >= maxPortNames || !w.roomForSample(countBytes+int64(len(p.name))) {
			continue
		}
		if a.names == nil {
			a.names = map[uint32]string{}
		}
		a.names[p.index] = p.name
	}
}
