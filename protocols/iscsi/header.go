package iscsi

import "encoding/binary"

// HeaderLength is the length of a basic header segment in bytes.
const HeaderLength = 48

// Opcode is the kind of a PDU (RFC 7143 11.2.1.2).
type Opcode byte

// Requests of the initiator and responses of the target.
const (
	OpNopOut       Opcode = 0x00
	OpSCSICommand  Opcode = 0x01
	OpTaskMgmt     Opcode = 0x02
	OpLogin        Opcode = 0x03
	OpText         Opcode = 0x04
	OpDataOut      Opcode = 0x05
	OpLogout       Opcode = 0x06
	OpSNACK        Opcode = 0x10
	OpNopIn        Opcode = 0x20
	OpSCSIResponse Opcode = 0x21
	OpTaskMgmtResp Opcode = 0x22
	OpLoginResp    Opcode = 0x23
	OpTextResp     Opcode = 0x24
	OpDataIn       Opcode = 0x25
	OpLogoutResp   Opcode = 0x26
	OpR2T          Opcode = 0x31
	OpAsync        Opcode = 0x32
	OpReject       Opcode = 0x3f
)

// ReservedTag is an initiator or target task tag that names no task.
const ReservedTag = 0xffffffff

// Header is a view of a basic header segment, 48 bytes. Which fields a PDU has depends on its opcode (RFC 7143 11); the accessors
// neither check that nor keep anything.
type Header []byte

var be = binary.BigEndian

func (h Header) Opcode() Opcode          { return Opcode(h[0] & 0x3f) }
func (h Header) Immediate() bool         { return h[0]&0x40 != 0 }
func (h Header) Flags() byte             { return h[1] }
func (h Header) Final() bool             { return h[1]&0x80 != 0 }
func (h Header) AHSLength() int          { return 4 * int(h[4]) }
func (h Header) DataLength() int         { return int(h[5])<<16 | int(h[6])<<8 | int(h[7]) }
func (h Header) LUN() []byte             { return h[8:16] }
func (h Header) InitiatorTag() uint32    { return be.Uint32(h[16:]) }
func (h Header) TargetTag() uint32       { return be.Uint32(h[20:]) }
func (h Header) CmdSN() uint32           { return be.Uint32(h[24:]) }
func (h Header) ExpStatSN() uint32       { return be.Uint32(h[28:]) }
func (h Header) StatSN() uint32          { return be.Uint32(h[24:]) } // responses from here
func (h Header) ExpCmdSN() uint32        { return be.Uint32(h[28:]) }
func (h Header) MaxCmdSN() uint32        { return be.Uint32(h[32:]) }
func (h Header) DataSN() uint32          { return be.Uint32(h[36:]) } // Data-In, Data-Out; R2TSN in an R2T
func (h Header) BufferOffset() uint32    { return be.Uint32(h[40:]) } // Data-In, Data-Out, R2T
func (h Header) DesiredLength() uint32   { return be.Uint32(h[44:]) } // R2T
func (h Header) Residual() uint32        { return be.Uint32(h[44:]) } // SCSI Response, Data-In with S
func (h Header) Response() byte          { return h[2] }              // SCSI, task management, logout responses; reject reason
func (h Header) Status() byte            { return h[3] }              // SCSI Response, Data-In with S
func (h Header) ExpectedLength() uint32  { return be.Uint32(h[20:]) } // SCSI Command
func (h Header) CDB() []byte             { return h[32:48] }          // SCSI Command
func (h Header) ReferencedTag() uint32   { return be.Uint32(h[20:]) } // task management request
func (h Header) ReferencedCmdSN() uint32 { return be.Uint32(h[32:]) }

func (h Header) SetOpcode(op Opcode)         { h[0] = byte(op) }
func (h Header) SetImmediate()               { h[0] |= 0x40 }
func (h Header) SetFlags(f byte)             { h[1] = f }
func (h Header) SetResponse(r byte)          { h[2] = r }
func (h Header) SetStatus(s byte)            { h[3] = s }
func (h Header) SetDataLength(n int)         { h[5], h[6], h[7] = byte(n>>16), byte(n>>8), byte(n) }
func (h Header) SetLUN(lun []byte)           { copy(h[8:16], lun) }
func (h Header) SetInitiatorTag(t uint32)    { be.PutUint32(h[16:], t) }
func (h Header) SetTargetTag(t uint32)       { be.PutUint32(h[20:], t) }
func (h Header) SetExpectedLength(n uint32)  { be.PutUint32(h[20:], n) }
func (h Header) SetCmdSN(n uint32)           { be.PutUint32(h[24:], n) }
func (h Header) SetExpStatSN(n uint32)       { be.PutUint32(h[28:], n) }
func (h Header) SetStatSN(n uint32)          { be.PutUint32(h[24:], n) }
func (h Header) SetExpCmdSN(n uint32)        { be.PutUint32(h[28:], n) }
func (h Header) SetMaxCmdSN(n uint32)        { be.PutUint32(h[32:], n) }
func (h Header) SetDataSN(n uint32)          { be.PutUint32(h[36:], n) }
func (h Header) SetBufferOffset(n uint32)    { be.PutUint32(h[40:], n) }
func (h Header) SetDesiredLength(n uint32)   { be.PutUint32(h[44:], n) }
func (h Header) SetResidual(n uint32)        { be.PutUint32(h[44:], n) }
func (h Header) SetReferencedTag(t uint32)   { be.PutUint32(h[20:], t) }
func (h Header) SetReferencedCmdSN(n uint32) { be.PutUint32(h[32:], n) }

// SetAsync fills the event of an Asynchronous Message and its third parameter, seconds in a request to log out (RFC 7143 11.9).
func (h Header) SetAsync(event byte, parameter3 uint16) {
	h[36] = event
	be.PutUint16(h[42:], parameter3)
}

// The fields of a login (RFC 7143 11.12, 11.13).
func (h Header) ISID() []byte        { return h[8:14] }
func (h Header) TSIH() uint16        { return be.Uint16(h[14:]) }
func (h Header) CID() uint16         { return be.Uint16(h[20:]) } // logout too
func (h Header) VersionMin() byte    { return h[3] }
func (h Header) CurrentStage() Stage { return Stage(h[1] >> 2 & 3) }
func (h Header) NextStage() Stage    { return Stage(h[1] & 3) }
func (h Header) LoginStatus() uint16 { return be.Uint16(h[36:]) }

func (h Header) SetISID(isid []byte)           { copy(h[8:14], isid) }
func (h Header) SetTSIH(tsih uint16)           { be.PutUint16(h[14:], tsih) }
func (h Header) SetStages(current, next Stage) { h[1] = h[1]&^0x0f | byte(current)<<2 | byte(next) }
func (h Header) SetLoginStatus(s uint16)       { be.PutUint16(h[36:], s) }

// Stage is a stage of the login phase (RFC 7143 11.12.3).
type Stage byte

// The stages; 2 is reserved.
const (
	StageSecurity    Stage = 0
	StageOperational Stage = 1
	StageFullFeature Stage = 3
)

// The login status codes that are in use: class and detail (RFC 7143 11.13.5).
const (
	LoginSuccess            uint16 = 0x0000
	LoginInitiatorError     uint16 = 0x0200
	LoginAuthentication     uint16 = 0x0201
	LoginForbidden          uint16 = 0x0202
	LoginNotFound           uint16 = 0x0203
	LoginVersion            uint16 = 0x0205
	LoginTooManyConnections uint16 = 0x0206
	LoginMissingParameter   uint16 = 0x0207
	LoginSessionType        uint16 = 0x0209
	LoginNoSession          uint16 = 0x020a
	LoginInvalidRequest     uint16 = 0x020b
	LoginUnavailable        uint16 = 0x0301
	LoginOutOfResources     uint16 = 0x0302
)

// The flags in byte 1, by PDU.
const (
	FlagFinal       = 0x80 // most PDUs; T in a login
	FlagContinue    = 0x40 // text and login
	FlagRead        = 0x40 // SCSI Command
	FlagWrite       = 0x20
	FlagStatus      = 0x01 // Data-In: it carries the status
	FlagUnderflow   = 0x02 // Data-In with S, SCSI Response
	FlagOverflow    = 0x04
	FlagAcknowledge = 0x40 // Data-In
)

// AsyncLogout is the event of an Asynchronous Message that asks the initiator to log out (RFC 7143 11.9.1).
const AsyncLogout = 1

// The reasons and responses of a logout (RFC 7143 11.14.1, 11.15.1).
const (
	LogoutSession    = 0
	LogoutConnection = 1
	LogoutRecovery   = 2

	LogoutSuccess    = 0
	LogoutNoCID      = 1
	LogoutNoRecovery = 2
	LogoutFailed     = 3
)

// Pad is the number of bytes that fill a data segment up to a multiple of four.
func Pad(n int) int { return -n & 3 }

// SerialLess compares sequence numbers as RFC 1982 does: whether a comes before b.
func SerialLess(a, b uint32) bool { return int32(a-b) < 0 }

// TaskFunction is what a task management request asks (RFC 7143 11.5.1).
type TaskFunction byte

// The task management functions.
const (
	AbortTask        TaskFunction = 1
	AbortTaskSet     TaskFunction = 2
	ClearACA         TaskFunction = 3
	ClearTaskSet     TaskFunction = 4
	LogicalUnitReset TaskFunction = 5
	TargetWarmReset  TaskFunction = 6
	TargetColdReset  TaskFunction = 7
	TaskReassign     TaskFunction = 8
)

// The responses to them (RFC 7143 11.6.1).
const (
	TaskComplete      = 0
	TaskDoesNotExist  = 1
	TaskNoSuchUnit    = 2
	TaskNoReassign    = 4
	TaskNotSupported  = 5
	TaskFunctionError = 255
)

// Reasons of a Reject (RFC 7143 11.17.1).
const (
	RejectDataDigest    = 0x02
	RejectSNACK         = 0x03
	RejectProtocol      = 0x04
	RejectNotSupported  = 0x05
	RejectImmediate     = 0x06 // too many immediate commands
	RejectInvalidField  = 0x09
	RejectNegotiation   = 0x0b
	RejectWaitForLogout = 0x0c
)
