package nfs

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// A random message has values for all fields, also those that its status or mode leaves out; what arrives must encode to the same.
func TestRandomMessagesArriveAsTheyWereSent(t *testing.T) {
	check := func(name string, random *rapid.Generator[message]) {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			sent := random.Draw(t, "message")
			wire := encode(sent)
			came := reflect.New(reflect.TypeOf(sent).Elem()).Interface().(message)
			if err := decode(came, wire); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(encode(came), wire) {
				t.Fatalf("%+v", came)
			}
		}))
	}
	for p := ProcGetAttr; p < Procedures; p++ {
		check(p.String()+" args", randomMessage(newArgs, p))
		check(p.String()+" result", randomMessage(newResult, p))
	}
}

func randomMessage(fresh func(Procedure) message, p Procedure) *rapid.Generator[message] {
	return rapid.Custom(func(t *rapid.T) message {
		m := fresh(p)
		fill(t, reflect.ValueOf(m).Elem())
		agree(m)
		return m
	})
}

// fill gives each field a value that the wire can carry.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case Status:
		v.SetUint(uint64(rapid.SampledFrom([]Status{OK, OK, OK, ErrIO, ErrStale, 99}).Draw(t, "status")))
		return
	case FileType:
		v.SetUint(uint64(rapid.IntRange(1, 7).Draw(t, "type")))
		return
	case Stable, CreateMode, TimeHow:
		v.SetUint(uint64(rapid.IntRange(0, 2).Draw(t, "enum")))
		return
	case Handle:
		v.SetBytes(rapid.SliceOfN(rapid.Byte(), 0, MaxHandle).Draw(t, "handle"))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(t, v.Index(i))
		}
	case reflect.String:
		v.SetString(rapid.StringN(0, -1, MaxName).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	default:
		v.SetUint(rapid.Uint64().Draw(t, "number") >> (64 - v.Type().Bits()))
	}
}

// agree makes what the wire says twice the same.
func agree(m message) {
	if r, ok := m.(*ReadResult); ok {
		r.Count = uint32(len(r.Data))
	}
}
