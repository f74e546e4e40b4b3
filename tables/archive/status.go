package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"

	"github.com/wiresql/wiresql/tables/archive/disk"
)

// maxStatus is more than a status is.
const maxStatus = 1 << 20

// statusRoom is what a status is filled up to, so that on a full disk another one
// fits over it.
const statusRoom = 4096

// WriteStatus puts down what a process is doing, for others to show. It is not
// durable: after a crash nothing is being done.
func (a *Archive) WriteStatus(name string, status any) error {
	data, err := json.Marshal(status)
	if err != nil {
		return err
	}
	data = append(data, bytes.Repeat([]byte{'\n'}, (statusRoom-len(data)%statusRoom)%statusRoom)...)
	if err = a.writeStatus(name, data); err == nil {
		return nil
	}
	f, failed := a.disk.Edit(a.statusPath(name))
	if failed != nil {
		return err
	}
	defer f.Close()
	if st, failed := f.Stat(); failed != nil || st.Size() != int64(len(data)) {
		return err
	}
	if _, failed := f.WriteAt(data, 0); failed != nil {
		return err
	}
	return nil
}

func (a *Archive) writeStatus(name string, data []byte) error {
	path := a.statusPath(name)
	if err := a.mkdir(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := a.disk.Create(path+disk.Part, 0o640)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = a.disk.Rename(path+disk.Part, path)
	}
	if err != nil {
		return errors.Join(err, disk.Remove(a.disk, path+disk.Part))
	}
	return nil
}

// ReadStatus reads what WriteStatus put down last; one that is missing or broken
// is an error.
func (a *Archive) ReadStatus(name string, status any) error {
	data, err := disk.ReadFile(a.disk, a.statusPath(name), maxStatus)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, status)
}

// RemoveStatus says that the process ended.
func (a *Archive) RemoveStatus(name string) error { return disk.Remove(a.disk, a.statusPath(name)) }

func (a *Archive) statusPath(name string) string {
	return filepath.Join(a.dir, stateFolder, name+".status")
}
