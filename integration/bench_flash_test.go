package integration

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
	"time"

	"forebay/cachecore/device"
)

// flashRows measure the flash tier: its hits, over an array 2.5 ms away too, and a restart.
var flashRows = []row{
	{"4K random read, flash hit, depth 32", "forebay bench URL --depth 32 (8 MiB of RAM)", nil, func(b *bed) figure { return flashHits(b.t, "--depth 32") }},
	{"4K random read, flash hit, depth 1", "forebay bench URL --depth 1 (8 MiB of RAM)", nil, func(b *bed) figure { return flashHits(b.t, "--depth 1") }},
	{"restart with 100 GiB of flash to the first hit, s", "forebay gateway; qemu-io read", atMost(3), func(b *bed) figure { return warmRestart(b.t, benchFlash) }},
	{"flash index, GiB per TiB", "curl /metrics: forebay_pool_flash_index_bytes, with 100 GiB of lines", atMost(2), func(b *bed) figure { return flashIndex(b.t, benchFlash) }},
}

const benchFlash = 100 << 30

// flashHits drives a volume that is in flash and not in RAM. Flash is a file here, whose speed is that of the machine's disk.
func flashHits(t *testing.T, load string) figure {
	g, _, _ := filled(t, settings{})
	r := (&bed{t: t}).alone(g.url(), load+" --block-size 4KiB")
	return figure{ours: fmt.Sprintf("%s, p50 %.0f us", iops(r.IOPS), r.All.P50), value: r.IOPS, unit: "IOPS"}
}

// warmRestart is how long a gateway with so much flash, all of it full, takes from its start until a read is answered from there.
func warmRestart(t *testing.T, size int64) figure {
	_, lines, took := restarted(t, size)
	return figure{ours: fmt.Sprintf("%.2f s, %d lines", took.Seconds(), lines), value: took.Seconds(), unit: "s"}
}

// flashIndex is what such a gateway takes of memory for what is in flash.
func flashIndex(t *testing.T, size int64) figure {
	g, lines, _ := restarted(t, size)
	bytes := g.metric(`forebay_pool_flash_index_bytes{pool="fast"}`)
	return figure{ours: fmt.Sprintf("%.0f MiB, %d lines", bytes/(1<<20), lines), value: bytes / float64(size) * (1 << 10), unit: "GiB per TiB"}
}

// restarted kills a gateway whose flash is new, puts footers on the device as if all of it were the volume's, and starts it anew, until a read is answered
// from flash.
func restarted(t *testing.T, size int64) (g *gatewayProcess, lines int64, took time.Duration) {
	s := settings{dir: t.TempDir(), ram: "8MiB", disk: fmt.Sprint(size)}
	path := filepath.Join(s.dir, "flash.img")
	s.flash = fmt.Sprintf("path: %s, size: %d", path, size)
	s.log = fmt.Sprintf("path: %s, size: 64MiB", filepath.Join(s.dir, "log.img")) // else it is in the end of the flash
	g = startGateway(t, s)
	status := g.status()
	g.kill()
	naa, err := hex.DecodeString(status.Volumes[0].NAA)
	if err != nil {
		t.Fatal(err)
	}
	f := synthetic{t: t, path: path, size: size, key: sha256.Sum256(fmt.Appendf(nil, "lun\x00%x\x00%s", naa, status.Arrays[0].Identity)), epoch: s.since(t)}
	lines = f.write()

	began := time.Now()
	g = startGateway(t, s)
	command(t, "qemu-io", "-f", "raw", "-c", fmt.Sprintf("read -P 0 %d 64k", lines/2*synthLine), g.url())
	took = time.Since(began)
	if hits := g.flash(); hits.HitBlocks < 16 || g.fromArray() > 1<<20 {
		t.Fatalf("the read was not answered from flash: %+v, %d bytes from the array", hits, g.fromArray())
	}
	return g, lines, took
}

// since is the epoch under which the volume was served.
func (s settings) since(t *testing.T) uint64 {
	t.Helper()
	var notes struct {
		Volumes map[string]struct{ Since uint64 }
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "data", "flash.json"))
	if err == nil {
		err = json.Unmarshal(text, &notes)
	}
	if err != nil || notes.Volumes["vol1"].Since == 0 {
		t.Fatalf("the notes of the flash tier: %v\n%s", err, text)
	}
	return notes.Volumes["vol1"].Since
}

// synthetic is a flash tier's device whose regions are said, by footers after cachecore/flash/FORMAT.md, to hold an object's zeros.
type synthetic struct {
	t     *testing.T
	path  string
	size  int64
	key   [sha256.Size]byte // its beginning is the key
	epoch uint64

	id                           []byte
	first, regionBlocks, fBlocks int64
}

const (
	synthBlock = 4096
	synthLine  = 8 * synthBlock
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// write returns how many lines there are.
func (f *synthetic) write() (lines int64) {
	f.t.Helper()
	dev, err := device.Open(device.Options{Path: f.path, Sparse: true})
	if err != nil {
		f.t.Fatal(err)
	}
	defer dev.Close()
	super := device.Buffer(synthBlock)
	if err := dev.ReadAt(super, 0); err != nil {
		f.t.Fatal(err)
	}
	at := func(off int) int64 { return int64(binary.LittleEndian.Uint32(super[off:])) }
	f.id, f.first, f.regionBlocks, f.fBlocks = super[8:24], at(28), at(32), at(36)
	for slot := int64(0); f.first+(slot+1)*f.regionBlocks <= f.size/synthBlock; slot++ {
		p, n := f.footer(slot, lines)
		end := f.first + (slot+1)*f.regionBlocks - f.fBlocks
		if err := dev.WriteAt(p, end*synthBlock); err != nil {
			f.t.Fatal(err)
		}
		lines += n
	}
	return lines
}

// footer is that of a slot that holds lines from one on.
func (f *synthetic) footer(slot, line int64) (p []byte, lines int64) {
	le := binary.LittleEndian
	lines = (f.regionBlocks - f.fBlocks - 1) / 8
	body := append(append([]byte(nil), f.key[:16]...), le.AppendUint64(nil, f.epoch)...)
	zeros := crc32.Checksum(make([]byte, synthBlock), castagnoli)
	for i := range lines {
		body = le.AppendUint32(body, 0)
		body = le.AppendUint32(body, uint32(line+i))
		body = le.AppendUint16(body, uint16(8*i))
		body = append(body, 0xff, 0xff)
		for range 8 {
			body = le.AppendUint32(body, zeros)
		}
	}
	p = device.Buffer((64 + len(body) + synthBlock - 1) / synthBlock * synthBlock)
	copy(p, "FBfoote1")
	copy(p[8:], f.id)
	le.PutUint32(p[24:], uint32(slot))
	le.PutUint64(p[28:], uint64(slot)+1)
	le.PutUint32(p[36:], 1)
	le.PutUint32(p[40:], uint32(lines))
	le.PutUint32(p[44:], uint32(64+len(body)))
	le.PutUint32(p[48:], crc32.Checksum(body, castagnoli))
	le.PutUint32(p[60:], crc32.Checksum(p[:60], castagnoli))
	copy(p[64:], body)
	return p, lines
}

// The restart of a tier of a tenth of the size that the bench has, through the real process, by what FORMAT.md says.
func TestAGatewayIsWarmByTheFootersOfItsFlash(t *testing.T) {
	need(t, "qemu-io")
	f := warmRestart(t, 10<<30)
	t.Log(f.ours)
}
