// Package nfs is NFS version 3 on the wire (RFC 1813): its types, its statuses, and the arguments and results of all 22 procedures in
// both directions. A server decodes arguments and encodes results, a client the reverse. The folders below are what NFS rides on: xdr,
// rpc, mount and portmap. This package knows only xdr; it has no sockets and no files.
//
// Messages are plain structs with Encode and Decode. Words are the RFC's: WccData, PostOpAttr, SetAttr for sattr3.
//
// Decoding copies names and paths, which are short. Handles, verbatim data and what else is a []byte are views into the decoded bytes:
// who keeps them longer than those copies them. READ, WRITE, COMMIT and GETATTR allocate nothing in any direction; the data of a
// READ need not lie beside its result (ReadResult.EncodeHead).
//
// Every length is checked: handles against 64 bytes, names 255, paths 1024, opaque data against what has come. No bytes can make a
// decoder panic or allocate more than in proportion to their number. A name or path that is too long is no garbage: the decoder's error
// is ErrNameTooLong, for which a server answers NFS3ERR_NAMETOOLONG; any other error is GARBAGE_ARGS.
//
// FileSystem is what executes procedures, wherever that is.
package nfs
