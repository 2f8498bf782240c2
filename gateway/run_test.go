package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"forebay/cachecore"
	"forebay/etcd"
	"forebay/protocols/iscsi/initiator"
)

func TestALifeFromTheStartToTheEnd(t *testing.T) {
	dir := t.TempDir()
	l := live(t, dir)
	s := l.logIn()
	if err := errors.Join(s.Do(t.Context(), writing(0, 7)), s.Do(t.Context(), reading(0)), s.SyncCache(t.Context(), 0)); err != nil {
		t.Fatal(err)
	}
	status := l.ask()
	if v := status.Volumes[0]; v.Writes.Operations != 1 || v.Reads.Operations != 1 || v.Effective != "write-through" || v.Sessions != 1 {
		t.Errorf("%+v", v)
	}
	if len(status.Sessions) != 1 || status.Sessions[0].Initiator != initiator.DefaultInitiator || status.Gateway.ISCSI[0] != l.address(serviceISCSI) {
		t.Errorf("%+v, %+v", status.Sessions, status.Gateway)
	}
	for path, word := range map[string]string{"/readyz": "ready", "/metrics": "forebay_volume_write_operations_total{volume=\"vol1\"} 1\n"} {
		if code, body := fetch(t, l, path); code != http.StatusOK || !bytes.Contains(body, []byte(word)) {
			t.Errorf("%s: %d, %s", path, code, body)
		}
	}
	l.end()
	<-s.Over()
	if content := content(t, dir); !bytes.Equal(content[:cachecore.BlockSize], bytes.Repeat([]byte{7}, cachecore.BlockSize)) {
		t.Error("what was written is not in the file")
	}
	if resp, err := http.Get("http://" + l.address(serviceAPI) + "/readyz"); err == nil {
		resp.Body.Close()
		t.Error("the API answers after the end")
	}

	again := live(t, dir) // which is the same disk to its initiators
	if naa := again.ask().Volumes[0].NAA; naa != status.Volumes[0].NAA || len(naa) != 32 {
		t.Errorf("the volume was %s and is %s", status.Volumes[0].NAA, naa)
	}
	again.end()
}

func fetch(t *testing.T, l *life, path string) (int, []byte) {
	t.Helper()
	resp, err := http.Get("http://" + l.address(serviceAPI) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, body
}

// Each of some writers has a block of its own, and writes ever higher numbers to it until the gateway is gone.
func TestNothingThatWasAnsweredIsLostWhenItEndsUnderLoad(t *testing.T) {
	const writers = 8
	dir := t.TempDir()
	l := live(t, dir)
	s := l.logIn()
	var answered [writers]byte // the highest number that was; 0 wraps into 1
	var all sync.WaitGroup
	var total atomic.Int32
	enough := make(chan struct{})
	for i := range answered {
		all.Go(func() {
			for n := byte(1); ; n = max(n+1, 1) {
				c := writing(0, n)
				c.Write(uint64(i)*8, 8, n%16 == 0)
				if s.Do(t.Context(), c) != nil {
					return
				}
				answered[i] = n
				if total.Add(1) == 500 {
					close(enough)
				}
			}
		})
	}
	<-enough
	l.end()
	all.Wait()
	content := content(t, dir)
	for i, n := range answered {
		got := content[i*cachecore.BlockSize:][:cachecore.BlockSize]
		if next := max(n+1, 1); got[0] != n && got[0] != next || !bytes.Equal(got, bytes.Repeat(got[:1], len(got))) {
			t.Errorf("block %d: %d was answered, and the file has %d", i, n, got[0])
		}
	}
}

func TestAGatewayWhoseArrayIsAwayServesWhatItCanAndEnds(t *testing.T) {
	dir := t.TempDir()
	l := live(t, dir)
	l.end()
	path := filepath.Join(dir, "disk.img")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	l = begin(t, parse(t, dir, text(dir)))
	l.log.wait("can't be attached", "disappeared")
	if code, body := fetch(t, l, "/readyz"); code != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("volume vol1: array unavailable")) {
		t.Errorf("%d, %s", code, body)
	}
	s, err := initiator.Dial(t.Context(), initiator.Options{Portal: l.address(serviceISCSI), Target: lifeTarget})
	if err != nil {
		t.Fatal(err)
	}
	var status *initiator.StatusError
	if err := s.Ready(t.Context(), 0); !errors.As(err, &status) || status.Key != initiator.SenseNotReady || status.ASC != 0x04 {
		t.Error(err)
	}
	l.end()
	<-s.Over()
}

func TestAStartThatIsCalledOffIsNoFailure(t *testing.T) {
	dir := t.TempDir()
	l := begin(t, parse(t, dir, text(dir)))
	l.stop()
	if err := <-l.ended; err != nil {
		t.Error(err)
	}
	l.alone()
	live(t, dir).end()
}

func TestAStartThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		change  []string // of the text: old, new
		words   []string
	}{
		"a pool without a tier": {
			change: []string{"  - {name: fast}\n", "  - {name: fast}\n  - {name: slow}\n", "pool: fast\n    policy", "pool: slow\n    policy"},
			words:  []string{"volume vol1", "no tier", "pool slow", "gateway.tiers"},
		},
		"more memory than there is": {change: []string{"4MiB", "100TiB"}, words: []string{"pool fast", "arena"}},
		"a data-dir that is a file": {
			prepare: func(t *testing.T, dir string) {
				if err := os.WriteFile(filepath.Join(dir, "data"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			},
			words: []string{"etcd", "/data"},
		},
		"objects that others changed": {
			prepare: drift,
			words:   []string{"gw-a:", "forebay.yaml was not applied", `volume vol1: policy.write: the cluster has "back", the file "through"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.prepare != nil {
				c.prepare(t, dir)
			}
			config := text(dir)
			for i := 0; i < len(c.change); i += 2 {
				config = string(bytes.ReplaceAll([]byte(config), []byte(c.change[i]), []byte(c.change[i+1])))
			}
			l := begin(t, parse(t, dir, config))
			says(t, <-l.ended, c.words...)
			l.log.expect(0, "listening")
			l.alone()
		})
	}
}

// drift has the file applied, and then its volume changed by another.
func drift(t *testing.T, dir string) {
	live(t, dir).end()
	plane, err := etcd.StartEmbedded(t.Context(), etcd.EmbeddedOptions{Dir: filepath.Join(dir, "data", "etcd"), Log: newLines(t).logger()})
	if err != nil {
		t.Fatal(err)
	}
	fromFile, err := parse(t, dir, text(dir)).Objects()
	if err != nil {
		t.Fatal(err)
	}
	var objects []etcd.Object
	for _, o := range fromFile {
		objects = append(objects, etcd.Object(o))
	}
	same := plane.Store().ApplyFile(t.Context(), "gw-b:/f", objects)
	last := &objects[len(objects)-1]
	last.Document = bytes.Replace(last.Document, []byte(`"write":"through"`), []byte(`"write":"back"`), 1)
	if err := errors.Join(same, plane.Store().ApplyFile(t.Context(), "gw-b:/f", objects), plane.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestADataDirServesOneGateway(t *testing.T) {
	dir := t.TempDir()
	l := live(t, dir)
	second := begin(t, parse(t, dir, text(dir)))
	err := <-second.ended
	says(t, err, "data-dir", filepath.Join(dir, "data", "etcd"))
	if !errors.Is(err, etcd.ErrInUse) {
		t.Error(err)
	}
	l.end()
}
