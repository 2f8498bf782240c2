//go:build !race

package ram

const raceEnabled = false
