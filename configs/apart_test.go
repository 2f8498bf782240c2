package configs_test

import (
	"strings"
	"testing"
)

// A port of all addresses is no other one's.
func TestAnAddressIsNotTakenByAllAddressesToo(t *testing.T) {
	listen := func(l string) string { return strings.Replace(whole, "  tiers:", "  listen: {"+l+"}\n  tiers:", 1) }
	for l, want := range map[string]string{
		"iscsi: [0.0.0.0:3260, 127.0.0.1:3260]":        `gateway.listen.iscsi[1]: the address "127.0.0.1:3260" can't be had beside "0.0.0.0:3260", which gateway.listen.iscsi[0]`,
		`iscsi: [127.0.0.1:3260, "[::]:3260"]`:         `gateway.listen.iscsi[1]: the address "[::]:3260" can't be had beside "127.0.0.1:3260"`,
		`iscsi: ["[::]:3260", "0.0.0.0:3260"]`:         `gateway.listen.iscsi[1]: the address "0.0.0.0:3260" can't be had beside`,
		"iscsi: [0.0.0.0:7480]":                        `gateway.listen.api: the address "127.0.0.1:7480" can't be had beside "0.0.0.0:7480"`,
		"iscsi: [0.0.0.0:0, 127.0.0.1:0, 0.0.0.0:off]": `gateway.listen.iscsi[2]: "0.0.0.0:off" is not an address`,
	} {
		expect(t, listen(l), want)
	}
	accepted(t, listen("iscsi: [127.0.0.1:3260, 127.0.0.2:3260, 0.0.0.0:3261]"))
}

// A LUN that nobody listens for is not served.
func TestALUNNeedsAPortal(t *testing.T) {
	expect(t, strings.Replace(whole, "  tiers:", "  listen: {iscsi: []}\n  tiers:", 1), "volumes[0].iscsi: gateway.listen.iscsi must have an address to serve it")
}

// A key without anything behind it is not the same as none, where that would be less than what was meant.
func TestWhatIsNamedAndNotGivenIsTold(t *testing.T) {
	expect(t, whole+"      chap: {user: a, secret-file: s, mutual: }\n", "volumes[0].iscsi.chap.mutual: user and secret-file are missing")
	for _, key := range []string{"flash", "log"} {
		expect(t, strings.Replace(whole, "ram: 64MiB", "ram: 64MiB, "+key+": ", 1), "gateway.tiers[0]."+key+": path is missing; leave the key out for none")
	}
}

const wholeFolder = `gateway:
  name: gw-a
  data-dir: /g/data
  tiers: [{pool: fast, ram: 64MiB, flash: {path: /g/flash}, log: {path: /g/log}}]
pools: [{name: fast}]
arrays:
  - name: dir1
    directory: {gateway: gw-a, path: /srv/a}
  - name: dir2
    directory: {gateway: gw-a, path: /srv/b}
  - name: disk1
    file: {gateway: gw-a, path: /g/disk}
volumes:
  - name: files
    from: {array: dir1}
    pool: fast
    nfs: {export: /files}
  - name: image
    from: {array: dir2, path: /a.img}
    pool: fast
    iscsi: {target: "iqn.2026-11.io.forebay:image"}
`

// What clients of an export write to has no medium of anything else, nor the gateway's own files.
func TestAnExportedFolderHasNothingElse(t *testing.T) {
	accepted(t, wholeFolder)
	accepted(t, strings.Replace(wholeFolder, "/g/disk", "/srv/ab/disk", 1))
	accepted(t, strings.Replace(wholeFolder, "/g/disk", "/srv/..a/disk", 1))
	accepted(t, strings.Replace(wholeFolder, "/g/disk", "/srv/b/disk", 1)) // which is not exported
	const lies = ` lies in the folder of arrays[0], which is exported`
	for from, c := range map[string][2]string{
		"/g/data":  {"/srv/a", `gateway.data-dir: "/srv/a"` + lies},
		"/g/flash": {"/srv/x/../a/f", `gateway.tiers[0].flash.path: "/srv/x/../a/f"` + lies},
		"/g/log":   {"/srv/a/l", `gateway.tiers[0].log.path: "/srv/a/l"` + lies},
		"/g/disk":  {"/srv/a/b/d", `arrays[2].file.path: "/srv/a/b/d"` + lies},
		"/srv/b":   {"/srv/a/luns", `volumes[1].from.path: "/srv/a/luns/a.img"` + lies},
	} {
		expect(t, strings.Replace(wholeFolder, from, c[0], 1), c[1])
	}
}

// One medium under two names would have two caches, as under one.
func TestAMediumIsOneByWhateverName(t *testing.T) {
	expect(t, strings.Replace(wholeFolder, "/srv/b", "/srv/./a/", 1), `arrays[1].directory.path: the folder "/srv/a" is taken by arrays[0].directory.path`,
		`volumes[1].from.path: "/srv/a/a.img" lies in the folder`)
	expect(t, strings.Replace(wholeFolder, "/g/disk", "/srv/b/a.img", 1), `volumes[1].from.path: the file or device "/srv/b/a.img" is taken by arrays[2].file.path`)

	two := strings.Replace(wholeNFS, "  - name: dir1\n", "  - name: filer2\n    nfs: {server: filer.example, export: /vol/vms}\n  - name: dir1\n", 1)
	more := two + "  - name: more\n    from: {array: filer2}\n    pool: fast\n    nfs: {export: /more}\n"
	accepted(t, more) // with options of its own
	back := strings.NewReplacer("ram: 64MiB}", "ram: 64MiB, log: {path: l}}", "    nfs: {export: /vms}", "    policy: {write: back}\n    nfs: {export: /vms}")
	expect(t, back.Replace(more), `volumes[0].policy.write: array "filer1" has several exports`)
	accepted(t, back.Replace(strings.Replace(more, "export: /vol/vms}\n  - name: dir1", "export: /vol/vms, port: 2050}\n  - name: dir1", 1)))
	expect(t, strings.Replace(two, "array: dir1, path: /a.img", "array: filer2, path: /a.img", 1), `volumes[1].from: array "filer2" is an NFS export as a whole`)
	luns := strings.NewReplacer("from: {array: filer1}", "from: {array: filer1, path: /a.img}", "    nfs: {export: /vms}", `    iscsi: {target: "iqn.2026-11.io.forebay:vms"}`).Replace(two)
	expect(t, strings.Replace(luns, "array: dir1, path: /a.img", "array: filer2, path: /a.img", 1), `volumes[1].from.path: the file or device "filer.example:/vol/vms/a.img" is taken by volumes[0].from.path`)

	san := strings.Replace(whole, "volumes:\n", `  - name: san1
    iscsi: {portals: [192.0.2.1:3260], target: "iqn.2026-11.example:s"}
  - name: san2
    iscsi: {portals: [192.0.2.2:3260], target: "iqn.2026-11.example:s"}
volumes:
  - {name: a, from: {array: san1, lun: 1}, pool: fast, iscsi: {target: "iqn.2026-11.io.forebay:a"}}
  - {name: b, from: {array: san2, lun: 1}, pool: fast, iscsi: {target: "iqn.2026-11.io.forebay:b"}}
`, 1)
	expect(t, san, `volumes[1].from: the array's LUN "iqn.2026-11.example:s/1" is taken by volumes[0].from`)
	accepted(t, strings.Replace(san, "array: san2, lun: 1", "array: san2, lun: 2", 1))
}

// What a log acknowledges for an export is not in the folder yet: who sees that through another export would not see it.
func TestAFolderWithinAnotherIsNotWrittenBack(t *testing.T) {
	nested := strings.NewReplacer("/srv/b", "/srv/a/b", `from: {array: dir2, path: /a.img}`, "from: {array: dir2}", `    iscsi: {target: "iqn.2026-11.io.forebay:image"}`, "    nfs: {export: /more}").Replace(wholeFolder)
	accepted(t, nested)
	for _, export := range []string{"/files", "/more"} {
		expect(t, strings.Replace(nested, "    nfs: {export: "+export+"}", "    policy: {write: back}\n    nfs: {export: "+export+"}", 1),
			`arrays[1].directory.path: "/srv/a/b" lies in the folder of arrays[0]: write: back goes with neither`)
	}
}
