// Package gateway wires one gateway: the control plane, the pools with their tiers, the arrays, the volumes over them, and what serves
// them. It is the only place that knows all the parts, and has few lines of its own on the path of a command: storage.go puts a
// volume under a device server, device.go counts what the device server answered.
//
// Gateway.Run is the whole life of a process. It starts what is below before what is above: control plane, pools, volumes, attachments,
// listeners. Whatever can fail for a reason that may pass (an array away, a port in use) is tried again while the rest serves. The end
// goes the other way round: no new connections, what is under way finishes, the arrays are flushed, then everything is closed.
//
// An attachment keeps an array attached. It tells its volume when the array comes and goes; the volume tells the device server, which
// answers NOT READY while there is nothing to serve (DESIGN 9). While a policy holds I/O for an array that is away, the device server
// knows nothing of it.
//
// Locks: those of an attachment and of a volume's state are leaves. No lock is held over I/O.
package gateway
