package witnesses

import (
	"io"
	"os"
)

// medium is where the file is. One goroutine uses it at a time.
type medium interface {
	// load returns the file's content, but no more than so many bytes.
	load(most int64) ([]byte, error)
	write(p []byte, at int64) error
	// sync returns when all that was written is durable.
	sync() error
	close() error
}

// disk is the medium on a disk.
type disk struct{ *os.File }

func openDisk(path string) (disk, error) {
	const owners = 0o600
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, owners)
	return disk{f}, err
}

func (d disk) load(most int64) ([]byte, error) { return io.ReadAll(io.NewSectionReader(d, 0, most)) }
func (d disk) sync() error                     { return d.Sync() }
func (d disk) close() error                    { return d.Close() }

func (d disk) write(p []byte, at int64) error {
	_, err := d.WriteAt(p, at)
	return err
}
