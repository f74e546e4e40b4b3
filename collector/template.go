package collector

import "github.com/wiresql/wiresql/tables"

type template struct{}
type options struct{}

func (o *options) rate() (r tables.Opt[int64]) { return r }

type flowScratch struct{}
type header struct{ received tables.Time }

func (w *work) dataSet(t *template, h *header, data []byte)                {}
func (d *Decoder) expireTemplates(e *exporter, s *stream, now tables.Time) {}
func (d *Decoder) dropTemplate(e *exporter, s *stream, id uint16)          {}
func (d *Decoder) load([]byte) error                                       { return nil }
func (d *Decoder) State() (data []byte, changed bool)                      { return nil, false }
func (w *work) netflow5()                                                  { w.unknown("x") }
func (w *work) netflow9()                                                  { w.unknown("x") }
func (w *work) ipfix()                                                     { w.unknown("x") }
