// Package cachecore holds the nouns of the cache and the small interfaces between its parts. It knows no network and imports
// nothing of ours; ram, volume and the other folders below it are its parts, gateway/backend has the arrays of the real world.
package cachecore

// BlockSize is the cache's unit in bytes: one block of an object.
const BlockSize = 4096

// ObjectID names one cached address space (a LUN, or one file of an export) within this process. It is another's only once nothing of the first is
// cached or on its way, so that a late fill of a removed object can't land in a new one.
type ObjectID uint32

// Block is the number of a 4 KiB block within its object.
type Block uint64

// Epoch grows with every change of a shard's owner, replica set or write policy (PROTOCOL A1).
type Epoch uint64

// Seq is the place of a write in its shard's log (PROTOCOL B1).
type Seq uint64

// Releaser takes back what a read has pinned. It is an alias of an unnamed interface so that packages which may not import
// each other still mean the same type.
type Releaser = interface{ Release(token uint64) }

// Sink takes the pieces of a read, in order of address. A piece's bytes stay valid and unchanged until owner.Release(token) is
// called, exactly once, by whoever holds the sink. A nil owner means that p needs no release.
type Sink interface {
	Add(p []byte, owner Releaser, token uint64)
}
