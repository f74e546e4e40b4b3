package output

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// TestParquet: another reading of the file gives types, names in their order and values.
func TestParquet(t *testing.T) {
	types := []string{"datetime(6)", "varchar(255)", "bigint", "decimal(41,4)", "longblob", "tinyint(1)", "double", "date", "bigint unsigned", "time(6)", "decimal(3,2)"}
	rows := &given{names: []string{"ts", "host", "n", "sum", "frame", "n", "share", "day", "big", "for", "n"}, rows: [][]any{
		{"2026-06-12 10:15:00.000005", "gavin\n€", Number("-1234567890123456789"), Number("-12345678901234567890123456789012.5"), []byte{0, 255}, Number("1"), Number("1e21"), "1969-12-31", Number("18446744073709551615"), "10:00:00", Number("0.05")},
		make([]any, 11),
	}}
	var columns []Column
	for i, name := range rows.names {
		columns = append(columns, ColumnOf(name, types[i]))
	}
	var out bytes.Buffer
	if err := WriteParquet(&out, columns, rows); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range f.Root().Columns() {
		names = append(names, c.Name()+" "+strings.TrimPrefix(c.Type().String(), "optional "))
	}
	want := []string{"ts TIMESTAMP(isAdjustedToUTC=false,unit=MICROS)", "host STRING", "n INT(64,true)", "sum DECIMAL(38,4)", "frame BYTE_ARRAY", "n_2 INT(8,true)", "share DOUBLE", "day DATE", "big INT(64,false)", "for STRING", "n_3 DECIMAL(3,2)"}
	if !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	got := make([]parquet.Row, 3)
	n, _ := parquet.NewReader(bytes.NewReader(out.Bytes())).ReadRows(got)
	if n != 2 {
		t.Fatalf("%d rows", n)
	}
	const values = `1781259300000005 gavin
€ -1234567890123456789 ffe8391c4028f0211513be8e8d233f38 00ff 1 1e+21 -1 18446744073709551615 10:00:00 00000000000000000000000000000005`
	var text []string
	for i, v := range got[0] {
		switch {
		case v.Kind() == parquet.FixedLenByteArray, i == 4:
			text = append(text, fmt.Sprintf("%x", v.ByteArray()))
		case i == 8:
			text = append(text, fmt.Sprint(v.Uint64()))
		default:
			text = append(text, v.String())
		}
	}
	if s := strings.Join(text, " "); s != values {
		t.Errorf("%s", s)
	}
	for i, v := range got[1] {
		if !v.IsNull() {
			t.Errorf("column %d: %v", i, v)
		}
	}
	for text, kind := range map[string]string{"1e99": "decimal(3,2)", strings.Repeat("9", 39): "decimal(41,0)", "300": "tinyint", "x": "datetime"} {
		if err := WriteParquet(&out, []Column{ColumnOf("a", kind)}, &given{names: []string{"a"}, rows: [][]any{{Number(text)}}}); err == nil || !strings.Contains(err.Error(), "column a") {
			t.Errorf("%s as %s: %v", text, kind, err)
		}
	}
}
