package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/cachecore/device"
	"forebay/cachecore/flash"
	"forebay/cachecore/writelog"
	"forebay/configs"
)

func TestInspectKnowsWhatAMediumIs(t *testing.T) {
	for word, format := range map[string]func(device.Device) error{
		"flash tier": func(d device.Device) error { _, err := flash.Format(d, flash.FormatOptions{}); return err },
		"segment":    func(d device.Device) error { return writelog.Format(d, writelog.FormatOptions{}) },
	} {
		path := filepath.Join(t.TempDir(), "medium")
		d, err := device.Open(device.Options{Path: path, Size: 64 << 20, Sparse: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := format(d); err != nil {
			t.Fatal(err)
		}
		if _, _, err := run(t, "inspect", path); err == nil {
			t.Error("inspected while it is in use")
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if out, _, err := run(t, "inspect", path); err != nil || !strings.Contains(out, word) {
			t.Errorf("it does not say %q: %v\n%s", word, err, out)
		}
	}
}

// A flash with a write log in its end is both, and both are checked.
func TestInspectChecksTheLogInAFlashToo(t *testing.T) {
	const size = 512 << 20
	from := size - configs.FlashLog(size)
	path := filepath.Join(t.TempDir(), "medium")
	d, err := device.Open(device.Options{Path: path, Size: size + 1<<20, Sparse: true})
	if err != nil {
		t.Fatal(err)
	}
	used, _, err := device.Split(d, size)
	if err != nil {
		t.Fatal(err)
	}
	reads, end, err := device.Split(used, from)
	if err != nil {
		t.Fatal(err)
	}
	_, err = flash.Format(reads, flash.FormatOptions{})
	if err = errors.Join(err, writelog.Format(end, writelog.FormatOptions{})); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if out, _, err := run(t, "inspect", path, "--size", "512MiB"); err != nil || !strings.Contains(out, "flash tier") || !strings.Contains(out, "write log in the last 67108864 bytes") ||
		!strings.Contains(out, "segment") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, _, err := run(t, "inspect", path); err != nil || strings.Contains(out, "write log") {
		t.Errorf("without the size: %v\n%s", err, out)
	}
	spoil(t, path, from, 1)
	if out, _, err := run(t, "inspect", path, "--size", "512MiB"); !errors.Is(err, writelog.ErrDamaged) || !strings.Contains(out, "flash tier") {
		t.Errorf("with a superblock of the log spoiled: %v\n%s", err, out)
	}
	spoil(t, path, 0, 8192)
	if out, _, err := run(t, "inspect", path, "--size", "512MiB"); !errors.Is(err, writelog.ErrDamaged) || !strings.Contains(out, "no flash tier") {
		t.Errorf("without the flash tier: %v\n%s", err, out)
	}
}

// What is wrong with a flash tier is told by the exit too, be there a log in its end or not; and so is a medium that is neither.
func TestInspectFailsForWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		log  bool
	}{"a flash": {64 << 20, false}, "one with a log": {512 << 20, true}} {
		path := filepath.Join(t.TempDir(), "medium")
		d, err := device.Open(device.Options{Path: path, Size: c.size, Sparse: true})
		if err != nil {
			t.Fatal(err)
		}
		reads := device.Device(d)
		if c.log {
			var end device.Device
			if reads, end, err = device.Split(d, c.size-configs.FlashLog(c.size)); err != nil {
				t.Fatal(err)
			}
			if err := writelog.Format(end, writelog.FormatOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		_, err = flash.Format(reads, flash.FormatOptions{})
		if err = errors.Join(err, d.Close()); err != nil {
			t.Fatal(err)
		}
		if out, _, err := run(t, "inspect", path); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		spoil(t, path, 8192, 256<<10) // its ledger
		if out, _, err := run(t, "inspect", path); !errors.Is(err, flash.ErrDamaged) || strings.Contains(out, "segment") != c.log {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	neither := filepath.Join(t.TempDir(), "neither")
	if err := os.WriteFile(neither, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _, err := run(t, "inspect", neither); err == nil || !strings.Contains(err.Error(), neither) {
		t.Errorf("neither: %v\n%s", err, out)
	}
}

func spoil(t *testing.T, path string, at int64, n int) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(make([]byte, n), at)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
