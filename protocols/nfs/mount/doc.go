// Package mount is the MOUNT protocol: version 3 (RFC 1813 appendix I), and versions 1 and 2 (RFC 1094 appendix A) as far as clients
// still ask them: the same procedures, but for a handle of 32 bytes in the answer to MNT. The codec has both directions; the server half
// asks an Exporter.
package mount
