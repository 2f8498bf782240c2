//go:build race

package sock

// raced says that the race detector watches. It takes what comes over a socket for synchronised, but only by the system calls that it knows.
const raced = true
