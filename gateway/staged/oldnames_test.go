package staged

import (
	"testing"

	"forebay/protocols/nfs"
)

// What comes with a CREATE that empties nothing, or a LINK, may be older than what has been carried of the file since.
func TestAnOldAnswerToAChangeOfNamesIsNotBelieved(t *testing.T) {
	for p, change := range map[nfs.Procedure]func(r *rig, h nfs.Handle) nfs.PostOpAttr{
		nfs.ProcCreate: func(r *rig, _ nfs.Handle) nfs.PostOpAttr {
			return r.root.CreateAs(nfs.CreateArgs{Where: nfs.DirOp{Dir: r.mem.Root(), Name: "a"}, Mode: nfs.Unchecked}).Attr
		},
		nfs.ProcLink: func(r *rig, h nfs.Handle) nfs.PostOpAttr { return r.root.Link(h, r.mem.Root(), "b").Attr },
	} {
		t.Run(p.String(), func(t *testing.T) {
			r := newRig(t, slow)
			h := r.mem.Put("a", []byte("old"))
			held, release := r.holdOne(p)
			answered := make(chan nfs.PostOpAttr)
			go func() { answered <- change(r, h) }()
			<-held
			r.write(h, 0, []byte("new content"))
			r.drain()
			release()
			if a := <-answered; a.Follows && a.Value.Size != 11 {
				t.Errorf("it shows %d bytes", a.Value.Size)
			}
			if c := r.root.Commit(h); c.Wcc.After.Value.Size != 11 {
				t.Errorf("%d bytes are shown of it then", c.Wcc.After.Value.Size)
			}
		})
	}
}
