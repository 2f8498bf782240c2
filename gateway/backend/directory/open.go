package directory

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/cachecore"
	"forebay/protocols/nfs"
)

// Options of Open.
type Options struct {
	Path string
	// Create makes the folder where there is none, unless an identity is expected.
	Create bool
	// Expected is the identity that was stored at the first attachment; empty at the first.
	Expected string
	Log      zerolog.Logger
}

// Directory is an open folder.
type Directory struct {
	path     string
	log      zerolog.Logger
	root     *os.File // its own descriptor, locked (flock) until Close
	rootFD   int
	rootStat unix.Stat_t
	handle   nfs.Handle // of the root
	identity string
	check    [checkLength]byte // in each handle
	fsid     uint64
	longest  uint64 // file
	threads  threads
	stripes  stripes
	files    files
	verifier *verifier

	life   sync.RWMutex // held shared by each call, so that Close waits for them
	closed bool
}

var _ nfs.FileSystem = (*Directory)(nil)

// Open opens the folder, locks it and verifies its identity. It wraps cachecore.ErrIdentity if the folder isn't the expected one, and
// cachecore.ErrUnavailable where waiting may help.
func Open(o Options) (*Directory, error) {
	if err := o.ensureExists(); err != nil {
		return nil, err
	}
	root, err := openLocked(o.Path)
	if err != nil {
		return nil, err
	}
	d := &Directory{path: o.Path, log: o.Log, root: root, rootFD: int(root.Fd())}
	if err := d.attach(o); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// attach learns what the opened folder is.
func (d *Directory) attach(o Options) error {
	if err := unix.Fstat(d.rootFD, &d.rootStat); err != nil {
		return fmt.Errorf("look at %s: %w", d.path, err)
	}
	if err := (&object{fd: d.rootFD}).may(unix.F_OK); err != nil {
		return fmt.Errorf("serve %s, for which Linux 5.8 is needed: %w", d.path, err)
	}
	kernel, err := d.tryHandles()
	if err != nil {
		return err
	}
	if d.identity, err = d.identify(o.Expected, kernel); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(d.identity))
	copy(d.check[:], sum[:])
	if d.handle, err = d.encodeHandle(kernel); err != nil {
		return fmt.Errorf("%s: %w", d.path, err)
	}
	if d.fsid, err = d.fileSystemID(); err != nil {
		return err
	}
	d.longest = d.longestFile()
	if d.threads, err = newThreads(o.Log); err != nil {
		return fmt.Errorf("serve %s for its users: %w", d.path, err)
	}
	if d.verifier, err = openVerifier(d.rootFD, o.Log); err != nil {
		return err
	}
	d.files.open = d.openFile
	d.files.sync.lost = d.verifier.lose
	return nil
}

// Root returns the handle of the folder itself.
func (d *Directory) Root() nfs.Handle { return append(nfs.Handle(nil), d.handle...) }

// Identity is what the folder is known by.
func (d *Directory) Identity() string { return d.identity }

// Close waits for the calls under way, and gives the folder up. Later calls fail with nfs.ErrAway.
func (d *Directory) Close() error {
	d.life.Lock()
	defer d.life.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	d.files.close()
	if err := d.root.Close(); err != nil {
		return fmt.Errorf("close %s: %w", d.path, err)
	}
	return nil
}

// ensureExists makes the folder where it is to be made, and refuses where one has disappeared (PROTOCOL D6).
func (o Options) ensureExists() error {
	_, err := os.Stat(o.Path)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the array: %w", err)
	case o.Expected != "":
		return fmt.Errorf("%w: %s has disappeared (identity %s): put it back, or remove the array from the configuration; no empty folder is made in its place",
			cachecore.ErrUnavailable, o.Path, o.Expected)
	case !o.Create:
		return fmt.Errorf("%w: the folder %s does not exist; make it", cachecore.ErrUnavailable, o.Path)
	}
	return makeFolder(o.Path)
}

// makeFolder makes a folder, durably.
func makeFolder(path string) error {
	if err := os.Mkdir(path, 0o755); err != nil {
		return fmt.Errorf("make the array: %w", err)
	}
	parent, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("make %s durable: %w", path, err)
	}
	defer parent.Close()
	if err := parent.Sync(); err != nil {
		return fmt.Errorf("make %s durable: %w", path, err)
	}
	return nil
}

// openLocked opens a folder that no other gateway serves.
func openLocked(path string) (*os.File, error) {
	root, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the array: %w", err)
	}
	if err := unix.Flock(int(root.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		root.Close()
		return nil, fmt.Errorf("%w: %s is locked: another gateway serves it (%w)", cachecore.ErrUnavailable, path, err)
	}
	return root, nil
}
