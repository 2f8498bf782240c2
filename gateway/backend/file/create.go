package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"forebay/cachecore"
)

// ensureExists makes the file where it is to be made, and refuses where one has disappeared (PROTOCOL D6).
func (o Options) ensureExists() error {
	_, err := os.Stat(o.Path)
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the array: %w", classify(err))
	}
	_, idErr := os.Lstat(idPath(o.Path))
	switch {
	case o.Expected != "":
		return fmt.Errorf("%w: %s has disappeared (identity %s): put it back, or remove the array from the configuration; no empty file is made in its place",
			cachecore.ErrUnavailable, o.Path, o.Expected)
	case idErr == nil:
		return fmt.Errorf("%w: %s has disappeared, but %s is there: put the file back, or remove that one to begin with an empty file",
			cachecore.ErrUnavailable, o.Path, idPath(o.Path))
	case !o.Create || o.Size == 0:
		return fmt.Errorf("%w: %s does not exist; make it, or give its size to have it made", cachecore.ErrUnavailable, o.Path)
	}
	return createSparse(o.Path, o.Size)
}

// createSparse makes a file that appears under its name only once it has its size, and durably.
func createSparse(path string, size int64) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".forebay-new-*")
	if err != nil {
		return fmt.Errorf("make the array: %w", classify(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := errors.Join(f.Truncate(size), f.Sync()); err != nil {
		return fmt.Errorf("make %s with %s: %w", path, inUnits(size), classify(err))
	}
	if err := os.Link(f.Name(), path); err != nil {
		return fmt.Errorf("make the array: %w", classify(err))
	}
	return syncDir(path)
}

// syncDir makes the name of a new file durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("make %s durable: %w", path, classify(err))
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("make %s durable: %w", path, classify(err))
	}
	return nil
}
