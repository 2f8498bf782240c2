package integration

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestImageCopiedByQemuComparesEqual(t *testing.T) {
	need(t, "qemu-img")
	g := startGateway(t, settings{ram: "32MiB", disk: "128MiB"})
	image := filepath.Join(g.dir, "image.raw")
	randomFile(t, image, 128<<20)
	command(t, "qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", image, g.url())
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, g.url())
	g.stop()

	// What was acknowledged is on the array after the gateway has ended, and a new one serves the same.
	command(t, "cmp", image, filepath.Join(g.dir, "disk.img"))
	again := startGateway(t, settings{dir: g.dir, ram: "32MiB", disk: "128MiB"})
	command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, again.url())
}

func TestQemuIOReadsBackWhatItWrote(t *testing.T) {
	need(t, "qemu-io")
	g := startGateway(t, settings{})
	script := []string{
		"write -P 0x11 0 1M", "read -P 0x11 0 1M",
		"write -P 0x22 512 1536", "read -P 0x22 512 1536", "read -P 0x11 2048 4k", "read -P 0x11 0 512", // inside cached blocks
		"write -f -P 0x33 4093k 7k", "read -P 0x33 4093k 7k",
		"write -z 64k 128k", "read -P 0 64k 128k",
		"discard 256k 64k", "read -P 0 256k 64k",
		"aio_write -P 0x44 8M 1M", "aio_write -P 0x55 9M 1M", "aio_flush", "read -P 0x44 8M 1M", "read -P 0x55 9M 1M",
		"flush",
	}
	args := []string{"-f", "raw"}
	for _, s := range script {
		args = append(args, "-c", s)
	}
	if out := command(t, "qemu-io", append(args, g.url())...); strings.Contains(out, "verification failed") {
		t.Fatalf("qemu-io saw wrong data:\n%s", out)
	}
}

// A hypervisor's view of a filesystem: qemu-storage-daemon logs in and shows the LUN as a file, on which the kernel makes ext4.
func TestExt4OnTheVolumeSurvives(t *testing.T) {
	ext4Survives(t, settings{ram: "32MiB", disk: "256MiB"})
}

func ext4Survives(t *testing.T, s settings) {
	t.Helper()
	need(t, "qemu-storage-daemon", "mkfs.ext4", "e2fsck", "mount", "losetup")
	if os.Getuid() != 0 {
		t.Fatal("mounting needs root")
	}
	s.dir = t.TempDir()
	g := startGateway(t, s)
	source := filepath.Join(g.dir, "source")
	randomFile(t, source, 48<<20)

	lun, daemon := exportByFUSE(t, g)
	command(t, "mkfs.ext4", "-q", "-F", lun)
	dir := mountLoop(t, lun)
	for i := range 200 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%d", i)), fmt.Appendf(nil, "file %d\n", i), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "cp", source, filepath.Join(dir, "big"))
	command(t, "sync", "-f", dir)
	command(t, "umount", dir)
	command(t, "e2fsck", "-fn", lun)
	daemon.signal(sigterm)
	_ = daemon.wait(20 * time.Second)
	g.stop()

	again := startGateway(t, s)
	lun, _ = exportByFUSE(t, again)
	command(t, "e2fsck", "-fn", lun)
	dir = mountLoop(t, lun)
	command(t, "cmp", source, filepath.Join(dir, "big"))
	if got, err := os.ReadFile(filepath.Join(dir, "file-199")); err != nil || string(got) != "file 199\n" {
		t.Errorf("file-199 holds %q, %v", got, err)
	}
	command(t, "umount", dir)
}

func exportByFUSE(t *testing.T, g *gatewayProcess) (lun string, daemon *process) {
	t.Helper()
	lun = filepath.Join(t.TempDir(), "lun")
	randomFile(t, lun, 0)
	daemon = start(t, "qemu-storage-daemon",
		"--blockdev", fmt.Sprintf("driver=iscsi,node-name=i,transport=tcp,portal=%s,target=%s,lun=0", g.portal, demoTarget),
		"--blockdev", "driver=raw,node-name=r,file=i",
		"--export", "type=fuse,id=f,node-name=r,writable=on,mountpoint="+lun)
	t.Cleanup(func() { // killed, it would leave its mount behind
		daemon.signal(sigterm)
		_ = daemon.wait(20 * time.Second)
		_ = exec.Command("umount", "-l", lun).Run()
	})
	eventually(t, 20*time.Second, "the FUSE export", func() bool {
		info, err := os.Stat(lun)
		return err == nil && info.Size() > 0
	})
	return lun, daemon
}

func mountLoop(t *testing.T, image string) string {
	t.Helper()
	dir := t.TempDir()
	command(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	return dir
}

func randomFile(t *testing.T, path string, size int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.CopyN(f, rand.Reader, size); err != nil {
		t.Fatal(err)
	}
}
