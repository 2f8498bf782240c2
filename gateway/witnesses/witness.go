package witnesses

import (
	"crypto/sha256"

	"forebay/cachecore/flash"
	"forebay/protocols/nfs"
)

// Witness says what a store has of a file for sure: under the key there is nothing that the file doesn't have while the filer shows Attr.
type Witness struct {
	Filer Hash
	Attr  Attr
	Store flash.ID
	Key   flash.Key
}

// Attr are attributes of a file one of which is another one when its content is, or when it is another file.
type Attr struct {
	Size         uint64
	Mtime, Ctime nfs.Time
	FSID, FileID uint64
}

// AttrOf are those of a filer's answer.
func AttrOf(a *nfs.Attr) Attr {
	return Attr{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime, FSID: a.FSID, FileID: a.FileID}
}

// Hash stands for a name.
type Hash [16]byte

// HashOf is a name's.
func HashOf(name string) Hash {
	sum := sha256.Sum256([]byte(name))
	return Hash(sum[:])
}
