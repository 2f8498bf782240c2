package directory

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// A handle is
//
//	version 1 | kind of the kernel's handle 1 | check 8 | the kernel's handle
//
// in bytes. A server puts 12 bytes before it.
const (
	handleVersion = 1
	checkLength   = 8
	handleHead    = 2 + checkLength
	maxHandle     = nfs.MaxHandle - 12
)

// kernelHandle is a struct file_handle.
type kernelHandle struct {
	kind  int32
	bytes []byte
}

// kernelHandleOf asks for the handle of an open object.
func kernelHandleOf(fd int) (kernelHandle, error) {
	h, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return kernelHandle{}, err
	}
	return kernelHandle{h.Type(), h.Bytes()}, nil
}

func (d *Directory) encodeHandle(k kernelHandle) (nfs.Handle, error) {
	if k.kind < 0 || k.kind > 255 || len(k.bytes) > maxHandle-handleHead {
		return nil, fmt.Errorf("%w: the file system's handles are too long, %d bytes of kind %d", nfs.ErrServerFault, len(k.bytes), k.kind)
	}
	h := make(nfs.Handle, 0, handleHead+len(k.bytes))
	h = append(h, handleVersion, byte(k.kind))
	h = append(h, d.check[:]...)
	return append(h, k.bytes...), nil
}

func (d *Directory) decodeHandle(h nfs.Handle) (kernelHandle, error) {
	switch {
	case len(h) <= handleHead || len(h) > maxHandle || h[0] != handleVersion:
		return kernelHandle{}, nfs.ErrBadHandle
	case !bytes.Equal(h[2:handleHead], d.check[:]):
		return kernelHandle{}, nfs.ErrStale
	}
	return kernelHandle{int32(h[1]), h[handleHead:]}, nil
}

// handleOf is the handle of an open object.
func (d *Directory) handleOf(fd int) (nfs.Handle, error) {
	k, err := kernelHandleOf(fd)
	if err != nil {
		return nil, err
	}
	return d.encodeHandle(k)
}

// openHandle opens an object that is still there, as root. The caller closes it.
func (d *Directory) openHandle(h nfs.Handle, flags int) (*object, error) {
	k, err := d.decodeHandle(h)
	if err != nil {
		return nil, err
	}
	fd, err := d.openKernelHandle(k, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW)
	if errors.Is(err, unix.EINVAL) {
		return nil, nfs.ErrBadHandle
	}
	if err != nil {
		return nil, err
	}
	o := &object{fd: fd}
	if err = o.look(); err == nil && (o.stat.Nlink == 0 || o.stat.Dev != d.rootStat.Dev) {
		err = nfs.ErrStale
	}
	if err != nil {
		o.close()
		return nil, err
	}
	return o, nil
}

// openKernelHandle tries again while the kernel says ENOMEM, as ext4 does while another file is being made with the number of one that is
// gone: a moment later the handle is stale.
func (d *Directory) openKernelHandle(k kernelHandle, flags int) (fd int, err error) {
	for range 100 {
		fd, err = unix.OpenByHandleAt(d.rootFD, unix.NewFileHandle(k.kind, k.bytes), flags)
		if !errors.Is(err, unix.ENOMEM) {
			break
		}
	}
	return fd, err
}

// tryHandles finds out whether the process can open the root by its handle.
func (d *Directory) tryHandles() (kernelHandle, error) {
	k, err := kernelHandleOf(d.rootFD)
	if err != nil {
		return k, fmt.Errorf("%s is on a file system without handles, which can't be exported: %w", d.path, err)
	}
	fd, err := d.openKernelHandle(k, unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return k, fmt.Errorf("open %s by its handle, for which the process needs CAP_DAC_READ_SEARCH, as root has it: %w", d.path, err)
	}
	unix.Close(fd)
	return k, nil
}
