package bench

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// nfsURL is nfs://host[:port]/path?arguments. The arguments are mount-port (0: the port mapper tells it), portmap-port, uid and gid.
type nfsURL struct {
	host                         string
	port, mountPort, portmapPort uint16
	path                         string // of the file, clean; its first part is an export
	uid, gid                     uint32
}

var errNFSURL = errors.New("want nfs://host[:port]/export/path/to/file[?mount-port=N&uid=N&gid=N]")

func parseNFSURL(s string) (nfsURL, error) {
	v := nfsURL{port: 2049, mountPort: 20048, portmapPort: 111}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "nfs" || u.User != nil || u.Hostname() == "" || u.Fragment != "" {
		return v, errNFSURL
	}
	v.host, v.path = u.Hostname(), path.Clean(u.Path)
	if v.path == "/" || v.path == "." || strings.HasSuffix(u.Path, "/") {
		return v, fmt.Errorf("%q names no file: %w", u.Path, errNFSURL)
	}
	if p := u.Port(); p != "" {
		if v.port, err = portNumber(p); err != nil || v.port == 0 {
			return v, fmt.Errorf("%q is no port: %w", p, errNFSURL)
		}
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return v, errNFSURL
	}
	for key := range values {
		if err := v.argument(key, values.Get(key)); err != nil {
			return v, fmt.Errorf("argument %s: %w", key, err)
		}
	}
	return v, nil
}

func (v *nfsURL) argument(key, value string) (err error) {
	switch key {
	case "mount-port":
		v.mountPort, err = portNumber(value)
	case "portmap-port":
		v.portmapPort, err = portNumber(value)
	case "uid":
		v.uid, err = number32(value)
	case "gid":
		v.gid, err = number32(value)
	default:
		return fmt.Errorf("not known: %w", errNFSURL)
	}
	return err
}

func portNumber(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err
}

func number32(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

func (v *nfsURL) at(port uint16) string { return net.JoinHostPort(v.host, strconv.Itoa(int(port))) }

// String is the URL without its arguments.
func (v *nfsURL) String() string { return "nfs://" + v.at(v.port) + v.path }
