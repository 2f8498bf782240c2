package rpc

import (
	"errors"
	"fmt"

	"forebay/protocols/nfs/xdr"
)

// rpcVersion is the only one there is.
const rpcVersion = 2

// msg_type, reply_stat and reject_stat (RFC 5531 9).
const (
	msgCall  = 0
	msgReply = 1

	msgAccepted = 0
	msgDenied   = 1

	rpcMismatch = 0
	authError   = 1
)

// AcceptStatus is an accept_stat. As an error it is what an accepted call failed with; Success is none.
type AcceptStatus uint32

const (
	Success      AcceptStatus = 0
	ProgUnavail  AcceptStatus = 1 // there is no such program
	ProgMismatch AcceptStatus = 2 // there is, of other versions
	ProcUnavail  AcceptStatus = 3 // the version has no such procedure
	GarbageArgs  AcceptStatus = 4 // the arguments can't be decoded
	SystemErr    AcceptStatus = 5
)

var acceptNames = [...]string{"SUCCESS", "PROG_UNAVAIL", "PROG_MISMATCH", "PROC_UNAVAIL", "GARBAGE_ARGS", "SYSTEM_ERR"}

func (s AcceptStatus) Error() string {
	if int(s) < len(acceptNames) {
		return "RPC " + acceptNames[s]
	}
	return fmt.Sprintf("RPC accept status %d", uint32(s))
}

// AuthStatus is an auth_stat: why a call is denied.
type AuthStatus uint32

const (
	AuthOK           AuthStatus = 0
	AuthBadCred      AuthStatus = 1
	AuthRejectedCred AuthStatus = 2
	AuthTooWeak      AuthStatus = 5
)

func (s AuthStatus) Error() string { return fmt.Sprintf("RPC AUTH_ERROR %d", uint32(s)) }

// MismatchError says which versions there are. Of is ProgMismatch, or ErrRPCMismatch.
type MismatchError struct {
	Of        error
	Low, High uint32
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%v: versions %d to %d are served", e.Of, e.Low, e.High)
}

func (e *MismatchError) Unwrap() error { return e.Of }

var (
	// ErrRPCMismatch is a call of another version of RPC than 2, denied.
	ErrRPCMismatch = errors.New("RPC_MISMATCH")
	// ErrProtocol is a message that can't be one: the connection ends with it.
	ErrProtocol = errors.New("RPC protocol error")
)

// CallHeader is what stands in front of arguments.
type CallHeader struct {
	XID       uint32
	Program   uint32
	Version   uint32
	Procedure uint32
	Cred      Credentials
}

// Encode appends the header. The verifier is AUTH_NONE's.
func (h *CallHeader) Encode(e *xdr.Encoder) {
	e.Uint32(h.XID)
	e.Uint32(msgCall)
	e.Uint32(rpcVersion)
	e.Uint32(h.Program)
	e.Uint32(h.Version)
	e.Uint32(h.Procedure)
	h.Cred.encode(e)
	e.Uint32(uint32(AuthNone))
	e.Uint32(0)
}

// Decode reads the header; the arguments are what is left. It returns nil, or what to answer: a *MismatchError or an AuthStatus. Any
// other error is ErrProtocol: what came is no call, and there is nobody to answer.
func (h *CallHeader) Decode(d *xdr.Decoder) error {
	h.XID = d.Uint32()
	kind, version := d.Uint32(), d.Uint32()
	if d.Err() != nil || kind != msgCall {
		return fmt.Errorf("%w: no call", ErrProtocol)
	}
	if version != rpcVersion {
		return &MismatchError{Of: ErrRPCMismatch, Low: rpcVersion, High: rpcVersion}
	}
	h.Program, h.Version, h.Procedure = d.Uint32(), d.Uint32(), d.Uint32()
	h.Cred.decode(d)
	d.Uint32() // the verifier's flavor: AUTH_SYS has none
	d.Opaque(maxAuthBody)
	if d.Err() != nil {
		return headerError(d.Err())
	}
	return nil
}

func headerError(err error) error {
	var denied AuthStatus
	if errors.As(err, &denied) {
		return denied
	}
	return fmt.Errorf("%w: a call header: %w", ErrProtocol, err)
}

// replyHeader is the length of the header of a reply that succeeds, which the results follow.
const replyHeader = 24

// encodeReply appends the header of a reply. verdict is nil, or what Decode of a call or its program has to say: an AcceptStatus, an
// AuthStatus or a *MismatchError. Results follow only nil.
func encodeReply(e *xdr.Encoder, xid uint32, verdict error) {
	e.Uint32(xid)
	e.Uint32(msgReply)
	if verdict == nil {
		encodeAccepted(e, Success)
	} else {
		encodeVerdict(e, verdict)
	}
}

func encodeVerdict(e *xdr.Encoder, verdict error) {
	var (
		denied   AuthStatus
		accepted AcceptStatus
		mismatch *MismatchError
	)
	switch {
	case errors.As(verdict, &denied):
		e.Uint32(msgDenied)
		e.Uint32(authError)
		e.Uint32(uint32(denied))
	case errors.As(verdict, &mismatch):
		if errors.Is(mismatch.Of, ProgMismatch) {
			encodeAccepted(e, ProgMismatch)
		} else {
			e.Uint32(msgDenied)
			e.Uint32(rpcMismatch)
		}
		e.Uint32(mismatch.Low)
		e.Uint32(mismatch.High)
	case errors.As(verdict, &accepted):
		encodeAccepted(e, accepted)
	default:
		encodeAccepted(e, SystemErr)
	}
}

func encodeAccepted(e *xdr.Encoder, s AcceptStatus) {
	e.Uint32(msgAccepted)
	e.Uint32(uint32(AuthNone))
	e.Uint32(0)
	e.Uint32(uint32(s))
}

// decodeReply reads the header of a reply. verdict is as in encodeReply; results are what is left. err is ErrProtocol.
func decodeReply(d *xdr.Decoder) (xid uint32, verdict, err error) {
	xid = d.Uint32()
	if kind := d.Uint32(); d.Err() != nil || kind != msgReply {
		return xid, nil, fmt.Errorf("%w: no reply", ErrProtocol)
	}
	if d.Enum(msgDenied) == msgDenied {
		verdict = decodeDenied(d)
	} else {
		d.Uint32()
		d.Opaque(maxAuthBody)
		verdict = decodeAccepted(d)
	}
	if d.Err() != nil {
		return xid, nil, fmt.Errorf("%w: a reply header: %w", ErrProtocol, d.Err())
	}
	return xid, verdict, nil
}

func decodeDenied(d *xdr.Decoder) error {
	if d.Enum(authError) == authError {
		return AuthStatus(d.Uint32())
	}
	return &MismatchError{Of: ErrRPCMismatch, Low: d.Uint32(), High: d.Uint32()}
}

func decodeAccepted(d *xdr.Decoder) error {
	switch s := AcceptStatus(d.Enum(uint32(SystemErr))); s {
	case Success:
		return nil
	case ProgMismatch:
		return &MismatchError{Of: ProgMismatch, Low: d.Uint32(), High: d.Uint32()}
	default:
		return s
	}
}
