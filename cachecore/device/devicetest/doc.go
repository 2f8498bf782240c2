// Package devicetest has the twin of a drive with a volatile write cache, and the suite that every device.Device passes.
//
// A Twin records what it is asked. Crash gives what a power cut at any moment may have left: of the writes that nothing has made durable, any
// subset of their 512-byte sectors, of those written more than once any version. OnCall makes it lose, misplace or refuse what it is asked, or holds it.
package devicetest
