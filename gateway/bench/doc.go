// Package bench drives iSCSI targets: load with latency percentiles (drive.go), two targets in alternating slices (versus.go), and
// verification (verify.go), where every sector says which write it came from.
//
// Run does the work for a program; Command is `forebay bench`.
//
// Under load, commands complete on the initiator's goroutines and the next ones are submitted from there: a slot (one of the depth
// of a session) needs no goroutine. In verification every slot is a goroutine, which waits for its command: it is about order, not
// about speed. The rules of what a read may return are the Checker's (checker.go), which does no I/O.
package bench
