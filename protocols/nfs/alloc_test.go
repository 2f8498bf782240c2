package nfs

import (
	"testing"

	"forebay/protocols/nfs/xdr"
)

func TestTheHotProceduresAllocateNothing(t *testing.T) {
	buf := make([]byte, 0, 8192)
	data := make([]byte, 4096)
	post := Some(attr)
	getattr, read := words("handle"), words("handle", uint64(4096), 4096)
	write := encode(&WriteArgs{File: Handle("handle"), Stable: FileSync, Data: data})
	got := words(0, attrWire)
	readResult := encode(&ReadResult{Attr: post, Count: 4096, Data: data})
	writeResult, commitResult := words(0, wccWire, 5, 2, verf), words(0, wccWire, verf)
	for name, f := range map[string]func() error{
		"GETATTR at a server": func() error {
			var a HandleArgs
			d := xdr.NewDecoder(getattr)
			a.Decode(&d)
			e := xdr.NewEncoder(buf)
			(&GetAttrResult{Attr: attr}).Encode(&e)
			return d.Err()
		},
		"READ at a server": func() error {
			var a ReadArgs
			d := xdr.NewDecoder(read)
			a.Decode(&d)
			e := xdr.NewEncoder(buf)
			(&ReadResult{Attr: post, Count: a.Count}).EncodeHead(&e)
			return d.Err()
		},
		"WRITE at a server": func() error {
			var a WriteArgs
			d := xdr.NewDecoder(write)
			a.Decode(&d)
			e := xdr.NewEncoder(buf)
			(&WriteResult{Wcc: wcc, Count: uint32(len(a.Data)), Committed: a.Stable, Verifier: verifier}).Encode(&e)
			return d.Err()
		},
		"COMMIT at a server": func() error {
			var a CommitArgs
			d := xdr.NewDecoder(read)
			a.Decode(&d)
			e := xdr.NewEncoder(buf)
			(&CommitResult{Wcc: wcc, Verifier: verifier}).Encode(&e)
			return d.Err()
		},
		"GETATTR at a client": func() error {
			e := xdr.NewEncoder(buf)
			(&HandleArgs{Handle("handle")}).Encode(&e)
			var r GetAttrResult
			d := xdr.NewDecoder(got)
			r.Decode(&d)
			return d.Err()
		},
		"READ at a client": func() error {
			e := xdr.NewEncoder(buf)
			(&ReadArgs{File: Handle("handle"), Count: 4096}).Encode(&e)
			var r ReadResult
			d := xdr.NewDecoder(readResult)
			r.Decode(&d)
			return d.Err()
		},
		"WRITE at a client": func() error {
			e := xdr.NewEncoder(buf)
			(&WriteArgs{File: Handle("handle")}).EncodeHead(&e, len(data))
			var r WriteResult
			d := xdr.NewDecoder(writeResult)
			r.Decode(&d)
			return d.Err()
		},
		"COMMIT at a client": func() error {
			e := xdr.NewEncoder(buf)
			(&CommitArgs{File: Handle("handle")}).Encode(&e)
			var r CommitResult
			d := xdr.NewDecoder(commitResult)
			r.Decode(&d)
			return d.Err()
		},
	} {
		if err := f(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := testing.AllocsPerRun(100, func() { _ = f() }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkReadAtAServer(b *testing.B) {
	buf, call, post := make([]byte, 0, 256), words("a handle of 28 bytes, about.", uint64(4096), 4096), Some(attr)
	b.ReportAllocs()
	for b.Loop() {
		var a ReadArgs
		d := xdr.NewDecoder(call)
		a.Decode(&d)
		e := xdr.NewEncoder(buf)
		(&ReadResult{Attr: post, Count: a.Count}).EncodeHead(&e)
	}
}

func BenchmarkWriteAtAServer(b *testing.B) {
	buf, call := make([]byte, 0, 256), encode(&WriteArgs{File: Handle("a handle of 28 bytes, about."), Data: make([]byte, 64<<10)})
	b.ReportAllocs()
	for b.Loop() {
		var a WriteArgs
		d := xdr.NewDecoder(call)
		a.Decode(&d)
		e := xdr.NewEncoder(buf)
		(&WriteResult{Wcc: wcc, Count: uint32(len(a.Data)), Committed: FileSync, Verifier: verifier}).Encode(&e)
	}
}
