package configs

import (
	"fmt"
	"path/filepath"
	"time"
)

// defaults is the configuration before the file has its say.
func defaults() *Config {
	return &Config{Gateway: Gateway{
		FaultDomain: "default",
		Listen:      Listen{ISCSI: []Address{"127.0.0.1:3260"}, API: "127.0.0.1:7480"},
		Limits:      Limits{Sessions: 256, Unauthenticated: 32, Login: Duration(15 * time.Second), MemoryPerConnection: 16 << 20},
		Log:         Log{Level: "info", Format: "json"},
	}}
}

// complete fills in the defaults of what stands in lists and makes paths absolute.
func (c *Config) complete(d *document) {
	if !d.has("etcd") {
		c.Etcd.Embedded = new(EmbeddedEtcd)
	}
	c.Gateway.complete(c)
	for i := range c.Arrays {
		a := &c.Arrays[i]
		if a.File != nil {
			c.resolve(&a.File.Path)
		}
		if a.Directory != nil {
			c.resolve(&a.Directory.Path)
		}
		if a.ISCSI != nil {
			c.resolveSecrets(a.ISCSI.CHAP)
		}
		if a.NFS != nil {
			a.NFS.complete(d, fmt.Sprintf("arrays[%d].nfs", i))
		}
	}
	for i := range c.Volumes {
		v, at := &c.Volumes[i], fmt.Sprintf("volumes[%d]", i)
		v.Policy.complete(d, at+".policy")
		for j := range v.Rules {
			v.Rules[j].Policy.complete(d, fmt.Sprintf("%s.rules[%d].policy", at, j))
		}
		if v.ISCSI != nil {
			if !d.has(at + ".iscsi.block-size") {
				v.ISCSI.BlockSize = 512
			}
			c.resolveSecrets(v.ISCSI.CHAP)
		}
		if v.NFS != nil {
			v.NFS.complete(d, at+".nfs")
			c.Gateway.Listen.completeNFS()
		}
	}
}

// completeNFS is for a gateway that has an export.
func (l *Listen) completeNFS() {
	if l.NFS == "" {
		l.NFS = "127.0.0.1:2049"
	}
	if l.Mount == "" {
		l.Mount = "127.0.0.1:20048"
	}
}

func (a *NFSArray) complete(d *document, at string) {
	if !d.has(at + ".connections") {
		a.Connections = 4
	}
	if !d.has(at + ".mode") {
		a.Mode = ModeHard
	}
}

func (x *NFSExport) complete(d *document, at string) {
	if !d.has(at + ".squash") {
		x.Squash = SquashRoot
	}
	if !d.has(at + ".anon.uid") {
		x.Anon.UID = nobody
	}
	if !d.has(at + ".anon.gid") {
		x.Anon.GID = nobody
	}
	if !d.has(at + ".attribute-cache") {
		x.AttributeCache = Duration(3 * time.Second)
	}
}

const nobody = 65534

func (g *Gateway) complete(c *Config) {
	c.resolve(&g.DataDir)
	c.resolve(&g.API.TokensFile)
	if g.TLS != nil {
		c.resolve(&g.TLS.Cert)
		c.resolve(&g.TLS.Key)
		c.resolve(&g.TLS.CA)
	}
	for i := range g.Tiers {
		for _, m := range []*Media{g.Tiers[i].Flash, g.Tiers[i].Log} {
			if m != nil {
				c.resolve(&m.Path)
			}
		}
	}
}

func (p *Policy) complete(d *document, at string) {
	if !d.has(at + ".write") {
		p.Write = WriteThrough
	}
	if p.Write == WriteBack && !d.has(at+".survives") {
		p.Survives = SurvivesPowerLoss
	}
}

func (c *Config) resolveSecrets(chap *CHAP) {
	for ; chap != nil; chap = chap.Mutual {
		c.resolve(&chap.SecretFile)
	}
}

// resolve makes a path absolute that is relative to the file's folder.
func (c *Config) resolve(path *string) {
	if *path != "" && !filepath.IsAbs(*path) {
		*path = filepath.Join(filepath.Dir(c.File), *path)
	}
}
