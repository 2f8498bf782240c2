package directory

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

// The attribute that holds the folder's UUID: one that users neither see nor change, where the process may write such.
const idName = "forebay.id"

var idSpaces = [...]string{"trusted.", "user."}

// identify returns the folder's identity and holds it against the expected one. A folder that is attached for the first time gets one.
func (d *Directory) identify(expected string, root kernelHandle) (string, error) {
	id, err := d.readID()
	if errors.Is(err, unix.ENODATA) {
		if expected != "" {
			return "", fmt.Errorf("%w: %s has no identity, and %s was attached before: is the file system mounted?", cachecore.ErrIdentity, d.path, expected)
		}
		id, err = d.writeID()
	}
	if err != nil {
		return "", err
	}
	identity := fmt.Sprintf("uuid:%s root:%d:%s", id, root.kind, hex.EncodeToString(root.bytes))
	if expected != "" && identity != expected {
		return "", fmt.Errorf("%w: %s is %q, and %q was attached before: put that folder back, or give this one a new array name",
			cachecore.ErrIdentity, d.path, identity, expected)
	}
	return identity, nil
}

func (d *Directory) readID() (uuid.UUID, error) {
	text, err := readAttribute(d.rootFD, idName)
	if err != nil {
		return uuid.UUID{}, fmt.Errorf("read the identity of %s: %w", d.path, err)
	}
	id, err := uuid.ParseBytes(text)
	if err != nil {
		return uuid.UUID{}, fmt.Errorf("%w: the attribute %s of %s is no UUID", cachecore.ErrIdentity, idName, d.path)
	}
	return id, nil
}

// writeID gives the folder its identity, durably before it is told.
func (d *Directory) writeID() (uuid.UUID, error) {
	id, err := uuid.NewRandom()
	if err == nil {
		err = writeAttribute(d.rootFD, idName, []byte(id.String()))
	}
	if err == nil {
		err = unix.Fsync(d.rootFD)
	}
	if err != nil {
		return id, fmt.Errorf("give %s an identity: %w", d.path, err)
	}
	return id, nil
}

// readAttribute reads an attribute of ours from where it is: ENODATA if it is nowhere.
func readAttribute(fd int, name string) ([]byte, error) {
	p := make([]byte, 128)
	for _, space := range idSpaces {
		n, err := unix.Fgetxattr(fd, space+name, p)
		switch {
		case err == nil:
			return p[:n], nil
		case !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EPERM):
			return nil, err
		}
	}
	return nil, unix.ENODATA
}

// writeAttribute writes an attribute where that is allowed first.
func writeAttribute(fd int, name string, value []byte) error {
	var err error
	for _, space := range idSpaces {
		if err = unix.Fsetxattr(fd, space+name, value, 0); err == nil {
			return nil
		}
	}
	return fmt.Errorf("write the extended attribute %s: %w", name, err)
}

// fileSystemID is the number by which clients tell file systems apart.
func (d *Directory) fileSystemID() (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(d.rootFD, &st); err != nil {
		return 0, fmt.Errorf("look at the file system of %s: %w", d.path, err)
	}
	id := uint64(uint32(st.Fsid.Val[0])) | uint64(uint32(st.Fsid.Val[1]))<<32
	if id == 0 { // not every file system has one
		id = binary.BigEndian.Uint64(d.check[:])
	}
	return id, nil
}
