package rpc

// roomyStack grows the stack of a goroutine that has just begun to what executing a call takes. Later it would have to be copied, again and
// again, with all that is on it: that costs more than the call.
//
//go:noinline
func roomyStack(i int) byte {
	var room [10 << 10]byte
	return room[i%len(room)]
}
