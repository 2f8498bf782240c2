package nfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	bootstrap "github.com/vmware/go-nfs-client/nfs/rpc"

	wire "forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/rpc"
)

const (
	mountTimeout = 10 * time.Second // of MNT
	knockTimeout = 5 * time.Second  // of each step with the port mapper
)

// mount finds the programs, mounts the export and returns the handle of its root and the port of NFS.
func (o Options) mount(ctx context.Context) (root wire.Handle, port int, err error) {
	port, mountPort := o.Port, o.MountPort
	if port == 0 {
		if port, err = lookUp(ctx, o.Server, wire.Program, wire.Version); err != nil {
			return nil, 0, fmt.Errorf("%w: the port of NFS: %w", wire.ErrAway, err)
		}
	}
	if mountPort == 0 {
		if mountPort, err = lookUp(ctx, o.Server, mount.Program, mount.Version); err != nil {
			return nil, 0, fmt.Errorf("%w: the port of MOUNT: %w", wire.ErrAway, err)
		}
	}
	root, err = o.mnt(ctx, mountPort)
	return root, port, err
}

// mnt asks for the handle of the export's root. It is our own MOUNT: that of go-nfs-client can't be told a port, and looks NFS up with
// the port mapper, which many filers don't have open, before it lets go of the handle; and it makes room for whatever lengths come.
func (o Options) mnt(ctx context.Context, port int) (wire.Handle, error) {
	c := rpc.NewClient(rpc.ClientOptions{Address: o.address(port), Program: mount.Program, Version: mount.Version,
		Record: 64 << 10, CallTimeout: mountTimeout, Dial: o.dial})
	defer c.Close()
	cred := rpc.Credentials{Flavor: rpc.AuthSys, Machine: machineName()}
	reply, err := c.Call(ctx, &rpc.Request{Procedure: mount.ProcMnt, Cred: cred, Args: mount.Path(o.Export), Idempotent: true})
	if err != nil {
		return nil, fmt.Errorf("%w: MNT: %w", wire.ErrAway, err)
	}
	defer reply.Release()
	var result mount.MntResult
	if err := reply.Decode(&result); err != nil {
		return nil, fmt.Errorf("MNT: %w", err)
	}
	switch {
	case result.Status != mount.OK:
		return nil, fmt.Errorf("MNT: %w", result.Status)
	case len(result.Flavors) > 0 && !slices.Contains(result.Flavors, rpc.AuthSys):
		return nil, fmt.Errorf("MNT: the export takes the flavors %d, and not AUTH_SYS", result.Flavors)
	}
	return bytes.Clone(result.Handle), nil
}

// lookUp asks the port mapper of a host for the TCP port of a program. Each question has a connection of its own: after a timeout
// go-nfs-client takes the late reply for that to the next question.
func lookUp(ctx context.Context, host string, program, version uint32) (int, error) {
	knock := net.Dialer{Timeout: knockTimeout} // go-nfs-client would wait as long as the kernel does
	c, err := knock.DialContext(ctx, "tcp", net.JoinHostPort(host, fmt.Sprint(bootstrap.PmapPort)))
	if err != nil {
		return 0, fmt.Errorf("port mapper: %w", err)
	}
	c.Close()
	type answer struct {
		port int
		err  error
	}
	came := make(chan answer, 1)
	go func() {
		port, err := getPort(host, program, version)
		came <- answer{port, err}
	}()
	select {
	case a := <-came:
		return a.port, a.err
	case <-ctx.Done():
		return 0, fmt.Errorf("port mapper: %w", ctx.Err())
	}
}

// getPort is GETPORT by go-nfs-client, which panics when a reply is cut short or denied.
func getPort(host string, program, version uint32) (port int, err error) {
	defer func() {
		if p := recover(); p != nil {
			port, err = 0, fmt.Errorf("port mapper: a reply that makes no sense: %v", p)
		}
	}()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	c, err := bootstrap.DialPortmapper("tcp", host)
	if err != nil {
		return 0, fmt.Errorf("port mapper: %w", err)
	}
	defer c.Close()
	c.SetTimeout(knockTimeout)
	port, err = c.Getport(bootstrap.Mapping{Prog: program, Vers: version, Prot: bootstrap.IPProtoTCP})
	switch {
	case err != nil:
		return 0, fmt.Errorf("port mapper: %w", err)
	case port <= 0 || port > 65535:
		return 0, fmt.Errorf("port mapper: program %d is %w", program, errNotRegistered)
	}
	return port, nil
}

var errNotRegistered = errors.New("not registered")
