// Package iscsi is RFC 7143 on the wire: views of PDU headers, text keys, the negotiation of operational parameters, CHAP and
// digests, shared by the two halves in target and initiator. Nothing in it reads or writes a socket.
package iscsi
