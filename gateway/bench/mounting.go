package bench

import (
	"context"
	"errors"
	"fmt"
	"path"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/portmap"
	"forebay/protocols/nfs/rpc"
	"forebay/protocols/nfs/xdr"
)

// mountFor mounts the directory of a file, or the nearest one above it that the server lets us mount: where the export ends and the path
// in it begins, a URL does not say. It returns the handle, and the names that lead from there to the file.
func mountFor(ctx context.Context, o Options, u *nfsURL, cred rpc.Credentials) (root nfs.Handle, rest []string, err error) {
	port, err := mountPort(ctx, o, u)
	if err != nil {
		return nil, nil, err
	}
	c := newCaller(o, u.at(port), mount.Program, mount.Version, cred, false)
	defer c.client.Close()
	dir, name := path.Split(u.path)
	rest = []string{name}
	var refusal error // the first that tells more than that there is no such export
	for {
		dir = path.Clean(dir)
		root, err = mountDir(ctx, c, dir)
		var status mount.Status
		switch {
		case err == nil:
			return root, rest, nil
		case !errors.As(err, &status):
			return nil, nil, err
		case refusal == nil || errors.Is(refusal, mount.ErrNoEnt):
			refusal = err
		}
		if dir == "/" {
			return nil, nil, fmt.Errorf("%s is in no export that can be mounted: %w", u.path, refusal)
		}
		dir, name = path.Split(dir)
		rest = append([]string{name}, rest...)
	}
}

func mountDir(ctx context.Context, c *caller, dir string) (root nfs.Handle, err error) {
	var r mount.MntResult
	err = c.raw(ctx, &rpc.Request{Procedure: mount.ProcMnt, Args: mount.Path(dir)}, &r, func() { root = append(root, r.Handle...) })
	if err == nil && r.Status != mount.OK {
		err = r.Status
	}
	if err != nil {
		return nil, fmt.Errorf("MNT %s: %w", dir, err)
	}
	return root, nil
}

// mountPort is where MOUNT is served.
func mountPort(ctx context.Context, o Options, u *nfsURL) (uint16, error) {
	if u.mountPort != 0 {
		return u.mountPort, nil
	}
	c := newCaller(o, u.at(u.portmapPort), portmap.Program, portmap.Version, rpc.Credentials{}, false)
	defer c.client.Close()
	asked := &portmap.Mapping{Program: mount.Program, Version: mount.Version, Protocol: portmap.TCP}
	var port portResult
	if err := c.raw(ctx, &rpc.Request{Procedure: portmap.ProcGetPort, Args: asked}, &port, func() {}); err != nil {
		return 0, fmt.Errorf("port mapper: %w", err)
	}
	if port == 0 || port > 1<<16-1 {
		return 0, errors.New("the port mapper knows no MOUNT version 3 over TCP")
	}
	return uint16(port), nil
}

// portResult is the result of GETPORT.
type portResult uint32

func (p *portResult) Decode(d *xdr.Decoder) { *p = portResult(d.Uint32()) }
