package relay

import "forebay/protocols/iscsi"

func (r *Relay) framer() framer {
	return framer{headerDigest: r.opts.HeaderDigest, dataDigest: r.opts.DataDigest}
}

// answers lets a server's bytes into the line to the client and sees what they answer.
type answers struct {
	link   *link
	framer framer
}

func (a *answers) write(p []byte) {
	a.framer.feed(p, a)
	a.link.deliver(p)
}

// begin implements pdus. R2Ts, and Data-In that brings no status, leave the task under way.
func (a *answers) begin(h iscsi.Header) {
	if op := h.Opcode(); op != iscsi.OpR2T && (op != iscsi.OpDataIn || h.Flags()&iscsi.FlagStatus != 0) {
		a.link.answered(h)
	}
}

func (a *answers) more([]byte) {}
func (a *answers) complete()   {}

// claim returns the held task that a request belongs to, or nil.
func (l *link) claim(h iscsi.Header) *Held {
	l.mu.Lock()
	defer l.mu.Unlock()
	tag := h.InitiatorTag()
	if task := l.mu.tasks[tag]; task != nil {
		if task.let {
			return nil
		}
		return task
	}
	if l.mu.abandoned {
		return nil
	}
	task := l.relay.match(PDU{h, l.number}, l.gate)
	if task != nil {
		task.tag = tag
		l.mu.tasks[tag] = task
	}
	return task
}

// holding says whether any task is held.
func (l *link) holding() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, task := range l.mu.tasks {
		if !task.let {
			return true
		}
	}
	return false
}

// let counts a task as let go. It says no if it was before.
func (l *link) let(task *Held) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if task.let {
		return false
	}
	task.let = true
	if task.answer != nil {
		delete(l.mu.tasks, task.tag)
	}
	return true
}

// answered takes what the server says last about a task.
func (l *link) answered(h iscsi.Header) {
	l.mu.Lock()
	task := l.mu.tasks[h.InitiatorTag()]
	if task == nil || task.answer != nil {
		l.mu.Unlock()
		return
	}
	task.answer = append(iscsi.Header(nil), h...)
	close(task.over)
	if task.let {
		delete(l.mu.tasks, task.tag)
	}
	l.mu.Unlock()
	l.settle()
}

// settle ends an orphan that waits for nothing more.
func (l *link) settle() {
	l.mu.Lock()
	settled := l.mu.orphan && len(l.mu.tasks) == 0
	l.mu.Unlock()
	if settled {
		l.up.end(Finish)
	}
}

// orphaned makes the link an orphan if there are tasks to live on for.
func (l *link) orphaned() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.orphan = l.mu.orphan || len(l.mu.tasks) > 0
	return l.mu.orphan
}

func (l *link) isOrphan() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.orphan
}

// abandon leaves the tasks without an answer: the server's connection has ended.
func (l *link) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.abandoned = true
	for tag, task := range l.mu.tasks {
		if task.answer == nil {
			close(task.over)
		}
		delete(l.mu.tasks, tag)
	}
}
