package scsi

import (
	"bytes"
	"context"
)

// write is WRITE(6) to WRITE(16) (SBC-3 5.32 to 5.35).
func (u *Unit) write(ctx context.Context, c *Command) {
	u.writeExtent(ctx, c, c.fua())
}

// writeExtent writes what came and says whether it did.
func (u *Unit) writeExtent(ctx context.Context, c *Command, fua bool) (extent, bool) {
	e, ok := u.came(c)
	if !ok || e.n == 0 {
		return e, ok
	}
	if err := u.store.Write(ctx, c.DataOut[:e.n], e.off, fua); err != nil {
		c.fail(err, senseWriteError)
		return e, false
	}
	return e, true
}

// came is what there is to be written. If fewer blocks came than the CDB asks for, those are, and the residual tells; if a part of one came, nothing
// is (the choices a and b of FCP-4 9.4.2).
func (u *Unit) came(c *Command) (extent, bool) {
	if !unprotected(c) {
		return extent{}, false
	}
	e, g, ok := u.extentOf(c)
	if !ok || !c.asks(e.n) {
		return e, false
	}
	e.n = min(e.n, int64(len(c.DataOut)))
	if e.n%int64(g.BlockSize) != 0 {
		c.check(senseShortData)
		return e, false
	}
	return e, true
}

// Launch implements Launcher for what may be launched without FUA.
func (u *Unit) Launch(ctx context.Context, c *Command, done func()) bool {
	if u.launcher == nil || len(c.DataOut) == 0 {
		return false
	}
	op := u.lookup(c)
	if op == nil || op.flags&launched == 0 || c.fua() {
		return false
	}
	if !u.begin(op, c) {
		done()
		return true
	}
	e, ok := u.came(c)
	if !ok || e.n == 0 {
		done()
		return true
	}
	return u.launcher.LaunchWrite(ctx, c.DataOut[:e.n], e.off, func(err error) {
		if err != nil {
			c.fail(err, senseWriteError)
		}
		done()
	})
}

// Kick implements Launcher.
func (u *Unit) Kick() {
	if u.launcher != nil {
		u.launcher.KickWrites()
	}
}

// asks checks that n bytes may be transferred, and notes that the CDB asks for them.
func (c *Command) asks(n int64) bool {
	if n > MaxTransfer {
		c.invalidField(lengthField(c.CDB[0]))
		return false
	}
	c.Want = int(n)
	return true
}

// takes is asks for data-out that must all have come.
func (c *Command) takes(n int64) bool {
	if !c.asks(n) {
		return false
	}
	if int64(len(c.DataOut)) < n {
		c.check(senseShortData)
		return false
	}
	return true
}

// writeAndVerify is WRITE AND VERIFY(10) to (16) (SBC-3 5.36 to 5.38): durable, and with BYTCHK read back and compared.
func (u *Unit) writeAndVerify(ctx context.Context, c *Command) {
	how := bytchk(c)
	if how == bytchkReserved || how == bytchkSame {
		c.invalidField(1)
		return
	}
	e, ok := u.writeExtent(ctx, c, true)
	if ok && how == bytchkAll {
		u.compare(ctx, c, e, c.DataOut)
	}
}

// verify is VERIFY(10) to (16) (SBC-3 5.29 to 5.31).
func (u *Unit) verify(ctx context.Context, c *Command) {
	if !unprotected(c) {
		return
	}
	e, g, ok := u.extentOf(c)
	if !ok {
		return
	}
	switch bytchk(c) {
	case bytchkNone:
		u.compare(ctx, c, e, nil)
	case bytchkAll:
		if c.takes(e.n) {
			u.compare(ctx, c, e, c.DataOut)
		}
	case bytchkSame:
		if e.n == 0 {
			return
		}
		if c.takes(int64(g.BlockSize)) {
			u.compare(ctx, c, e, bytes.Repeat(c.DataOut[:g.BlockSize], verifyChunk/g.BlockSize))
		}
	default:
		c.invalidField(1)
	}
}

// The values of BYTCHK (SBC-3 table 112).
const (
	bytchkNone = iota
	bytchkAll
	bytchkReserved
	bytchkSame
)

func bytchk(c *Command) int { return int(c.CDB[1]&bytchkMask) >> 1 }

// verifyChunk bounds what a VERIFY holds at a time, in bytes.
const verifyChunk = 256 << 10

// compare reads an extent in chunks. Each is compared with its part of want; a want of one chunk stands for all of them, none
// compares nothing.
func (u *Unit) compare(ctx context.Context, c *Command, e extent, want []byte) {
	var d Data
	defer d.Release()
	for done := int64(0); done < e.n; {
		n := min(verifyChunk, e.n-done)
		if err := u.store.Read(ctx, &d, e.off+done, int(n)); err != nil {
			c.fail(err, senseReadError)
			return
		}
		if want != nil {
			expect := want
			if int64(len(want)) >= e.n {
				expect = want[done:]
			}
			if at := mismatch(&d, expect); at >= 0 {
				c.checkInfo(senseMiscompareContent, uint64(done)+uint64(at))
				return
			}
		}
		d.Release()
		done += n
	}
}

// mismatch returns the first byte of d that differs from want, or -1.
func mismatch(d *Data, want []byte) int {
	at := 0
	for _, seg := range d.Segments() {
		if !bytes.Equal(seg, want[at:at+len(seg)]) {
			for i := range seg {
				if seg[i] != want[at+i] {
					return at + i
				}
			}
		}
		at += len(seg)
	}
	return -1
}
