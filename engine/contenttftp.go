package engine

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strconv"
)

// carveTFTP puts blocks together (RFC 1350), which are numbered from 1 on. How long they are is
// what was agreed on (RFC 2348); where that was not captured, they tell it.
func carveTFTP(ctx context.Context, all []heard, f fileID, limit int) (c content, err error) {
	agreed, last := 0, int64(0)
	blocks := map[int64]*heard{}
	// A server may move files between the same ports one after another.
	all = all[1+slices.IndexFunc(all, func(p heard) bool { return p.id == f.begin }):]
	for i := range all {
		b := all[i].payload
		if i%1024 == 0 && ctx.Err() != nil {
			return c, ctx.Err()
		}
		if len(b) < 4 || b[0] != 0 {
			continue
		}
		if (b[1] == 1 || b[1] == 2) && len(blocks) > 0 {
			break
		}
		if b[1] == 6 && agreed == 0 {
			agreed = blockSize(b[2:])
		}
		if b[1] != 3 {
			continue
		}
		n := last + int64(int16(uint16(b[2])<<8|uint16(b[3])-uint16(last)))
		if n < 1 {
			continue
		}
		if before := blocks[n]; before == nil {
			blocks[n], last = &all[i], max(last, n)
		} else if k := min(len(b), len(before.payload)); len(b)+all[i].lost != len(before.payload)+before.lost || !bytes.Equal(b[:k], before.payload[:k]) {
			c.lack("block %d came twice, and not the same: the one that came first is there", n)
		}
	}
	if len(blocks) == 0 {
		return c, errNotFound
	}
	numbers := slices.Sorted(maps.Keys(blocks))
	sizeOf := func(n int64) int { return len(blocks[n].payload) + blocks[n].lost - 4 }
	length := agreed
	switch {
	case agreed > 0:
	case len(numbers) > 1:
		length = sizeOf(numbers[0])
	default:
		length = max(tftpBlock, sizeOf(numbers[0]))
	}
	due := int64(1)
	for _, n := range numbers {
		p := blocks[n]
		size, at := sizeOf(n), int(n-1)*length
		if size > length || size < length && n != last || length == 0 {
			return content{}, errBlocks
		}
		end := at + size
		if end > limit {
			return c, errTooLong
		}
		if n > due {
			c.lack("%s missing from byte %d on", quantity((n-due)*int64(length), "byte"), (due-1)*int64(length))
		}
		c.data = append(c.data, make([]byte, end-len(c.data))...)
		if copy(c.data[at:], p.payload[4:]); p.lost > 0 {
			c.lack("%s of block %d not captured", quantity(int64(p.lost), "byte"), n)
		}
		due = n + 1
	}
	if sizeOf(last) == length {
		c.lack("the last block was not captured")
	}
	return c, nil
}

// tftpBlock is how long a block is, unless something else was agreed on.
const tftpBlock = 512

// blockSize is the length of a block in options, 0 if there is none.
func blockSize(options []byte) int {
	fields := bytes.Split(bytes.ToLower(options), []byte{0})
	for i := 0; i+1 < len(fields); i += 2 {
		if string(fields[i]) == "blksize" {
			if n, err := strconv.Atoi(string(fields[i+1])); err == nil && n >= 8 && n <= 65464 {
				return n
			}
		}
	}
	return 0
}
