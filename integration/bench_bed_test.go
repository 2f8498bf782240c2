package integration

import (
	"os"
	"path/filepath"
	"testing"
)

// bed is a gateway and tgtd beside it, each over a file of its own with the same content, all of it cached.
type bed struct {
	t       *testing.T
	gateway *gatewayProcess
	tgtd    *tgtd
	peer    string          // URL of tgtd's LUN
	slow    *san            // made when it is asked for
	files   *filerBed       // likewise
	far     *farFiler       // likewise
	ram     *gatewayProcess // likewise
	ramPeer *tgtd           // likewise
	log     *gatewayProcess // likewise
}

const (
	benchSize   = 256 << 20 // bytes of both disks
	benchRounds = 3
)

func newBed(t *testing.T) *bed {
	dir := t.TempDir()
	b := &bed{t: t, gateway: startGateway(t, settings{dir: dir, ram: "512MiB", disk: "256MiB"})}
	b.tgtd = b.twin(b.gateway.url(), dir)
	b.peer = b.tgtd.url(1)
	return b
}

// twin starts tgtd over a file in a folder, with the same content as a gateway's disk, both of it cached.
func (b *bed) twin(gateway, dir string) *tgtd {
	b.t.Helper()
	disk := filepath.Join(dir, "lun1.img")
	randomFile(b.t, disk, benchSize)
	command(b.t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", disk, gateway)
	a := startTgtd(b.t, tgtdOptions{dir: dir, size: benchSize, writeCache: true})
	for _, url := range []string{gateway, a.url(1)} {
		command(b.t, forebay, "bench", url, "--mode", "seq", "--block-size", "64KiB", "--warm-up", "--duration", "1s")
	}
	return a
}

// memoryDir is a folder in memory until the end of the test.
func memoryDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "forebay-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
