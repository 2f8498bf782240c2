package scsi

import (
	"context"
	"encoding/binary"
)

// reportOperations is REPORT SUPPORTED OPERATION CODES (SPC-5 6.35), made from the operation table.
func (u *Unit) reportOperations(_ context.Context, c *Command) {
	timeouts := c.CDB[2]&0x80 != 0 // RCTD
	opcode, action := c.CDB[3], int(binary.BigEndian.Uint16(c.CDB[4:]))
	allocation := int(binary.BigEndian.Uint32(c.CDB[6:]))
	list := u.offered(opcode)
	hasActions := len(list) > 0 && list[0].action != none
	switch c.CDB[2] & 0x07 {
	case 0:
		c.reply(u.allOperations(timeouts), allocation)
	case 1: // by opcode; one with service actions needs to be asked with them
		if hasActions {
			c.invalidField(2)
			return
		}
		c.reply(oneOperation(list, none, timeouts), allocation)
	case 2: // by opcode and service action
		if len(list) > 0 && !hasActions {
			c.invalidField(2)
			return
		}
		c.reply(oneOperation(list, action, timeouts), allocation)
	case 3: // either
		if !hasActions {
			action = none
		}
		c.reply(oneOperation(list, action, timeouts), allocation)
	default:
		c.invalidField(2)
	}
}

// allOperations is the all_commands parameter data (SPC-5 table 206).
func (u *Unit) allOperations(timeouts bool) []byte {
	p := make([]byte, 4)
	for opcode := range 256 {
		for _, o := range u.offered(byte(opcode)) {
			d := make([]byte, 8)
			d[0] = o.opcode()
			if o.action != none {
				binary.BigEndian.PutUint16(d[2:], uint16(o.action))
				d[5] |= 0x01 // SERVACTV
			}
			if timeouts {
				d[5] |= 0x02 // CTDP
			}
			binary.BigEndian.PutUint16(d[6:], uint16(len(o.usage)))
			p = append(p, d...)
			if timeouts {
				p = append(p, timeoutDescriptor()...)
			}
		}
	}
	binary.BigEndian.PutUint32(p, uint32(len(p)-4))
	return p
}

// oneOperation is the one_command parameter data (SPC-5 table 208).
func oneOperation(list []operation, action int, timeouts bool) []byte {
	for _, o := range list {
		if o.action != action {
			continue
		}
		p := []byte{0, 0x03, 0, byte(len(o.usage))} // supported as the standard says
		p = append(p, o.usage...)
		if timeouts {
			p[1] |= 0x80 // CTDP
			p = append(p, timeoutDescriptor()...)
		}
		return p
	}
	return []byte{0, 0x01, 0, 0} // not supported
}

// timeoutDescriptor names no timeout: how long a command takes is the array's to say.
func timeoutDescriptor() []byte { return []byte{0, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0} }

// reportTaskManagement is REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS (SPC-5 6.36).
func (u *Unit) reportTaskManagement(_ context.Context, c *Command) {
	allocation := int(binary.BigEndian.Uint32(c.CDB[6:]))
	if allocation < 4 {
		c.invalidField(6)
		return
	}
	const abortTask, abortTaskSet, clearTaskSet, unitReset = 0x80, 0x40, 0x10, 0x08
	p := []byte{abortTask | abortTaskSet | clearTaskSet | unitReset, 0, 0, 0}
	if c.CDB[2]&0x80 != 0 { // REPD: the extended form, which names no timeouts
		p = append(p, make([]byte, 12)...)
		p[3] = 12
	}
	c.reply(p, allocation)
}
