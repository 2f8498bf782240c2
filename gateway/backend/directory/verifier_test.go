package directory

import (
	"os"
	"testing"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// What was written UNSTABLE is gone with the memory of the machine.
func TestTheVerifierIsAnotherOneWhenTheMachineRestarts(t *testing.T) {
	before, after := verifier{boot: "1"}, verifier{boot: "2"}
	if before.now() == after.now() {
		t.Error("it is the same")
	}
}

func TestLossesAreRememberedUntilTheMachineRestarts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	open := func() *verifier {
		v, err := openVerifier(int(dir.Fd()), zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	v := open()
	first := v.now()
	if open().now() != first {
		t.Error("another process has another verifier")
	}
	v.lose(unix.EIO)
	second := v.now()
	v.lose(unix.EIO)
	if first == second || v.now() == second || v.now() == first {
		t.Error("a loss doesn't change the verifier")
	}
	if open().now() != v.now() {
		t.Error("a restart forgets losses")
	}
	if err := writeAttribute(int(dir.Fd()), lostName, []byte("00000000-0000-0000-0000-000000000000 7")); err != nil {
		t.Fatal(err)
	}
	if open().now() != first {
		t.Error("losses before the machine was started count")
	}
}
