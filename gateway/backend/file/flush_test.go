package file

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"forebay/cachecore"
)

func TestOneFlushServesAllWhoWaitForIt(t *testing.T) {
	var g flushGroup
	began, goOn := make(chan struct{}), make(chan error)
	sync := func() error { began <- struct{}{}; return <-goOn }
	first := g.join(sync)
	<-began
	second, third := g.join(sync), g.join(sync)
	if second == first || second != third {
		t.Fatal("who comes while one runs has to wait for the next, together")
	}
	goOn <- nil
	<-first.done
	<-began
	goOn <- nil
	<-third.done
	if first.err != nil || third.err != nil {
		t.Error(first.err, third.err)
	}
}

func TestAFailedFlushIsToldToAllAndNotForgotten(t *testing.T) {
	var g flushGroup
	began, goOn := make(chan struct{}), make(chan error)
	sync := func() error { began <- struct{}{}; return <-goOn }
	first := g.join(sync)
	<-began
	second := g.join(sync)
	goOn <- unix.EIO
	<-first.done
	<-second.done // without another fdatasync, which would say that all is well
	if !errors.Is(first.err, unix.EIO) || !errors.Is(second.err, unix.EIO) || !errors.Is(second.err, cachecore.ErrUnavailable) {
		t.Errorf("%v; %v", first.err, second.err)
	}
	if err := g.brokenBy(); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Errorf("forgotten: %v", err)
	}
}

func TestKernelErrorsBecomeTheArraysErrors(t *testing.T) {
	for _, c := range []struct {
		kernel error
		want   error // nil: a medium error
	}{
		{unix.ENOSPC, cachecore.ErrNoSpace},
		{unix.EDQUOT, cachecore.ErrNoSpace},
		{unix.EROFS, cachecore.ErrReadOnly},
		{unix.ENXIO, cachecore.ErrUnavailable},
		{unix.ENODEV, cachecore.ErrUnavailable},
		{unix.ESTALE, cachecore.ErrUnavailable},
		{unix.EOPNOTSUPP, cachecore.ErrUnsupported},
		{unix.EIO, nil},
	} {
		err := classify(fmt.Errorf("read: %w", c.kernel))
		if !errors.Is(err, c.kernel) || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%v becomes %v", c.kernel, err)
		}
		if c.want == nil && errors.Is(err, cachecore.ErrUnavailable) {
			t.Errorf("%v is no medium error: %v", c.kernel, err)
		}
	}
}

func TestE3_AWriteThatFailedOnTheWayHasAnUnknownOutcome(t *testing.T) {
	for _, c := range []struct {
		kernel  error
		done    int
		unknown bool
	}{
		{unix.EIO, 0, true}, {unix.ENOSPC, 0, true}, {unix.ENXIO, 0, true}, {unix.EIO, 4096, true},
		{unix.EROFS, 0, false}, {unix.EINVAL, 0, false}, {unix.EROFS, 4096, true},
	} {
		if err := writeFailed(c.kernel, c.done); errors.Is(err, cachecore.ErrUnknownOutcome) != c.unknown || !errors.Is(err, c.kernel) {
			t.Errorf("%v after %d bytes becomes %v", c.kernel, c.done, err)
		}
	}
}
