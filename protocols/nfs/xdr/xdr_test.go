package xdr

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestValuesLieOnTheWireAsTheRFCSays(t *testing.T) {
	var e Encoder
	e.Uint32(0x01020304)
	e.Uint64(0x0102030405060708)
	e.Bool(true)
	e.Bool(false)
	e.Fixed([]byte{0xaa, 0xbb, 0xcc})
	e.Opaque([]byte{0xdd})
	e.String("sillyprog") // RFC 4506 7
	want := "\x01\x02\x03\x04" + "\x01\x02\x03\x04\x05\x06\x07\x08" + "\x00\x00\x00\x01" + "\x00\x00\x00\x00" + "\xaa\xbb\xcc\x00" +
		"\x00\x00\x00\x01\xdd\x00\x00\x00" + "\x00\x00\x00\x09sillyprog\x00\x00\x00"
	if got := string(e.Bytes()); got != want {
		t.Errorf("% x\nwant\n% x", got, want)
	}
}

func TestABadValueIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		data string
		read func(*Decoder)
		want error
	}{
		{"uint32 cut", "\x00\x00\x00", func(d *Decoder) { d.Uint32() }, ErrShort},
		{"uint64 cut", "\x00\x00\x00\x00\x00\x00\x00", func(d *Decoder) { d.Uint64() }, ErrShort},
		{"bool of 2", "\x00\x00\x00\x02", func(d *Decoder) { d.Bool() }, ErrInvalid},
		{"enum beyond", "\x00\x00\x00\x04", func(d *Decoder) { d.Enum(3) }, ErrInvalid},
		{"fixed cut", "abc", func(d *Decoder) { d.Fixed(4) }, ErrShort},
		{"fixed without its padding", "abc", func(d *Decoder) { d.Fixed(3) }, ErrShort},
		{"opaque beyond the limit", "\x00\x00\x00\x05abcdefgh", func(d *Decoder) { d.Opaque(4) }, ErrTooLong},
		{"opaque of 4 GiB", "\xff\xff\xff\xffabcd", func(d *Decoder) { d.Opaque(1 << 40) }, ErrShort},
		{"opaque cut", "\x00\x00\x00\x05abcd", func(d *Decoder) { d.Opaque(8) }, ErrShort},
		{"opaque without a length", "\x00", func(d *Decoder) { d.Opaque(8) }, ErrShort},
		{"string beyond the limit", "\x00\x00\x00\x05abcdefgh", func(d *Decoder) { d.String(4) }, ErrTooLong},
		{"array beyond the limit", "\x00\x00\x00\x03\x00\x00\x00\x00", func(d *Decoder) { d.Count(2, 1) }, ErrTooLong},
		{"array that can't be there", "\x00\x00\x00\x03abcdefgh", func(d *Decoder) { d.Count(1<<30, 4) }, ErrShort},
		{"array whose size overflows", "\xff\xff\xff\xffabcdefgh", func(d *Decoder) { d.Count(1<<40, 1<<30) }, ErrShort},
	} {
		d := NewDecoder([]byte(c.data))
		if c.read(&d); !errors.Is(d.Err(), c.want) {
			t.Errorf("%s: %v, want %v", c.name, d.Err(), c.want)
		}
	}
}

func TestAfterTheFirstErrorNothingIsRead(t *testing.T) {
	d := NewDecoder([]byte("\x00\x00\x00\x09\x00\x00\x00\x04abcd"))
	d.Bool()
	if p := d.Opaque(8); p != nil || d.Uint32() != 0 || d.Uint64() != 0 || d.Fixed(0) != nil || d.Count(9, 0) != 0 || len(d.Rest()) != 0 {
		t.Error("something was read")
	}
	if d.Fail(ErrShort); !errors.Is(d.Err(), ErrInvalid) {
		t.Errorf("%v is not the first error", d.Err())
	}
}

func TestAViewCanNotGrowIntoWhatFollows(t *testing.T) {
	data := []byte("\x00\x00\x00\x02abcd")
	d := NewDecoder(data)
	p := d.Opaque(4)
	_ = append(p, 'X')
	if !bytes.Equal(data[4:], []byte("abcd")) {
		t.Errorf("%q", data[4:])
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Uint32().Draw(t, "a"), rapid.Uint64().Draw(t, "b"), rapid.Bool().Draw(t, "c")
		opaque := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "opaque")
		text := rapid.StringN(0, 20, 60).Draw(t, "text")
		var e Encoder
		e.Opaque(opaque)
		e.Uint32(a)
		e.Fixed(opaque)
		e.Uint64(b)
		e.String(text)
		e.Bool(c)
		if e.Len()%4 != 0 {
			t.Fatalf("%d bytes", e.Len())
		}
		d := NewDecoder(e.Bytes())
		if got := d.Opaque(40); !bytes.Equal(got, opaque) {
			t.Fatalf("opaque %x", got)
		}
		if got := d.Uint32(); got != a {
			t.Fatal(got)
		}
		if got := d.Fixed(len(opaque)); !bytes.Equal(got, opaque) {
			t.Fatalf("fixed %x", got)
		}
		if got := d.Uint64(); got != b {
			t.Fatal(got)
		}
		if got := d.String(60); got != text {
			t.Fatal(got)
		}
		if got := d.Bool(); got != c || d.Err() != nil || len(d.Rest()) != 0 {
			t.Fatal(got, d.Err(), len(d.Rest()))
		}
		cut := NewDecoder(e.Bytes()[:rapid.IntRange(0, e.Len()-1).Draw(t, "cut")])
		cut.Opaque(40)
		cut.Uint32()
		cut.Fixed(len(opaque))
		cut.Uint64()
		_ = cut.String(60)
		if cut.Bool(); cut.Err() == nil {
			t.Fatal("a cut message is taken")
		}
	})
}
