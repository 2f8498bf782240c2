package flash

import (
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/device"
	"forebay/cachecore/device/devicetest"
)

// openAny opens an image that may hold anything, and reads what it serves: all of it is what the array has.
func openAny(t *testing.T, id ID, image []byte, array map[Key]map[cachecore.Block]uint64) {
	s, err := Open(devicetest.FromImage(image), Options{ID: id, Condemn: new(rig).condemn, ReadMemory: minReadMemory})
	if err != nil {
		if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNotFormatted) && !errors.Is(err, ErrOther) {
			t.Fatal(err)
		}
		return
	}
	for k := range array {
		o, err := s.Attach(bg, k, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		checkOn(t, o, array[k], 0, 64)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
}

// FuzzFooter puts a footer of anything, with the right checksums, onto a device.
func FuzzFooter(f *testing.F) {
	sb := superblock{id: ID{9}}
	sb.layout, _, _ = newLayout(small(6), minRegion*blockSize)
	p := device.Buffer(2 * blockSize)
	whole := footer{id: sb.id, slot: 1, seq: 3, objects: []footerObject{{keyOf(1), 1}, {keyOf(2), 1}}, pieces: []footerPiece{
		{object: 0, line: 2, at: 0, written: 0xff, valid: 0x7f}, {object: 1, line: 5, at: 8, written: 0x81, valid: 0x80}}}
	n := whole.encode(p)
	f.Add(p[footerHeadBytes:n], uint32(2), uint32(2), uint64(3))
	f.Add([]byte{}, uint32(0), uint32(0), uint64(1))
	f.Add(p[footerHeadBytes:n], uint32(1<<31), uint32(1<<30), uint64(1<<61))
	f.Fuzz(func(t *testing.T, body []byte, objects, pieces uint32, n uint64) {
		if len(body) > 2*blockSize-footerHeadBytes {
			return
		}
		image := blank(t, sb)
		at := int(offset(sb.layout.block(1, sb.layout.footerAt())))
		copy(image[at+footerHeadBytes:], body)
		h := footerHead{id: sb.id, slot: 1, seq: n, objects: objects, pieces: pieces, bytes: uint32(footerHeadBytes + len(body)), sum: checksum(body)}
		h.encode(image[at:])
		if got, ok := decodeFooterHead(image[at:]); ok {
			if foot, ok := decodeFooter(got, image[at:], sb.layout); ok {
				again := make([]byte, len(body)+footerHeadBytes)
				if foot.encode(again) != len(again) || string(again[footerHeadBytes:]) != string(body) {
					t.Fatalf("%+v is read, and written in another way", foot)
				}
			}
		}
		// The regions hold zeros, which no block of the array is.
		array := map[Key]map[cachecore.Block]uint64{keyOf(1): {}, keyOf(2): {}}
		for _, blocks := range array {
			for b := range cachecore.Block(64) {
				blocks[b] = 1
			}
		}
		if !anyZero(body) {
			openAny(t, sb.id, image, array)
		}
	})
}

// anyZero says whether a footer claims, with the right checksum, that a block holds zeros: then it does.
func anyZero(body []byte) bool {
	for i := range len(body) - 3 {
		if le.Uint32(body[i:]) == checksum(zeroes) {
			return true
		}
	}
	return false
}

// blank is a formatted device.
func blank(t *testing.T, sb superblock) []byte {
	twin := devicetest.New(small(6))
	if err := newBook(twin, sb).restate(standing{slots: 6, floor: 1, void: 1}, nil); err != nil {
		t.Fatal(err)
	}
	image := twin.Image()
	sb.encode(image)
	sb.encode(image[blockSize:])
	return image
}

// FuzzOpen changes any bytes of a device.
func FuzzOpen(f *testing.F) {
	for _, at := range []uint32{0, 24, superblocks * blockSize, superblocks*blockSize + 70} {
		f.Add(at, []byte{1, 2, 3, 4})
	}
	f.Add(uint32(blockSize), make([]byte, blockSize))
	r := rotten(f, false)
	whole := r.twin.Image()
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		image := append([]byte(nil), whole...)
		from := int(at) % len(image)
		for i := range min(len(change), len(image)-from) {
			image[from+i] ^= change[i]
		}
		openAny(t, r.id, image, r.array)
	})
}
