package directory

import (
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

const noID = ^uint32(0) // no user's and no group's

// threads executes calls on behalf of users.
type threads struct {
	log       zerolog.Logger
	switching bool // the process is root
	own       identity
}

// identity is what the kernel asks of a thread before it lets it do something to a file.
type identity struct {
	uid, gid     uint32
	groups       []uint32
	capabilities capabilities
}

func newThreads(log zerolog.Logger) (threads, error) {
	t := threads{log: log, switching: os.Geteuid() == 0}
	if !t.switching {
		log.Warn().Int("uid", os.Geteuid()).Msg("the process isn't root: every user of the folder is served as the process's own")
		return t, nil
	}
	groups, err := unix.Getgroups()
	if err != nil {
		return t, fmt.Errorf("read the process's groups: %w", err)
	}
	for _, g := range groups {
		t.own.groups = append(t.own.groups, uint32(g))
	}
	t.own.uid, t.own.gid = uint32(os.Geteuid()), uint32(os.Getegid())
	if t.own.capabilities, err = capabilitiesOfThread(); err != nil {
		return t, fmt.Errorf("read the process's capabilities: %w", err)
	}
	if err := t.as(&nfs.Caller{UID: 65534, GID: 65534}, func() error { return nil }); err != nil {
		return t, fmt.Errorf("take on another user's id, for which the process needs CAP_SETUID and CAP_SETGID: %w", err)
	}
	return t, nil
}

// as runs work with the permissions of c, and returns its error. What only root may do, as opening by handle, is done outside of it. Changing
// there and back takes some 5 us: eight calls that make new credentials.
func (t *threads) as(c *nfs.Caller, work func() error) error {
	switch {
	case !t.switching, c.UID == t.own.uid && c.GID == t.own.gid:
		return work()
	case c.UID == noID || c.GID == noID:
		return unix.EACCES
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := t.become(t.of(c))
		if err == nil {
			err = work()
		}
		if back := t.become(&t.own); back != nil {
			// Still locked, the thread ends with this goroutine, or is parked if it is the process's first: nobody else may run with these ids.
			t.log.Error().Err(back).Msg("a thread can't become root again, and is given up")
		} else {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

func (t *threads) of(c *nfs.Caller) *identity {
	id := &identity{uid: c.UID, gid: c.GID, groups: c.GIDs, capabilities: t.own.capabilities}
	if c.UID != t.own.uid {
		id.capabilities = id.capabilities.ofUser()
	}
	return id
}

// become changes the thread alone: the wrappers of package syscall would change every thread. Capabilities come last on the
// way out, as setfsuid takes some away, and on the way back, as it gives them back.
func (t *threads) become(id *identity) error {
	var groups unsafe.Pointer
	if len(id.groups) > 0 {
		groups = unsafe.Pointer(&id.groups[0])
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(id.groups)), uintptr(groups), 0); errno != 0 {
		return fmt.Errorf("setgroups: %w", errno)
	}
	if !set(unix.SYS_SETFSGID, id.gid) || !set(unix.SYS_SETFSUID, id.uid) {
		return fmt.Errorf("setfsuid: %w", unix.EPERM)
	}
	return id.capabilities.take()
}

// set sets a file system id, and says whether it did: the kernel only tells the one before.
func set(call uintptr, id uint32) bool {
	_, _, _ = unix.RawSyscall(call, uintptr(id), 0, 0)
	now, _, _ := unix.RawSyscall(call, uintptr(noID), 0, 0)
	return uint32(now) == id
}
