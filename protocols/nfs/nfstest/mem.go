package nfstest

import (
	"context"
	"encoding/binary"
	"sync"

	"forebay/protocols/nfs"
)

// Options say how a Mem behaves. Zero values mean the defaults.
type Options struct {
	FSID       uint64 // 1; handles of two file systems are alike
	HandleSize int    // bytes of a handle, 16 to 64; 16
	ReadMax    uint32 // bytes that a READ reads at most; 1 MiB
	WriteMax   uint32 // bytes that a WRITE writes at most; 1 MiB
	Capacity   uint64 // bytes of file data, in pages; 1 TiB
}

func (o Options) withDefaults() Options {
	if o.FSID == 0 {
		o.FSID = 1
	}
	if o.ReadMax == 0 {
		o.ReadMax = 1 << 20
	}
	if o.WriteMax == 0 {
		o.WriteMax = 1 << 20
	}
	if o.Capacity == 0 {
		o.Capacity = 1 << 40
	}
	o.HandleSize = min(max(o.HandleSize, minHandle), nfs.MaxHandle)
	return o
}

// Mem is a file system in memory. It is safe for concurrent use; one procedure is executed at a time. Reading changes no times.
type Mem struct {
	opts Options
	root *node

	mu struct {
		sync.Mutex
		nodes    map[uint64]*node // those that have a name, by id
		lastID   uint64
		ticks    uint64
		pages    uint64 // of all files
		verifier uint64 // of writes: grows with each restart
		calls    [nfs.Procedures]int
	}
	traps traps
}

// New returns a file system whose root directory belongs to root, who alone may write to it.
func New(o Options) *Mem {
	m := &Mem{opts: o.withDefaults()}
	m.mu.nodes = make(map[uint64]*node)
	m.mu.verifier = 1
	m.root = m.newNode(nfs.Directory, &nfs.Caller{}, m.tick())
	m.root.mode, m.root.nlink, m.root.parent = 0o755, 2, m.root
	m.mu.nodes[m.root.id] = m.root
	return m
}

// Root is the handle of the root directory.
func (m *Mem) Root() nfs.Handle { return m.handle(m.root) }

// Calls is how often a procedure has been executed.
func (m *Mem) Calls(p nfs.Procedure) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mu.calls[p]
}

// Restart is what a power loss does: data that was written UNSTABLE and not committed is gone, with the size and the times that it came
// with, and the write verifier is another one.
func (m *Mem) Restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mu.verifier++
	for _, n := range m.mu.nodes {
		n.lose(m)
	}
}

// Do implements nfs.FileSystem. A context that ends before the call is executed ends it with its error; after that, with
// ErrOutcomeUnknown besides.
func (m *Mem) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	if err := m.traps.pass(ctx, Before, p, a); err != nil {
		return err
	}
	m.mu.Lock()
	m.mu.calls[p]++
	*nfs.StatusOf(r) = m.execute(c, p, a, r)
	m.mu.Unlock()
	return m.traps.pass(ctx, After, p, a)
}

// execute executes a procedure under m.mu. All but the status of r is zero when it begins.
func (m *Mem) execute(c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) nfs.Status {
	switch p {
	case nfs.ProcGetAttr:
		return m.getAttr(a.(*nfs.HandleArgs), r.(*nfs.GetAttrResult))
	case nfs.ProcSetAttr:
		return m.setAttr(c, a.(*nfs.SetAttrArgs), r.(*nfs.WccResult))
	case nfs.ProcLookup:
		return m.lookup(c, a.(*nfs.DirOp), r.(*nfs.LookupResult))
	case nfs.ProcAccess:
		return m.access(c, a.(*nfs.AccessArgs), r.(*nfs.AccessResult))
	case nfs.ProcReadLink:
		return m.readLink(a.(*nfs.HandleArgs), r.(*nfs.ReadLinkResult))
	case nfs.ProcRead:
		return m.read(c, a.(*nfs.ReadArgs), r.(*nfs.ReadResult))
	case nfs.ProcWrite:
		return m.write(c, a.(*nfs.WriteArgs), r.(*nfs.WriteResult))
	case nfs.ProcCreate:
		return m.create(c, a.(*nfs.CreateArgs), r.(*nfs.CreateResult))
	case nfs.ProcMkdir:
		return m.mkdir(c, a.(*nfs.MkdirArgs), r.(*nfs.CreateResult))
	case nfs.ProcSymlink:
		return m.symlink(c, a.(*nfs.SymlinkArgs), r.(*nfs.CreateResult))
	case nfs.ProcMknod:
		return m.mknod(c, a.(*nfs.MknodArgs), r.(*nfs.CreateResult))
	case nfs.ProcRemove:
		return m.remove(c, a.(*nfs.DirOp), r.(*nfs.WccResult))
	case nfs.ProcRmdir:
		return m.rmdir(c, a.(*nfs.DirOp), r.(*nfs.WccResult))
	case nfs.ProcRename:
		return m.rename(c, a.(*nfs.RenameArgs), r.(*nfs.RenameResult))
	case nfs.ProcLink:
		return m.link(c, a.(*nfs.LinkArgs), r.(*nfs.LinkResult))
	case nfs.ProcReadDir:
		return m.readDir(c, a.(*nfs.ReadDirArgs), r.(*nfs.ReadDirResult))
	case nfs.ProcReadDirPlus:
		return m.readDirPlus(c, a.(*nfs.ReadDirPlusArgs), r.(*nfs.ReadDirPlusResult))
	case nfs.ProcFSStat:
		return m.fsStat(a.(*nfs.HandleArgs), r.(*nfs.FSStatResult))
	case nfs.ProcFSInfo:
		return m.fsInfo(a.(*nfs.HandleArgs), r.(*nfs.FSInfoResult))
	case nfs.ProcPathConf:
		return m.pathConf(a.(*nfs.HandleArgs), r.(*nfs.PathConfResult))
	case nfs.ProcCommit:
		return m.commit(c, a.(*nfs.CommitArgs), r.(*nfs.CommitResult))
	}
	return nfs.ErrNotSupp
}

// tick is the time of the next change.
func (m *Mem) tick() nfs.Time {
	m.mu.ticks++
	return nfs.Time{Seconds: 1_600_000_000 + uint32(m.mu.ticks/1e9), Nanoseconds: uint32(m.mu.ticks % 1e9)}
}

// writeVerifier is that of WRITE and COMMIT.
func (m *Mem) writeVerifier() (v nfs.Verifier) {
	binary.BigEndian.PutUint64(v[:], m.mu.verifier)
	return v
}
