package iscsi

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sync"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
	"forebay/protocols/iscsi"
	"forebay/protocols/iscsi/initiator"
	"forebay/protocols/iscsi/initiator/initiatortest"
)

var be = binary.BigEndian

// Operation codes of what a fake knows.
const (
	opReady        = 0x00
	opInquiry      = 0x12
	opModeSense    = 0x1a
	opUnmap        = 0x42
	opReserveIn    = 0x5e
	opReserveOut   = 0x5f
	opRead         = 0x88
	opWrite        = 0x8a
	opFlush        = 0x91
	opFlush10      = 0x35
	opWriteSame    = 0x93
	opCapacity     = 0x9e
	opPortGroups   = 0xa3
	opManage       = 0xff // no opcode: task management
	blockSize      = 512
	statusConflict = 0x18
	statusBusy     = 0x08
	statusCheck    = 0x02
)

// fake is an array over a Mem that does what a test scripts, with several portals, port groups and reservations. Writes come as immediate
// data only: up to 32 KiB.
type fake struct {
	t     testing.TB
	mem   *arraytest.Mem
	ports []*port

	mu struct {
		sync.Mutex
		name    string // NAA, hexadecimal digits as they are
		fua     bool
		through bool // it says that it has no write cache
		noPR    bool
		most    uint32            // blocks of one WRITE, WRITE SAME or UNMAP; 0: any number, and it doesn't tell
		keys    map[string]uint64 // by nexus
		holder  string            // its nexus; "": nobody
		typ     byte
		groups  bool
		seen    []byte // opcodes, in order of arrival
		watched []watch
		script  func(p *port, op byte, cdb []byte) (status byte, s *sense)
		late    []func() // writes that were held, in order
		hold    func(cdb []byte) bool
		held    chan struct{}
	}
}

type watch struct {
	op   byte
	seen chan struct{}
}

// port is one portal.
type port struct {
	fake   *fake
	number uint16 // from 1; its group has the same
	target *initiatortest.Target
	state  initiator.AccessState
	news   []sense // attentions
	name   string  // of another medium than the fake's; empty: it is that
}

func newFake(t testing.TB, info cachecore.ArrayInfo, portals int) *fake {
	f := &fake{t: t, mem: arraytest.NewMem(info)}
	f.mu.name, f.mu.fua, f.mu.keys = "\x60\x01\x02\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", true, map[string]uint64{}
	for i := range portals {
		p := &port{fake: f, number: uint16(i + 1), target: initiatortest.New(t, blockSize), news: []sense{{6, 0x29, 0}}}
		p.target.Limits.FirstBurst, p.target.Limits.MaxRecv = 32<<10, 64<<10
		p.target.Intercept = p.intercept
		f.ports = append(f.ports, p)
	}
	return f
}

func (f *fake) options() Options {
	var portals []string
	for _, p := range f.ports {
		portals = append(portals, p.target.Portal())
	}
	o := options(f.t, portals...)
	o.Target = initiatortest.Name
	return o
}

// set changes the fake under its lock.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// answer has the next commands of an opcode that come answered with a status, one each.
func (f *fake) answer(op byte, with ...any) {
	f.set(func() {
		before := f.mu.script
		f.mu.script = func(p *port, got byte, cdb []byte) (byte, *sense) {
			if before != nil {
				if status, s := before(p, got, cdb); status != 0 {
					return status, s
				}
			}
			if got != op || len(with) == 0 {
				return 0, nil
			}
			next := with[0]
			with = with[1:]
			if s, ok := next.(sense); ok {
				return statusCheck, &s
			}
			return byte(next.(int)), nil
		}
	})
}

// attend gives every port news.
func (f *fake) attend(s sense) {
	f.set(func() {
		for _, p := range f.ports {
			p.news = append(p.news, s)
		}
	})
}

// seen is closed when an opcode comes, after now.
func (f *fake) seen(op byte) <-chan struct{} {
	w := watch{op, make(chan struct{})}
	f.set(func() { f.mu.watched = append(f.mu.watched, w) })
	return w.seen
}

// count is how many of an opcode have come.
func (f *fake) count(op byte) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, seen := range f.mu.seen {
		if seen == op {
			n++
		}
	}
	return n
}

// holdWrite has the next write that match accepts neither done nor answered, until deliver, or a reset, which drops it.
func (f *fake) holdWrite(match func(cdb []byte) bool) <-chan struct{} {
	held := make(chan struct{})
	f.set(func() { f.mu.hold, f.mu.held = match, held })
	return held
}

// deliver does the writes that are held.
func (f *fake) deliver() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, do := range f.mu.late {
		do()
		n++
	}
	f.mu.late = nil
	return n
}

// drop cuts the connections of all ports.
func (f *fake) drop() {
	for _, p := range f.ports {
		p.target.Drop()
	}
}

func (p *port) nexus() string { return string(rune('0' + p.number)) }

// intercept is the fake's side of everything but the login.
func (p *port) intercept(c *initiatortest.Conn, h iscsi.Header, data []byte) bool {
	f := p.fake
	f.mu.Lock()
	defer f.mu.Unlock()
	switch h.Opcode() {
	case iscsi.OpTaskMgmt:
		f.note(opManage)
		if iscsi.TaskFunction(h.Flags()&0x7f) == iscsi.LogicalUnitReset {
			f.mu.late = nil
			for _, other := range f.ports {
				other.news = append(other.news, sense{6, 0x29, 3})
			}
		}
		return false
	case iscsi.OpSCSICommand:
	default:
		return false
	}
	cdb := append([]byte(nil), h.CDB()...)
	f.note(cdb[0])
	if f.mu.script != nil {
		if status, s := f.mu.script(p, cdb[0], cdb); status != 0 {
			p.status(c, h, status, s)
			return true
		}
	}
	if cdb[0] != opInquiry && len(p.news) > 0 {
		s := p.news[0]
		p.news = p.news[1:]
		p.status(c, h, statusCheck, &s)
		return true
	}
	p.execute(c, h, cdb, data)
	return true
}

func (f *fake) note(op byte) {
	f.mu.seen = append(f.mu.seen, op)
	f.mu.watched = slices.DeleteFunc(f.mu.watched, func(w watch) bool {
		if w.op == op {
			close(w.seen)
		}
		return w.op == op
	})
}

func (p *port) status(c *initiatortest.Conn, h iscsi.Header, status byte, s *sense) {
	var data []byte
	if s != nil {
		data = make([]byte, 18)
		data[0], data[2], data[7], data[12], data[13] = 0x70, s.key, 10, s.asc, s.ascq
	}
	c.Status(h, status, data)
}

// execute answers one command. f.mu is held.
func (p *port) execute(c *initiatortest.Conn, h iscsi.Header, cdb, data []byte) {
	f := p.fake
	lba, blocks := int64(be.Uint64(cdb[2:])), int64(be.Uint32(cdb[10:]))
	off, n := lba*blockSize, blocks*blockSize
	if (cdb[0] == opRead || cdb[0] == opWrite || cdb[0] == opReady) && !active(p.state) {
		p.status(c, h, statusCheck, &sense{2, 4, 0x0b})
		return
	}
	if f.mu.holder != "" && f.mu.keys[p.nexus()] == 0 && (cdb[0] == opWrite || cdb[0] == opUnmap || cdb[0] == opWriteSame || cdb[0] == opModeSense) {
		p.status(c, h, statusConflict, nil)
		return
	}
	extent := blocks
	if cdb[0] == opUnmap {
		extent = int64(be.Uint32(data[16:]))
	}
	if f.mu.most > 0 && extent > int64(f.mu.most) && (cdb[0] == opWrite || cdb[0] == opUnmap || cdb[0] == opWriteSame) {
		p.status(c, h, statusCheck, &sense{5, 0x24, 0})
		return
	}
	ctx := f.t.Context()
	switch cdb[0] {
	case opReady:
		c.Status(h, 0, nil)
	case opRead:
		b := make([]byte, n)
		p.done(c, h, f.mem.ReadAt(ctx, b, off), func() { c.SendData(h, b) })
	case opWrite:
		if f.mu.hold != nil && f.mu.hold(cdb) {
			f.mu.hold = nil
			b := append([]byte(nil), data...)
			f.mu.late = append(f.mu.late, func() { _ = f.mem.WriteAt(ctx, b, off, cachecore.WriteOptions{}) })
			close(f.mu.held)
			return
		}
		p.done(c, h, f.mem.WriteAt(ctx, data, off, cachecore.WriteOptions{FUA: cdb[1]&8 != 0}), nil)
	case opFlush, opFlush10:
		p.done(c, h, f.mem.Flush(ctx), nil)
	case opWriteSame:
		p.done(c, h, f.mem.WriteZeroes(ctx, off, n, cdb[1]&8 != 0), nil)
	case opUnmap:
		p.done(c, h, f.mem.Unmap(ctx, int64(be.Uint64(data[8:]))*blockSize, int64(be.Uint32(data[16:]))*blockSize), nil)
	default:
		p.tell(c, h, cdb, data)
	}
}

func (p *port) done(c *initiatortest.Conn, h iscsi.Header, err error, good func()) {
	switch {
	case err != nil:
		p.status(c, h, statusCheck, &sense{3, 0x0c, 0})
	case good != nil:
		good()
	default:
		c.Status(h, 0, nil)
	}
}

// tell answers questions. f.mu is held.
func (p *port) tell(c *initiatortest.Conn, h iscsi.Header, cdb, data []byte) {
	f, info := p.fake, p.fake.mem.Info()
	switch {
	case cdb[0] == opCapacity:
		b := make([]byte, 32)
		be.PutUint64(b, uint64(info.Size/blockSize-1))
		be.PutUint32(b[8:], blockSize)
		if info.Thin {
			b[14] = 0x80
		}
		c.SendData(h, b)
	case cdb[0] == opModeSense:
		b := []byte{23, 0, 0, 0, 8, 18, 22: 0, 23: 0}
		if f.mu.fua {
			b[2] = 0x10
		}
		if info.WriteCache && !f.mu.through {
			b[6] = 4
		}
		c.SendData(h, b)
	case cdb[0] == opInquiry && cdb[2] == 0x83:
		name := cmp.Or(p.name, f.mu.name)
		b := append([]byte{0, 0x83, 0, 0, 1, 3, 0, byte(len(name))}, name...)
		b = append(b, 0x51, 0x95, 0, 4, 0, 0, 0, byte(p.number))
		b[3] = byte(len(b) - 4)
		c.SendData(h, b)
	case cdb[0] == opInquiry && cdb[2] == 0xb2 && info.Thin:
		c.SendData(h, []byte{0, 0xb2, 0, 4, 0, 0x80, 2, 0})
	case cdb[0] == opInquiry && cdb[2] == 0xb0 && f.mu.most > 0:
		b := []byte{0, 0xb0, 0, 60, 63: 0}
		be.PutUint32(b[8:], f.mu.most)
		be.PutUint32(b[20:], f.mu.most)
		be.PutUint32(b[24:], 1)
		be.PutUint64(b[36:], uint64(f.mu.most))
		c.SendData(h, b)
	case cdb[0] == opPortGroups && f.mu.groups:
		var list []byte
		for _, other := range f.ports {
			list = append(list, [...]byte{0, 1, 2, 3, 0xe, 0xf}[other.state], 0, 0, byte(other.number), 0, 0, 0, 1, 0, 0, 0, byte(other.number))
		}
		c.SendData(h, append(be.AppendUint32(nil, uint32(len(list))), list...))
	case (cdb[0] == opReserveIn || cdb[0] == opReserveOut) && !f.mu.noPR:
		p.reservation(c, h, cdb, data)
	default:
		p.status(c, h, statusCheck, &sense{5, 0x20, 0})
	}
}

// reservation does what persistent reservations of types for registrants do. f.mu is held.
func (p *port) reservation(c *initiatortest.Conn, h iscsi.Header, cdb, data []byte) {
	f, me := p.fake, p.nexus()
	if cdb[0] == opReserveIn {
		var list []byte
		if cdb[1] == 0 {
			for _, key := range f.mu.keys {
				list = be.AppendUint64(list, key)
			}
		} else if f.mu.holder != "" {
			list = append(be.AppendUint64(nil, f.mu.keys[f.mu.holder]), 0, 0, 0, 0, 0, f.mu.typ, 0, 0)
		}
		c.SendData(h, append(be.AppendUint32(make([]byte, 4), uint32(len(list))), list...))
		return
	}
	key, action := be.Uint64(data), be.Uint64(data[8:])
	status := byte(0)
	switch cdb[1] {
	case 0, 6: // REGISTER, REGISTER AND IGNORE EXISTING KEY
		switch {
		case cdb[1] == 0 && key != f.mu.keys[me]:
			status = statusConflict
		case action == 0:
			delete(f.mu.keys, me)
			if f.mu.holder == me {
				f.mu.holder = ""
			}
		default:
			f.mu.keys[me] = action
		}
	case 1: // RESERVE
		if f.mu.keys[me] != key || f.mu.holder != "" && (f.mu.holder != me || f.mu.typ != cdb[2]&15) {
			status = statusConflict
			break
		}
		f.mu.holder, f.mu.typ = me, cdb[2]&15
	case 4: // PREEMPT
		if f.mu.keys[me] != key {
			status = statusConflict
			break
		}
		for nexus, other := range f.mu.keys {
			if other != action {
				continue
			}
			delete(f.mu.keys, nexus)
			if f.mu.holder == nexus {
				f.mu.holder, f.mu.typ = me, cdb[2]&15
			}
		}
	}
	c.Status(h, status, nil)
}
