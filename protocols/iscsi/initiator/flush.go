package initiator

// flush sends what has gathered while the reader dispatched. What does not go at once is the writer's: if the reader waited, and the target waited
// for us to read, neither would go on.
func (s *Session) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.corked = false
	if s.mu.out.empty() || s.mu.writing || s.mu.err != nil {
		return // a writer that is writing looks again
	}
	s.takeBatch()
	s.mu.Unlock()
	n := s.now.Write(s.batch.vec)
	s.mu.Lock()
	if s.batch.consume(n); !s.batch.empty() {
		s.mu.handover = true
		s.mu.wake.Signal()
		return
	}
	s.written()
}

// takeBatch makes what has gathered the batch that is being written. s.mu is held, writing is false.
func (s *Session) takeBatch() {
	s.mu.writing = true
	s.batch, s.mu.out = s.mu.out, s.batch
}
