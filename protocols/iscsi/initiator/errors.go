package initiator

import (
	"errors"
	"fmt"
)

// How commands and sessions end, apart from SCSI status.
var (
	ErrOutcomeUnknown  = errors.New("no answer: whether it was executed is unknown")
	ErrNotSent         = errors.New("not sent")
	ErrAborted         = errors.New("aborted")
	ErrQueueFull       = errors.New("too many commands outstanding")
	ErrClosed          = errors.New("session closed")
	ErrLogoutRequested = errors.New("the target asked for a logout")
	ErrProtocol        = errors.New("iSCSI protocol error")
	ErrDigest          = errors.New("digest error")
	ErrTimeout         = errors.New("no sign of life from the target")
	ErrTargetFailure   = errors.New("target failure")
)

func protocolError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// LoginError is a login that the target refused (RFC 7143 11.13.5).
type LoginError struct{ Class, Detail byte }

func (e *LoginError) Error() string {
	text, ok := map[uint16]string{
		0x0200: "initiator error", 0x0201: "authentication failed", 0x0202: "this initiator may not use the target",
		0x0203: "there is no such target", 0x0204: "the target is gone", 0x0205: "protocol version not supported",
		0x0206: "too many connections", 0x0207: "parameter missing", 0x0208: "can't be in the session",
		0x0209: "session type not supported", 0x020a: "there is no such session", 0x020b: "invalid during login",
		0x0300: "target error", 0x0301: "service unavailable", 0x0302: "out of resources",
	}[uint16(e.Class)<<8|uint16(e.Detail)]
	if !ok {
		text = "unknown reason"
	}
	return fmt.Sprintf("login refused: %s (%02x%02xh)", text, e.Class, e.Detail)
}
