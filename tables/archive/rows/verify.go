package rows

import (
	"context"
	"fmt"
	"hash/crc32"

	"github.com/parquet-go/parquet-go/format"

	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// Verified is what Verify read of a file.
type Verified struct {
	Bytes int64
	// Older files have no checksums of all their bytes, but of their pages at
	// the most.
	Older bool
}

// Verify reads a whole file, whatever was read of it before, and compares it
// with its checksums. A *sums.Error says where it is not as it was written.
func Verify(ctx context.Context, f File) (v Verified, err error) {
	file, err := openLasting(f)
	if err != nil {
		return v, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return v, err
	}
	v.Bytes = st.Size()
	file.Advise(0, 0, disk.Sequential)
	table, err := readTable(file, f.Path, v.Bytes, true)
	if err != nil {
		return v, err
	}
	if v.Older = table.Size() == 0; v.Older {
		return v, verifyPages(ctx, f)
	}
	return v, table.Scan(ctx, file)
}

// verifyPages compares the pages of a file with the checksums in their headers,
// where these have one.
func verifyPages(ctx context.Context, f File) error {
	file, pf, err := openParquet(f)
	if err != nil {
		return err
	}
	defer file.Close()
	for _, g := range pf.Metadata().RowGroups {
		for i := range g.Columns {
			if err := ctx.Err(); err != nil {
				return err
			}
			m := &g.Columns[i].MetaData
			r := chunkReader{file: file, window: readWindow, readScratch: new(readScratch)}
			if err := r.open(m, max(1, g.NumRows)); err != nil {
				return fmt.Errorf("%s: column %d: %w", f.Path, i, err)
			}
			if err := r.verify(f.Path); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify reads the chunk's pages to its end.
func (r *chunkReader) verify(path string) error {
	for r.at < r.end || len(r.raw) > 0 {
		at := r.at - int64(len(r.raw))
		wrong := func(reason string) error { return &sums.Error{File: path, Offset: at, Reason: reason} }
		var h format.PageHeader
		if err := r.header(&h); err != nil {
			return wrong("there is no page: " + err.Error())
		}
		size := int(h.CompressedPageSize)
		if size < 0 || size > maxPage {
			return wrong(errPages.Error())
		}
		page, err := r.peek(size)
		if err != nil || len(page) < size {
			return wrong("the page does not end within its column")
		}
		if h.CRC != 0 && crc32.ChecksumIEEE(page[:size]) != uint32(h.CRC) {
			return wrong("the page's checksum is not the one that was written")
		}
		r.raw = page[size:]
	}
	return nil
}
