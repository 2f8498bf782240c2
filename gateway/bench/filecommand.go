package bench

import (
	"context"
	"errors"
	"fmt"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// fileCommand is a READ or WRITE of the load; more than one, if the server transfers less than its data at a time.
type fileCommand struct {
	s           *fileSession
	pipe        *pipe // the one that it is submitted to
	data        []byte
	done        func(error)
	index, xid  uint32 // the XID ends with the index
	reads       []byte // a call from its record mark to the end of the arguments, lacking XID, offset and count
	writes      []byte // the same, without the data
	offset      int64
	transferred int
	count       int // bytes of the call under way
	write       bool
}

func (s *fileSession) command(data []byte, done func(error)) command {
	f := s.file
	c := &fileCommand{s: s, pipe: s.current(), data: data, done: done, index: uint32(s.commands)}
	c.reads = f.prepare(nfs.ProcRead, &nfs.ReadArgs{File: f.handle})
	c.writes = f.prepare(nfs.ProcWrite, &writeHead{WriteArgs: nfs.WriteArgs{File: f.handle, Stable: f.opts.Stable}})
	s.commands++
	return c
}

func (f *file) prepare(p nfs.Procedure, args interface{ Encode(*xdr.Encoder) }) []byte {
	e := xdr.NewEncoder(make([]byte, markLength))
	(&rpc.CallHeader{Program: nfs.Program, Version: nfs.Version, Procedure: uint32(p), Cred: f.cred}).Encode(&e)
	args.Encode(&e)
	return e.Bytes()
}

func (c *fileCommand) submit(offset int64, write bool) {
	c.offset, c.write, c.transferred = offset, write, 0
	c.pipe.submit(c)
}

func (c *fileCommand) renew(ctx context.Context) error {
	if err := c.s.renew(ctx, c.pipe); err != nil {
		return err
	}
	c.pipe = c.s.current()
	return nil
}

// encode appends the call for what has not been transferred. It runs under the pipe's lock.
func (c *fileCommand) encode(b *batch) {
	data, at := c.data[c.transferred:], uint64(c.offset)+uint64(c.transferred)
	if c.write {
		data = data[:min(len(data), c.s.file.writeMax)]
		c.count = len(data)
		p := b.grow(len(c.writes))
		copy(p, c.writes)
		be.PutUint32(p, lastFragment|uint32(len(p)-markLength+len(data)+xdr.Pad(len(data))))
		be.PutUint32(p[markLength:], c.xid)
		args := p[len(p)-20:] // offset, count, stable and the length of the data (RFC 1813 3.3.7)
		be.PutUint64(args, at)
		be.PutUint32(args[8:], uint32(len(data)))
		be.PutUint32(args[16:], uint32(len(data)))
		b.add(data)
		return
	}
	c.count = min(len(data), c.s.file.readMax)
	p := b.grow(len(c.reads))
	copy(p, c.reads)
	be.PutUint32(p, lastFragment|uint32(len(p)-markLength))
	be.PutUint32(p[markLength:], c.xid)
	args := p[len(p)-12:] // offset and count
	be.PutUint64(args, at)
	be.PutUint32(args[8:], uint32(c.count))
}

// receive takes the reply. It runs on the pipe's reader.
func (c *fileCommand) receive(record []byte) {
	n, err := c.judge(record)
	if err != nil {
		c.done(err)
		return
	}
	if c.transferred += n; c.transferred < len(c.data) {
		c.pipe.submit(c)
		return
	}
	c.done(nil)
}

// judge returns how many bytes a reply says were transferred.
func (c *fileCommand) judge(record []byte) (n int, err error) {
	d := xdr.NewDecoder(record)
	if err := accepted(&d); err != nil {
		return 0, err
	}
	var status nfs.Status
	if c.write {
		var r nfs.WriteResult
		r.Decode(&d)
		status, n = r.Status, int(r.Count)
	} else {
		var r nfs.ReadResult
		r.Decode(&d)
		status, n = r.Status, len(r.Data)
	}
	switch {
	case d.Err() != nil:
		err = d.Err()
	case status == nfs.ErrJukebox:
		return 0, &passingError{error: status, later: true}
	case status != nfs.OK:
		err = status
	case n == 0:
		err = errors.New("nothing was transferred")
	case n > c.count:
		err = fmt.Errorf("%d bytes were transferred of %d", n, c.count)
	}
	if err != nil {
		err = fmt.Errorf("at %d: %w", c.offset+int64(c.transferred), err)
	}
	return n, err
}

const maxVerifier = 400 // bytes (RFC 5531 8.2)

// accepted reads the header of a reply; an error is one of the server, or of the message.
func accepted(d *xdr.Decoder) error {
	d.Uint32() // the XID
	const reply, denied = 1, 1
	if d.Uint32() != reply {
		return errReply
	}
	if d.Uint32() == denied {
		return errors.New("the server denies the call")
	}
	d.Uint32() // the verifier's flavor
	d.Opaque(maxVerifier)
	if s := rpc.AcceptStatus(d.Uint32()); s != rpc.Success {
		return s
	}
	return d.Err()
}
