package witnesses

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
)

// FuzzRead reads files of any content. What is read is what such a place is made of, and opening the file leaves one that reads the same.
func FuzzRead(f *testing.F) {
	content := header()[:]
	for i := range 3 {
		w := witness(i)
		content = append(content, encode(uint32(i+1), name{HashOf("a"), string(handle(i))}, &w)[:]...)
	}
	f.Add(bytes.Clone(content), true)
	f.Add(content[:2*placeSize+7], false)
	f.Add(content[:2*placeSize-9], true) // of which the zeros alone are missing
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, content []byte, sealed bool) {
		if sealed {
			seal(content)
		}
		found, ok := read(content)
		if !ok && len(found) > 0 {
			t.Error("there is something in what is no such file")
		}
		for place, e := range found {
			again, w, ok := decode(encode(place, e.name, &e.witness)[:], place)
			if !ok || again != e.name || w != e.witness || len(e.handle) == 0 {
				t.Errorf("place %d: %+v", place, e)
			}
		}
		m := &memory{content: bytes.Clone(content)}
		n := opened(t, m).Count()
		if again := opened(t, &memory{content: m.content}).Count(); again != n || n > len(found) {
			t.Errorf("%d witnesses, and %d the second time, of %d", n, again, len(found))
		}
	})
}

// seal makes checksums right.
func seal(p []byte) {
	copy(p, header()[:])
	for at := placeSize; len(p) >= at+placeSize; at += placeSize {
		binary.BigEndian.PutUint32(p[at+4:], uint32(at/placeSize))
		binary.BigEndian.PutUint32(p[at:], crc32.Checksum(p[at+4:at+placeSize], castagnoli))
	}
}
