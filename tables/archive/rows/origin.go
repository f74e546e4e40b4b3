package rows

import (
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go/format"

	"github.com/wiresql/wiresql/tables"
)

// Origin says where the rows of a file come from. It stands in the file's
// footer, where parquet_kv_metadata of DuckDB and other readers find it; all of
// it is zero in files written before it was kept.
type Origin struct {
	// Program is what wrote the file, with its version; Writer the part of it,
	// as in the file's name.
	Program, Writer string
	// Schema is the version of the family's columns.
	Schema int
	// First and Last are when the first and the last of the rows arrived. A
	// merge keeps those of its inputs.
	First, Last tables.Time
	// Merged tells what the file was merged from; "" for rows as they came.
	Merged string
	// Folds tells that some of the rows are folds of floods.
	Folds bool
}

// The keys of the footer.
const (
	keyProgram = "wiresql.program"
	keyWriter  = "wiresql.writer"
	keySchema  = "wiresql.schema"
	keyFirst   = "wiresql.arrived_first" // as arrivalForm
	keyLast    = "wiresql.arrived_last"
	keyMerged  = "wiresql.merged_from"
	keyFolds   = "wiresql.flows_folded"

	foldedColumn = "flows_folded" // NULL but in folds

	arrivalForm = "2006-01-02T15:04:05.000000Z"
)

// keys are what a footer has of it.
func (o *Origin) keys() []format.KeyValue {
	var out []format.KeyValue
	put := func(key, value string) {
		if value != "" {
			out = append(out, format.KeyValue{Key: key, Value: value})
		}
	}
	put(keyProgram, o.Program)
	put(keyWriter, o.Writer)
	if o.Schema > 0 {
		put(keySchema, strconv.Itoa(o.Schema))
	}
	if o.Last > 0 {
		put(keyFirst, time.UnixMicro(int64(o.First)).UTC().Format(arrivalForm))
		put(keyLast, time.UnixMicro(int64(o.Last)).UTC().Format(arrivalForm))
	}
	put(keyMerged, o.Merged)
	if o.Folds {
		put(keyFolds, "yes")
	}
	return out
}

// originOf reads a footer. What can't be read is as if it were not there.
func originOf(lookup func(key string) (string, bool)) (o Origin) {
	arrival := func(key string) tables.Time {
		text, _ := lookup(key)
		t, err := time.Parse(arrivalForm, text)
		if err != nil {
			return 0
		}
		return tables.Time(t.UnixMicro())
	}
	o.Program, _ = lookup(keyProgram)
	o.Writer, _ = lookup(keyWriter)
	o.Merged, _ = lookup(keyMerged)
	_, o.Folds = lookup(keyFolds)
	if text, ok := lookup(keySchema); ok {
		o.Schema, _ = strconv.Atoi(text)
	}
	if o.First, o.Last = arrival(keyFirst), arrival(keyLast); o.First <= 0 || o.Last < o.First {
		o.First, o.Last = 0, 0
	}
	return o
}
