package rpc

import (
	"io"
	"testing"
	"time"
)

// The client's share of a round trip allocates nothing, so what is counted is the server's.
func TestACallThatIsAnsweredAtOnceAllocatesNothing(t *testing.T) {
	for name, call := range map[string][]byte{
		"without data":    callRecord(1, procEcho, make([]byte, 40)),
		"4 KiB of data":   callRecord(1, procData, []byte{0, 0, 16, 0}),
		"64 KiB of data":  callRecord(1, procData, []byte{0, 1, 0, 0}),
		"with AUTH_SYS":   recordOf(&CallHeader{Program: echoProgram, Version: echoHigh, Procedure: procEcho, Cred: Credentials{Flavor: AuthSys, ngids: 16}}, nil),
		"4 KiB arguments": callRecord(1, procEcho, make([]byte, 4096)),
	} {
		t.Run(name, func(t *testing.T) {
			checkLeaks(t)
			r := newRig(t, loopback(t))
			defer r.end()
			c := r.raw()
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(minute))
			c.send(call)
			record, err := c.record()
			if err != nil {
				t.Fatal(err)
			}
			answer := make([]byte, markLength+len(record))
			roundTrip := func() {
				if _, err := c.Write(call); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(c, answer); err != nil {
					t.Fatal(err)
				}
			}
			for range 300 { // buffers grow to what they need
				roundTrip()
			}
			if n := testing.AllocsPerRun(1000, roundTrip); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
