package etcd

import (
	"context"
	"errors"

	"forebay/cachecore"
)

// Store is the cluster's memory. Calls may run concurrently, of several gateways too. What fails by ctx or by a lost server may have
// been stored; calling again with the same arguments is right.
type Store interface {
	// ApplyFile makes the objects of a file those of the cluster: new ones are made, changed ones replaced, and those that the file
	// held when it was last applied and holds no longer are removed, unless another file holds them. It does all of it or, if an
	// object in the cluster is not what this file last applied, nothing: then the error is a *DriftError. file names the file in
	// the whole cluster (gateway and path).
	ApplyFile(ctx context.Context, file string, objects []Object) error
	// Identity is the identity of an array as it was stored; empty: it has never been attached.
	Identity(ctx context.Context, array string) (string, error)
	// StoreIdentity stores what an array is at its first attachment. If another identity is stored it wraps
	// cachecore.ErrIdentity. An empty identity, of a medium that has none, is not stored.
	StoreIdentity(ctx context.Context, array, identity string) error
	// NAA is a volume's identifier for its initiators, made when it is first asked for: NAA 6, locally administered (SPC-5 7.8.6.6).
	NAA(ctx context.Context, volume string) ([16]byte, error)
	// ClusterID is a UUID, made when it is first asked for.
	ClusterID(ctx context.Context) (string, error)
	HandleStore
	ShardStore
	PolicyStore
}

// ShardStore keeps the records of shards (PROTOCOL A1), as far as one gateway alone needs them.
type ShardStore interface {
	// Shard is a record as it is.
	Shard(ctx context.Context, volume string) (Shard, error)
	// Shards are all records, by volume: of those that no configuration has any more, too.
	Shards(ctx context.Context) (map[string]Shard, error)
	// NewEpoch gives a shard an epoch above all before it, for an owner that starts (PROTOCOL A3).
	NewEpoch(ctx context.Context, volume string) (Shard, error)
	// RaiseBase gives a shard an epoch above all before it, which is its base from now on: write-through is entered. log is what may have records that
	// count afterwards, of what array lacks; empty: nothing.
	RaiseBase(ctx context.Context, volume, log, array string) (cachecore.Epoch, error)
	// ChangeLog says which log may have records that count from now on, of what array lacks; it wraps ErrOtherLog if that is neither what the caller
	// believes, nor the new one already.
	ChangeLog(ctx context.Context, volume, from, to, array string) error
	// DeclareLost counts a loss of what was acknowledged: no record of any log counts any more. The base is above all epochs of the shard, and above that
	// one, which some log knows.
	DeclareLost(ctx context.Context, volume string, above cachecore.Epoch) (Shard, error)
}

// PolicyStore keeps what was decided of volumes while they were served.
type PolicyStore interface {
	// Policy is when writes of a volume are acknowledged; empty: as its configuration says.
	Policy(ctx context.Context, volume string) (string, error)
	// SetPolicy sets it; empty: as its configuration says.
	SetPolicy(ctx context.Context, volume, write string) error
}

// HandleStore is what NFS handles need that clients keep for as long as they like.
type HandleStore interface {
	// ClusterKey is a secret, made when it is first asked for.
	ClusterKey(ctx context.Context) ([32]byte, error)
	// ExportID is a volume's number, 1 to 65535, made when it is first asked for and never another volume's.
	ExportID(ctx context.Context, volume string) (uint16, error)
	// StoreHandle keeps an array's handle by its hash.
	StoreHandle(ctx context.Context, hash [32]byte, handle []byte) error
	// Handle is one that was stored, or nil.
	Handle(ctx context.Context, hash [32]byte) ([]byte, error)
}

// Object is a cluster object as a file has it. Kind and Name identify it; Document is JSON.
type Object struct {
	Kind, Name string
	Document   []byte
}

type objectID struct{ kind, name string }

// kv is what Store needs of etcd: keys with values and, for each, the revision of its last change.
type kv interface {
	// get returns the values of those keys that exist.
	get(ctx context.Context, keys ...string) (map[string]value, error)
	// list returns all keys with a prefix.
	list(ctx context.Context, prefix string) (map[string]value, error)
	// commit does all the changes if every key of when still has that revision (0: it doesn't exist), else nothing, and says which.
	commit(ctx context.Context, when map[string]int64, changes []change) (bool, error)
}

type value struct {
	data     []byte
	revision int64
}

// change is a put, or with nil data a removal.
type change struct {
	key  string
	data []byte
}

// store is Store over any kv.
type store struct{ kv kv }

// maxAttempts bounds how often a change is tried that others keep overtaking.
const maxAttempts = 16

var errBusy = errors.New("others keep changing the same keys")

// NewMemory returns a Store that lives as long as it is held: the twin for tests.
func NewMemory() Store { return &store{newMemory()} }
