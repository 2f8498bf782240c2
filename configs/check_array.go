package configs

import (
	"fmt"
	"path"
)

func checkArray(c *Config, d *document, at string, a *Array) {
	d.requireName(at+".name", a.Name)
	d.exactlyOne(at, "iscsi", "nfs", "file", "directory")
	if a.File != nil {
		checkFile(c, d, at+".file", a.File)
	}
	if a.ISCSI != nil {
		checkISCSIArray(d, at+".iscsi", a.ISCSI)
	}
	if a.NFS != nil {
		checkNFSArray(d, at+".nfs", a.NFS)
	}
	if a.Directory != nil {
		d.require(at+".directory.path", a.Directory.Path)
		c.requireOurs(d, at+".directory.gateway", a.Directory.Gateway)
	}
}

// requireOurs is for what only one gateway has.
func (c *Config) requireOurs(d *document, at, gateway string) {
	if d.require(at, gateway) && c.Gateway.Name != "" && gateway != c.Gateway.Name {
		d.refuse(at, "%q is not this gateway, %q, and files of other gateways are not built yet", gateway, c.Gateway.Name)
	}
}

func checkNFSArray(d *document, at string, a *NFSArray) {
	d.require(at+".server", a.Server)
	if d.require(at+".export", a.Export) && !isExportPath(a.Export) {
		d.refuse(at+".export", "%q is not an absolute path such as /vol/vms", a.Export)
	}
	d.requireOneOf(at+".mode", a.Mode, ModeHard, ModeSoft)
	for key, port := range map[string]int{"port": a.Port, "mount-port": a.MountPort} {
		if port < 0 || port > 65535 || d.has(at+"."+key) && port == 0 {
			d.refuse(at+"."+key, "%d is not a port: 1 to 65535; leave the key out to ask the server's port mapper", port)
		}
	}
	if a.Connections < 1 || a.Connections > 64 {
		d.refuse(at+".connections", "%d is not within 1 to 64", a.Connections)
	}
}

// isExportPath says whether a path is absolute and written in the shortest way.
func isExportPath(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }

func checkFile(c *Config, d *document, at string, f *FileArray) {
	d.require(at+".path", f.Path)
	if f.Size%4096 != 0 {
		d.refuse(at+".size", "%s is not a multiple of 4KiB", f.Size)
	}
	if d.has(at+".size") && f.Size == 0 {
		d.refuse(at+".size", "0: leave the key out to serve a file as large as it is")
	}
	switch {
	case f.Shared && f.Gateway != "":
		d.refuse(at, "either gateway, who has it, or shared, by all")
	case f.Shared:
	default:
		c.requireOurs(d, at+".gateway", f.Gateway)
	}
}

func checkISCSIArray(d *document, at string, a *ISCSIArray) {
	if len(a.Portals) == 0 {
		d.refuse(at+".portals", "missing")
	}
	for i, p := range a.Portals {
		if !p.reachable() {
			d.refuse(fmt.Sprintf("%s.portals[%d]", at, i), "%q is no address that could be connected to", p)
		}
	}
	d.requireISCSIName(at+".target", a.Target)
	d.requireOneOf(at+".digests", a.Digests, DigestsNone, DigestsCRC32C)
	checkCHAP(d, at+".chap", a.CHAP)
}

// maxCHAPUser is what a text value may hold (RFC 7143 section 12.1.3).
const maxCHAPUser = 255

func checkCHAP(d *document, at string, chap *CHAP) {
	if chap == nil {
		if d.has(at) {
			d.refuse(at, "user and secret-file are missing")
		}
		return
	}
	if d.require(at+".user", chap.User) && len(chap.User) > maxCHAPUser {
		d.refuse(at+".user", "longer than %d bytes", maxCHAPUser)
	}
	d.require(at+".secret-file", chap.SecretFile)
	if chap.Mutual == nil {
		if d.has(at + ".mutual") {
			d.refuse(at+".mutual", "user and secret-file are missing")
		}
		return
	}
	if chap.Mutual.Mutual != nil {
		d.refuse(at+".mutual.mutual", "there are only two sides")
	}
	checkCHAP(d, at+".mutual", &CHAP{User: chap.Mutual.User, SecretFile: chap.Mutual.SecretFile})
}
