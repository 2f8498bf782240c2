package relay

import (
	"bytes"
	"context"
	"errors"
	"net"
	"slices"
	"syscall"
	"testing"

	"forebay/protocols/iscsi"
)

var (
	block     = bytes.Repeat([]byte{0xa5}, 4096)
	other     = request(iscsi.OpNopOut, iscsi.FlagFinal, 7, []byte("another task"))
	withISCSI = Options{ISCSI: true}
)

func arrived(t *testing.T, h *Held) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-h.Arrived():
	case <-ctx.Done():
		t.Fatal("nothing is held")
	}
}

func answer(t *testing.T, h *Held, want []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if got, err := h.Answer(ctx); err != nil || !bytes.Equal(got, want) {
		t.Fatalf("the answer is %x, %v", got, err)
	}
}

func TestAHeldWriteReachesTheServerAfterItsReleaseAndTheRestAtOnce(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), withISCSI)
	client, serving := pair(t, r, s)
	h := r.Hold(WriteTo(42))
	before, held, after := write(1, 41, true, block), write(2, 42, true, block), write(3, 42, true, block)
	send(t, client, slices.Concat(before, held, other, after))
	expect(t, serving, slices.Concat(before, other, after))
	arrived(t, h)
	expectSilence(t, serving)
	h.Release()
	expect(t, serving, held)
	send(t, serving, response(2))
	expect(t, client, response(2))
	answer(t, h, response(2))
	h.Release() // once more does nothing
	send(t, client, held)
	expect(t, serving, held)
}

// The scenario of PROTOCOL D2: the write is late, the session that it came over is gone, and the server executes it all the same.
func TestAHeldWriteOutlivesItsConnection(t *testing.T) {
	for name, leave := range map[string]func(r *Relay, client net.Conn){
		"cut by a RST": func(r *Relay, _ net.Conn) { r.Cut(Reset) },
		"cut by a FIN": func(r *Relay, _ net.Conn) { r.Cut(Finish) },
		"left":         func(_ *Relay, client net.Conn) { client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t)
			r := start(t, s.addr(), withISCSI)
			client, serving := pair(t, r, s)
			h := r.Hold(WriteTo(42))
			held := write(2, 42, true, block)
			send(t, client, slices.Concat(held, other, write(3, 43, true, block)[:100])) // and a PDU of another task, in part
			arrived(t, h)
			expect(t, serving, other)
			leave(r, client)
			next, nextServing := pair(t, r, s)
			send(t, next, held)
			expect(t, nextServing, held)
			expectSilence(t, serving)

			h.Release()
			expect(t, serving, held)
			expectSilence(t, serving) // it stays open for the answer
			if n := r.Cut(Reset); n != 1 {
				t.Errorf("%d connections were cut, there is one new one", n)
			}
			send(t, serving, response(2))
			answer(t, h, response(2))
			expectEnd(t, serving, Finish)
		})
	}
}

func TestATaskReleasedInTheMiddleOfAPDUGoesOn(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), withISCSI)
	client, serving := pair(t, r, s)
	h := r.Hold(WriteTo(42))
	command, data := write(2, 42, false, nil), request(iscsi.OpDataOut, iscsi.FlagFinal, 2, block)
	send(t, client, slices.Concat(command, data[:100]))
	for !midway(h) { // the only sign is inside
		expectSilence(t, serving)
	}
	h.Release()
	send(t, client, slices.Concat(data[100:], other))
	expect(t, serving, slices.Concat(command, data, other))
}

func midway(h *Held) bool {
	h.relay.mu.Lock()
	gate := h.gate
	h.relay.mu.Unlock()
	if gate == nil {
		return false
	}
	gate.mu.Lock()
	defer gate.mu.Unlock()
	return len(h.bytes) > iscsi.HeaderLength
}

func TestAHoldThatIsReleasedBeforeItsTimeHoldsNothing(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), withISCSI)
	client, serving := pair(t, r, s)
	released, waiting := r.Hold(WriteTo(42)), r.Hold(nil)
	released.Release()
	held := write(1, 42, true, block)
	send(t, client, slices.Concat(held, other))
	arrived(t, waiting)
	expect(t, serving, other)
	waiting.Release()
	expect(t, serving, held)
}

func TestATaskWhoseServerEndsIsNotAnswered(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), withISCSI)
	client, serving := pair(t, r, s)
	h := r.Hold(nil)
	send(t, client, write(1, 42, true, block))
	arrived(t, h)
	r.Cut(Reset)
	end(serving, Reset)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := h.Answer(ctx); !errors.Is(err, ErrUnanswered) {
		t.Errorf("the answer: %v", err)
	}
	h.Release() // into nothing
	over, stop := context.WithCancelCause(t.Context())
	stop(errors.New("enough"))
	if _, err := r.Hold(nil).Answer(over); err == nil || err.Error() != "enough" {
		t.Errorf("the answer to nothing: %v", err)
	}
}

func TestAHeldTaskThatOutgrowsTheBufferEndsItsConnection(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{ISCSI: true, Buffer: 64 << 10})
	client, serving := pair(t, r, s)
	h := r.Hold(WriteTo(42))
	command := write(1, 42, false, block)
	send(t, client, command)
	var err error
	for i := 0; i < 20 && err == nil; i++ {
		_, err = client.Write(request(iscsi.OpDataOut, 0, 1, block))
	}
	if err == nil {
		expectEnd(t, client, Reset)
	} else if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	h.Release()
	expect(t, serving, command)
}
