package collector

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables/archive/disk"
)

// What is kept from one run to the next, in the state folder.
const (
	templatesFile = "collector.json"
	runFile       = "collector.run"
	// maxKept bounds what is read of either.
	maxKept = 256 << 20
)

// maxRun is the largest number of a run: the lower half of the streams that
// flow ids know. The upper half is left to imports, which number themselves
// by what they import.
const maxRun = maxStream / 2

// nextRun gives this run its number, one more than the last one's, and keeps
// it before any flow id is made of it. A folder without a number begins
// anywhere: whoever removed it should not get the ids of the past again.
func nextRun(d disk.Disk, path string) (uint32, error) {
	if err := disk.MakeDir(d, filepath.Dir(path), 0o750); err != nil {
		return 0, err
	}
	text, err := disk.ReadFile(d, path, maxKept)
	run := 1 + rand.Uint32N(maxRun)
	switch {
	case err == nil:
		last, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
		if err == nil && last >= 1 && last <= maxRun {
			run = uint32(last)%maxRun + 1
		}
	case !errors.Is(err, fs.ErrNotExist):
		return 0, err
	}
	return run, disk.Replace(d, path, []byte(strconv.FormatUint(uint64(run), 10)+"\n"), 0o640)
}

// decoderOf makes the decoder, with the templates of the last run. Templates
// that can't be read are left aside: exporters repeat them, and a record that
// refused to start would lose what they send meanwhile.
func (c *Collector) decoderOf(cfg Config) (*Decoder, error) {
	path := filepath.Join(c.state, templatesFile)
	state, err := disk.ReadFile(c.disk, path, maxKept)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Error("templates of the last run", "error", err)
	}
	d, err := NewDecoder(cfg, c.sink, state)
	if err == nil || len(state) == 0 {
		return d, err
	}
	d, plain := NewDecoder(cfg, c.sink, nil)
	if plain == nil {
		c.log.Error("templates of the last run are left aside", "file", path, "error", err)
	}
	return d, plain
}

// keepTemplates replaces the file of templates and options when they changed.
func (c *Collector) keepTemplates() error {
	if data, changed := c.decoder.State(); changed {
		c.unsaved = data
	}
	if c.unsaved == nil {
		return nil
	}
	if err := disk.Replace(c.disk, filepath.Join(c.state, templatesFile), c.unsaved, 0o640); err != nil {
		return fmt.Errorf("keep templates: %w", err)
	}
	c.unsaved = nil
	return nil
}
