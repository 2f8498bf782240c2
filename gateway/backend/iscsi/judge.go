package iscsi

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// action is what is to be done about the end of a command.
type action int

const (
	settle   action = iota // GOOD
	again                  // it was not executed: issue it again
	retry                  // it was given up by the array: issue it again, a few times
	busy                   // the array has too much to do: issue it again after a pause, with a smaller window
	unready                // issue it again after a pause, for as long as the array's absence is bridged
	repair                 // its session is no longer trusted: issue it again after recovery
	reset                  // the array was reset, or tells of an earlier command: what it answered may be lost (PROTOCOL E1). Issue it again after recovery
	measure                // read capacity and caching again, then issue it again
	identify               // verify the identity again (PROTOCOL D6), then issue it again
	repath                 // read the port groups again, then issue it again
	conflict               // verify the reservation (PROTOCOL D7), then issue it again
	giveUp                 // its caller did
	refuse                 // the array's answer is final
)

// verdict is the judgement of one end.
type verdict struct {
	do  action
	err error // of giveUp and refuse: what the caller is told
	// inDoubt: the array may yet execute it, until a LOGICAL UNIT RESET is answered on a new session (PROTOCOL D2).
	inDoubt bool
	unsent  bool
	maybe   bool // it changes the medium, and may have been executed, in whole or in part
}

// sense is a sense key with its additional sense code and qualifier.
type sense struct{ key, asc, ascq byte }

// Of all other codes of these keys the key decides.
var verdicts = map[sense]verdict{
	{2, 0x04, 0x0a}: {do: repath}, // asymmetric access state transition
	{2, 0x04, 0x0b}: {do: repath}, // target port in standby state
	{2, 0x04, 0x0c}: {do: repath}, // target port in unavailable state
	{5, 0x20, 0x00}: {do: refuse, err: cachecore.ErrUnsupported},
	{5, 0x24, 0x00}: {do: refuse, err: cachecore.ErrUnsupported},
	{5, 0x21, 0x00}: {do: refuse, err: cachecore.ErrOutOfRange},
	{6, 0x2a, 0x01}: {do: measure}, // mode parameters changed: the write cache among them
	{6, 0x2a, 0x06}: {do: repath},  // asymmetric access state changed
	{6, 0x2a, 0x09}: {do: measure},
	{6, 0x2a, 0x03}: {do: conflict}, // reservations preempted
	{6, 0x2a, 0x04}: {do: conflict}, // reservations released
	{6, 0x2a, 0x05}: {do: conflict}, // registrations preempted
	{6, 0x3f, 0x03}: {do: identify}, // inquiry data changed
	{6, 0x3f, 0x0e}: {do: identify}, // reported LUNs data changed
	{7, 0x27, 0x00}: {do: refuse, err: cachecore.ErrReadOnly},
	{7, 0x27, 0x07}: {do: refuse, err: cachecore.ErrNoSpace},
}

const ascReset = 0x29 // power on, reset, or bus device reset occurred

// judge says what an end of Session.Do means. changes: the command changes the medium. ctx is the caller's.
func judge(ctx context.Context, err error, changes bool) verdict {
	var status *initiator.StatusError
	switch {
	case err == nil:
		return verdict{do: settle}
	case errors.As(err, &status):
		v := judgeStatus(status)
		v.maybe = v.maybe && changes
		return v
	case errors.Is(err, errShort):
		return verdict{do: refuse, err: err, maybe: changes}
	}
	unsent := errors.Is(err, initiator.ErrNotSent)
	aborted := errors.Is(err, initiator.ErrAborted)
	v := verdict{do: repair, inDoubt: changes && !unsent && !aborted, unsent: unsent, maybe: changes && !unsent}
	switch {
	case ctx.Err() != nil:
		v.do, v.err = giveUp, fmt.Errorf("%w: %w", ctx.Err(), err)
		if v.maybe {
			v.err = fmt.Errorf("%w: %w", cachecore.ErrUnknownOutcome, v.err)
		}
	case aborted && !unsent: // by a reset of ours, or with its task set
		v.do = again
	}
	return v
}

func judgeStatus(e *initiator.StatusError) verdict {
	switch e.Status {
	case initiator.StatusBusy, initiator.StatusTaskSetFull:
		return verdict{do: busy}
	case initiator.StatusReservationConflict:
		return verdict{do: conflict}
	case initiator.StatusTaskAborted:
		return verdict{do: retry, maybe: true}
	case initiator.StatusCheckCondition:
		return judgeSense(e)
	}
	return verdict{do: refuse, err: e, maybe: true}
}

func judgeSense(e *initiator.StatusError) verdict {
	v, known := verdicts[sense{e.Key, e.ASC, e.ASCQ}]
	switch {
	case e.Deferred: // what was answered before has failed: the array will not have it, however often it is flushed (PROTOCOL E1)
		return verdict{do: reset}
	case known && v.err != nil:
		v.err = fmt.Errorf("%w: %w", v.err, e)
		return v
	case known:
		return v
	case e.Key == initiator.SenseUnitAttention && e.ASC == ascReset:
		return verdict{do: reset}
	case e.Key == initiator.SenseUnitAttention:
		return verdict{do: again}
	case e.Key == initiator.SenseNotReady:
		return verdict{do: unready}
	case e.Key == initiator.SenseAborted:
		return verdict{do: retry, maybe: true}
	}
	return verdict{do: refuse, err: e, maybe: true}
}
