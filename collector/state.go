package collector

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"sort"

	"github.com/wiresql/wiresql/tables"
)

// What exporters said once and may not say again for half an hour, kept over a
// restart: templates and options. The file is checked as if a stranger had
// written it: what is broken in it is left out, what is no such file at all is
// an error.

const (
	stateVersion = 1
	// maxState is more than the limits let State write.
	maxState = 256 << 20
)

type savedState struct {
	Version   int             `json:"version"`
	Exporters []savedExporter `json:"exporters"`
}

type savedExporter struct {
	Address string        `json:"address"`
	Trusted bool          `json:"trusted,omitempty"`
	Streams []savedStream `json:"streams"`
}

type savedStream struct {
	Source       string            `json:"source"`
	Domain       uint32            `json:"domain"`
	Port         uint16            `json:"port"`
	Templates    []savedTemplate   `json:"templates,omitempty"`
	Boot         tables.Time       `json:"boot,omitempty"`
	Sampling     int64             `json:"sampling,omitempty"`
	Samplers     map[uint64]int64  `json:"samplers,omitempty"`
	IfSampling   map[int64]int64   `json:"interface_sampling,omitempty"`
	Interfaces   map[int64]string  `json:"interfaces,omitempty"`
	Applications map[string]string `json:"applications,omitempty"` // keys in hex
	VRFs         map[int64]string  `json:"vrfs,omitempty"`
}

type savedTemplate struct {
	ID      uint16 `json:"id"`
	Options bool   `json:"options,omitempty"`
	Scopes  int    `json:"scopes,omitempty"`
	Count   int    `json:"count"`
	Fields  []byte `json:"fields"` // the specifiers as sent
}

// State returns the templates and options, and whether they changed since the
// last call.
func (d *Decoder) State() (data []byte, changed bool) {
	changed = d.changed.Swap(false)
	d.mu.RLock()
	exporters := make([]*exporter, 0, len(d.exporters))
	for _, e := range d.exporters {
		exporters = append(exporters, e)
	}
	d.mu.RUnlock()
	sort.Slice(exporters, func(i, j int) bool { return exporters[i].addr.Compare(exporters[j].addr) < 0 })
	s := savedState{Version: stateVersion}
	for _, e := range exporters {
		if saved, any := e.save(); any {
			s.Exporters = append(s.Exporters, saved)
		}
	}
	data, err := json.Marshal(s)
	if err != nil { // none of its types can fail
		panic(err)
	}
	return data, changed
}

func (e *exporter) save() (saved savedExporter, any bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	saved = savedExporter{Address: e.addr.String(), Trusted: e.trusted}
	for key, first := range e.streams {
		for s := first; s != nil; s = s.next {
			o := &s.options
			kept := len(s.templates) + len(o.samplers) + len(o.ifRates) + len(o.interfaces) + len(o.applications) + len(o.vrfs)
			if kept == 0 && !o.general.Set && o.boot == 0 {
				continue
			}
			v := savedStream{
				Source: sourceNames[key.source], Domain: key.domain, Port: s.port,
				Boot: o.boot, Sampling: o.general.V, Samplers: o.samplers, IfSampling: o.ifRates,
				Interfaces: o.interfaces, VRFs: o.vrfs,
			}
			for _, t := range s.templates {
				v.Templates = append(v.Templates, savedTemplate{t.id, t.options, t.scopes, len(t.fields), t.raw})
			}
			sort.Slice(v.Templates, func(i, j int) bool { return v.Templates[i].ID < v.Templates[j].ID })
			for key, name := range o.applications {
				if v.Applications == nil {
					v.Applications = map[string]string{}
				}
				v.Applications[hex.EncodeToString([]byte(key))] = name
			}
			saved.Streams = append(saved.Streams, v.clone())
		}
	}
	sort.Slice(saved.Streams, func(i, j int) bool {
		a, b := &saved.Streams[i], &saved.Streams[j]
		if a.Source != b.Source {
			return a.Source < b.Source
		}
		return a.Domain < b.Domain || a.Domain == b.Domain && a.Port < b.Port
	})
	return saved, len(saved.Streams) > 0
}

// clone copies the maps, which are the exporter's.
func (v savedStream) clone() savedStream {
	v.Samplers, v.IfSampling = maps.Clone(v.Samplers), maps.Clone(v.IfSampling)
	v.Interfaces, v.VRFs = maps.Clone(v.Interfaces), maps.Clone(v.VRFs)
	return v
}

// load takes up what State returned.
func (d *Decoder) load(data []byte) error {
	if len(data) > maxState {
		return fmt.Errorf("templates of the last run: %d bytes are more than were ever written", len(data))
	}
	var s savedState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("templates of the last run: %w", err)
	}
	if s.Version != stateVersion {
		return fmt.Errorf("templates of the last run: version %d, known is %d", s.Version, stateVersion)
	}
	for i := range s.Exporters {
		saved := &s.Exporters[i]
		addr, err := tables.ParseAddr(saved.Address)
		if err != nil {
			continue
		}
		e := d.exporter(addr, 0)
		if e == nil {
			continue // no longer on the list
		}
		e.trusted = e.trusted || saved.Trusted
		for j := range saved.Streams {
			d.loadStream(e, &saved.Streams[j])
		}
		e.mu.Unlock()
	}
	d.changed.Store(false)
	return nil
}

func (d *Decoder) loadStream(e *exporter, v *savedStream) {
	key := streamKey{domain: v.Domain}
	switch v.Source {
	case sourceNames[sourceNetFlow9]:
		key.source = sourceNetFlow9
	case sourceNames[sourceIPFIX]:
		key.source = sourceIPFIX
	default:
		return
	}
	for s := e.streams[key]; s != nil; s = s.next {
		if s.port == v.Port {
			return // twice
		}
	}
	s := d.newStream(e, key, 0)
	if s == nil {
		return
	}
	s.port = v.Port
	for _, saved := range v.Templates {
		fields, rest := parseFields(key.source, saved.Fields, saved.Count)
		if fields == nil || len(rest) > 0 || s.templates[saved.ID] != nil {
			continue
		}
		if saved.Scopes < 0 || saved.Scopes > 0 != saved.Options && key.source == sourceIPFIX {
			continue
		}
		if t, _ := newTemplate(key.source, saved.ID, saved.Options, saved.Scopes, saved.Fields, fields); t != nil {
			d.keep(e, s, t)
		}
	}
	w := &work{d: d, e: e, s: s}
	o := &s.options
	if v.Boot > 0 {
		o.boot = v.Boot
	}
	rate := func(sampler, iface tables.Opt[uint64], n int64) {
		if n > 0 && n <= maxRate {
			w.learnRate(sampler, iface, n)
		}
	}
	none := tables.Opt[uint64]{}
	rate(none, none, v.Sampling)
	for id, n := range v.Samplers {
		rate(tables.Some(id), none, n)
	}
	for id, n := range v.IfSampling {
		rate(none, tables.Some(uint64(id)), n)
	}
	for id, name := range v.Interfaces {
		learnName(w, &o.interfaces, id, textOf([]byte(name)))
	}
	for id, name := range v.VRFs {
		learnName(w, &o.vrfs, id, textOf([]byte(name)))
	}
	for text, name := range v.Applications {
		if id, err := hex.DecodeString(text); err == nil && len(id) <= maxText {
			learnName(w, &o.applications, string(id), textOf([]byte(name)))
		}
	}
	e.linkWhole(key.source)
	s.counts = s.blank(0)
}
