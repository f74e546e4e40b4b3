package collector

func (d *Decoder) load([]byte) error                  { return nil }
func (d *Decoder) State() (data []byte, changed bool) { return nil, false }
