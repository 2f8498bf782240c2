package relay

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"forebay/protocols/iscsi"
)

// recorder writes down the PDUs that it is told of.
type recorder struct {
	open []byte
	all  [][]byte
}

func (r *recorder) begin(h iscsi.Header) { r.open = append(r.open, h...) }
func (r *recorder) more(p []byte)        { r.open = append(r.open, p...) }
func (r *recorder) complete() {
	r.all = append(r.all, r.open)
	r.open = nil
}

func TestPDUsAreFoundInPiecesOfAnyLength(t *testing.T) {
	ahs := request(iscsi.OpSCSICommand, iscsi.FlagFinal, 1, []byte("12345"))
	ahs[4] = 2
	ahs = slices.Insert(ahs, iscsi.HeaderLength, make([]byte, 8)...)
	login := request(iscsi.OpLogin, 0, 2, []byte("key=value"))
	login[0] |= 0x40
	bare := request(iscsi.OpNopOut, iscsi.FlagFinal, 3, nil)
	for name, c := range map[string]struct {
		framer framer
		pdus   [][]byte
	}{
		"without digests": {framer{}, [][]byte{login, ahs, bare, login, ahs}},
		"header digest":   {framer{headerDigest: true}, [][]byte{login, append(slices.Clone(ahs), "head"...), append(slices.Clone(bare), "head"...)}},
		"data digest":     {framer{dataDigest: true}, [][]byte{login, append(slices.Clone(ahs), "data"...), bare, login}},
		"both":            {framer{headerDigest: true, dataDigest: true}, [][]byte{login, append(slices.Clone(ahs), "headdata"...), append(slices.Clone(bare), "head"...)}},
	} {
		stream := bytes.Join(c.pdus, nil)
		for piece := 1; piece <= len(stream); piece++ {
			t.Run(fmt.Sprintf("%s/%d", name, piece), func(t *testing.T) {
				f, got := c.framer, recorder{}
				for p := range slices.Chunk(stream, piece) {
					f.feed(p, &got)
				}
				if !slices.EqualFunc(got.all, c.pdus, bytes.Equal) || got.open != nil {
					t.Errorf("found %d PDUs %x", len(got.all), got.all)
				}
			})
		}
	}
}

// FuzzFramer: whatever the bytes, no piece is lost, and where they are cut makes no difference.
func FuzzFramer(f *testing.F) {
	f.Add(stream(3, Options{}), uint8(7), false, false)
	f.Add(stream(3, Options{HeaderDigest: true, DataDigest: true}), uint8(1), true, true)
	f.Add(bytes.Repeat([]byte{0xff}, 200), uint8(49), true, false)
	f.Fuzz(func(t *testing.T, p []byte, piece uint8, headerDigest, dataDigest bool) {
		whole := framer{headerDigest: headerDigest, dataDigest: dataDigest}
		cut := whole
		var want, got recorder
		whole.feed(p, &want)
		for part := range slices.Chunk(p, int(piece)+1) {
			cut.feed(part, &got)
		}
		if !slices.EqualFunc(got.all, want.all, bytes.Equal) || !bytes.Equal(got.open, want.open) {
			t.Fatal("the PDUs depend on the pieces")
		}
		told := bytes.Join(append(want.all, want.open), nil)
		if !bytes.Equal(append(told, whole.header[:whole.have]...), p) {
			t.Fatal("bytes were lost")
		}
	})
}
