// Package requests keeps what becomes of NFS calls that must not be executed twice in a file, so that a gateway that was killed and started again
// answers those who ask again as it would have (PROTOCOL H2). It is the server.Requests of one gateway; a cluster's would have the same records on
// its peers.
//
// # The file
//
// All numbers are big-endian. The file begins with the eight bytes "FBNFSRQ1"; records follow, one behind the other:
//
//	0      length of the body
//	4      CRC32C of the length and the body
//	8      body:
//	         0    step: 1 intent, 2 outcome, 3 void, 4 unknown (server.Step)
//	         1    length of the client's address: 0, 4 or 16
//	         2    address, XID (4), procedure (4), sum (8), time (8: nanoseconds since 1970)
//	         ..   of an outcome the encoded results, at most server.MaxAnswer bytes
//
// A record that is not whole ends the file: the process was killed while it wrote it, before the call was executed or its client answered. Any other
// that can't be one is damage: what stands before it counts, and the file is set aside as it is under the same name with .damaged.
//
// # Size
//
// When the file has grown to its size it is written anew, beside and then over the old one, with what is still of use: calls without an outcome, the
// newest ones if there are very many, and the newest outcomes up to half the size. The same happens at each start.
//
// # What it survives
//
// A record is written (write(2)) before its call goes on, and not forced to the medium: it survives the end of the process, at any instant, and not
// that of the machine. Forcing each would add the device's flush to every CREATE and REMOVE twice. After a power cut of the gateway itself
// the file may lack its end, which costs what it cost to have none: a change whose answer was lost, too, is executed again and its client may be told that
// the name is gone, or there. What is found after a power cut is true all the same: records that are not whole don't count.
//
// A medium that fails, as when it is full, is told once; calls are served without being kept, and it is tried again every ten seconds.
//
// Journal.mu is a leaf. It is held while the file is written: nothing else that is served needs it.
package requests
