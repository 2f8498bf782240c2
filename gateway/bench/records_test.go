package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// fragments is a record in so many pieces, each behind its mark.
func fragments(record []byte, sizes ...int) (p []byte) {
	for _, n := range sizes {
		p = append(be.AppendUint32(p, uint32(n)), record[:n]...)
		record = record[n:]
	}
	return append(be.AppendUint32(p, lastFragment|uint32(len(record))), record...)
}

// dribble gives as many bytes per read as it says, and none of those that are passed.
type dribble struct {
	from   io.Reader
	n      int
	passed int
}

func (d *dribble) Read(p []byte) (int, error) { return d.from.Read(p[:min(len(p), d.n)]) }

func (d *dribble) Pass(p []byte) (int, error) {
	n, err := d.Read(make([]byte, min(len(p), d.n)))
	d.passed += n
	return n, err
}

func TestRecordsComeAsTheyWereSentHoweverTheyArrive(t *testing.T) {
	record := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	var stream []byte
	for range 100 { // more than the buffer holds
		stream = append(stream, fragments(record)...)
		stream = append(stream, fragments(record, 1, 0, 4000)...)
	}
	for _, n := range []int{1, 5, 4096, 1 << 20} {
		s := newRecords(&dribble{from: bytes.NewReader(stream), n: n}, 0)
		got := 0
		for {
			err := s.fill()
			for {
				p, err := s.next()
				if err != nil {
					t.Fatal(err)
				}
				if p == nil {
					break
				}
				if got++; !bytes.Equal(p, record) {
					t.Fatalf("record %d is another one", got)
				}
			}
			if err != nil {
				break
			}
		}
		if got != 200 {
			t.Errorf("%d bytes at a time: %d records", n, got)
		}
	}
}

// Of a large reply the head is read, and of what else comes in the first fragment nothing.
func TestDataThatNobodyLooksAtIsPassed(t *testing.T) {
	const size = 64 << 10
	large := reply(1, &nfs.ReadResult{Attr: nfs.Some(nfs.Attr{Type: nfs.Regular}), Count: size, Data: bytes.Repeat([]byte("x"), size)})
	failed := reply(2, &nfs.ReadResult{Status: nfs.ErrIO})
	var stream []byte
	const rounds = 20
	for range rounds {
		stream = append(stream, fragments(large)...)
		stream = append(stream, fragments(failed)...)
		stream = append(stream, fragments(large, 100, 5000)...)
		stream = append(stream, fragments(large, 5000, 1)...)
	}
	for _, n := range []int{7, 1000, 1 << 20} {
		from := &dribble{from: bytes.NewReader(stream), n: n}
		s, c := newRecords(from, size), &fileCommand{data: make([]byte, size), count: size}
		var got []string
		for s.fill() == nil {
			for p, err := s.next(); p != nil || err != nil; p, err = s.next() {
				if err != nil {
					t.Fatal(err)
				}
				bytes, err := c.judge(p)
				got = append(got, fmt.Sprint(be.Uint32(p), bytes, err))
			}
		}
		want := []string{"1 65536 <nil>", "2 0 at 0: NFS3ERR_IO", "1 65536 <nil>", "1 65536 <nil>"}
		if len(got) != 4*rounds || !slices.Equal(got[:4], want) || !slices.Equal(got[4*rounds-4:], want) {
			t.Fatalf("%d bytes at a time: %d replies, %q...", n, len(got), got[:min(len(got), 4)])
		}
		if most := rounds * (size + 5000); from.passed > most || from.passed < most-4*rounds*headLength {
			t.Errorf("%d bytes at a time: %d bytes are passed, of %d", n, from.passed, most)
		}
	}
}

func TestARecordThatHasNoRoomIsAnError(t *testing.T) {
	huge := append(be.AppendUint32(nil, lastFragment|1<<30), make([]byte, minBuffer)...)
	endless := bytes.Repeat(be.AppendUint32(nil, 0), minBuffer) // fragments without an end
	for name, stream := range map[string][]byte{"a huge one": huge, "an endless one": endless} {
		for _, data := range []int{0, largeData} {
			s := newRecords(&dribble{from: bytes.NewReader(stream), n: 1 << 20}, data)
			var err error
			for err == nil {
				if err = s.fill(); err == nil {
					_, err = s.next()
				}
			}
			if errors.Is(err, io.EOF) {
				t.Errorf("%s is taken, data %d", name, data)
			}
		}
	}
}

// reply is one that was accepted.
func reply(xid uint32, result nfs.Message) []byte {
	e := xdr.Encoder{}
	for _, v := range []uint32{xid, 1, 0, 0, 0, 0} {
		e.Uint32(v)
	}
	result.Encode(&e)
	return e.Bytes()
}

func TestWhatIsWrongWithAReplyIsTold(t *testing.T) {
	read := func(r nfs.ReadResult) []byte { return reply(0, &r) }
	good := read(nfs.ReadResult{Count: 512, Data: make([]byte, 512)})
	c := &fileCommand{data: make([]byte, 512), count: 512, offset: 1024}
	if n, err := c.judge(good); n != 512 || err != nil {
		t.Fatal(n, err)
	}
	for want, record := range map[string][]byte{
		"NFS3ERR_IO":              read(nfs.ReadResult{Status: nfs.ErrIO}),
		"NFS3ERR_JUKEBOX":         read(nfs.ReadResult{Status: nfs.ErrJukebox}),
		"nothing was transferred": read(nfs.ReadResult{EOF: true}),
		"1024 bytes were":         read(nfs.ReadResult{Count: 1024, Data: make([]byte, 1024)}),
		"longer than allowed":     good[:100],
		"no reply":                append([]byte{0, 0, 0, 0, 0, 0, 0, 0}, good[8:]...),
		"the server denies":       append([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}, good[12:]...),
		rpc.GarbageArgs.Error():   {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4},
	} {
		_, err := c.judge(record)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Whatever a server sends, it is judged or refused.
func FuzzReplies(f *testing.F) {
	read := reply(0, &nfs.ReadResult{Attr: nfs.Some(nfs.Attr{Type: nfs.Regular}), Count: 4, Data: []byte("data")})
	f.Add(fragments(read), false)
	f.Add(fragments(read, 4, 0, 40), false)
	f.Add(fragments(reply(0, &nfs.WriteResult{Count: 4})), true)
	f.Fuzz(func(t *testing.T, stream []byte, write bool) {
		s := newRecords(&dribble{from: bytes.NewReader(stream), n: 1 << 20}, 0)
		c := &fileCommand{count: 4, write: write}
		for s.fill() == nil {
			for record, err := s.next(); record != nil && err == nil; record, err = s.next() {
				if n, err := c.judge(record); err == nil && (n < 1 || n > 4) {
					t.Fatalf("%d bytes of 4", n)
				}
			}
		}
	})
}
