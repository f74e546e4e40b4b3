package collector

// sflow decodes the datagram at hand, w.data, as sFlow v5: w.open finds its
// stream, w.row and w.seal make its rows.
func (w *work) sflow() { w.unknown("sFlow v5 is not decoded") }
