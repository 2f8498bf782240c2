package gateway

import "forebay/configs"

// capOf is what a volume may fill of the log, in bytes; 0: all of it.
func (l *poolLog) capOf(volumes []configs.Volume, c configs.Volume) int64 {
	share := logShare(volumes, c)
	if share == 1 {
		return 0
	}
	_, room := l.Space()
	return int64(share * float64(room))
}

// logShare is the share of its pool's write log that a volume may fill, so that arrays that are away can't fill the log of all (PROTOCOL B9): where a pool
// serves several, each may have its part, with some left over, which its volumes divide; however many are away, the others go on. Several volumes of the
// only array may have half each, so that a busy one leaves room for the rest.
func logShare(volumes []configs.Volume, c configs.Volume) float64 {
	arrays, beside := map[string]bool{c.From.Array: true}, 0
	for _, v := range volumes {
		if v.Pool != c.Pool || v.Name == c.Name {
			continue
		}
		arrays[v.From.Array] = true
		if v.From.Array == c.From.Array {
			beside++
		}
	}
	switch {
	case len(arrays) > 1:
		return 0.95 / float64(len(arrays)*(1+beside))
	case beside > 0:
		return 0.5
	}
	return 1
}
