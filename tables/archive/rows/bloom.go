package rows

import (
	"encoding/binary"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/bloom/xxhash"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// bloomBudget bounds the filters kept in memory: 10 bits a value make this
// 200 million values.
const bloomBudget = 256 << 20

// filters are the bloom filters that were asked for, by file and column: one
// per row group.
var filters = cache[bloomKey, []bloom.SplitBlockFilter]{budget: bloomBudget}

type bloomKey struct {
	path   string
	size   int64
	column string
}

// MayContain tells whether a column of f may hold value, by its bloom filters;
// true when there are none. For columns of numbers: cid, flow_id, conn_id and
// the low words of addresses.
func MayContain(f File, column string, value uint64) bool { return ShareOf(f, column, value) > 0 }

// ShareOf is the share of a file's row groups that may hold value, from 0 to 1.
func ShareOf(f File, column string, value uint64) float64 {
	groups := filtersOf(f, column)
	if len(groups) == 0 {
		return 1
	}
	hash := xxhash.Sum64(binary.LittleEndian.AppendUint64(nil, value))
	n := 0
	for _, g := range groups {
		if g.Check(hash) {
			n++
		}
	}
	return float64(n) / float64(len(groups))
}

// Possible returns those of many values that a column of f may hold, as MayContain
// tells of one.
func Possible(f File, column string, values []uint64) (possible []uint64) {
	groups := filtersOf(f, column)
	if len(groups) == 0 {
		return values
	}
	for _, v := range values {
		hash := hash64(int64(v))
		if slices.ContainsFunc(groups, func(g bloom.SplitBlockFilter) bool { return g.Check(hash) }) {
			possible = append(possible, v)
		}
	}
	return possible
}

// filtersOf returns the filters of a column, one per row group, or none.
func filtersOf(f File, column string) []bloom.SplitBlockFilter {
	key := bloomKey{f.Path, f.Bytes, column}
	groups, ok := filters.get(key)
	if ok {
		return groups
	}
	groups = readFilters(f, column)
	var size int64
	for _, g := range groups {
		size += int64(len(g.Bytes()))
	}
	filters.put(key, groups, size)
	return groups
}

// readFilters returns none unless every row group has a filter for the column.
func readFilters(f File, column string) []bloom.SplitBlockFilter {
	file, err := openChecked(f)
	if err != nil {
		return nil
	}
	defer file.Close()
	pf, err := metadataOf(f.Path, file)
	if err != nil {
		return nil
	}
	leaf, ok := pf.Schema().Lookup(column)
	if !ok || !isKind(leaf.Node.Type(), parquet.Int64) {
		return nil
	}
	var out []bloom.SplitBlockFilter
	for _, g := range pf.Metadata().RowGroups {
		if leaf.ColumnIndex >= len(g.Columns) {
			return nil
		}
		bits := readFilter(file, g.Columns[leaf.ColumnIndex].MetaData.BloomFilterOffset, pf.Size())
		if bits == nil {
			return nil
		}
		out = append(out, bloom.MakeSplitBlockFilter(bits))
	}
	return out
}

// readFilter reads the filter that begins somewhere in a file of a size; nil if
// it is none of ours.
func readFilter(file io.ReaderAt, at, size int64) []byte {
	const most = 64 // bytes of a header; it has 15
	if at <= 0 || at >= size {
		return nil
	}
	head := make([]byte, min(most, size-at))
	if n, err := file.ReadAt(head, at); n < len(head) && err != nil {
		return nil
	}
	var h format.BloomFilterHeader
	in := new(thrift.CompactProtocol).NewReaderFromBytes(head)
	if err := thrift.NewDecoder(in).Decode(&h); err != nil {
		return nil
	}
	_, blocks := h.Algorithm.Value.(*format.SplitBlockAlgorithm)
	_, hash := h.Hash.Value.(*format.XxHash)
	_, plain := h.Compression.Value.(*format.BloomFilterUncompressed)
	n, at := int64(h.NumBytes), at+int64(in.BytesRead())
	if !blocks || !hash || !plain || n <= 0 || n > min(size-at, bloomBudget) || n%bloom.BlockSize != 0 {
		return nil
	}
	bits := make([]byte, n)
	if read, err := file.ReadAt(bits, at); int64(read) < n || err != nil && err != io.EOF {
		return nil
	}
	return bits
}
