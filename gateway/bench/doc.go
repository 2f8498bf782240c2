// Package bench drives iSCSI targets and NFS servers: load with latency percentiles (drive.go), two targets in alternating slices (run.go),
// and verification (verify.go), where every sector says which write it came from.
//
// Run does the work for a program; Command is `forebay bench`.
//
// A run sees a device with sessions (target.go): a LUN (lun.go, over protocols/iscsi/initiator) or a file (file.go, over protocols/nfs).
//
// Under load, commands complete on the session's goroutines and the next ones are submitted from there: a slot (one of the depth
// of a session) needs no goroutine. In verification every slot is a goroutine, which waits for its command: it is about order, not
// about speed. The rules of what a read may return are the Checker's (checker.go), which does no I/O.
package bench
