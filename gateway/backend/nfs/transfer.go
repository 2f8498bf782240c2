package nfs

import (
	"context"
	"errors"
	"fmt"
	"sync"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// read reads what is asked for, in as many pieces as the filer wants. It stops early where the filer does: at the end of the file, or at an error
// once something has been read.
func (f *Filer) read(ctx context.Context, c *wire.Caller, a *wire.ReadArgs, r *wire.ReadResult) error {
	if uint64(len(r.Data)) < uint64(a.Count) {
		return fmt.Errorf("%v: room for %d of %d bytes", wire.ProcRead, len(r.Data), a.Count)
	}
	about := func() use { return use{spans: []span{bytesOf(a.File, a.Offset, end(a.Offset, int(a.Count)))}} }
	if err := f.settled(ctx, wire.ProcRead, about); err != nil {
		return err
	}
	room := r.Data[:a.Count]
	for n := 0; ; {
		into := room[n:min(len(room), n+int(f.info.ReadMax))]
		var piece wire.ReadResult
		err := f.call(ctx, &request{procedure: wire.ProcRead, caller: c, result: &piece, into: into,
			args: &wire.ReadArgs{File: a.File, Offset: a.Offset + uint64(n), Count: uint32(len(into))}})
		if err != nil {
			return err
		}
		good := piece.Status == wire.OK
		if good || n == 0 {
			n += len(piece.Data)
			*r = piece
			r.Data, r.Count = room[:n], uint32(n)
		}
		if !good || piece.EOF || n == len(room) || len(piece.Data) == 0 {
			return nil
		}
	}
}

// end is where n bytes end that begin at an offset.
func end(offset uint64, n int) uint64 {
	if to := offset + uint64(n); to >= offset {
		return to
	}
	return ^uint64(0)
}

// errRebooted: the verifier changed while one WRITE was made in pieces, again and again.
var errRebooted = errors.New("the filer loses its unstable writes faster than they can be written")

const maxRewrites = 4

// write writes what it is given, in as many pieces as the filer wants. It stops early at an error once something has been written. What is
// answered holds for all pieces: if the filer has lost earlier ones meanwhile, all is written again.
func (f *Filer) write(ctx context.Context, c *wire.Caller, a *wire.WriteArgs, r *wire.WriteResult) error {
	for range maxRewrites {
		lost, err := f.writePieces(ctx, c, a, r)
		if err != nil || !lost {
			return err
		}
	}
	return fmt.Errorf("%v: %w: %w", wire.ProcWrite, wire.ErrOutcomeUnknown, errRebooted)
}

// writePieces says whether what was answered for earlier pieces is lost.
func (f *Filer) writePieces(ctx context.Context, c *wire.Caller, a *wire.WriteArgs, r *wire.WriteResult) (lost bool, err error) {
	for n := 0; ; {
		data := a.Data[n:min(len(a.Data), n+int(f.info.WriteMax))]
		var piece wire.WriteResult
		err = f.writePiece(ctx, c, &wire.WriteArgs{File: a.File, Offset: a.Offset + uint64(n), Stable: a.Stable, Data: data}, &piece)
		good := piece.Status == wire.OK
		switch {
		case err != nil:
			return false, err
		case n == 0:
			*r = piece
		case !good:
		case piece.Verifier != r.Verifier && r.Committed == wire.Unstable:
			return true, nil
		default:
			r.Wcc.After, r.Verifier = piece.Wcc.After, piece.Verifier
			r.Committed = min(r.Committed, piece.Committed)
			r.Count += piece.Count
		}
		n += int(piece.Count)
		if !good || n == len(a.Data) {
			return false, nil
		}
	}
}

// writePiece is one WRITE.
func (f *Filer) writePiece(ctx context.Context, c *wire.Caller, a *wire.WriteArgs, r *wire.WriteResult) error {
	about := func() use {
		return use{[]span{bytesOf(a.File, a.Offset, end(a.Offset, len(a.Data)))}, sync.OnceValue(func() string { return idOf(wire.ProcWrite, writeHead{a}, a.Data) })}
	}
	if err := f.settled(ctx, wire.ProcWrite, about); err != nil {
		return err
	}
	call := request{procedure: wire.ProcWrite, caller: c, args: writeHead{a}, data: a.Data, result: r}
	err := f.call(ctx, &call)
	if err == nil && r.Status == wire.OK && (int(r.Count) > len(a.Data) || r.Count == 0 && len(a.Data) > 0) {
		err = fmt.Errorf("%v: %w: %w: %d bytes are answered with %d", wire.ProcWrite, wire.ErrOutcomeUnknown, rpc.ErrProtocol, len(a.Data), r.Count)
	}
	done := err == nil && r.Status == wire.OK && int(r.Count) == len(a.Data)
	f.doubts.add(about, &call.fate, done, f.works.Go)
	if done {
		f.doubts.done(about)
	}
	if err == nil && r.Status == wire.OK {
		f.see(r.Verifier)
	}
	return err
}

// writeHead encodes all of a WRITE but its data.
type writeHead struct{ *wire.WriteArgs }

func (w writeHead) Encode(e *xdr.Encoder) { w.EncodeHead(e, len(w.Data)) }
