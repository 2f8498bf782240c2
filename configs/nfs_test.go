package configs_test

import (
	"strings"
	"testing"
	"time"

	"forebay/configs"
)

const wholeNFS = `gateway:
  name: gw-a
  data-dir: data
  tiers: [{pool: fast, ram: 64MiB}]
pools: [{name: fast}]
arrays:
  - name: filer1
    nfs: {server: filer.example, export: /vol/vms}
  - name: dir1
    directory: {gateway: gw-a, path: files}
  - name: disk1
    file: {gateway: gw-a, path: disk.img}
volumes:
  - name: vms
    from: {array: filer1}
    pool: fast
    nfs: {export: /vms}
  - name: image
    from: {array: dir1, path: /a.img}
    pool: fast
    iscsi: {target: "iqn.2026-11.io.forebay:image"}
`

func TestAnExportHasDefaults(t *testing.T) {
	c, err := configs.Parse("f.yaml", []byte(wholeNFS))
	if err != nil {
		t.Fatal(err)
	}
	x, a := c.Volumes[0].NFS, c.Arrays[0].NFS
	if x.Squash != configs.SquashRoot || x.Anon != (configs.Anon{UID: 65534, GID: 65534}) || time.Duration(x.AttributeCache) != 3*time.Second {
		t.Errorf("%+v", x)
	}
	if a.Connections != 4 || a.Mode != configs.ModeHard || a.Port != 0 || a.MountPort != 0 {
		t.Errorf("%+v", a)
	}
	if l := c.Gateway.Listen; l.NFS != "127.0.0.1:2049" || l.Mount != "127.0.0.1:20048" || l.Portmap.On() {
		t.Errorf("%+v", l)
	}
}

func TestMistakesOfExportsAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		old, with string
		want      []string
	}{
		"relative export":      {"export: /vms", "export: vms", []string{`volumes[0].nfs.export: "vms" is not an absolute path`}},
		"long way round":       {"export: /vms", "export: /vms/", []string{`volumes[0].nfs.export: "/vms/" is not an absolute path`}},
		"no network":           {"export: /vms", "export: /vms, clients: [192.0.2.1]", []string{`volumes[0].nfs.clients[0]: "192.0.2.1" is not a network`}},
		"nobody":               {"export: /vms", "export: /vms, clients: []", []string{`volumes[0].nfs.clients: an empty list lets nobody in`}},
		"squash":               {"export: /vms", "export: /vms, squash: some", []string{`volumes[0].nfs.squash: "some": one of none, root, all`}},
		"no files":             {"array: filer1", "array: disk1", []string{`volumes[0].from.array: array "disk1" has no files`}},
		"part of an array":     {"array: filer1", "array: filer1, path: /a", []string{`volumes[0].from.path: an NFS export is all of an array`}},
		"which file":           {"array: dir1, path: /a.img", "array: dir1", []string{`volumes[1].from.path: missing: which file of array "dir1"`}},
		"path of a disk":       {"array: dir1, path: /a.img", "array: disk1, path: /a.img", []string{`volumes[1].from.path: array "disk1" has no files`}},
		"relative path":        {"path: /a.img", "path: a.img", []string{`volumes[1].from.path: "a.img" is not an absolute path`}},
		"two caches":           {"array: dir1, path: /a.img", "array: filer1, path: /a.img", []string{`volumes[1].from: array "filer1" is an NFS export as a whole`}},
		"foreign folder":       {"gateway: gw-a, path: files", "gateway: gw-b, path: files", []string{`arrays[1].directory.gateway: "gw-b" is not this gateway`}},
		"port":                 {"export: /vol/vms", "export: /vol/vms, port: 70000", []string{`arrays[0].nfs.port: 70000 is not a port`}},
		"connections":          {"export: /vol/vms", "export: /vol/vms, connections: 0", []string{`arrays[0].nfs.connections: 0 is not within 1 to 64`}},
		"too many":             {"export: /vol/vms", "export: /vol/vms, connections: 65", []string{`arrays[0].nfs.connections: 65 is not within 1 to 64`}},
		"mode":                 {"export: /vol/vms", "export: /vol/vms, mode: firm", []string{`arrays[0].nfs.mode: "firm": one of hard, soft`}},
		"nobody listens":       {"  tiers:", "  listen: {nfs: off}\n  tiers:", []string{`volumes[0].nfs: gateway.listen.nfs and gateway.listen.mount must be on`}},
		"address that follows": {"export: /vms", "export: /vms, address: 192.0.2.51/24", []string{`volumes[0].nfs.address: not built yet`}},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(wholeNFS, c.old) {
				t.Fatalf("%q is not in the text", c.old)
			}
			expect(t, strings.Replace(wholeNFS, c.old, c.with, 1), c.want...)
		})
	}
}

func TestExportsHavePathsOfTheirOwn(t *testing.T) {
	text := strings.Replace(wholeNFS, "volumes:\n", "  - name: filer2\n    nfs: {server: filer.example, export: /vol/b}\nvolumes:\n  - name: b\n    from: {array: filer2}\n    pool: fast\n    nfs: {export: /vms}\n", 1)
	expect(t, text, `volumes[1].nfs.export: volumes[0] has the same`)
}
