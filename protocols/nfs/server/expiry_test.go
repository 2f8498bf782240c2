package server

import (
	"testing"
	"time"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/nfstest"
)

// Time counts while there is a server to be asked.
func TestWhatEarlierLivesHaveLeftExpires(t *testing.T) {
	l := newLives(t)
	dir, f := l.fill()
	mkdir := func(name string) nfs.Message { return &nfs.MkdirArgs{Where: nfs.DirOp{Dir: dir, Name: name}} }
	remove := nfstest.Sample(nfs.ProcRemove, dir, f)
	expect(t, "REMOVE", l.status(here, 1, nfs.ProcRemove, remove), nfs.OK)
	l.killedIn(nfstest.After, 2, nfs.ProcMkdir, mkdir("early"))
	l.killedIn(nfstest.After, 3, nfs.ProcMkdir, mkdir("late"))
	l.clock.pass(48 * time.Hour)
	l.kill()
	l.clock.pass(maxAge)
	expect(t, "REMOVE, in time", l.status(here, 1, nfs.ProcRemove, remove), nfs.OK)
	expect(t, "MKDIR, in time", l.status(here, 2, nfs.ProcMkdir, mkdir("early")), nfs.OK)
	l.clock.pass(1)
	expect(t, "REMOVE, late", l.status(here, 1, nfs.ProcRemove, remove), nfs.ErrNoEnt)
	l.kill()
	expect(t, "MKDIR, late, and a life later", l.status(here, 3, nfs.ProcMkdir, mkdir("late")), nfs.ErrExist)
}

// An XID comes again one day: the call that has it then is another one.
func TestAnIntentIsLaterThanTheOutcomeBeforeIt(t *testing.T) {
	d := newDuplicates((&clock{now: time.Unix(2e9, 0)}).Now)
	d.restore([]Record{{Step: Intent, ID: idOf(1)}, {Step: Outcome, ID: idOf(1)}, {Step: Intent, ID: idOf(1)}})
	if a, mine, _ := d.begin(idOf(1)); !mine || a.doubted == nil {
		t.Error("the old answer is given")
	}
}

// What the last life had forgotten when it ended isn't known in the next one.
func TestWhatWasOldAtTheEndOfTheLastLifeIsForgotten(t *testing.T) {
	d := newDuplicates((&clock{now: time.Unix(2e9, 0)}).Now)
	at := time.Unix(1e9, 0)
	d.restore([]Record{{Step: Outcome, ID: idOf(1), At: at}, {Step: Outcome, ID: idOf(2), At: at.Add(1)}, {Step: Void, ID: idOf(3), At: at.Add(maxAge + 1)}})
	if answered(d, 1) || !answered(d, 2) || answered(d, 3) {
		t.Error("the wrong ones are known")
	}
}

// A clock that was an hour ahead for a while makes nothing old that was not.
func TestH2_WhatWasAnsweredBeforeAndAfterTheClockWasSetBackIsKnownInTheNextLife(t *testing.T) {
	at := time.Unix(2e9, 0)
	list := []Record{{Step: Outcome, ID: idOf(1), At: at}, {Step: Outcome, ID: idOf(2), At: at.Add(time.Hour)}, {Step: Outcome, ID: idOf(3), At: at.Add(1)}}
	for end := 1; end <= len(list); end++ { // it is set back after the restart, if not before
		d := newDuplicates((&clock{now: at.Add(time.Minute)}).Now)
		d.restore(list[:end])
		for i := range end {
			if !answered(d, i+1) {
				t.Errorf("of %d records the %d. is forgotten", end, i+1)
			}
		}
	}
}

func TestCallsInDoubtAreBounded(t *testing.T) {
	var l doubts
	for i := range maxDoubts + 1 {
		l.add(doubt{id: idOf(i)})
	}
	if len(l) != maxDoubts || l.claim(idOf(0)) != nil || l.claim(idOf(1)) == nil || l.claim(idOf(1)) != nil {
		t.Errorf("%d calls", len(l))
	}
}
