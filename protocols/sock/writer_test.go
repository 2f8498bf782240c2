package sock

import (
	"bytes"
	"io"
	"net"
	"testing"

	"forebay/protocols/sock/socktest"
)

// What is written is a prefix of what there is, and a peer that reads nothing is not waited for.
func TestWriteTakesWhatGoesAtOnce(t *testing.T) {
	near, far := socktest.Pair(t)
	w := NewWriter(near)
	piece, sent := bytes.Repeat([]byte("forebay"), 10000), 0
	for {
		n := w.Write([][]byte{piece, piece})
		sent += n
		if n < 2*len(piece) {
			break
		}
	}
	if n := w.Write([][]byte{piece}); n == len(piece) {
		t.Fatal("a peer that reads nothing has taken all")
	}
	got := make([]byte, sent)
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] != piece[i%len(piece)] {
			t.Fatalf("byte %d of %d is another one", i, sent)
		}
	}
}

func TestNothingGoesAtOnceToWhatIsNoSocketOrIsClosed(t *testing.T) {
	near, _ := socktest.Pair(t)
	w := NewWriter(near)
	near.Close()
	pipe, _ := net.Pipe()
	for name, w := range map[string]*Writer{"a pipe": NewWriter(pipe), "a closed socket": w} {
		if n := w.Write([][]byte{{1}}); n != 0 {
			t.Errorf("%s took %d bytes", name, n)
		}
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	near, far := socktest.Pair(t)
	go func() { _, _ = io.Copy(io.Discard, far) }()
	w, pieces := NewWriter(near), [][]byte{{1, 2}, {3}}
	if n := testing.AllocsPerRun(1000, func() { w.Write(pieces) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRestIsWhatHasNotBeenWritten(t *testing.T) {
	const text = "abcdefghi"
	for n := range len(text) + 1 {
		pieces := [][]byte{[]byte("abc"), []byte("de"), nil, []byte("fghi")}
		if rest := Rest(pieces, n); string(bytes.Join(rest, nil)) != text[n:] || len(rest) > 0 && len(rest[0]) == 0 && n > 0 {
			t.Errorf("after %d: %q", n, rest)
		}
	}
}
