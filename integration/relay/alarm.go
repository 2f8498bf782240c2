package relay

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// alarm is a timer of the kernel. Go's own are as accurate as the timeouts of epoll, which are whole milliseconds.
type alarm struct {
	file *os.File
	raw  syscall.RawConn
}

// wakeup is what it takes to run again once the kernel's timer has expired, on a machine that is not busy.
const wakeup = 30 * time.Microsecond

func newAlarm() (*alarm, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	file := os.NewFile(uintptr(fd), "timerfd")
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("timerfd: %w", err)
	}
	return &alarm{file: file, raw: raw}, nil
}

// wait returns when it is due, or at once after close. One goroutine waits at a time.
func (a *alarm) wait(due time.Time) {
	left := time.Until(due) - wakeup
	if left <= 0 {
		return
	}
	set := unix.ItimerSpec{Value: unix.NsecToTimespec(int64(left))}
	err := a.raw.Control(func(fd uintptr) { _ = unix.TimerfdSettime(int(fd), 0, &set, nil) })
	if err == nil {
		var expirations [8]byte
		_, _ = a.file.Read(expirations[:])
	}
}

// close ends a wait, and all that would come.
func (a *alarm) close() { a.file.Close() }
