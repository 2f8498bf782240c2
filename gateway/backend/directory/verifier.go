package directory

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"

	"forebay/protocols/nfs"
)

// The attribute of the folder that says how often data was lost since the machine started. It need not be durable: it only has to
// outlive the process.
const lostName = "forebay.lost"

// verifier makes the write verifier: of the start of the machine, and how often since then the kernel couldn't write data back.
type verifier struct {
	rootFD int
	boot   string
	log    zerolog.Logger
	mu     struct {
		sync.Mutex
		lost uint64
	}
}

func openVerifier(rootFD int, log zerolog.Logger) (*verifier, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("find out when the machine was started: %w", err)
	}
	v := &verifier{rootFD: rootFD, boot: strings.TrimSpace(string(boot)), log: log}
	text, _ := readAttribute(rootFD, lostName)
	var lost uint64
	if _, err := fmt.Sscanf(string(text), v.boot+" %d", &lost); err == nil {
		v.mu.lost = lost
	}
	// What the process before left unstable, and the kernel couldn't write back, it tells to nobody else.
	if err := unix.Syncfs(rootFD); err != nil {
		v.lose(err)
	}
	return v, nil
}

// now is the verifier of data that is written from now on, and of data that was made durable before.
func (v *verifier) now() (w nfs.Verifier) {
	v.mu.Lock()
	defer v.mu.Unlock()
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", v.boot, v.mu.lost))
	copy(w[:], sum[:])
	return w
}

// lose changes the verifier, as the kernel forgets data that it couldn't write back.
func (v *verifier) lose(cause error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.mu.lost++
	log := v.log.Error().Err(cause)
	if err := writeAttribute(v.rootFD, lostName, fmt.Appendf(nil, "%s %d", v.boot, v.mu.lost)); err != nil {
		log = log.AnErr("note", fmt.Errorf("a restart of this process would forget it: %w", err))
	}
	log.Msg("unstable data was lost: clients are told to write it again")
}
