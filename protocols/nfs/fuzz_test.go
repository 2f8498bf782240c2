package nfs

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzArgs decodes bytes as the arguments of a procedure. What is taken is the same message when it is sent on.
func FuzzArgs(f *testing.F) {
	f.Fuzz(func(t *testing.T, procedure byte, p []byte) {
		roundTrip(t, newArgs(Procedure(procedure)%Procedures), p)
	})
}

// FuzzResults is FuzzArgs for results.
func FuzzResults(f *testing.F) {
	f.Fuzz(func(t *testing.T, procedure byte, p []byte) {
		roundTrip(t, newResult(Procedure(procedure)%Procedures), p)
	})
}

func roundTrip(t *testing.T, m message, p []byte) {
	if m == nil || decode(m, p) != nil {
		return
	}
	wire := encode(m)
	again := reflect.New(reflect.TypeOf(m).Elem()).Interface().(message)
	if err := decode(again, wire); err != nil || !reflect.DeepEqual(again, m) {
		t.Errorf("%v\n%+v\nwas\n%+v", err, again, m)
	}
	if len(wire) != len(p) || !bytes.Equal(encode(again), wire) {
		t.Errorf("% x\nwas\n% x", wire, p)
	}
}
