package writelog

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"forebay/cachecore/device"
)

// Inspect prints what is on a device that no log has open: superblocks, frames, records, shards. It reads and verifies everything that Open
// does, and changes nothing. Its error is that of writing to w, or wraps ErrDamaged or whatever Open would fail with if not all is well.
func Inspect(dev device.Device, w io.Writer) error {
	p := &printer{to: bufio.NewWriter(w)}
	err := p.inspect(dev)
	if flushed := p.to.Flush(); flushed != nil {
		return fmt.Errorf("inspect: %w", flushed)
	}
	return err
}

// printer is a visitor that prints, and hands on to the recovery.
type printer struct {
	to      *bufio.Writer // remembers its first error
	r       *recovery
	segment uint64
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.to, format, args...) }

func (p *printer) inspect(dev device.Device) error {
	super, copies, err := readSuperblocks(dev)
	wrong := p.superblocks(super, copies)
	if err != nil {
		return err
	}
	p.printf("device %v, incarnation %v, %d segments of %d bytes\n", super.device, super.incarnation, super.segments, super.units*unit)
	scan := newScanner(dev, super)
	latest, tail, err := scan.newest()
	if err != nil {
		return err
	}
	p.r = newRecovery(super.geometry, tail)
	end, err := scan.walk(tail, latest, p)
	if err != nil {
		return err
	}
	p.ending(end)
	return errors.Join(wrong, p.summary())
}

func (p *printer) superblocks(super superblock, copies []superCopy) (wrong error) {
	for _, c := range copies {
		switch {
		case c.err != nil:
			p.printf("superblock at unit %d: %v\n", c.at, c.err)
		case c.is.state == stateFormatting:
			p.printf("superblock at unit %d: being formatted, incarnation %v\n", c.at, c.is.incarnation)
		default:
			p.printf("superblock at unit %d: incarnation %v\n", c.at, c.is.incarnation)
		}
		if c.err != nil || c.is != super {
			wrong = fmt.Errorf("%w: the superblock at unit %d is not like the others", ErrDamaged, c.at)
		}
	}
	return wrong
}

func (p *printer) visit(f *frame) {
	p.r.visit(f)
	if f.segment != p.segment {
		p.segment = f.segment
		p.printf("segment %d at unit %d\n", f.segment, p.r.start(f.segment))
	}
	p.frame("frame", f)
}

func (p *printer) missing(g gap) {
	p.r.missing(g)
	p.printf("  MISSING %v\n", g)
}

func (p *printer) frame(what string, f *frame) {
	p.printf("  %s %d at unit %d: %d units, session %08x, previous %08x, durable %d, tail %d, %s, %d records%s\n", what, f.number, f.at, f.units(),
		f.session, f.previous, f.durable, f.tail, time.Unix(0, f.written).UTC().Format(time.RFC3339Nano), f.header.records, flaw(f.whole))
	if !f.told {
		p.printf("    its descriptors CAN'T BE READ\n")
	}
	for i := range f.records {
		p.record(&f.records[i], f.places[i])
	}
}

func (p *printer) record(d *descriptor, at place) {
	if d.Kind == kindState {
		m := d.state
		p.printf("    %v shard %016x %q: records above %d to %d, epoch %d, void below %d%s\n", d.Kind, uint64(d.Shard), d.Name, m.trim, m.last,
			m.epoch, m.void, from(m))
		return
	}
	p.printf("    %v shard %016x epoch %d record %d order %d: %d bytes at %d", d.Kind, uint64(d.Shard), d.Epoch, d.Seq, d.order, d.Len, d.Off)
	if len(d.Object) > 0 {
		p.printf(" of %x", d.Object)
	}
	for _, flag := range []struct {
		is   Flags
		name string
	}{{FlagApplied, "applied"}, {FlagBarrier, "barrier"}, {flagFirst, "first"}, {flagMoved, "moved"}, {flagLost, "LOST"}, {flagAll, "all"}} {
		if d.Flags&flag.is != 0 {
			p.printf(", %s", flag.name)
		}
	}
	p.printf(", sum %08x", d.Sum)
	if d.size > 0 {
		p.printf(", data at %v%s", at.at, flaw(at.right))
	}
	p.printf("\n")
}

func flaw(right bool) string {
	if right {
		return ""
	}
	return ", DAMAGED"
}

func from(m *marks) string {
	if m.damaged == 0 {
		return ""
	}
	return fmt.Sprintf(", DAMAGED from %d on", m.damaged)
}

func (p *printer) ending(end ending) {
	p.printf("the log ends at unit %d in segment %d, before frame %d\n", end.at, end.segment, end.number)
	if end.torn != nil {
		p.frame("torn frame", end.torn)
	}
}

// summary says what Open would make of it all.
func (p *printer) summary() (wrong error) {
	for _, d := range p.r.finish() {
		p.printf("DAMAGED %v\n", d)
		wrong = fmt.Errorf("%w: %v", ErrDamaged, d)
	}
	shards := slices.SortedFunc(maps.Values(p.r.shards), func(a, b *recovered) int { return cmp.Compare(a.id, b.id) })
	for _, s := range shards {
		bytes := int64(0)
		for _, f := range s.found {
			bytes += int64(f.size)
		}
		p.printf("shard %016x %q: %d records above %d to %d, %d bytes, epoch %d%s\n", uint64(s.id), s.name, len(s.found), s.trim, s.last, bytes,
			s.epoch, from(&s.marks))
		if s.damaged != 0 {
			wrong = fmt.Errorf("%w: shard %016x: %s", ErrDamaged, uint64(s.id), s.reason)
		}
	}
	return wrong
}
