package gateway

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/configs"
)

// A path may be a mistake: whose file it is finds it as it was, neither written to nor longer.
func TestAFileOfOthersIsNotMadeLonger(t *testing.T) {
	for name, tier := range map[string]func(path string) configs.Tier{
		"log": func(path string) configs.Tier {
			return configs.Tier{Pool: "fast", RAM: mib, Log: &configs.Media{Path: path, Size: 64 * mib}}
		},
		"flash": func(path string) configs.Tier {
			return configs.Tier{Pool: "fast", RAM: mib, Flash: &configs.Media{Path: path, Size: 64 * mib}}
		},
	} {
		for _, size := range []int{5, 4096, 2 * mib} {
			path := filepath.Join(t.TempDir(), "letters")
			content := bytes.Repeat([]byte("a"), size)
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			x := newEnded(t)
			x.tier, x.write = tier(path), configs.WriteThrough
			if err := x.try(); err == nil && name == "flash" { // a cache is done without
				if reason := x.pool.flash.status().Reason; !strings.Contains(reason, "holds something else") {
					t.Errorf("%s: %q", name, reason)
				}
				x.end()
			} else if err == nil || !strings.Contains(err.Error(), "holds something else") {
				t.Errorf("%s: %v", name, err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
				t.Errorf("%s: the file has %d bytes, and had %d (%v)", name, len(after), size, err)
			}
		}
	}
}

// What is ours is made longer, and what is empty.
func TestALogOrFlashOfOursIsMadeLonger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, make([]byte, mib), 0o600); err != nil {
		t.Fatal(err)
	}
	x := newEnded(t)
	x.tier = configs.Tier{Pool: "fast", RAM: mib, Flash: &configs.Media{Path: filepath.Join(x.dir, "flash"), Size: 32 * mib}, Log: &configs.Media{Path: path, Size: 4 * mib}}
	for range 3 {
		x.start()
		x.end()
		x.tier.Log.Size *= 2
		x.tier.Flash.Size *= 2
	}
	x.tier.Log.Size = 2 * mib
	if err := x.try(); err == nil || !strings.Contains(err.Error(), "made for 4194304 bytes of its medium, of which 2097152 are used now") {
		t.Errorf("less than it has: %v", err)
	}
}

// A log that can't be opened is an error with its reason.
func TestALogThatIsNotThereIsTold(t *testing.T) {
	dir := t.TempDir()
	for path, size := range map[string]configs.Size{filepath.Join(dir, "none"): 0, filepath.Join(dir, "none", "log"): 2 * mib, dir: 2 * mib} {
		x := newEnded(t)
		x.tier.Log, x.tier.Flash = &configs.Media{Path: path, Size: size}, nil
		if err := x.try(); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
	}
}
