package integration

import (
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
	log     *gatewayProcess // likewise
}

const (
	benchSize   = 256 << 20 // bytes of both disks
	benchRounds = 3
)

func newBed(t *testing.T) *bed {
	dir := t.TempDir()
	b := &bed{t: t, gateway: startGateway(t, settings{dir: dir, ram: "512MiB", disk: "256MiB"})}
	disk := filepath.Join(dir, "lun1.img")
	randomFile(t, disk, benchSize)
	command(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", disk, b.gateway.url())
	b.tgtd = startTgtd(t, tgtdOptions{dir: dir, size: benchSize, writeCache: true})
	b.peer = b.tgtd.url(1)
	for _, url := range []string{b.gateway.url(), b.peer} { // both warm
		command(t, forebay, "bench", url, "--mode", "seq", "--block-size", "64KiB", "--warm-up", "--duration", "1s")
	}
	return b
}
