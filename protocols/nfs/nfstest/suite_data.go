package nfstest

import (
	"bytes"

	"forebay/protocols/nfs"
)

func dataIsRead(u User, dir nfs.Handle) {
	f, p := makeFile(u, dir, "f"), pattern(200_001)
	writeAll(u, f, 0, p)
	if !bytes.Equal(readAll(u, f), p) {
		u.Error("the file is not what was written")
	}
	writeAll(u, f, 4095, []byte("over a page"))
	copy(p[4095:], "over a page")
	if r := u.Read(f, 4000, 200); r.Status != nfs.OK || !bytes.Equal(r.Data, p[4000:4200]) || r.EOF || r.Count != 200 {
		u.Errorf("%+v", r)
	}
	if r := u.Read(f, 200_000, 200); r.Status != nfs.OK || !bytes.Equal(r.Data, p[200_000:]) || !r.EOF {
		u.Errorf("at the end: %+v", r)
	}
	if r := u.Read(f, 1<<30, 200); r.Status != nfs.OK || r.Count != 0 || !r.EOF {
		u.Errorf("behind the end: %+v", r)
	}
	w := u.Write(f, 0, nfs.Unstable, []byte("unstable"))
	expect(u, "write", w.Status, nfs.OK)
	c := u.Commit(f)
	if expect(u, "commit", c.Status, nfs.OK); c.Verifier != w.Verifier {
		u.Errorf("COMMIT has verifier %x, WRITE %x", c.Verifier, w.Verifier)
	}
	expect(u, "read a directory", u.Read(dir, 0, 1).Status, nfs.ErrIsDir)
}

func holesAreZeros(u User, dir nfs.Handle) {
	f := makeFile(u, dir, "f")
	writeAll(u, f, 1<<20+5, []byte("end"))
	if a := attrOf(u, f); a.Size != 1<<20+8 {
		u.Errorf("size %d", a.Size)
	}
	p := readAll(u, f)
	if !bytes.Equal(p, append(make([]byte, 1<<20+5), "end"...)) {
		u.Error("the hole is not zeros")
	}
}

func cutFiles(u User, dir nfs.Handle) {
	f := makeFile(u, dir, "f")
	writeAll(u, f, 0, pattern(10_000))
	expect(u, "cut", u.Truncate(f, 5000).Status, nfs.OK)
	if !bytes.Equal(readAll(u, f), pattern(5000)) {
		u.Error("it is not cut")
	}
	expect(u, "grow", u.Truncate(f, 9000).Status, nfs.OK)
	if !bytes.Equal(readAll(u, f), append(pattern(5000), make([]byte, 4000)...)) {
		u.Error("it doesn't grow by zeros")
	}
	size := nfs.SetAttr{Size: nfs.Some[uint64](0)}
	expect(u, "create over it", u.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: dir, Name: "f"}, Attr: size}).Status, nfs.OK)
	if p := readAll(u, f); len(p) != 0 {
		u.Errorf("%d bytes are left", len(p))
	}
}
