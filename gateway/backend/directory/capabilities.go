package directory

import "golang.org/x/sys/unix"

// capabilities are those of a thread: 64 bits in two words.
type capabilities [2]unix.CapUserData

// What lets a thread pass over permissions, and what over quotas and the blocks that are kept for root. setfsuid only takes the first
// away, and not even that with SECBIT_NO_SETUID_FIXUP.
var rootsOnly = [...]uint{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_LINUX_IMMUTABLE,
	unix.CAP_MKNOD, unix.CAP_MAC_OVERRIDE, unix.CAP_SYS_RESOURCE, unix.CAP_SYS_ADMIN,
}

func capabilitiesOfThread() (c capabilities, err error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return c, unix.Capget(&header, &c[0])
}

// ofUser is what is left of them while a user is served. They stay permitted, to be taken back.
func (c capabilities) ofUser() capabilities {
	for _, capability := range rootsOnly {
		c[capability/32].Effective &^= 1 << (capability % 32)
	}
	return c
}

// take makes them the thread's.
func (c capabilities) take() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	return unix.Capset(&header, &c[0])
}
