package rpc

import (
	stdbytes "bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"forebay/protocols/nfs/xdr"
	"forebay/protocols/sock/socktest"
)

// FuzzRecords takes records off a stream that comes in pieces. It ends, all memory is accounted for, and what comes is what was sent.
func FuzzRecords(f *testing.F) {
	f.Fuzz(func(t *testing.T, wire []byte, piece byte) {
		s, out := newRecords(&chunked{stdbytes.NewReader(wire), int(piece) + 1}, 64<<10)
		s.buf = make([]byte, 2*shortMax)
		held, total := 0, 0
		for {
			p, m, err := s.next()
			if err != nil {
				if errors.Is(err, io.EOF) && total > len(wire) {
					t.Errorf("%d bytes of %d", total, len(wire))
				}
				break
			}
			if m.from != nil {
				held++
			}
			total += len(p) + markLength
		}
		if *out != held {
			t.Errorf("memory for %d records, %d hold some", *out, held)
		}
	})
}

// FuzzCall has a server answer a record. A header that is taken is the same when it is sent on; any reply has the call's XID.
func FuzzCall(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		var h CallHeader
		d := xdr.NewDecoder(p)
		err := h.Decode(&d)
		if err == nil {
			var e xdr.Encoder
			h.Encode(&e)
			var again CallHeader
			d := xdr.NewDecoder(e.Bytes())
			if err := again.Decode(&d); err != nil || !reflect.DeepEqual(h, again) || len(d.Rest()) != 0 {
				t.Errorf("%v\n%+v\n%+v", err, again, h)
			}
		}
		e := newEcho()
		close(e.open)
		call := new(Call)
		reply := NewServer(ServerOptions{Programs: []Program{e}}).datagram(call, p)
		switch {
		case errors.Is(err, ErrProtocol):
			if reply != nil {
				t.Errorf("% x is answered", p)
			}
		case reply != nil:
			xid, _, verdict, failure := parseReply(reply)
			if failure != nil || xid != h.XID || err != nil && verdict == nil {
				t.Errorf("XID %d, %v, %v for %v", xid, verdict, failure, err)
			}
		}
		if call.reset(); e.pins.Load() != 0 {
			t.Error("something is pinned")
		}
	})
}

// FuzzReply parses a reply. A verdict that is taken is the same when it is sent on.
func FuzzReply(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		xid, results, verdict, err := parseReply(p)
		if err != nil {
			return
		}
		var e xdr.Encoder
		encodeReply(&e, xid, verdict)
		sameXID, _, same, err := parseReply(append(e.Bytes(), results...))
		if sameXID != xid || !reflect.DeepEqual(same, verdict) || err != nil {
			t.Errorf("%d %v %v, was %d %v", sameXID, same, err, xid, verdict)
		}
	})
}

// FuzzConn sends bytes to a server's connection. Whatever they are, it ends and nothing is left of it; in the bubble what hangs is a
// deadlock, and what leaks is seen.
func FuzzConn(f *testing.F) {
	f.Fuzz(func(t *testing.T, p []byte) {
		synctest.Test(t, func(t *testing.T) {
			b := &counted{left: 1 << 30}
			r := newRig(t, socktest.NewPipeListener(), func(o *ServerOptions) { o.Buffers, o.Limits.Record, o.Limits.Calls = b, 32<<10, 2 })
			close(r.echo.open)
			c := r.raw()
			_ = c.SetDeadline(time.Now().Add(time.Hour)) // the server's patience is shorter
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, _ = c.Write(p) // it may be cut off
			synctest.Wait()
			c.Close()
			r.shutdown(context.Background())
			if b.out != 0 {
				t.Errorf("%d bytes are not given back", b.out)
			}
		})
	})
}
