package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWrongConfigurationIsToldInOneGo(t *testing.T) {
	s := settings{dir: t.TempDir()}
	path := writeConfig(t, s)
	text, _ := os.ReadFile(path)
	wrong := strings.NewReplacer("pool: fast, ram: 64MiB", "pool: slow, ram: 64Mib", "array: disk1", "array: disk9", "  name: gw-test", "  nmae: gw-test").Replace(string(text))
	if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"config", "check", path}, {"gateway", "--config", path}} {
		out, err := exec.Command(forebay, args...).CombinedOutput()
		if err == nil {
			t.Errorf("%v accepts a wrong configuration", args)
		}
		for _, word := range []string{"nmae", "64Mib", "disk9", "forebay.yaml:2"} {
			if !strings.Contains(string(out), word) {
				t.Errorf("%v does not name %q:\n%s", args, word, out)
			}
		}
	}
}

func TestPortInUseIsToldAndRetried(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s := settings{dir: t.TempDir(), listen: taken.Addr().String()}
	g := &gatewayProcess{dir: s.dir, process: start(t, forebay, "gateway", "--config", writeConfig(t, s))}
	g.waitFor(20*time.Second, "address already in use", taken.Addr().String())
	g.waitFor(20*time.Second, `"message":"volume serves"`)
	taken.Close()
	g.portal = g.address("iscsi")
	command(t, "iscsi-inq", g.url())
	if n := strings.Count(g.output(), "address already in use"); n != 1 {
		t.Errorf("the same trouble is told %d times", n)
	}
}

func TestWrongSecretIsRefusedAndTold(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("a-long-secret-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, settings{dir: dir, volume: []string{"chap: {user: esx, secret-file: secret}"}})
	with := func(credentials string) string {
		return strings.Replace(g.url(), "iscsi://", "iscsi://"+credentials, 1)
	}
	command(t, "iscsi-inq", with("esx%a-long-secret-1@"))
	for _, credentials := range []string{"", "esx%not-this-secret@", "root%a-long-secret-1@"} {
		if out, err := exec.Command("iscsi-inq", with(credentials)).CombinedOutput(); err == nil {
			t.Errorf("%q may log in:\n%s", credentials, out)
		}
	}
	g.waitFor(time.Second, `"level":"warn"`, "CHAP", "esx")
}

func TestInitiatorOutsideTheListIsRefused(t *testing.T) {
	g := startGateway(t, settings{volume: []string{`initiators: ["iqn.2026-11.example:*"]`}})
	if out, err := exec.Command("iscsi-inq", g.url()).CombinedOutput(); err == nil {
		t.Errorf("a foreign initiator may log in:\n%s", out)
	}
	command(t, "iscsi-inq", "-i", "iqn.2026-11.example:host1", g.url())
}

func TestArrayThatIsSmallerThanConfiguredIsToldAndServedOnceItFits(t *testing.T) {
	s := settings{dir: t.TempDir(), disk: "256MiB"}
	disk := filepath.Join(s.dir, "disk.img")
	randomFile(t, disk, 1<<20)
	g := &gatewayProcess{dir: s.dir, process: start(t, forebay, "gateway", "--config", writeConfig(t, s))}
	g.portal = g.address("iscsi")
	g.waitFor(20*time.Second, `"level":"warn"`, "disk1", "256")
	if out, err := exec.Command("iscsi-readcapacity16", g.url()).CombinedOutput(); err == nil {
		t.Errorf("a volume without its array answers:\n%s", out)
	}
	if err := os.Truncate(disk, 256<<20); err != nil {
		t.Fatal(err)
	}
	g.waitFor(20*time.Second, `"message":"volume serves"`)
	command(t, "iscsi-readcapacity16", g.url())
}

// PROTOCOL D6: a file that has gone is not made anew, and another one in its place is not taken for it.
func TestD6_AnotherFileInTheArraysPlaceIsNotServed(t *testing.T) {
	s := settings{dir: t.TempDir()}
	g := startGateway(t, s)
	g.stop()
	for _, name := range []string{"disk.img", "disk.img.forebay-id"} {
		if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(s.dir, "away-"+name)); err != nil {
			t.Fatal(err)
		}
	}
	g = &gatewayProcess{dir: s.dir, process: start(t, forebay, "gateway", "--config", writeConfig(t, s))}
	g.waitFor(20*time.Second, `"level":"warn"`, "disk1")
	if _, err := os.Stat(filepath.Join(s.dir, "disk.img")); err == nil {
		t.Fatal("the gateway made a new file in the place of the one that has gone")
	}
	for _, name := range []string{"disk.img", "disk.img.forebay-id"} {
		if err := os.Rename(filepath.Join(s.dir, "away-"+name), filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	g.waitFor(20*time.Second, `"message":"volume serves"`)
}
