package staged

import (
	"context"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
	"forebay/protocols/nfs"
)

// filerOf is a filer of which calls may be answered by something else.
type filerOf struct {
	nfs.FileSystem
	do func(c nfs.Caller, p nfs.Procedure, a, r nfs.Message, next func(c nfs.Caller) error) error
}

func (f *filerOf) Do(ctx context.Context, c *nfs.Caller, p nfs.Procedure, a, r nfs.Message) error {
	return f.do(*c, p, a, r, func(c nfs.Caller) error { return f.FileSystem.Do(ctx, &c, p, a, r) })
}

// over begins a life over a filer that answers so.
func (r *rig) over(do func(c nfs.Caller, p nfs.Procedure, a, res nfs.Message, next func(c nfs.Caller) error) error) {
	r.kill()
	r.files = &filerOf{r.mem, do}
	r.start()
}

// watchedLog is a log that says what it is asked for before it does it.
type watchedLog struct {
	writeback.Log
	append func(writelog.Record)
	trim   func(cachecore.Seq) (goOn bool) // else the process ends before
}

func (l *watchedLog) Append(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	if l.append != nil {
		l.append(r)
	}
	return l.Log.Append(r, data, done)
}

func (l *watchedLog) Trim(s writelog.Shard, upto cachecore.Seq) error {
	if l.trim != nil && !l.trim(upto) {
		return nil
	}
	return l.Log.Trim(s, upto)
}

// watch begins a life with a log that is watched.
func (r *rig) watch(l *watchedLog) {
	r.kill()
	r.before = func(log writeback.Log) writeback.Log {
		l.Log = log
		return l
	}
	r.start()
	r.before = nil
}
