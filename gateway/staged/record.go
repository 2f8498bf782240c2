package staged

import (
	"fmt"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/cachecore/writelog"
)

// log names the files in the records of a log, and follows which are in it.
type log struct {
	writeback.Log
	system *FileSystem
}

// Log is a log as writeback.Options of this file system want it.
func (s *FileSystem) Log(l writeback.Log) writeback.Log { return &log{l, s} }

// Append implements writeback.Log.
func (l *log) Append(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	return l.system.append(l.Log.Append, r, data, done)
}

// AppendLater implements writeback.Log.
func (l *log) AppendLater(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	return l.system.append(l.Log.AppendLater, r, data, done)
}

// appending is a way to append a record to a log.
type appending func(r writelog.Record, data [][]byte, done func(writelog.Position, error)) error

// append has a record name its file. It is called with the array's lock held.
func (s *FileSystem) append(how appending, r writelog.Record, data [][]byte, done func(writelog.Position, error)) error {
	f := s.at(r.Off >> slotBits)
	r.Object, r.Off = f.handle, r.Off%slotSize
	before := s.logged(f, &r) // first: older records may be trimmed meanwhile
	if err := how(r, data, done); err != nil {
		s.unlogged(f, before)
		return err
	}
	return nil
}

// logged notes a record of a file, and returns the newest before it.
func (s *FileSystem) logged(f *file, r *writelog.Record) (before mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.dirty[f], f.leaving = true, false
	var end int64
	if r.Kind == writelog.Write {
		end = r.Off + r.Len
	}
	return f.logged(mark{r.Seq, r.Epoch}, uint64(end))
}

// unlogged notes that the log hasn't taken the newest record of a file.
func (s *FileSystem) unlogged(f *file, before mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.unlogged(before)
	if f.trimmed(mark{s.mu.trimmed, s.mu.void}) {
		delete(s.mu.dirty, f)
	}
}

// Trim implements writeback.Log. It comes between two intervals.
func (l *log) Trim(shard writelog.Shard, upto cachecore.Seq) error {
	l.system.parks.carried()
	err := l.Log.Trim(shard, upto)
	if err == nil { // else a replay may find them, until they are voided
		l.system.trimmed(upto)
	}
	return err
}

// Void implements writeback.Log. The filer answers by then.
func (l *log) Void(shard writelog.Shard, below cachecore.Epoch) error {
	err := l.Log.Void(shard, below)
	l.system.void(below)
	l.system.forgetAll()
	return err
}

// trimmed takes in that the filer has all records up to one.
func (s *FileSystem) trimmed(upto cachecore.Seq) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.trimmed = max(s.mu.trimmed, upto)
	s.clean()
}

// void takes in that records of epochs below one don't count.
func (s *FileSystem) void(below cachecore.Epoch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.void = max(s.mu.void, below)
	s.clean()
}

// clean notes which files have no records any more. s.mu is held.
func (s *FileSystem) clean() {
	for f := range s.mu.dirty {
		if f.trimmed(mark{s.mu.trimmed, s.mu.void}) {
			delete(s.mu.dirty, f)
		}
	}
}

// Recover enters a record of an earlier life, as writeback.Array.Recover.
func (s *FileSystem) Recover(r writelog.Record, at writelog.Position) {
	s.mu.Lock()
	f := s.recall(r.Object)
	s.mu.Unlock()
	if f == nil || !ofFile(&r) {
		s.array.Lose(fmt.Errorf("the write log has a record that can't be of a file: %v of %d bytes at %d", r.Kind, r.Len, r.Off))
		return
	}
	s.logged(f, &r)
	f.recovered(&r)
	r.Off = f.address(uint64(r.Off))
	s.array.Recover(r, at)
}

// ofFile says whether a record of the log can be of a file: a WRITE, or a size.
func ofFile(r *writelog.Record) bool {
	return r.Len <= slotSize && r.Off <= slotSize-r.Len && (r.Kind == writelog.Write || r.Kind == writelog.Resize && r.Off < slotSize)
}

// recovered takes in a record of an earlier life.
func (f *file) recovered(r *writelog.Record) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Kind == writelog.Resize {
		f.end, f.sized, f.reach = uint64(r.Off), true, uint64(r.Off)
	} else {
		f.end = max(f.end, uint64(r.Off+r.Len))
	}
	now := timeOf(time.Now()) // no earlier than what was shown in that life
	f.shown = times{now, now}
}
