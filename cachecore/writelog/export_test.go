package writelog

// Reseal gives the blocks of every frame in an image the checksums that they ought to have, so that what is wrong with them is found by other means.
func Reseal(image []byte) {
	s, err := decodeSuperblock(image, int64(len(image)))
	if err != nil {
		return
	}
	for at := int64(frontUnits); at < int64(len(image))/unit; at++ {
		h, ok := decodeHeader(image[at*unit:], s.incarnation)
		if !ok {
			continue
		}
		sealer := newSealer(s.incarnation, h.session, h.segment)
		for n := range min(max(h.units(), 1), int64(len(image))/unit-at) {
			sealer.seal(image[(at+n)*unit:][:unit], at+n)
		}
	}
}
