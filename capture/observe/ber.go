package observe

// ber takes values of BER, and so of DER, apart (X.690 section 8): one after the other,
// each a tag and a content. What a length leads beyond the end of, as in packets that
// were cut, ends there.
type ber []byte

// Tags of universal types.
const (
	berInteger     = 0x02
	berBits        = 0x03
	berOctets      = 0x04
	berOID         = 0x06
	berEnumeration = 0x0a
	berSequence    = 0x30
)

// next takes the first value; tags of more than one byte are not of the protocols read.
func (r *ber) next() (tag byte, content ber, ok bool) {
	b := *r
	if len(b) < 2 {
		*r = nil
		return 0, nil, false
	}
	tag, n := b[0], int64(b[1])
	b = b[2:]
	if n&0x80 != 0 {
		k := int(n & 0x7f)
		if k > 4 || k > len(b) {
			*r = nil
			return 0, nil, false
		}
		n = 0
		for _, c := range b[:k] {
			n = n<<8 | int64(c)
		}
		if b = b[k:]; k == 0 { // until an end is marked: all of it
			n = int64(len(b))
		}
	}
	n = min(n, int64(len(b)))
	*r = b[n:]
	return tag, b[:n], true
}

// at is the content of the first value with a tag, or nil.
func (r ber) at(tag byte) ber {
	for len(r) > 0 {
		if t, content, ok := r.next(); ok && t == tag {
			return content
		}
	}
	return nil
}

// field is what stands in a sequence's explicit tag of a number: of a sequence or a
// string its content.
func (r ber) field(n byte) ber {
	inner := r.at(0xa0 | n)
	_, content, _ := inner.next()
	return content
}

// number is an integer; numbers of more than eight bytes are none of interest.
func (r ber) number() (v int64) {
	if len(r) == 0 || len(r) > 8 {
		return 0
	}
	v = int64(int8(r[0]))
	for _, c := range r[1:] {
		v = v<<8 | int64(c)
	}
	return v
}
