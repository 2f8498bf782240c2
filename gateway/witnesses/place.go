package witnesses

import (
	"encoding/binary"
	"hash/crc32"

	"forebay/cachecore/flash"
	"forebay/protocols/nfs"
)

const (
	magic     = "FBWITNS1"
	placeSize = 256 // bytes: no place lies in two sectors
	handleAt  = 112
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// name is which file a witness is of.
type name struct {
	volume Hash
	handle string
}

// image is the content of a place.
type image [placeSize]byte

// encode is the content of a place with a witness. The handle is no longer than nfs.MaxHandle.
func encode(place uint32, of name, w *Witness) *image {
	p := new(image)
	u32, u64 := binary.BigEndian.PutUint32, binary.BigEndian.PutUint64
	u32(p[4:], place)
	copy(p[8:], of.volume[:])
	copy(p[24:], w.Filer[:])
	copy(p[40:], w.Store[:])
	copy(p[56:], w.Key[:])
	a := &w.Attr
	u64(p[72:], a.Size)
	u32(p[80:], a.Mtime.Seconds)
	u32(p[84:], a.Mtime.Nanoseconds)
	u32(p[88:], a.Ctime.Seconds)
	u32(p[92:], a.Ctime.Nanoseconds)
	u64(p[96:], a.FSID)
	u64(p[104:], a.FileID)
	p[handleAt] = byte(len(of.handle))
	copy(p[handleAt+1:], of.handle)
	u32(p[:], crc32.Checksum(p[4:], castagnoli))
	return p
}

// decode reads a place; false: it has no witness.
func decode(p []byte, place uint32) (of name, w Witness, ok bool) {
	u32, u64 := binary.BigEndian.Uint32, binary.BigEndian.Uint64
	n := int(p[handleAt])
	if u32(p) != crc32.Checksum(p[4:], castagnoli) || u32(p[4:]) != place || n == 0 || n > nfs.MaxHandle {
		return of, w, false
	}
	of = name{volume: Hash(p[8:24]), handle: string(p[handleAt+1:][:n])}
	w = Witness{Filer: Hash(p[24:40]), Store: flash.ID(p[40:56]), Key: flash.Key(p[56:72])}
	w.Attr = Attr{Size: u64(p[72:]), FSID: u64(p[96:]), FileID: u64(p[104:])}
	w.Attr.Mtime = nfs.Time{Seconds: u32(p[80:]), Nanoseconds: u32(p[84:])}
	w.Attr.Ctime = nfs.Time{Seconds: u32(p[88:]), Nanoseconds: u32(p[92:])}
	return of, w, true
}

// header is the content of the first place.
func header() *image {
	p := new(image)
	copy(p[:], magic)
	return p
}

// read returns what a file's places have, by their numbers. ok: it is such a file.
func read(content []byte) (found map[uint32]entry, ok bool) {
	if len(content) < placeSize || image(content[:placeSize]) != *header() {
		return nil, false
	}
	found = map[uint32]entry{}
	for place := uint32(1); len(content) >= (int(place)+1)*placeSize; place++ {
		if of, w, ok := decode(content[int(place)*placeSize:][:placeSize], place); ok {
			found[place] = entry{name: of, witness: w, place: place}
		}
	}
	return found, true
}
