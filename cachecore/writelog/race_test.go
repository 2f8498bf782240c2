//go:build race

package writelog_test

// thin is by how much tests that try many of a kind try fewer: the race detector is slow, and for other things.
const thin = 8
