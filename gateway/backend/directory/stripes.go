package directory

import "sync"

// stripes are locks of objects: each has one by its number, and shares it with others.
type stripes [256]sync.Mutex

func (s *stripes) of(o *object) int { return int(o.stat.Ino % uint64(len(s))) }

// lock locks the stripes of one or two objects, in their order.
func (s *stripes) lock(a, b *object) (unlock func()) {
	i, j := s.of(a), s.of(b)
	if i == j {
		s[i].Lock()
		return s[i].Unlock
	}
	i, j = min(i, j), max(i, j)
	s[i].Lock()
	s[j].Lock()
	return func() {
		s[j].Unlock()
		s[i].Unlock()
	}
}
