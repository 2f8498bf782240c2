package iscsi

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

func check(key, asc, ascq byte) error {
	return &initiator.StatusError{Status: initiator.StatusCheckCondition, Key: key, ASC: asc, ASCQ: ascq}
}

func TestEveryEndOfACommandHasItsMeaning(t *testing.T) {
	lost := fmt.Errorf("%w: %w", initiator.ErrOutcomeUnknown, initiator.ErrTimeout)
	unsent := fmt.Errorf("%w: %w", initiator.ErrNotSent, initiator.ErrTimeout)
	dropped := fmt.Errorf("%w: %w", initiator.ErrNotSent, initiator.ErrAborted)
	for name, c := range map[string]struct {
		err error
		do  action
		is  error // what the caller is told
	}{
		"good":                 {nil, settle, nil},
		"not sent":             {unsent, repair, nil},
		"dropped from queue":   {dropped, repair, nil},
		"lost":                 {lost, repair, nil},
		"target failure":       {initiator.ErrTargetFailure, repair, nil},
		"aborted":              {initiator.ErrAborted, again, nil},
		"power on":             {check(6, 0x29, 0), reset, nil},
		"nexus loss":           {check(6, 0x29, 7), reset, nil},
		"capacity changed":     {check(6, 0x2a, 9), measure, nil},
		"inquiry changed":      {check(6, 0x3f, 3), identify, nil},
		"LUNs changed":         {check(6, 0x3f, 0x0e), identify, nil},
		"access changed":       {check(6, 0x2a, 6), repath, nil},
		"registration gone":    {check(6, 0x2a, 5), conflict, nil},
		"mode changed":         {check(6, 0x2a, 1), measure, nil},
		"microcode changed":    {check(6, 0x3f, 1), again, nil},
		"standby":              {check(2, 4, 0x0b), repath, nil},
		"becoming ready":       {check(2, 4, 1), unready, nil},
		"aborted command":      {check(0xb, 0, 0), retry, nil},
		"BUSY":                 {&initiator.StatusError{Status: initiator.StatusBusy}, busy, nil},
		"TASK SET FULL":        {&initiator.StatusError{Status: initiator.StatusTaskSetFull}, busy, nil},
		"TASK ABORTED":         {&initiator.StatusError{Status: initiator.StatusTaskAborted}, retry, nil},
		"RESERVATION CONFLICT": {&initiator.StatusError{Status: initiator.StatusReservationConflict}, conflict, nil},
		"unknown opcode":       {check(5, 0x20, 0), refuse, cachecore.ErrUnsupported},
		"beyond the end":       {check(5, 0x21, 0), refuse, cachecore.ErrOutOfRange},
		"no space":             {check(7, 0x27, 7), refuse, cachecore.ErrNoSpace},
		"write protected":      {check(7, 0x27, 0), refuse, cachecore.ErrReadOnly},
		"medium error":         {check(3, 0x11, 0), refuse, check(3, 0x11, 0)},
	} {
		v := judge(t.Context(), c.err, true)
		if v.do != c.do {
			t.Errorf("%s: action %d, want %d", name, v.do, c.do)
		}
		if c.is == nil && v.err != nil || c.is != nil && !errors.Is(v.err, c.is) && v.err.Error() != c.is.Error() {
			t.Errorf("%s: the caller is told %v", name, v.err)
		}
	}
}

func TestD2_OnlyAChangeThatWasSentAndNotAbortedIsInDoubt(t *testing.T) {
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, ctx := range []context.Context{t.Context(), over} {
		for _, c := range []struct {
			err              error
			changes, inDoubt bool
		}{
			{initiator.ErrOutcomeUnknown, true, true},
			{initiator.ErrTargetFailure, true, true},
			{initiator.ErrProtocol, true, true},
			{initiator.ErrOutcomeUnknown, false, false},
			{initiator.ErrNotSent, true, false},
			{initiator.ErrAborted, true, false},
		} {
			if v := judge(ctx, c.err, c.changes); v.inDoubt != c.inDoubt {
				t.Errorf("%v, changes %v: in doubt %v", c.err, c.changes, v.inDoubt)
			}
		}
	}
}

func TestE3_AGivenUpChangeHasUnknownOutcomeUnlessItWasNotSent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for err, unknown := range map[error]bool{initiator.ErrAborted: true, initiator.ErrOutcomeUnknown: true, initiator.ErrNotSent: false} {
		v := judge(ctx, err, true)
		if v.do != giveUp || !errors.Is(v.err, context.Canceled) || errors.Is(v.err, cachecore.ErrUnknownOutcome) != unknown {
			t.Errorf("%v: %+v", err, v)
		}
	}
}
