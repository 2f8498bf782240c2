package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rs/zerolog"

	drive "forebay/cachecore/device"
	"forebay/cachecore/flash"
	"forebay/cachecore/writelog"
	"forebay/configs"
)

// openFlash opens a tier's flash, if it has some: what is for reads, and behind it the write log, if that has no medium of its own and the flash is large
// enough (configs.FlashLog).
//
// # The write log in the end of the flash
//
// It is made and opened whatever the policies are, so that acknowledged writes of an earlier configuration are found. What becomes of the tier for reads, which
// is only a cache, does not touch it: that fails, is formatted, resized and removed by itself. The device is the same, though: one that can't be opened, or
// that fails a sync, fails both.
//
// So a pool goes on without a flash that can't be opened only if no volume is to outlive a power cut by its configuration. What volumes may have in the log
// all the same keeps those offline (back.verify).
//
// The log is where the size of the flash says. Where that changes, or the tier is given a medium for its log, the place of before becomes one for reads: not
// with acknowledged writes in it (retireLogs). owed: volumes may have some in a log, by their records in the control plane.
func (p *pool) openFlash(t configs.Tier, promised, owed bool, notes *flashNotes, log zerolog.Logger) error {
	if t.Flash == nil {
		return nil
	}
	was := notes.log(t.Pool, t.Flash.Path)
	reads, end, err := openHalves(t, was, owed, notes)
	switch {
	case errors.Is(err, errLogLeft), err != nil && t.Log == nil && promised:
		return fmt.Errorf("pool %s: write log in the end of the flash: %w", t.Pool, err)
	case err == nil && end == nil && t.Log == nil && promised:
		return errors.Join(fmt.Errorf("pool %s: %s is too small for a write log in it (%d bytes), and volumes are to survive a power cut: give the tier a log",
			t.Pool, t.Flash.Path, reads.Size()), reads.Close())
	case end != nil:
		if err := p.openEnd(t, end, reads.Size(), notes, log); err != nil {
			return errors.Join(err, reads.Close())
		}
	}
	if p.flash, err = newFlash(t, reads, err, notes, log); err != nil {
		return fmt.Errorf("pool %s: flash tier: %w", t.Pool, err)
	}
	return nil
}

// openEnd opens the log in the end of a flash, and notes where it is before it is used.
func (p *pool) openEnd(t configs.Tier, end drive.Device, from int64, notes *flashNotes, log zerolog.Logger) (err error) {
	if p.log, err = openLog(t, end, log); err != nil {
		return err
	}
	return notes.setLog(t.Pool, flashLog{Path: t.Flash.Path, From: from, Bytes: end.Size()})
}

// openHalves opens the medium, once, and makes two of it; no end: it has no log.
func openHalves(t configs.Tier, was flashLog, owed bool, notes *flashNotes) (reads, end drive.Device, err error) {
	if err := retireLogs(t, was, owed, notes); err != nil {
		return nil, nil, err
	}
	if err := spare(t.Flash.Path, int64(t.Flash.Size), flashOrNothing); err != nil {
		return nil, nil, err
	}
	medium, err := openInTime(drive.Options{Path: t.Flash.Path, Size: int64(t.Flash.Size), Sparse: true})
	if err != nil {
		return nil, nil, err
	}
	n := configs.FlashLog(medium.Size())
	if n == 0 || t.Log != nil {
		return medium, nil, nil
	}
	from := medium.Size() - n
	reads, end, err = drive.Split(medium, from)
	if err == nil {
		err = makeRoom(reads, end, was.at(flashLog{From: from, Bytes: n}))
	}
	if err == nil {
		err = medium.Allocate(from, n) // of a sparse file: a log that finds the file system full is dead
	}
	if err != nil {
		return nil, nil, errors.Join(err, medium.Close())
	}
	return reads, end, nil
}

// makeRoom clears the end of a flash for a log, where it has been for reads. known: there was a log, so that whatever is there instead is not the gateway's,
// unless it is nothing; openLog says so. It also says what is wrong with a log that is there.
func makeRoom(reads, end drive.Device, known bool) error {
	there := writelog.Probe(end)
	none := errors.Is(there, writelog.ErrNotFormatted)
	if there == nil || none && known {
		return nil
	}
	if err := flashOrNothing(reads); err != nil || !none {
		return err
	}
	return end.WriteDurable(drive.Buffer(1<<20), 0)
}

// at says whether two logs are in the same place.
func (l flashLog) at(other flashLog) bool { return l.From == other.From && l.Bytes == other.Bytes }

// errLogLeft: what is to be for reads has a log with acknowledged writes.
var errLogLeft = errors.New("an earlier configuration has left acknowledged writes in the flash")

// retireLogs looks where earlier configurations had the write log in a flash that this one has for reads there. With something in it that arrays may lack it
// is errLogLeft; else it is erased, before anything is written over it.
func retireLogs(t configs.Tier, was flashLog, owed bool, notes *flashNotes) error {
	info, err := os.Stat(t.Flash.Path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() < drive.Unit {
		return nil
	}
	medium, err := openInTime(drive.Options{Path: t.Flash.Path}) // all of it: it may have been used up to another size
	if err != nil {
		return err
	}
	defer medium.Close()
	size := cmp.Or(int64(t.Flash.Size), medium.Size())
	now := flashLog{From: size - configs.FlashLog(size), Bytes: configs.FlashLog(size)}
	if t.Log != nil {
		if err := retireLog(medium, t.Flash.Path, now, owed && was.at(now)); err != nil {
			return err
		}
	}
	if was == (flashLog{}) || t.Log == nil && was.at(now) {
		return nil
	}
	if err := retireLog(medium, t.Flash.Path, was, owed); err != nil {
		return err
	}
	return notes.setLog(t.Pool, flashLog{})
}

// retireLog looks at one place, and erases a log there that has nothing. owed: volumes count on it, be it empty or not.
func retireLog(medium drive.Device, path string, at flashLog, owed bool) error {
	end := at.From + at.Bytes
	if at.Bytes == 0 || end > medium.Size() {
		return nil // there is no such place
	}
	part, err := cut(medium, at.From, end)
	if err != nil {
		return err
	}
	there := writelog.Probe(part)
	if errors.Is(there, writelog.ErrNotFormatted) {
		return nil
	}
	if there == nil {
		if there = idle(part, owed); there == nil {
			return writelog.Erase(part)
		}
	} else if vacant, err := flash.Vacant(medium); err == nil && !vacant {
		return nil // it is neither this nor a flash tier: nothing will be written there
	}
	return fmt.Errorf("%w: bytes %d to %d of %s are its write log (%w): start once more as before, with flash of size %d and without log, have each volume drained "+
		"by `forebay volume policy VOLUME --write through`, and end it; then change it", errLogLeft, at.From, end, path, there, end)
}

// cut makes a device of the bytes from there to there.
func cut(dev drive.Device, from, to int64) (part drive.Device, err error) {
	if to < dev.Size() {
		if dev, _, err = drive.Split(dev, to); err != nil {
			return nil, err
		}
	}
	_, part, err = drive.Split(dev, from)
	return part, err
}

// idle says why a log that is on a device can't be given up; nil: it has nothing.
func idle(part drive.Device, owed bool) error {
	l, err := writelog.Open(part, writelog.Options{})
	if err != nil {
		return err
	}
	switch used, _ := l.Space(); {
	case used > 0:
		err = fmt.Errorf("it has %d bytes of records", used)
	case len(l.Damage()) > 0:
		err = fmt.Errorf("it is damaged: %v", l.Damage()[0])
	case owed:
		err = errors.New("it is empty, and volumes are still written back to it")
	}
	return errors.Join(err, l.Close())
}
