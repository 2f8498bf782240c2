package configs

import "fmt"

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
		d.require(at+".nfs.server", a.NFS.Server)
		d.require(at+".nfs.export", a.NFS.Export)
		d.requireOneOf(at+".nfs.mode", a.NFS.Mode, "hard", "soft")
	}
	if a.Directory != nil {
		d.require(at+".directory.path", a.Directory.Path)
	}
}

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
	case d.require(at+".gateway", f.Gateway) && c.Gateway.Name != "" && f.Gateway != c.Gateway.Name:
		d.refuse(at+".gateway", "%q is not this gateway, %q, and files of other gateways are not built yet", f.Gateway, c.Gateway.Name)
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
		return
	}
	if chap.Mutual.Mutual != nil {
		d.refuse(at+".mutual.mutual", "there are only two sides")
	}
	checkCHAP(d, at+".mutual", &CHAP{User: chap.Mutual.User, SecretFile: chap.Mutual.SecretFile})
}
