package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"forebay/protocols/sock"
)

var be = binary.BigEndian

// pipe is a connection that carries the load of a session to an NFS server: calls that are prepared once, and whose replies are judged
// where they lie in the buffer. It goes without what an rpc.Client costs per call, which is a caller to wake, a copy of the reply and a
// timer: what it takes to drive a server shows in every comparison.
//
// One goroutine, the reader, takes replies off the connection and completes commands, which submit the next ones. When no whole reply is
// left it sends what has gathered with one write. The writer sends what doesn't go at once (outbox.go), and what others submit.
type pipe struct {
	conn     net.Conn
	patience time.Duration // a server that says nothing for so long, or twice that, while commands wait, is given up
	in       records
	until    time.Time // the read deadline; the reader's
	now      *sock.Writer
	batch    batch          // that is being written
	ended    sync.WaitGroup // reader and writer

	mu struct {
		sync.Mutex
		table    []*fileCommand // that wait for a reply, where the end of their XID says
		waiting  int            // how many
		calls    uint32         // the rest of the last XID
		out      batch          // gathers
		corked   bool           // the reader dispatches, and will send
		writing  bool           // batch is somebody's
		handover bool           // it is the writer's
		err      error          // how the connection ended
		news     sync.Cond      // for the writer
	}
}

const (
	indexBits = 10 // of an XID: maxDepth commands
	indexMask = 1<<indexBits - 1
)

var errSilent = errors.New("no answer in time")

func newPipe(nc net.Conn, o Options) *pipe {
	p := &pipe{conn: nc, patience: o.CommandTimeout, in: newRecords(sock.NewReader(nc), o.BlockSize), now: sock.NewWriter(nc)}
	p.mu.table, p.mu.calls = make([]*fileCommand, o.Depth), uint32(randomSeed())
	p.mu.news.L = &p.mu
	p.ended.Go(p.read)
	p.ended.Go(p.write)
	return p
}

// close ends the connection and returns when no command waits any more. It may not be called by a command's done.
func (p *pipe) close() {
	p.conn.Close()
	p.ended.Wait()
}

// submit queues a call, or loses it if the connection has ended.
func (p *pipe) submit(c *fileCommand) {
	p.mu.Lock()
	if err := p.mu.err; err != nil {
		p.mu.Unlock()
		c.done(&lostError{err})
		return
	}
	p.mu.calls++
	c.xid = p.mu.calls<<indexBits | c.index
	p.mu.table[c.index] = c
	p.mu.waiting++
	c.encode(&p.mu.out)
	if !p.mu.corked {
		p.mu.news.Signal()
	}
	p.mu.Unlock()
}

// read is the reader.
func (p *pipe) read() {
	err := p.serve()
	p.conn.Close()
	for _, c := range p.end(fmt.Errorf("connection lost: %w", err)) {
		c.done(&lostError{p.mu.err}) // which does not change any more
	}
}

// end lets nothing be submitted any more and returns the commands that wait.
func (p *pipe) end(err error) (lost []*fileCommand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.err = err
	p.mu.news.Signal()
	for i, c := range p.mu.table {
		if c != nil {
			lost = append(lost, c)
			p.mu.table[i] = nil
		}
	}
	return lost
}

func (p *pipe) serve() error {
	for {
		if err := p.more(); err != nil {
			return err
		}
		p.cork()
		for {
			record, err := p.in.next()
			if err == nil && record != nil {
				err = p.receive(record)
			}
			if err != nil {
				return err
			}
			if record == nil {
				break
			}
		}
		p.flush()
	}
}

// more reads what comes. Silence ends the connection when commands have waited for the whole of it: those that were submitted meanwhile
// have a right to as much.
func (p *pipe) more() error {
	for silent := 0; silent < 2; {
		if err := p.extend(); err != nil {
			return err
		}
		err := p.in.fill()
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		p.until = time.Time{}
		if silent++; !p.waits() {
			silent = 0
		}
	}
	return errSilent
}

func (p *pipe) waits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mu.waiting > 0
}

// extend gives the next read patience, or up to a quarter less: setting a deadline for each would cost.
func (p *pipe) extend() error {
	now := time.Now()
	if p.until.Sub(now) > p.patience*3/4 {
		return nil
	}
	p.until = now.Add(p.patience)
	return p.conn.SetReadDeadline(p.until)
}

// receive takes a reply to the command that waits for it.
func (p *pipe) receive(record []byte) error {
	if len(record) < 4 {
		return errReply
	}
	xid := be.Uint32(record)
	i := int(xid & indexMask)
	p.mu.Lock()
	if i >= len(p.mu.table) || p.mu.table[i] == nil || p.mu.table[i].xid != xid {
		p.mu.Unlock()
		return errors.New("a reply to no call")
	}
	c := p.mu.table[i]
	p.mu.table[i] = nil
	p.mu.waiting--
	p.mu.Unlock()
	c.receive(record)
	return nil
}
