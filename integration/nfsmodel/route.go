package nfsmodel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"forebay/protocols/nfs"
)

// Route is another way to the files of an export, on which the server that is checked doesn't see what happens. Paths are relative to the
// export's root.
type Route interface {
	// Write writes p into an existing file.
	Write(ctx context.Context, path string, off uint64, p []byte) error
	// Truncate sets the size of a file.
	Truncate(ctx context.Context, path string, size uint64) error
	// Create makes a file that holds p; everybody may read and write it.
	Create(ctx context.Context, path string, p []byte) error
	// Rename renames a file, over another one if there is one.
	Rename(ctx context.Context, from, to string) error
	// Remove removes a file.
	Remove(ctx context.Context, path string) error
}

// Folder is the Route through a local folder that holds the export.
func Folder(export string) Route { return folder(export) }

type folder string

func (f folder) at(path string) string { return filepath.Join(string(f), path) }

func (f folder) Write(_ context.Context, path string, off uint64, p []byte) error {
	file, err := os.OpenFile(f.at(path), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(p, int64(off))
	return errors.Join(err, file.Close())
}

func (f folder) Truncate(_ context.Context, path string, size uint64) error {
	return os.Truncate(f.at(path), int64(size))
}

func (f folder) Create(_ context.Context, path string, p []byte) error {
	return errors.Join(os.WriteFile(f.at(path), p, 0o666), os.Chmod(f.at(path), 0o666))
}

func (f folder) Rename(_ context.Context, from, to string) error {
	return os.Rename(f.at(from), f.at(to))
}

func (f folder) Remove(_ context.Context, path string) error { return os.Remove(f.at(path)) }

// Server is the Route through another server of the same export: o says where it is. The returned function closes it.
func Server(ctx context.Context, o Options) (Route, func(), error) {
	o = o.withDefaults()
	root, err := mounted(ctx, &o)
	if err != nil {
		return nil, nil, err
	}
	r := &serverRoute{newClient(0, o.Callers[0], &o), root}
	return r, r.client.calls.Close, nil
}

type serverRoute struct {
	client *client
	root   nfs.Handle
}

// ask asks for something that has to succeed.
func (r *serverRoute) ask(ctx context.Context, p nfs.Procedure, a, res nfs.Message) error {
	if err := r.client.do(ctx, p, a, res); err != nil {
		return err
	}
	if s := *nfs.StatusOf(res); s != nfs.OK {
		return fmt.Errorf("by the other route: %s: %w", p, s)
	}
	return nil
}

// walk finds a path: its directory and name, and its handle if it is there.
func (r *serverRoute) walk(ctx context.Context, path string) (where nfs.DirOp, h nfs.Handle, err error) {
	where.Dir = r.root
	if dir := filepath.Dir(path); dir != "." {
		if _, where.Dir, err = r.walk(ctx, dir); err != nil {
			return where, nil, err
		}
	}
	where.Name = filepath.Base(path)
	var l nfs.LookupResult
	if err := r.client.do(ctx, nfs.ProcLookup, &where, &l); err != nil {
		return where, nil, err
	}
	return where, l.Object, nil
}

func (r *serverRoute) Write(ctx context.Context, path string, off uint64, p []byte) error {
	_, h, err := r.walk(ctx, path)
	if err != nil {
		return err
	}
	for len(p) > 0 {
		n := min(len(p), maxTransfer)
		var w nfs.WriteResult
		if err := r.ask(ctx, nfs.ProcWrite, &nfs.WriteArgs{File: h, Offset: off, Stable: nfs.FileSync, Data: p[:n]}, &w); err != nil {
			return err
		}
		off, p = off+uint64(w.Count), p[w.Count:]
	}
	return nil
}

func (r *serverRoute) Truncate(ctx context.Context, path string, size uint64) error {
	_, h, err := r.walk(ctx, path)
	if err != nil {
		return err
	}
	return r.ask(ctx, nfs.ProcSetAttr, &nfs.SetAttrArgs{Object: h, Attr: nfs.SetAttr{Size: nfs.Some(size)}}, new(nfs.WccResult))
}

func (r *serverRoute) Create(ctx context.Context, path string, p []byte) error {
	where, _, err := r.walk(ctx, path)
	if err != nil {
		return err
	}
	a := nfs.CreateArgs{Where: where, Mode: nfs.Guarded, Attr: nfs.SetAttr{Mode: nfs.Some(uint32(0o666))}}
	if err := r.ask(ctx, nfs.ProcCreate, &a, new(nfs.CreateResult)); err != nil {
		return err
	}
	return r.Write(ctx, path, 0, p)
}

func (r *serverRoute) Rename(ctx context.Context, from, to string) error {
	f, _, err := r.walk(ctx, from)
	if err != nil {
		return err
	}
	t, _, err := r.walk(ctx, to)
	if err != nil {
		return err
	}
	return r.ask(ctx, nfs.ProcRename, &nfs.RenameArgs{From: f, To: t}, new(nfs.RenameResult))
}

func (r *serverRoute) Remove(ctx context.Context, path string) error {
	where, _, err := r.walk(ctx, path)
	if err != nil {
		return err
	}
	return r.ask(ctx, nfs.ProcRemove, &where, new(nfs.WccResult))
}
