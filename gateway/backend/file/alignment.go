package file

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// alignment is what direct I/O asks of a request, in bytes; zero: there is no direct I/O.
type alignment struct{ memory, offset int }

// aligned says whether a buffer can be handed to the kernel as it is.
func (d alignment) aligned(p []byte) bool {
	return d.memory == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(p)))%uintptr(d.memory) == 0
}

// goDirect switches to direct I/O if that works in units of the logical block, and says so if it doesn't.
func (a *Array) goDirect(asks alignment, o Options) {
	why := ""
	switch {
	case asks.offset == 0:
		why = "the filesystem has no direct I/O"
	case asks.offset > o.BlockSize:
		why = fmt.Sprintf("direct I/O here wants blocks of %d bytes and the volume has %d", asks.offset, o.BlockSize)
	default:
		if err := a.setDirect(); err != nil {
			why = err.Error()
		}
	}
	if why != "" {
		o.Log.Warn().Str("path", a.path).Str("reason", why).Msg("array is read and written through the page cache")
		return
	}
	a.direct = asks
}

func (a *Array) setDirect() error {
	flags, err := unix.FcntlInt(uintptr(a.fd), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(a.fd), unix.F_SETFL, flags|unix.O_DIRECT)
	}
	return err
}

// fileAlignment asks the filesystem; kernels before 6.1 don't tell, and are tried.
func fileAlignment(fd int, size int64) alignment {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_DIOALIGN, &st)
	if err == nil && st.Mask&unix.STATX_DIOALIGN != 0 {
		return alignment{memory: int(st.Dio_mem_align), offset: int(st.Dio_offset_align)}
	}
	return tryAlignment(fd, size)
}

// tryAlignment reads in the smallest units that direct I/O accepts.
func tryAlignment(fd int, size int64) alignment {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return alignment{}
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags|unix.O_DIRECT); err != nil {
		return alignment{}
	}
	defer unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags) //nolint:errcheck // the flags were valid before
	buffer := alignedBuffer(2 * pageSize)
	for _, unit := range []int{512, 4096} {
		if int64(2*unit) > size {
			break
		}
		if _, err := unix.Pread(fd, buffer[unit:2*unit], int64(unit)); err == nil {
			return alignment{memory: unit, offset: unit}
		}
	}
	return alignment{}
}
