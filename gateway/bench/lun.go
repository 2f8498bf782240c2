package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"forebay/protocols/iscsi/initiator"
)

// lun is a LUN of an iSCSI target.
type lun struct {
	opts  Options
	label string
	id    uint16
	geo   geometry
	open  []*lunSession

	mu        sync.Mutex
	reconnect int
}

// lunSession is an iSCSI session that can be logged in to again, as the same initiator port: that ends what the target still has of
// the old one (session reinstatement, RFC 7143 6.3.5).
type lunSession struct {
	lun     *lun
	options initiator.Options

	mu      sync.Mutex // held while logging in again
	session *initiator.Session
}

// openLUN logs in, and finds out about the LUN.
func openLUN(ctx context.Context, o Options, e Endpoint) (device, error) {
	u, io, err := o.initiatorOptions(e)
	if err != nil {
		return nil, err
	}
	l := &lun{opts: o, id: u.LUN, label: fmt.Sprintf("iscsi://%s/%s/%d", u.Portal, u.Target, u.LUN)}
	if err := l.login(ctx, io); err != nil {
		l.close()
		return nil, fmt.Errorf("%s: %w", l.label, err)
	}
	return l, nil
}

func (l *lun) login(ctx context.Context, o initiator.Options) error {
	for range l.opts.Sessions {
		_, _ = rand.Read(o.ISID[1:]) // never fails
		o.ISID[0] = 0x80             // random (RFC 7143 11.12.5)
		s, err := initiator.Dial(ctx, o)
		if err != nil {
			return err
		}
		l.open = append(l.open, &lunSession{lun: l, options: o, session: s})
	}
	return l.inspect(ctx)
}

func (l *lun) inspect(ctx context.Context) error {
	for _, s := range l.open {
		if err := s.session.Ready(ctx, l.id); err != nil {
			var status *initiator.StatusError
			if errors.As(err, &status) && status.Key == initiator.SenseIllegal && status.ASC == 0x25 {
				return fmt.Errorf("there is no LUN %d", l.id)
			}
			return err
		}
	}
	capacity, err := l.open[0].session.Capacity(ctx, l.id)
	if err != nil {
		return err
	}
	l.geo = geometry{kind: "LUN", block: capacity.BlockSize, size: capacity.Size()}
	return nil
}

func (l *lun) name() string       { return l.label }
func (l *lun) geometry() geometry { return l.geo }

func (l *lun) sessions() (all []session) {
	for _, s := range l.open {
		all = append(all, s)
	}
	return all
}

func (l *lun) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return counts{reconnects: l.reconnect}
}

func (l *lun) close() {
	var all sync.WaitGroup
	for _, s := range l.open {
		all.Go(func() { _ = s.current().Close() }) // what matters was said by the commands
	}
	all.Wait()
}

func (s *lunSession) current() *initiator.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session
}

// renew logs in again, unless somebody else has since broken was current.
func (s *lunSession) renew(ctx context.Context, broken *initiator.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != broken {
		return nil
	}
	broken.Abandon()
	return again(ctx, func(ctx context.Context) error {
		fresh, err := initiator.Dial(ctx, s.options)
		if err != nil {
			return err
		}
		s.session = fresh
		s.lun.mu.Lock()
		s.lun.reconnect++
		s.lun.mu.Unlock()
		return nil
	})
}
