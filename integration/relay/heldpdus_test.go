package relay

import (
	"slices"
	"testing"

	"forebay/protocols/iscsi"
)

// What belongs to the task is held with it, and it has arrived when all has come that the client sends unasked.
func TestUnsolicitedDataIsHeldWithItsCommand(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), withISCSI)
	client, serving := pair(t, r, s)
	h := r.Hold(WriteTo(42))
	command := write(2, 42, false, block[:1000])
	first, last := request(iscsi.OpDataOut, 0, 2, block[1000:2000]), request(iscsi.OpDataOut, iscsi.FlagFinal, 2, block[2000:])
	send(t, client, slices.Concat(command, other, first, last[:500]))
	expect(t, serving, other)
	select {
	case <-h.Arrived():
		t.Error("it has arrived before its data")
	default:
	}
	send(t, client, last[500:])
	arrived(t, h)
	r.Cut(Reset)
	h.Release()
	expect(t, serving, slices.Concat(command, first, last))
}

// The command itself may pass, and the data that the server asked for be held.
func TestSolicitedDataIsHeldWithoutItsCommand(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), withISCSI)
	client, serving := pair(t, r, s)
	h := r.Hold(func(p PDU) bool { return p.Opcode() == iscsi.OpDataOut && p.InitiatorTag() == 2 && p.Connection == 1 })
	command, data := write(2, 42, true, nil), request(iscsi.OpDataOut, iscsi.FlagFinal, 2, block)
	ask := request(iscsi.OpR2T, iscsi.FlagFinal, 2, nil)
	send(t, client, command)
	expect(t, serving, command)
	send(t, serving, ask)
	expect(t, client, ask)
	send(t, client, data)
	arrived(t, h)
	r.Cut(Reset)
	h.Release()
	expect(t, serving, data)
	send(t, serving, slices.Concat(ask, request(iscsi.OpDataIn, iscsi.FlagFinal, 2, block), response(2)))
	answer(t, h, response(2))
	expectEnd(t, serving, Finish)
}

func TestDigestsTravelWithWhatIsHeld(t *testing.T) {
	s := listen(t)
	r := start(t, s.addr(), Options{ISCSI: true, HeaderDigest: true, DataDigest: true})
	client, serving := pair(t, r, s)
	h := r.Hold(WriteTo(42))
	before := stream(4, r.opts)
	held := write(99, 42, true, block)
	held = append(slices.Insert(held, iscsi.HeaderLength, []byte("head")...), "data"...)
	send(t, client, slices.Concat(before, held, before))
	expect(t, serving, slices.Concat(before, before))
	arrived(t, h)
	h.Release()
	expect(t, serving, held)
}

func TestWritesOfAllLengthsAreMatchedByTheirBlocks(t *testing.T) {
	ten := request(iscsi.OpSCSICommand, iscsi.FlagFinal|iscsi.FlagWrite, 1, nil)
	copy(iscsi.Header(ten).CDB(), []byte{0x2a, 0, 0, 0, 1, 0, 0, 0, 8})
	reading := slices.Clone(ten)
	reading[32] = 0x28
	for name, c := range map[string]struct {
		pdu     []byte
		blocks  []uint64
		matches bool
	}{
		"WRITE(10)":     {ten, []uint64{256, 263}, true},
		"beside it":     {ten, []uint64{255, 264, 1 << 40}, false},
		"WRITE(16)":     {write(1, 1<<40, true, nil), []uint64{1 << 40}, true},
		"beside it too": {write(1, 1<<40, true, nil), []uint64{1<<40 - 1, 1<<40 + 1, 0}, false},
		"READ(10)":      {reading, []uint64{256}, false},
		"other PDUs":    {other, []uint64{0}, false},
	} {
		for _, lba := range c.blocks {
			if WriteTo(lba)(PDU{Header: c.pdu[:iscsi.HeaderLength]}) != c.matches {
				t.Errorf("%s: block %d: not %v", name, lba, c.matches)
			}
		}
	}
}
