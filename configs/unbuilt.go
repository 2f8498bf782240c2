package configs

import (
	"maps"
	"regexp"
	"slices"
)

// unbuilt lists what the design has and this version has not: a key, for each item of a list where [] stands, what it is, and where
// only some values of it are missing, which. The key goes from here when it is built.
var unbuilt = []struct {
	key, what string
	missing   func(value string) bool // nil: any value
}{
	{key: "gateway.listen.peers", what: "several gateways", missing: notOff},
	{key: "gateway.tls", what: "TLS"},
	{key: "gateway.api.tokens-file", what: "access to the API by token"},
	{key: "etcd.embedded.peers", what: "several gateways"},
	{key: "etcd.embedded.listen", what: "several gateways"},
	{key: "etcd.endpoints", what: "an etcd outside the gateway"},
	{key: "fault-domains[].partners", what: "replicas in other fault domains"},
	{key: "arrays[].file.shared", what: "devices that several gateways share", missing: not("false")},
	{key: "volumes[].policy.replicas", what: "replicas"},
	{key: "volumes[].limits", what: "limits of a volume"},
	{key: "volumes[].rules", what: "policies of single files"},
	{key: "volumes[].iscsi.address", what: "addresses that follow a volume"},
	{key: "volumes[].nfs.address", what: "addresses that follow a volume"},
}

func not(v string) func(string) bool { return func(value string) bool { return value != v } }

var notOff = not(string(Off))

var listIndex = regexp.MustCompile(`\[\d+\]`)

// refuseUnbuilt reports every key that the file gives and that nothing would heed.
func (d *document) refuseUnbuilt() {
	for _, key := range slices.Sorted(maps.Keys(d.places)) {
		general := listIndex.ReplaceAllString(key, "[]")
		for _, u := range unbuilt {
			if u.key == general && (u.missing == nil || u.missing(d.places[key].value.Value)) {
				d.refuse(key, "not built yet: %s", u.what)
			}
		}
	}
}
