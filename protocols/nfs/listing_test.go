package nfs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"forebay/protocols/nfs/xdr"
)

// A client's counts are kept to the byte, whatever the entries are, and the entries that are sent are the first ones.
func TestAListingStaysWithinTheClientsCounts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var names []string
		for i := range rapid.IntRange(0, 30).Draw(t, "entries") {
			names = append(names, fmt.Sprint(i)+strings.Repeat("x", rapid.IntRange(0, 60).Draw(t, "length")))
		}
		plus := rapid.Bool().Draw(t, "plus")
		dirCount, maxCount := rapid.Uint32Range(0, 1500).Draw(t, "dircount"), rapid.Uint32Range(0, 4000).Draw(t, "maxcount")
		dir := PostOpAttr{}
		if rapid.Bool().Draw(t, "attributes") {
			dir = Some(attr)
		}
		if !plus {
			dirCount = maxCount
		}
		e := xdr.NewEncoder([]byte("before"))
		l := StartListing(&e, &dir, verifier, dirCount, maxCount)
		sent := 0
		for i, name := range names {
			entry := EntryPlus{Entry: Entry{FileID: uint64(i), Name: name, Cookie: uint64(i)}, Attr: Some(attr), Handle: Some(Handle("handle"))}
			if plus && l.AddPlus(&entry) || !plus && l.Add(&entry.Entry) {
				if sent != i {
					t.Fatalf("entry %d is sent, %d before it were", i, sent)
				}
				sent++
			}
		}
		if !l.Finish(true) {
			if string(e.Bytes()) != "before" {
				t.Fatalf("something is left: %q", e.Bytes())
			}
			return
		}
		checkListing(t, e.Bytes()[len("before"):], plus, names, sent, dirCount, maxCount)
	})
}

func checkListing(t *rapid.T, p []byte, plus bool, names []string, sent int, dirCount, maxCount uint32) {
	if len(p)-4 > int(maxCount) {
		t.Fatalf("%d bytes, %d are allowed", len(p)-4, maxCount)
	}
	var entries []Entry
	var eof bool
	if plus {
		var r ReadDirPlusResult
		if err := decode(&r, p); err != nil {
			t.Fatal(err)
		}
		for _, n := range r.Entries {
			entries = append(entries, n.Entry)
		}
		eof = r.EOF
	} else {
		var r ReadDirResult
		if err := decode(&r, p); err != nil {
			t.Fatal(err)
		}
		entries, eof = r.Entries, r.EOF
	}
	directory := 0
	for i, n := range entries {
		if directory += 20 + len(n.Name) + xdr.Pad(len(n.Name)); n.Name != names[i] {
			t.Fatalf("entry %d is %q", i, n.Name)
		}
	}
	if len(entries) != sent || len(entries) == 0 && len(names) > 0 {
		t.Fatalf("%d entries, %d were added", len(entries), sent)
	}
	if len(entries) > 1 && directory > int(dirCount) {
		t.Fatalf("%d bytes of directory information, %d are wanted", directory, dirCount)
	}
	if eof != (sent == len(names)) {
		t.Fatalf("EOF %t with %d of %d entries", eof, sent, len(names))
	}
}

// The room is used: one byte less for the client means one entry less.
func TestAListingUsesTheRoomThereIs(t *testing.T) {
	list := func(count uint32) []byte {
		var e xdr.Encoder
		l := StartListing(&e, &PostOpAttr{}, verifier, count, count)
		l.Add(&Entry{1, "first", 1})
		l.Add(&Entry{2, "second", 2})
		if !l.Finish(true) {
			return nil
		}
		return e.Bytes()
	}
	both := encode(&ReadDirResult{Verifier: verifier, Entries: []Entry{{1, "first", 1}, {2, "second", 2}}, EOF: true})
	one := encode(&ReadDirResult{Verifier: verifier, Entries: []Entry{{1, "first", 1}}})
	room, less := uint32(len(both)-4), uint32(len(one)-4)
	if got := list(room); !bytes.Equal(got, both) {
		t.Errorf("with %d bytes: % x", room, got)
	}
	if got := list(room - 1); !bytes.Equal(got, one) {
		t.Errorf("with %d bytes: % x", room-1, got)
	}
	if got := list(less); !bytes.Equal(got, one) {
		t.Errorf("with %d bytes: % x", less, got)
	}
	if got := list(less - 1); got != nil {
		t.Errorf("with %d bytes: % x", less-1, got)
	}
}
