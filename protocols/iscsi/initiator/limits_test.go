package initiator

import (
	"bytes"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"forebay/protocols/iscsi"
)

// taker receives one write as a target does that trusts nobody: it checks every PDU against what was negotiated.
type taker struct {
	*peer
	params  iscsi.Params
	command iscsi.Header
	data    []byte
	have    int
}

// take receives the command with what comes unsolicited, then asks for the rest as many R2Ts at a time as it may.
func (k *taker) take(n int) []byte {
	k.t.Helper()
	command, immediate := k.expect(iscsi.OpSCSICommand)
	k.command, k.data = command, make([]byte, n)
	first := min(n, k.params.FirstBurst)
	switch {
	case !k.params.ImmediateData && len(immediate) > 0:
		k.t.Errorf("%d bytes of immediate data, which were not agreed to", len(immediate))
	case len(immediate) > min(first, k.params.MaxSend):
		k.t.Errorf("%d bytes of immediate data: a segment has at most %d, a first burst %d", len(immediate), k.params.MaxSend, first)
	}
	k.have = copy(k.data, immediate)
	if !command.Final() {
		if k.params.InitialR2T {
			k.t.Error("unsolicited data, which was not agreed to")
		}
		k.sequence(iscsi.ReservedTag, first-k.have)
	}
	for k.have < n {
		k.solicit()
	}
	k.send(iscsi.OpSCSIResponse, command.InitiatorTag(), nil)
	return k.data
}

// solicit sends a full round of R2Ts and takes what they ask for.
func (k *taker) solicit() {
	var sizes []int
	for at := k.have; at < len(k.data) && len(sizes) < k.params.MaxOutstandingR2T; at += sizes[len(sizes)-1] {
		n := min(len(k.data)-at, k.params.MaxBurst)
		k.send(iscsi.OpR2T, k.command.InitiatorTag(), func(h iscsi.Header) {
			h.SetTargetTag(uint32(len(sizes)))
			h.SetBufferOffset(uint32(at))
			h.SetDesiredLength(uint32(n))
		})
		sizes = append(sizes, n)
	}
	for tag, n := range sizes {
		k.sequence(uint32(tag), n)
	}
}

// sequence takes a sequence of Data-Out PDUs that together have n bytes.
func (k *taker) sequence(tag uint32, n int) {
	k.t.Helper()
	for sn := uint32(0); n > 0; sn++ {
		h, data := k.expect(iscsi.OpDataOut)
		switch {
		case len(data) == 0 || len(data) > k.params.MaxSend || len(data) > n:
			k.t.Fatalf("a segment of %d bytes, of %d that may have %d", len(data), n, k.params.MaxSend)
		case int(h.BufferOffset()) != k.have || h.DataSN() != sn || h.TargetTag() != tag || h.InitiatorTag() != k.command.InitiatorTag():
			k.t.Fatalf("data %d at %d of tag %08x, expected %d at %d of %08x", h.DataSN(), h.BufferOffset(), h.TargetTag(), sn, k.have, tag)
		case h.Final() != (len(data) == n):
			k.t.Fatalf("the final bit is %v with %d of %d bytes", h.Final(), len(data), n)
		}
		k.have += copy(k.data[k.have:], data)
		n -= len(data)
	}
}

func TestDataOutKeepsToWhatWasNegotiated(t *testing.T) {
	for name, change := range map[string]func(p *iscsi.Params){
		"defaults":                     func(*iscsi.Params) {},
		"unsolicited data":             func(p *iscsi.Params) { p.InitialR2T = false },
		"no immediate data":            func(p *iscsi.Params) { p.ImmediateData, p.InitialR2T = false, false },
		"nothing unasked":              func(p *iscsi.Params) { p.ImmediateData = false },
		"a first burst in one segment": func(p *iscsi.Params) { p.InitialR2T, p.FirstBurst, p.MaxSend = false, 4096, 8192 },
		"the smallest numbers": func(p *iscsi.Params) {
			p.InitialR2T, p.MaxSend, p.FirstBurst, p.MaxBurst = false, 512, 512, 512
		},
		"odd numbers": func(p *iscsi.Params) {
			p.InitialR2T, p.MaxSend, p.FirstBurst, p.MaxBurst, p.MaxOutstandingR2T = false, 1001, 3003, 5005, 3
		},
		"one R2T at a time":   func(p *iscsi.Params) { p.MaxBurst = 8192 },
		"many R2Ts at a time": func(p *iscsi.Params) { p.MaxBurst, p.MaxOutstandingR2T = 4096, 8 },
	} {
		t.Run(name, func(t *testing.T) {
			params := iscsi.DefaultParams(1 << 20)
			change(&params)
			s, target := overPipe(t, Options{}, params)
			for _, n := range []int{1, 512, params.FirstBurst - 1, params.FirstBurst, params.FirstBurst + 1, 100_000} {
				c := &Command{Out: make([]byte, n)}
				for i := range c.Out {
					c.Out[i] = byte(rand.Uint32())
				}
				ended := submit(t, s, c)
				got := (&taker{peer: target, params: params}).take(n)
				if err := <-ended; err != nil || !bytes.Equal(got, c.Out) {
					t.Errorf("%d bytes: %v, equal: %v", n, err, bytes.Equal(got, c.Out))
				}
			}
		})
	}
}

func TestMoreThanWasNegotiatedIsRefused(t *testing.T) {
	params := iscsi.DefaultParams(1024)
	params.MaxBurst, params.MaxOutstandingR2T = 4096, 2
	for name, p := range map[string][]byte{
		"a segment that is too long": pdu(iscsi.OpDataIn, 1<<16, func(h iscsi.Header) { h.SetDataLength(1028) }),
		"a burst that is too long":   pdu(iscsi.OpR2T, 2<<16|1, func(h iscsi.Header) { h.SetDesiredLength(4097) }),
	} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, params)
			ended := []<-chan error{submit(t, s, &Command{In: make([]byte, 8192)}), submit(t, s, &Command{Out: make([]byte, 8192)})}
			go target.answerPings() // it takes what comes
			_, _ = target.Write(p)
			for _, e := range ended {
				wantErrors(t, "a command", <-e, ErrOutcomeUnknown, ErrProtocol)
			}
		})
	}
}

func TestAFirstBurstLongerThanABurstIsNotOffered(t *testing.T) {
	o := Options{Limits: iscsi.Limits{MaxBurst: 4096, FirstBurst: 8192}}.withDefaults()
	if o.Limits.FirstBurst != 4096 {
		t.Errorf("it offers a first burst of %d", o.Limits.FirstBurst)
	}
	if o := (Options{Limits: iscsi.Limits{MaxBurst: 4096}}).withDefaults(); o.Limits.FirstBurst != 4096 {
		t.Errorf("it offers a first burst of %d", o.Limits.FirstBurst)
	}
}

// A target may leave a key out, which then has its default: no digests.
func TestDigestsThatAreRequiredAreNotDoneWithout(t *testing.T) {
	for choice, want := range map[iscsi.DigestChoice]bool{iscsi.DigestsRequired: false, iscsi.DigestsEither: true, iscsi.DigestsNone: true} {
		ours, theirs := net.Pipe()
		target := &peer{theirs, t}
		go func() {
			for range 2 {
				if h, _, ok := target.next(); ok {
					target.send(iscsi.OpLoginResp, h.InitiatorTag(), func(a iscsi.Header) { a.SetFlags(h.Flags()) })
				}
			}
		}()
		o := Options{Limits: iscsi.Limits{Digests: choice}}.withDefaults()
		l := &login{opts: o, conn: ours, in: newReceiver(ours), params: iscsi.DefaultParams(o.Limits.MaxRecv), cmdSN: 1}
		_ = ours.SetDeadline(time.Now().Add(10 * time.Second))
		if err := l.run(); (err == nil) != want {
			t.Errorf("choice %d: the login ended with %v", choice, err)
		}
		ours.Close()
	}
}

func TestAResidualIsNeverMoreThanTheTransfer(t *testing.T) {
	for name, c := range map[string]struct {
		in, out, came, told int
		want                int
		fails               bool
	}{
		"nothing missing":            {in: 512, came: 512},
		"told":                       {in: 512, came: 100, told: 412, want: 412},
		"more is told than there is": {in: 512, came: 512, told: 1 << 30},
		"more than is missing":       {in: 512, came: 100, told: 500, want: 412},
		"less than is missing":       {in: 512, came: 100, told: 1, want: 412, fails: true},
		"a write":                    {out: 512, told: 100, want: 100},
		"a write that lies":          {out: 512, told: 1 << 30, want: 512},
	} {
		t.Run(name, func(t *testing.T) {
			s, target := overPipe(t, Options{}, iscsi.DefaultParams(1<<20))
			command := &Command{In: make([]byte, c.in), Out: make([]byte, c.out)}
			ended := submit(t, s, command)
			h, _ := target.expect(iscsi.OpSCSICommand)
			if c.came > 0 {
				target.send(iscsi.OpDataIn, h.InitiatorTag(), func(h iscsi.Header) { h.SetDataLength(c.came) })
			}
			target.send(iscsi.OpSCSIResponse, h.InitiatorTag(), func(h iscsi.Header) {
				if c.told > 0 {
					h.SetFlags(iscsi.FlagFinal | iscsi.FlagUnderflow)
					h.SetResidual(uint32(c.told))
				}
			})
			if err := <-ended; (err != nil) != c.fails || command.Residual != c.want {
				t.Errorf("%v, residual %d", err, command.Residual)
			}
		})
	}
}
