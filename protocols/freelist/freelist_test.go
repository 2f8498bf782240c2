package freelist

import "testing"

func TestWhatWasGivenIsTakenAgain(t *testing.T) {
	var l List[int]
	x, y := l.Take(), l.Take()
	if x == y {
		t.Error("taken twice")
	}
	l.Give(x)
	if z := l.Take(); z != x {
		t.Error("not what was given")
	}
}
