package bench

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs"
)

// pipeRig is a pipe with one command, and the server's end of its connection.
type pipeRig struct {
	pipe    *pipe
	command *fileCommand
	server  net.Conn
	done    chan error
}

func newPipeRig(data int) *pipeRig {
	ours, theirs := net.Pipe()
	o := Options{BlockSize: data, Depth: 1, CommandTimeout: time.Minute}
	r := &pipeRig{pipe: newPipe(ours, o), server: theirs, done: make(chan error, 1)}
	f := &file{opts: o, handle: nfs.Handle("f"), readMax: maxBlock, writeMax: maxBlock}
	s := &fileSession{file: f, pipe: r.pipe}
	r.command = s.command(make([]byte, data), func(err error) { r.done <- err }).(*fileCommand)
	return r
}

// call takes the call that was submitted.
func (r *pipeRig) call(t *testing.T) (xid uint32) {
	t.Helper()
	return be.Uint32(r.take(t))
}

func (r *pipeRig) take(t *testing.T) []byte {
	t.Helper()
	var mark [markLength]byte
	if _, err := io.ReadFull(r.server, mark[:]); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, be.Uint32(mark[:])&^lastFragment)
	if _, err := io.ReadFull(r.server, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEachCallHasAnXIDOfItsOwn(t *testing.T) {
	r := newPipeRig(4096)
	defer r.pipe.close()
	seen := map[uint32]bool{}
	for i := range 5 {
		r.command.submit(0, i%2 == 1)
		xid := r.call(t)
		if seen[xid] {
			t.Errorf("XID %d comes again: a server could take the call for a repeated one", xid)
		}
		seen[xid] = true
		var answer nfs.Message = &nfs.ReadResult{Count: 4096, Data: make([]byte, 4096)}
		if i%2 == 1 {
			answer = &nfs.WriteResult{Count: 4096}
		}
		if _, err := r.server.Write(fragments(reply(xid, answer))); err != nil {
			t.Fatal(err)
		}
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReplyToNoCallEndsTheConnection(t *testing.T) {
	for name, answer := range map[string]func(xid uint32) []byte{
		"another XID":   func(xid uint32) []byte { return reply(xid+1<<indexBits, &nfs.ReadResult{}) },
		"another index": func(xid uint32) []byte { return reply(xid+1, &nfs.ReadResult{}) },
		"no XID":        func(uint32) []byte { return []byte{1, 2} },
	} {
		t.Run(name, func(t *testing.T) {
			r := newPipeRig(512)
			defer r.pipe.close()
			r.command.submit(0, false)
			if _, err := r.server.Write(fragments(answer(r.call(t)))); err != nil {
				t.Fatal(err)
			}
			var lost *lostError
			if err := <-r.done; !errors.As(err, &lost) {
				t.Error(err)
			}
			r.command.submit(0, false)
			if err := <-r.done; !errors.As(err, &lost) {
				t.Error(err)
			}
		})
	}
}

func TestASilentServerIsGivenUpButNotAnIdleOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newPipeRig(512)
		defer r.pipe.close()
		r.command.submit(0, false)
		if _, err := r.server.Write(fragments(reply(r.call(t), &nfs.ReadResult{Count: 512, Data: make([]byte, 512)}))); err != nil {
			t.Fatal(err)
		}
		if err := <-r.done; err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // nothing waits
		begun := time.Now()
		r.command.submit(0, false)
		r.call(t)
		err := <-r.done
		if took := time.Since(begun); !errors.Is(err, errSilent) || took < time.Minute || took > 2*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// The server takes calls again when the last of its replies has been taken: who waited to send before reading on would wait for ever.
func TestTheReaderNeverWaitsToSend(t *testing.T) {
	const depth, size = 24, 1 << 20
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	o := Options{BlockSize: size, Depth: depth, CommandTimeout: time.Minute}
	p := newPipe(ours, o)
	defer p.close()
	s := &fileSession{file: &file{opts: o, handle: nfs.Handle("f"), readMax: size, writeMax: size}, pipe: p}
	done, last := make(chan error, depth), make(chan error)
	for i := range depth {
		var c command
		reads := 0
		c = s.command(bytes.Repeat([]byte{byte(i)}, size), func(err error) {
			switch reads++; {
			case err != nil || reads == 2:
				done <- err
			case i == depth-1:
				last <- err
			default:
				c.submit(int64(i)*size, true)
			}
		})
		c.submit(0, false)
	}
	r := &pipeRig{server: server}
	answer := func(m nfs.Message) []byte { return fragments(reply(r.call(t), m)) }
	read := &nfs.ReadResult{Count: size, Data: make([]byte, size)}
	var replies []byte
	for range depth {
		replies = append(replies, answer(read)...)
	}
	go server.Write(replies)
	if err := <-last; err != nil {
		t.Fatal(err)
	}
	for range depth - 1 {
		call := r.take(t)
		if p := call[len(call)-size:]; !bytes.Equal(p, bytes.Repeat(p[:1], size)) {
			t.Fatal("a call has the data of several commands")
		}
		if _, err := server.Write(fragments(reply(be.Uint32(call), &nfs.WriteResult{Count: size}))); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}

// Padding is of zeros (RFC 4506 3), also in a slab that has been used.
func TestPaddingIsZeros(t *testing.T) {
	var b batch
	b.add(bytes.Repeat([]byte{0xff}, 16))
	b.reset()
	b.add([]byte{1, 2, 3, 4, 5})
	if got := bytes.Join(b.pieces, nil); !bytes.Equal(got, []byte{1, 2, 3, 4, 5, 0, 0, 0}) {
		t.Errorf("% x", got)
	}
}
