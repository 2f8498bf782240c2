package export

import (
	"bytes"
	"testing"

	"forebay/protocols/nfs"
)

func TestAReaderFromFrontToBackIsReadAheadOfInGrowingWindows(t *testing.T) {
	const size, most = 8 * mib, 1 * mib
	var x ahead
	var windows []int64
	read := int64(0) // ahead, so far
	for off := int64(0); off < size; off += 32 << 10 {
		if !x.reads(off, 32<<10) {
			continue
		}
		if off < sequential {
			t.Errorf("due at %d", off)
		}
		from, n := x.take(size, most)
		if n == 0 {
			continue
		}
		if x.reads(off, 32<<10) {
			t.Error("due while a prefetch is under way")
		}
		if x.under = false; read > 0 && from != read || from+n > size {
			t.Errorf("%d bytes at %d, behind %d", n, from, read)
		}
		read = from + n
		windows = append(windows, n)
	}
	if read != size || len(windows) < 8 {
		t.Fatalf("%d bytes are read ahead, in %d", read, windows)
	}
	for i, n := range windows[:len(windows)-1] { // the last is what is left
		if want := min(int64(firstAhead)<<i, most); n != want {
			t.Errorf("window %d is %d, want %d", i, n, want)
		}
	}
}

func TestAReaderThatJumpsIsNotReadAheadOf(t *testing.T) {
	for name, offset := range map[string]func(i int64) int64{
		"forth":          func(i int64) int64 { return i * 4 * mib },
		"back":           func(i int64) int64 { return (100 - i) * 4 * mib },
		"back and forth": func(i int64) int64 { return i * 37 % 100 * 4 * mib },
	} {
		var x ahead
		for i := range int64(100) {
			if x.reads(offset(i), 32<<10) {
				t.Errorf("%s: due at the %d. READ", name, i+1)
			}
		}
	}
}

// Requests that are under way together come in another order than they were sent.
func TestAReaderWhoseRequestsOvertakeEachOtherIsOneAllTheSame(t *testing.T) {
	var x ahead
	for _, off := range []int64{32 << 10, 0, 96 << 10} {
		x.reads(off, 32<<10)
	}
	if !x.reads(64<<10, 32<<10) {
		t.Error("nothing is due")
	}
}

// A hit has more read ahead as well as a miss: once ahead of a reader, an export stays so.
func TestAReaderFromFrontToBackMissesOnlyWhereItBegins(t *testing.T) {
	const size, n = 4 * mib, 32 << 10
	r := newRig(t, func(o *Options) { o.ReadAhead = mib })
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i >> 12)
	}
	h := r.mem.Put("a", content)
	for off := 0; off < size; off += n {
		a, result, data := &nfs.ReadArgs{File: h, Offset: uint64(off), Count: n}, new(nfs.ReadResult), new(pieces)
		if !r.export.ReadNow(&nfs.Caller{}, a, result, data) {
			if off > sequential {
				t.Errorf("a miss at %d", off)
			}
			if err := r.export.Read(t.Context(), &nfs.Caller{}, a, result, data); err != nil {
				t.Fatal(err)
			}
		}
		if got := data.take(); !bytes.Equal(got, content[off:off+n]) {
			t.Fatalf("other content at %d", off)
		}
		r.export.works.Wait() // of what is read ahead
	}
}
