package file

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// medium is what the kernel tells about a file or device.
type medium struct {
	size          int64
	physicalBlock int
	thin          bool
	grain         int64 // of giving space back, bytes
	writeCache    bool
	alignment     alignment
}

func (a *Array) measure() (medium, error) {
	if a.device {
		return measureDevice(a.file)
	}
	var st unix.Stat_t
	if err := unix.Fstat(a.fd, &st); err != nil {
		return medium{}, err
	}
	return medium{
		size: st.Size, physicalBlock: pageSize, writeCache: true,
		grain:     int64(st.Blksize), //nolint:unconvert // 32 bits on arm64
		thin:      a.punchesHoles(st.Size),
		alignment: fileAlignment(a.fd, st.Size),
	}, nil
}

// punchesHoles tries beyond the end, where there is nothing to lose.
func (a *Array) punchesHoles(size int64) bool {
	end := (size + pageSize - 1) / pageSize * pageSize
	return a.fallocate(unix.FALLOC_FL_PUNCH_HOLE, end, pageSize) == nil
}

func measureDevice(f *os.File) (medium, error) {
	fd := int(f.Fd())
	size, err := f.Seek(0, 2) // BLKGETSIZE64, on every architecture
	if err != nil {
		return medium{}, err
	}
	logical, err := unix.IoctlGetInt(fd, unix.BLKSSZGET)
	if err != nil {
		return medium{}, err
	}
	physical, err := unix.IoctlGetInt(fd, unix.BLKPBSZGET)
	if err != nil {
		return medium{}, err
	}
	sys, err := sysfsOf(fd)
	if err != nil {
		return medium{}, err
	}
	grain, _ := strconv.ParseInt(sys.queue("discard_granularity"), 10, 64)
	most, _ := strconv.ParseInt(sys.queue("discard_max_bytes"), 10, 64)
	return medium{
		size: size, physicalBlock: physical, grain: grain, thin: grain > 0 && most > 0,
		writeCache: sys.queue("write_cache") != "write through",
		alignment:  alignment{memory: logical, offset: logical},
	}, nil
}

// sysfs is a block device's folder under /sys.
type sysfs string

func sysfsOf(fd int) (sysfs, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)))
	return sysfs(dir), err
}

// read returns an attribute, or nothing where there is none.
func (s sysfs) read(name string) string {
	text, err := os.ReadFile(filepath.Join(string(s), name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

func (s sysfs) isPartition() bool { return s.read("partition") != "" }

// disk is the whole device that a partition is of.
func (s sysfs) disk() sysfs {
	if s.isPartition() {
		return sysfs(filepath.Dir(string(s)))
	}
	return s
}

func (s sysfs) queue(name string) string { return s.disk().read("queue/" + name) }

// deviceIdentity is what a device calls itself: empty if it has no name that stays.
func deviceIdentity(fd int) (string, error) {
	s, err := sysfsOf(fd)
	if err != nil {
		return "", err
	}
	identity := s.disk().name()
	if identity == "" {
		return "", nil
	}
	if s.isPartition() { // its number may change, its place does not
		identity += " part at " + s.read("start")
	}
	return identity, nil
}

func (s sysfs) name() string {
	for _, attribute := range []string{"device/wwid", "wwid", "dm/uuid", "md/uuid", "device/serial", "serial"} {
		if value := s.read(attribute); value != "" {
			return attribute[strings.LastIndex(attribute, "/")+1:] + ":" + value
		}
	}
	if backing := s.read("loop/backing_file"); backing != "" {
		return "loop:" + backing + "+" + s.read("loop/offset")
	}
	return ""
}
