package requests

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// medium is where the file is. One goroutine uses it at a time.
type medium interface {
	// load returns the file's content, but no more than so many bytes; nothing if there is no file.
	load(most int64) ([]byte, error)
	// replace makes the file one with another content, at once: who is killed meanwhile leaves the old one, or the new one.
	replace(content []byte) error
	// write writes somewhere in the file, or behind its end.
	write(p []byte, at int64) error
	// setAside keeps the file as it is under another name, beside replacing it.
	setAside() error
	close() error
}

// file is the medium on a disk.
type file struct {
	path string
	open *os.File // nil before the first replace
}

func (f *file) load(most int64) ([]byte, error) {
	in, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, most))
}

func (f *file) replace(content []byte) error {
	const owners = 0o600
	beside := f.path + ".new"
	next, err := os.OpenFile(beside, os.O_RDWR|os.O_CREATE|os.O_TRUNC, owners)
	if err != nil {
		return err
	}
	if _, err = next.Write(content); err == nil {
		err = os.Rename(beside, f.path)
	}
	if err != nil {
		return errors.Join(err, next.Close(), os.Remove(beside))
	}
	old := f.open
	if f.open = next; old == nil {
		return nil
	}
	return old.Close()
}

func (f *file) write(p []byte, at int64) error {
	_, err := f.open.WriteAt(p, at)
	return err
}

func (f *file) setAside() error {
	aside := f.path + ".damaged"
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Link(f.path, aside)
}

// close closes the file, forced to the disk: the end of a process is rare enough.
func (f *file) close() error {
	if f.open == nil {
		return nil
	}
	if err := errors.Join(f.open.Sync(), f.open.Close()); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return nil
}
