package staged

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// parks is what the filer has refused for good (PROTOCOL E4): of each file a directory named by its handle, with its content, where it was
// acknowledged, in `data`, and in `ranges` what is to be done with that, in order: a line has the offset and the length of content, or "size" and that. What
// no file here is long enough for is in a file of its own, `data-` and the offset. The filer's words are in `reason`. An operator who has taken care of it
// removes the directory; after the next start the file is served again.
type parks struct {
	dir    string
	saving sync.Mutex      // held while something is saved; before mu
	saved  map[string]bool // what has been of the interval that is being carried, by handle and line: tries are as many as an outage lasts; guarded by saving

	mu   sync.Mutex
	held map[string]bool // by handle
}

// open finds what was parked in earlier lives.
func (p *parks) open(dir string) error {
	p.dir, p.held, p.saved = dir, map[string]bool{}, map[string]bool{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if handle, err := hex.DecodeString(e.Name()); err == nil {
			p.held[string(handle)] = true
		}
	}
	return nil
}

func (p *parks) has(h nfs.Handle) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[string(h)]
}

func (p *parks) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held)
}

func (p *parks) path(h nfs.Handle) string { return filepath.Join(p.dir, hex.EncodeToString(h)) }

// put saves content, durably. reason is why, the first time.
func (p *parks) put(h nfs.Handle, data []byte, off uint64, reason error) error {
	at := func(off int64) func(*os.File) error {
		return func(f *os.File) error { _, err := f.WriteAt(data, off); return err }
	}
	return p.save(h, func(f *os.File) error {
		err := at(int64(off))(f)
		if errors.Is(err, unix.EFBIG) { // the filer's files may be longer, and no other file is to wait for this one
			err = save(fmt.Sprintf("%s-%d", f.Name(), off), at(0))
		}
		return err
	}, fmt.Sprintf("%d %d\n", off, len(data)), reason)
}

// resize saves a size, as put does.
func (p *parks) resize(h nfs.Handle, size uint64, reason error) error {
	return p.save(h, func(f *os.File) error {
		now, err := f.Stat()
		if err != nil || now.Size() <= int64(size) {
			return err
		}
		return f.Truncate(int64(size))
	}, fmt.Sprintf("size %d\n", size), reason)
}

// save changes the content, and says how in a line.
func (p *parks) save(h nfs.Handle, change func(data *os.File) error, line string, reason error) error {
	p.saving.Lock()
	defer p.saving.Unlock()
	this := string(h) + " " + line
	if p.saved[this] {
		return nil
	}
	dir := p.path(h)
	if err := makeDir(dir); err != nil {
		return fmt.Errorf("save what the filer refuses: %w", err)
	}
	p.hold(h)
	steps := []error{
		save(filepath.Join(dir, "data"), change),
		save(filepath.Join(dir, "ranges"), func(f *os.File) error { return appendTo(f, line) }),
	}
	if reason != nil {
		steps = append(steps, save(filepath.Join(dir, "reason"), func(f *os.File) error { return appendTo(f, reason.Error()+"\n") }))
	}
	steps = append(steps, syncDir(dir))
	if err := errors.Join(steps...); err != nil {
		return fmt.Errorf("save what the filer refuses: %w", err)
	}
	p.saved[this] = true
	return nil
}

// carried is the end of an interval: the next one has content of its own.
func (p *parks) carried() {
	p.saving.Lock()
	defer p.saving.Unlock()
	clear(p.saved)
}

func (p *parks) hold(h nfs.Handle) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held[string(h)] = true
}

// makeDir makes a directory, and those that lead to it, durably.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeDir(filepath.Dir(path)); err != nil {
			return err
		}
		err = os.Mkdir(path, 0o700)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(path)) // in any case: it may have been made in a life that was killed before
}

func appendTo(f *os.File, line string) error {
	end, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(line), end)
	return err
}

// save changes a file durably.
func save(path string, change func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(change(f), f.Sync(), f.Close())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
