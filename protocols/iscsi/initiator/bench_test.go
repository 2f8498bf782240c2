package initiator

import (
	"bufio"
	"io"
	"net"
	"testing"

	"forebay/protocols/iscsi"
)

// BenchmarkRead4K is the client's share, and a target that does nothing but answer: 32 reads outstanding, 0 allocations each.
func BenchmarkRead4K(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go answerReads(l)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	s := start(Options{}.withDefaults(), conn, newReceiver(conn), iscsi.DefaultParams(1<<20), 1, 1<<20, 1)
	defer s.Abandon()
	left, done := b.N, make(chan struct{})
	outstanding := min(32, b.N)
	b.ReportAllocs()
	b.SetBytes(4096)
	b.ResetTimer()
	running := outstanding
	again := func(c *Command) {
		if c.Err != nil {
			b.Error(c.Err)
		}
		if left--; left < running {
			if running--; running == 0 {
				close(done)
			}
			return
		}
		if err := s.Submit(c); err != nil {
			b.Error(err)
		}
	}
	for range outstanding {
		c := &Command{In: make([]byte, 4096), Done: again}
		c.Read(0, 8)
		s.mu.Lock() // none completes before all are submitted
		err := s.submit(c)
		s.mu.Unlock()
		if err != nil {
			b.Fatal(err)
		}
	}
	<-done
}

// answerReads answers every command with 4 KiB.
func answerReads(l net.Listener) {
	conn, err := l.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	r, w := bufio.NewReaderSize(conn, 64<<10), bufio.NewWriterSize(conn, 256<<10)
	command, answer := make(iscsi.Header, iscsi.HeaderLength), make(iscsi.Header, iscsi.HeaderLength+4096)
	answer.SetOpcode(iscsi.OpDataIn)
	answer.SetFlags(iscsi.FlagFinal | iscsi.FlagStatus)
	answer.SetDataLength(4096)
	for sn := uint32(1); ; sn++ {
		if _, err := io.ReadFull(r, command); err != nil {
			return
		}
		answer.SetInitiatorTag(command.InitiatorTag())
		answer.SetStatSN(sn)
		answer.SetExpCmdSN(command.CmdSN() + 1)
		answer.SetMaxCmdSN(command.CmdSN() + 1<<20)
		_, _ = w.Write(answer)
		if r.Buffered() < iscsi.HeaderLength {
			_ = w.Flush()
		}
	}
}
