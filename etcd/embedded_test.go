package etcd_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"forebay/etcd"
	"forebay/etcd/etcdtest"
)

func TestSuiteOnMemory(t *testing.T) {
	etcdtest.Suite(t, func(*testing.T) etcd.Store { return etcd.NewMemory() })
}

func TestSuiteOnTheEmbeddedServer(t *testing.T) {
	e := start(t, filepath.Join(t.TempDir(), "etcd"))
	etcdtest.Suite(t, func(t *testing.T) etcd.Store {
		etcd.Empty(t, e)
		return e.Store()
	})
}

func start(t *testing.T, dir string) *etcd.Embedded {
	t.Helper()
	e, err := etcd.StartEmbedded(t.Context(), etcd.EmbeddedOptions{Dir: dir, Log: zerolog.New(zerolog.NewTestWriter(t))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestARestartedServerFindsEverythingAgain(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	e := start(t, dir)
	s := e.Store()
	pool := etcd.Object{Kind: "pool", Name: "fast", Document: []byte(`{"name":"fast"}`)}
	id, err1 := s.ClusterID(t.Context())
	naa, err2 := s.NAA(t.Context(), "vol1")
	if err := errors.Join(err1, err2, s.StoreIdentity(t.Context(), "disk1", "uuid:1"), s.ApplyFile(t.Context(), "gw-a:/f", []etcd.Object{pool}), e.Close()); err != nil {
		t.Fatal(err)
	}

	s = start(t, dir).Store()
	if again, err := s.ClusterID(t.Context()); err != nil || again != id {
		t.Errorf("cluster id %q, was %q: %v", again, id, err)
	}
	if again, err := s.NAA(t.Context(), "vol1"); err != nil || again != naa {
		t.Errorf("NAA %x, was %x: %v", again, naa, err)
	}
	if again, err := s.Identity(t.Context(), "disk1"); err != nil || again != "uuid:1" {
		t.Errorf("identity %q: %v", again, err)
	}
	pool.Document = []byte(`{"name":"other"}`)
	if err := s.ApplyFile(t.Context(), "gw-a:/f", []etcd.Object{pool}); err != nil {
		t.Error("what the file last applied was forgotten: ", err)
	}
}

// As many handles are stored as clients look at files. What the gateway's next start needs has room all the same.
func TestHandlesLeaveRoomForTheRest(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	e, err := etcd.StartEmbedded(t.Context(), etcd.EmbeddedOptions{Dir: dir, Log: zerolog.Nop(), Quota: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, n, refused := e.Store(), 0, error(nil)
	handle := func(i int) ([32]byte, []byte) {
		return [32]byte{byte(i), byte(i >> 8)}, bytes.Repeat([]byte{byte(i)}, 4<<10)
	}
	for ; n < 10000 && refused == nil; n++ {
		hash, h := handle(n)
		refused = s.StoreHandle(t.Context(), hash, h)
	}
	if refused == nil {
		t.Error("there seems to be room for any number")
	}
	if _, err := s.NAA(t.Context(), "vol1"); err != nil {
		t.Error(err)
	}
	hash, h := handle(0)
	if err := s.StoreHandle(t.Context(), hash, h); err != nil {
		t.Errorf("one that is stored: %v", err)
	}
	if got, err := s.Handle(t.Context(), hash); err != nil || !bytes.Equal(got, h) {
		t.Errorf("one that is stored: %d bytes, %v", len(got), err)
	}
}

func TestAFolderServesOneProcess(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	start(t, dir)
	_, err := etcd.StartEmbedded(t.Context(), etcd.EmbeddedOptions{Dir: dir, Log: zerolog.Nop()})
	if !errors.Is(err, etcd.ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Fatal(err)
	}
}

// A path that no socket address holds, with what URLs and etcd's lists give a meaning to.
func TestAnyFolderWillDo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 40), "with space, = and %2f")
	if _, err := start(t, dir).Store().ClusterID(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "client.sock")); err != nil {
		t.Error(err)
	}
}

// The test runs itself as a process that is killed while it serves.
func TestWhatACrashLeavesBehindIsNoHindrance(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("FOREBAY_ETCD_CRASH"); dir != "" {
		if _, err := start(t, dir).Store().NAA(t.Context(), "vol1"); err != nil {
			t.Fatal(err)
		}
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
	dir := filepath.Join(t.TempDir(), "etcd")
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "FOREBAY_ETCD_CRASH="+dir)
	if out, err := cmd.CombinedOutput(); err == nil || strings.Contains(string(out), "FAIL") {
		t.Fatalf("it was not killed: %v\n%s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "client.sock")); err != nil {
		t.Fatal("a killed server leaves its socket: ", err)
	}
	if _, err := start(t, dir).Store().NAA(t.Context(), "vol1"); err != nil {
		t.Error(err)
	}
}

func TestAStartThatIsCalledOffLeavesTheFolderFree(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := etcd.StartEmbedded(ctx, etcd.EmbeddedOptions{Dir: dir, Log: zerolog.Nop()}); err == nil {
		_ = e.Close() // it was faster
	}
	start(t, dir)
}

func TestAQuietStartLogsNothing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	e, err := etcd.StartEmbedded(t.Context(), etcd.EmbeddedOptions{Dir: filepath.Join(t.TempDir(), "etcd"), Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if log.Len() > 0 {
		t.Errorf("%s", log.String())
	}
}

// A file is applied as a whole, and each object is stored twice then.
func TestThousandsOfVolumesAreAppliedAtOnce(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "etcd")
	e := start(t, dir)
	var objects []etcd.Object
	for i := range 4000 {
		name := fmt.Sprint("vol", i)
		objects = append(objects, etcd.Object{Kind: "volume", Name: name, Document: fmt.Appendf(nil, `{"name":%q,"more":%q}`, name, strings.Repeat("x", 600))})
	}
	if err := errors.Join(e.Store().ApplyFile(t.Context(), "gw-a:/f", objects), e.Close()); err != nil {
		t.Fatal(err)
	}
	if err := start(t, dir).Store().ApplyFile(t.Context(), "gw-a:/f", objects[:1]); err != nil {
		t.Error(err)
	}
}
