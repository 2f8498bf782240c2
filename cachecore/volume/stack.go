package volume

// roomyStack grows the stack of a goroutine that has just begun to what a fill takes. Later it would have to be copied, again and
// again, with all that is on it: that costs more than the fill.
//
//go:noinline
func roomyStack(i int) byte {
	var room [10 << 10]byte
	return room[i%len(room)]
}
