package gateway

import (
	"errors"
	"fmt"
	"os"
	"time"

	drive "forebay/cachecore/device"
	"forebay/cachecore/flash"
	"forebay/cachecore/writelog"
)

// openInTime opens a medium and has it read something. One that hangs is as good as none: the start does not wait for it, nor is what comes later used.
func openInTime(o drive.Options) (*drive.File, error) {
	type result struct {
		medium *drive.File
		err    error
	}
	came, late := make(chan result), make(chan struct{})
	go func() {
		medium, err := openDrive(o)
		if err == nil {
			if err = medium.ReadAt(drive.Buffer(drive.Unit), 0); err != nil {
				medium, err = nil, errors.Join(err, medium.Close())
			}
		}
		select {
		case came <- result{medium, err}:
		case <-late:
			if medium != nil {
				_ = medium.Close() // nothing was written
			}
		}
	}()
	timer := time.NewTimer(flashPatience)
	defer timer.Stop()
	select {
	case r := <-came:
		return r.medium, r.err
	case <-timer.C:
		close(late)
		return nil, fmt.Errorf("open %s: no answer within %v", o.Path, flashPatience)
	}
}

// openDrive is drive.Open, but for tests of one that hangs.
var openDrive = drive.Open

// flashOrNothing says whether a flash tier may be opened or made on a medium.
func flashOrNothing(m drive.Device) error {
	vacant, err := flash.Vacant(m)
	if err == nil && !vacant {
		err = errNotVacant
	}
	return err
}

// logOrNothing says whether a log may be opened or made on a medium.
func logOrNothing(m drive.Device) error {
	if m.Size() >= 1<<20 && !errors.Is(writelog.Probe(m), writelog.ErrNotFormatted) {
		return nil // Open says what is wrong with it
	}
	return nothing(m)
}

// nothing says whether a medium's head is empty.
func nothing(m drive.Device) error {
	head := drive.Buffer(int(min(1<<20, m.Size())))
	if err := m.ReadAt(head, 0); err != nil {
		return err
	}
	for _, b := range head {
		if b != 0 {
			return errNoLog
		}
	}
	return nil
}

var errNoLog = errors.New("the medium holds something else than a write log: clear its first MiB if that is not needed")

// spare refuses a file that is shorter than is asked of it and isn't ours, before it is made longer: the path may be a mistake, and the file somebody's.
func spare(path string, size int64, ours func(drive.Device) error) error {
	info, err := os.Stat(path)
	if short := err == nil && info.Mode().IsRegular() && info.Size() > 0 && info.Size() < size; !short {
		return nil // Open says what is wrong
	}
	if info.Size() < drive.Unit { // as nothing of ours is
		return fmt.Errorf("%s is a file of %d bytes that holds something else: name another one, or remove it if it is not needed", path, info.Size())
	}
	medium, err := drive.Open(drive.Options{Path: path})
	if err != nil {
		return err
	}
	return errors.Join(ours(medium), medium.Close())
}

var errNotVacant = errors.New("the medium holds something else than a flash tier: clear its first MiB if that is not needed")
