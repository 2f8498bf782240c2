package scsi

import (
	"context"
	"encoding/hex"
	"strings"
)

// operation is one command that the device server executes: an opcode, with a service action where the opcode has them.
// Dispatch and REPORT SUPPORTED OPERATION CODES are both made from it.
type operation struct {
	name   string
	usage  []byte // CDB USAGE DATA (SPC-5 6.35.3); its length is the CDB's
	action int    // service action, or none
	flags  flags
	run    func(u *Unit, ctx context.Context, c *Command)
}

const none = -1

type flags uint8

const (
	medium          flags = 1 << iota // needs a ready unit
	writes                            // needs a unit that is not write protected
	launched                          // may be launched, without FUA
	reads                             // may be answered from the cache, by readNow
	quick                             // never waits
	passesAttention                   // executed although a unit attention waits
	thin                              // offered with thin provisioning only
)

func (o *operation) opcode() byte     { return o.usage[0] }
func (o *operation) controlByte() int { return len(o.usage) - 1 }

// newOperations is the table by opcode. Reservations, COMPARE AND WRITE and the copy commands are not offered yet.
func newOperations() *[256][]operation {
	return index([]operation{
		op("TEST UNIT READY", "00 00 00 00 00 00", medium|quick, (*Unit).fromBase),
		op("REQUEST SENSE", "03 00 00 00 ff 00", quick|passesAttention, (*Unit).requestSense),
		op("READ(6)", "08 1f ff ff ff 00", medium|reads, (*Unit).read),
		op("WRITE(6)", "0a 1f ff ff ff 00", medium|writes|launched, (*Unit).write),
		op("INQUIRY", "12 01 ff ff ff 00", quick|passesAttention, (*Unit).inquiry),
		op("MODE SELECT(6)", "15 10 00 00 ff 00", quick, (*Unit).modeSelect),
		op("MODE SENSE(6)", "1a 08 ff ff ff 00", quick, (*Unit).modeSense),
		op("START STOP UNIT", "1b 01 00 0f f5 00", 0, (*Unit).startStop),
		op("SEND DIAGNOSTIC", "1d 04 00 00 00 00", quick, (*Unit).fromBase),
		op("READ CAPACITY(10)", "25 00 00 00 00 00 00 00 00 00", medium|quick, (*Unit).fromBase),
		op("READ(10)", "28 18 ff ff ff ff 00 ff ff 00", medium|reads, (*Unit).read),
		op("WRITE(10)", "2a 18 ff ff ff ff 00 ff ff 00", medium|writes|launched, (*Unit).write),
		op("WRITE AND VERIFY(10)", "2e 12 ff ff ff ff 00 ff ff 00", medium|writes, (*Unit).writeAndVerify),
		op("VERIFY(10)", "2f 16 ff ff ff ff 00 ff ff 00", medium, (*Unit).verify),
		op("SYNCHRONIZE CACHE(10)", "35 02 ff ff ff ff 00 ff ff 00", medium, (*Unit).synchronizeCache),
		op("WRITE SAME(10)", "41 08 ff ff ff ff 00 ff ff 00", medium|writes, (*Unit).writeSame),
		op("UNMAP", "42 00 00 00 00 00 00 ff ff 00", medium|writes|thin, (*Unit).unmap),
		op("MODE SELECT(10)", "55 10 00 00 00 00 00 ff ff 00", quick, (*Unit).modeSelect),
		op("MODE SENSE(10)", "5a 18 ff ff 00 00 00 ff ff 00", quick, (*Unit).modeSense),
		op("READ(16)", "88 18 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", medium|reads, (*Unit).read),
		op("WRITE(16)", "8a 18 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", medium|writes|launched, (*Unit).write),
		op("WRITE AND VERIFY(16)", "8e 12 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", medium|writes, (*Unit).writeAndVerify),
		op("VERIFY(16)", "8f 16 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", medium, (*Unit).verify),
		op("SYNCHRONIZE CACHE(16)", "91 02 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", medium, (*Unit).synchronizeCache),
		op("WRITE SAME(16)", "93 09 ff ff ff ff ff ff ff ff ff ff ff ff 00 00", medium|writes, (*Unit).writeSame),
		withAction(0x10, op("READ CAPACITY(16)", "9e 10 00 00 00 00 00 00 00 00 ff ff ff ff 00 00", medium|quick, (*Unit).readCapacity16)),
		op("REPORT LUNS", "a0 00 ff 00 00 00 ff ff ff ff 00 00", quick|passesAttention, (*Unit).reportLUNs),
		withAction(0x0c, op("REPORT SUPPORTED OPERATION CODES", "a3 0c 87 ff ff ff ff ff ff ff 00 00", quick, (*Unit).reportOperations)),
		withAction(0x0d, op("REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", "a3 0d 80 00 00 00 ff ff ff ff 00 00", quick, (*Unit).reportTaskManagement)),
		op("READ(12)", "a8 18 ff ff ff ff ff ff ff ff 00 00", medium|reads, (*Unit).read),
		op("WRITE(12)", "aa 18 ff ff ff ff ff ff ff ff 00 00", medium|writes|launched, (*Unit).write),
		op("WRITE AND VERIFY(12)", "ae 12 ff ff ff ff ff ff ff ff 00 00", medium|writes, (*Unit).writeAndVerify),
		op("VERIFY(12)", "af 16 ff ff ff ff ff ff ff ff 00 00", medium, (*Unit).verify),
	})
}

// op makes an operation. usage is written in hexadecimal; a malformed one is a broken table, found by the first test.
func op(name, usage string, f flags, run func(*Unit, context.Context, *Command)) operation {
	b, err := hex.DecodeString(strings.ReplaceAll(usage, " ", ""))
	if err != nil {
		panic(err)
	}
	return operation{name: name, usage: b, action: none, flags: f, run: run}
}

func withAction(action int, o operation) operation {
	o.action = action
	return o
}

func index(list []operation) *[256][]operation {
	byOpcode := new([256][]operation)
	for _, o := range list {
		byOpcode[o.opcode()] = append(byOpcode[o.opcode()], o)
	}
	return byOpcode
}

// offered are the operations of an opcode that this unit has now.
func (u *Unit) offered(opcode byte) []operation {
	list := u.operations[opcode]
	if len(list) > 0 && list[0].flags&thin != 0 && !u.geometry.Load().Thin {
		return nil
	}
	return list
}

// lookup finds the operation of a CDB, or nil.
func (u *Unit) lookup(c *Command) *operation {
	list := u.offered(c.CDB[0])
	for i := range list {
		if o := &list[i]; o.action == none || o.action == int(c.CDB[1]&0x1f) {
			return o
		}
	}
	return nil
}
