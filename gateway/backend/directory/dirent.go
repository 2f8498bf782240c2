package directory

import (
	"bytes"
	"encoding/binary"

	"forebay/protocols/nfs"
)

// A struct linux_dirent64, in bytes:
//
//	inode 8 | offset of the next 8 | length 2 | type 1 | name, ended by 0
const direntHead = 19

// parseEntry takes the first entry off what getdents64 returned.
func parseEntry(p []byte) (e nfs.Entry, rest []byte) {
	native := binary.NativeEndian
	e.FileID, e.Cookie = native.Uint64(p), native.Uint64(p[8:])
	length := native.Uint16(p[16:])
	name := p[direntHead:length]
	if end := bytes.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	e.Name = string(name)
	return e, p[length:]
}
