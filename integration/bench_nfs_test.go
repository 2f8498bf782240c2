package integration

import (
	"fmt"

	"forebay/gateway/bench"
	"forebay/integration/relay"
)

// nfsRows measure an export that is all cached beside the filer behind it, on tmpfs, and exports over a filer 2.5 ms away.
var nfsRows = []row{
	{"NFS 4K random read hit, depth 16", filerCommand(nfs16), atLeast(3), func(b *bed) figure { return iopsOf(b.filer(nfs16)) }},
	{"CPU of the serving process, NFS 4K read hit, us", filerCommand(nfs16), atMost(7), func(b *bed) figure { return b.cpuOf(b.filer(nfs16)) }},
	{"NFS 4K random read hit, depth 1", filerCommand(hit1), nil, func(b *bed) figure { return iopsOf(b.filer(hit1)) }},
	{"NFS 64K sequential read hit, depth 16", filerCommand(seq64), atLeast(1.5), func(b *bed) figure { return iopsOf(b.filer(seq64)) }},
	{"NFS 1M sequential read hit, depth 8", filerCommand(seq1M), atLeast(1.5), func(b *bed) figure { return iopsOf(b.filer(seq1M)) }},
	{"NFS 4K random write-through, FILE_SYNC, depth 16", filerCommand(nfsWrite), nil, func(b *bed) figure { return iopsOf(b.filer(nfsWrite)) }},
	{"NFS hits over a 2.5 ms filer, both at depth 1", sanCommand("--depth 1"), atLeast(30), func(b *bed) figure { return b.distant().hits(1) }},
	{"NFS hits over a 2.5 ms filer at depth 16, the filer at 1", sanCommand("--depth 16"), atLeast(100), func(b *bed) figure { return b.distant().hits(16) }},
	{"NFS misses over a 2.5 ms filer, depth 1", sanCommand("--depth 1"), atLeast(0.95), func(b *bed) figure { return b.distant().misses("--depth 1") }},
	{"NFS misses over a 2.5 ms filer, depth 16", sanCommand("--depth 16"), atLeast(0.95), func(b *bed) figure { return b.distant().misses("--depth 16") }},
	{"NFS sequential 64K misses over a 2.5 ms filer, depth 1", sanCommand("--mode seq --depth 1 --block-size 64KiB"), nil,
		func(b *bed) figure { return b.distant().misses("--mode seq --depth 1 --block-size 64KiB") }},
	{"NFS write-through over a 2.5 ms filer, depth 16", sanCommand("--depth 16 --read 0"), nil, func(b *bed) figure { return b.distant().misses("--depth 16 --read 0") }},
}

const (
	nfs16    = "--depth 16 --block-size 4KiB"
	nfsWrite = "--depth 16 --block-size 4KiB --read 0 --stable file-sync"
)

func filerCommand(load string) string {
	return "forebay bench URL --vs GANESHA-URL --pid PID --vs-pid GANESHA-PID " + load
}

// file is a file of the filer as forebay bench wants it, by an address that leads there.
func (g *ganesha) file(address, name string) string {
	return fmt.Sprintf("nfs://%s%s/%s?mount-port=%d", address, g.export, name, port(g.t, g.mount))
}

// filerBed is a gateway over nfs-ganesha, everything cached.
type filerBed struct{ pair }

func (b *bed) filer(load string) bench.Report {
	if b.files == nil {
		f := startGanesha(b.t)
		g := startGateway(b.t, settings{ram: "512MiB", array: f.over(f.nfs), export: "squash: none"})
		b.files = &filerBed{pair{g.file("disk.img"), f.file(f.nfs, "disk.img"), g.cmd.Process.Pid, f.cmd.Process.Pid}}
		b.lay(b.files.ours)
	}
	return b.drive(b.files.pair, load)
}

// lay makes a file and fills it, and the cache with it.
func (b *bed) lay(url string) {
	command(b.t, forebay, "bench", url, "--create", "--mode", "seq", "--block-size", "64KiB", "--read", "0", "--working-set", fmt.Sprint(benchSize), "--duration", "5s")
	command(b.t, forebay, "bench", url, "--mode", "seq", "--block-size", "64KiB", "--warm-up", "--duration", "1s")
}

// farFiler is a filer 2.5 ms away, and two gateways over it: all of a file is cached by one, next to nothing by the other.
type farFiler struct {
	b                    *bed
	cached, cold, direct string // URLs
}

func (b *bed) distant() *farFiler {
	if b.far != nil {
		return b.far
	}
	f := startGanesha(b.t)
	r := startRelay(b.t, f.nfs, relay.Options{})
	cached := startGateway(b.t, settings{ram: "512MiB", array: f.over(r.Addr()), export: "squash: none"})
	cold := startGateway(b.t, settings{ram: "1MiB", array: f.over(r.Addr()), export: "squash: none"})
	b.far = &farFiler{b: b, cached: cached.file("disk.img"), cold: cold.file("disk.img"), direct: f.file(r.Addr(), "disk.img")}
	b.lay(b.far.cached)
	r.Delay(relay.ToServer, slowArray)
	return b.far
}

func (f *farFiler) hits(depth int) figure {
	return f.b.besideDirect(f.cached, fmt.Sprintf("--depth %d", depth), f.direct, "--depth 1")
}

func (f *farFiler) misses(load string) figure { return f.b.besideDirect(f.cold, load, f.direct, load) }
