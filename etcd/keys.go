package etcd

import (
	"encoding/hex"
	"net/url"
	"strings"
)

// The keys, all under one version:
//
//	/forebay/v1/cluster-id                         UUID, made once
//	/forebay/v1/objects/KIND/NAME                  a cluster object, canonical JSON
//	/forebay/v1/applied/FILE/KIND/NAME             the object as FILE last applied it
//	/forebay/v1/identities/ARRAY                   identity of the medium, from the first attachment on
//	/forebay/v1/naa/VOLUME                         32 hex digits, made once
//	/forebay/v1/shards/VOLUME                      {"epoch": E, "base": B}
//	/forebay/v1/policies/VOLUME                    through or back, where it was set while the volume was served
//	/forebay/v1/cluster-key                        64 hex digits, made once
//	/forebay/v1/exports/VOLUME                     the number of a volume in NFS handles, decimal, never another's
//	/forebay/v1/last-export                        the number that was given out last
//	/forebay/v1/handles/HASH                       an array's NFS handle that clients know by its SHA-256 in hex
//
// FILE, KIND and the names are escaped, so that none of them holds a slash.
const (
	keyRoot      = "/forebay/v1/"
	keyClusterID = keyRoot + "cluster-id"
	keyObjects   = keyRoot + "objects/"
	keyApplied   = keyRoot + "applied/"
	keyKey       = keyRoot + "cluster-key"
	keyExports   = keyRoot + "exports/"
	keyLast      = keyRoot + "last-export"
	keyShards    = keyRoot + "shards/"
)

func keyObject(id objectID) string { return keyObjects + id.key() }

func keyAppliedObject(file string, id objectID) string {
	return keyApplied + url.PathEscape(file) + "/" + id.key()
}

func keyIdentity(array string) string { return keyRoot + "identities/" + url.PathEscape(array) }

func keyNAA(volume string) string { return keyRoot + "naa/" + url.PathEscape(volume) }

func keyExport(volume string) string { return keyExports + url.PathEscape(volume) }

func keyShard(volume string) string { return keyShards + url.PathEscape(volume) }

func keyPolicy(volume string) string { return keyRoot + "policies/" + url.PathEscape(volume) }

func keyHandle(hash [32]byte) string { return keyRoot + "handles/" + hex.EncodeToString(hash[:]) }

func (id objectID) key() string { return url.PathEscape(id.kind) + "/" + url.PathEscape(id.name) }

// splitApplied takes a key under keyApplied apart.
func splitApplied(key string) (file string, id objectID, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, keyApplied), "/")
	if len(parts) != 3 {
		return "", objectID{}, false
	}
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return "", objectID{}, false
		}
		parts[i] = plain
	}
	return parts[0], objectID{parts[1], parts[2]}, true
}
