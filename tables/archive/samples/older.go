package samples

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// Without makes a row file one that was written before some of its columns were
// there: it takes out of the footer the columns that may be NULL and are named.
// It returns how many they were.
func Without(path string, named func(column string) bool) (dropped int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	const tail = 8 // length of the footer, mark
	if len(b) < tail {
		return 0, errors.New("no row file")
	}
	from := len(b) - tail - int(binary.LittleEndian.Uint32(b[len(b)-tail:]))
	if from < 0 {
		return 0, errors.New("no row file")
	}
	var meta format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[from:len(b)-tail], &meta); err != nil {
		return 0, err
	}
	schema := meta.Schema[:1]
	var kept []int // leaves
	for i, leaf := 1, 0; i < len(meta.Schema); leaf++ {
		n := i + 1 // of a list, all of its levels
		for open := meta.Schema[i].NumChildren.V; open > 0; open-- {
			open += meta.Schema[n].NumChildren.V
			n++
		}
		e := &meta.Schema[i]
		if e.RepetitionType.V == format.Optional && named(e.Name) {
			dropped++
		} else {
			schema, kept = append(schema, meta.Schema[i:n]...), append(kept, leaf)
		}
		i = n
	}
	meta.Schema = schema
	meta.Schema[0].NumChildren.V -= int32(dropped)
	meta.ColumnOrders = pick(meta.ColumnOrders, kept)
	for i := range meta.RowGroups {
		g := &meta.RowGroups[i]
		g.Columns = pick(g.Columns, kept)
	}
	// Nor does it have checksums: where they are looked for, something else is.
	meta.KeyValueMetadata = slices.DeleteFunc(meta.KeyValueMetadata, func(k format.KeyValue) bool { return k.Key == "wiresql.checksums" })
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return 0, err
	}
	out := binary.LittleEndian.AppendUint32(append(append(b[:from:from], "older   "...), footer...), uint32(len(footer)))
	return dropped, os.WriteFile(path, append(out, b[len(b)-4:]...), 0o640)
}

func pick[T any](list []T, at []int) []T {
	var out []T
	for _, i := range at {
		out = append(out, list[i])
	}
	return out
}
