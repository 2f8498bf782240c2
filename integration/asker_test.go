package integration

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// asker is a client that chooses its XIDs, as one does that asks again over another connection.
type asker struct {
	t    *testing.T
	conn net.Conn
}

func newAsker(t *testing.T, from, address string) *asker {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	return &asker{t, c}
}

func (a *asker) send(xid uint32, p nfs.Procedure, args nfs.Message) {
	a.t.Helper()
	const mark = 4
	e := xdr.NewEncoder(make([]byte, mark))
	h := rpc.CallHeader{XID: xid, Program: nfs.Program, Version: nfs.Version, Procedure: uint32(p), Cred: rpc.Credentials{Flavor: rpc.AuthSys}}
	h.Encode(&e)
	args.Encode(&e)
	q := e.Bytes()
	binary.BigEndian.PutUint32(q, 1<<31|uint32(len(q)-mark))
	if _, err := a.conn.Write(q); err != nil {
		a.t.Fatal(err)
	}
}

// ask makes a call and returns its result, when it has been answered for good.
func (a *asker) ask(xid uint32, p nfs.Procedure, args nfs.Message) nfs.Message {
	a.t.Helper()
	for {
		a.send(xid, p, args)
		var mark [4]byte
		if _, err := io.ReadFull(a.conn, mark[:]); err != nil {
			a.t.Fatalf("%v: %v", p, err)
		}
		reply := make([]byte, binary.BigEndian.Uint32(mark[:])&^(1<<31))
		if _, err := io.ReadFull(a.conn, reply); err != nil {
			a.t.Fatalf("%v: %v", p, err)
		}
		const header = 24
		if got := binary.BigEndian.Uint32(reply); got != xid {
			a.t.Fatalf("%v: the reply to %d, not to %d", p, got, xid)
		}
		_, r := nfs.NewMessages(p)
		d := xdr.NewDecoder(reply[header:])
		if r.Decode(&d); d.Err() != nil {
			a.t.Fatalf("%v: %v", p, d.Err())
		}
		if *nfs.StatusOf(r) != nfs.ErrJukebox {
			return r
		}
	}
}

// root is the handle of the export's root directory.
func (g *gatewayProcess) root() nfs.Handle {
	g.t.Helper()
	c := rpc.NewClient(rpc.ClientOptions{Address: g.mount, Program: mount.Program, Version: mount.Version})
	defer c.Close()
	reply, err := c.Call(g.t.Context(), &rpc.Request{Procedure: mount.ProcMnt, Cred: rpc.Credentials{Flavor: rpc.AuthSys}, Args: mount.Path(demoExport), Idempotent: true})
	if err != nil {
		g.t.Fatal(err)
	}
	defer reply.Release()
	var r mount.MntResult
	if err := reply.Decode(&r); err != nil || r.Status != mount.OK {
		g.t.Fatal(err, r.Status)
	}
	return bytes.Clone(r.Handle)
}
