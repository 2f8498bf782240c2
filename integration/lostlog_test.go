package integration

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"forebay/protocols/iscsi/initiator"
)

// A gateway is killed while only its log has what it acknowledged, and finds another log, or none, when it starts again: the volume is not served as the
// array has it. With the log in its place again everything is there (PROTOCOL A4).
func TestA4_AVolumeIsNotServedWithoutTheLogThatHasItsWrites(t *testing.T) {
	t.Parallel()
	s, log := onlyLogged(t)
	away := log + ".away"
	move(t, log, away)
	for name, change := range map[string]func(*settings){"an empty one": func(*settings) {}, "none": func(s *settings) { s.log, s.write = "", "through" }} {
		s := s
		change(&s)
		g := launch(t, s)
		expectOffline(t, g)
		expectArray(t, s, 0)
		if reason := g.status().Volumes[0].Reason; !strings.Contains(reason, "bring that one back") || !strings.Contains(reason, "forebay volume recover vol1") {
			t.Errorf("%s: the reason is %q", name, reason)
		}
		g.stop()
	}
	move(t, away, log)
	g := startGateway(t, s)
	expectFirst(t, g, lostContent)
	g.drained()
	g.stop()
	expectArray(t, s, lostContent)
}

// Without it an operator has the array served, and that is counted.
func TestA7_ALossIsDeclaredByAnOperator(t *testing.T) {
	t.Parallel()
	s, log := onlyLogged(t)
	move(t, log, log+".away")
	g := launch(t, s)
	expectOffline(t, g)
	if out := command(t, forebay, "volume", "recover", "vol1", "--accept-data-loss", "--api", g.api); !strings.Contains(out, "restarted") {
		t.Errorf("it prints %q", out)
	}
	g.waitFor(10*time.Second, `"level":"error"`, "declared lost")
	g.stop()
	g = startGateway(t, s)
	expectFirst(t, g, 0)
	if v := g.status().Volumes[0]; v.Effective != "write-back" || v.Writeback.Losses != 1 {
		t.Errorf("%+v, %+v", v, v.Writeback)
	}
	if table := command(t, forebay, "status", "--api", g.api); !strings.Contains(table, "DATA LOSSES") {
		t.Errorf("the status is\n%s", table)
	}
	writeFirst(t, g, 'n')
	g.kill()
	g = startGateway(t, s)
	expectFirst(t, g, 'n')
}

const lostContent = 'x'

// onlyLogged is a gateway that has been killed when its log had a block that the array lacks.
func onlyLogged(t *testing.T) (s settings, log string) {
	t.Helper()
	s = writeBack(settings{dir: t.TempDir()})
	g := startGateway(t, s)
	command(t, forebay, "volume", "barrier", "vol1", "--hold", "10m", "--api", g.api)
	writeFirst(t, g, lostContent)
	g.kill()
	expectArray(t, s, 0)
	return s, filepath.Join(s.dir, "log.img")
}

// launch starts a gateway that may not serve its volume.
func launch(t *testing.T, s settings) *gatewayProcess {
	t.Helper()
	g := &gatewayProcess{dir: s.dir, process: start(t, forebay, "gateway", "--config", writeConfig(t, s))}
	g.portal, g.api = g.address("iscsi"), g.address("api")
	g.waitFor(30*time.Second, `"message":"array attached"`)
	return g
}

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func dial(t *testing.T, g *gatewayProcess) *initiator.Session {
	t.Helper()
	s, err := initiator.Dial(t.Context(), initiator.Options{Portal: g.portal, Target: demoTarget})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Abandon)
	return s
}

// writeFirst writes the first 4 KiB.
func writeFirst(t *testing.T, g *gatewayProcess, content byte) {
	t.Helper()
	s, c := dial(t, g), &initiator.Command{Out: bytes.Repeat([]byte{content}, 4096)}
	must(t, "ready", s.Ready(t.Context(), 0))
	c.Write(0, 8, false)
	must(t, "write", s.Do(t.Context(), c))
}

func expectFirst(t *testing.T, g *gatewayProcess, content byte) {
	t.Helper()
	s, c := dial(t, g), &initiator.Command{In: make([]byte, 4096)}
	must(t, "ready", s.Ready(t.Context(), 0))
	c.Read(0, 8)
	must(t, "read", s.Do(t.Context(), c))
	if !bytes.Equal(c.In, bytes.Repeat([]byte{content}, 4096)) {
		t.Errorf("it reads as %q, want %q", c.In[:1], content)
	}
}

// expectArray holds the first 4 KiB of the file behind against what they should be.
func expectArray(t *testing.T, s settings, content byte) {
	t.Helper()
	image, err := os.ReadFile(filepath.Join(s.dir, "disk.img"))
	if err != nil || !bytes.Equal(image[:4096], bytes.Repeat([]byte{content}, 4096)) {
		t.Errorf("the array has something else than %q: %v", content, err)
	}
}

// expectOffline sees that an initiator is told NOT READY.
func expectOffline(t *testing.T, g *gatewayProcess) {
	t.Helper()
	s, c := dial(t, g), &initiator.Command{In: make([]byte, 4096)}
	c.Read(0, 8)
	for what, err := range map[string]error{"TEST UNIT READY": s.Ready(t.Context(), 0), "a read": s.Do(t.Context(), c)} {
		if status := new(initiator.StatusError); !errors.As(err, &status) || status.Key != initiator.SenseNotReady {
			t.Errorf("%s is answered %v", what, err)
		}
	}
	if v := g.status().Volumes[0]; !strings.HasPrefix(v.Effective, "offline") {
		t.Errorf("the status says that it is %s", v.Effective)
	}
}
