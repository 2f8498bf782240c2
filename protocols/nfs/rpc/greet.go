package rpc

import (
	"context"
	"encoding/binary"
	"fmt"

	"forebay/protocols/nfs/xdr"
)

// greet makes the call that every connection begins with, and waits for the verdict on its reply.
func (l *link) greet(ctx context.Context) error {
	c := l.client
	if c.opts.Greeting == nil {
		return nil
	}
	defer context.AfterFunc(ctx, func() { l.net.Close() })()
	c.mu.Lock()
	xid := c.nextXID()
	c.mu.Unlock()
	e := xdr.NewEncoder(make([]byte, markLength, 256))
	r := c.opts.Greeting
	(&CallHeader{XID: xid, Program: c.opts.Program, Version: c.opts.Version, Procedure: r.Procedure, Cred: r.Cred}).Encode(&e)
	if r.Args != nil {
		r.Args.Encode(&e)
	}
	binary.BigEndian.PutUint32(e.Bytes(), lastFragment|uint32(e.Len()-markLength))
	if _, err := l.net.Write(e.Bytes()); err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	record, m, err := l.in.next()
	if err != nil {
		return fmt.Errorf("greeting: %w", err)
	}
	defer m.release()
	answered, results, verdict, err := parseReply(record)
	switch {
	case err != nil:
		return fmt.Errorf("greeting: %w", err)
	case answered != xid:
		return fmt.Errorf("greeting: %w: the reply is to another call", ErrProtocol)
	case verdict != nil:
		return fmt.Errorf("greeting: %w", verdict)
	}
	return c.opts.Greeted(&Reply{Results: results})
}
