package nfstest

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"

	"forebay/protocols/nfs"
)

// names makes files, and returns their names with "." and "..", sorted.
func names(u User, dir nfs.Handle, n int) []string {
	list := []string{".", ".."}
	for i := range n {
		name := fmt.Sprintf("file-%03d", i)
		makeFile(u, dir, name)
		list = append(list, name)
	}
	return list
}

func listings(u User, dir nfs.Handle) {
	want := names(u, dir, 60)
	var got, plus []string
	var cookie uint64
	var v nfs.Verifier
	for eof := false; !eof; {
		r := u.ReadDir(dir, cookie, v, 1000)
		expect(u, "readdir", r.Status, nfs.OK)
		for _, e := range r.Entries {
			got, cookie = append(got, e.Name), e.Cookie
		}
		v, eof = r.Verifier, r.EOF
	}
	cookie, v = 0, nfs.Verifier{}
	for eof := false; !eof; {
		r := u.ReadDirPlus(dir, cookie, v, 1000, 4000)
		expect(u, "readdirplus", r.Status, nfs.OK)
		for _, e := range r.Entries {
			plus, cookie = append(plus, e.Name), e.Cookie
			checkEntry(u, dir, &e)
		}
		v, eof = r.Verifier, r.EOF
	}
	slices.Sort(got)
	slices.Sort(plus)
	if !slices.Equal(got, want) || !slices.Equal(plus, want) {
		u.Errorf("READDIR: %q\nREADDIRPLUS: %q\nwant %q", got, plus, want)
	}
}

// checkEntry checks what an entry says beside its name.
func checkEntry(u User, dir nfs.Handle, e *nfs.EntryPlus) {
	u.Helper()
	if isDots(e.Name) || !e.Handle.Follows {
		return
	}
	if l := u.Lookup(dir, e.Name); !bytes.Equal(l.Object, e.Handle.Value) || e.Attr.Follows && !reflect.DeepEqual(l.Attr, e.Attr) {
		u.Errorf("%+v\nlooked up: %+v", e, l)
	}
}

func listingCounts(u User, dir nfs.Handle) {
	names(u, dir, 30)
	r := u.ReadDir(dir, 0, nfs.Verifier{}, 500)
	if expect(u, "readdir", r.Status, nfs.OK); len(r.Entries) == 0 || len(r.Entries) > 16 || r.EOF {
		u.Errorf("%d entries in 500 bytes, EOF %t", len(r.Entries), r.EOF)
	}
	plus := u.ReadDirPlus(dir, 0, nfs.Verifier{}, 200, 100_000)
	if expect(u, "readdirplus", plus.Status, nfs.OK); len(plus.Entries) == 0 || len(plus.Entries) > 8 || plus.EOF {
		u.Errorf("%d entries in 200 bytes of directory information, EOF %t", len(plus.Entries), plus.EOF)
	}
	expect(u, "readdir in no bytes", u.ReadDir(dir, 0, nfs.Verifier{}, 16).Status, nfs.ErrTooSmall)
	expect(u, "readdirplus in no bytes", u.ReadDirPlus(dir, 0, nfs.Verifier{}, 16, 16).Status, nfs.ErrTooSmall)
}
