package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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

// dribble gives as many bytes per read as it says.
type dribble struct {
	from io.Reader
	n    int
}

func (d dribble) Read(p []byte) (int, error) { return d.from.Read(p[:min(len(p), d.n)]) }

func TestRecordsComeAsTheyWereSentHoweverTheyArrive(t *testing.T) {
	record := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	var stream []byte
	for range 100 { // more than the buffer holds
		stream = append(stream, fragments(record)...)
		stream = append(stream, fragments(record, 1, 0, 4000)...)
	}
	for _, n := range []int{1, 5, 4096, 1 << 20} {
		s := newRecords(dribble{bytes.NewReader(stream), n}, 0)
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

func TestARecordThatHasNoRoomIsAnError(t *testing.T) {
	huge := be.AppendUint32(nil, lastFragment|1<<30)
	endless := bytes.Repeat(be.AppendUint32(nil, 0), minBuffer) // fragments without an end
	for name, stream := range map[string][]byte{"a huge one": huge, "an endless one": endless} {
		s := newRecords(bytes.NewReader(stream), 0)
		var err error
		for err == nil {
			if err = s.fill(); err == nil {
				_, err = s.next()
			}
		}
		if errors.Is(err, io.EOF) {
			t.Errorf("%s is taken", name)
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
		time.Sleep(time.Hour) // nothing waits
		begun := time.Now()
		r.command.submit(0, false)
		r.call(t)
		err := <-r.done
		if took := time.Since(begun); !errors.Is(err, errSilent) || took > 2*time.Minute {
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

func TestALoadAllocatesNothing(t *testing.T) {
	for _, read := range []int{100, 0} {
		f := newFiler(t, testSize)
		f.quick.Store(true)
		o := fileOptions(f)
		o.Read, o.Depth = read, 16
		x, err := open(t.Context(), o.withDefaults(), o.Target)
		if err != nil {
			t.Fatal(err)
		}
		defer x.device.close()
		d := newDriver(x)
		if _, err := d.run(t.Context(), o.Duration); err != nil { // buffers grow to what they need
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := d.run(t.Context(), o.Duration)
		runtime.ReadMemStats(&after)
		n := s.reads.h.TotalCount() + s.writes.h.TotalCount()
		if err != nil || n < 100 {
			t.Fatalf("%d operations, %v", n, err)
		}
		// What a run allocates is in it, and what the server does.
		if mallocs := after.Mallocs - before.Mallocs; mallocs > 100+uint64(n)/20 {
			t.Errorf("%d allocations in %d operations", mallocs, n)
		}
	}
}

// BenchmarkLoadOnAFile is what the load costs, with a server in the same process that answers from memory.
func BenchmarkLoadOnAFile(b *testing.B) {
	for name, change := range map[string]func(o *Options){"reads": func(o *Options) { o.Read = 100 }, "writes": func(o *Options) { o.Read = 0 }} {
		b.Run(name, func(b *testing.B) {
			f := newFiler(b, testSize)
			f.quick.Store(true)
			o := fileOptions(f)
			o.Depth = 16
			change(&o)
			x, err := open(b.Context(), o.withDefaults(), o.Target)
			if err != nil {
				b.Fatal(err)
			}
			defer x.device.close()
			d := newDriver(x)
			var operations int64
			var cpu, elapsed time.Duration
			for b.Loop() {
				s, err := d.run(context.Background(), 100*time.Millisecond)
				if err != nil {
					b.Fatal(err)
				}
				operations += s.reads.h.TotalCount() + s.writes.h.TotalCount()
				cpu, elapsed = cpu+s.ownCPU, elapsed+s.elapsed
			}
			b.ReportMetric(float64(operations)/elapsed.Seconds(), "IOPS")
			b.ReportMetric(float64(cpu.Nanoseconds())/1e3/float64(operations), "us/op-both")
		})
	}
}
