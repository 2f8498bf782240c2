package bench

import (
	"bytes"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"forebay/protocols/iscsi/initiator/initiatortest"
	"forebay/protocols/nfs"
	"forebay/protocols/nfs/mount"
	"forebay/protocols/nfs/portmap"
	"forebay/protocols/nfs/rpc"
)

func fileOptions(f *filer) Options {
	return Options{Target: Endpoint{URL: f.url()}, Random: true, Read: 50, Depth: 4, Duration: 100 * time.Millisecond}
}

func TestLoadOnAFileIsReported(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"4 KiB":                 func(*Options) {},
		"more than a call":      func(o *Options) { o.BlockSize, o.Depth = 3*filerMax+512, 3 },
		"sequential, warmed up": func(o *Options) { o.Random, o.WarmUp, o.Sessions, o.BlockSize = false, true, 3, 64<<10 },
		"odd blocks":            func(o *Options) { o.BlockSize = 512 * 3 },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiler(t, testSize)
			o := fileOptions(f)
			change(&o)
			r := ran(t, o, mixed)
			if r.Operations == 0 || !mixed(r) || r.All.P50 <= 0 {
				t.Fatalf("%+v", r)
			}
			if r.Target != "nfs://127.0.0.1:"+f.port+filerFile {
				t.Errorf("the target is named %s", r.Target)
			}
		})
	}
}

func TestAComparisonMayMixProtocols(t *testing.T) {
	o := fileOptions(newFiler(t, testSize))
	o.Versus, o.Rounds, o.WarmUp = &Endpoint{URL: initiatortest.New(t, testSize).URL()}, 2, true
	r := ran(t, o, func(r Report) bool { return r.Versus.IOPSRatio > 0 })
	if r.Operations == 0 || r.Versus.Operations == 0 || r.Versus.IOPSRatio <= 0 || !strings.HasPrefix(r.Versus.Target, "iscsi://") {
		t.Errorf("%+v", r)
	}
}

// A load writes the same data again and again: a slot's.
func TestALoadTransfersWhatItSays(t *testing.T) {
	const block = filerMax + 1024 // two calls
	o := Options{Depth: 1, Seed: 7, BlockSize: block, Offset: 512, WorkingSet: 4 * block, Duration: 100 * time.Millisecond}
	f := newFiler(t, testSize)
	o.Target.URL = f.url()
	for calls := 0; calls < 8; o.Duration *= 2 { // on a busy machine a run may end before the working set does
		before := f.count(nfs.ProcWrite)
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		calls = f.count(nfs.ProcWrite) - before
	}
	data := make([]byte, block)
	fillRandom(data, newPattern(o, 4, 0, nil).rng)
	f.change(func(p []byte) {
		if !bytes.Equal(p[512:][:4*block], bytes.Repeat(data, 4)) || !bytes.Equal(p[:512], make([]byte, 512)) || p[512+4*block] != 0 {
			t.Error("the working set has not been written as it should")
		}
	})
	var mu sync.Mutex
	var got []nfs.ReadArgs
	f.intercept(func(_ nfs.Procedure, a, _ nfs.Message) bool {
		mu.Lock()
		defer mu.Unlock()
		if r, ok := a.(*nfs.ReadArgs); ok {
			got = append(got, nfs.ReadArgs{Offset: r.Offset, Count: r.Count})
		}
		return true
	})
	o.Read = 100
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for i, r := range got {
		at := uint64(512 + i/2%4*block)
		if i%2 == 0 && (r.Offset != at || r.Count != filerMax) || i%2 == 1 && (r.Offset != at+filerMax || r.Count != 1024) {
			t.Fatalf("read %d is of %d bytes at %d", i, r.Count, r.Offset)
		}
	}
}

func TestReadsLeaveTheFileAlone(t *testing.T) {
	f := newFiler(t, testSize)
	o := fileOptions(f)
	o.Read, o.WarmUp = 100, true
	if _, err := Run(t.Context(), o); err != nil || f.count(nfs.ProcWrite) > 0 {
		t.Errorf("%d writes, %v", f.count(nfs.ProcWrite), err)
	}
}

func TestWritesAskForTheDurabilityThatIsWanted(t *testing.T) {
	for _, how := range []nfs.Stable{nfs.Unstable, nfs.DataSync, nfs.FileSync} {
		for _, verify := range []bool{false, true} {
			f := newFiler(t, testSize)
			var wrong, writes atomic.Int32
			f.intercept(func(_ nfs.Procedure, a, _ nfs.Message) bool {
				if w, ok := a.(*nfs.WriteArgs); ok {
					writes.Add(1)
					if w.Stable != how {
						wrong.Add(1)
					}
				}
				return true
			})
			o := fileOptions(f)
			o.Stable, o.Verify = how, verify
			ran(t, o, func(Report) bool { return writes.Load() > 0 })
			if wrong.Load() > 0 || writes.Load() == 0 {
				t.Errorf("%d: %d of %d writes ask for something else", how, wrong.Load(), writes.Load())
			}
		}
	}
}

func TestCallsAreMadeAsTheUserInTheURL(t *testing.T) {
	for query, want := range map[string][2]uint32{"": {0, 0}, "&uid=1000&gid=2000": {1000, 2000}} {
		f := newFiler(t, testSize)
		o := fileOptions(f)
		o.Target.URL += query
		if _, err := Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, c := range f.callers {
			if c.UID != want[0] || c.GID != want[1] {
				t.Fatalf("called as %d and %d, not %v", c.UID, c.GID, want)
			}
		}
	}
}

func TestThePortMapperIsAskedForMOUNT(t *testing.T) {
	f := newFiler(t, testSize)
	o := fileOptions(f)
	o.Target.URL = "nfs://127.0.0.1:" + f.port + filerFile + "?mount-port=0&portmap-port=" + f.port
	if r, err := Run(t.Context(), o); err != nil || r.Operations == 0 {
		t.Errorf("%d operations, %v", r.Operations, err)
	}
}

func TestAFileIsMadeAsTheWorkingSetNeedsIt(t *testing.T) {
	for name, c := range map[string]struct{ has, want int }{"there is none": {0, 65 << 10}, "too small": {4096, 65 << 10}, "large enough": {testSize, testSize}} {
		t.Run(name, func(t *testing.T) {
			f := newFiler(t, c.has)
			o := fileOptions(f)
			o.Create, o.Offset, o.WorkingSet = true, 1024, 64<<10
			if r, err := Run(t.Context(), o); err != nil || r.Operations == 0 {
				t.Fatalf("%d operations, %v", r.Operations, err)
			}
			f.change(func(p []byte) {
				if len(p) != c.want {
					t.Errorf("the file has %d bytes, not %d", len(p), c.want)
				}
			})
		})
	}
}

func TestErrorsOfAFileAreOneClearLine(t *testing.T) {
	f := newFiler(t, testSize)
	f.change(func([]byte) {
		f.links = map[string]nfs.FileType{"/export/link": nfs.SymbolicLink, "/export/folder": nfs.Directory}
	})
	none := newFiler(t, 0)
	base, args := "nfs://127.0.0.1:"+f.port, "?mount-port="+f.port
	failing := newFiler(t, testSize)
	failing.intercept(func(p nfs.Procedure, _, r nfs.Message) bool {
		if p == nfs.ProcRead {
			*nfs.StatusOf(r) = nfs.ErrIO
		}
		return p != nfs.ProcRead
	})
	closed := newFiler(t, testSize)
	closed.refuses = map[string]mount.Status{filerExport: mount.ErrAcces}
	for want, change := range map[string]func(o *Options){
		"MNT /export: MNT3ERR_ACCES":  func(o *Options) { o.Target.URL = closed.url() },
		"knows no MOUNT version 3":    func(o *Options) { o.Target.URL = "nfs://127.0.0.1/export/a?mount-port=0&portmap-port=" + portMapper(t) },
		"want iscsi:// or nfs://":     func(o *Options) { o.Target.URL = "http://127.0.0.1/a" },
		"connect: connection refused": func(o *Options) { o.Target.URL = "nfs://127.0.0.1:1/export/a" + args },
		"MNT /export/vms: dial":       func(o *Options) { o.Target.URL = base + "/export/vms/disk.img?mount-port=1" },
		"in no export that can be":    func(o *Options) { o.Target.URL = base + "/elsewhere/disk.img" + args },
		"there is no such file":       func(o *Options) { o.Target.URL = none.url() },
		"LOOKUP: NFS3ERR_NOENT":       func(o *Options) { o.Target.URL = base + "/export/none/disk.img" + args },
		"symbolic link":               func(o *Options) { o.Target.URL = base + "/export/link/disk.img" + args },
		"no regular file":             func(o *Options) { o.Target.URL = base + "/export/folder" + args },
		"1536 at 0 does not fit; crea": func(o *Options) {
			o.Target.URL, o.WorkingSet = none.url(), 1536
			none.change(func([]byte) { none.content = make([]byte, 1024) })
		},
		"at 0: NFS3ERR_IO":           func(o *Options) { o.Target.URL, o.Read, o.WorkingSet = failing.url(), 100, 4096 },
		"create needs a working-set": func(o *Options) { o.Create = true },
		"digests go with iSCSI":      func(o *Options) { o.Digests = true },
		"stable goes with NFS":       func(o *Options) { o.Target.URL, o.Stable = "iscsi://127.0.0.1:1/iqn.a/0", nfs.FileSync },
		"create goes with NFS":       func(o *Options) { o.Target.URL, o.Create, o.WorkingSet = "iscsi://127.0.0.1:1/iqn.a/0", true, 512 },
	} {
		t.Run(want, func(t *testing.T) {
			o := fileOptions(f)
			none.change(func([]byte) { none.content = nil })
			change(&o)
			_, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// portMapper serves a port mapper that knows nothing.
func portMapper(t *testing.T) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := rpc.NewServer(rpc.ServerOptions{Programs: []rpc.Program{portmap.Server{}}})
	serve(t, server, l)
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestNFSURLs(t *testing.T) {
	u, err := parseNFSURL("nfs://[::1]:3049/a/b%20c?mount-port=0&portmap-port=1111&uid=1&gid=4294967295")
	want := nfsURL{host: "::1", port: 3049, portmapPort: 1111, path: "/a/b c", uid: 1, gid: 1<<32 - 1}
	if err != nil || u != want || u.String() != "nfs://[::1]:3049/a/b c" {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := parseNFSURL("nfs://h/x//y/../f"); err != nil || u.port != 2049 || u.mountPort != 20048 || u.portmapPort != 111 || u.path != "/x/f" {
		t.Errorf("%+v, %v", u, err)
	}
	for _, s := range []string{"nfs:", "nfs://", "nfs://h", "nfs://h/", "nfs://h/a/", "nfs:///a/b", "nfs://h:0/a", "nfs://h:x/a", "nfs://h:70000/a", "nfs://u@h/a",
		"nfs://h/a?x=1", "nfs://h/a?uid=-1", "nfs://h/a?mount-port=65536", "nfs://h/a#b", "http://h/a"} {
		if u, err := parseNFSURL(s); err == nil {
			t.Errorf("%s is taken for %+v", s, u)
		}
	}
}

func TestVerifyFindsNothingWhereAFilerIsRight(t *testing.T) {
	for name, change := range map[string]func(o *Options){
		"shared":     func(o *Options) { o.Shared = true },
		"parts":      func(*Options) {},
		"fixed size": func(o *Options) { o.Shared, o.BlockSize = true, 2*filerMax },
		"somewhere":  func(o *Options) { o.Shared, o.Offset, o.WorkingSet = true, 100*512, 65*512 },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiler(t, testSize)
			o := fileOptions(f)
			o.Verify, o.Sessions = true, 4
			change(&o)
			if r := ran(t, o, verified); r.Verify.Wrong != 0 || !verified(r) || r.Reconnects != 0 {
				t.Errorf("%+v", r.Verify)
			}
			if f.count(nfs.ProcCommit) == 0 {
				t.Error("nothing was committed")
			}
		})
	}
}

// The lies begin after some truths.
func TestVerifyFindsWhatAFilerDoesWrong(t *testing.T) {
	const after = 20
	for name, lie := range map[string]func(f *filer, a, r nfs.Message) bool{ // false: the filer goes on
		"a write that is acknowledged and forgotten": func(_ *filer, a, r nfs.Message) bool {
			w, ok := a.(*nfs.WriteArgs)
			if ok {
				*r.(*nfs.WriteResult) = nfs.WriteResult{Count: uint32(len(w.Data))}
			}
			return ok
		},
		"a write that lands one sector too far": func(_ *filer, a, _ nfs.Message) bool {
			if w, ok := a.(*nfs.WriteArgs); ok && int(w.Offset)+len(w.Data) < testSize {
				w.Offset += sectorSize
			}
			return false
		},
		"a read of something else": func(_ *filer, a, _ nfs.Message) bool {
			if r, ok := a.(*nfs.ReadArgs); ok && int(r.Offset)+int(r.Count) < testSize {
				r.Offset += sectorSize
			}
			return false
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFiler(t, testSize)
			var writes atomic.Int32
			f.intercept(func(p nfs.Procedure, a, r nfs.Message) bool {
				if p == nfs.ProcWrite {
					writes.Add(1)
				}
				return writes.Load() < after || !lie(f, a, r)
			})
			o := fileOptions(f)
			o.Verify, o.Shared, o.Sessions, o.Duration = true, true, 2, 2*time.Second // it ends when enough is wrong
			expectWrong(t, o, "expected ")
		})
	}
}

// What no read of the run has come by is read in the end.
func TestVerifyReadsAllBack(t *testing.T) {
	f := newFiler(t, testSize)
	f.intercept(func(p nfs.Procedure, _, _ nfs.Message) bool {
		if p == nfs.ProcCommit { // all is written
			f.change(func(content []byte) { content[len(content)-1]++ })
		}
		return true
	})
	o := fileOptions(f)
	o.Verify, o.Read = true, 0
	expectWrong(t, o, "expected ")
}

// With one command at a time, a write that comes before a read was acknowledged before the read was sent.
func TestVerifyFindsOneReadOfWhatWasOverwritten(t *testing.T) {
	f := newFiler(t, testSize)
	previous, written := make([]byte, testSize), make([]int, testSize/sectorSize)
	var lied bool
	f.intercept(func(_ nfs.Procedure, a, r nfs.Message) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch a := a.(type) {
		case *nfs.WriteArgs:
			copy(previous[a.Offset:][:len(a.Data)], f.content[a.Offset:])
			for i := range len(a.Data) / sectorSize {
				written[int(a.Offset)/sectorSize+i]++
			}
		case *nfs.ReadArgs:
			if written[a.Offset/sectorSize] > 1 && !lied {
				lied = true
				p := append(slices.Clone(previous[a.Offset:][:sectorSize]), f.content[a.Offset+sectorSize:a.Offset+uint64(a.Count)]...)
				*r.(*nfs.ReadResult) = nfs.ReadResult{Count: a.Count, Data: p}
				return false
			}
		}
		return true
	})
	o := fileOptions(f)
	o.Verify, o.Depth = true, 1
	expectWrong(t, o, "expected ")
	if r, err := Run(t.Context(), o); err != nil {
		t.Errorf("the truth, afterwards: %+v, %v", r.Verify, err)
	}
}
