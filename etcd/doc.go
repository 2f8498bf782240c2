// Package etcd is the control plane's store: what the cluster must remember and no single file says. Embedded runs the server in this
// process; Store is what the rest of Forebay asks; keys.go is the one place that names keys.
//
// Store's rules live in one type over a small key-value seam (kv), which is etcd or, for tests, a map: NewMemory. Every change is one
// transaction on condition that what was read is still there, so gateways that start at once agree. Nothing here is asked on the
// path of I/O.
//
// Array identities and volume identifiers outlive their objects: an array that is taken out of a file and put back is still the same one
// (PROTOCOL D6), and so is a disk to its initiators.
package etcd
