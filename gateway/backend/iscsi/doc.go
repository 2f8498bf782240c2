// Package iscsi makes a LUN of an array behind iSCSI a cachecore.Array that heals itself.
//
// A path (path.go) is one portal with a session that is kept logged in, always under the same ISID, so that a login reinstates what the
// last one left. Commands to the LUN go over one path, the best by ALUA (alua.go); the others stand by. An op (op.go) is one command of a
// caller, issued until the array's answer is final; a flight (gate.go) is one issue of it, from before it is sent until its outcome is accounted.
//
// States: recovering -> serving -> recovering ...; recovering for longer than Options.Patience, or for a reason that waiting won't mend, is
// away. While serving, ops fly. While recovering they wait in line. While away they fail at once with cachecore.ErrUnavailable. In the last two
// the keeper (keeper.go), one goroutine, takes the steps of restore.go until all have succeeded on one session: nothing is in flight; the
// medium is the one attached before (PROTOCOL D6) and not smaller; what is in doubt can no longer land (D2); the reservation is ours (D7);
// what was answered and may be lost has been written again (E1).
//
// A change is in doubt when it was sent and neither answered nor aborted: the array may execute it later, even behind a login that
// reinstates the session, until a LOGICAL UNIT RESET is answered. An era lasts until the array may have lost what its cache
// held: until the session in use ends or is left for another, or tells of a reset. A flush counts only in the era in which it was sent, and
// only once every flight that it may have overtaken is accounted: one of them may be the one that was told of the reset.
//
// What may never happen: a call returns success for a change that is not answered; an op flies while a change is in doubt; a flush is
// reported that covers less than what was answered before; an older change is written again over a newer one.
//
// Lock order: path.asking, held over I/O of the recovery; Array.telling, held while Options.Watch runs; Array.mu; retained.mu; the buffer pool's. Only
// the first two are held over I/O or a call out of the package.
package iscsi
