package requests

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs/server"
)

const (
	fileSize   = 4 << 20          // bytes; then it is written anew
	retryAfter = 10 * time.Second // a medium that has failed
)

// Journal is a server.Requests in a file.
type Journal struct {
	log  zerolog.Logger
	size int

	mu struct {
		sync.Mutex
		medium  medium
		end     int64           // where the next record is written
		failed  time.Time       // when the medium failed last, by the records' clock; zero: it works
		earlier []server.Record // until they are handed over
		buffer  []byte
		closed  bool
	}
}

// Open opens the journal at a path, and makes one if there is none. Damage is told and set aside. It fails if the file can't be read.
func Open(path string, log zerolog.Logger) (*Journal, error) {
	j, err := open(&file{path: path}, fileSize, log.With().Str("file", path).Logger())
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	return j, nil
}

func open(m medium, size int, log zerolog.Logger) (*Journal, error) {
	j := &Journal{log: log, size: size}
	j.mu.medium = m
	content, err := m.load(j.most())
	if err != nil {
		return nil, err
	}
	list, err := read(content)
	if err != nil && !errors.Is(err, errTorn) {
		log.Warn().Err(err).Int("records", len(list)).Msg("the record of NFS requests is damaged: what follows the damage is ignored; the file is set aside")
		if err := m.setAside(); err != nil {
			log.Warn().Err(err).Msg("set the damaged record of NFS requests aside")
		}
	}
	j.mu.earlier, j.mu.end = useful(list, size/2), int64(len(content))
	if err := j.rewrite(j.mu.earlier); err != nil {
		j.fail(err, time.Unix(0, 0)) // the first record finds out whether it still does
	}
	return j, nil
}

// most is how long a file can be: one record more than its size, and calls without an outcome.
func (j *Journal) most() int64 { return int64(j.size + (mostOpen+1)*(headLength+mostBody)) }

// Earlier implements server.Requests: it hands the records over.
func (j *Journal) Earlier() []server.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.mu.earlier
	j.mu.earlier = nil
	return list
}

// Keep implements server.Requests. It waits for nothing but the kernel.
func (j *Journal) Keep(_ context.Context, r server.Record) {
	if len(r.Answer) > server.MaxAnswer {
		return // the call stays without an outcome
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if since := r.At.Sub(j.mu.failed); j.mu.closed || !j.mu.failed.IsZero() && since >= 0 && since < retryAfter {
		return
	}
	err := j.write(&r)
	switch {
	case err != nil:
		j.fail(err, r.At)
	case !j.mu.failed.IsZero():
		j.mu.failed = time.Time{}
		j.log.Info().Msg("NFS requests are recorded again")
	}
}

// fail notes that the medium has failed, and tells it if that is news.
func (j *Journal) fail(err error, at time.Time) {
	if j.mu.failed.IsZero() {
		j.log.Warn().Err(err).Msg("NFS requests can't be recorded: should the gateway be killed, changes whose answers are lost with it are executed again")
	}
	j.mu.failed = at
}

// write appends a record. A file that is full, or whose end is uncertain, is written anew before.
func (j *Journal) write(r *server.Record) error {
	if !j.mu.failed.IsZero() || j.mu.end >= int64(j.size) {
		content, err := j.mu.medium.load(j.mu.end)
		if err != nil {
			return err
		}
		list, _ := read(content) // what has become unreadable isn't there any more
		if err := j.rewrite(useful(list, j.size/2)); err != nil {
			return err
		}
	}
	j.mu.buffer = appendRecord(j.mu.buffer[:0], r)
	if err := j.mu.medium.write(j.mu.buffer, j.mu.end); err != nil {
		return err
	}
	j.mu.end += int64(len(j.mu.buffer))
	return nil
}

// rewrite makes the file one of these records.
func (j *Journal) rewrite(list []server.Record) error {
	content := []byte(magic)
	for i := range list {
		content = appendRecord(content, &list[i])
	}
	if err := j.mu.medium.replace(content); err != nil {
		return err
	}
	j.mu.end = int64(len(content))
	return nil
}

// Close ends the journal. What comes later isn't kept.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.mu.closed = true
	return j.mu.medium.close()
}

var _ server.Requests = (*Journal)(nil)
