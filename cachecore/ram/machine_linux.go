package ram

import "golang.org/x/sys/unix"

// MachineMemory is what the machine has, in bytes; 0: unknown.
func MachineMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}
