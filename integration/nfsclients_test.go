package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Programs that find NFS by its port mapper, at an address of the loopback network that only this test uses.
func TestClientsOfOthersUseAnExport(t *testing.T) {
	need(t, "qemu-img", "qemu-io", "nfs-ls", "nfs-cp", "nfs-cat")
	const host = "127.0.111.1"
	for name, array := range map[string]func(t *testing.T) (array, path string){
		"of a folder": func(t *testing.T) (string, string) { return folder(t) },
		"of a filer":  func(t *testing.T) (string, string) { f := startGanesha(t); return f.over(f.nfs), f.export },
	} {
		t.Run(name, func(t *testing.T) {
			behind, path := array(t)
			dir := t.TempDir()
			g := startGateway(t, settings{array: behind, ram: "32MiB", export: "squash: none", host: host, portmap: true, nfsPort: 12049, mountPort: 12048})
			url := func(name string) string { return "nfs://" + host + demoExport + "/" + name }

			image, back := filepath.Join(dir, "image.raw"), filepath.Join(dir, "back.raw")
			randomFile(t, image, 64<<20)
			command(t, "nfs-cp", image, url("copied.raw"))
			command(t, "nfs-cp", url("copied.raw"), back)
			command(t, "cmp", image, back)
			if out := command(t, "nfs-ls", url("")); !strings.Contains(out, "copied.raw") {
				t.Errorf("nfs-ls: %s", out)
			}
			must(t, "a file behind", os.WriteFile(filepath.Join(path, "note"), []byte("written behind\n"), 0o644))
			if out := command(t, "nfs-cat", url("note")); out != "written behind\n" {
				t.Errorf("nfs-cat: %q", out)
			}

			command(t, "qemu-img", "convert", "-f", "raw", "-O", "raw", image, url("disk.raw"))
			command(t, "qemu-img", "compare", "-f", "raw", "-F", "raw", image, url("disk.raw"))
			out := command(t, "qemu-io", "-f", "raw", "-c", "write -P 0x5a 4097 5000", "-c", "read -P 0x5a 4097 5000", "-c", "flush", "-c", "truncate 65M", "-c", "read -P 0 64M 1M", url("disk.raw"))
			if strings.Contains(out, "failed") {
				t.Errorf("qemu-io: %s", out)
			}
			g.stop()
			got, err := os.ReadFile(filepath.Join(path, "disk.raw"))
			must(t, "the file behind", err)
			want, err := os.ReadFile(image)
			must(t, "the image", err)
			copy(want[4097:], bytes.Repeat([]byte{0x5a}, 5000))
			if !bytes.Equal(got, append(want, make([]byte, 1<<20)...)) {
				t.Error("the file behind has other content")
			}
		})
	}
}
