package directory

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// object is an open object of the folder, and what it was when it was last looked at.
type object struct {
	fd   int
	stat unix.Stat_t
}

func (o *object) look() error { return unix.Fstat(o.fd, &o.stat) }
func (o *object) close()      { unix.Close(o.fd) }

func (o *object) is(format uint32) bool { return o.stat.Mode&unix.S_IFMT == format }

// path leads to the object, whatever its names: also to a symbolic link itself.
func (o *object) path() string { return fmt.Sprintf("/proc/self/fd/%d", o.fd) }

// openDir opens a directory. Its descriptor is root's, but looking names up by it takes the permission of the thread.
func (d *Directory) openDir(h nfs.Handle) (*object, error) {
	dir, err := d.openHandle(h, unix.O_RDONLY|unix.O_DIRECTORY)
	if errors.Is(err, unix.ELOOP) { // a symbolic link
		return nil, nfs.ErrNotDir
	}
	return dir, err
}

// openAny opens an object to look at it, and no more.
func (d *Directory) openAny(h nfs.Handle) (*object, error) { return d.openHandle(h, unix.O_PATH) }

// child opens what a directory has under a name, to look at it, with the permissions of the thread. It crosses no mount point.
func (o *object) child(name string) (*object, error) {
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS}
	fd, err := unix.Openat2(o.fd, name, &how)
	if errors.Is(err, unix.EXDEV) {
		return nil, nfs.ErrAcces
	}
	if err != nil {
		return nil, err
	}
	c := &object{fd: fd}
	if err = c.look(); err == nil && c.stat.Dev != o.stat.Dev { // a subvolume
		err = nfs.ErrAcces
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// same says whether two descriptors are of one object.
func (o *object) same(st *unix.Stat_t) bool { return o.stat.Dev == st.Dev && o.stat.Ino == st.Ino }

const maxDepth = 4096 // of directories

// within says whether a directory lies in the folder, which one that others have moved doesn't. It needs root's permissions.
func (d *Directory) within(dir *object) (bool, error) {
	at, err := dir.child(".")
	for range maxDepth {
		if err != nil {
			return false, err
		}
		if at.same(&d.rootStat) {
			at.close()
			return true, nil
		}
		was := at
		at, err = was.child("..")
		was.close()
		if err == nil && at.same(&was.stat) { // the top
			break
		}
	}
	if at != nil {
		at.close()
	}
	return false, err
}

// checkName refuses what can't be the name of an object (RFC 1813 3.2).
func checkName(name string) error {
	switch {
	case name == "" || strings.ContainsAny(name, "/\x00"):
		return nfs.ErrAcces
	case len(name) > nfs.MaxName:
		return nfs.ErrNameTooLong
	}
	return nil
}

func isDots(name string) bool { return name == "." || name == ".." }
