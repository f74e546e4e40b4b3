package rows

import (
	"slices"
	"testing"
)

func TestBlooms(t *testing.T) {
	flows := generateFlows(3000)
	f := write(t, Options{}, flows)
	wrong := 0
	for i := range flows {
		if !MayContain(f, "cid", flows[i].CID) || !MayContain(f, "flow_id", uint64(flows[i].FlowID)) ||
			!MayContain(f, "conn_id", uint64(flows[i].ConnID)) || !MayContain(f, "src_lo", flows[i].Src.Lo) || !MayContain(f, "dst_lo", flows[i].Dst.Lo) {
			t.Fatal("a value is denied")
		}
		if MayContain(f, "cid", flows[i].CID+1) {
			wrong++
		}
	}
	var asked, want []uint64
	for i := range flows {
		for _, v := range []uint64{flows[i].CID, flows[i].CID + 1} {
			if asked = append(asked, v); MayContain(f, "cid", v) {
				want = append(want, v)
			}
		}
	}
	if got := Possible(f, "cid", asked); !slices.Equal(got, want) {
		t.Errorf("%d of %d values are possible, want %d", len(got), len(asked), len(want))
	}
	if wrong > len(flows)/20 {
		t.Errorf("%d of %d absent values may be there", wrong, len(flows))
	}
	if !MayContain(f, "bytes", 1) || !MayContain(f, "absent", 1) || !MayContain(File{Path: "/absent"}, "cid", 1) {
		t.Error("without a filter the answer must be true")
	}
}
