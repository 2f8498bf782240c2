package iscsi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"forebay/protocols/iscsi/initiator"
)

// errNoPath: no portal has let us in yet.
var errNoPath = errors.New("no portal has been reached yet")

// path is one portal. Its goroutine keeps it logged in; what it is good for is guarded by Array.mu.
type path struct {
	array   *Array
	portal  string
	options initiator.Options
	key     uint64        // of its registration
	resets  atomic.Uint64 // attentions that our own questions met: of a reset, or a deferred error
	news    atomic.Uint64 // and of anything else

	asking    sync.Mutex // held over questions while it stands by, and over a recovery that goes over it: one may be told what the other needs
	accounted uint64     // of resets; the keeper's

	session   *initiator.Session // nil: not logged in
	doubted   bool               // a change of a session that was this path's may land yet (doubt.go)
	doubtedAt time.Time
	suspect   string // the portal group of that session; empty: of an earlier life's
	name      string // of the medium behind it
	group     uint16
	state     initiator.AccessState
	soured    uint64 // the latest attempt to recover over the session that the array itself let fail; 0: none
	served    bool   // the session has been in use
	tried     bool
	err       error // why it is not logged in
}

const (
	firstLoginPause   = 50 * time.Millisecond
	longestLoginPause = time.Second
	cededLoginPause   = 30 * time.Second // who has the LUN may log in under our name, which ends our session, and ours its
	pollInterval      = 10 * time.Second
)

// keep logs in, again and again, until the array is closed.
func (p *path) keep() {
	life := p.array.life
	p.options.Attention = p.attention
	for pause := firstLoginPause; life.Err() == nil; pause = min(2*pause, longestLoginPause) {
		since := time.Now()
		served, err := p.visit(life)
		if err != nil {
			p.array.refused(p, err)
		}
		switch {
		case p.array.hasCeded():
			pause = cededLoginPause
		case time.Since(since) > longestLoginPause && err == nil:
			pause = 0 // at once, and the next time again after the first pause
		case served:
			pause = firstLoginPause
		}
		_ = rest(life, life, pause)
		pause = max(pause, firstLoginPause/2)
	}
}

// visit logs in and stays for as long as the session lives. It says whether it was of use.
func (p *path) visit(life context.Context) (served bool, err error) {
	s, err := p.login(life)
	if err != nil {
		return false, err
	}
	p.array.arrived(p, s)
	p.attend(life, s)
	if life.Err() != nil {
		p.leave(s)
	} else {
		s.Abandon()
	}
	return p.array.departed(p, s), nil
}

// attention counts what our own questions are told in place of a caller's command.
func (p *path) attention(_ uint16, e *initiator.StatusError) {
	if e.ASC == ascReset || e.Deferred {
		p.resets.Add(1)
	} else {
		p.news.Add(1)
	}
}

// login logs in and asks what is there.
func (p *path) login(ctx context.Context) (*initiator.Session, error) {
	s, err := initiator.Dial(ctx, p.options)
	if err != nil {
		return nil, err
	}
	if err := p.explore(ctx, s); err != nil {
		s.Abandon()
		return nil, fmt.Errorf("%s: %w", p.portal, err)
	}
	return s, nil
}

func (p *path) explore(ctx context.Context, s *initiator.Session) error {
	lun := p.array.opts.LUN
	d, err := s.Designators(ctx, lun)
	if err != nil {
		return err
	}
	groups, err := s.PortGroups(ctx, lun)
	if err != nil {
		return err
	}
	p.array.mu.Lock()
	defer p.array.mu.Unlock()
	if known := p.array.mu.identity; known != "" && d.Name != known {
		return p.array.otherMedium(d.Name)
	}
	p.name, p.group, p.served = d.Name, d.PortGroup, false
	p.state = stateOf(groups, d.PortGroup)
	return nil
}

// attend watches over a session until it ends. While the path stands by it asks for the states of all, as the one in use may not be told that
// it is no longer the best.
func (p *path) attend(ctx context.Context, s *initiator.Session) {
	poll := time.NewTicker(pollInterval)
	defer poll.Stop()
	for {
		select {
		case <-s.Over():
			return
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		p.ask(ctx, s)
	}
}

// ask asks for the states of all paths, if this one stands by, and whether it is well again.
func (p *path) ask(ctx context.Context, s *initiator.Session) {
	p.asking.Lock()
	defer p.asking.Unlock()
	if p.array.uses(p) {
		return
	}
	if groups, err := s.PortGroups(ctx, p.array.opts.LUN); err == nil {
		p.array.regrouped(groups)
	}
	if p.array.hasSoured(p) && s.Ready(ctx, p.array.opts.LUN) == nil {
		p.array.sweeten(p)
	}
}

// leave is the last of a session: it gives up its registration, which nobody renews any more, and logs out.
func (p *path) leave(s *initiator.Session) {
	<-p.array.kept
	if p.array.opts.Reserve && s.Err() == nil {
		finally(s, func(ctx context.Context) { p.array.unregister(ctx, p, s) })
	}
	if err := s.Close(); err != nil {
		p.array.opts.Log.Debug().Str("portal", p.portal).Err(err).Msg("logout from the array")
	}
}
