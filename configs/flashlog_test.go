package configs_test

import (
	"fmt"
	"strings"
	"testing"

	"forebay/configs"
)

func TestAnEighthOfAFlashIsForTheLog(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for flash, want := range map[int64]int64{
		0: 0, 16 * mib: 0, 512*mib - 4096: 0, 512 * mib: 64 * mib, 512*mib + 4096: 64 * mib, 8 * gib: gib, 160 * gib: 20 * gib, 8 << 40: 20 * gib,
	} {
		if got := configs.FlashLog(flash); got != want {
			t.Errorf("of %d bytes: %d, not %d", flash, got, want)
		}
	}
}

// A flash that has room for the log keeps what write: back promises.
func TestB8_AFlashWithALogInItKeepsThePromise(t *testing.T) {
	back := strings.Replace(whole, "    pool: fast\n", "    pool: fast\n    policy: {write: back}\n", 1)
	for size, kept := range map[string]bool{", size: 511MiB": false, ", size: 512MiB": true, "": true} {
		_, err := configs.Parse("f.yaml", []byte(strings.Replace(back, "ram: 64MiB", fmt.Sprintf("ram: 64MiB, flash: {path: flash.img%s}", size), 1)))
		if told := err != nil && strings.Contains(err.Error(), "power-loss needs a log in the tier"); told == kept || kept && err != nil {
			t.Errorf("flash%s: %v", size, err)
		}
	}
}
