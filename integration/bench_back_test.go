package integration

import (
	"fmt"
	"path/filepath"

	"forebay/integration/relay"
)

// backRows measure writes that are acknowledged by a log: in RAM beside tgtd, on a file, and a full one over an array 2.5 ms away. What is beside
// tgtd is over a file in memory (tmpfs), as tgtd is: the drive below is neither's.
var backRows = []row{
	{"4K random write-back to RAM, depth 32", versusCommand(write32), atLeast(2), func(b *bed) figure { return iopsOf(b.drive(b.inRAM(), write32)) }},
	{"CPU of the serving process, 4K write-back to RAM, us", versusCommand(write32), atMost(8), func(b *bed) figure { return b.cpuOf(b.drive(b.inRAM(), write32)) }},
	{"4K write-back to RAM, depth 1, p50 us", versusCommand(write1), atMost(1), func(b *bed) figure {
		r := b.drive(b.inRAM(), write1)
		return figure{fmt.Sprintf("%.1f", r.All.P50), fmt.Sprintf("%.1f", r.Versus.All.P50), r.All.P50 / r.Versus.All.P50, "x"}
	}},
	{"4K write-back to RAM, depth 32, qemu-img bench", "qemu-img bench -w -f raw -t none -c 100000 -d 32 -s 4096 URL", atLeast(1.6), func(b *bed) figure {
		p := b.inRAM()
		return b.inTurns(func() float64 { return b.qemu(p.ours, "-w") }, func() float64 { return b.qemu(p.theirs, "-w") })
	}},
	{"512-byte sequential write-back to RAM, depth 32", "forebay bench URL " + write512, atLeast(150_000), func(b *bed) figure {
		r := b.alone(b.inRAM().ours, write512)
		return figure{ours: iops(r.IOPS), value: r.IOPS, unit: "IOPS"}
	}},
	{"4K write-back to a log on a file, depth 1", "forebay bench URL " + write1, nil, func(b *bed) figure { return b.onFile(write1) }},
	{"4K write-back to a log on a file, depth 32", "forebay bench URL " + write32, nil, func(b *bed) figure { return b.onFile(write32) }},
	{"NFS 4K write-back to a log on a file, FILE_SYNC, depth 16", filerCommand(nfsWrite), nil, func(b *bed) figure { return b.staged(nfsWrite) }},
	{"4K write-back, the log full, over a 2.5 ms array, depth 16", sanCommand("--depth 16 --read 0"), atLeast(0.95), func(b *bed) figure { return b.fullLog() }},
}

const (
	write1   = "--depth 1 --block-size 4KiB --read 0"
	write512 = "--mode seq --depth 32 --block-size 512 --read 0"
)

// inRAM is a gateway whose log is in RAM, large enough for a turn, and tgtd. Both have been written to.
func (b *bed) inRAM() pair {
	if b.ram == nil {
		b.ram = startGateway(b.t, settings{dir: memoryDir(b.t), ram: "8GiB", disk: "256MiB", write: "back", policy: "survives: nothing"})
		b.ramPeer = b.twin(b.ram.url(), memoryDir(b.t))
		b.ram.drained()
	}
	return pair{b.ram.url(), b.ramPeer.url(1), b.ram.cmd.Process.Pid, b.ramPeer.cmd.Process.Pid}
}

// onFile measures a gateway with a log on a file.
func (b *bed) onFile(load string) figure {
	if b.log == nil {
		s := settings{dir: b.t.TempDir(), ram: "1GiB", disk: "256MiB", write: "back"}
		s.log = fmt.Sprintf("path: %s, size: 4GiB", filepath.Join(s.dir, "log.img"))
		b.log = startGateway(b.t, s)
	}
	r := b.alone(b.log.url(), load)
	return figure{ours: fmt.Sprintf("%s, p50 %.0f us", iops(r.IOPS), r.All.P50), value: r.IOPS, unit: "IOPS"}
}

// staged measures an export with a log on a file, over nfs-ganesha, beside that.
func (b *bed) staged(load string) figure {
	f := startGanesha(b.t)
	g := startGateway(b.t, writeBack(settings{dir: b.t.TempDir(), ram: "512MiB", array: f.over(f.nfs), export: "squash: none"}))
	p := pair{g.file("disk.img"), f.file(f.nfs, "disk.img"), g.cmd.Process.Pid, f.cmd.Process.Pid}
	b.lay(p.ours)
	g.drained()
	return iopsOf(b.drive(p, load))
}

// fullLog measures a gateway whose log has been filled, beside the array reached directly.
func (b *bed) fullLog() figure {
	a := startTgtd(b.t, tgtdOptions{size: 512 << 20, luns: 2, writeCache: true})
	r := startRelay(b.t, a.portal, relay.Options{})
	r.Delay(relay.ToServer, slowArray)
	s := settings{dir: b.t.TempDir(), ram: "64MiB", array: a.over(r.Addr()), lun: 1, write: "back"}
	s.log = fmt.Sprintf("path: %s, size: 64MiB", filepath.Join(s.dir, "log.img"))
	g := startGateway(b.t, s)
	b.alone(g.url(), "--depth 32 --read 0 --block-size 64KiB") // fills it
	direct := fmt.Sprintf("iscsi://%s/%s/2", r.Addr(), a.target)
	return b.besideDirect(g.url(), "--depth 16 --read 0", direct, "--depth 16 --read 0")
}
