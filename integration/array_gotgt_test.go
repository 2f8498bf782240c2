package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/gostor/gotgt/pkg/config"
	_ "github.com/gostor/gotgt/pkg/port/iscsit" // registers the driver
	"github.com/gostor/gotgt/pkg/scsi"
	_ "github.com/gostor/gotgt/pkg/scsi/backingstore" // registers files
	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/gateway/backend/iscsi"
)

// gotgtServer is gotgt's own target in this process, with a LUN each for as many targets as were asked for.
type gotgtServer struct{ portal string }

func (gotgtServer) target(i int) string { return fmt.Sprintf("iqn.2026-11.com.example:gotgt%d", i) }

func startGotgt(t *testing.T, targets int, size int64) gotgtServer {
	t.Helper()
	logrus.SetOutput(io.Discard)
	s := gotgtServer{portal: freePort(t)}
	_, text, _ := net.SplitHostPort(s.portal)
	port, _ := strconv.Atoi(text)
	c := &config.Config{ISCSIPortals: []config.ISCSIPortalInfo{{Portal: s.portal}}, ISCSITargets: map[string]config.ISCSITarget{}}
	for i := range targets {
		disk := filepath.Join(t.TempDir(), "disk.img")
		if err := os.WriteFile(disk, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		device := uint64(1000 + i)
		c.Storages = append(c.Storages, config.BackendStorage{DeviceID: device, Path: "file:" + disk, Online: true, BlockShift: 9})
		c.ISCSITargets[s.target(i)] = config.ISCSITarget{TPGTs: map[string][]uint64{"1": {0}}, LUNs: map[string]uint64{"1": device}}
	}
	if err := scsi.InitSCSILUMap(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // gotgt keeps them for the process
		for _, storage := range c.Storages {
			scsi.DelBackendStorage(storage.DeviceID)
		}
	})
	driver, err := scsi.NewTargetDriver("iscsi", scsi.NewSCSITargetService())
	if err != nil {
		t.Fatal(err)
	}
	for name := range c.ISCSITargets {
		if err := driver.NewTarget(name, c); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = driver.Run(port)
	}()
	t.Cleanup(func() {
		_ = driver.Close()
		<-ended
	})
	eventually(t, 20*time.Second, "gotgt answers", func() bool {
		c, err := net.Dial("tcp", s.portal)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	return s
}

// openArray attaches a LUN until the end of the test.
func openArray(t *testing.T, o iscsi.Options) *iscsi.Array {
	t.Helper()
	o.Log = zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel)
	a, err := iscsi.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// withoutZeroes hides what gotgt gets wrong: it answers WRITE SAME with GOOD and does nothing. Nothing else of the suite fails on it.
type withoutZeroes struct{ cachecore.Array }

func TestSuiteOnGotgt(t *testing.T) {
	s, next := startGotgt(t, 16, 4<<20), 0
	arraytest.Suite(t, func(t *testing.T) cachecore.Array {
		next++ // a fresh one
		return withoutZeroes{openArray(t, iscsi.Options{Portals: []string{s.portal}, Target: s.target(next), LUN: 1, BlockSize: 512})}
	})
}
