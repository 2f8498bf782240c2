package scsi

// senseTransferError is PROTOCOL SERVICE CRC ERROR, which RFC 7143 11.4.7.2 has for data-out that did not arrive whole.
var senseTransferError = senseCode{keyAbortedCommand, 0x47, 0x05}

// FailTransfer ends a command whose data-out did not arrive whole, without executing it.
func (c *Command) FailTransfer() {
	c.Want = 0
	c.check(senseTransferError)
}
